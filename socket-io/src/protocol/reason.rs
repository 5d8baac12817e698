//! Why a socket left its namespace, in the words of the reference.
//!
//! The words never travel in a Socket.IO packet; programs compare them, and adapters and the admin UI pass them on.

use std::fmt;
use std::str::FromStr;

/// Why a socket left its namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The connection broke with an error.
    TransportError,
    /// The connection was closed, by the peer or by the network.
    TransportClose,
    /// The connection was closed by this server, for instance after a violation of the protocol.
    ForcedClose,
    /// The peer fell silent for longer than the heartbeat allows.
    PingTimeout,
    /// The peer sent what is not Engine.IO or not Socket.IO.
    ParseError,
    /// The server was closed.
    ServerShuttingDown,
    /// Seen by a server: the client left the namespace.
    ClientNamespaceDisconnect,
    /// Seen by a server: the server made the client leave the namespace.
    ServerNamespaceDisconnect,
    /// Seen by a server: the authorization of the socket has expired. The reference has no such thing; its clients see that the server made them leave.
    AuthorizationExpired,
    /// Seen by a server: the client has sent more than a limit allows. The reference has no such thing; its clients see that the server made them leave.
    RateLimitExceeded,
    /// Seen by a client: the server made it leave the namespace.
    IoServerDisconnect,
    /// Seen by a client: it left the namespace itself.
    IoClientDisconnect,
}

impl DisconnectReason {
    /// The reference's words, such as `transport close`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TransportError => "transport error",
            Self::TransportClose => "transport close",
            Self::ForcedClose => "forced close",
            Self::PingTimeout => "ping timeout",
            Self::ParseError => "parse error",
            Self::ServerShuttingDown => "server shutting down",
            Self::ClientNamespaceDisconnect => "client namespace disconnect",
            Self::ServerNamespaceDisconnect => "server namespace disconnect",
            Self::AuthorizationExpired => "authorization expired",
            Self::RateLimitExceeded => "rate limit exceeded",
            Self::IoServerDisconnect => "io server disconnect",
            Self::IoClientDisconnect => "io client disconnect",
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Reads the reference's words; `forced server close`, its other word for the same event, is [`ForcedClose`](DisconnectReason::ForcedClose).
impl FromStr for DisconnectReason {
    type Err = UnknownReason;

    fn from_str(words: &str) -> Result<Self, Self::Err> {
        if words == "forced server close" {
            return Ok(Self::ForcedClose);
        }
        ALL.into_iter()
            .find(|reason| reason.as_str() == words)
            .ok_or(UnknownReason)
    }
}

/// The words are none of the reference's reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownReason;

impl fmt::Display for UnknownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown disconnect reason")
    }
}

impl std::error::Error for UnknownReason {}

const ALL: [DisconnectReason; 12] = [
    DisconnectReason::TransportError,
    DisconnectReason::TransportClose,
    DisconnectReason::ForcedClose,
    DisconnectReason::PingTimeout,
    DisconnectReason::ParseError,
    DisconnectReason::ServerShuttingDown,
    DisconnectReason::ClientNamespaceDisconnect,
    DisconnectReason::ServerNamespaceDisconnect,
    DisconnectReason::AuthorizationExpired,
    DisconnectReason::RateLimitExceeded,
    DisconnectReason::IoServerDisconnect,
    DisconnectReason::IoClientDisconnect,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_the_round_trip() {
        for reason in ALL {
            assert_eq!(reason.as_str().parse(), Ok(reason));
            assert_eq!(reason.to_string(), reason.as_str());
        }
        assert_eq!(
            "forced server close".parse(),
            Ok(DisconnectReason::ForcedClose)
        );
        assert_eq!("bored".parse::<DisconnectReason>(), Err(UnknownReason));
    }
}
