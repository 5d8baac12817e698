//! The end of a session, and why it came.

use std::fmt;
use std::time::Instant;

use super::heartbeat::later;
use super::{ReadyState, Session, Side};
use crate::transport::Transport;

/// Why a session ended, in the reference's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// This side closed the session: `forced close`.
    ForcedClose,
    /// The peer of a server sent what is no packet: `parse error`. On clients that is a [`TransportError`](Self::TransportError).
    ParseError,
    /// The peer was not heard in time after a ping: `ping timeout`.
    PingTimeout,
    /// The peer closed the session, or its connection ended: `transport close`.
    TransportClose,
    /// A request failed midway, the peer broke the rules of the transport, or a server sent what is no packet: `transport error`.
    TransportError,
}

impl CloseReason {
    /// The reference's words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ForcedClose => "forced close",
            Self::ParseError => "parse error",
            Self::PingTimeout => "ping timeout",
            Self::TransportClose => "transport close",
            Self::TransportError => "transport error",
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Session {
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

    pub(super) fn finish(&mut self, reason: CloseReason) {
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
