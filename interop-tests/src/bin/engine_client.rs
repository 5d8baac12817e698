//! The Engine.IO client for the suites `eioc-client.test.js` and `eioc-own.test.js`: commands come in on standard input, what happens goes out, both as lines of JSON.
//!
//! | command | what happens |
//! |---|---|
//! | `{"connect": {"url": …, "transports": […], …}}` | `open` or `error`, later `upgrade` and `close` |
//! | `{"send": ["text", [1, 2]]}` | all of it is queued at once: text, or binary as a list of bytes; what arrives is `text` or `binary` |
//! | `"close"` | the session is closed; a new one can be opened |
//!
//! Cookies and the memory of upgrades last as long as the program.

use std::error::Error;
use std::future::poll_fn;
use std::io::BufRead;
use std::task::Poll;
use std::time::Duration;

use engine_io::{
    ClientConfig, ConnectError, CookieJar, Cookies, DeflateConfig, Message, Socket, Transport,
    TransportError,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Command {
    Connect(Box<Connect>),
    Send(Vec<Outgoing>),
    Close,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Outgoing {
    Text(String),
    Binary(Vec<u8>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Connect {
    url: String,
    path: String,
    transports: Vec<Transport>,
    upgrade: bool,
    try_all_transports: bool,
    remember_upgrade: bool,
    force_base64: bool,
    cookies: Option<String>,
    deflate: bool,
    headers: Vec<(String, String)>,
    /// Both in milliseconds.
    connect_timeout: u64,
    upgrade_timeout: u64,
}

impl Default for Connect {
    fn default() -> Self {
        Self {
            url: String::new(),
            path: "/engine.io".into(),
            transports: vec![Transport::Polling, Transport::WebSocket],
            upgrade: true,
            try_all_transports: false,
            remember_upgrade: false,
            force_base64: false,
            cookies: None,
            deflate: false,
            headers: Vec::new(),
            connect_timeout: 20_000,
            upgrade_timeout: 10_000,
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (sender, mut commands) = unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let command: Command = serde_json::from_str(&line.expect("standard input is text"))
                .expect("commands are JSON");
            if sender.send(command).is_err() {
                break;
            }
        }
    });
    let base = ClientConfig::default();
    let jar = CookieJar::new();
    while let Some(command) = commands.recv().await {
        let Command::Connect(options) = command else {
            continue;
        };
        let mut config = base
            .clone()
            .path(&options.path)
            .transports(options.transports)
            .upgrade(options.upgrade)
            .try_all_transports(options.try_all_transports)
            .remember_upgrade(options.remember_upgrade)
            .force_base64(options.force_base64)
            .connect_timeout(Duration::from_millis(options.connect_timeout))
            .upgrade_timeout(Duration::from_millis(options.upgrade_timeout))
            .cookies(match options.cookies.as_deref() {
                Some("connection") => Cookies::PerConnection,
                Some("shared") => Cookies::Shared(jar.clone()),
                _ => Cookies::Off,
            });
        for (name, value) in &options.headers {
            config = config.header(name.parse()?, value.parse()?);
        }
        if options.deflate {
            config = config.deflate(DeflateConfig::default());
        }
        match engine_io::connect(&options.url, &config).await {
            Ok(socket) => session(socket, &mut commands).await,
            Err(error) => {
                let cause = match &error {
                    ConnectError::Transport(_, cause) => Some(cause),
                    _ => None,
                };
                say(&json!({ "event": "error", "error": error.to_string(), "cause": told(cause) }));
            }
        }
    }
    Ok(())
}

/// Until the session or the input ends.
async fn session(mut socket: Socket, commands: &mut UnboundedReceiver<Command>) {
    let mut transport = socket.transport();
    let max_payload = socket.handshake().map(|handshake| handshake.max_payload);
    say(
        &json!({ "event": "open", "transport": transport, "sid": socket.sid().as_str(), "maxPayload": max_payload }),
    );
    let sender = socket.sender();
    loop {
        let next = poll_fn(|cx| {
            while let Poll::Ready(command) = commands.poll_recv(cx) {
                match command {
                    Some(Command::Send(messages)) => {
                        for message in messages {
                            let message = match message {
                                Outgoing::Text(text) => Message::from(text),
                                Outgoing::Binary(data) => data.into(),
                            };
                            if let Err(error) = sender.send(message) {
                                say(&json!({ "event": "refused", "error": error.to_string() }));
                            }
                        }
                    }
                    Some(Command::Close) => sender.close(),
                    Some(Command::Connect(_)) => {}
                    None => return Poll::Ready(None),
                }
            }
            let message = socket.poll_recv(cx);
            if socket.transport() != transport {
                transport = socket.transport();
                say(&json!({ "event": "upgrade", "transport": transport }));
            }
            message
        })
        .await;
        match next {
            Some(Message::Text(text)) => say(&json!({ "event": "text", "data": text.as_str() })),
            Some(Message::Binary(data)) => {
                say(&json!({ "event": "binary", "data": data.as_ref() }));
            }
            None => break,
        }
    }
    let reason = socket.close_reason().map(|reason| reason.as_str());
    say(&json!({ "event": "close", "reason": reason, "cause": told(socket.close_error()) }));
}

/// What a program could act on.
fn told(error: Option<&TransportError>) -> Value {
    let Some(error) = error else {
        return Value::Null;
    };
    let text = error.to_string();
    match error {
        TransportError::Status(refused) => json!({
            "text": text, "status": refused.status, "code": refused.code, "message": refused.message,
        }),
        TransportError::Closed { code, .. } => json!({ "text": text, "code": code }),
        _ => json!({ "text": text }),
    }
}

fn say(event: &Value) {
    println!("{event}");
}
