//! Messages through a server's WebSocket over loopback: frames in, frames out, system calls included. Server and client share one thread.
//!
//! `cargo bench --package engine-io --bench websocket`

use std::io;

use divan::{Bencher, counter::BytesCount};
use engine_io::{Message, Server, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

fn main() {
    divan::main();
}

/// A server that sends back what it gets, and a client that is connected to it.
fn start() -> (Runtime, TcpStream) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let client = runtime.block_on(async {
        let server = Server::new(ServerConfig::default());
        let listener = server.listen("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(listener.run(std::future::pending()));
        tokio::spawn(async move {
            while let Some(mut socket) = server.accept().await {
                while let Some(message) = socket.recv().await {
                    socket.send(message).unwrap();
                }
            }
        });
        connect(TcpStream::connect(address).await.unwrap())
            .await
            .unwrap()
    });
    (runtime, client)
}

async fn connect(mut stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    let request = "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).await?;
    let mut seen = Vec::new();
    while !seen.ends_with(b"}") {
        stream.read_buf(&mut seen).await?;
    }
    assert!(seen.starts_with(b"HTTP/1.1 101"));
    Ok(stream)
}

/// A client's frame. The mask changes nothing.
fn frame(message: &Message) -> Vec<u8> {
    let frame = message.to_frame();
    let bytes = frame.websocket();
    let mut masked = bytes[..bytes.len() - frame.packet().len()].to_vec();
    masked[1] |= 0x80;
    masked.extend([0; 4]);
    masked.extend(frame.packet());
    masked
}

fn echo(bencher: Bencher<'_, '_>, message: &Message, window: usize) {
    let (runtime, mut client) = start();
    let sent = frame(message).repeat(window);
    let answer = message.to_frame().websocket().len() * window;
    let mut buffer = vec![0; answer];
    let bytes = BytesCount::new(message.len() * window);
    bencher.counter(window).counter(bytes).bench_local(|| {
        runtime.block_on(async {
            client.write_all(&sent).await.unwrap();
            client.read_exact(&mut buffer).await.unwrap();
        });
    });
}

#[divan::bench(args = [1, 16])]
fn small_text(bencher: Bencher<'_, '_>, window: usize) {
    echo(bencher, &"a".repeat(42).into(), window);
}

#[divan::bench(args = [1024, 65_536])]
fn text(bencher: Bencher<'_, '_>, size: usize) {
    echo(bencher, &"a".repeat(size).into(), 1);
}

#[divan::bench(args = [42, 1024, 65_536])]
fn binary(bencher: Bencher<'_, '_>, size: usize) {
    echo(bencher, &vec![7; size].into(), 1);
}
