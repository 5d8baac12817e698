//! An owner, senders and a peer, each in a thread of its own.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use shuttle::future::block_on;
use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;
use tokio::runtime::{Builder, Runtime};

use super::{Mutex, TcpStream};
use crate::connection::{Shared, Stream, WebSocket, direct, now};
use crate::handshake::Handshake;
use crate::packet::{Message, Packet};
use crate::payload::decode_payload;
use crate::request::Request;
use crate::sender::Sender;
use crate::server::{self, ServerConfig};
use crate::session::{CloseReason, Session};
use crate::socket::Socket;
use crate::text::Text;
use crate::transport::Transport;
use crate::wire::{BinaryForm, Wire};

/// Who sends what: `<sender>:<number>`.
const SENDERS: usize = 2;
const MESSAGES: usize = 3;

/// For tokio's clock, which can be asked and never moves. Tasks that are given to it do not run.
fn runtime() -> Runtime {
    let runtime = Builder::new_current_thread().enable_time().build();
    runtime.expect("nothing is asked of the system")
}

fn session(transport: Transport) -> Arc<Shared> {
    let handshake = Handshake {
        sid: "sid".into(),
        upgrades: Vec::new(),
        ping_interval: std::time::Duration::MAX,
        ping_timeout: std::time::Duration::MAX,
        max_payload: 0,
    };
    let config = Arc::default();
    let session = Session::server(now(), &config, Wire::default(), transport, &handshake);
    let request = Request::new(&http::Request::new(()).into_parts().0);
    Arc::new(Shared::new(1, "sid".into(), request, session))
}

fn websocket(stream: TcpStream) -> Box<WebSocket> {
    Box::new(WebSocket::server(Stream::Tcp(Arc::new(stream)), &[], 1000))
}

fn over_websocket() -> (Socket, Peer) {
    let [near, far] = TcpStream::pair();
    let socket = Socket::new(session(Transport::WebSocket), Some(websocket(near)));
    (socket, Peer::new(far))
}

/// Sends from a thread of its own. A send may be the first of a turn of that thread, or not.
fn spawn_sender(id: usize, sender: Sender) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        for number in 0..MESSAGES {
            match thread_rng().gen_range(0..4) {
                0 => {}
                1 => direct::begin_spent_turn(),
                _ => direct::begin_turn(),
            }
            sender.send(format!("{id}:{number}")).expect("it is open");
        }
        assert_eq!(block_on(sender.drained()), Ok(()));
    })
}

/// Reads to the end, and answers every message. The reason, and how many there were.
fn spawn_owner(mut socket: Socket) -> thread::JoinHandle<(Option<CloseReason>, usize)> {
    thread::spawn(move || {
        block_on(async {
            let mut received = 0;
            while let Some(message) = socket.recv().await {
                assert_eq!(message, Message::from(format!("p:{received}")));
                received += 1;
                let _ = socket.send(message);
            }
            (socket.close_reason(), received)
        })
    })
}

/// What has arrived of each sender.
#[derive(Default)]
struct Arrived([usize; SENDERS], usize);

impl Arrived {
    /// Senders' messages come in order and once, and so do answers.
    fn take(&mut self, text: &str) {
        let (id, number) = text.split_once(':').expect("a message has both");
        let next = match id {
            "p" => &mut self.1,
            id => &mut self.0[id.parse::<usize>().expect("a sender")],
        };
        assert_eq!(number, next.to_string(), "lost, doubled or overtaken");
        *next += 1;
    }

    fn is_complete(&self, answers: usize) -> bool {
        self.0 == [MESSAGES; SENDERS] && self.1 == answers
    }
}

