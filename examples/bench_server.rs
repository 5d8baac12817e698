//! The server that benchmarks are run against: a handful of events, on the public API.
//!
//! Run it:
//!
//! ```text
//! cargo build --profile fast --example bench_server
//! target/fast/examples/bench_server --port 3000 [--threads 1] [--args value|typed]
//! ```
//!
//! `echo` and `ack` pass their arguments on unread, or, with `--args value`, read them into values and write those; with `--args typed` `echo` does the same
//! with a type of its own.
//!
//! | event | what happens |
//! |---|---|
//! | `echo` (any…) | emits `echo` with the same arguments |
//! | `ack` (any…) | acknowledges with the same arguments |
//! | `bin` (binary) | emits `bin` with it |
//! | `join` (room) | joins the room, acknowledges |
//! | `bcast` (room, payload) | `msg` (payload) to everybody in the room |
//! | `all` (payload) | `msg` (payload) to everybody |
//! | `noop` (any…) | nothing |

use std::error::Error;

use serde::{Deserialize, Serialize};
use socket_io::{Args, Data, Namespace, RawArgs, Refusal, Socket, SocketIo, Value};
use tokio::signal::unix::{SignalKind, signal};

fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = option("--port").unwrap_or_else(|| "3000".into()).parse()?;
    let threads: usize = option("--threads").unwrap_or_else(|| "1".into()).parse()?;
    let runtime = match threads {
        1 => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?,
        _ => tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build()?,
    };
    runtime.block_on(serve(port))
}

/// The word behind an option of the command line.
fn option(name: &str) -> Option<String> {
    std::env::args().skip_while(|word| word != name).nth(1)
}

fn echo_raw(namespace: Namespace) -> Namespace {
    namespace
        .on("echo", async |socket: Socket, args: RawArgs| {
            socket.emit("echo", &args).map_err(Refusal::from)
        })
        .on("ack", async |args: RawArgs| args)
}

fn echo_values(namespace: Namespace) -> Namespace {
    namespace
        .on(
            "echo",
            async |socket: Socket, Data(args): Data<Args<Value>>| {
                socket.emit("echo", &args).map_err(Refusal::from)
            },
        )
        .on("ack", async |Data(args): Data<Args<Value>>| args)
}

/// What `echo` takes with `--args typed`.
#[derive(Deserialize, Serialize)]
struct Stock {
    items: Vec<Item>,
    pad: String,
}

#[derive(Deserialize, Serialize)]
struct Item {
    id: u64,
    name: String,
    price: f64,
    stock: bool,
    tags: Vec<String>,
}

fn echo_typed(namespace: Namespace) -> Namespace {
    namespace.on("echo", async |socket: Socket, Data(stock): Data<Stock>| {
        socket.emit("echo", &stock).map_err(Refusal::from)
    })
}

async fn serve(port: u16) -> Result<(), Box<dyn Error>> {
    let io = SocketIo::builder().build();
    let namespace = match option("--args").as_deref() {
        Some("value") => echo_values(io.of("/")),
        Some("typed") => echo_typed(io.of("/")),
        _ => echo_raw(io.of("/")),
    };
    namespace
        .on("bin", async |socket: Socket, args: RawArgs| {
            socket.emit("bin", &args).map_err(Refusal::from)
        })
        .on("join", async |socket: Socket, Data(room): Data<String>| {
            socket.join(room);
            "ok"
        })
        .on(
            "bcast",
            async |socket: Socket, Data((room, payload)): Data<(String, Value)>| {
                let everybody = socket.namespace().to(room);
                everybody
                    .emit("msg", &payload)
                    .map(drop)
                    .map_err(Refusal::from)
            },
        )
        .on("all", async |socket: Socket, args: RawArgs| {
            socket
                .namespace()
                .emit("msg", &args)
                .map(drop)
                .map_err(Refusal::from)
        })
        .on("noop", async || {});

    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        served = io.listen(("127.0.0.1", port)) => served?,
        _ = terminate.recv() => io.close(),
    }
    Ok(())
}
