//! Heap bytes per idle WebSocket connection that has joined one namespace, counted exactly.
//!
//! The clients live in the same process, so they are bare sockets, which take no heap while anything is counted.

use std::alloc::System;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use cap::Cap;
use flate2::{Compress, Compression, FlushCompress};
use socket_io::{Data, DeflateConfig, Refusal, Socket, SocketIo};

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

const CONNECTIONS: usize = 1000;
/// What must never be exceeded. The figure that is printed should be far below.
const BUDGET: usize = 3 * 1024;
const BIG: usize = 100_000;
/// Nearly as long as the server takes.
const HUGE: usize = 999_900;
/// How many of the connections carry a huge message.
const HUGE_CONNECTIONS: usize = 50;
/// Rounds in which connections come and go, and how many in each.
const CHURN: [usize; 2] = [8, 250];
/// What may be left of each connection that came and went: tables that are not full.
const LEFT: usize = 8;
/// Rounds of waiting for the server to come to rest.
const ROUNDS: usize = 200;

/// More than a bomb may take while it is refused.
const BOMB_BUDGET: usize = 8 << 20;

#[test]
fn an_idle_connection_stays_within_its_budget_of_heap() {
    measure(Form::Plain);
    measure(Form::Deflated);
}

/// How messages are sent and, when they are long, expected back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Plain,
    /// After permessage-deflate was agreed on.
    Deflated,
}

fn measure(form: Form) {
    let (io, address) = start_server(form);
    let [event, huge] = [BIG, HUGE].map(|size| event(form, size));
    let bomb = deflate(100, &vec![b'4'; BIG * 10]);
    let mut clients: Vec<TcpStream> = Vec::with_capacity(CONNECTIONS);
    // Threads, tables, thread-local buffers and codecs come into being with the first connections.
    for _ in 0..16 {
        let mut client = connect(address);
        round_trip(&mut client, &event, form);
        round_trip(&mut client, &huge, form);
        be_asked(&mut client);
    }
    wait_until(|| io.connections() == 0);
    let base = at_rest();

    clients.extend((0..CONNECTIONS).map(|_| connect(address)));
    wait_until(|| io.of("/").len() == CONNECTIONS);
    let idle = (at_rest() - base) / CONNECTIONS;
    report(&format!(
        "{form:?}: heap per idle connection: {idle} bytes (budget {BUDGET})"
    ));

    for client in &mut clients {
        round_trip(client, &event, form);
    }
    let after_big = at_rest().saturating_sub(base) / CONNECTIONS;
    report(&format!(
        "{form:?}: the same after {BIG} bytes both ways on each: {after_big} bytes"
    ));

    for client in &mut clients[..HUGE_CONNECTIONS] {
        round_trip(client, &huge, form);
    }
    let growth = at_rest().saturating_sub(base + after_big * CONNECTIONS) / HUGE_CONNECTIONS;
    let after_huge = after_big + growth;
    report(&format!(
        "{form:?}: the same after {HUGE} bytes both ways on some: {after_huge} bytes"
    ));

    for client in &mut clients {
        be_asked(client);
    }
    let after_question = at_rest().saturating_sub(base) / CONNECTIONS;
    report(&format!(
        "{form:?}: the same after a question of the server on each: {after_question} bytes"
    ));

    if form == Form::Deflated {
        let limit = HEAP.limit();
        HEAP.set_limit(HEAP.allocated() + BOMB_BUDGET).unwrap();
        clients.drain(..16).for_each(|client| refuse(client, &bomb));
        HEAP.set_limit(limit).unwrap();
        report(&format!(
            "{form:?}: bombs are refused within {BOMB_BUDGET} bytes"
        ));
    }

    drop(clients);
    wait_until(|| io.connections() == 0);
    let left = at_rest().saturating_sub(base) / CONNECTIONS;
    report(&format!(
        "{form:?}: the same after all have left: {left} bytes"
    ));

    let [rounds, size] = CHURN;
    for _ in 0..rounds {
        let mut clients: Vec<_> = (0..size).map(|_| connect(address)).collect();
        clients.iter_mut().for_each(be_asked);
        drop(clients);
        wait_until(|| io.connections() == 0);
    }
    let churned = at_rest().saturating_sub(base);
    report(&format!(
        "{form:?}: left of {} more that came and went, together: {churned} bytes",
        rounds * size
    ));

    for heap in [idle, after_big, after_huge, after_question] {
        assert!(heap <= BUDGET, "{heap} > {BUDGET}");
    }
    assert!(left <= LEFT, "{left} bytes of each connection are kept");
    assert!(
        churned <= LEFT * rounds * size,
        "{churned} bytes are kept when connections come and go"
    );
}

