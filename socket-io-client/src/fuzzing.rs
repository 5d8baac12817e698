//! A door to the pure core, for the target `client` in `fuzz/`. Ordinary builds have no such module: it takes `--cfg fuzzing`.

use std::time::{Duration, Instant};

use engine_io::Text;
use socket_io::protocol::{AckId, DisconnectReason, Encoded, Outgoing, Packet, Parser, RawJson};

use crate::core::{
    self, CatchUp, CoreConfig, Emission, Emitted, ManagerOutput, Output, Phase, Retries, Rule,
    SocketConfig, SocketOutput,
};
use crate::{Jitter, Reconnect};

/// Bytes of events that wait for a socket to join.
pub const SEND_BUFFER: usize = 100;
/// Events of a socket that may be unanswered.
pub const MAX_ACKS: usize = 4;
/// Events that may come before the confirmation.
pub const MAX_EARLY: usize = 3;
/// Attempts to reconnect.
pub const ATTEMPTS: u32 = 3;

/// Names a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(core::Key);

/// How a socket is made.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// So many tries may follow the first one.
    pub retries: Option<u32>,
    /// Whether events are kept until they are acknowledged.
    pub keeps: bool,
    /// For the answer to CONNECT.
    pub join_timeout: Option<Duration>,
}

/// What the core wants to be done, or tells.
#[derive(Debug)]
#[non_exhaustive]
#[allow(missing_docs, reason = "as in the core")]
pub enum Told {
    Open,
    Close,
    Authorize { key: Key, epoch: u64 },
    Closed,
    ReconnectAttempt(u32),
    OtherOfManager,
    Connect(Key),
    ConnectError(Key),
    Disconnect(Key),
    Event { key: Key, name: Text, epoch: u64 },
    Sent { key: Key, name: Text },
    Answer { event: u64, is_answered: bool },
}

/// A core whose events are numbers: event 7 is `e7` on the wire, and 7 completes it.
#[derive(Debug)]
pub struct Core(core::Core<u64, ()>);

impl Core {
    /// It reconnects up to [`ATTEMPTS`] times, and gives an attempt to open so long.
    pub fn new(connect_timeout: Option<Duration>, jitter: Jitter) -> Self {
        Self(core::Core::new(CoreConfig {
            parser: Parser::json(),
            reconnect: Reconnect::default().attempts(ATTEMPTS).jitter(jitter).0,
            connect_timeout,
        }))
    }

    /// Switches it on or off whether connections are made again.
    pub fn set_reconnect(&mut self, enabled: bool) {
        let reconnect = Reconnect(self.0.reconnect_config().clone());
        self.0.set_reconnect(reconnect.enabled(enabled).0);
    }

    /// Adds a socket; the first argument of `news` says how far the server's history was read.
    pub fn add(&mut self, namespace: &Text, options: Options) -> Key {
        let rule = Rule {
            event: Text::from_static("news"),
            argument: 0,
            name: "read".into(),
        };
        let catch_up = CatchUp {
            rules: vec![rule],
            ..CatchUp::default()
        };
        let retries = options.retries.map(|retries| Retries {
            retries,
            ack_timeout: Duration::from_secs(5),
        });
        let config = SocketConfig {
            retries,
            keeps: options.keeps,
            catch_up: Some(Box::new(catch_up)),
            send_buffer: SEND_BUFFER,
            max_acks: MAX_ACKS,
            max_early: MAX_EARLY,
            join_timeout: options.join_timeout,
        };
        Key(self.0.add(namespace.clone(), config))
    }

    /// The packet of an event, as users encode it.
    fn emission(namespace: &Text, event: u64, id: Option<AckId>, is_watched: bool) -> Emission {
        let outgoing = Outgoing::new(&format!("e{event}"), &(), 0).expect("it can be sent");
        Emission {
            packet: outgoing.encode(namespace, id),
            event: is_watched.then(|| outgoing.event()),
        }
    }

    /// Emits an event once; the packet, if it is to be sent now.
    ///
    /// # Errors
    ///
    /// When it is refused.
    #[expect(clippy::result_unit_err, reason = "why is not looked at")]
    pub fn emit(
        &mut self,
        key: Key,
        namespace: &Text,
        event: u64,
        is_ready: bool,
        id: Option<AckId>,
    ) -> Result<Option<Encoded>, ()> {
        let emission = Self::emission(namespace, event, id, event % 2 == 0);
        let ack = id.map(|id| (id, event));
        match self.0.emit(key.0, is_ready, emission, ack) {
            Ok(Emitted::Now(emission)) => Ok(Some(emission.packet)),
            Ok(Emitted::Later) => Ok(None),
            Err(_) => Err(()),
        }
    }

    /// Emits an event that is sent until it is acknowledged.
    ///
    /// # Errors
    ///
    /// When it is refused.
    #[expect(clippy::result_unit_err, reason = "why is not looked at")]
    pub fn emit_repeatedly(
        &mut self,
        now: Instant,
        key: Key,
        namespace: &Text,
        event: u64,
        id: AckId,
    ) -> Result<(), ()> {
        let emission = Self::emission(namespace, event, Some(id), event % 2 == 0);
        let result = self
            .0
            .emit_repeatedly(now, key.0, emission, id, Some(event));
        result.map_err(drop)
    }

