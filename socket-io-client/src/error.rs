//! What can go wrong: when setting up, when connecting, when sending, when waiting for an answer or an event, and in handlers.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use engine_io::{SendError, Text};
use socket_io::protocol::{ArgsError, EncodeError};
use socket_io::{Refusal, Value};

use crate::core::{EmitRefused, Full, JoinError, NoAnswer, OpenError};
use crate::store::{JournalFull, StoreError};

/// Any error of the user's functions.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Why a manager or a socket cannot be set up. The caller has to change something.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The URL does not begin with `http://`, `https://`, `ws://` or `wss://`.
    Scheme {
        /// The URL.
        url: String,
    },
    /// The URL is none; the text says why.
    Url(String),
    /// The manager has a socket for this namespace already. Clone that one; a second one needs a manager of its own.
    NamespaceTaken(Text),
    /// The credentials are no JSON object; the text says what they are.
    Auth(String),
    /// What is in the journal cannot be used, such as a packet with more attachments than the manager allows.
    Journal(StoreError),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme { url } => write!(
                f,
                "the url {url:?} has no scheme: begin it with http://, https://, ws:// or wss://"
            ),
            Self::Url(reason) => write!(f, "invalid url: {reason}"),
            Self::NamespaceTaken(namespace) => write!(
                f,
                "the manager has a socket for {namespace} already: clone that one"
            ),
            Self::Auth(what) => f.write_str(what),
            Self::Journal(error) => error.fmt(f),
        }
    }
}

impl Error for ConfigError {}

/// Why a connection was not made, or a namespace not joined.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The manager or the socket cannot be set up. Nothing was tried.
    Config(ConfigError),
    /// There is no connection: nobody listens, a certificate is not trusted, the server refuses the request. Or there is none any more: it broke before the
    /// socket had joined. Requests of one session that reach different servers do that.
    Engine(engine_io::ConnectError),
    /// The connection was not open in time; see [`ManagerBuilder::connect_timeout`](crate::ManagerBuilder::connect_timeout).
    Timeout(Duration),
    /// The function of [`ManagerBuilder::before_attempt`](crate::ManagerBuilder::before_attempt) failed with this text, or panicked.
    Attempt(String),
    /// The function of [`SocketBuilder::auth_with`](crate::SocketBuilder::auth_with) failed with this text, panicked, or returned what is no object.
    Auth(String),
    /// The server does not let the socket into the namespace. It stays out until [`Socket::connect`](crate::Socket::connect) is called again, with
    /// other credentials perhaps: [`Socket::set_auth`](crate::Socket::set_auth).
    Refused {
        /// What the server says, such as `Invalid namespace`.
        message: String,
        /// What it adds, if it does.
        data: Option<Value>,
    },
    /// The server did not answer the wish to join in time; see [`SocketBuilder::join_timeout`](crate::SocketBuilder::join_timeout).
    JoinTimeout(Duration),
    /// The server named no id. Servers of Socket.IO 2 do that; they are not supported.
    NoId,
    /// The socket was disconnected by hand before it had joined, the server ended the connection before it answered, or no more attempts are made.
    Disconnected,
}

impl ConnectError {
    /// Whether the server has refused the namespace, so that the same attempt would be in vain.
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::NoId)
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(_) => f.write_str("the client cannot be set up"),
            Self::Engine(_) => f.write_str("no connection to the server"),
            Self::Timeout(after) => write!(f, "no connection within {after:?}"),
            Self::Attempt(message) => write!(f, "the attempt was not prepared: {message}"),
            Self::Auth(message) => write!(f, "no credentials: {message}"),
            Self::Refused { message, .. } => write!(f, "the server refused: {message}"),
            Self::JoinTimeout(after) => {
                write!(f, "no answer to the wish to join within {after:?}")
            }
            Self::NoId => f.write_str("the server named no id: it seems to be of Socket.IO 2"),
            Self::Disconnected => f.write_str("disconnected before the namespace was joined"),
        }
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Config(error) => Some(error),
            Self::Engine(error) => Some(error),
            _ => None,
        }
    }
}

impl From<ConfigError> for ConnectError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

/// Why an attempt to open a connection came to nothing.
#[derive(Clone, Debug)]
pub(crate) enum Failed {
    Engine(engine_io::ConnectError),
    Attempt(String),
}

impl From<OpenError<Failed>> for ConnectError {
    fn from(error: OpenError<Failed>) -> Self {
        match error {
            OpenError::Engine(Failed::Engine(error)) => Self::Engine(error),
            OpenError::Engine(Failed::Attempt(message)) => Self::Attempt(message),
            OpenError::Timeout(after) => Self::Timeout(after),
        }
    }
}

impl From<JoinError<Failed>> for ConnectError {
    fn from(error: JoinError<Failed>) -> Self {
        match error {
            JoinError::Open(error) => error.into(),
            JoinError::Refused { message, data } => Self::Refused { message, data },
            JoinError::Timeout(after) => Self::JoinTimeout(after),
            JoinError::Auth(message) => Self::Auth(message),
            JoinError::NoId => Self::NoId,
        }
    }
}

