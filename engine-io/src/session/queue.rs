//! A queue that needs no memory of its own for a single item.

use std::collections::VecDeque;

/// Most outboxes hold one frame at the most, for a moment. Memory is taken by the second, and given back with it.
#[derive(Debug)]
pub(super) struct Queue<T> {
    /// `None` only while there is no item at all.
    first: Option<T>,
    rest: VecDeque<T>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            first: None,
            rest: VecDeque::new(),
        }
    }
}

impl<T> Queue<T> {
    pub(super) fn push_back(&mut self, item: T) {
        match self.first {
            None => self.first = Some(item),
            Some(_) => self.rest.push_back(item),
        }
    }

    pub(super) fn push_front(&mut self, item: T) {
        if let Some(second) = self.first.replace(item) {
            self.rest.push_front(second);
        }
    }

    #[inline]
    pub(super) fn pop_front(&mut self) -> Option<T> {
        let next = self.rest.pop_front();
        if self.rest.is_empty() {
            self.rest = VecDeque::new();
        }
        std::mem::replace(&mut self.first, next)
    }

    pub(super) fn back(&self) -> Option<&T> {
        self.rest.back().or(self.first.as_ref())
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.rest.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_leave_in_their_order_and_take_their_memory_along() {
        let mut queue = Queue::default();
        for round in 0..3 {
            for item in 0..=round {
                queue.push_back(item);
                assert_eq!(queue.back(), Some(&item));
            }
            assert_eq!(queue.len(), round + 1);
            assert_eq!(
                queue.capacity() > 0,
                round > 0,
                "the second item needs memory"
            );
            let first = queue.pop_front().unwrap();
            queue.push_front(first);
            for item in 0..=round {
                assert_eq!(queue.pop_front(), Some(item));
            }
            assert_eq!(queue.pop_front(), None);
            assert!(queue.is_empty());
            assert_eq!((queue.len(), queue.back(), queue.capacity()), (0, None, 0));
        }
    }
}
