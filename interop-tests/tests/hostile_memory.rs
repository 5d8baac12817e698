//! What hostile clients can make the server hold, counted exactly: each attack has so much memory, and the program ends if more is asked for. A healthy client is
//! served all the while.
//!
//! The clients live in the same process, so they are bare sockets.

use std::alloc::System;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::time::Duration;

use cap::Cap;
use socket_io::{Data, EventStream, RawArgs, RecoveryConfig, Socket, SocketIo};

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

const MIB: usize = 1 << 20;
/// Connections that attack together.
const CROWD: usize = 4;
/// What each of them wants to send: far more than the systems' buffers and the limits of the server hold together.
const ATTACK: usize = 24 * MIB;
/// How long a write may make no progress until the server is taken to read no more.
const STALLED: Duration = Duration::from_millis(300);
/// Limits of the server: what one connection may have in handlers and streams, waiting for them, and to be sent.
const HANDLER_BYTES: usize = MIB;
const INBOX: usize = MIB / 4;
const OUTBOX: usize = MIB;
/// What recovery may keep.
const LOGS: usize = 4 * MIB;
/// What a connection may take beside its limits: messages on their way, buffers of the decoder.
const SLACK: usize = MIB;

/// Streams that are never read.
static STREAMS: Mutex<Vec<EventStream<String>>> = Mutex::new(Vec::new());

#[test]
fn attacks_take_no_more_memory_than_the_limits_say() {
    let address = start_server();
    let mut healthy = join(address);
    let event = |name: &str, size: usize| {
        let mut event = format!("42[\"{name}\",\"").into_bytes();
        event.resize(event.len() + size, b'x');
        event.extend(b"\"]");
        frame(0x81, &event)
    };

    let crowd = || (0..CROWD).map(|_| join(address)).collect::<Vec<_>>();
    // Handlers that never end, and a stream that nobody reads: the server stops reading.
    for (name, size) in [("hold", 100), ("hold", 100_000), ("chunk", 100_000)] {
        let mut clients = crowd();
        within(CROWD * (HANDLER_BYTES + INBOX + 3 * SLACK), || {
            for client in &mut clients {
                let was_read = write(client, &event(name, size), ATTACK);
                assert!(!was_read, "{name} {size}: all of it was read");
                serve(&mut healthy);
            }
        });
        drop(clients);
        STREAMS.lock().unwrap().clear();
    }

    // Answers that nobody reads. What does not fit is refused.
    let mut clients = crowd();
    within(CROWD * (OUTBOX + 2 * SLACK), || {
        for client in &mut clients {
            write(client, &event("echo", 50_000), ATTACK);
            serve(&mut healthy);
        }
    });

    // Pings that are answered into nowhere, and a message that never ends.
    for bytes in [frame(0x89, &[b'x'; 125]), frame(0x0a | 0x80, b"")] {
        let mut clients = crowd();
        within(CROWD * SLACK, || {
            for client in &mut clients {
                write(client, &bytes, ATTACK / 16);
                serve(&mut healthy);
            }
        });
    }
    let mut clients = crowd();
    within(CROWD * (2 * SLACK), || {
        for client in &mut clients {
            client.write_all(&frame(0x01, b"4")).unwrap();
            write(client, &frame(0x00, b""), ATTACK / 16);
            write(client, &frame(0x00, b"x"), ATTACK / 16);
            serve(&mut healthy);
        }
    });

    // Messages that are announced and do not come.
    let mut clients: Vec<_> = (0..16 * CROWD).map(|_| join(address)).collect();
    within(2 * MIB, || {
        for client in &mut clients {
            let announced = frame(0x82, &[0; 250_000]);
            client.write_all(&announced[..15]).unwrap();
        }
        for _ in 0..20 {
            serve(&mut healthy);
        }
    });

    // What is kept for those who may come back, in many namespaces that the client has made.
    let mut client = connect(address);
    within(LOGS + 8 * MIB, || {
        for number in 0..64 {
            client
                .write_all(&frame(0x81, format!("40/n-{number},").as_bytes()))
                .unwrap();
            read_frame(&mut client);
        }
        for _ in 0..16 {
            for number in 0..64 {
                let mut event = format!("42/n-{number},[\"say\",\"").into_bytes();
                event.resize(event.len() + 32 * 1024, b'x');
                event.extend(b"\"]");
                client.write_all(&frame(0x81, &event)).unwrap();
                read_frame(&mut client);
            }
            serve(&mut healthy);
        }
    });
}

