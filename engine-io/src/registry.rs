//! The sessions of a server, by id.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use dashmap::DashSet;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::connection::Shared;
use crate::sid::Sid;
use crate::stats::Stats;
use crate::transport::Transport;

/// After so many removals it is looked whether memory should go back: the look takes each shard's lock, and a few idle entries cost little.
const REMOVALS_PER_LOOK: u64 = 64;

/// Spread over shards, so that requests on many cores do not wait for each other.
#[derive(Default)]
pub(crate) struct Registry {
    sessions: DashSet<BySid>,
    counter: AtomicU32,
    numbers: AtomicU32,
    /// What the sessions that are over have carried. Whoever locks it may lock a session, and nobody the other way round.
    ended: Mutex<Stats>,
    /// How many [`Alive`] there are.
    alive: AtomicUsize,
    finished: Notify,
}

/// A session, found by its id without a copy of that.
struct BySid(Arc<Shared>);

impl Borrow<[u8]> for BySid {
    fn borrow(&self) -> &[u8] {
        self.0.sid.as_bytes()
    }
}

impl Hash for BySid {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.sid.as_bytes().hash(state);
    }
}

impl PartialEq for BySid {
    fn eq(&self, other: &Self) -> bool {
        self.0.sid == other.0.sid
    }
}

impl Eq for BySid {}

/// The registry in the hands of a connection that is not over: a session's owner, or a WebSocket whose last frames are on their way.
pub(crate) struct Alive(Arc<Registry>);

impl Alive {
    pub(crate) fn new(registry: &Arc<Registry>) -> Self {
        registry.alive.fetch_add(1, Ordering::Relaxed);
        Self(registry.clone())
    }
}

impl Clone for Alive {
    fn clone(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Deref for Alive {
    type Target = Registry;

    fn deref(&self) -> &Registry {
        &self.0
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        if self.0.alive.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.finished.notify_waiters();
        }
    }
}

impl Registry {
    /// A fresh id. Fails when the system has no random bytes to give.
    pub(crate) fn next_sid(&self) -> Result<Sid, getrandom::Error> {
        let mut random = [0; 12];
        getrandom::fill(&mut random)?;
        Ok(Sid::from_parts(
            random,
            self.counter.fetch_add(1, Ordering::Relaxed),
        ))
    }

    /// Numbers the connections from 1 on, for logs.
    pub(crate) fn next_number(&self) -> u32 {
        self.numbers.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    /// Adds a session, unless its id is taken: nobody may step into another one's place.
    pub(crate) fn insert(&self, shared: Arc<Shared>) -> bool {
        // The set keeps what it has.
        self.sessions.insert(BySid(shared))
    }

    /// Whether a session has that id.
    pub(crate) fn contains(&self, sid: &Sid) -> bool {
        self.sessions.contains(sid.as_bytes())
    }

    /// The session of that id and its transport, unless it is over.
    pub(crate) fn find(&self, sid: &str) -> Option<(Arc<Shared>, Transport)> {
        let shared = self.sessions.get(sid.as_bytes())?.0.clone();
        let state = shared.lock();
        let transport = (!state.is_closed()).then(|| state.session.transport());
        drop(state);
        Some((shared, transport?))
    }

    /// Removes that session, and no later one of the same id. False when it is gone already.
    pub(crate) fn remove(&self, shared: &Arc<Shared>) -> bool {
        let mut ended = self.ended.lock();
        let removed = self
            .sessions
            .remove_if(shared.sid.as_bytes(), |known| Arc::ptr_eq(&known.0, shared));
        if removed.is_none() {
            return false;
        }
        ended.add_ended(&shared.lock().session);
        let removals = ended.closed.total();
        drop(ended);
        // Memory goes back once most of the table is empty.
        if removals % REMOVALS_PER_LOOK == 0 && self.sessions.len() < self.sessions.capacity() / 8 {
            self.sessions.shrink_to_fit();
        }
        true
    }

    /// What all sessions have carried, open or over; each counts once.
    pub(crate) fn stats(&self) -> Stats {
        let ended = self.ended.lock();
        let mut stats = ended.clone();
        let open = self.all();
        drop(ended);
        for shared in open {
            stats.add_open(&shared.lock().session);
        }
        stats
    }

    /// Ready once no connection is left.
    pub(crate) async fn finished(&self) {
        loop {
            let finished = self.finished.notified();
            if self.alive.load(Ordering::Acquire) == 0 {
                return;
            }
            finished.await;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.sessions.len()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Shared>> {
        self.sessions.iter().map(|entry| entry.0.clone()).collect()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("sessions", &self.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;

    use super::*;

    /// Nobody guesses an id from others: all but its last three bytes are random, each bit as often 0 as 1, and independent of those of the id before.
    #[test]
    fn ids_are_unguessable() {
        const IDS: usize = 4096;
        let registry = Registry::default();
        let ids: Vec<[u8; 12]> = (0..IDS)
            .map(|number| {
                let sid = registry.next_sid().unwrap();
                assert_eq!(sid.len(), 20);
                let bytes = BASE64_URL_SAFE_NO_PAD.decode(sid.as_str()).unwrap();
                let (random, counter) = bytes.split_at(12);
                assert_eq!(counter, &(number as u32).to_be_bytes()[1..]);
                random.try_into().unwrap()
            })
            .collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), IDS);
        let changes: Vec<[u8; 12]> = ids
            .windows(2)
            .map(|pair| std::array::from_fn(|index| pair[0][index] ^ pair[1][index]))
            .collect();
        for bits in [&ids, &changes] {
            for bit in 0..96 {
                let set = bits
                    .iter()
                    .filter(|bytes| bytes[bit / 8] >> (bit % 8) & 1 == 1)
                    .count();
                // More than ten times the standard deviation, 32, away from the middle.
                assert!(set.abs_diff(IDS / 2) < 350, "bit {bit} is set {set} times");
            }
        }
    }
}
