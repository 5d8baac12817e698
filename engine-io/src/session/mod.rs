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
mod config;
mod counters;
mod heartbeat;
mod latest;
mod outbox;
mod polling;
mod queue;
mod sending;
#[cfg(test)]
mod tests;
mod upgrade;

use std::sync::Arc;
use std::time::Instant;

pub use close::CloseReason;
pub use config::SessionConfig;
pub use counters::Counters;
pub use heartbeat::later;
pub use latest::LatestKey;
pub use outbox::SendError;
pub use polling::Overlap;

use crate::frame::Frame;
use crate::handshake::Handshake;
use crate::packet::{Message, Packet};
use crate::transport::Transport;
use crate::wire::{BinaryForm, Revision, Wire};
use heartbeat::{Due, Heartbeat};
use outbox::Outbox;
use polling::Polling;
use upgrade::Upgrade;

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

    // What arrives.

    /// Takes a packet that arrived over `transport`, and returns the message if it is one.
    ///
    /// A late packet of a transport that the session has left is ignored, and so is anything after the end.
    #[inline]
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

    /// What arrived over `transport` is no packet. A server calls that a parse error, and a client an error of the transport, as in the reference; a server
    /// that is closing has no ear for it.
    pub fn handle_garbage(&mut self, transport: Transport) {
        if transport != self.transport {
            return;
        }
        match (self.side, self.state) {
            (Side::Server, ReadyState::Closing) => {}
            (Side::Server, _) => self.finish(CloseReason::ParseError),
            (Side::Client, _) => self.finish(CloseReason::TransportError),
        }
    }

    // A streaming transport.

    /// The next frame for a WebSocket, in the form that the peer wants.
    #[inline]
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

    // Time.

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
            // Nothing is sent any more, but who shows no sign of life has gone, as in the reference.
            Due::Ping if self.state == ReadyState::Closing => {}
            Due::Ping => self
                .outbox
                .push_control(&Packet::Ping(Default::default()).to_frame()),
            Due::Expired => self.finish(CloseReason::PingTimeout),
        }
    }
}
