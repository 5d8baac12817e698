//! What a manager and its sockets are told once.

use std::time::Duration;

use socket_io::protocol::Parser;

use super::{CatchUp, Jitter};

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
