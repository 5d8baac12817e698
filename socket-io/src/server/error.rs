//! What can go wrong: when sending, when waiting for an acknowledgement, and in handlers.

use std::fmt;
use std::time::Duration;

use engine_io::{SendError, Text};

use super::grant::EXPIRED;
use super::{ParamsError, Refusal};
use crate::adapter::SocketId;
use crate::protocol::{AckError as PendingError, ArgsError, EncodeError};

/// Why something was not sent.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EmitError {
    /// The data cannot be sent: the caller's fault.
    Encode(EncodeError),
    /// The socket has left its namespace, or its connection is closing.
    Disconnected,
    /// The peer reads too slowly: so many bytes wait already, and nothing was queued. Try later, or disconnect it.
    Full {
        /// Bytes that wait.
        buffered: usize,
        /// The configured limit.
        limit: usize,
    },
    /// More acknowledgements are awaited from the peer than the configured limit allows.
    TooManyAcks {
        /// The limit.
        limit: usize,
    },
    /// The socket's authorization has expired; it is about to leave.
    Expired,
}

impl fmt::Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encode(error) => error.fmt(f),
            Self::Disconnected => f.write_str("socket is disconnected"),
            Self::Full { buffered, limit } => write!(
                f,
                "outbox is full: {buffered} bytes wait, the limit is {limit}"
            ),
            Self::TooManyAcks { limit } => {
                write!(f, "{limit} acknowledgements are awaited already")
            }
            Self::Expired => f.write_str(EXPIRED),
        }
    }
}

impl std::error::Error for EmitError {}

impl From<EncodeError> for EmitError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

impl From<SendError> for EmitError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Full { buffered, limit } => Self::Full { buffered, limit },
            _ => Self::Disconnected,
        }
    }
}

impl From<PendingError> for EmitError {
    fn from(error: PendingError) -> Self {
        match error {
            PendingError::TooMany { limit } => Self::TooManyAcks { limit },
            // Ids are drawn from a counter of 64 bits.
            PendingError::Taken { .. } => Self::Disconnected,
        }
    }
}

/// Why there is no acknowledgement.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AckError {
    /// The event was not sent.
    Emit(EmitError),
    /// The event was dropped: it was volatile and the peer busy, or the outbox was full and the policy says so.
    Skipped,
    /// The peer did not answer in time.
    Timeout(Duration),
    /// The socket left before it answered.
    Disconnected,
    /// The peer answered something else than what was asked for.
    Args(ArgsError),
    /// Another server of the cluster did not answer, or did not say whom of its clients it has asked.
    NoServer,
}

impl fmt::Display for AckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Emit(error) => error.fmt(f),
            Self::Skipped => f.write_str("the peer was busy and the event dropped"),
            Self::Timeout(time) => write!(f, "no acknowledgement within {time:?}"),
            Self::Disconnected => f.write_str("disconnected before the acknowledgement"),
            Self::NoServer => f.write_str("another server did not answer"),
            Self::Args(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AckError {}

impl From<EmitError> for AckError {
    fn from(error: EmitError) -> Self {
        Self::Emit(error)
    }
}

/// Something went wrong around a handler; given to the hook of [`on_error`](crate::SocketIoBuilder::on_error).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct HandlerError {
    /// The namespace.
    pub namespace: Text,
    /// The socket; none for events between servers, and for functions that decide on namespaces.
    pub socket: Option<SocketId>,
    /// The event; `connection`, `disconnecting` and `disconnect` for those handlers.
    pub event: Text,
    /// What happened.
    pub failure: Failure,
}

/// What happened around a handler.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Failure {
    /// The handler panicked with this message. The connection lives on.
    Panicked(String),
    /// The handler, or a middleware for events, returned this error.
    Returned(Refusal),
    /// The event does not have the arguments that the handler wants; it was not called.
    Args(ArgsError),
    /// The namespace does not have the parameters that the handler wants; it was not called.
    Params(ParamsError),
    /// The handler wants something that is not there, such as shared state that was never given; it was not called.
    Missing(String),
    /// The acknowledgement could not be sent.
    Reply(EmitError),
    /// The last event of a socket whose authorization has expired could not be sent.
    Farewell(EmitError),
    /// The peer broke the protocol; its connection is closed.
    Protocol(String),
}

impl Failure {
    /// Whether the peer sent what is no JSON, or placeholders without attachments.
    pub(crate) fn is_violation(&self) -> bool {
        matches!(
            self,
            Self::Args(ArgsError::Syntax(_) | ArgsError::IllegalAttachment)
        )
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event {:?}", self.event)?;
        if let Some(socket) = &self.socket {
            write!(f, " of {socket}")?;
        }
        write!(f, " in {}: {}", self.namespace, self.failure)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(message) => write!(f, "handler panicked: {message}"),
            Self::Returned(refusal) => write!(f, "handler returned an error: {refusal}"),
            Self::Args(error) => error.fmt(f),
            Self::Params(error) => error.fmt(f),
            Self::Missing(what) => f.write_str(what),
            Self::Reply(error) => write!(f, "acknowledgement not sent: {error}"),
            Self::Farewell(error) => write!(f, "last event not sent: {error}"),
            Self::Protocol(message) => write!(f, "protocol violation: {message}"),
        }
    }
}

impl std::error::Error for HandlerError {}
