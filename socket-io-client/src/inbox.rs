//! What waits to be handled, or to be read: queues with a limit in bytes, from the driver to one reader each.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

/// Wakes the driver, and keeps it from reading while a queue is full.
#[derive(Debug, Default)]
pub(crate) struct Brake {
    full: AtomicUsize,
    driver: Mutex<Option<Waker>>,
}

impl Brake {
    pub(crate) fn is_on(&self) -> bool {
        self.full.load(Ordering::Acquire) > 0
    }

    pub(crate) fn register(&self, waker: &Waker) {
        let mut driver = self.driver.lock();
        if !driver.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *driver = Some(waker.clone());
        }
    }

    pub(crate) fn wake(&self) {
        let driver = self.driver.lock().take();
        if let Some(driver) = driver {
            driver.wake();
        }
    }
}

/// What happens when nobody reads.
#[derive(Debug)]
pub(crate) enum Limit {
    /// Nothing more is read from the connection.
    Hold(Arc<Brake>),
    /// The oldest items are dropped, and counted.
    Drop,
}

pub(crate) struct Queue<T> {
    limit: Limit,
    bytes: usize,
    state: Mutex<State<T>>,
}

struct State<T> {
    items: VecDeque<(usize, T)>,
    bytes: usize,
    dropped: u64,
    is_full: bool,
    reader: Option<Waker>,
}

/// What a reader gets.
#[derive(Debug, PartialEq)]
pub(crate) enum Taken<T> {
    Item(T),
    /// So many are missing in front of the next one.
    Lagged(u64),
}

/// An item takes more than its arguments.
const OVERHEAD: usize = 128;

impl<T> Queue<T> {
    pub(crate) fn new(bytes: usize, limit: Limit) -> Self {
        Self {
            limit,
            bytes,
            state: Mutex::new(State {
                items: VecDeque::new(),
                bytes: 0,
                dropped: 0,
                is_full: false,
                reader: None,
            }),
        }
    }

    /// Adds an item of so many bytes.
    pub(crate) fn push(&self, item: T, size: usize) {
        let size = size + OVERHEAD;
        let mut state = self.state.lock();
        state.bytes += size;
        state.items.push_back((size, item));
        match &self.limit {
            Limit::Hold(brake) => {
                if state.bytes > self.bytes && !state.is_full {
                    state.is_full = true;
                    brake.full.fetch_add(1, Ordering::AcqRel);
                }
            }
            Limit::Drop => {
                // The last item is always kept, however large.
                while state.bytes > self.bytes && state.items.len() > 1 {
                    if let Some((size, _)) = state.items.pop_front() {
                        state.bytes -= size;
                        state.dropped += 1;
                    }
                }
            }
        }
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    pub(crate) fn pop(&self) -> Option<Taken<T>> {
        self.take(&mut self.state.lock())
    }

    pub(crate) fn poll_pop(&self, cx: &Context<'_>) -> Poll<Taken<T>> {
        let mut state = self.state.lock();
        match self.take(&mut state) {
            Some(taken) => Poll::Ready(taken),
            None => {
                let former = state.reader.replace(cx.waker().clone());
                drop(state);
                drop(former);
                Poll::Pending
            }
        }
    }

    fn take(&self, state: &mut State<T>) -> Option<Taken<T>> {
        if state.dropped > 0 {
            return Some(Taken::Lagged(std::mem::take(&mut state.dropped)));
        }
        let (size, item) = state.items.pop_front()?;
        state.bytes -= size;
        if state.items.is_empty() {
            state.items = VecDeque::new();
        }
        if let Limit::Hold(brake) = &self.limit {
            // Some room, so that reading does not stop again at once.
            if state.is_full && state.bytes <= self.bytes / 2 {
                state.is_full = false;
                brake.full.fetch_sub(1, Ordering::AcqRel);
                brake.wake();
            }
        }
        Some(Taken::Item(item))
    }
}

impl<T> Drop for Queue<T> {
    fn drop(&mut self) {
        if let Limit::Hold(brake) = &self.limit {
            if self.state.get_mut().is_full {
                brake.full.fetch_sub(1, Ordering::AcqRel);
                brake.wake();
            }
        }
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (items, bytes) = {
            let state = self.state.lock();
            (state.items.len(), state.bytes)
        };
        f.debug_struct("Queue")
            .field("items", &items)
            .field("bytes", &bytes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items<T>(queue: &Queue<T>) -> Vec<Taken<T>> {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn a_full_queue_stops_the_driver_until_half_of_it_is_read() {
        let brake = Arc::<Brake>::default();
        let queue = Queue::new(4 * OVERHEAD, Limit::Hold(brake.clone()));
        for n in 0..5 {
            assert!(!brake.is_on());
            queue.push(n, 0);
        }
        for n in 0..3 {
            assert!(brake.is_on());
            assert_eq!(queue.pop(), Some(Taken::Item(n)));
        }
        assert!(!brake.is_on());
        assert_eq!(items(&queue), [Taken::Item(3), Taken::Item(4)]);
    }

    #[test]
    fn the_limit_is_the_last_byte_that_has_room() {
        let two = 2 * OVERHEAD + 100;
        for (limit, has_room) in [(two - 1, false), (two, true), (two + 1, true)] {
            let brake = Arc::<Brake>::default();
            let handled = Queue::new(limit, Limit::Hold(brake.clone()));
            let read = Queue::new(limit, Limit::Drop);
            for size in [30, 70] {
                assert!(!brake.is_on());
                handled.push(size, size);
                read.push(size, size);
            }
            assert_eq!(brake.is_on(), !has_room, "{limit}");
            let expected = match has_room {
                true => [30, 70].map(Taken::Item),
                false => [Taken::Lagged(1), Taken::Item(70)],
            };
            assert_eq!(items(&read), expected);
            assert_eq!(items(&handled), [30, 70].map(Taken::Item));
            assert!(!brake.is_on());
        }
    }

    #[test]
    fn a_full_queue_that_is_dropped_stops_nobody() {
        let brake = Arc::<Brake>::default();
        let queue = Queue::new(0, Limit::Hold(brake.clone()));
        queue.push("a", 0);
        assert!(brake.is_on());
        drop(queue);
        assert!(!brake.is_on());
    }

    #[test]
    fn a_slow_reader_is_told_how_much_it_has_missed() {
        let queue = Queue::new(3 * OVERHEAD, Limit::Drop);
        for n in 0..10 {
            queue.push(n, 0);
        }
        let last = [7, 8, 9].map(Taken::Item);
        let expected: Vec<_> = [Taken::Lagged(7)].into_iter().chain(last).collect();
        assert_eq!(items(&queue), expected);
        queue.push(10, 1000);
        assert_eq!(items(&queue), [Taken::Item(10)]);
    }
}
