//! A server for test suites that other people wrote: `MODE=<mode> PORT=<n> contract_server`.

mod contract;
mod engine;
mod sockets;

use std::error::Error;
use std::time::Duration;

use socket_io::SocketIo;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mode = std::env::var("MODE").unwrap_or_else(|_| "contract".into());
    let port: u16 = std::env::var("PORT")
        .map_err(|_| "set PORT to the port to listen on")?
        .parse()?;
    let address = ("127.0.0.1", port);
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move {
        terminate.recv().await;
    };
    match mode.as_str() {
        "eio-protocol" => engine::protocol().listen(address).await?.run(stop).await,
        "eio-client" => {
            let listener = TcpListener::bind(address).await?;
            engine_io::serve(listener, engine::client(), stop).await;
        }
        "contract" => serve(&contract::server(), address, stop).await?,
        "sio-protocol" => serve(&sockets::protocol(), address, stop).await?,
        "sio-client" => serve(&sockets::client(), address, stop).await?,
        other => return Err(format!("unknown MODE {other:?}").into()),
    }
    Ok(())
}

/// How often the modes of the protocols ping, and how long they wait for a pong: `PING_INTERVAL` and `PING_TIMEOUT` in milliseconds, for clients on a machine
/// that is too busy for the defaults.
fn heartbeat() -> (Duration, Duration) {
    let time = |name, default| {
        let set = std::env::var(name).ok();
        Duration::from_millis(set.and_then(|time| time.parse().ok()).unwrap_or(default))
    };
    (time("PING_INTERVAL", 300), time("PING_TIMEOUT", 200))
}

/// How an event ends that is not acknowledged: a `Result` would be. What could not be sent was for a client that has left.
fn no_ack<T, E>(_: Result<T, E>) {}

async fn serve(
    io: &SocketIo,
    address: (&str, u16),
    stop: impl Future<Output = ()>,
) -> std::io::Result<()> {
    tokio::select! {
        served = io.listen(address) => served,
        () = stop => {
            io.close();
            Ok(())
        }
    }
}
