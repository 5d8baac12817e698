//! A client for test suites that other people wrote: commands as lines of JSON on standard input, what happens as lines of JSON on standard output.

mod client;
mod json;
mod options;
mod output;

use std::error::Error;
use std::io::BufRead;

use serde_json::Value as Json;
use tokio::sync::mpsc;

use client::Client;

// One thread, so that whatever is ready when a command comes is told before what the command brings about.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (sender, mut commands) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
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
        if line.trim().is_empty() {
            continue;
        }
        let command: Json = serde_json::from_str(&line)?;
        if command["cmd"] == "exit" {
            break;
        }
        client.run(&command).await?;
    }
    client.close().await;
    Ok(())
}
