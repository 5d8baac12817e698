//! Packets of which only the newest is worth sending: positions, prices, progress.
//!
//! While one waits in the outbox, a newer one of the same key takes its place there, so a slow peer has no more than one packet of each key before it. The
//! place is kept: each key has its turn, and those that change often cannot keep the others back. So a packet may overtake what was sent between it and the one
//! that it replaces; what has to keep its order has no key.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::outbox::Queued;

/// What a packet is about, if only the newest packet about it is to be sent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LatestKey {
    scope: u64,
    name: Arc<str>,
}

impl LatestKey {
    /// Packets replace each other if both scope and name are equal. The scope is a number of the caller's, for several users of one session.
    pub fn new(scope: u64, name: impl Into<Arc<str>>) -> Self {
        Self {
            scope,
            name: name.into(),
        }
    }
}

/// The packets that wait under a key. Nothing is allocated while there are none.
#[derive(Debug, Default)]
#[allow(clippy::box_collection)] // most sessions never have any: a pointer for them, not a map
pub(super) struct Latest(Option<Box<BTreeMap<LatestKey, Vec<Queued>>>>);

impl Latest {
    pub(super) fn get(&self, key: &LatestKey) -> Option<&Vec<Queued>> {
        self.0.as_ref()?.get(key)
    }

    pub(super) fn get_mut(&mut self, key: &LatestKey) -> Option<&mut Vec<Queued>> {
        self.0.as_mut()?.get_mut(key)
    }

    pub(super) fn insert(&mut self, key: LatestKey, frames: Vec<Queued>) {
        self.0.get_or_insert_default().insert(key, frames);
    }

    /// The frames of the packet, which is forgotten.
    pub(super) fn remove(&mut self, key: &LatestKey) -> Vec<Queued> {
        let Some(packets) = &mut self.0 else {
            return Vec::new();
        };
        let frames = packets.remove(key);
        if packets.is_empty() {
            self.0 = None;
        }
        frames.unwrap_or_default()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}
