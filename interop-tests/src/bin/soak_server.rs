//! The server of what is about faults, restarts and long runs: `PORT=<n> soak_server`, on `HOST` (127.0.0.1).
//!
//! `RECOVERY=1` switches connection state recovery on; `PING_INTERVAL` and `PING_TIMEOUT` are in milliseconds.

use std::alloc::System;
use std::collections::HashMap;
use std::error::Error;
use std::sync::Mutex;
use std::time::Duration;

use cap::Cap;
use serde::Serialize;
use socket_io::{Data, RecoveryConfig, Refusal, Room, Socket, SocketIo, State, Value};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// What one client has put here, numbered from 0.
#[derive(Clone, Debug, Default, Serialize)]
struct Taken {
    /// The number that is due.
    next: u64,
    /// How many came again, and were recognized by their number.
    again: u64,
    /// How many came before their turn, so that others were lost.
    wrong: u64,
}

type Counters = Mutex<HashMap<String, Taken>>;

/// What the process has at this moment.
#[derive(Serialize)]
struct Usage {
    sockets: usize,
    tasks: usize,
    files: usize,
    heap: usize,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = number("PORT", 3000)?.try_into()?;
    let host = std::env::var("HOST").unwrap_or_else(|_| "127.0.0.1".into());
    let io = server()?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        served = io.listen((host, port)) => served?,
        _ = terminate.recv() => io.close(),
    }
    Ok(())
}

fn number(variable: &str, default: u64) -> Result<u64, Box<dyn Error>> {
    match std::env::var(variable) {
        Ok(value) => Ok(value
            .parse()
            .map_err(|error| format!("{variable}: {error}"))?),
        Err(_) => Ok(default),
    }
}

fn server() -> Result<SocketIo, Box<dyn Error>> {
    let mut builder = SocketIo::builder()
        .ping_interval(Duration::from_millis(number("PING_INTERVAL", 25_000)?))
        .ping_timeout(Duration::from_millis(number("PING_TIMEOUT", 20_000)?))
        .state(Counters::default());
    if number("RECOVERY", 0)? == 1 {
        builder = builder.recovery(RecoveryConfig::default());
    }
    let io = builder.build();
    io.of("/")
        .on_connect(async |socket: Socket| {
            if !socket.recovered() {
                socket.join("all");
            }
            // Whoever has received one event can be recovered.
            socket
                .emit("hello", &socket.recovered())
                .map_err(Refusal::from)
        })
        .on("echo", async |Data(value): Data<Value>| value)
        .on(
            "publish",
            async |socket: Socket, Data(number): Data<u64>| {
                socket.io().to("all").emit("news", &number)?;
                Ok::<_, Refusal>(number)
            },
        )
        .on("join", async |socket: Socket, Data(room): Data<String>| {
            socket.join(room.as_str());
            Ok::<_, Refusal>(())
        })
        .on(
            "say",
            async |socket: Socket, Data((room, text)): Data<(String, Value)>| {
                socket.io().to(Room::from(room)).emit("said", &text)?;
                Ok::<_, Refusal>(())
            },
        )
        .on(
            "put",
            async |Data((name, number)): Data<(String, u64)>, State(counters): State<Counters>| {
                let mut counters = counters.lock().expect("nothing panics under it");
                let taken = counters.entry(name).or_default();
                match number.cmp(&taken.next) {
                    std::cmp::Ordering::Less => taken.again += 1,
                    std::cmp::Ordering::Equal => taken.next += 1,
                    std::cmp::Ordering::Greater => taken.wrong += 1,
                }
                number
            },
        )
        .on("taken", async |State(counters): State<Counters>| {
            counters.lock().expect("nothing panics under it").clone()
        })
        .on("panic", async || -> u64 { panic!("as the test wants it") })
        .on("usage", async |io: SocketIo| usage(&io));
    Ok(io)
}

fn usage(io: &SocketIo) -> Result<Usage, Refusal> {
    let files =
        std::fs::read_dir("/proc/self/fd").map_err(|error| Refusal::new(error.to_string()))?;
    Ok(Usage {
        sockets: io.of("/").len(),
        tasks: Handle::current().metrics().num_alive_tasks(),
        files: files.count(),
        heap: HEAP.allocated(),
    })
}
