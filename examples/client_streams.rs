//! A robot in the room of the example `chat`, written with streams and futures instead of handlers. What is an Observable elsewhere is a `Stream` here, and
//! `futures-util` has the operators: `map`, `filter`, `scan`, `select` for merge, `take_until`, `buffer_unordered` for mergeMap.
//!
//! Run the server in one terminal, and this in another:
//!
//! ```text
//! cargo run --release --example chat
//! cargo run --release --example client_streams
//! ```
//!
//! and open `http://127.0.0.1:3000`: the robot greets who comes. Write `!who` and `!count`, and it answers. In its terminal you see how many people are there.
//! Stop the server and start it again: it comes back. Ctrl-C ends it.
//!
//! Another URL can be given as an argument, and another name than `Robot` behind it.

use std::error::Error;
use std::future::ready;
use std::time::Duration;

use examples::with_causes;
use futures_util::future::{self, TryFutureExt};
use futures_util::stream::{self, Stream, StreamExt};
use serde::Deserialize;
use socket_io_client::{AckError, BoxError, EventStream, Socket, SocketEvent};
use tokio::time::timeout;

/// How long answers may take.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
struct Message {
    from: String,
    text: String,
}

/// Who has come or gone, and who is here now.
#[derive(Deserialize)]
struct Users {
    name: String,
    users: Vec<String>,
}

/// What the server answers.
#[derive(Deserialize)]
#[serde(untagged)]
enum Reply<T> {
    No { error: Rejection },
    Yes(T),
}

#[derive(Deserialize)]
struct Rejection {
    message: String,
}

#[derive(Deserialize)]
struct Receipt {
    id: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next();
    let url = url.unwrap_or_else(|| "http://127.0.0.1:3000".into());
    let robot = arguments.next().unwrap_or_else(|| "Robot".into());
    let socket = Socket::builder(&url).build()?;

    // A stream has what happens from the call on, so they are made before the socket connects. Several of one event have each of them, all.
    let happenings = socket.events();
    let arrivals = values(socket.stream::<Users>("user joined"));
    let changes = stream::select(
        values(socket.stream::<Users>("user joined")),
        values(socket.stream::<Users>("user left")),
    );
    let messages = values(socket.stream::<Message>("message"));

    // Each time there is a connection, the server has to be told who this is.
    let entries = happenings.filter_map(|event| {
        let (socket, robot, url) = (&socket, &robot, &url);
        async move {
            Some(match event {
                SocketEvent::Connect { .. } => match enter(socket, robot).await {
                    Ok(line) => line,
                    Err(error) => format!("not let in: {error}"),
                },
                SocketEvent::ConnectError(error) => format!(
                    "{url}: {}; is the server there? `cargo run --release --example chat`",
                    with_causes(&error)
                ),
                SocketEvent::Disconnect(reason) => format!("connection lost: {reason}"),
                _ => return None,
            })
        }
    });

    let greetings = arrivals.map(|arrival| format!("Welcome, {}!", arrival.name));

    // What others write, beside how many messages there were.
    let answers = messages
        .scan(0, |count, message| {
            *count += 1;
            ready(Some((*count, message)))
        })
        .filter(|(_, message)| ready(message.from != robot))
        .filter_map(|(count, message)| {
            ready(match message.text.as_str() {
                "!count" => Some(format!("I have seen {count} messages.")),
                "!who" => Some(format!("You are {}, and I am {robot}.", message.from)),
                _ => None,
            })
        });

    // No more than four are under way at a time; whoever has its receipt first is told first.
    let receipts = stream::select(greetings, answers)
        .map(|text| {
            let answer = socket.emit_with_ack::<Reply<Receipt>>("message", &text);
            let answer = answer.timeout(PATIENCE);
            async move { describe(&text, answer.await) }
        })
        .buffer_unordered(4);

    let crowd = changes.map(|change| format!("here: {}", change.users.len()));

    // All of it is lines in the end, and it goes on until somebody wants it to stop, or until the server sends the socket away, when streams end.
    let stop = Box::pin(tokio::signal::ctrl_c());
    let lines = stream::select_all([
        entries.boxed_local(),
        receipts.boxed_local(),
        crowd.boxed_local(),
    ]);
    socket.connect_lazy();
    lines
        .take_until(stop)
        .for_each(|line| {
            println!("{line}");
            ready(())
        })
        .await;

    socket.disconnect();
    // Whoever does not listen is not waited for.
    let _ = timeout(Duration::from_secs(1), socket.flushed()).await;
    println!("bye");
    Ok(())
}

/// The events of one name that could be read; of the others, why not.
fn values<T: serde::de::DeserializeOwned>(stream: EventStream<T>) -> impl Stream<Item = T> {
    stream.filter_map(|item| {
        ready(match item {
            Ok(value) => Some(value),
            Err(error) => {
                eprintln!("skipped: {error}");
                None
            }
        })
    })
}

/// Joins the room. The history comes as an event of its own, which is a future here, and has to be there as well as the answer.
async fn enter(socket: &Socket, robot: &str) -> Result<String, BoxError> {
    // It counts from here, so it cannot come too early.
    let history = socket.next::<Vec<Message>>("history");
    let history = timeout(PATIENCE, history).map_err(BoxError::from);
    let answer = socket.emit_with_ack::<Reply<Users>>("join", robot);
    let answer = answer.timeout(PATIENCE);
    let users = answer.map_err(BoxError::from).and_then(|reply| {
        ready(match reply {
            Reply::Yes(users) => Ok(users.users),
            Reply::No { error } => Err(error.message.into()),
        })
    });
    let (users, history) = future::try_join(users, history).await?;
    Ok(format!(
        "in, with {} others and {} messages to read",
        users.len().saturating_sub(1),
        history?.len()
    ))
}

fn describe(text: &str, answer: Result<Reply<Receipt>, AckError>) -> String {
    match answer {
        Ok(Reply::Yes(receipt)) => format!("said as number {}: {text}", receipt.id),
        Ok(Reply::No { error }) => format!("not said, {}: {text}", error.message),
        Err(error) => format!("may have been said or not, {error}: {text}"),
    }
}