/// Runs an attack that may take so many bytes of heap more than there were.
fn within(bytes: usize, attack: impl FnOnce()) {
    HEAP.set_limit(HEAP.allocated() + bytes).unwrap();
    attack();
    HEAP.set_limit(usize::MAX).unwrap();
}

fn start_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let io = SocketIo::builder()
        .max_handler_bytes(HANDLER_BYTES)
        .inbox_limit(INBOX)
        .outbox_limit(OUTBOX)
        .recovery(RecoveryConfig::default().max_total_bytes(LOGS))
        .on_error(|_| {})
        .build();
    io.of("/")
        .on_connect(async |socket: Socket| STREAMS.lock().unwrap().push(socket.stream("chunk")))
        .on("hold", async |args: RawArgs| {
            std::future::pending::<()>().await;
            drop(args);
        })
        .on("echo", async |socket: Socket, Data(text): Data<String>| {
            let _ = socket.emit("echo", &text);
        });
    io.of_regex(r"^/n-\d+$")
        .on("say", async |socket: Socket, Data(text): Data<String>| {
            socket
                .namespace()
                .emit("said", &text)
                .map_err(socket_io::Refusal::from)?;
            Ok::<_, socket_io::Refusal>(())
        });
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            io.serve(listener).await
        })
    });
    address
}

/// A WebSocket that has joined nothing.
fn connect(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_write_timeout(Some(STALLED)).unwrap();
    let request = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c29ja2V0LWlvLXRlc3RzIQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(read_frame(&mut stream).starts_with(b"0{"));
    stream
}

/// One that has joined the main namespace.
fn join(address: SocketAddr) -> TcpStream {
    let mut stream = connect(address);
    stream.write_all(&frame(0x81, b"40")).unwrap();
    assert!(read_frame(&mut stream).starts_with(b"40{"));
    stream
}

/// A client that behaves is served.
fn serve(stream: &mut TcpStream) {
    stream
        .write_all(&frame(0x81, b"42[\"echo\",\"well\"]"))
        .unwrap();
    loop {
        let answer = read_frame(stream);
        if answer == b"2" {
            stream.write_all(&frame(0x81, b"3")).unwrap();
        } else {
            assert!(answer.starts_with(b"42[\"echo\",\"well\""));
            return;
        }
    }
}

/// Writes the same frame again and again, up to so many bytes. False when the server reads no more.
fn write(stream: &mut TcpStream, frame: &[u8], bytes: usize) -> bool {
    let batch = frame.repeat((64 * 1024 / frame.len()).max(1));
    let mut written = 0;
    while written < bytes {
        let mut rest = &batch[..];
        while !rest.is_empty() {
            match stream.write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    return false;
                }
                Err(error) => panic!("{error}"),
            }
        }
        written += batch.len();
    }
    true
}

/// A frame whose mask changes nothing.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | length as u8),
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

fn read_frame(stream: &mut TcpStream) -> Vec<u8> {
    let mut header = [0; 2];
    stream.read_exact(&mut header).unwrap();
    let mut length = usize::from(header[1]);
    if length >= 126 {
        let mut extended = [0; 8];
        let skip = if length == 126 { 6 } else { 0 };
        stream.read_exact(&mut extended[skip..]).unwrap();
        length = u64::from_be_bytes(extended) as usize;
    }
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).unwrap();
    payload
}
