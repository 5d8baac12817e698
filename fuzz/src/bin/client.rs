//! A client's manager with two sockets, whose connection, server, user and clock do anything in any order.
#![no_main]

use std::collections::VecDeque;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use engine_io::{Message, Text};
use fuzz::{Input, messages};
use libfuzzer_sys::fuzz_target;
use socket_io::protocol::{AckId, Decoder, DecoderLimits, Encoded, Packet, RawJson};
use socket_io_client::Jitter;
use socket_io_client::fuzzing::{
    ATTEMPTS, Core, Key, MAX_ACKS, MAX_EARLY, Options, SEND_BUFFER, Told,
};

const NAMESPACES: [&str; 2] = ["/", "/a"];

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// What the user's side of a connection does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Engine {
    None,
    Opening,
    Open,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Once,
    /// Sent so many times at the most.
    Repeated(u32),
    Kept,
    Refused,
}

/// An event that the user has emitted; its number is its index.
#[derive(Debug)]
struct Emitted {
    namespace: usize,
    kind: Kind,
    id: Option<AckId>,
    sent: u32,
    /// Nobody waits for an answer, or nobody does any more.
    is_settled: bool,
    /// The answer said that there is none.
    has_failed: bool,
}

struct Socket {
    key: Key,
    options: Options,
    has_joined: bool,
    /// Events that are sent once and wait for that.
    waiting: VecDeque<usize>,
    /// The last event of the queue that was sent.
    repeated: Option<usize>,
    /// The number of the last event of the server.
    received: usize,
    epoch: Option<u64>,
}

struct Run<'a> {
    core: Core,
    engine: Engine,
    sockets: [Option<Socket>; 2],
    events: Vec<Emitted>,
    /// What the server has sent.
    served: usize,
    authorizations: VecDeque<(Key, u64)>,
    connect_timeout: Option<Duration>,
    now: Instant,
    input: Input<'a>,
}

impl<'a> Run<'a> {
    fn new(mut input: Input<'a>) -> Self {
        let jitters = [Jitter::Factor(0.5), Jitter::Capped(1.0), Jitter::Full];
        let jitter = jitters[usize::from(input.below(3))];
        let connect_timeout = input.flag().then_some(Duration::from_secs(20));
        Self {
            core: Core::new(connect_timeout, jitter),
            engine: Engine::None,
            sockets: [None, None],
            events: Vec::new(),
            served: 0,
            authorizations: VecDeque::new(),
            connect_timeout,
            now: *START,
            input,
        }
    }

    fn random(&mut self) -> f64 {
        f64::from(self.input.byte()) / 256.0
    }

    /// The socket of a namespace, which is added if there is none.
    fn socket(&mut self, namespace: usize) -> Key {
        if let Some(socket) = &self.sockets[namespace] {
            return socket.key;
        }
        let kind = self.input.byte();
        let options = Options {
            retries: (kind & 1 == 1).then_some(u32::from(kind >> 1 & 3)),
            keeps: kind >> 3 & 1 == 1,
            join_timeout: (kind >> 4 & 1 == 1).then_some(Duration::from_secs(45)),
        };
        let key = self
            .core
            .add(&Text::from_static(NAMESPACES[namespace]), options);
        self.sockets[namespace] = Some(Socket {
            key,
            options,
            has_joined: false,
            waiting: VecDeque::new(),
            repeated: None,
            received: 0,
            epoch: None,
        });
        key
    }

    fn step(&mut self) {
        let namespace = usize::from(self.input.byte() & 1);
        match self.input.below(24) {
            0..=5 => self.receive(namespace),
            6..=9 => self.emit(namespace),
            10 => {
                let key = self.socket(namespace);
                self.core.connect(self.now, key);
            }
            11 => {
                let key = self.socket(namespace);
                self.core.disconnect(key);
            }
            12 => self.remove(namespace),
            13 | 14 => self.opened(),
            15 => {
                let random = self.random();
                if self.engine == Engine::Opening {
                    self.engine = Engine::None;
                }
                self.core.handle_failed(self.now, random);
            }
            16 => {
                let random = self.random();
                if self.engine == Engine::Open {
                    self.engine = Engine::None;
                }
                self.core.handle_closed(self.now, random);
            }
            17 | 18 => self.authorize(),
            19 | 20 => self.pass_time(),
            21 => self.take_back(),
            22 => {
                let retries = self.input.flag();
                self.core.open(self.now, retries);
            }
            _ => match self.input.below(4) {
                0 => self.core.close(),
                1 => {
                    let random = self.random();
                    self.core.handle_parse_error(self.now, random);
                }
                _ => {
                    let enabled = self.input.flag();
                    self.core.set_reconnect(enabled);
                }
            },
        }
    }

