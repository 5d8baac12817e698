//! Handlers in their order, each with a name of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::Place;
use crate::server::handler::ErasedHandler;

/// Names a handler, so that it can be taken away again. No two handlers of a process have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HandlerId(u64);

impl HandlerId {
    pub(crate) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// One handler.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) id: HandlerId,
    pub(super) handler: ErasedHandler,
    /// Of one that is called once: whether it was.
    pub(super) taken: Option<Arc<AtomicBool>>,
}

/// Handlers in their order. Those who run them share them, so a change makes a new list. None costs nothing.
#[derive(Clone, Default)]
pub(super) struct List(Option<Arc<[Entry]>>);

impl List {
    pub(super) fn entries(&self) -> &[Entry] {
        self.0.as_deref().unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn insert(&mut self, entry: Entry, place: Place) {
        let known = self.entries().iter().cloned();
        self.0 = Some(match place {
            Place::First => std::iter::once(entry).chain(known).collect(),
            Place::Last => known.chain([entry]).collect(),
        });
    }

    /// The list as it was, if the handler was in it.
    pub(super) fn remove(&mut self, id: HandlerId) -> Option<Self> {
        if !self.entries().iter().any(|entry| entry.id == id) {
            return None;
        }
        let others = self.entries().iter().filter(|entry| entry.id != id);
        let others: Vec<_> = others.cloned().collect();
        let others = (!others.is_empty()).then(|| others.into());
        Some(Self(std::mem::replace(&mut self.0, others)))
    }
}