/// The client's end of a WebSocket.
struct Peer {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Peer {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// The next text message, or `None` at the end.
    async fn receive(&mut self) -> Option<String> {
        loop {
            if let [0x81, length, rest @ ..] = &self.buffer[..] {
                assert!(*length < 126, "only short frames are sent");
                if let Some(text) = rest.get(..usize::from(*length)) {
                    let text = String::from_utf8(text.to_vec()).expect("it is text");
                    self.buffer.drain(..2 + text.len());
                    return Some(text);
                }
            }
            let first = self.buffer.first();
            assert!(first.is_none_or(|&first| first == 0x81), "frames are mixed");
            poll_fn(|cx| self.stream.poll_read_ready(cx)).await.ok()?;
            let mut piece = [0; 8];
            match self.stream.try_read(&mut piece) {
                Ok(0) => return None,
                Ok(count) => self.buffer.extend(&piece[..count]),
                Err(_) => {}
            }
        }
    }

    /// Sends a packet as a masked frame.
    async fn send(&self, packet: &str) {
        let mut frame = vec![0x81, 0x80 | packet.len() as u8, 0, 0, 0, 0];
        frame.extend(packet.as_bytes());
        let mut rest = &frame[..];
        while !rest.is_empty() {
            poll_fn(|cx| self.stream.poll_write_ready(cx))
                .await
                .expect("it is open");
            if let Ok(count) = self.stream.try_write(rest) {
                rest = &rest[count..];
            }
        }
    }

