//! What a manager and its sockets do: no I/O, no clock, no randomness.
//!
//! Whatever happens is told with a `handle_*` or one of the verbs of a user (`open`, `emit`, …); afterwards what is to be done is taken out with
//! [`poll_send`](Core::poll_send), [`poll_output`](Core::poll_output) and [`deadline`](Core::deadline). Outputs come in the order in which the reference fires its
//! events.
//!
//! Source: `lib/manager.ts` and `lib/socket.ts` of socket.io-client 4.8.4.

mod backoff;
mod buffer;
mod catch_up;
mod emit;
mod joining;
mod packets;
mod queue;
mod socket;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use engine_io::Text;
use slab::Slab;
use socket_io::protocol::{self, DisconnectReason, Encoded, Parser};
use socket_io::{RawArgs, Value};

use backoff::Backoff;
pub use backoff::Jitter;
pub(crate) use buffer::{Emission, Full};
pub(crate) use catch_up::{CatchUp, Mark, Rule};
pub(crate) use emit::{EmitRefused, Emitted};
use socket::SocketState;
pub(crate) use socket::{Incoming, Phase, Recovery};

/// Names a socket of a manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(usize);

/// How often and when a lost connection is made again.
#[derive(Clone, Debug)]
pub(crate) struct ReconnectConfig {
    pub(crate) enabled: bool,
    /// Without a limit if `None`.
    pub(crate) attempts: Option<u32>,
    pub(crate) delay: Duration,
    pub(crate) delay_max: Duration,
    pub(crate) jitter: Jitter,
}

#[derive(Clone, Debug)]
pub(crate) struct CoreConfig {
    pub(crate) parser: Parser,
    pub(crate) reconnect: ReconnectConfig,
    /// For the opening of a connection.
    pub(crate) connect_timeout: Option<Duration>,
}

/// A packet that is not acknowledged is sent again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retries {
    pub(crate) retries: u32,
    pub(crate) ack_timeout: Duration,
}

#[derive(Clone, Debug)]
pub(crate) struct SocketConfig {
    pub(crate) retries: Option<Retries>,
    /// Whether events are kept until they are acknowledged, however long that takes.
    pub(crate) keeps: bool,
    /// How far the server's history was read. In a box, as few sockets have one.
    pub(crate) catch_up: Option<Box<CatchUp>>,
    /// Bytes of events emitted while there is no connection.
    pub(crate) send_buffer: usize,
    pub(crate) max_acks: usize,
    /// Events that a server may send before it confirms that it has recovered the connection.
    pub(crate) max_early: usize,
    /// For the answer to CONNECT.
    pub(crate) join_timeout: Option<Duration>,
}

/// Whether there is a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    /// The next attempt begins then.
    Waiting(Instant),
    Opening {
        deadline: Option<Instant>,
        /// The how manieth attempt to reconnect this is; 0 if it was asked for.
        attempt: u32,
        /// Whether a failure begins to reconnect.
        retries: bool,
    },
    Open,
}

