//! Work on the hot paths, for valgrind to count its instructions; `.ci/instructions` compares the counts with the recorded ones.
//!
//! `instructions` lists the paths. `instructions PATH` takes one of them, many times, within [`measured`], and prints how many times that was. Nothing else
//! is counted. Servers and clients share one thread and talk over loopback, one at a time, so that the counts repeat; what the clients do to read the answers
//! is counted, too, and little. The kernel's work is not.

use std::hint::black_box;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use engine_io::{Frame, Text as EngineText, decode_payload, encode_payload};
use serde::{Deserialize, Serialize};
use socket_io::protocol::{Decoder, MAX_ATTACHMENTS, Packet, encode_event};
use socket_io::{Data, Message, RawArgs, Refusal, Socket, SocketIo, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

/// A path takes its way so many times within [`measured`], and says how many times.
type Path = fn() -> usize;

const PATHS: [(&str, Path); 16] = [
    ("decode-raw", || decode(1, |args| args.validate().unwrap())),
    ("decode-raw-1k", || {
        decode(24, |args| args.validate().unwrap())
    }),
    ("decode-typed", || {
        decode(1, |args| drop(args.parse_first::<Vec<Record>>().unwrap()))
    }),
    ("encode-typed", || encode(&(records(1),))),
    ("encode-typed-1k", || encode(&(records(24),))),
    ("encode-raw-1k", || {
        encode(&RawArgs::from_data(&(records(24),)).unwrap())
    }),
    ("payload-of-64", payload),
    ("echo-raw", || echo("echo", 1, 1)),
    ("echo-raw-w16", || echo("echo", 1, 16)),
    ("echo-raw-1k", || echo("echo", 24, 4)),
    ("echo-typed-w16", || echo("typed", 1, 16)),
    ("ack-w16", acknowledge),
    ("broadcast-1000", || broadcast(1)),
    ("broadcast-1000-o8", || broadcast(8)),
    ("connect", connect_many),
    ("poll-echo", poll),
];

/// How often a path is taken before it is measured, and how often then.
const WARMUP: usize = 20;
const ROUNDS: usize = 200;
const RECIPIENTS: usize = 1000;
const BROADCASTS: usize = 4;

#[derive(Clone, Deserialize, Serialize)]
struct Record {
    id: u64,
    ok: bool,
    user: String,
}

/// One is 42 bytes of JSON, 24 are 1 KB.
fn records(count: u64) -> Vec<Record> {
    let record = |number| Record {
        id: 1_234_567 + number,
        ok: true,
        user: "alice-01".into(),
    };
    (0..count).map(record).collect()
}

fn main() -> ExitCode {
    let Some(wanted) = std::env::args().nth(1) else {
        PATHS.iter().for_each(|(name, _)| println!("{name}"));
        return ExitCode::SUCCESS;
    };
    let Some((_, path)) = PATHS.iter().find(|(name, _)| *name == wanted) else {
        eprintln!("no such path: {wanted}");
        return ExitCode::FAILURE;
    };
    println!("{}", path());
    ExitCode::SUCCESS
}

/// Valgrind counts from when this is entered until it returns.
#[inline(never)]
fn measured(work: &mut dyn FnMut()) {
    work();
    // What follows a call cannot be merged into it.
    black_box(());
}

fn repeat(mut work: impl FnMut()) -> usize {
    (0..WARMUP).for_each(|_| work());
    measured(&mut || (0..ROUNDS).for_each(|_| work()));
    ROUNDS
}

fn decode(count: u64, read: fn(&RawArgs)) -> usize {
    let encoded = encode_event("/", "echo", None, &(records(count),), MAX_ATTACHMENTS).unwrap();
    let text = std::str::from_utf8(&encoded.header().packet()[1..]).unwrap();
    let message = Message::from(text);
    let mut decoder = Decoder::default();
    repeat(|| match decoder.handle(message.clone()).unwrap() {
        Some(Packet::Event { event, .. }) => read(&event.args),
        other => panic!("no event: {other:?}"),
    })
}

fn encode(data: &impl Serialize) -> usize {
    repeat(|| {
        let encoded = encode_event("/", "echo", None, black_box(data), MAX_ATTACHMENTS);
        drop(black_box(encoded.unwrap()));
    })
}

/// In and out; per packet.
fn payload() -> usize {
    let frames = vec![Frame::message(r#"2["echo",{"id":1234567,"ok":true}]"#); 64];
    let done = repeat(|| {
        let body = EngineText::try_from(encode_payload(&frames)).unwrap();
        for packet in decode_payload(&body, 64) {
            drop(black_box(packet.unwrap()));
        }
    });
    done * frames.len()
}

/// A server on this thread.
struct Server {
    io: SocketIo,
    runtime: Runtime,
    address: SocketAddr,
}

impl Server {
    fn start() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        // No ping disturbs.
        let io = SocketIo::builder().ping_interval(Duration::from_secs(3600));
        let io = io.build();
        io.of("/")
            .on("echo", async |socket: Socket, args: RawArgs| {
                socket.emit("echo", &args).map_err(Refusal::from)
            })
            .on(
                "typed",
                async |socket: Socket, Data(records): Data<Vec<Record>>| {
                    socket.emit("typed", &(records,)).map_err(Refusal::from)
                },
            )
            .on("ack", async |args: RawArgs| args)
            .on(
                "bcast",
                async |socket: Socket, Data(payload): Data<Value>| {
                    let delivery = socket.broadcast().emit("msg", &payload);
                    delivery
                        .map(|delivery| delivery.sent)
                        .map_err(Refusal::from)
                },
            );
        let address = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let server = io.clone();
            tokio::spawn(async move { server.serve(listener).await });
            address
        });
        Self {
            io,
            runtime,
            address,
        }
    }

    /// A WebSocket that has joined the namespace `/`.
    async fn connect(&self) -> TcpStream {
        let mut stream = self.dial().await;
        let request = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
            Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut seen = Vec::with_capacity(1024);
        while !seen.ends_with(b"}") {
            assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0);
        }
        seen.clear();
        stream.write_all(&masked("40")).await.unwrap();
        while !seen.ends_with(b"}") {
            assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0);
        }
        stream
    }

    async fn dial(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// Sends a request, which is not counted, and waits for an answer of known length, which is.
    fn exchange(&self, client: &mut TcpStream, request: &[u8], answer: &mut [u8]) {
        self.runtime.block_on(client.write_all(request)).unwrap();
        measured(&mut || {
            let read = self.runtime.block_on(client.read_exact(answer));
            read.unwrap();
        });
    }
}

