//! Connection state recovery: a client whose connection broke gets its id, rooms, data and the events that it has missed.
//!
//! | | on the wire |
//! |---|---|
//! | a client joins, and learns its private id | `40{"sid":"…","pid":"…"}` |
//! | an event ends with its offset, unless it is volatile or wants an acknowledgement | `42["news","hello","kZ3_xQ0aBc"]` |
//! | the client comes back over another connection | `40{"pid":"…","offset":"kZ3_xQ0aBc"}` |
//! | what it has missed, and then the confirmation | `42["news","again","kZ3_xQ0aBe"]`, `40{"sid":"…","pid":"…"}`, both ids as they were |
//!
//! Clients of Engine.IO 3 know nothing of it: they get no private id, and offsets only with events that others get, too.
//!
//! Source: the reference's `SessionAwareAdapter` (socket.io-adapter), and `namespace.ts` and `socket.ts` of socket.io.

mod config;
mod event;
mod identity;
mod journal;
mod log;
mod offset;
mod round;
mod store;

use std::sync::{Arc, Weak};
use std::time::Duration;

use engine_io::Text;

pub use config::RecoveryConfig;
pub use event::LoggedEvent;
pub(crate) use identity::{Identity, Wanted};
pub(crate) use journal::{Claim, Journal, Obstacle};
pub use offset::{InvalidOffset, Offset};
pub(crate) use round::Round;
pub use store::{MemorySessionStore, SessionStore, StoreError, StoreFuture, StoredSession};

use self::log::{Log, Total};
use super::{Inner, SocketIo};
use crate::panic::{Panic, caught};

/// How often what is too old is looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(30);

/// A server's part in recovery.
pub(crate) struct Recovery {
    pub(crate) config: RecoveryConfig,
    store: Arc<dyn SessionStore>,
    total: Arc<Total>,
}

impl Recovery {
    pub(crate) fn new(config: RecoveryConfig) -> Self {
        let memory = || Arc::new(MemorySessionStore::new(config.max_sessions)) as Arc<_>;
        Self {
            store: config.store.clone().unwrap_or_else(memory),
            total: Total::new(config.max_total_bytes),
            config,
        }
    }

    /// The journal of a namespace that comes into being.
    pub(crate) fn journal(&self, namespace: &Text) -> Arc<Journal> {
        // A name that nobody can guess; the standard library takes it from the system.
        let name = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), &**namespace);
        let log = Log::new(name, self.config.limits(), self.total.clone());
        let time = self.config.max_disconnection;
        Arc::new(Journal::new(
            namespace.clone(),
            log,
            self.store.clone(),
            time,
        ))
    }

    /// Forgets what is too old, for as long as the server is there.
    pub(crate) async fn sweep(server: Weak<Inner>) {
        loop {
            tokio::time::sleep(SWEEP_INTERVAL).await;
            let Some(io) = server.upgrade().map(SocketIo) else {
                return;
            };
            io.forget_abandoned();
            for namespace in io.namespaces() {
                if let Some(journal) = namespace.journal() {
                    journal.expire();
                }
            }
            let Some(recovery) = &io.config().recovery else {
                return;
            };
            if let Err(Panic(message)) = caught(|| recovery.store.sweep()) {
                tracing::error!(name: "hook_panicked", target: "socket_io", hook = "session store", reason = message);
            }
        }
    }
}
