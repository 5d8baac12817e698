//! What a server has done so far, in numbers.

use serde::Serialize;

use crate::session::{CloseReason, Counters, ReadyState, Session};
use crate::transport::Transport;

/// What a server is doing and has done since it was made: a snapshot, see [`Server::stats`](crate::Server::stats).
///
/// Numbers that only grow are totals of all sessions, open or ended. Of a session that has ended, what left after its end (the answer to a parked GET) is
/// not counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Sessions on long-polling now.
    pub polling: u64,
    /// Sessions on a WebSocket now.
    pub websocket: u64,
    /// Sessions that have ended, by reason.
    pub closed: Closed,
    /// Refused requests by the reference's code, which is the index; see [`Refusal::code`](crate::Refusal::code).
    pub refused: [u64; 6],
    /// Sessions that were upgraded from polling to a WebSocket.
    pub upgraded: u64,
    /// Upgrades that came to nothing; the session went on over polling, or ended meanwhile.
    pub upgrades_failed: u64,
    /// Packets received; see [`Counters`] for what counts.
    pub packets_in: u64,
    /// Bytes of the packets received.
    pub bytes_in: u64,
    /// Packets that have left their outbox.
    pub packets_out: u64,
    /// Bytes of the packets that have left their outbox.
    pub bytes_out: u64,
    /// Bytes that wait in outboxes now.
    pub queued_bytes: u64,
    /// Messages that were not queued because the outbox was full.
    pub full: u64,
    /// Volatile messages that were not queued because something else was waiting.
    pub skipped: u64,
    /// Messages that never left because a newer one of the same key took their place.
    pub replaced: u64,
}

impl Stats {
    /// Sessions that are open now.
    pub fn open(&self) -> u64 {
        self.polling + self.websocket
    }

    /// Sessions that were opened.
    pub fn opened(&self) -> u64 {
        self.open() + self.closed.total()
    }

    pub(crate) fn add_open(&mut self, session: &Session) {
        match session.transport() {
            Transport::Polling => self.polling += 1,
            Transport::WebSocket => self.websocket += 1,
        }
        self.queued_bytes += session.buffered() as u64;
        self.add(session);
    }

    pub(crate) fn add_ended(&mut self, session: &Session) {
        let closed = &mut self.closed;
        let reason = match session.state() {
            ReadyState::Closed(reason) => reason,
            // It ends because its server does.
            ReadyState::Opening | ReadyState::Open | ReadyState::Closing => {
                CloseReason::ForcedClose
            }
        };
        *match reason {
            CloseReason::ForcedClose => &mut closed.forced_close,
            CloseReason::ParseError => &mut closed.parse_error,
            CloseReason::PingTimeout => &mut closed.ping_timeout,
            CloseReason::TransportClose => &mut closed.transport_close,
            CloseReason::TransportError => &mut closed.transport_error,
        } += 1;
        self.add(session);
    }

    fn add(&mut self, session: &Session) {
        let Counters {
            packets_in,
            bytes_in,
            packets_out,
            bytes_out,
            full,
            skipped,
            replaced,
            upgrades_failed,
        } = session.counters();
        self.packets_in += packets_in;
        self.bytes_in += bytes_in;
        self.packets_out += packets_out;
        self.bytes_out += bytes_out;
        self.full += u64::from(full);
        self.skipped += u64::from(skipped);
        self.replaced += u64::from(replaced);
        self.upgraded += u64::from(session.is_upgraded());
        self.upgrades_failed += u64::from(upgrades_failed);
    }
}

/// Sessions that have ended, by [`CloseReason`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Closed {
    /// This side closed them.
    pub forced_close: u64,
    /// The peer sent what is no packet.
    pub parse_error: u64,
    /// The peer was not heard in time after a ping.
    pub ping_timeout: u64,
    /// The peer closed them, or its connection ended.
    pub transport_close: u64,
    /// A request failed midway, or the peer broke the rules of the transport.
    pub transport_error: u64,
}

impl Closed {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.forced_close
            + self.parse_error
            + self.ping_timeout
            + self.transport_close
            + self.transport_error
    }
}
