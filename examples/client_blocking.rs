//! A client without asynchronous code: it sends a file to the example `binary_upload`, chunk by chunk.
//!
//! Run the server in one terminal, and this in another:
//!
//! ```text
//! cargo run --release --example binary_upload
//! cargo run --release --example client_blocking -- Cargo.lock
//! ```
//!
//! It shows how far it is, and at the end where the server has put the file. Another URL can be given behind the file.
//!
//! Each chunk is acknowledged before the next one leaves. When the connection breaks, the acknowledgement is an error, the server forgets the file, and the
//! client begins it again with the next connection, which is made by itself: try it with a large file, and stop and start the server meanwhile.

use std::error::Error;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use examples::with_causes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use socket_io_client::blocking::{self, Socket};
use socket_io_client::{AckError, Binary, Text};

/// How long an answer may take. An event that is emitted without a connection waits for the next one, so this is how long the server may be away, too.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a file is begun.
const TRIES: u32 = 5;

#[derive(Serialize)]
struct Start<'a> {
    name: &'a str,
    size: u64,
}

#[derive(Deserialize)]
struct Terms {
    chunk: usize,
}

#[derive(Deserialize)]
struct Progress {
    received: u64,
    size: u64,
}

/// What the server answers: the value, or why there is none.
#[derive(Deserialize)]
#[serde(untagged)]
enum Reply<T> {
    No { message: String },
    Yes(T),
}

/// Why a file was not sent.
enum Failure {
    /// No answer, because the connection is lost or the server is silent.
    Lost(AckError),
    /// The server does not want it.
    Refused(String),
    /// Sending it again would be in vain.
    Fatal(Box<dyn Error>),
}

impl<E: Into<Box<dyn Error>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Fatal(error.into())
    }
}

fn main() -> ExitCode {
    match send() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", with_causes(&*error));
            ExitCode::FAILURE
        }
    }
}

fn send() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next();
    let path = path.ok_or("usage: client_blocking FILE [URL]")?;
    let url = arguments.next();
    let url = url.unwrap_or_else(|| "http://127.0.0.1:3000".into());
    let mut file = File::open(&path).map_err(|error| format!("{path}: {error}"))?;

    let socket = connect(&url);
    let mut tries = TRIES;
    loop {
        tries -= 1;
        let mut session = None;
        let why = match upload(&socket, &path, &mut file, &mut session) {
            Ok(place) => {
                println!("complete: {place}");
                // Dropping the socket disconnects it, and waits until everything has left.
                return Ok(());
            }
            Err(Failure::Lost(error)) => error.to_string(),
            // A chunk that was to leave when the connection broke has gone to the next session, which knows nothing of the file.
            Err(Failure::Refused(message)) if session != socket.inner().id() => message,
            Err(Failure::Refused(message)) => return Err(message.into()),
            Err(Failure::Fatal(error)) => return Err(error),
        };
        if tries == 0 {
            return Err(why.into());
        }
        println!("{why}; beginning again");
    }
}

/// Later on the socket connects by itself again; the first time an error says at once what is wrong, and trying again is up to the program.
fn connect(url: &str) -> Socket {
    let mut wait = Duration::from_millis(500);
    loop {
        match blocking::connect(url) {
            Ok(socket) => return socket,
            Err(error) => println!(
                "{url}: {}; trying again. Is the server there? `cargo run --release --example binary_upload`",
                with_causes(&error)
            ),
        }
        sleep(wait);
        wait = Duration::from_secs(5).min(wait * 2);
    }
}

/// Sends the file and returns where the server has put it. Tells the id of the socket that has begun.
fn upload(
    socket: &Socket,
    path: &str,
    file: &mut File,
    session: &mut Option<Text>,
) -> Result<String, Failure> {
    let size = file.metadata()?.len();
    let name = Path::new(path).file_name().unwrap_or_default();
    let name = &*name.to_string_lossy();
    let terms: Terms = ask(socket, "start", &Start { name, size })?;
    *session = socket.inner().id();

    file.rewind()?;
    let mut sum = Sha256::new();
    loop {
        let mut data = Vec::with_capacity(terms.chunk);
        let mut chunk = file.by_ref().take(terms.chunk as u64);
        chunk.read_to_end(&mut data)?;
        if data.is_empty() {
            break;
        }
        sum.update(&data);
        let _: u64 = ask(socket, "chunk", &Binary::from(data))?;
        show_progress(socket)?;
    }
    let sum: String = sum
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    ask(socket, "finish", &sum)
}

fn ask<T: DeserializeOwned>(
    socket: &Socket,
    event: &str,
    data: &impl Serialize,
) -> Result<T, Failure> {
    match socket.call(event, data, PATIENCE) {
        Ok(Reply::Yes(value)) => Ok(value),
        Ok(Reply::No { message }) => Err(Failure::Refused(message)),
        Err(error @ (AckError::Disconnected | AckError::Timeout(_))) => Err(Failure::Lost(error)),
        Err(error) => Err(error.into()),
    }
}

/// Events are there when they are asked for; whoever has no time does not wait for them.
fn show_progress(socket: &Socket) -> Result<(), Failure> {
    while let Some(event) = socket.recv(Duration::ZERO)? {
        if &*event.name == "progress" {
            let Progress { received, size } = event.data()?;
            println!("{} %", received * 100 / size.max(1));
        }
    }
    Ok(())
}