/// Why something was not sent.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EmitError {
    /// The data or the name cannot be sent: the caller's fault.
    Encode(EncodeError),
    /// So many bytes wait already, because there is no connection or the server reads too slowly, and nothing was added. Try later, or wait for
    /// [`Socket::flushed`](crate::Socket::flushed).
    Full {
        /// Bytes that wait.
        buffered: usize,
        /// The configured limit.
        limit: usize,
    },
    /// More acknowledgements are awaited from the server than the configured limit allows.
    TooManyAcks {
        /// The limit.
        limit: usize,
    },
    /// Of an event that was to be kept: the socket has no [journal](crate::SocketBuilder::journal).
    NoJournal,
    /// Of an event that was to be kept: so much is kept already, which the server has not acknowledged. Emit again later.
    JournalFull {
        /// How many packets.
        packets: usize,
        /// How many bytes.
        bytes: usize,
    },
    /// Of an event that was to be kept: it could not be written.
    Journal(StoreError),
    /// Of an acknowledgement: the connection that the event came over has ended, so nobody waits for it any more.
    Disconnected,
}

impl fmt::Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encode(error) => error.fmt(f),
            Self::Full { buffered, limit } => {
                write!(
                    f,
                    "buffer is full: {buffered} bytes wait, the limit is {limit}"
                )
            }
            Self::TooManyAcks { limit } => {
                write!(f, "{limit} acknowledgements are awaited already")
            }
            Self::NoJournal => f.write_str("the socket has no journal: give it to the builder"),
            Self::JournalFull { packets, bytes } => {
                write!(
                    f,
                    "journal is full: {packets} packets are kept, {bytes} bytes"
                )
            }
            Self::Journal(error) => error.fmt(f),
            Self::Disconnected => {
                f.write_str("the connection of the event has ended, nobody waits for the answer")
            }
        }
    }
}

impl Error for EmitError {}

impl From<EncodeError> for EmitError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

impl From<StoreError> for EmitError {
    fn from(error: StoreError) -> Self {
        Self::Journal(error)
    }
}

impl From<JournalFull> for EmitError {
    fn from(JournalFull { packets, bytes }: JournalFull) -> Self {
        Self::JournalFull { packets, bytes }
    }
}

impl From<EmitRefused> for EmitError {
    fn from(refused: EmitRefused) -> Self {
        match refused {
            EmitRefused::Full(Full { buffered, limit }) => Self::Full { buffered, limit },
            EmitRefused::TooManyAcks(limit) => Self::TooManyAcks { limit },
        }
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

/// Why there is no acknowledgement.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AckError {
    /// The event was not sent.
    Emit(EmitError),
    /// The event was volatile and could not be sent at once, so it was dropped.
    Skipped,
    /// The server did not answer in time.
    Timeout(Duration),
    /// The connection ended after the event was sent and before the answer came, so nobody knows whether the server has seen it.
    Disconnected,
    /// The server answered something else than what was asked for.
    Args(ArgsError),
}

impl fmt::Display for AckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Emit(error) => error.fmt(f),
            Self::Skipped => f.write_str("the event was volatile and could not be sent at once"),
            Self::Timeout(time) => write!(f, "no acknowledgement within {time:?}"),
            Self::Disconnected => f.write_str("disconnected before the acknowledgement"),
            Self::Args(error) => error.fmt(f),
        }
    }
}

impl Error for AckError {}

impl From<EmitError> for AckError {
    fn from(error: EmitError) -> Self {
        Self::Emit(error)
    }
}

impl From<NoAnswer> for AckError {
    fn from(error: NoAnswer) -> Self {
        match error {
            NoAnswer::Disconnected => Self::Disconnected,
            NoAnswer::Timeout(time) => Self::Timeout(time),
        }
    }
}

/// Why there is no event.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RecvError {
    /// An event came whose arguments are of another type.
    Args(ArgsError),
    /// Nobody read for too long, so that the oldest events were dropped: so many.
    Lagged(u64),
    /// The socket is disconnected and does not come back by itself.
    Ended,
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Args(error) => error.fmt(f),
            Self::Lagged(count) => write!(f, "{count} events were dropped, read faster"),
            Self::Ended => f.write_str("the socket is disconnected"),
        }
    }
}

impl Error for RecvError {}

/// Something went wrong around a handler; given to the function of [`ManagerBuilder::on_error`](crate::ManagerBuilder::on_error).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct HandlerError {
    /// The namespace of the socket.
    pub namespace: Text,
    /// The event; `connect`, `connect_error` and `disconnect` for those handlers.
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
    /// The handler returned this error.
    Returned(Refusal),
    /// The event does not have the arguments that the handler wants; it was not called.
    Args(ArgsError),
    /// The handler wants something that is not there, such as shared state that was never given; it was not called.
    Missing(String),
    /// The acknowledgement could not be sent.
    Reply(EmitError),
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event {:?} in {}: ", self.event, self.namespace)?;
        match &self.failure {
            Failure::Panicked(message) => write!(f, "handler panicked: {message}"),
            Failure::Returned(refusal) => write!(f, "handler returned an error: {refusal}"),
            Failure::Args(error) => error.fmt(f),
            Failure::Missing(what) => f.write_str(what),
            Failure::Reply(error) => write!(f, "acknowledgement not sent: {error}"),
        }
    }
}

impl Error for HandlerError {}
