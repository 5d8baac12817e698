//! A server with the options that a suite is about: `MODE=<suite> PORT=<n> feature_server`.

mod authorization;
mod close;
mod flow;
mod http;
mod limits;
mod observing;
mod operators;
mod recovery;

use std::error::Error;

use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mode = std::env::var("MODE").map_err(|_| "set MODE to what the server is to show")?;
    let port: u16 = std::env::var("PORT")
        .map_err(|_| "set PORT to the port to listen on")?
        .parse()?;
    let io = match mode.as_str() {
        "flow" => flow::io(),
        "http" => http::rich(std::env::var_os("CLIENT_DIST").as_deref()),
        "http-plain" => http::plain(),
        "close" => close::closing(),
        "observing" => observing::server(),
        "own-limits" => limits::server(),
        "event-middleware" => authorization::event_middleware(),
        "grants" => authorization::grants(),
        "operators" => operators::server(),
        "recovery" => recovery::careful(),
        "recovery-short" => recovery::short(),
        other => return Err(format!("unknown MODE {other:?}").into()),
    };
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        served = io.listen(("127.0.0.1", port)) => served?,
        _ = terminate.recv() => io.close(),
    }
    Ok(())
}
