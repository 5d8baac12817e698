//! Rooms of a server with many sockets: joining, leaving, and the choice of a broadcast's recipients.
//!
//! `cargo bench --package socket-io --bench rooms`. The sockets are real ones; nothing is sent to them while anything is measured.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::LazyLock;
use std::time::Duration;

use divan::{Bencher, black_box};
use socket_io::{Socket, SocketIo};
use tokio::net::TcpListener;

/// How many sockets there are: each in `all`, every tenth in `tenth`, and each in one room of ten.
const SOCKETS: usize = 400;

fn main() {
    divan::main();
}

struct Bench {
    io: SocketIo,
    sockets: Vec<Socket>,
    _clients: Vec<TcpStream>,
}

/// Made once, by the first that needs it.
static BENCH: LazyLock<Bench> = LazyLock::new(|| {
    let io = SocketIo::builder().ping_interval(Duration::from_secs(3600));
    let io = io.build();
    io.of("/");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let server = io.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            server.serve(TcpListener::from_std(listener).unwrap()).await;
        });
    });
    let clients: Vec<_> = (0..SOCKETS)
        .map(|_| connect(TcpStream::connect(address).unwrap()))
        .collect();
    let sockets = io.all().sockets();
    assert_eq!(sockets.len(), SOCKETS);
    for (number, socket) in sockets.iter().enumerate() {
        socket.join(["all".to_owned(), format!("room {}", number / 10)]);
        if number % 10 == 0 {
            socket.join("tenth");
        }
    }
    Bench {
        io,
        sockets,
        _clients: clients,
    }
});

/// Opens a WebSocket and joins the namespace `/`.
fn connect(mut stream: TcpStream) -> TcpStream {
    let request = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    // The mask changes nothing.
    stream.write_all(b"\x81\x82\0\0\0\x0040").unwrap();
    let mut seen = Vec::new();
    let mut buffer = [0; 1024];
    while !(seen.ends_with(b"}") && seen.windows(3).any(|part| part == b"40{")) {
        let count = stream.read(&mut buffer).unwrap();
        assert_ne!(count, 0, "the server closed the connection");
        seen.extend_from_slice(&buffer[..count]);
    }
    stream
}

/// Into a room that nobody is in, and out again.
#[divan::bench]
fn join_and_leave_empty(bencher: Bencher<'_, '_>) {
    let socket = &BENCH.sockets[0];
    bencher.bench_local(|| {
        socket.join(black_box("empty"));
        socket.leave(black_box("empty"));
    });
}

/// Out of a room that everybody is in, and into it again.
#[divan::bench]
fn leave_and_join_full(bencher: Bencher<'_, '_>) {
    let socket = &BENCH.sockets[SOCKETS / 2];
    bencher.bench_local(|| {
        socket.leave(black_box("all"));
        socket.join(black_box("all"));
    });
}

/// The recipients of a broadcast, gathered: one room, several that overlap, a room without another.
mod snapshot {
    use super::*;

    #[divan::bench(args = ["room 7", "tenth", "all"])]
    fn of_one_room(bencher: Bencher<'_, '_>, room: &str) {
        let io = &BENCH.io;
        bencher
            .counter(io.to(room).sockets().len())
            .bench_local(|| io.to(black_box(room)).sockets());
    }

    #[divan::bench]
    fn of_two_rooms(bencher: Bencher<'_, '_>) {
        let io = &BENCH.io;
        bencher
            .counter(SOCKETS)
            .bench_local(|| io.to(black_box(["tenth", "all"])).sockets());
    }

    #[divan::bench]
    fn without_a_room(bencher: Bencher<'_, '_>) {
        let io = &BENCH.io;
        bencher
            .counter(SOCKETS * 9 / 10)
            .bench_local(|| io.except(black_box("tenth")).sockets());
    }
}
