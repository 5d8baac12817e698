//! Acknowledgements that this side has asked for and not yet received.
//!
//! An event that wants an answer carries an id in front of its JSON, `2` **`12`** `["question"]`; the answer repeats it, `3` **`12`** `["yes"]`.

use std::collections::BTreeMap;
use std::fmt;

use super::AckId;

/// The unanswered events of one socket; `C` is whatever completes the question.
#[derive(Debug)]
pub struct PendingAcks<C> {
    next: u64,
    limit: usize,
    pending: BTreeMap<AckId, C>,
}

impl<C> PendingAcks<C> {
    /// Nothing pending; at most `limit` events may be unanswered at a time.
    pub const fn new(limit: usize) -> Self {
        Self {
            next: 0,
            limit,
            pending: BTreeMap::new(),
        }
    }

    /// Keeps `completion` under the next free id, counted from 0.
    ///
    /// # Errors
    ///
    /// [`AckError::TooMany`] when as many events as allowed are unanswered; `completion` is dropped.
    pub fn insert(&mut self, completion: C) -> Result<AckId, AckError> {
        // Ids given by the caller may lie in the way.
        while self.pending.contains_key(&AckId::new(self.next)) {
            self.next = self.next.wrapping_add(1);
        }
        let id = AckId::new(self.next);
        self.insert_with_id(id, completion)?;
        self.next = self.next.wrapping_add(1);
        Ok(id)
    }

    /// Keeps `completion` under an id that was drawn elsewhere, as for a broadcast, whose recipients all answer with the same one.
    ///
    /// # Errors
    ///
    /// [`AckError::TooMany`] when as many events as allowed are unanswered, [`AckError::Taken`] when one with this id is; `completion` is dropped.
    pub fn insert_with_id(&mut self, id: AckId, completion: C) -> Result<(), AckError> {
        if self.pending.contains_key(&id) {
            return Err(AckError::Taken { id });
        }
        if self.pending.len() >= self.limit {
            return Err(AckError::TooMany { limit: self.limit });
        }
        self.pending.insert(id, completion);
        Ok(())
    }

    /// Takes out what waits for the answer `id`; `None` for an unknown id and for a second answer, which are to be ignored.
    pub fn complete(&mut self, id: AckId) -> Option<C> {
        let completion = self.pending.remove(&id);
        if self.pending.is_empty() {
            // An empty map may keep memory, and most peers are asked now and then only.
            self.pending = BTreeMap::new();
        }
        completion
    }

    /// Gives up waiting for `id`, as after a timeout.
    pub fn remove(&mut self, id: AckId) -> Option<C> {
        self.complete(id)
    }

    /// Takes everything out, in the order of the ids, because the peer is gone.
    pub fn drain(&mut self) -> impl Iterator<Item = (AckId, C)> + use<C> {
        std::mem::take(&mut self.pending).into_iter()
    }

    /// How many events are unanswered.
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether nothing is unanswered.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }
}

/// Why an event cannot wait for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AckError {
    /// An event with this id is unanswered already.
    Taken {
        /// The id.
        id: AckId,
    },
    /// As many events as allowed are unanswered.
    TooMany {
        /// The limit.
        limit: usize,
    },
}

impl fmt::Display for AckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken { id } => write!(f, "acknowledgement id {id} is in use"),
            Self::TooMany { limit } => write!(f, "{limit} acknowledgements are pending already"),
        }
    }
}

impl std::error::Error for AckError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_count_from_zero_and_complete_once() {
        let mut acks = PendingAcks::new(10);
        assert_eq!(acks.insert("a"), Ok(AckId::new(0)));
        assert_eq!(acks.insert("b"), Ok(AckId::new(1)));
        assert_eq!(acks.complete(AckId::new(0)), Some("a"));
        assert_eq!(acks.complete(AckId::new(0)), None);
        assert_eq!(acks.complete(AckId::new(7)), None);
        assert_eq!(acks.remove(AckId::new(1)), Some("b"));
        assert_eq!(acks.insert("c"), Ok(AckId::new(2)), "ids are not reused");
    }

    #[test]
    fn own_ids_step_over_foreign_ones() {
        let mut acks = PendingAcks::new(10);
        assert_eq!(acks.insert_with_id(AckId::new(1), "broadcast"), Ok(()));
        assert_eq!(
            acks.insert_with_id(AckId::new(1), "again"),
            Err(AckError::Taken { id: AckId::new(1) })
        );
        assert_eq!(acks.insert("a"), Ok(AckId::new(0)));
        assert_eq!(acks.insert("b"), Ok(AckId::new(2)));
        assert_eq!(acks.complete(AckId::new(1)), Some("broadcast"));
    }

    #[test]
    fn the_limit_holds_until_an_answer_comes() {
        let mut acks = PendingAcks::new(1);
        assert_eq!(acks.insert(1), Ok(AckId::new(0)));
        assert_eq!(acks.insert(2), Err(AckError::TooMany { limit: 1 }));
        assert_eq!(acks.complete(AckId::new(0)), Some(1));
        assert_eq!(acks.insert(3), Ok(AckId::new(1)));
        assert_eq!(acks.len(), 1);
    }

    #[test]
    fn drain_hands_everything_out_in_order() {
        let mut acks = PendingAcks::new(10);
        for name in ["a", "b", "c"] {
            acks.insert(name).unwrap();
        }
        let drained: Vec<_> = acks.drain().map(|(id, name)| (id.get(), name)).collect();
        assert_eq!(drained, [(0, "a"), (1, "b"), (2, "c")]);
        assert!(acks.is_empty());
        assert_eq!(acks.insert("d"), Ok(AckId::new(3)));
    }
}