/// Prints past the test runner, which shows the output of failed tests only.
fn report(line: &str) {
    let mut output = std::io::stdout();
    output
        .write_all(line.as_bytes())
        .and_then(|()| output.write_all(b"\n"))
        .unwrap();
}

fn start_server(form: Form) -> (SocketIo, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    // No ping disturbs.
    let builder = SocketIo::builder().ping_interval(Duration::from_secs(3600));
    let io = builder.engine(|engine| match form {
        Form::Plain => engine,
        Form::Deflated => engine.deflate(DeflateConfig::default()),
    });
    let io = io.build();
    io.of("/")
        .middleware(async || Ok::<_, Refusal>(()))
        .on("echo", async |Data(text): Data<String>| text)
        .on("ask me", async |socket: Socket| {
            let answer = socket.emit_with_ack::<u8>("question", "well?").await;
            assert_eq!(answer, Ok(1));
            "thanks"
        });
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
    stream.set_nodelay(true).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let request = b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\n\
        Origin: http://localhost\r\nAccept-Encoding: gzip, deflate, br\r\n\
        Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    stream.write_all(request).unwrap();
    let mut end = [0; 4];
    let mut byte = [0];
    while end != *b"\r\n\r\n" {
        stream.read_exact(&mut byte).unwrap();
        end.rotate_left(1);
        end[3] = byte[0];
    }
    assert_eq!(skip_frame(&mut stream), (0x81, b'0'));
    send_short(&mut stream, b"40");
    assert_eq!(skip_frame(&mut stream), (0x81, b'4'));
    stream
}

/// Has the server ask a question, which runs a handler that waits, and answers it.
fn be_asked(stream: &mut TcpStream) {
    send_short(stream, b"420[\"ask me\"]");
    let mut header = [0; 2];
    stream.read_exact(&mut header).unwrap();
    let mut question = vec![0; header[1].into()];
    stream.read_exact(&mut question).unwrap();
    let id: Vec<u8> = question[2..]
        .iter()
        .copied()
        .take_while(u8::is_ascii_digit)
        .collect();
    send_short(stream, &[b"43", &id[..], b"[1]"].concat());
    assert_eq!(skip_frame(stream), (0x81, b'4'), "the handler has returned");
}

/// An event that is acknowledged with as many bytes as it has.
fn event(form: Form, size: usize) -> Vec<u8> {
    let mut packet = b"420[\"echo\",\"".to_vec();
    packet.resize(packet.len() + size, b'x');
    packet.extend(b"\"]");
    match form {
        Form::Plain => packet,
        Form::Deflated => deflate(1, &packet),
    }
}

/// Sends an event and reads the acknowledgement.
fn round_trip(stream: &mut TcpStream, event: &[u8], form: Form) {
    match form {
        Form::Plain => {
            send(stream, 0x81, event);
            assert_eq!(skip_frame(stream), (0x81, b'4'));
        }
        Form::Deflated => {
            send(stream, 0xc1, event);
            assert_eq!(skip_frame(stream).0, 0xc1);
        }
    }
}

/// Sends few bytes that would be a hundred million, and waits for the refusal.
fn refuse(mut stream: TcpStream, bomb: &[u8]) {
    send(&mut stream, 0xc1, bomb);
    let [high, _] = 1009_u16.to_be_bytes();
    assert_eq!(skip_frame(&mut stream), (0x88, high));
}

/// The same data so many times, as a client compresses it.
fn deflate(times: usize, data: &[u8]) -> Vec<u8> {
    let mut compressor = Compress::new(Compression::new(9), false);
    let mut output = Vec::with_capacity(times * data.len() / 50 + 100);
    for _ in 0..times {
        let result = compressor.compress_vec(data, &mut output, FlushCompress::Sync);
        result.unwrap();
    }
    assert_eq!(compressor.total_in(), (times * data.len()) as u64);
    output.truncate(output.len() - 4);
    output
}

/// Sends a frame whose mask changes nothing.
fn send(stream: &mut TcpStream, first: u8, payload: &[u8]) {
    let mut header = [first, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    header[2..10].copy_from_slice(&(payload.len() as u64).to_be_bytes());
    stream.write_all(&header).unwrap();
    stream.write_all(payload).unwrap();
}

/// The same for a message of less than 126 bytes.
fn send_short(stream: &mut TcpStream, message: &[u8]) {
    let mut frame = vec![0x81, 0x80 | message.len() as u8, 0, 0, 0, 0];
    frame.extend_from_slice(message);
    stream.write_all(&frame).unwrap();
}

/// Reads a frame into nowhere, and returns its first byte and that of its payload.
fn skip_frame(stream: &mut TcpStream) -> (u8, u8) {
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
    (header[0], first.unwrap_or(0))
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