    /// Emits an event that is never given up.
    pub fn keep(&mut self, now: Instant, key: Key, namespace: &Text, event: u64, id: AckId) {
        let emission = Self::emission(namespace, event, Some(id), event % 2 == 0);
        self.0.keep(now, key.0, emission, id, event);
    }

    /// What is told next.
    pub fn poll_output(&mut self) -> Option<Told> {
        Some(match self.0.poll_output()? {
            Output::Open { .. } => Told::Open,
            Output::Close => Told::Close,
            Output::Authorize { socket, epoch } => Told::Authorize {
                key: Key(socket),
                epoch,
            },
            Output::Manager(ManagerOutput::Close(_)) => Told::Closed,
            Output::Manager(ManagerOutput::ReconnectAttempt(n)) => Told::ReconnectAttempt(n),
            Output::Manager(_) => Told::OtherOfManager,
            Output::Socket(key, output) => match output {
                SocketOutput::Connect { .. } => Told::Connect(Key(key)),
                SocketOutput::ConnectError(_) => Told::ConnectError(Key(key)),
                SocketOutput::Disconnect(_) => Told::Disconnect(Key(key)),
                SocketOutput::Event(incoming) => Told::Event {
                    key: Key(key),
                    name: incoming.event.name,
                    epoch: incoming.epoch,
                },
                SocketOutput::Sent(event) => Told::Sent {
                    key: Key(key),
                    name: event.name,
                },
            },
            Output::Answer(event, answer) => Told::Answer {
                event,
                is_answered: answer.is_ok(),
            },
        })
    }

    /// Whether the socket has joined.
    pub fn is_connected(&self, key: Key) -> bool {
        self.0.phase(key.0) == Phase::Connected
    }

    /// Whether the socket's state is one of a connection.
    pub fn is_joining(&self, key: Key) -> bool {
        !matches!(self.0.phase(key.0), Phase::Inactive | Phase::Waiting)
    }

    /// Whether the socket waits for a connection.
    pub fn is_waiting(&self, key: Key) -> bool {
        self.0.phase(key.0) == Phase::Waiting
    }
}

/// As they are in the core.
#[allow(missing_docs, reason = "as in the core")]
impl Core {
    pub fn poll_send(&mut self) -> Option<Encoded> {
        self.0.poll_send()
    }
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline()
    }
    pub fn is_open(&self) -> bool {
        self.0.is_open()
    }
    pub fn is_opening(&self) -> bool {
        self.0.is_opening()
    }
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
    pub fn open(&mut self, now: Instant, retries: bool) {
        self.0.open(now, retries);
    }
    pub fn close(&mut self) {
        self.0.close();
    }
    pub fn connect(&mut self, now: Instant, key: Key) {
        self.0.connect(now, key.0);
    }
    pub fn disconnect(&mut self, key: Key) {
        self.0.disconnect(key.0);
    }
    pub fn remove(&mut self, key: Key) {
        self.0.remove(key.0);
    }
    pub fn next_ack_id(&mut self, key: Key) -> AckId {
        self.0.next_ack_id(key.0)
    }
    pub fn forget(&mut self, key: Key, id: AckId) -> Option<u64> {
        self.0.forget(key.0, id)
    }
    pub fn withdraw(&mut self, now: Instant, key: Key, id: AckId) -> Option<u64> {
        self.0.withdraw(now, key.0, id)
    }
    pub fn tries(&self, key: Key, id: AckId) -> u32 {
        self.0.tries(key.0, id)
    }
    pub fn buffered(&self, key: Key) -> usize {
        self.0.buffered(key.0)
    }
    pub fn has_unsent(&self, key: Key) -> bool {
        self.0.has_unsent(key.0)
    }
    pub fn is_current(&self, key: Key, epoch: u64) -> bool {
        self.0.is_current(key.0, epoch)
    }
    pub fn handle_opened(&mut self) {
        self.0.handle_opened();
    }
    pub fn handle_failed(&mut self, now: Instant, random: f64) {
        self.0.handle_failed(now, random, ());
    }
    pub fn handle_closed(&mut self, now: Instant, random: f64) {
        let reason = DisconnectReason::TransportClose;
        self.0.handle_closed(now, random, reason, Some(()));
    }
    pub fn handle_parse_error(&mut self, now: Instant, random: f64) {
        self.0.handle_parse_error(now, random);
    }
    pub fn handle_deadline(&mut self, now: Instant, random: f64) {
        self.0.handle_deadline(now, random);
    }
    pub fn handle_auth(
        &mut self,
        now: Instant,
        random: f64,
        key: Key,
        epoch: u64,
        auth: Result<Option<RawJson>, String>,
    ) {
        self.0.handle_auth(now, random, key.0, epoch, auth);
    }
    pub fn handle_packet(&mut self, now: Instant, random: f64, packet: Packet) {
        self.0.handle_packet(now, random, packet);
    }
}
