//! Heap bytes per idle WebSocket connection that has joined one namespace, counted exactly.
//!
//! The clients live in the same process, so they are bare sockets, which take no heap.

use std::alloc::System;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use cap::Cap;
use socket_io::{Data, SocketIo};

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

const CONNECTIONS: usize = 1000;
const BUDGET: usize = 3 * 1024;
const BIG: usize = 100_000;
/// Rounds of waiting for the server to come to rest.
const ROUNDS: usize = 200;

#[test]
fn an_idle_connection_stays_within_its_budget_of_heap() {
    let (io, address) = start_server();
    let mut clients: Vec<TcpStream> = Vec::with_capacity(CONNECTIONS);
    // Threads, tables and thread-local buffers come into being with the first connections.
    for _ in 0..16 {
        let mut client = connect(address);
        round_trip(&mut client, BIG);
    }
    wait_until(|| io.connections() == 0);
    let base = at_rest();

    clients.extend((0..CONNECTIONS).map(|_| connect(address)));
    wait_until(|| io.of("/").len() == CONNECTIONS);
    let idle = (at_rest() - base) / CONNECTIONS;
    report(&format!(
        "heap per idle connection: {idle} bytes (budget {BUDGET})"
    ));

    for client in &mut clients {
        round_trip(client, BIG);
    }
    let after_big = at_rest().saturating_sub(base) / CONNECTIONS;
    report(&format!(
        "the same after {BIG} bytes both ways on each: {after_big} bytes"
    ));

    drop(clients);
    wait_until(|| io.connections() == 0);
    let left = at_rest().saturating_sub(base) / CONNECTIONS;
    report(&format!("the same after all have left: {left} bytes"));

    assert!(idle <= BUDGET, "{idle} > {BUDGET}");
    assert!(after_big <= BUDGET, "{after_big} > {BUDGET}");
    assert!(left <= 64, "{left} bytes of each connection are kept");
}

/// Prints past the test runner, which shows the output of failed tests only.
fn report(line: &str) {
    writeln!(std::io::stdout(), "{line}").unwrap();
}

fn start_server() -> (SocketIo, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let io = SocketIo::builder().build();
    io.of("/").on("echo", async |Data(text): Data<String>| text);
    let server = io.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            server
                .serve(tokio::net::TcpListener::from_std(listener).unwrap())
                .await;
        });
    });
    (io, address)
}

/// A WebSocket that has joined the namespace `/`.
fn connect(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let request = b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\n\
        Origin: http://localhost\r\nAccept-Encoding: gzip, deflate, br\r\nAccept-Language: en-GB,en;q=0.9\r\n\r\n";
    stream.write_all(request).unwrap();
    let mut end = [0; 4];
    let mut byte = [0];
    while end != *b"\r\n\r\n" {
        stream.read_exact(&mut byte).unwrap();
        end.rotate_left(1);
        end[3] = byte[0];
    }
    assert_eq!(skip_frame(&mut stream), b'0');
    stream
        .write_all(&[0x81, 0x82, 0, 0, 0, 0, b'4', b'0'])
        .unwrap();
    assert_eq!(skip_frame(&mut stream), b'4');
    stream
}

/// Sends an event with so many bytes and reads the acknowledgement with as many.
fn round_trip(stream: &mut TcpStream, size: usize) {
    let (head, tail) = (b"420[\"echo\",\"", b"\"]");
    let length = head.len() + size + tail.len();
    let mut header = [0x81, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    header[2..10].copy_from_slice(&(length as u64).to_be_bytes());
    stream.write_all(&header).unwrap();
    stream.write_all(head).unwrap();
    let text = [b'x'; 1000];
    for _ in 0..size / text.len() {
        stream.write_all(&text).unwrap();
    }
    stream.write_all(tail).unwrap();
    assert_eq!(skip_frame(stream), b'4');
}

/// Reads a frame into nowhere, and returns its first byte.
fn skip_frame(stream: &mut TcpStream) -> u8 {
    let mut header = [0; 2];
    stream.read_exact(&mut header).unwrap();
    let mut length = u64::from(header[1]);
    if length >= 126 {
        let mut extended = [0; 8];
        let skip = if length == 126 { 6 } else { 0 };
        stream.read_exact(&mut extended[skip..]).unwrap();
        length = u64::from_be_bytes(extended);
    }
    let mut first = None;
    let mut buffer = [0; 4096];
    while length > 0 {
        let part = buffer.len().min(length as usize);
        stream.read_exact(&mut buffer[..part]).unwrap();
        first = first.or(Some(buffer[0]));
        length -= part as u64;
    }
    first.unwrap_or(0)
}

fn wait_until(condition: impl Fn() -> bool) {
    for _ in 0..ROUNDS {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the server did not get there");
}

/// The allocated bytes, once they have stopped changing.
fn at_rest() -> usize {
    let mut previous = usize::MAX;
    for _ in 0..ROUNDS {
        let allocated = HEAP.allocated();
        if allocated == previous {
            return allocated;
        }
        previous = allocated;
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("the heap does not come to rest");
}
