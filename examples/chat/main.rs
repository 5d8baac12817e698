//! A chat room with a web page, used by browsers with the official client.
//!
//! Run it:
//!
//! ```text
//! cargo run --release --example chat
//! ```
//!
//! open `http://127.0.0.1:3000` in two windows (another port: `PORT=8080 cargo run …`), and see messages, who types, who comes and goes, the transport in use
//! and the latency. Stop the server and start it again: the pages say that the connection is lost, and come back by themselves. Ctrl-C ends it gracefully.
//!
//! | event | from | arguments | acknowledgement |
//! |---|---|---|---|
//! | `join` | client | name | `{"name","users"}` or `{"error":{"message"}}` |
//! | `message` | client | text | `{"id"}` or `{"error":{"message"}}` |
//! | `typing` | client | bool | |
//! | `latency` | client | | nothing, at once |
//! | `history` | server | the last messages, after `join` | |
//! | `message` | server | `{"id","from","text","at"}` | |
//! | `typing` | server | `{"from","typing"}`, volatile | |
//! | `user joined`, `user left` | server | `{"name","users"}` | |

mod client_files;

use std::collections::VecDeque;
use std::error::Error;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use serde::Serialize;
use socket_io::{Data, Refusal, Socket, SocketData, SocketIo, State};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Everybody who has joined is in this room.
const ROOM: &str = "chat";
/// How many messages newcomers get.
const HISTORY: usize = 50;
/// Characters of a name and of a message.
const MAX_NAME: usize = 24;
const MAX_TEXT: usize = 2000;
/// How long connections may take to end.
const GRACE: Duration = Duration::from_secs(4);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let dist = client_files::find_or_fetch().await?;
    let io = SocketIo::builder()
        .serve_client(dist)
        .state(Chat::default())
        .build();
    io.of("/")
        .on("join", join)
        .on("message", message)
        .on("typing", typing)
        .on("latency", async || Ok::<(), Rejection>(()))
        .on_disconnect(leave);

    let app = Router::new()
        .route(
            "/",
            page("text/html; charset=utf-8", include_str!("page/index.html")),
        )
        .route(
            "/chat.js",
            page(
                "text/javascript; charset=utf-8",
                include_str!("page/chat.js"),
            ),
        )
        .route(
            "/chat.css",
            page("text/css; charset=utf-8", include_str!("page/chat.css")),
        )
        .layer(io.layer());

    let port = match std::env::var("PORT") {
        Ok(port) => port
            .parse()
            .map_err(|_| format!("PORT is no port number: {port:?}"))?,
        Err(_) => 3000_u16,
    };
    let listener = TcpListener::bind(("127.0.0.1", port))
        .await
        .map_err(|error| {
            format!("cannot listen on port {port}: {error}; choose another one with PORT")
        })?;
    println!("chat on http://{} (Ctrl-C ends it)", listener.local_addr()?);

    let closing = io.clone();
    let stop = async move {
        if let Err(error) = stop_signal().await {
            eprintln!("cannot wait for signals: {error}");
        }
        println!("closing");
        closing.close();
        // Idle connections of browsers would keep the server below for longer.
        tokio::spawn(async move {
            tokio::time::sleep(GRACE).await;
            std::process::exit(0);
        });
    };
    axum::serve(listener, app)
        .with_graceful_shutdown(stop)
        .await?;
    io.finished().await;
    Ok(())
}

fn page(content_type: &'static str, body: &'static str) -> axum::routing::MethodRouter {
    get(async move || ([(CONTENT_TYPE, content_type)], body))
}

async fn stop_signal() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

/// What all handlers share.
#[derive(Default)]
struct Chat(Mutex<Room>);

#[derive(Default)]
struct Room {
    /// Names, in the order in which they came.
    users: Vec<String>,
    history: VecDeque<Message>,
    next_id: u64,
}

impl Chat {
    fn lock(&self) -> MutexGuard<'_, Room> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of a socket that has joined.
struct Name(String);

#[derive(Clone, Serialize)]
struct Message {
    id: u64,
    from: String,
    text: String,
    /// Milliseconds since 1970.
    at: u64,
}

#[derive(Serialize)]
struct Users<'a> {
    name: &'a str,
    users: &'a [String],
}

#[derive(Serialize)]
struct Typing<'a> {
    from: &'a str,
    typing: bool,
}

/// What the client gets in place of an answer: `{"error":{"message":"…"}}`.
#[derive(Serialize)]
struct Rejection {
    error: Refusal,
}

impl<E: Into<Refusal>> From<E> for Rejection {
    fn from(error: E) -> Self {
        Self {
            error: error.into(),
        }
    }
}

fn reject<T>(message: impl Into<String>) -> Result<T, Rejection> {
    Err(Refusal::new(message).into())
}

#[derive(Serialize)]
struct Joined {
    name: String,
    users: Vec<String>,
}

async fn join(
    socket: Socket,
    Data(name): Data<String>,
    State(chat): State<Chat>,
    known: Option<SocketData<Name>>,
) -> Result<Joined, Rejection> {
    let name = name.trim().to_owned();
    if known.is_some() {
        return reject("You have joined already.");
    }
    if name.is_empty() {
        return reject("Please choose a name.");
    }
    if name.chars().count() > MAX_NAME {
        return reject(format!("A name has at most {MAX_NAME} characters."));
    }
    let mut room = chat.lock();
    if room
        .users
        .iter()
        .any(|user| user.to_lowercase() == name.to_lowercase())
    {
        return reject(format!(
            "{name} is here already. Please choose another name."
        ));
    }
    room.users.push(name.clone());
    socket.insert_data(Name(name.clone()));
    socket.join(ROOM);
    // Emitting never waits, so the lock keeps what clients see in one order.
    socket.emit("history", &room.history)?;
    let users = Users {
        name: &name,
        users: &room.users,
    };
    socket.to(ROOM).emit("user joined", &users)?;
    Ok(Joined {
        users: room.users.clone(),
        name,
    })
}

#[derive(Serialize)]
struct Receipt {
    id: u64,
}

async fn message(
    socket: Socket,
    Data(text): Data<String>,
    State(chat): State<Chat>,
    name: Option<SocketData<Name>>,
) -> Result<Receipt, Rejection> {
    let Some(SocketData(name)) = name else {
        return reject("Please join first.");
    };
    if text.trim().is_empty() {
        return reject("The message is empty.");
    }
    if text.chars().count() > MAX_TEXT {
        return reject(format!("A message has at most {MAX_TEXT} characters."));
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let mut room = chat.lock();
    room.next_id += 1;
    let message = Message {
        id: room.next_id,
        from: name.0.clone(),
        text,
        at: now.unwrap_or_default().as_millis() as u64,
    };
    if room.history.len() == HISTORY {
        room.history.pop_front();
    }
    room.history.push_back(message.clone());
    socket.namespace().to(ROOM).emit("message", &message)?;
    Ok(Receipt { id: message.id })
}

async fn typing(socket: Socket, Data(typing): Data<bool>, SocketData(name): SocketData<Name>) {
    let typing = Typing {
        from: &name.0,
        typing,
    };
    // Old news is no news: whoever is busy does without.
    let _ = socket.to(ROOM).volatile().emit("typing", &typing);
}

async fn leave(socket: Socket, State(chat): State<Chat>, name: Option<SocketData<Name>>) {
    let Some(SocketData(name)) = name else {
        return;
    };
    let mut room = chat.lock();
    room.users.retain(|user| *user != name.0);
    let users = Users {
        name: &name.0,
        users: &room.users,
    };
    let _ = socket.to(ROOM).emit("user left", &users);
}