    fn opened(&mut self) {
        if self.engine == Engine::Opening {
            self.engine = Engine::Open;
        }
        self.core.handle_opened();
    }

    fn authorize(&mut self) {
        let Some((key, epoch)) = self.authorizations.pop_front() else {
            return;
        };
        let json = |text: &str| RawJson::new(text.into()).expect("it is JSON");
        let auth = match self.input.below(8) {
            0 => Err("nobody is there".into()),
            1 => Ok(Some(json("[]"))),
            2 => Ok(Some(json(r#"{"token":1,"pid":2}"#))),
            _ => Ok(None),
        };
        let random = self.random();
        self.core.handle_auth(self.now, random, key, epoch, auth);
    }

    fn receive(&mut self, namespace: usize) {
        let prefix = ["", "/a,"][namespace];
        let number = self.input.byte();
        let text = match self.input.below(10) {
            0 | 1 => match number & 3 {
                0 => format!("0{prefix}"),
                1 => format!(r#"0{prefix}{{"sid":"s"}}"#),
                pid => format!(r#"0{prefix}{{"sid":"s","pid":"{pid}"}}"#),
            },
            2 => format!("1{prefix}"),
            3..=5 => {
                self.served += 1;
                let ack = ["", "7"][usize::from(number & 1)];
                let offset = ["", ",1", r#","o""#][usize::from(number >> 1) % 3];
                format!(r#"2{prefix}{ack}["s{}"{offset}]"#, self.served)
            }
            6 => format!(r#"2{prefix}["news",{number}]"#),
            7 => format!("3{prefix}{}[{number}]", number % 16),
            8 => match number & 1 {
                0 => format!(r#"4{prefix}"no""#),
                _ => format!(r#"4{prefix}{{"message":"no","data":[]}}"#),
            },
            _ => format!("{}{prefix}{}", number % 8, self.input.text()),
        };
        self.handle(text.as_str().into());
    }

    fn handle(&mut self, text: Text) {
        let random = self.random();
        let mut decoder = Decoder::new(DecoderLimits::default());
        match decoder.handle(Message::Text(text)) {
            Ok(Some(packet)) => self.core.handle_packet(self.now, random, packet),
            // It has attachments, which are not for the core.
            Ok(None) => {}
            Err(_) => self.core.handle_parse_error(self.now, random),
        }
    }

    fn emit(&mut self, namespace: usize) {
        let key = self.socket(namespace);
        let Self {
            core,
            sockets,
            input,
            events,
            now,
            ..
        } = self;
        let Some(socket) = &mut sockets[namespace] else {
            return;
        };
        let name = Text::from_static(NAMESPACES[namespace]);
        let kind = input.byte();
        let number = events.len();
        let event = number as u64;
        let repeats = socket.options.retries.is_some();
        let mut emitted = Emitted {
            namespace,
            kind: Kind::Once,
            id: None,
            sent: 0,
            is_settled: false,
            has_failed: false,
        };
        if kind & 1 == 1 && repeats {
            let id = core.next_ack_id(key);
            let most = 1 + socket.options.retries.unwrap_or_default();
            emitted.id = Some(id);
            emitted.kind = match core.emit_repeatedly(*now, key, &name, event, id) {
                Ok(()) => Kind::Repeated(most),
                Err(()) => Kind::Refused,
            };
        } else if kind & 2 == 2 && socket.options.keeps {
            let id = core.next_ack_id(key);
            core.keep(*now, key, &name, event, id);
            (emitted.kind, emitted.id) = (Kind::Kept, Some(id));
        } else {
            emitted.id = (kind & 4 == 4).then(|| core.next_ack_id(key));
            let is_ready = kind & 24 != 0;
            match core.emit(key, &name, event, is_ready, emitted.id) {
                Ok(Some(_)) => {
                    assert!(is_ready && socket.has_joined && socket.waiting.is_empty());
                    emitted.sent = 1;
                }
                Ok(None) => {
                    assert!(!is_ready || !socket.has_joined || !socket.waiting.is_empty());
                    socket.waiting.push_back(number);
                }
                Err(()) => emitted.kind = Kind::Refused,
            }
        }
        emitted.is_settled = emitted.id.is_none() || emitted.kind == Kind::Refused;
        events.push(emitted);
    }

    /// The user does not wait for an answer any more, or takes back what is kept.
    fn take_back(&mut self) {
        let index = usize::from(self.input.byte());
        let Some(emitted) = self.events.get_mut(index) else {
            return;
        };
        let (Some(socket), Some(id)) = (&mut self.sockets[emitted.namespace], emitted.id) else {
            return;
        };
        let taken = match emitted.kind {
            Kind::Kept => self.core.withdraw(self.now, socket.key, id),
            _ => self.core.forget(socket.key, id),
        };
        // Events of a socket that was removed have ids that the next one of its namespace uses again.
        let Some(taken) = taken else { return };
        let taken = taken as usize;
        settle(&mut self.events[taken]);
        if self.events[taken].kind == Kind::Once {
            socket.waiting.retain(|&waiting| waiting != taken);
        }
    }

    fn pass_time(&mut self) {
        let random = self.random();
        match self.core.deadline() {
            Some(deadline) if self.input.flag() => self.now = self.now.max(deadline),
            _ => self.now += Duration::from_millis(1 << self.input.below(18)),
        }
        self.core.handle_deadline(self.now, random);
    }

    fn remove(&mut self, namespace: usize) {
        let Some(socket) = self.sockets[namespace].take() else {
            return;
        };
        self.core.remove(socket.key);
        self.authorizations.retain(|(key, _)| *key != socket.key);
        self.settle();
        let events = self.events.iter();
        let mut left = events.filter(|emitted| emitted.namespace == namespace);
        assert!(left.all(|emitted| emitted.is_settled), "no answer");
    }

    /// Takes out what is to be sent and what is told.
    fn settle(&mut self) {
        let mut sent = 0;
        while let Some(packet) = self.core.poll_send() {
            self.send(&packet);
            sent += 1;
        }
        let waited: usize = self.events.len();
        assert!(sent <= waited + 4, "more than there is");
        let mut events = 0;
        while let Some(told) = self.core.poll_output() {
            events += usize::from(matches!(told, Told::Event { .. }));
            self.tell(told);
        }
        assert!(events <= MAX_EARLY);
        assert!(self.core.poll_send().is_none());
        self.check();
    }

    fn send(&mut self, packet: &Encoded) {
        assert_eq!(self.engine, Engine::Open, "there is no connection");
        let mut decoder = Decoder::new(DecoderLimits::default());
        let mut packets = messages(packet)
            .into_iter()
            .map(|message| decoder.handle(message).expect("our packet is legal"));
        let packet = packets.next().flatten().expect("it has no attachments");
        let Packet::Event { event, ack, .. } = packet else {
            assert!(matches!(
                packet,
                Packet::Connect { .. } | Packet::Disconnect { .. }
            ));
            return;
        };
        let number = event.name.strip_prefix('e').and_then(|n| n.parse().ok());
        let number: usize = number.expect("all events are numbered");
        let emitted = &mut self.events[number];
        emitted.sent += 1;
        let socket = self.sockets[emitted.namespace].as_mut();
        let socket = socket.expect("the socket is there");
        assert!(self.core.is_connected(socket.key), "it has not joined");
        assert_eq!(ack, emitted.id);
        assert!(!emitted.has_failed, "sent after it was said not to be");
        let most = match emitted.kind {
            Kind::Once => {
                let first = socket.waiting.pop_front();
                return assert_eq!(first, Some(number), "in order, once");
            }
            Kind::Repeated(most) => most,
            Kind::Kept => u32::MAX,
            Kind::Refused => panic!("sent although it was refused"),
        };
        assert!(emitted.sent <= most, "sent too often");
        let id = emitted.id.expect("it wants an answer");
        // A try is lost where the connection is given up before anything leaves.
        assert!(emitted.sent <= self.core.tries(socket.key, id));
        let before = socket.repeated.replace(number);
        assert!(before.is_none_or(|before| before <= number), "in order");
    }

    fn tell(&mut self, told: Told) {
        match told {
            Told::Open => {
                assert_eq!(self.engine, Engine::None, "there is a connection");
                self.engine = Engine::Opening;
            }
            Told::Close => {
                assert_ne!(self.engine, Engine::None, "there is no connection");
                self.engine = Engine::None;
            }
            Told::Authorize { key, epoch } => {
                self.authorizations.push_back((key, epoch));
                if self.authorizations.len() > 4 {
                    self.authorizations.pop_front();
                }
            }
            Told::ReconnectAttempt(n) => assert!((1..=ATTEMPTS).contains(&n)),
            Told::Connect(key) => {
                let socket = self.by_key(key);
                assert!(!socket.has_joined, "joined twice");
                socket.has_joined = true;
                assert!(socket.waiting.is_empty(), "something still waits");
            }
            Told::ConnectError(key) => assert!(!self.by_key(key).has_joined),
            Told::Disconnect(key) => {
                let socket = self.by_key(key);
                socket.has_joined = false;
                let epoch = socket.epoch.take();
                assert!(epoch.is_none_or(|epoch| !self.core.is_current(key, epoch)));
            }
            Told::Event { key, name, epoch } => {
                assert!(self.core.is_current(key, epoch));
                let socket = self.by_key(key);
                socket.epoch = Some(epoch);
                if let Some(number) = name.strip_prefix('s').and_then(|n| n.parse().ok()) {
                    assert!(socket.received < number, "in order, once");
                    socket.received = number;
                }
            }
            Told::Answer { event, is_answered } => {
                let emitted = &mut self.events[event as usize];
                settle(emitted);
                assert!(!is_answered || emitted.sent > 0 || emitted.kind == Kind::Once);
                emitted.has_failed = !is_answered;
            }
            _ => {}
        }
    }

    fn by_key(&mut self, key: Key) -> &mut Socket {
        let mut sockets = self.sockets.iter_mut().flatten();
        let found = sockets.find(|socket| socket.key == key);
        found.expect("nothing is told of sockets that are gone")
    }

    fn check(&self) {
        let core = &self.core;
        assert_eq!(core.is_open(), self.engine == Engine::Open);
        assert_eq!(core.is_opening(), self.engine == Engine::Opening);
        if core.is_opening() && self.connect_timeout.is_some() {
            assert!(core.deadline().is_some(), "nobody keeps the time");
        }
        for (namespace, socket) in self.sockets.iter().enumerate() {
            let Some(socket) = socket else { continue };
            let key = socket.key;
            assert_eq!(core.is_connected(key), socket.has_joined);
            assert!(!core.is_joining(key) || core.is_open());
            assert!(!core.is_waiting(key) || !core.is_open());
            let buffered = core.buffered(key);
            assert_eq!(buffered == 0, socket.waiting.is_empty());
            assert!(buffered <= SEND_BUFFER || socket.waiting.len() == 1);
            assert!(socket.waiting.is_empty() || core.has_unsent(key));
            let pending = self.events.iter().filter(|emitted| {
                let is_here = emitted.namespace == namespace && emitted.kind == Kind::Once;
                is_here && !emitted.is_settled
            });
            assert!(pending.count() <= MAX_ACKS);
        }
    }

    /// With a good connection and a server that answers, whatever waits is sent and answered.
    fn recover(&mut self) {
        self.core.close();
        self.settle();
        assert!(self.core.is_closed());
        assert_eq!(self.core.deadline(), None, "nothing is due");
        self.authorizations.clear();
        for namespace in [0, 1] {
            if let Some(socket) = &self.sockets[namespace] {
                self.core.connect(self.now, socket.key);
                self.settle();
            }
        }
        self.opened();
        self.settle();
        while let Some((key, epoch)) = self.authorizations.pop_front() {
            self.core.handle_auth(self.now, 0.0, key, epoch, Ok(None));
            self.settle();
        }
        for (namespace, prefix) in ["", "/a,"].into_iter().enumerate() {
            if self.sockets[namespace].is_none() {
                continue;
            }
            self.handle(format!(r#"0{prefix}{{"sid":"s"}}"#).as_str().into());
            self.settle();
            for number in 0..self.events.len() {
                let emitted = &self.events[number];
                if emitted.namespace == namespace
                    && matches!(emitted.kind, Kind::Repeated(_) | Kind::Kept)
                    && let Some(id) = emitted.id
                {
                    self.handle(format!("3{prefix}{id}[]").as_str().into());
                    self.settle();
                }
            }
            let key = self.socket(namespace);
            assert!(self.core.is_connected(key), "it cannot join");
            assert!(!self.core.has_unsent(key), "something was not sent");
        }
    }
}

/// Answers are given once, to those who wait for one.
fn settle(emitted: &mut Emitted) {
    assert!(!emitted.is_settled, "answered twice: {emitted:?}");
    emitted.is_settled = true;
}

fuzz_target!(|data: &[u8]| {
    let mut run = Run::new(Input(data));
    while !run.input.is_empty() {
        run.step();
        run.settle();
    }
    run.recover();
    for namespace in [0, 1] {
        run.remove(namespace);
    }
    assert!(run.core.is_closed());
});