/// A client's frame. The mask changes nothing.
fn masked(packet: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match u8::try_from(packet.len()) {
        Ok(length) if length < 126 => frame.push(0x80 | length),
        _ => {
            frame.push(0x80 | 126);
            frame.extend((packet.len() as u16).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(packet.bytes());
    frame
}

/// Bytes of the frame that carries an answer.
fn unmasked_len(packet: &str) -> usize {
    masked(packet).len() - 4
}

/// Many times so many requests at once, all answered.
fn exchange_many(request: &str, answer: &str, window: usize) -> usize {
    let server = Server::start();
    let mut client = server.runtime.block_on(server.connect());
    let request = masked(request).repeat(window);
    let mut answers = vec![0; unmasked_len(answer) * window];
    for _ in 0..WARMUP {
        server.runtime.block_on(async {
            client.write_all(&request).await.unwrap();
            client.read_exact(&mut answers).await.unwrap();
        });
    }
    for _ in 0..ROUNDS {
        server.exchange(&mut client, &request, &mut answers);
    }
    assert!(answers.ends_with(answer.as_bytes()));
    ROUNDS * window
}

fn echo(event: &str, count: u64, window: usize) -> usize {
    let json = serde_json::to_string(&(event, records(count))).unwrap();
    let packet = format!("42{json}");
    exchange_many(&packet, &packet, window)
}

fn acknowledge() -> usize {
    let json = serde_json::to_string(&records(1)).unwrap();
    let request = format!(r#"427["ack",{json}]"#);
    exchange_many(&request, &format!("437[{json}]"), 16)
}

/// So many broadcasts at once; per recipient.
fn broadcast(outstanding: usize) -> usize {
    let server = Server::start();
    // They read nothing, and what they get fits into the system's buffers.
    let connect = || {
        let stream = server.runtime.block_on(server.connect());
        stream.into_std().unwrap()
    };
    let recipients: Vec<_> = (0..RECIPIENTS).map(|_| connect()).collect();
    let mut publisher = server.runtime.block_on(server.connect());
    assert_eq!(server.io.of("/").len(), RECIPIENTS + 1);
    let request = masked(r#"420["bcast",{"id":1234567,"ok":true,"user":"alice-01"}]"#);
    let request = request.repeat(outstanding);
    let answer = format!("430[{RECIPIENTS}]");
    let mut answers = vec![0; unmasked_len(&answer) * outstanding];
    server.runtime.block_on(async {
        publisher.write_all(&request).await.unwrap();
        publisher.read_exact(&mut answers).await.unwrap();
    });
    for _ in 0..BROADCASTS {
        server.exchange(&mut publisher, &request, &mut answers);
        // Whoever was woken has its turn; the runtime turns to some sixty tasks before it comes back.
        measured(&mut || {
            server.runtime.block_on(async {
                for _ in 0..RECIPIENTS / 32 {
                    tokio::task::yield_now().await;
                }
            });
        });
    }
    assert!(answers.ends_with(answer.as_bytes()));
    drop(recipients);
    BROADCASTS * outstanding * RECIPIENTS
}

fn connect_many() -> usize {
    let server = Server::start();
    let connect = || server.runtime.block_on(server.connect());
    let mut clients: Vec<_> = (0..WARMUP).map(|_| connect()).collect();
    for _ in 0..ROUNDS {
        measured(&mut || clients.push(connect()));
    }
    ROUNDS
}

/// A POST and the GET that takes the answer, on one HTTP connection.
fn poll() -> usize {
    let server = Server::start();
    let mut client = server.runtime.block_on(server.dial());
    let mut ask = |request: &str| {
        let mut seen = Vec::with_capacity(1024);
        server.runtime.block_on(async {
            client.write_all(request.as_bytes()).await.unwrap();
            while !is_whole(&seen) {
                assert_ne!(client.read_buf(&mut seen).await.unwrap(), 0);
            }
        });
        String::from_utf8(seen).unwrap()
    };
    let get = |query: &str| {
        format!(
            "GET /socket.io/?EIO=4&transport=polling{query} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
    };
    let post = |query: &str, body: &str| {
        let length = body.len();
        format!(
            "POST /socket.io/?EIO=4&transport=polling{query} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    };
    let opened = ask(&get(""));
    let (_, rest) = opened.split_once(r#""sid":""#).unwrap();
    let (sid, _) = rest.split_once('"').unwrap();
    let query = format!("&sid={sid}");
    ask(&post(&query, "40"));
    ask(&get(&query));
    let json = serde_json::to_string(&("echo", records(1))).unwrap();
    let requests = [post(&query, &format!("42{json}")), get(&query)];
    let mut answers = [Vec::new(), Vec::new()];
    for _ in 0..WARMUP {
        answers = requests.each_ref().map(|request| ask(request).into());
    }
    assert!(answers[1].ends_with(json.as_bytes()));
    for _ in 0..ROUNDS {
        for (request, answer) in requests.iter().zip(&mut answers) {
            server.exchange(&mut client, request.as_bytes(), answer);
        }
    }
    assert!(answers[1].ends_with(json.as_bytes()));
    ROUNDS
}

/// Whether an answer has all the bytes that its header announces.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer).to_ascii_lowercase();
    let Some((header, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let (_, length) = header.split_once("content-length: ").unwrap();
    let length = length.split("\r\n").next().unwrap();
    body.len() == length.parse::<usize>().unwrap()
}
