//! A server that compresses WebSocket messages, for the suite `deflate.test.js`: `MODE=<mode> PORT=<n> deflate_server`.
//!
//! | mode | what it does |
//! |---|---|
//! | `deflate-engine` | Engine.IO under `/engine.io/`, at most 100 000 bytes a message: what arrives goes back; behind text that begins with `plain:` uncompressed |
//! | `deflate-sockets` | Socket.IO: `echo` is acknowledged with what came; `everybody` and `everybody-plain` make it `news` for all, `me-plain` for the sender |

use std::error::Error;

use engine_io::{DeflateConfig, Message, Server, ServerConfig, Socket};
use socket_io::{Data, EmitError, Socket as Client, SocketIo, Value};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mode = std::env::var("MODE")?;
    let port: u16 = std::env::var("PORT")?.parse()?;
    let address = ("127.0.0.1", port);
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move {
        terminate.recv().await;
    };
    match mode.as_str() {
        "deflate-engine" => engine().listen(address).await?.run(stop).await,
        "deflate-sockets" => {
            let io = sockets();
            tokio::select! {
                served = io.listen(address) => served?,
                () = stop => io.close(),
            }
        }
        other => return Err(format!("unknown MODE {other:?}").into()),
    }
    Ok(())
}

fn engine() -> Server {
    let config = ServerConfig::default()
        .max_payload(100_000)
        .deflate(DeflateConfig::default());
    let server = Server::new(config);
    let accepting = server.clone();
    tokio::spawn(async move {
        while let Some(socket) = accepting.accept().await {
            tokio::spawn(echo(socket));
        }
    });
    server
}

async fn echo(mut socket: Socket) {
    let sender = socket.sender();
    while let Some(message) = socket.recv().await {
        let plain = matches!(&message, Message::Text(text) if text.starts_with("plain:"));
        let mut frame = message.to_frame();
        if plain {
            frame = frame.uncompressed();
        }
        if sender.send_frames(&frame, &[]).is_err() {
            break;
        }
    }
}

fn sockets() -> SocketIo {
    let io = SocketIo::builder()
        .engine(|engine| engine.deflate(DeflateConfig::default()))
        .build();
    io.of("/")
        .on("echo", async |Data(value): Data<Value>| value)
        .on(
            "everybody",
            async |io: SocketIo, Data(value): Data<Value>| {
                report(io.of("/").emit("news", &value));
            },
        )
        .on(
            "everybody-plain",
            async |io: SocketIo, Data(value): Data<Value>| {
                report(io.of("/").all().compress(false).emit("news", &value));
            },
        )
        .on(
            "me-plain",
            async |client: Client, Data(value): Data<Value>| {
                report(client.compress(false).emit("news", &value));
            },
        );
    io
}

fn report<T>(result: Result<T, EmitError>) {
    if let Err(error) = result {
        eprintln!("not sent: {error}");
    }
}
