//! The state of one session, for both roles, without I/O, clock or randomness.
//!
//! Inputs are `handle_*` (and [`Session::send`], [`Session::close`]), outputs are `poll_*`. After any input the owner drains the outputs that its
//! transport can carry:
//!
//! | transport | carries |
//! |---|---|
//! | WebSocket | [`Session::poll_frame`] until `None`, then [`Session::handle_written`] as bytes leave |
//! | polling, server | [`Session::poll_payload`] answers the parked GET |
//! | polling, client | [`Session::poll_payload`] is the body of the next POST, [`Session::poll_get`] says when to poll |
//! | candidate of an upgrade | [`Session::poll_candidate`] |
//!
//! and calls [`Session::handle_timeout`] at [`Session::poll_timeout`].
//!
//! ```text
//! Opening --open packet--> Open --close()--> Closing --everything sent--> Closed(reason)
//!    |                      |                                                ^
//!    |______________________|____ peer gone, timeout, broken rules __________|
//! ```
//!
//! A server's session is Open from the start; its first output is the open packet.

mod close;
mod counters;
mod heartbeat;
mod latest;
mod outbox;
mod polling;
mod queue;
#[cfg(test)]
mod tests;
mod upgrade;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use close::CloseReason;
pub use counters::Counters;
pub use latest::LatestKey;
pub use outbox::SendError;

use crate::frame::Frame;
use crate::handshake::Handshake;
use crate::packet::{Message, Packet};
use crate::transport::Transport;
use crate::wire::{BinaryForm, Revision, Wire};
use heartbeat::{Due, Heartbeat, later};
use outbox::Outbox;
use polling::Polling;
use upgrade::{Step, Upgrade};

/// Which end of the connection a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // complete by definition
pub enum Side {
    /// Answers requests and pings.
    Server,
    /// Makes requests and answers pings.
    Client,
}

/// Where a session is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // complete by definition of the protocol
pub enum ReadyState {
    /// A client waits for the open packet.
    Opening,
    /// Messages flow.
    Open,
    /// What is queued still leaves; nothing more is taken in or out.
    Closing,
    /// Over.
    Closed(CloseReason),
}

/// The time and size limits of a session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionConfig {
    /// Time from a pong (or the opening) to the next ping. Default 25 s.
    pub ping_interval: Duration,
    /// Time within which the peer must be heard after a ping. Default 20 s.
    pub ping_timeout: Duration,
    /// Time from the arrival of a candidate transport to the end of the upgrade. Default 10 s.
    pub upgrade_timeout: Duration,
    /// How long a closing session waits for the peer to take what is queued. Default 30 s.
    pub close_timeout: Duration,
    /// Bytes that may wait to be sent. Default 16 MiB.
    pub outbox_limit: usize,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(30),
            outbox_limit: 16 << 20,
        }
    }
}

/// A second GET or POST arrived while one was under way; the session is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlap;

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a request of that kind is under way already")
    }
}

impl std::error::Error for Overlap {}

/// One end of an Engine.IO session.
#[derive(Debug)]
pub struct Session {
    side: Side,
    wire: Wire,
    config: Arc<SessionConfig>,
    state: ReadyState,
    transport: Transport,
    heartbeat: Heartbeat,
    upgrade: Upgrade,
    candidate_binary: BinaryForm,
    /// The candidate is to be probed, or its probe to be answered.
    probe_due: bool,
    polling: Polling,
    outbox: Outbox,
    counters: Counters,
    close_deadline: Option<Instant>,
    /// The peer said goodbye, so it needs no close packet.
    peer_closed: bool,
    /// The session ended before everything had left.
    lost: bool,
    handshake: Option<Box<Handshake>>,
}

impl Session {
    /// A server's session, open at once; `handshake` is its first output. What the peer's handshake asked for decides about `wire`.
    ///
    /// The sessions of a server share its limits.
    pub fn server(
        now: Instant,
        config: &Arc<SessionConfig>,
        wire: Wire,
        transport: Transport,
        handshake: &Handshake,
    ) -> Self {
        let mut session = Self::new(Side::Server, config.clone(), wire, transport);
        session.state = ReadyState::Open;
        session.start_heartbeat(now);
        session
            .outbox
            .push_control(&handshake.to_packet().to_frame());
        session
    }

