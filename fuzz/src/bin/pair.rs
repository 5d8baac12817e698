//! A server's and a client's session with a network between them, whose parts move in any order: no message is lost, doubled or overtaken, whether or not
//! they move to a WebSocket on the way.
#![no_main]

use std::collections::VecDeque;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use engine_io::{
    Frame, Handshake, Message, Packet, ReadyState, Revision, Session, SessionConfig, Side,
    Transport, Wire, decode_payload, encode_payload,
};
use fuzz::Input;
use libfuzzer_sys::fuzz_target;

/// Longer than any run.
const HOUR: Duration = Duration::from_secs(3600);

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

struct End {
    session: Session,
    /// Messages that it was given to send, and those that arrived.
    sent: u32,
    received: u32,
    /// What has arrived at the WebSocket's other end, in order.
    link: VecDeque<Frame>,
    /// The candidate is known to this side.
    linked: bool,
}

impl End {
    fn new(session: Session) -> Self {
        Self {
            session,
            sent: 0,
            received: 0,
            link: VecDeque::new(),
            linked: false,
        }
    }

    fn take(&mut self, now: Instant, transport: Transport, packet: Packet) {
        let Some(message) = self.session.handle_packet(now, transport, packet) else {
            return;
        };
        let bytes = match &message {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(data) => data,
        };
        let number = std::str::from_utf8(bytes).expect("we sent text");
        assert_eq!(
            number.parse(),
            Ok(self.received),
            "lost, doubled or overtaken"
        );
        self.received += 1;
    }
}

/// Where a request or its answer is.
enum Way<T> {
    None,
    There(T),
    AtServer,
    Back(T),
}

struct Pair {
    now: Instant,
    server: End,
    client: End,
    get: Way<Vec<u8>>,
    post: Way<Vec<u8>>,
}

fn body(frames: &[Frame]) -> Vec<u8> {
    encode_payload(frames).to_vec()
}

fn packets(body: &[u8]) -> Vec<Packet> {
    let body = fuzz::lossy(body);
    let packets = decode_payload(&body, usize::MAX).collect::<Result<_, _>>();
    packets.expect("our payload is legal")
}

impl Pair {
    fn new(transport: Transport) -> Self {
        let mut config = SessionConfig::default();
        config.ping_interval = Duration::from_secs(1);
        config.ping_timeout = HOUR;
        config.upgrade_timeout = HOUR;
        let handshake = Handshake {
            sid: "sid".into(),
            upgrades: vec![Transport::WebSocket],
            ping_interval: config.ping_interval,
            ping_timeout: config.ping_timeout,
            max_payload: 1000,
        };
        let client = Session::client(&config, transport);
        let config = config.into();
        let server = Session::server(*START, &config, Wire::default(), transport, &handshake);
        let mut pair = Self {
            now: *START,
            server: End::new(server),
            client: End::new(client),
            get: Way::None,
            post: Way::None,
        };
        let linked = transport == Transport::WebSocket;
        (pair.server.linked, pair.client.linked) = (linked, linked);
        pair
    }

    fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Server => &mut self.server,
            Side::Client => &mut self.client,
        }
    }

    fn send(&mut self, side: Side, binary: bool) {
        let end = self.end(side);
        let text = end.sent.to_string();
        let frame = match binary {
            true => Frame::binary(text.as_bytes()),
            false => Frame::message(&text),
        };
        if end.session.send([&frame].into_iter()).is_ok() {
            end.sent += 1;
        }
    }

    /// The GET takes a step. False when it cannot.
    fn move_get(&mut self) -> bool {
        let (client, server) = (&mut self.client, &mut self.server.session);
        self.get = match std::mem::replace(&mut self.get, Way::None) {
            Way::None if client.session.poll_get() => {
                client.session.handle_get().expect("none is under way");
                Way::There(Vec::new())
            }
            Way::None => return false,
            Way::There(_) => {
                server.handle_get().expect("one GET at a time");
                Way::AtServer
            }
            Way::AtServer => match server.poll_payload(usize::MAX) {
                Some(frames) => Way::Back(body(&frames)),
                None => {
                    self.get = Way::AtServer;
                    return false;
                }
            },
            Way::Back(body) => {
                for packet in packets(&body) {
                    client.take(self.now, Transport::Polling, packet);
                }
                client.session.handle_get_done();
                Way::None
            }
        };
        true
    }

    fn move_post(&mut self, limit: usize) -> bool {
        let (client, server) = (&mut self.client, &mut self.server);
        self.post = match std::mem::replace(&mut self.post, Way::None) {
            Way::None => match client.session.poll_payload(limit) {
                Some(frames) => Way::There(body(&frames)),
                None => return false,
            },
            Way::There(body) => {
                server.session.handle_post().expect("one POST at a time");
                for packet in packets(&body) {
                    server.take(self.now, Transport::Polling, packet);
                }
                Way::AtServer
            }
            Way::AtServer => {
                server.session.handle_post_done();
                Way::Back(Vec::new())
            }
            Way::Back(_) => {
                client.session.handle_post_done();
                Way::None
            }
        };
        true
    }

    /// The client opens a candidate, then the server gets it.
    fn dial(&mut self) -> bool {
        let now = self.now;
        if !self.client.linked {
            self.client.linked = self.client.session.handle_candidate(now);
            return self.client.linked;
        }
        if !self.server.linked && self.client.session.is_upgrading() {
            assert!(self.server.session.handle_candidate(now));
            self.server.linked = true;
            return true;
        }
        false
    }

    /// The candidate breaks while both sides still poll.
    fn cut(&mut self) {
        let ends = [&mut self.server, &mut self.client];
        if ends
            .iter()
            .any(|end| end.session.transport() != Transport::Polling)
        {
            return;
        }
        for end in ends {
            end.session.handle_candidate_closed();
            end.linked = false;
            end.link.clear();
        }
    }

    /// What a side has for the WebSocket is on its way.
    fn write(&mut self, side: Side) -> bool {
        let end = self.end(side);
        if !end.linked {
            return false;
        }
        let mut moved = false;
        while let Some(packet) = end.session.poll_candidate() {
            end.link.push_back(packet.to_frame());
            moved = true;
        }
        while let Some(frame) = end.session.poll_frame() {
            end.session.handle_written(frame.len());
            end.link.push_back(frame);
            moved = true;
        }
        moved
    }

    /// The first frame that is on its way to a side arrives.
    fn read(&mut self, side: Side) -> bool {
        let now = self.now;
        let (end, peer) = match side {
            Side::Server => (&mut self.server, &mut self.client),
            Side::Client => (&mut self.client, &mut self.server),
        };
        if !end.linked {
            return false;
        }
        let Some(frame) = peer.link.pop_front() else {
            return false;
        };
        let data = frame.websocket().slice_ref(frame.packet());
        let message = match frame.is_binary() {
            true => Message::Binary(data),
            false => Message::Text(data.try_into().expect("a text frame is UTF-8")),
        };
        let packet = Revision::V4.decode(message).expect("our packet is legal");
        if end.session.transport() == Transport::WebSocket {
            end.take(now, Transport::WebSocket, packet);
        } else {
            end.session.handle_candidate_packet(now, &packet);
            assert!(end.session.transport() == Transport::WebSocket || end.session.is_upgrading());
        }
        true
    }

    fn pass_time(&mut self) {
        self.now += Duration::from_millis(100);
        self.server.session.handle_timeout(self.now);
        self.client.session.handle_timeout(self.now);
    }

    /// Whatever can move does, until nothing can.
    fn settle(&mut self) {
        while self.move_get()
            | self.move_post(usize::MAX)
            | self.write(Side::Server)
            | self.write(Side::Client)
            | self.read(Side::Server)
            | self.read(Side::Client)
        {}
    }
}

fuzz_target!(|data: &[u8]| {
    // Pings may come every second, and an hour is the limit.
    let mut input = Input(&data[..data.len().min(4096)]);
    let transport = [Transport::Polling, Transport::WebSocket][usize::from(input.below(8) == 7)];
    let mut pair = Pair::new(transport);
    while !input.is_empty() {
        match input.below(16) {
            0 | 1 => pair.send(Side::Server, false),
            2 => pair.send(Side::Server, true),
            3 | 4 => pair.send(Side::Client, false),
            5 => pair.send(Side::Client, true),
            6 | 7 => drop(pair.move_get()),
            8 | 9 => drop(pair.move_post(8)),
            10 => drop(pair.dial()),
            11 => drop(pair.write(Side::Server)),
            12 => drop(pair.write(Side::Client)),
            13 => drop(pair.read(Side::Server)),
            14 => drop(pair.read(Side::Client)),
            _ if input.below(4) == 0 => pair.cut(),
            _ => pair.pass_time(),
        }
    }
    pair.settle();
    for end in [&pair.server, &pair.client] {
        assert_eq!(end.session.state(), ReadyState::Open, "nobody closed it");
    }
    assert_eq!(
        pair.client.received, pair.server.sent,
        "lost on the way to the client"
    );
    assert_eq!(
        pair.server.received, pair.client.sent,
        "lost on the way to the server"
    );
    let transports = [&pair.server, &pair.client].map(|end| end.session.transport());
    assert_eq!(transports[0], transports[1]);
});
