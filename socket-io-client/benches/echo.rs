//! The client's way out and in, with a server in the same process and thread, over loopback. The server's share, about a third, is in the figures.
//!
//! `cargo bench --package socket-io-client --bench echo`

use divan::Bencher;
use serde::{Deserialize, Serialize};
use socket_io::{RawArgs, SocketIo};
use socket_io_client::{EventStream, Manager, Socket, Transport};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

fn main() {
    divan::main();
}

#[derive(Clone, Deserialize, Serialize)]
struct Record {
    id: u64,
    ok: bool,
    user: String,
}

fn record() -> Record {
    Record {
        id: 1_234_567,
        ok: true,
        user: "alice-01".into(),
    }
}

/// A server that sends back what it gets, and a client that is connected to it.
fn start() -> (Runtime, Socket) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let socket = runtime.block_on(async {
        let io = SocketIo::builder().build();
        io.of("/")
            .on("echo", async |socket: socket_io::Socket, args: RawArgs| {
                socket.emit("echo", &args).unwrap();
            })
            .on("ack", async |args: RawArgs| args);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { io.serve(listener).await });
        Manager::builder(format!("http://{address}"))
            .engine(|engine| engine.transports([Transport::WebSocket]))
            .socket()
            .connect()
            .await
            .unwrap()
    });
    (runtime, socket)
}

/// So many events leave, and come back into a stream.
#[divan::bench(args = [1, 16])]
fn events(bencher: Bencher<'_, '_>, window: usize) {
    let (runtime, socket) = start();
    let mut stream: EventStream<Record> = socket.stream("echo");
    bencher.counter(window).bench_local(|| {
        runtime.block_on(async {
            for _ in 0..window {
                socket.emit("echo", &record()).unwrap();
            }
            for _ in 0..window {
                stream.recv().await.unwrap().unwrap();
            }
        });
    });
}

/// An array of so many records leaves, and comes back.
#[divan::bench(args = [24, 1523])]
fn records(bencher: Bencher<'_, '_>, count: usize) {
    let (runtime, socket) = start();
    let mut stream: EventStream<Vec<Record>> = socket.stream("echo");
    let records = (vec![record(); count],);
    bencher.bench_local(|| {
        runtime.block_on(async {
            socket.emit("echo", &records).unwrap();
            stream.recv().await.unwrap().unwrap()
        })
    });
}

/// An event is acknowledged with what it had.
#[divan::bench]
fn acknowledgement(bencher: Bencher<'_, '_>) {
    let (runtime, socket) = start();
    bencher.bench_local(|| {
        runtime.block_on(async {
            let answer = socket.emit_with_ack::<Record>("ack", &record()).await;
            answer.unwrap()
        })
    });
}
