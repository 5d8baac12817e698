//! What a server has done so far, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use super::SocketIo;

/// What a server is doing and has done since it was made: a snapshot, see [`SocketIo::stats`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Connections by transport, packets, bytes, queues, upgrades and refused requests.
    pub engine: engine_io::Stats,
    /// Namespaces that exist now.
    pub namespaces: u64,
    /// Sockets of this process in all namespaces now.
    pub sockets: u64,
    /// Acknowledgements that are awaited from clients now.
    pub acks_pending: u64,
    /// Handlers that wait for something now; those of connections that have left all namespaces are not counted.
    pub handlers_running: u64,
    /// Whatever went wrong in or around handlers: what the hook of [`on_error`](crate::SocketIoBuilder::on_error) was told.
    pub handler_failures: u64,
    /// Clients that were refused a namespace.
    pub joins_refused: u64,
    /// Clients whose connection was closed because they read too slowly.
    pub overflowed: u64,
    /// Events, and wishes to join a namespace, that were more than an [`EventLimit`](crate::limit::EventLimit) allows.
    pub limited: u64,
}

/// What is rare enough to be counted in one place for all.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) handler_failures: AtomicU64,
    pub(crate) joins_refused: AtomicU64,
    pub(crate) overflowed: AtomicU64,
    pub(crate) limited: AtomicU64,
}

impl Tally {
    pub(crate) fn count(number: &AtomicU64) {
        number.fetch_add(1, Ordering::Relaxed);
    }
}

impl SocketIo {
    /// What the server is doing and has done, in numbers.
    ///
    /// A snapshot: connections and sockets are looked at one after the other, each under its own short lock. With a hundred thousand of them that takes some tens of
    /// milliseconds, and a list of them for as long. Nothing that happens for each packet is counted in one place for all, so that traffic does not pay for
    /// the numbers; ask every few seconds, not for each request.
    ///
    /// The numbers serialize, and only grow unless their description says `now`.
    ///
    /// ```
    /// let io = socket_io::SocketIo::builder().build();
    /// let stats = io.stats();
    /// println!("{} over WebSocket, {} bytes wait", stats.engine.websocket, stats.engine.queued_bytes);
    /// ```
    pub fn stats(&self) -> Stats {
        let tally = self.tally();
        let namespaces = self.namespaces();
        let mut stats = Stats {
            engine: self.0.engine.stats(),
            namespaces: namespaces.len() as u64,
            handler_failures: tally.handler_failures.load(Ordering::Relaxed),
            joins_refused: tally.joins_refused.load(Ordering::Relaxed),
            overflowed: tally.overflowed.load(Ordering::Relaxed),
            limited: tally.limited.load(Ordering::Relaxed),
            ..Stats::default()
        };
        for socket in namespaces
            .iter()
            .flat_map(|namespace| namespace.all().sockets())
        {
            stats.sockets += 1;
            stats.acks_pending += socket.acks_pending() as u64;
            stats.handlers_running += socket.connection().running_beside(&socket) as u64;
        }
        stats
    }
}
