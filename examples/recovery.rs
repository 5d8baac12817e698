//! A ticker whose readers miss nothing when their connection breaks: connection state recovery.
//!
//! Run it:
//!
//! ```text
//! cargo run --release --example recovery
//! ```
//!
//! (another port: `PORT=8080`; another pace: `TICK_MILLISECONDS=200`, 1000 by default), read the ticker from Node.js, in the folder `interop-tests/node`, where
//! `npm ci` was run, and break the connection:
//!
//! ```text
//! > const { io } = await import("socket.io-client");
//! > const socket = io("http://127.0.0.1:3000");
//! > socket.on("connect", () => console.log(socket.recovered ? "back as" : "new:", socket.id));
//! > socket.on("tick", (number) => console.log(number));
//! new: kX2b0cZr3wYyq1bnAAAA
//! 7
//! 8
//! > socket.emit("remind", 1000, "tea"); socket.on("reminder", (text) => console.log(text));
//! > socket.io.engine.close()
//! 9
//! tea
//! 10
//! back as kX2b0cZr3wYyq1bnAAAA
//! 11
//! ```
//!
//! What was missed comes at once, in its order, and before `connect`. The server says who came, went and came back. Its part is one option; the client's is
//! to be the official one. Without that option, 9, 10 and the tea would be lost, and the reader would come back as a stranger in no room.

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use socket_io::{
    Data, DisconnectReason, RecoveryConfig, Refusal, Socket, SocketData, SocketIo, State,
};
use tokio::time::{MissedTickBehavior, interval, sleep};

/// How many readers there were.
#[derive(Default)]
struct Readers(AtomicU64);

/// Which of them this one is: data of its socket, which comes back with it.
struct Number(u64);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let recovery = RecoveryConfig::default().max_disconnection(Duration::from_secs(120));
    let io = SocketIo::builder()
        .recovery(recovery)
        .state(Readers::default())
        .build();
    let pace = Duration::from_millis(number("TICK_MILLISECONDS", 1000)?);
    let ticker = tokio::spawn(tick(io.clone(), pace));

    io.of("/")
        .on_connect(connected)
        .on("remind", remind)
        .on("number", async |SocketData(number): SocketData<Number>| {
            number.0
        })
        .on_disconnect(async |socket: Socket, reason: DisconnectReason| {
            println!("{} is gone: {reason}", socket.id());
        });

    let port = u16::try_from(number("PORT", 3000)?)?;
    println!("listening on http://127.0.0.1:{port}");
    tokio::select! {
        served = io.listen(("127.0.0.1", port)) => served?,
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    ticker.abort();
    io.close();
    io.finished().await;
    Ok(())
}

fn number(variable: &str, default: u64) -> Result<u64, Box<dyn Error>> {
    match std::env::var(variable) {
        Ok(text) => Ok(text.parse()?),
        Err(_) => Ok(default),
    }
}

async fn connected(socket: Socket, State(readers): State<Readers>) -> Result<(), Refusal> {
    if socket.recovered() {
        // Its rooms and its data are as they were.
        println!("{} is back", socket.id());
    } else {
        println!("{} is new", socket.id());
        socket.join("readers");
        socket.insert_data(Number(readers.0.fetch_add(1, Ordering::Relaxed) + 1));
    }
    // Who has not received an event yet could not say where it stopped, so each gets one.
    Ok(socket.emit("welcome", &socket.recovered())?)
}

/// A message to one reader who may be away by then. It is sent to the reader's id: the socket of now is no more once the connection breaks.
async fn remind(
    socket: Socket,
    Data((milliseconds, text)): Data<(u64, String)>,
) -> Result<(), Refusal> {
    sleep(Duration::from_millis(milliseconds.min(60_000))).await;
    socket.io().to(socket.id()).emit("reminder", &text)?;
    Ok(())
}

/// Counts, for all readers.
async fn tick(io: SocketIo, pace: Duration) {
    let mut pace = interval(pace);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 1_u64.. {
        pace.tick().await;
        if let Err(error) = io.to("readers").emit("tick", &number) {
            eprintln!("no tick: {error}");
        }
    }
}
