//! A client for test suites that other people wrote: commands as lines of JSON on standard input, what happens as lines of JSON on standard output.
//!
//! What is no command, or cannot be done, is told on standard error, and the next one has its turn.

mod client;
mod json;
mod options;
mod output;

use std::io::BufRead;
use std::time::Duration;

use serde_json::Value as Json;
use tokio::sync::mpsc;

use client::Client;

/// What servers do not take within this time at the end is lost.
const CLOSING_TIME: Duration = Duration::from_millis(800);

// One thread, so that whatever is ready when a command comes is told before what the command brings about.
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (sender, mut commands) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().split(b'\n') {
            let Ok(line) = line else {
                return;
            };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let mut client = Client::default();
    while let Some(line) = commands.recv().await {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let command: Json = match serde_json::from_slice(&line) {
            Ok(command) => command,
            Err(error) => {
                eprintln!("no command: {error}");
                continue;
            }
        };
        if command["cmd"] == "exit" {
            break;
        }
        if let Err(error) = client.run(&command).await {
            eprintln!("{:.100}: {error}", command["cmd"].to_string());
        }
    }
    // Whoever reads has an end to wait for.
    let _ = tokio::time::timeout(CLOSING_TIME, client.close()).await;
    // The runtime would wait for names that are still being looked up.
    std::process::exit(0);
}
