//! The options of connection state recovery.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::log::Limits;
use super::store::SessionStore;

/// How long the events of a log are kept beyond the time that a client may be away: its absence is noticed only when a ping stays unanswered.
const UNNOTICED: Duration = Duration::from_secs(60);

/// Options of connection state recovery; see [`SocketIoBuilder::recovery`](crate::SocketIoBuilder::recovery).
#[derive(Clone)]
#[must_use = "it does nothing by itself"]
pub struct RecoveryConfig {
    pub(crate) max_disconnection: Duration,
    pub(crate) skip_middlewares: bool,
    max_events: usize,
    max_bytes: usize,
    pub(super) max_total_bytes: usize,
    max_age: Option<Duration>,
    pub(super) max_sessions: usize,
    pub(crate) max_empty_namespaces: usize,
    pub(super) store: Option<Arc<dyn SessionStore>>,
}

impl Default for RecoveryConfig {
    fn default() -> Self {
        Self {
            max_disconnection: Duration::from_secs(120),
            skip_middlewares: true,
            max_events: 10_000,
            max_bytes: 16 << 20,
            max_total_bytes: 256 << 20,
            max_age: None,
            max_sessions: 10_000,
            max_empty_namespaces: 1000,
            store: None,
        }
    }
}

impl RecoveryConfig {
    /// For how long a client may be away. Default 120 s. One that comes back later gets a new session.
    pub fn max_disconnection(mut self, time: Duration) -> Self {
        self.max_disconnection = time;
        self
    }

    /// Whether middlewares are skipped for a client that gets its session back: they let it in when it came. Default true, as in the reference.
    ///
    /// With false they run again, and nothing is sent before they have let the client in. If they refuse it, its session waits for it as if it had just left.
    pub fn skip_middlewares(mut self, skip: bool) -> Self {
        self.skip_middlewares = skip;
        self
    }

    /// How many events of each namespace are kept. Default 10 000; the reference has no limit.
    ///
    /// This and the next three limits have one outcome: when an event goes that a client may have missed, the client gets a new session. A client that had
    /// received everything before it left needs the events only that were sent since.
    pub fn max_events(mut self, events: usize) -> Self {
        self.max_events = events;
        self
    }

    /// How many bytes of events of each namespace are kept. Default 16 MiB; the reference has no limit. What a client has missed goes into its outbox at once:
    /// if something waits there already and the [limit](crate::SocketIoBuilder::outbox_limit) would be exceeded, it counts as gone.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// How many bytes of events are kept in all namespaces together, since clients may make [namespaces of families](crate::SocketIo::of_path). Default 256 MiB.
    /// From half of it on, a namespace that has more than its share of that half forgets its oldest events when it sends.
    pub fn max_total_bytes(mut self, bytes: usize) -> Self {
        self.max_total_bytes = bytes;
        self
    }

    /// How long an event is kept. Default: 60 s more than [`max_disconnection`](Self::max_disconnection), since some time passes before the loss of a
    /// connection is noticed.
    pub fn max_age(mut self, time: Duration) -> Self {
        self.max_age = Some(time);
        self
    }

    /// How many sessions are kept in memory, in all namespaces together. Default 10 000; the reference has no limit. Beyond it the oldest goes, and its
    /// client gets a new session. Without meaning with a [`store`](Self::store) of your own.
    pub fn max_sessions(mut self, sessions: usize) -> Self {
        self.max_sessions = sessions;
        self
    }

    /// How many children of [families](crate::SocketIo::of_path) stay although nobody is in them, because a client may come back. Default 1000. Beyond it, and
    /// when there is no room for others, the one that was left first goes, and its clients get new sessions.
    pub fn max_empty_namespaces(mut self, namespaces: usize) -> Self {
        self.max_empty_namespaces = namespaces;
        self
    }

    /// Where the sessions are kept. Default: in memory.
    pub fn store(mut self, store: Arc<dyn SessionStore>) -> Self {
        self.store = Some(store);
        self
    }

    pub(super) fn limits(&self) -> Limits {
        let age = self.max_disconnection.saturating_add(UNNOTICED);
        Limits {
            events: self.max_events,
            bytes: self.max_bytes,
            age: self.max_age.unwrap_or(age),
        }
    }
}

impl fmt::Debug for RecoveryConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecoveryConfig")
            .field("max_disconnection", &self.max_disconnection)
            .field("skip_middlewares", &self.skip_middlewares)
            .field("limits", &self.limits())
            .field("max_total_bytes", &self.max_total_bytes)
            .field("max_sessions", &self.max_sessions)
            .field("max_empty_namespaces", &self.max_empty_namespaces)
            .finish_non_exhaustive()
    }
}