    /// A client's session of revision 4, which waits for the server's open packet. Ping times come from there.
    pub fn client(config: &SessionConfig, transport: Transport) -> Self {
        let config = Arc::new(config.clone());
        Self::new(Side::Client, config, Wire::default(), transport)
    }

    fn new(side: Side, config: Arc<SessionConfig>, wire: Wire, transport: Transport) -> Self {
        Self {
            side,
            wire,
            state: ReadyState::Opening,
            transport,
            heartbeat: Heartbeat::default(),
            upgrade: Upgrade::None,
            candidate_binary: BinaryForm::default(),
            probe_due: false,
            polling: Polling::default(),
            outbox: Outbox::new(config.outbox_limit),
            config,
            counters: Counters::default(),
            close_deadline: None,
            peer_closed: false,
            lost: false,
            handshake: None,
        }
    }

    /// Where the session is in its life.
    pub fn state(&self) -> ReadyState {
        self.state
    }

    /// The transport that carries messages now.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// The revision of the protocol, which never changes, and the form of binary messages over the current transport.
    ///
    /// Frames for a WebSocket have it already; who writes a payload goes by it.
    pub fn wire(&self) -> Wire {
        self.wire
    }

    /// What the server told at the opening; on clients only.
    pub fn handshake(&self) -> Option<&Handshake> {
        self.handshake.as_deref()
    }

    /// The same session with binary messages written in that form over a WebSocket.
    #[must_use]
    pub fn with_binary(mut self, binary: BinaryForm) -> Self {
        self.wire.binary = binary;
        self
    }

    /// When the peer will have been silent for too long, or is to be asked for a sign of life; `None` before the opening and after the end.
    pub fn heartbeat_deadline(&self) -> Option<Instant> {
        self.heartbeat.deadline()
    }

    /// Whether a client has sent its close packet over polling.
    pub fn said_goodbye(&self) -> bool {
        self.polling.goodbye
    }

    /// Whether a candidate transport is being tried.
    pub fn is_upgrading(&self) -> bool {
        self.upgrade.is_active()
    }

    /// Whether the session has moved from polling to another transport.
    pub fn is_upgraded(&self) -> bool {
        self.upgrade == Upgrade::Done
    }

    /// What the session has carried so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Whether the peer ended the session itself.
    pub fn peer_closed(&self) -> bool {
        self.peer_closed
    }

    /// Bytes that wait to be written.
    pub fn buffered(&self) -> usize {
        self.outbox.buffered()
    }

    /// Whether a message sent now would leave at once. Volatile messages are dropped otherwise.
    pub fn is_writable(&self) -> bool {
        let free = match (self.transport, self.side) {
            (Transport::WebSocket, _) => self.outbox.is_drained(),
            (Transport::Polling, Side::Server) => self.polling.get && !self.outbox.has_frames(),
            (Transport::Polling, Side::Client) => !self.polling.post && !self.outbox.has_frames(),
        };
        free && self.state == ReadyState::Open
    }

    // Messages.