/// What is to be done, or told.
#[derive(Debug, PartialEq)]
pub(crate) enum Output<C, E> {
    /// Make a connection; answered by `handle_opened` or `handle_failed`. 0 is the first attempt.
    Open { attempt: u32 },
    /// Close the connection once everything is sent, or give up making one.
    Close,
    /// Find out the credentials; answered by `handle_auth`.
    Authorize { socket: Key, epoch: u64 },
    /// An event of the manager.
    Manager(ManagerOutput<E>),
    /// An event of a socket.
    Socket(Key, SocketOutput<E>),
    /// An acknowledgement has come, or will not come.
    Answer(C, Result<RawArgs, NoAnswer>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ManagerOutput<E> {
    Open,
    /// The connection could not be made.
    Error(OpenError<E>),
    Close(DisconnectReason),
    ReconnectAttempt(u32),
    Reconnect(u32),
    ReconnectError(OpenError<E>),
    ReconnectFailed,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SocketOutput<E> {
    Connect {
        id: Text,
        recovered: bool,
        /// What the connection can be recovered with.
        pid: Option<String>,
    },
    ConnectError(JoinError<E>),
    Disconnect(DisconnectReason),
    Event(Incoming),
    /// An event leaves, for those who watch that.
    Sent(protocol::Event),
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum OpenError<E> {
    Engine(E),
    Timeout(Duration),
}

/// Why a socket has not joined.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum JoinError<E> {
    /// There is no connection. The socket joins once there is one.
    Open(OpenError<E>),
    /// The server has refused; the socket does not try again by itself.
    Refused {
        message: String,
        data: Option<Value>,
    },
    /// The server did not answer; the connection is made again.
    Timeout(Duration),
    /// The credentials could not be found out; they are asked for again after a while.
    Auth(String),
    /// The server confirmed without naming an id, as servers of Socket.IO 2 do.
    NoId,
}

/// Why there is no acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    Disconnected,
    Timeout(Duration),
}

#[derive(Debug)]
pub(crate) struct Core<C, E> {
    config: CoreConfig,
    state: State,
    backoff: Backoff,
    sockets: Slab<SocketState<C>>,
    /// Of the last attempt of any socket to join, or wish to. Never used twice, as keys of sockets are.
    last_epoch: u64,
    sends: VecDeque<Encoded>,
    outputs: VecDeque<Output<C, E>>,
}

impl<C, E: Clone> Core<C, E> {
    pub(crate) fn new(config: CoreConfig) -> Self {
        let reconnect = &config.reconnect;
        Self {
            state: State::Closed,
            backoff: Backoff::new(reconnect.delay, reconnect.delay_max, reconnect.jitter),
            // Most managers have one, and room for more is made four at a time.
            sockets: Slab::with_capacity(1),
            last_epoch: 0,
            sends: VecDeque::new(),
            outputs: VecDeque::new(),
            config,
        }
    }

    // What is to be done.

    /// The next packet to send.
    pub(crate) fn poll_send(&mut self) -> Option<Encoded> {
        self.sends.pop_front()
    }

    /// The next thing to do or to tell.
    pub(crate) fn poll_output(&mut self) -> Option<Output<C, E>> {
        let output = self.outputs.pop_front();
        if output.is_none() {
            // Idle managers keep no memory for more.
            self.outputs = VecDeque::new();
        }
        output
    }

    /// How many outputs are to be taken out.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs.len()
    }

    /// When `handle_deadline` wants to be called.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let manager = match self.state {
            State::Waiting(until) => Some(until),
            State::Opening { deadline, .. } => deadline,
            State::Closed | State::Open => None,
        };
        let sockets = self.sockets.iter().flat_map(|(_, socket)| {
            let joining = match socket.phase {
                Phase::Connecting(deadline) => deadline,
                Phase::Delayed(until) => Some(until),
                Phase::Inactive | Phase::Waiting | Phase::Authorizing | Phase::Connected => None,
            };
            let retrying = socket.queue.as_ref().and_then(|queue| queue.deadline());
            [joining, retrying]
        });
        sockets.chain([manager]).flatten().min()
    }

    // The manager.

    pub(crate) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    pub(crate) fn is_opening(&self) -> bool {
        matches!(self.state, State::Opening { .. })
    }

    /// Whether somebody wants a connection, be there one or not.
    pub(crate) fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    pub(crate) fn reconnect_config(&self) -> &ReconnectConfig {
        &self.config.reconnect
    }

    /// Changes how lost connections are made again, from the next wait on. Switched off during a wait, it ends that wait.
    pub(crate) fn set_reconnect(&mut self, config: ReconnectConfig) {
        self.backoff.delay = config.delay;
        self.backoff.delay_max = config.delay_max;
        self.backoff.jitter = config.jitter;
        if !config.enabled && matches!(self.state, State::Waiting(_)) {
            self.state = State::Closed;
        }
        self.config.reconnect = config;
    }

    /// Makes a connection if there is none and none is being made. With `retries`, a failure begins to reconnect.
    pub(crate) fn open(&mut self, now: Instant, retries: bool) {
        match self.state {
            State::Closed => self.start_opening(now, 0, retries),
            State::Waiting(_) | State::Opening { .. } | State::Open => {}
        }
    }

    fn start_opening(&mut self, now: Instant, attempt: u32, retries: bool) {
        self.state = State::Opening {
            deadline: self
                .config
                .connect_timeout
                .map(|timeout| later(now, timeout)),
            attempt,
            retries,
        };
        self.outputs.push_back(Output::Open { attempt });
    }

    /// The connection is there.
    pub(crate) fn handle_opened(&mut self) {
        let State::Opening { attempt, .. } = self.state else {
            return;
        };
        self.state = State::Open;
        self.tell(ManagerOutput::Open);
        for key in self.keys() {
            if self.sockets[key.0].phase == Phase::Waiting {
                self.authorize(key);
            }
        }
        self.backoff.reset();
        if attempt > 0 {
            self.tell(ManagerOutput::Reconnect(attempt));
        }
    }

    /// The connection could not be made.
    pub(crate) fn handle_failed(&mut self, now: Instant, random: f64, error: E) {
        self.fail(now, random, OpenError::Engine(error));
    }

    fn fail(&mut self, now: Instant, random: f64, error: OpenError<E>) {
        let State::Opening {
            attempt, retries, ..
        } = self.state
        else {
            return;
        };
        self.state = State::Closed;
        self.tell_unjoined(&error);
        self.tell(ManagerOutput::Error(error.clone()));
        if attempt > 0 {
            // The reference says that it has failed for good before it says that this attempt has.
            self.reconnect(now, random);
            self.tell(ManagerOutput::ReconnectError(error));
        } else if retries {
            self.reconnect(now, random);
        }
    }

    /// Sockets that want to join, and cannot for now.
    fn tell_unjoined(&mut self, error: &OpenError<E>) {
        for key in self.keys() {
            let socket = &self.sockets[key.0];
            if socket.is_active() && !socket.is_connected() {
                let error = JoinError::Open(error.clone());
                self.tell_socket(key, SocketOutput::ConnectError(error));
            }
        }
    }

    fn reconnect(&mut self, now: Instant, random: f64) {
        let config = &self.config.reconnect;
        if !config.enabled {
            return self.backoff.reset();
        }
        if config
            .attempts
            .is_some_and(|most| self.backoff.attempts() >= most)
        {
            self.backoff.reset();
            return self.tell(ManagerOutput::ReconnectFailed);
        }
        self.state = State::Waiting(later(now, self.backoff.next_wait(random)));
    }

    /// The connection has ended, with an `error` if it failed.
    pub(crate) fn handle_closed(
        &mut self,
        now: Instant,
        random: f64,
        reason: DisconnectReason,
        error: Option<E>,
    ) {
        if self.state != State::Open {
            return;
        }
        if let Some(error) = error {
            // A server that knows a session from one request to the next no more is found out by this.
            self.tell_unjoined(&OpenError::Engine(error));
        }
        self.end_connection(reason);
        self.reconnect(now, random);
    }

    /// The server has sent what is no Socket.IO.
    pub(crate) fn handle_parse_error(&mut self, now: Instant, random: f64) {
        if self.state == State::Open {
            self.outputs.push_back(Output::Close);
            self.handle_closed(now, random, DisconnectReason::ParseError, None);
        }
    }

    fn end_connection(&mut self, reason: DisconnectReason) {
        self.state = State::Closed;
        self.backoff.reset();
        self.sends.clear();
        for key in self.keys() {
            if self.sockets[key.0].is_active() {
                let was_joining = self.leave(key, Phase::Waiting);
                if was_joining {
                    self.tell_socket(key, SocketOutput::Disconnect(reason));
                    self.fail_acks(key);
                }
            }
        }
        self.tell(ManagerOutput::Close(reason));
    }

    /// Ends everything; no socket comes back by itself.
    pub(crate) fn close(&mut self) {
        let reason = DisconnectReason::ForcedClose;
        match self.state {
            State::Open => {
                self.outputs.push_back(Output::Close);
                self.end_connection(reason);
            }
            _ => self.give_up(reason),
        }
        for (_, socket) in &mut self.sockets {
            socket.phase = Phase::Inactive;
        }
    }

    /// Without a connection: makes none any more.
    fn give_up(&mut self, reason: DisconnectReason) {
        if matches!(self.state, State::Opening { .. }) {
            self.outputs.push_back(Output::Close);
        }
        self.state = State::Closed;
        self.backoff.reset();
        self.tell(ManagerOutput::Close(reason));
    }

    /// One of the deadlines has come.
    pub(crate) fn handle_deadline(&mut self, now: Instant, random: f64) {
        match self.state {
            State::Waiting(until) if until <= now => {
                let attempt = self.backoff.attempts();
                self.tell(ManagerOutput::ReconnectAttempt(attempt));
                self.start_opening(now, attempt, true);
            }
            State::Opening {
                deadline: Some(deadline),
                ..
            } if deadline <= now => {
                let timeout = self.config.connect_timeout.unwrap_or_default();
                self.outputs.push_back(Output::Close);
                self.fail(now, random, OpenError::Timeout(timeout));
            }
            _ => {}
        }
        for key in self.keys() {
            let socket = &mut self.sockets[key.0];
            match socket.phase {
                Phase::Delayed(until) if until <= now => self.authorize(key),
                Phase::Connecting(Some(deadline)) if deadline <= now => {
                    return self.abandon(now, random, key);
                }
                _ => {}
            }
            let socket = &mut self.sockets[key.0];
            let queue = socket.queue.as_mut();
            if let Some(queue) = queue.filter(|queue| queue.deadline().is_some_and(|at| at <= now))
            {
                if let Some(Some(completion)) = queue.handle_failure() {
                    let timeout = socket.config.retries.map(|retries| retries.ack_timeout);
                    let no_answer = NoAnswer::Timeout(timeout.unwrap_or_default());
                    self.outputs
                        .push_back(Output::Answer(completion, Err(no_answer)));
                }
                self.send_queued(now, key);
            }
        }
    }

    // Sockets.

    /// The socket of a namespace, if there is one.
    pub(crate) fn find(&self, namespace: &str) -> Option<Key> {
        let mut sockets = self.sockets.iter();
        let found = sockets.find(|(_, socket)| *socket.namespace == *namespace);
        found.map(|(key, _)| Key(key))
    }

    /// Adds the socket of a namespace that has none.
    pub(crate) fn add(&mut self, namespace: Text, config: SocketConfig) -> Key {
        let mut auth_backoff = self.backoff.clone();
        auth_backoff.reset();
        Key(self
            .sockets
            .insert(SocketState::new(namespace, config, auth_backoff)))
    }

    /// Forgets a socket that nobody holds any more.
    pub(crate) fn remove(&mut self, key: Key) {
        self.disconnect(key);
        let mut socket = self.sockets.remove(key.0);
        // The key may be used again.
        self.outputs.retain(|output| match output {
            Output::Authorize { socket, .. } | Output::Socket(socket, _) => *socket != key,
            Output::Open { .. } | Output::Close | Output::Manager(_) | Output::Answer(..) => true,
        });
        let acks = socket.acks.drain().map(|(_, completion)| completion);
        let queued = socket.queue.iter_mut().flat_map(|queue| queue.drain());
        for completion in acks.chain(queued) {
            self.outputs
                .push_back(Output::Answer(completion, Err(NoAnswer::Disconnected)));
        }
    }

    /// Joins the namespace, and opens the manager for that. Nothing happens if it does so already.
    pub(crate) fn connect(&mut self, now: Instant, key: Key) {
        let socket = &mut self.sockets[key.0];
        if socket.is_active() {
            return;
        }
        self.last_epoch += 1;
        (socket.phase, socket.since) = (Phase::Waiting, self.last_epoch);
        self.open(now, true);
        if self.is_open() {
            self.authorize(key);
        }
    }

    /// Leaves the namespace. The connection is closed with its last socket.
    pub(crate) fn disconnect(&mut self, key: Key) {
        let socket = &self.sockets[key.0];
        let was_connected = socket.is_connected();
        if was_connected {
            let packet = self.config.parser.encode_disconnect(&socket.namespace);
            self.sends.push_back(packet);
        }
        self.deactivate(key);
        if was_connected {
            self.tell_socket(
                key,
                SocketOutput::Disconnect(DisconnectReason::IoClientDisconnect),
            );
        }
        self.fail_acks(key);
    }

    /// It wants no connection any more, and if none does, there shall be none.
    fn deactivate(&mut self, key: Key) {
        let was_active = self.sockets[key.0].is_active();
        self.leave(key, Phase::Inactive);
        if was_active && !self.sockets.iter().any(|(_, socket)| socket.is_active()) {
            match self.state {
                State::Open => {
                    self.outputs.push_back(Output::Close);
                    self.state = State::Closed;
                    self.backoff.reset();
                    self.tell(ManagerOutput::Close(DisconnectReason::ForcedClose));
                }
                _ => self.give_up(DisconnectReason::ForcedClose),
            }
        }
    }

    /// Whatever belonged to the connection is over. Whether it had begun to join.
    fn leave(&mut self, key: Key, next: Phase) -> bool {
        let socket = &mut self.sockets[key.0];
        let was_joining = !matches!(socket.phase, Phase::Inactive | Phase::Waiting);
        socket.phase = next;
        self.last_epoch += 1;
        socket.epoch = self.last_epoch;
        socket.id = None;
        socket.early = VecDeque::new();
        was_joining
    }

    /// Acknowledgements of what was sent will not come any more. Those of what waits to be sent still may.
    fn fail_acks(&mut self, key: Key) {
        let socket = &mut self.sockets[key.0];
        let pending: Vec<_> = socket.acks.drain().collect();
        for (id, completion) in pending {
            if socket.sends.contains(id) {
                // It was there before.
                let _ = socket.acks.insert_with_id(id, completion);
            } else {
                let answer = Output::Answer(completion, Err(NoAnswer::Disconnected));
                self.outputs.push_back(answer);
            }
        }
        let queue = socket.queue.as_mut();
        let lost = queue.and_then(|queue| queue.handle_failure());
        if let Some(Some(completion)) = lost {
            let answer = Output::Answer(completion, Err(NoAnswer::Disconnected));
            self.outputs.push_back(answer);
        }
    }

    /// Goes on where an earlier run of the program has stopped. Acknowledgement ids below `next_ack` are given to packets of that time.
    pub(crate) fn restore(
        &mut self,
        key: Key,
        recovery: Option<Recovery>,
        marks: BTreeMap<String, Value>,
        next_ack: u64,
    ) {
        let socket = &mut self.sockets[key.0];
        if let Some(catch_up) = &mut socket.config.catch_up {
            catch_up.restore(marks);
        }
        (socket.recovery, socket.next_ack) = (recovery, next_ack);
    }

    // Looking at a socket.

    pub(crate) fn phase(&self, key: Key) -> Phase {
        self.sockets[key.0].phase
    }

    pub(crate) fn id(&self, key: Key) -> Option<Text> {
        self.sockets[key.0].id.clone()
    }

    /// Whether it does not come back by itself: it wants no connection, or none is being made any more.
    pub(crate) fn is_over(&self, key: Key) -> bool {
        let socket = &self.sockets[key.0];
        !socket.is_active() || (self.is_closed() && socket.phase == Phase::Waiting)
    }

    /// Whether events wait for the socket to join, or for their acknowledgement because they may have to be sent again.
    pub(crate) fn has_unsent(&self, key: Key) -> bool {
        let socket = &self.sockets[key.0];
        let queue = socket.queue.as_ref();
        socket.sends.len() > 0 || queue.is_some_and(|queue| !queue.is_empty())
    }

    pub(crate) fn recovered(&self, key: Key) -> bool {
        self.sockets[key.0].recovered
    }

    /// Whether an acknowledgement of an event of that time still reaches the one who asked.
    pub(crate) fn is_current(&self, key: Key, epoch: u64) -> bool {
        let socket = self.sockets.get(key.0);
        socket.is_some_and(|socket| socket.is_connected() && socket.epoch == epoch)
    }

    /// In the order in which they were told to connect.
    fn keys(&self) -> Vec<Key> {
        let mut keys: Vec<_> = self.sockets.iter().map(|(key, _)| Key(key)).collect();
        keys.sort_unstable_by_key(|key| self.sockets[key.0].since);
        keys
    }

    fn tell(&mut self, output: ManagerOutput<E>) {
        self.outputs.push_back(Output::Manager(output));
    }

    fn tell_socket(&mut self, key: Key, output: SocketOutput<E>) {
        self.outputs.push_back(Output::Socket(key, output));
    }
}

/// Far enough away to never come, near enough for every clock.
const NEVER: Duration = Duration::from_secs(60 * 60 * 24 * 365);

fn later(now: Instant, delay: Duration) -> Instant {
    now + delay.min(NEVER)
}