    /// Takes messages until all have come.
    async fn receive_all(&mut self, arrived: &mut Arrived, answers: usize) {
        while !arrived.is_complete(answers) {
            let packet = self.receive().await.expect("it is open");
            match packet.strip_prefix('4') {
                Some(text) => arrived.take(text),
                None => assert!(packet.starts_with('0'), "{packet}"),
            }
        }
    }
}

/// Senders write to an idle connection by themselves, and what does not fit is the owner's.
pub fn senders_write_past_the_owner() {
    let runtime = runtime();
    let _context = runtime.enter();
    let (socket, mut peer) = over_websocket();
    let senders: Vec<_> = (0..SENDERS)
        .map(|id| spawn_sender(id, socket.sender()))
        .collect();
    let owner = spawn_owner(socket);
    block_on(peer.receive_all(&mut Arrived::default(), 0));
    senders
        .into_iter()
        .for_each(|sender| sender.join().expect("it ends"));
    drop(peer);
    let (reason, _) = owner.join().expect("it ends");
    assert_eq!(reason, Some(CloseReason::TransportClose));
}

/// The same while the peer sends, too, and its messages are answered by the owner.
pub fn echoes_meet_broadcasts() {
    let runtime = runtime();
    let _context = runtime.enter();
    let (socket, mut peer) = over_websocket();
    let senders: Vec<_> = (0..SENDERS)
        .map(|id| spawn_sender(id, socket.sender()))
        .collect();
    let owner = spawn_owner(socket);
    block_on(async {
        let mut arrived = Arrived::default();
        for number in 0..2 {
            peer.send(&format!("4p:{number}")).await;
            let text = peer.receive().await.expect("it is open");
            if let Some(text) = text.strip_prefix('4') {
                arrived.take(text);
            }
        }
        peer.receive_all(&mut arrived, 2).await;
    });
    senders
        .into_iter()
        .for_each(|sender| sender.join().expect("it ends"));
    drop(peer);
    assert_eq!(owner.join().expect("it ends").1, 2);
}

/// What is sent before the end arrives, whatever others send meanwhile, and the owner learns of it.
pub fn closing_lets_everything_leave() {
    let runtime = runtime();
    let context = runtime.enter();
    let (socket, mut peer) = over_websocket();
    let (closing, other) = (socket.sender(), socket.sender());
    let owner = spawn_owner(socket);
    let closing = thread::spawn(move || {
        direct::begin_turn();
        for number in 0..MESSAGES {
            closing.send(format!("0:{number}")).expect("it is open");
        }
        closing.close();
    });
    let other = thread::spawn(move || {
        direct::begin_turn();
        let sent = (0..MESSAGES).take_while(|number| other.send(format!("1:{number}")).is_ok());
        sent.count()
    });
    let peer = thread::spawn(move || {
        block_on(async {
            let mut arrived = Arrived::default();
            while let Some(packet) = peer.receive().await {
                if let Some(text) = packet.strip_prefix('4') {
                    arrived.take(text);
                }
            }
            arrived.0
        })
    });
    closing.join().expect("it ends");
    let sent = other.join().expect("it ends");
    let (reason, _) = owner.join().expect("it ends");
    assert_eq!(reason, Some(CloseReason::ForcedClose));
    // The task that says goodbye and waits for the answer.
    drop(context);
    drop(runtime);
    assert_eq!(peer.join().expect("it ends"), [MESSAGES, sent]);
}

/// GETs and POSTs while others send, and the goodbye at the end.
pub fn polling_carries_both_ways() {
    let runtime = runtime();
    let _context = runtime.enter();
    let shared = session(Transport::Polling);
    let socket = Socket::new(shared.clone(), None);
    let closer = socket.sender();
    let senders: Vec<_> = (0..SENDERS)
        .map(|id| spawn_sender(id, socket.sender()))
        .collect();
    let owner = spawn_owner(socket);
    let posts = {
        let shared = shared.clone();
        thread::spawn(move || {
            for number in 0..2 {
                post(&shared, &format!("4p:{number}"));
            }
        })
    };
    let mut arrived = Arrived::default();
    while !arrived.is_complete(2) {
        for packet in get(&shared) {
            match packet {
                Packet::Message(Message::Text(text)) => arrived.take(&text),
                Packet::Open(_) => {}
                other => panic!("unexpected {other:?}"),
            }
        }
    }
    posts.join().expect("it ends");
    senders
        .into_iter()
        .for_each(|sender| sender.join().expect("it ends"));
    let last = thread::spawn(move || get(&shared));
    closer.close();
    let last = last.join().expect("it is answered");
    assert_eq!(last.last(), Some(&Packet::Close));
    assert_eq!(
        owner.join().expect("it ends"),
        (Some(CloseReason::ForcedClose), 2)
    );
}

fn get(shared: &Arc<Shared>) -> Vec<Packet> {
    let response = block_on(server::poll(shared));
    assert_eq!(response.status(), 200);
    let body = Text::try_from(response.into_body()).expect("it is text");
    let packets = decode_payload(&body, 100).collect::<Result<_, _>>();
    packets.expect("our payload is legal")
}

fn post(shared: &Arc<Shared>, body: &str) {
    let parts = http::Request::new(()).into_parts().0;
    let body = Full::new(Bytes::copy_from_slice(body.as_bytes()));
    let config = ServerConfig::default();
    let response = block_on(server::data(shared, &parts, body, &config, false));
    assert_eq!(response.status(), 200);
}

/// A client moves to a WebSocket while others send.
pub fn upgrades_lose_nothing() {
    let runtime = runtime();
    let _context = runtime.enter();
    let shared = session(Transport::Polling);
    let socket = Socket::new(shared.clone(), None);
    let senders: Vec<_> = (0..SENDERS)
        .map(|id| spawn_sender(id, socket.sender()))
        .collect();
    let owner = spawn_owner(socket);
    let paused = Arc::new(Mutex::new(false));
    let polling = {
        let (shared, paused) = (shared.clone(), paused.clone());
        thread::spawn(move || {
            let mut arrived = Arrived::default();
            while !*paused.lock() {
                for packet in get(&shared) {
                    if let Packet::Message(Message::Text(text)) = packet {
                        arrived.take(&text);
                    }
                }
                // Until it pauses, each of its GETs is answered at once; others have their turn, too.
                thread::yield_now();
            }
            arrived
        })
    };
    let [near, far] = TcpStream::pair();
    let mut peer = Peer::new(far);
    block_on(server::offer(&shared, websocket(near), BinaryForm::Raw));
    block_on(async {
        peer.send("2probe").await;
        assert_eq!(peer.receive().await.as_deref(), Some("3probe"));
    });
    *paused.lock() = true;
    let mut arrived = polling.join().expect("the last GET is answered");
    block_on(async {
        peer.send("5").await;
        peer.receive_all(&mut arrived, 0).await;
    });
    senders
        .into_iter()
        .for_each(|sender| sender.join().expect("it ends"));
    drop(peer);
    let (reason, _) = owner.join().expect("it ends");
    assert_eq!(reason, Some(CloseReason::TransportClose));
}
