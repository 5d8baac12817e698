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

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::ops::Deref;
use std::sync::{Arc, Weak};
use std::time::Duration;

use engine_io::Text;
use parking_lot::Mutex;

pub use config::RecoveryConfig;
pub use event::LoggedEvent;
pub(crate) use identity::{Identity, Wanted};
pub(crate) use journal::{Claim, Journal, Obstacle};
pub use offset::{InvalidOffset, Offset};
pub(crate) use round::Round;
pub use store::{MemorySessionStore, SessionStore, StoreError, StoreFuture, StoredSession};

use super::handler::{Panic, caught};

/// How often what is too old is looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(30);

/// A server's part in recovery.
pub(crate) struct Recovery {
    pub(crate) config: RecoveryConfig,
    store: Arc<dyn SessionStore>,
    journals: Mutex<Journals>,
}

#[derive(Default)]
struct Journals {
    by_namespace: HashMap<Text, Slot>,
    /// Namespaces that are gone, while somebody may still come back to them; the one that went first is in front.
    orphans: VecDeque<Text>,
}

struct Slot {
    journal: Arc<Journal>,
    leases: usize,
}

impl Recovery {
    pub(crate) fn new(config: RecoveryConfig) -> Self {
        let memory = || Arc::new(MemorySessionStore::new(config.max_sessions)) as Arc<_>;
        Self {
            store: config.store.clone().unwrap_or_else(memory),
            config,
            journals: Mutex::default(),
        }
    }

    /// The journal of a namespace that comes into being, or is back.
    pub(crate) fn lease(self: &Arc<Self>, namespace: &Text) -> Lease {
        let mut journals = self.journals.lock();
        let slot = journals.by_namespace.entry(namespace.clone());
        let slot = slot.or_insert_with(|| {
            let (store, limits) = (self.store.clone(), self.config.limits());
            let time = self.config.max_disconnection;
            let journal = Journal::new(namespace.clone(), limits, store, time);
            Slot {
                journal: Arc::new(journal),
                leases: 0,
            }
        });
        slot.leases += 1;
        Lease {
            recovery: self.clone(),
            journal: slot.journal.clone(),
        }
    }

    /// Forgets what is too old, for as long as the server is there.
    pub(crate) async fn sweep(this: Weak<Self>) {
        loop {
            tokio::time::sleep(SWEEP_INTERVAL).await;
            let Some(recovery) = this.upgrade() else {
                return;
            };
            let mut journals = recovery.journals.lock();
            for slot in journals.by_namespace.values() {
                slot.journal.expire();
            }
            journals.forget_orphans(|journal| journal.is_awaiting());
            drop(journals);
            if let Err(Panic(message)) = caught(|| recovery.store.sweep()) {
                tracing::error!(name: "hook_panicked", target: "socket_io", hook = "session store", reason = message);
            }
        }
    }
}

impl Journals {
    /// Forgets those who went first, up to one that is to be kept.
    fn forget_orphans(&mut self, keep: impl Fn(&Journal) -> bool) {
        while let Some(namespace) = self.orphans.front() {
            if let Some(slot) = self.by_namespace.get(namespace) {
                let is_orphan = slot.leases == 0;
                if is_orphan && keep(&slot.journal) {
                    return;
                }
                if is_orphan {
                    self.by_namespace.remove(namespace);
                }
            }
            self.orphans.pop_front();
        }
    }
}

/// A namespace's hold on its journal.
pub(crate) struct Lease {
    pub(crate) recovery: Arc<Recovery>,
    journal: Arc<Journal>,
}

impl Deref for Lease {
    type Target = Arc<Journal>;

    fn deref(&self) -> &Arc<Journal> {
        &self.journal
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut guard = self.recovery.journals.lock();
        let journals = &mut *guard;
        let Entry::Occupied(mut slot) = journals
            .by_namespace
            .entry(self.journal.namespace().clone())
        else {
            return;
        };
        slot.get_mut().leases -= 1;
        if slot.get().leases > 0 {
            return;
        }
        if !self.journal.is_awaiting() {
            slot.remove();
            return;
        }
        journals.orphans.push_back(slot.key().clone());
        let max = self.recovery.config.max_empty_namespaces;
        while journals.orphans.len() > max {
            if let Some(first) = journals.orphans.pop_front() {
                let orphan = journals.by_namespace.get(&first);
                if orphan.is_some_and(|slot| slot.leases == 0) {
                    journals.by_namespace.remove(&first);
                }
            }
        }
    }
}
