//! What is to be done, and what is told.

use std::time::Duration;

use engine_io::Text;
use socket_io::protocol::{self, DisconnectReason};
use socket_io::{RawArgs, Value};

use super::{Incoming, Key};

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
