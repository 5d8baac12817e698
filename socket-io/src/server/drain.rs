//! Draining: clients are sent elsewhere, a few at a time, before the server ends.

use std::pin::pin;
use std::time::Duration;

use engine_io::{CloseReason, ReadyState, Sender};
use tokio::time::{Instant, sleep, timeout};

use super::SocketIo;
use super::health::ServerState;

/// How a server is drained: see [`SocketIo::drain`]. A `Duration` converts into it.
#[derive(Clone, Copy, Debug)]
#[must_use = "it is an argument of `SocketIo::drain`"]
pub struct Drain {
    over: Duration,
    handlers: Duration,
}

impl Drain {
    /// The closing of connections is spread evenly over that time.
    pub fn over(time: Duration) -> Self {
        Self {
            over: time,
            handlers: Duration::from_secs(10),
        }
    }

    /// How long handlers may still run once the last connection is closed, and a [`SessionStore`](crate::SessionStore) may take to keep sessions. Default 10 s.
    pub fn wait_for_handlers(mut self, time: Duration) -> Self {
        self.handlers = time;
        self
    }
}

impl From<Duration> for Drain {
    fn from(time: Duration) -> Self {
        Self::over(time)
    }
}

/// What became of the clients of a server that was drained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DrainReport {
    /// Connections that the drain closed.
    pub closed: usize,
    /// Connections that ended in another way before it was their turn: the client left, or the program closed them.
    pub left: usize,
    /// Connections whose turn had not come when [`SocketIo::close`] cut the drain short.
    pub cut_off: usize,
    /// Handlers that were still running at the end. They go on for as long as the runtime does.
    pub unfinished_handlers: usize,
    /// How long it took.
    pub elapsed: Duration,
}

impl DrainReport {
    fn close(&mut self, connection: &Sender) {
        if connection.state() == ReadyState::Open {
            connection.close();
            self.closed += 1;
        } else {
            self.left += 1;
        }
    }

    /// The server was closed in between, or is just being closed: then those that are open are about to end, too.
    fn cut_off(&mut self, connection: &Sender) {
        match connection.state() {
            ReadyState::Open | ReadyState::Closed(CloseReason::ForcedClose) => self.cut_off += 1,
            _ => self.left += 1,
        }
    }
}

impl SocketIo {
    /// Empties the server for a restart or a deploy, and closes it.
    ///
    /// From the first poll on no new connections are taken: handshakes are answered with 503, and [`health`](Self::health) says `Draining`. The connections
    /// that there are go on, on whatever transport, until it is their turn: their closing is spread evenly over the time, in no particular order. A client
    /// gets what was queued for it, and then the end of the connection without a disconnect packet, so that it comes back by itself; where other servers share
    /// the load, it comes back to one of those. Its sockets leave with the reason `server shutting down`. When no connection is left, handlers that are still
    /// running may end ([`Drain::wait_for_handlers`]), and then the server is closed as by [`close`](Self::close), so that [`serve`](Self::serve) returns.
    ///
    /// It ends sooner if all clients leave before. A client that does not read holds it up by the engine's `close_timeout` (30 s) at the most.
    /// [`close`](Self::close) ends it at once. Drains that are asked for at the same time share the work.
    ///
    /// The server is closed then, and [`listen`](Self::listen) returns by itself: let it, since the last answers to polls may still be on their way.
    ///
    /// ```no_run
    /// # async fn example(io: socket_io::SocketIo) {
    /// use std::time::Duration;
    /// use socket_io::Drain;
    /// let drain = Drain::over(Duration::from_secs(30)).wait_for_handlers(Duration::from_secs(5));
    /// let report = io.drain(drain).await;
    /// println!("{} connections closed in {:?}", report.closed, report.elapsed);
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, nothing more is closed, but new connections are still refused, since clients have been sent elsewhere already. Drain again, or
    /// close the server.
    pub async fn drain(&self, how: impl Into<Drain> + Send) -> DrainReport {
        let Drain { over, handlers } = how.into();
        let start = Instant::now();
        let mut report = DrainReport::default();
        self.0.state.send_if_modified(|state| {
            let first = *state == ServerState::Serving;
            if first {
                *state = ServerState::Draining;
            }
            first
        });
        let engine = &self.0.engine;
        engine.refuse_handshakes();
        let mut closed = pin!(self.closed());
        let mut finished = pin!(engine.finished());

        let connections = engine.senders();
        let count = connections.len();
        tracing::info!(name: "draining", target: "socket_io", connections = count, over = ?over);
        // Once nobody is left there is nothing to wait for.
        let (mut waiting, mut cut_off) = (true, false);
        for (index, connection) in connections.iter().enumerate() {
            let turn = over.mul_f64(index as f64 / count as f64);
            let early = turn.saturating_sub(start.elapsed());
            if waiting && !early.is_zero() {
                tokio::select! {
                    // Whoever closes the server may leave nobody before this is polled again.
                    biased;
                    () = &mut closed => {
                        connections[index..].iter().for_each(|connection| report.cut_off(connection));
                        cut_off = true;
                        break;
                    }
                    () = &mut finished => waiting = false,
                    () = sleep(early) => {}
                }
            }
            report.close(connection);
        }
        if !cut_off {
            // Those whose handshake was under way.
            let late = engine.senders().into_iter();
            late.filter(|connection| connection.state() == ReadyState::Open)
                .for_each(|connection| report.close(&connection));
            let ended = async {
                if waiting {
                    finished.await;
                }
                let mut unfinished = self.0.unfinished.subscribe();
                let _ = timeout(handlers, unfinished.wait_for(|count| *count == 0)).await;
            };
            tokio::select! {
                () = closed => {}
                () = ended => {}
            }
        }
        report.unfinished_handlers = self.unfinished_handlers();
        self.close();
        report.elapsed = start.elapsed();
        tracing::info!(
            name: "drained",
            target: "socket_io",
            closed = report.closed,
            left = report.left,
            cut_off = report.cut_off,
            unfinished_handlers = report.unfinished_handlers,
        );
        report
    }

    /// Handlers that are running although the connection is over.
    pub(crate) fn unfinished_handlers(&self) -> usize {
        usize::try_from(*self.0.unfinished.borrow()).unwrap_or(0)
    }

    /// Such a handler has begun, or ended (-1).
    pub(crate) fn count_unfinished(&self, change: isize) {
        self.0.unfinished.send_modify(|count| *count += change);
    }
}
