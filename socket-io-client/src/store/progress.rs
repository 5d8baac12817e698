//! How far events were handled, where handlers end in another order than they begin.

use std::collections::BTreeMap;

/// The events whose handlers are running, and the ends of those behind them. At most twice as many as are running, and one.
#[derive(Debug)]
pub(crate) struct Progress<T> {
    next: u64,
    begun: BTreeMap<u64, Handled<T>>,
}

#[derive(Debug)]
struct Handled<T> {
    value: T,
    has_ended: bool,
}

impl<T> Default for Progress<T> {
    fn default() -> Self {
        Self {
            next: 0,
            begun: BTreeMap::new(),
        }
    }
}

impl<T> Progress<T> {
    /// An event is going to be handled; the value says that it was. What to say when that is done.
    pub(crate) fn begin(&mut self, value: T) -> u64 {
        let ticket = self.next;
        self.next += 1;
        let has_ended = false;
        self.begun.insert(ticket, Handled { value, has_ended });
        ticket
    }

    /// It was handled. The value of the last event up to which all are, if that is news.
    pub(crate) fn end(&mut self, ticket: u64) -> Option<T> {
        self.begun.get_mut(&ticket)?.has_ended = true;
        let is_behind = |ticket: u64, handled: &Handled<T>| handled.has_ended.then_some(ticket);
        let before = self.begun.range(..ticket).next_back();
        if let Some(superseded) = before.and_then(|(at, handled)| is_behind(*at, handled)) {
            self.begun.remove(&superseded);
        }
        let after = self.begun.range(ticket + 1..).next();
        if after.is_some_and(|(at, handled)| is_behind(*at, handled).is_some()) {
            self.begun.remove(&ticket);
        }
        let first = self.begun.first_entry()?;
        first.get().has_ended.then(|| first.remove().value)
    }

    /// Whatever was begun is of no interest any more.
    pub(crate) fn forget(&mut self) {
        self.begun.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_in_order_is_told_at_once() {
        let mut progress = Progress::default();
        for value in ["a", "b", "c"] {
            let ticket = progress.begin(value);
            assert_eq!(progress.end(ticket), Some(value));
        }
    }

    #[test]
    fn an_event_is_not_passed_over_by_later_ones() {
        let mut progress = Progress::default();
        let tickets = ["a", "b", "c", "d"].map(|value| progress.begin(value));
        assert_eq!(progress.end(tickets[2]), None);
        assert_eq!(progress.end(tickets[1]), None);
        assert_eq!(progress.end(tickets[0]), Some("c"));
        assert_eq!(progress.end(tickets[3]), Some("d"));
    }

    #[test]
    fn many_that_end_behind_one_that_does_not_take_no_room() {
        let mut progress = Progress::default();
        let first = progress.begin(0);
        let tickets: Vec<_> = (1..1000).map(|value| progress.begin(value)).collect();
        for ticket in tickets
            .iter()
            .step_by(2)
            .chain(tickets.iter().skip(1).step_by(2))
        {
            assert_eq!(progress.end(*ticket), None);
        }
        assert_eq!(progress.begun.len(), 2);
        assert_eq!(progress.end(first), Some(999));
        assert!(progress.begun.is_empty());
    }

    #[test]
    fn what_was_forgotten_is_not_told() {
        let mut progress = Progress::default();
        let old = progress.begin("old");
        progress.forget();
        let new = progress.begin("new");
        assert_eq!(progress.end(old), None);
        assert_eq!(progress.end(new), Some("new"));
    }
}
