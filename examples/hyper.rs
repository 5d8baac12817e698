//! Socket.IO as a plain hyper service: the accept loop is yours, and so is everything around it.
//!
//! Run it:
//!
//! ```text
//! cargo run --release --example hyper
//! ```
//!
//! and connect with any Socket.IO client to `http://127.0.0.1:3000`: each second it gets the event `tick` with a number.

use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket_io::{Refusal, Socket, SocketIo};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let io = SocketIo::builder().build();
    io.of("/").on_connect(tick);

    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://127.0.0.1:3000");
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), io.service())
            // Without this WebSockets could not leave HTTP behind.
            .with_upgrades();
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                eprintln!("connection ended: {error}");
            }
        });
    }
}

/// A handler may run for as long as it likes. This one ends when the client is gone and `emit` says so.
async fn tick(socket: Socket) -> Result<(), Refusal> {
    for count in 0_u64.. {
        socket.emit("tick", &count)?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        if !socket.is_connected() {
            break;
        }
    }
    Ok(())
}
