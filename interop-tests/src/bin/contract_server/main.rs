//! A server for test suites that other people wrote: `MODE=<mode> PORT=<n> contract_server`.

mod engine;

use std::error::Error;

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
        other => return Err(format!("unknown MODE {other:?}").into()),
    }
    Ok(())
}
