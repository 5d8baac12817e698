//! The rules, with a virtual clock and packets as text.

mod emitting;
mod joining;
mod keeping;
mod reconnecting;
mod retries;

use std::time::{Duration, Instant};

use engine_io::{Message, Text};
use socket_io::protocol::{AckId, DecoderLimits, DisconnectReason, Parser, RawJson};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A core, the time, and what happened since somebody looked.
struct Rig {
    core: Core<u32, &'static str>,
    now: Instant,
    /// Drawn by the backoff.
    random: f64,
    /// Credentials are given at once.
    auth: Option<&'static str>,
    trace: Vec<String>,
    sent: Vec<String>,
}

impl Rig {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut CoreConfig)) -> Self {
        let mut config = CoreConfig {
            parser: Parser::json(),
            reconnect: ReconnectConfig {
                enabled: true,
                attempts: None,
                delay: SECOND,
                delay_max: 5 * SECOND,
                jitter: Jitter::Factor(0.0),
            },
            connect_timeout: Some(20 * SECOND),
        };
        change(&mut config);
        Self {
            core: Core::new(config),
            now: Instant::now(),
            random: 0.0,
            auth: None,
            trace: Vec::new(),
            sent: Vec::new(),
        }
    }

    fn socket(&mut self, namespace: &'static str) -> Key {
        self.socket_with(namespace, |_| {})
    }

    fn socket_with(
        &mut self,
        namespace: &'static str,
        change: impl FnOnce(&mut SocketConfig),
    ) -> Key {
        let mut config = SocketConfig {
            retries: None,
            keeps: false,
            catch_up: None,
            send_buffer: 1000,
            max_acks: 10,
            max_early: 3,
            join_timeout: Some(45 * SECOND),
        };
        change(&mut config);
        self.core.add(Text::from_static(namespace), config)
    }

    /// Does what is to be done and notes what is told.
    fn settle(&mut self) {
        loop {
            while let Some(packet) = self.core.poll_send() {
                let text = packet.header().packet();
                self.sent.push(String::from_utf8_lossy(text).into_owned());
            }
            let Some(output) = self.core.poll_output() else {
                return;
            };
            if let Output::Authorize { socket, epoch } = output {
                let auth = self
                    .auth
                    .map(|auth| RawJson::new(auth.into()).expect("it is JSON"));
                let (now, random) = (self.now, self.random);
                self.core.handle_auth(now, random, socket, epoch, Ok(auth));
                continue;
            }
            let line = self.describe(output);
            self.trace.push(line);
        }
    }

    fn describe(&self, output: Output<u32, &'static str>) -> String {
        let reason = |reason: DisconnectReason| reason.as_str();
        match output {
            Output::Open { attempt } => format!("open engine:{attempt}"),
            Output::Close => "close engine".into(),
            Output::Authorize { .. } => unreachable!("settled before"),
            Output::Answer(tag, Ok(args)) => {
                format!("answer {tag}:[{}]", args.json().unwrap_or("?"))
            }
            Output::Answer(tag, Err(NoAnswer::Disconnected)) => {
                format!("no answer {tag}:disconnected")
            }
            Output::Answer(tag, Err(NoAnswer::Timeout(_))) => format!("no answer {tag}:timeout"),
            Output::Manager(event) => match event {
                ManagerOutput::Open => "open".into(),
                ManagerOutput::Error(_) => "error".into(),
                ManagerOutput::Close(why) => format!("close:{}", reason(why)),
                ManagerOutput::ReconnectAttempt(n) => format!("reconnect_attempt:{n}"),
                ManagerOutput::Reconnect(n) => format!("reconnect:{n}"),
                ManagerOutput::ReconnectError(_) => "reconnect_error".into(),
                ManagerOutput::ReconnectFailed => "reconnect_failed".into(),
            },
            Output::Socket(key, event) => {
                let socket = self.core.sockets.get(key.0);
                let namespace = socket.map_or("(gone)", |socket| &*socket.namespace);
                let what = match event {
                    SocketOutput::Connect { id, recovered, .. } => {
                        format!("connect:{id}:{recovered}")
                    }
                    SocketOutput::ConnectError(error) => match error {
                        JoinError::Open(_) => "connect_error".into(),
                        JoinError::Refused { message, data } => {
                            format!("refused:{message}:{data:?}")
                        }
                        JoinError::Timeout(_) => "connect_error:timeout".into(),
                        JoinError::Auth(message) => format!("connect_error:{message}"),
                        JoinError::NoId => "connect_error:no id".into(),
                    },
                    SocketOutput::Disconnect(why) => format!("disconnect:{}", reason(why)),
                    SocketOutput::Event(incoming) => {
                        format!(
                            "event:{}[{}]",
                            incoming.event.name,
                            incoming.event.args.json().unwrap_or("?")
                        )
                    }
                    SocketOutput::Sent(event) => format!("sent:{}", event.name),
                };
                format!("{namespace} {what}")
            }
        }
    }

    #[track_caller]
    fn check(&mut self, expected: &[&str]) {
        self.settle();
        assert_eq!(std::mem::take(&mut self.trace), expected);
    }

    #[track_caller]
    fn check_sent(&mut self, expected: &[&str]) {
        self.settle();
        assert_eq!(std::mem::take(&mut self.sent), expected);
    }

    fn forget(&mut self) {
        self.settle();
        self.trace.clear();
        self.sent.clear();
    }

    fn connect(&mut self, key: Key) {
        self.core.connect(self.now, key);
        self.settle();
    }

    fn opened(&mut self) {
        self.core.handle_opened();
        self.settle();
    }

    fn failed(&mut self) {
        self.core.handle_failed(self.now, self.random, "refused");
    }

    fn closed(&mut self) {
        let reason = DisconnectReason::TransportClose;
        self.core.handle_closed(self.now, self.random, reason, None);
    }

    /// The server sends a packet, written as it is behind Engine.IO's `4`.
    #[track_caller]
    fn receive(&mut self, text: &'static str) {
        let mut decoder = Parser::json().decoder(DecoderLimits::default());
        let packet = decoder
            .handle(Message::Text(text.into()))
            .expect("it is a packet");
        let packet = packet.expect("it has no attachments");
        self.core.handle_packet(self.now, self.random, packet);
        self.settle();
    }

    /// Goes to the next deadline, which is this far away.
    #[track_caller]
    fn wait(&mut self, expected: Duration) {
        self.settle();
        let deadline = self.core.deadline().expect("something is due");
        assert_eq!(deadline - self.now, expected);
        self.now = deadline;
        self.core.handle_deadline(self.now, self.random);
    }

    /// A socket of that namespace that has joined.
    fn joined(&mut self, namespace: &'static str) -> Key {
        let key = self.socket(namespace);
        self.join(key);
        key
    }

    fn join(&mut self, key: Key) {
        self.connect(key);
        if !self.core.is_open() {
            self.opened();
        }
        self.settle();
        match &*self.core.sockets[key.0].namespace {
            "/" => self.receive(r#"0{"sid":"s"}"#),
            "/foo" => self.receive(r#"0/foo,{"sid":"f"}"#),
            other => panic!("no answer prepared for {other}"),
        }
        self.forget();
    }

    /// Emits an event without arguments, and says what became of it.
    fn emit(&mut self, key: Key, name: &str, ack: Option<u32>) -> Result<(), EmitRefused> {
        let id = self.core.next_ack_id(key);
        let emission = self.emission(key, name, ack.map(|_| id), false);
        let emitted = self
            .core
            .emit(key, true, emission, ack.map(|tag| (id, tag)))?;
        if let Emitted::Now(emission) = emitted {
            self.settle();
            let text = emission.packet.header().packet();
            self.sent.push(String::from_utf8_lossy(text).into_owned());
        }
        Ok(())
    }

    fn emission(&self, key: Key, name: &str, ack: Option<AckId>, watched: bool) -> Emission {
        let namespace = &self.core.sockets[key.0].namespace;
        let outgoing = socket_io::protocol::Outgoing::new(name, &(), 10).expect("it can be sent");
        Emission {
            packet: outgoing.encode(namespace, ack),
            event: watched.then(|| outgoing.event()),
        }
    }
}