    /// Queues the frames of one message, all of them or none.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] when the session is closing or closed, [`SendError::Full`] when the peer is too slow.
    pub fn send<'a>(
        &mut self,
        frames: impl Iterator<Item = &'a Frame> + Clone,
    ) -> Result<(), SendError> {
        self.check_sending()?;
        let size = frames.clone().map(Frame::len).sum();
        let queued = self.outbox.push(frames, size);
        queued.inspect_err(|_| self.counters.full())
    }

    /// Queues a message of one frame, without another share of its bytes.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_frame(&mut self, frame: Frame) -> Result<(), SendError> {
        self.check_sending()?;
        let queued = self.outbox.push_frame(frame);
        queued.inspect_err(|_| self.counters.full())
    }

    /// The same for what has to be said however slow the peer is: it may go beyond the limit by 64 KiB.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send); [`SendError::Full`] when that is used up, too.
    pub fn send_reserved<'a>(
        &mut self,
        frames: impl Iterator<Item = &'a Frame> + Clone,
    ) -> Result<(), SendError> {
        self.check_sending()?;
        let size = frames.clone().map(Frame::len).sum();
        let queued = self.outbox.push_reserved(frames, size);
        queued.inspect_err(|_| self.counters.full())
    }

    /// The same for a message that replaces the one of the same key, if that still waits whole; true when it did. It gets the other one's place in the queue.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send); the older message is still queued then. One that is no longer than the older one always fits.
    pub fn send_latest<'a>(
        &mut self,
        key: &LatestKey,
        frames: impl Iterator<Item = &'a Frame> + Clone,
    ) -> Result<bool, SendError> {
        self.check_sending()?;
        let size = frames.clone().map(Frame::len).sum();
        let replaced = self.outbox.push_latest(key, frames, size);
        let replaced = replaced.inspect_err(|_| self.counters.full())?;
        self.counters.replaced = self.counters.replaced.saturating_add(replaced.into());
        Ok(replaced)
    }

    /// Whether a volatile message is to be dropped now: the session is open, and a message would not leave at once. One that is dropped is counted.
    pub fn skip_volatile(&mut self) -> bool {
        let skip = self.state == ReadyState::Open && !self.is_writable();
        self.counters.skipped = self.counters.skipped.saturating_add(skip.into());
        skip
    }

    fn check_sending(&self) -> Result<(), SendError> {
        match self.state {
            ReadyState::Opening | ReadyState::Open => Ok(()),
            ReadyState::Closing | ReadyState::Closed(_) => Err(SendError::Closed),
        }
    }

    /// `None` while something waits to be written. Otherwise everything that was sent has left, or the session ended before that, for this reason.
    pub fn drained(&self) -> Option<Result<(), CloseReason>> {
        match self.state {
            ReadyState::Closed(reason) if self.lost => Some(Err(reason)),
            ReadyState::Closed(_) => Some(Ok(())),
            _ => self.outbox.is_drained().then_some(Ok(())),
        }
    }

    /// Takes a packet that arrived over `transport`, and returns the message if it is one.
    ///
    /// A late packet of a transport that the session has left is ignored, and so is anything after the end.
    pub fn handle_packet(
        &mut self,
        now: Instant,
        transport: Transport,
        packet: Packet,
    ) -> Option<Message> {
        let wanted = match self.state {
            ReadyState::Opening | ReadyState::Open => true,
            // Nobody is left to take what is queued.
            ReadyState::Closing => packet == Packet::Close,
            ReadyState::Closed(_) => false,
        };
        if transport != self.transport || !wanted {
            return None;
        }
        self.counters.received(&packet);
        self.handle_traffic(now);
        let role = self.heartbeat_role();
        match (packet, self.side) {
            (Packet::Open(data), Side::Client) if self.state == ReadyState::Opening => {
                self.handle_handshake(now, &data);
            }
            (_, Side::Client) if self.state == ReadyState::Opening => {
                self.finish(CloseReason::TransportError);
            }
            (Packet::Message(message), _) => return Some(message),
            (Packet::Ping(_), _) if role == Side::Client => {
                self.handle_beat(now);
                self.outbox
                    .push_control(&Packet::Pong(Default::default()).to_frame());
            }
            (Packet::Pong(_), _) if role == Side::Server => self.handle_beat(now),
            (Packet::Ping(_) | Packet::Pong(_), Side::Server) => {
                self.finish(CloseReason::TransportError);
            }
            (Packet::Close, _) if transport == Transport::Polling => {
                self.peer_closed = true;
                self.finish(CloseReason::TransportClose);
            }
            (
                Packet::Open(_)
                | Packet::Close
                | Packet::Ping(_)
                | Packet::Pong(_)
                | Packet::Upgrade
                | Packet::Noop,
                _,
            ) => {}
        }
        None
    }

    /// Which side of revision 4's heartbeat this session is: the server's pings, the client's answers. In revision 3 it was the other way round.
    fn heartbeat_role(&self) -> Side {
        match (self.wire.revision, self.side) {
            (Revision::V4, side) => side,
            (Revision::V3, Side::Server) => Side::Client,
            (Revision::V3, Side::Client) => Side::Server,
        }
    }

    fn start_heartbeat(&mut self, now: Instant) {
        self.heartbeat
            .start(now, self.heartbeat_role(), &self.config);
    }

    /// A client got a ping, or a server a pong.
    fn handle_beat(&mut self, now: Instant) {
        if self.heartbeat.is_waiting() {
            self.start_heartbeat(now);
        }
    }

    fn handle_handshake(&mut self, now: Instant, data: &str) {
        match Handshake::parse(data) {
            Ok(handshake) => {
                let config = Arc::make_mut(&mut self.config);
                config.ping_interval = handshake.ping_interval;
                config.ping_timeout = handshake.ping_timeout;
                self.start_heartbeat(now);
                self.handshake = Some(Box::new(handshake));
                self.state = ReadyState::Open;
            }
            Err(_) => self.finish(CloseReason::ParseError),
        }
    }

    /// Bytes arrived that complete no packet yet: the peer is alive.
    pub fn handle_traffic(&mut self, now: Instant) {
        self.heartbeat.handle_traffic(now, &self.config);
    }

    /// What arrived over `transport` is no packet. A server calls that a parse error, and a client an error of the transport, as in the reference.
    pub fn handle_garbage(&mut self, transport: Transport) {
        if transport == self.transport {
            self.finish(match self.side {
                Side::Server => CloseReason::ParseError,
                Side::Client => CloseReason::TransportError,
            });
        }
    }

    // A streaming transport.

    /// The next frame for a WebSocket, in the form that the peer wants.
    pub fn poll_frame(&mut self) -> Option<Frame> {
        if self.transport != Transport::WebSocket {
            return None;
        }
        let frame = self.outbox.pop(self.wire)?;
        self.counters.sent_frame(&frame);
        Some(frame)
    }

    /// Whether frames wait for the owner, who has nothing left to write: over a WebSocket, and on clients. While it still writes, it polls when it is done,
    /// so nobody has to wake it.
    pub fn has_turn(&self) -> bool {
        (self.transport == Transport::WebSocket || self.side == Side::Client)
            && self.outbox.has_frames()
            && !self.outbox.is_writing()
    }

    /// Bytes of polled frames were written. Ends a closing session once all are.
    pub fn handle_written(&mut self, bytes: usize) {
        self.outbox.written(bytes);
        if self.state == ReadyState::Closing
            && self.transport == Transport::WebSocket
            && self.outbox.is_drained()
        {
            self.finish(CloseReason::ForcedClose);
        }
    }

    /// The current transport is gone.
    pub fn handle_transport_closed(&mut self, reason: CloseReason) {
        self.peer_closed |= reason == CloseReason::TransportClose;
        self.finish(reason);
    }

    // Polling.

    /// A GET begins: it arrived (server) or was sent (client).
    ///
    /// # Errors
    ///
    /// [`Overlap`] when one is under way; the session is closed.
    pub fn handle_get(&mut self) -> Result<(), Overlap> {
        if self.polling.get {
            self.finish(CloseReason::TransportError);
            return Err(Overlap);
        }
        self.polling.get = true;
        self.polling.late = self.state == ReadyState::Closing;
        Ok(())
    }

    /// The GET ended without the help of [`poll_payload`](Self::poll_payload): a client got its answer, or the client of a server went away.
    pub fn handle_get_done(&mut self) {
        self.polling.get = false;
        if self.side == Side::Server && self.transport == Transport::Polling {
            self.finish(CloseReason::TransportError);
        }
    }

    /// A POST begins.
    ///
    /// # Errors
    ///
    /// [`Overlap`] when one is under way; the session is closed.
    pub fn handle_post(&mut self) -> Result<(), Overlap> {
        if self.polling.post {
            self.finish(CloseReason::TransportError);
            return Err(Overlap);
        }
        self.polling.post = true;
        Ok(())
    }

    /// The POST was answered.
    pub fn handle_post_done(&mut self) {
        self.polling.post = false;
        if self.side == Side::Client {
            // Clients do not move to a WebSocket before.
            self.outbox.written(usize::MAX);
        }
        if self.state == ReadyState::Closing && self.polling.goodbye {
            self.finish(CloseReason::ForcedClose);
        }
    }

    /// Whether a client should send a GET now.
    pub fn poll_get(&self) -> bool {
        self.side == Side::Client
            && self.transport == Transport::Polling
            && !self.polling.get
            && !self.upgrade.is_pausing()
            && matches!(self.state, ReadyState::Opening | ReadyState::Open)
    }

    /// What the parked GET is answered with, or the body of a client's next POST; at most `limit` bytes unless a single packet is larger.
    ///
    /// The GET is free afterwards; the POST is under way until [`handle_post_done`](Self::handle_post_done).
    pub fn poll_payload(&mut self, limit: usize) -> Option<Vec<Frame>> {
        let batch = match self.side {
            Side::Server => self.answer(limit),
            Side::Client => self.request(limit),
        }?;
        match self.side {
            Side::Server => self.polling.get = false,
            Side::Client => self.polling.post = true,
        }
        batch
            .iter()
            .for_each(|frame| self.counters.sent_frame(frame));
        Some(batch)
    }

    /// Whether a GET is under way.
    pub fn has_get(&self) -> bool {
        self.polling.get
    }

    /// Whether a GET is parked for which there is an answer.
    pub fn has_payload(&self) -> bool {
        let due = match self.state {
            ReadyState::Closed(_) => true,
            ReadyState::Closing if self.polling.late => true,
            ReadyState::Open if self.upgrade.is_pausing() => true,
            _ => self.outbox.has_frames() || self.transport != Transport::Polling,
        };
        due && self.polling.get && self.side == Side::Server
    }

    fn answer(&mut self, limit: usize) -> Option<Vec<Frame>> {
        if !self.has_payload() {
            return None;
        }
        let noop = || Packet::Noop.to_frame();
        let close = || Packet::Close.to_frame();
        Some(match self.state {
            ReadyState::Closed(_) if self.outbox.has_frames() => self.outbox.take_batch(limit),
            ReadyState::Closed(_) if self.peer_closed => vec![noop()],
            ReadyState::Closed(_) => vec![close()],
            _ if self.transport != Transport::Polling => vec![close()],
            _ if self.outbox.has_frames() => self.outbox.take_batch(limit),
            ReadyState::Closing => {
                self.finish(CloseReason::ForcedClose);
                vec![noop(), close()]
            }
            ReadyState::Opening | ReadyState::Open => vec![noop()],
        })
    }

    fn request(&mut self, limit: usize) -> Option<Vec<Frame>> {
        let pausing = self.upgrade.is_pausing();
        if self.transport != Transport::Polling || self.polling.post || pausing {
            return None;
        }
        match self.state {
            ReadyState::Open | ReadyState::Closing if self.outbox.has_frames() => {
                let batch = self.outbox.take_batch(limit);
                self.outbox.hand_over(&batch);
                Some(batch)
            }
            ReadyState::Closing => {
                self.polling.goodbye = true;
                Some(vec![Packet::Close.to_frame()])
            }
            _ => None,
        }
    }

    // The upgrade.

    /// A candidate transport arrived (server) or is open (client).
    ///
    /// Returns false when it is of no use: the session is not open, is being upgraded or has been.
    pub fn handle_candidate(&mut self, now: Instant) -> bool {
        let useful = self.state == ReadyState::Open && self.upgrade == Upgrade::None;
        if !useful || self.transport != Transport::Polling {
            return false;
        }
        self.upgrade = Upgrade::Probing {
            deadline: later(now, self.config.upgrade_timeout),
        };
        self.probe_due = self.side == Side::Client;
        self.candidate_binary = BinaryForm::Raw;
        true
    }

    /// How binary messages are to be written over the candidate; raw if nothing is said.
    pub fn set_candidate_binary(&mut self, binary: BinaryForm) {
        self.candidate_binary = binary;
    }

    /// A packet arrived over the candidate. When it fails the upgrade, [`is_upgrading`](Self::is_upgrading) is false afterwards and the candidate is to
    /// be closed; when it completes it, [`transport`](Self::transport) is the candidate's.
    pub fn handle_candidate_packet(&mut self, now: Instant, packet: &Packet) {
        self.counters.received(packet);
        self.handle_traffic(now);
        match self.upgrade.handle_packet(self.side, packet) {
            Step::Probed => self.probe_due = self.side == Side::Server,
            Step::Switch => self.switch(),
            Step::Fail => self.fail_upgrade(),
        }
    }

    /// The candidate is gone or sent garbage; the session goes on as before.
    pub fn handle_candidate_closed(&mut self) {
        if self.upgrade.is_active() {
            self.fail_upgrade();
        }
    }

    fn fail_upgrade(&mut self) {
        self.upgrade = Upgrade::None;
        self.counters.upgrades_failed = self.counters.upgrades_failed.saturating_add(1);
    }

    /// The next packet for the candidate. A client has switched to it when this is the upgrade packet.
    pub fn poll_candidate(&mut self) -> Option<Packet> {
        if !self.upgrade.is_active() {
            self.probe_due = false;
        }
        if self.side == Side::Client && self.upgrade.is_pausing() && self.polling.is_idle() {
            self.upgrade = Upgrade::Done;
            self.switch();
            self.counters.sent(&Packet::Upgrade);
            return Some(Packet::Upgrade);
        }
        if !std::mem::take(&mut self.probe_due) {
            return None;
        }
        let packet = match self.side {
            Side::Server => Packet::Pong("probe".into()),
            Side::Client => Packet::Ping("probe".into()),
        };
        self.counters.sent(&packet);
        Some(packet)
    }

    fn switch(&mut self) {
        self.transport = Transport::WebSocket;
        self.wire.binary = self.candidate_binary;
        self.handle_written(0);
    }

    // Time and the end.

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let deadlines = [
            self.heartbeat.deadline(),
            self.upgrade.deadline(),
            self.close_deadline,
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Does what is due: pings, gives up on a silent peer, on an upgrade or on a slow end.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self
            .upgrade
            .deadline()
            .is_some_and(|deadline| now >= deadline)
        {
            self.fail_upgrade();
        }
        if self.close_deadline.is_some_and(|deadline| now >= deadline) {
            self.finish(CloseReason::ForcedClose);
        }
        match self.heartbeat.handle_timeout(now, &self.config) {
            Due::Nothing => {}
            Due::Ping => self
                .outbox
                .push_control(&Packet::Ping(Default::default()).to_frame()),
            Due::Expired => self.finish(CloseReason::PingTimeout),
        }
    }

    /// Ends the session after what is queued has left, or at once if nothing is and the peer can be told.
    pub fn close(&mut self, now: Instant) {
        match self.state {
            ReadyState::Opening => self.finish(CloseReason::ForcedClose),
            ReadyState::Open => {
                self.state = ReadyState::Closing;
                self.close_deadline = Some(later(now, self.config.close_timeout));
                let told = match (self.transport, self.side) {
                    (Transport::WebSocket, _) => true,
                    (Transport::Polling, Side::Server) => self.polling.get,
                    (Transport::Polling, Side::Client) => false,
                };
                if told && self.outbox.is_drained() {
                    self.finish(CloseReason::ForcedClose);
                }
            }
            ReadyState::Closing | ReadyState::Closed(_) => {}
        }
    }

    /// Ends the session at once and discards what is queued.
    pub fn abort(&mut self) {
        self.finish(CloseReason::ForcedClose);
    }

    fn finish(&mut self, reason: CloseReason) {
        if matches!(self.state, ReadyState::Closed(_)) {
            return;
        }
        self.state = ReadyState::Closed(reason);
        self.heartbeat.stop();
        self.close_deadline = None;
        // What a parked GET would have been answered with, had its task been quicker, still leaves.
        if !self.has_payload() || self.transport != Transport::Polling {
            self.lost = !self.outbox.is_drained();
            self.outbox.clear();
        }
        self.handle_candidate_closed();
    }
}
