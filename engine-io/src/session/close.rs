//! Why a session ended.

use std::fmt;

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
