//! What was sent in a namespace a short while ago, for those who come back. Pure: the clock is the caller's.
//!
//! Events are numbered without gaps, so the place of an event in the ring is a difference.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::event::LoggedEvent;
use super::offset::Offset;

/// How much a log keeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
    pub(crate) age: Duration,
}

/// What all logs of a server hold together.
#[derive(Debug)]
pub(crate) struct Total {
    limit: usize,
    bytes: AtomicUsize,
    logs: AtomicUsize,
}

impl Total {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            bytes: AtomicUsize::new(0),
            logs: AtomicUsize::new(0),
        })
    }

    /// Whether a log of so many bytes is to forget something. From half of the limit on, those give who have more than their share of it.
    fn asks(&self, bytes: usize) -> bool {
        let total = self.bytes.load(Relaxed);
        let half = self.limit / 2;
        total > self.limit || (total > half && bytes > half / self.logs.load(Relaxed).max(1))
    }
}

#[derive(Debug)]
pub(crate) struct Log {
    limits: Limits,
    total: Arc<Total>,
    /// The event that was numbered last, kept or not.
    last: Offset,
    /// The newest events, in order.
    entries: VecDeque<Entry>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    event: Arc<LoggedEvent>,
    size: usize,
    time: Instant,
}

impl Log {
    /// The name is to be random.
    pub(crate) fn new(name: u64, limits: Limits, total: Arc<Total>) -> Self {
        total.logs.fetch_add(1, Relaxed);
        Self {
            limits,
            total,
            last: Offset::new(name, 0),
            entries: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Where the log ends.
    pub(crate) fn last(&self) -> Offset {
        self.last
    }

    /// Where the next event will be.
    pub(crate) fn next(&self) -> Offset {
        self.last.at(self.last.number() + 1)
    }

    /// Takes in the event that was given the offset [`next`](Self::next), and forgets what is too much.
    pub(crate) fn append(&mut self, now: Instant, event: Arc<LoggedEvent>) {
        debug_assert_eq!(event.offset(), self.next());
        self.last = event.offset();
        let size = event.size();
        self.bytes += size;
        self.total.bytes.fetch_add(size, Relaxed);
        self.entries.push_back(Entry {
            event,
            size,
            time: now,
        });
        while self.entries.len() > self.limits.events
            || self.bytes > self.limits.bytes
            || (self.bytes > 0 && self.total.asks(self.bytes))
        {
            self.forget();
        }
        self.expire(now);
    }

    /// Forgets what is too old.
    pub(crate) fn expire(&mut self, now: Instant) {
        let age = self.limits.age;
        while self
            .entries
            .front()
            .is_some_and(|entry| now.saturating_duration_since(entry.time) > age)
        {
            self.forget();
        }
        if self.entries.len() < self.entries.capacity() / 8 {
            self.entries.shrink_to(self.entries.len() * 2);
        }
    }

    fn forget(&mut self) {
        let forgotten = self.entries.pop_front().map_or(0, |entry| entry.size);
        self.bytes -= forgotten;
        self.total.bytes.fetch_sub(forgotten, Relaxed);
    }

    /// The events behind that number that were for a client in these rooms; `None` if some events behind it are forgotten already.
    pub(crate) fn missed(
        &self,
        after: u64,
        rooms: &HashSet<&str>,
    ) -> Option<Vec<Arc<LoggedEvent>>> {
        let before_first = self.last.number() - self.entries.len() as u64;
        let skipped = after.checked_sub(before_first)?;
        let skipped = usize::try_from(skipped).ok()?.min(self.entries.len());
        let behind = self.entries.range(skipped..).map(|entry| &entry.event);
        Some(
            behind
                .filter(|event| event.is_for(rooms))
                .cloned()
                .collect(),
        )
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.total.bytes.fetch_sub(self.bytes, Relaxed);
        self.total.logs.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::Target;
    use crate::protocol::{Encoded, Outgoing};

    const LIMITS: Limits = Limits {
        events: 5,
        bytes: usize::MAX,
        age: Duration::from_secs(10),
    };

    fn packet(bytes: usize) -> Encoded {
        let data = "x".repeat(bytes);
        Outgoing::new("e", &data, 0).unwrap().encode("/", None)
    }

    /// Appends an event for that room, or for everybody.
    fn append(log: &mut Log, now: Instant, room: &str, bytes: usize) {
        let mut target = Target::default();
        if !room.is_empty() {
            target.rooms.push(room.into());
        }
        let event = LoggedEvent::sent("/".into(), log.next(), target, packet(bytes));
        log.append(now, Arc::new(event));
    }

    fn missed(log: &Log, after: u64, rooms: &[&str]) -> Option<Vec<u64>> {
        let events = log.missed(after, &rooms.iter().copied().collect())?;
        Some(events.iter().map(|event| event.offset().number()).collect())
    }

    #[test]
    fn events_are_numbered_and_filtered_by_room() {
        let now = Instant::now();
        let mut log = Log::new(7, LIMITS, Total::new(usize::MAX));
        assert_eq!(missed(&log, 0, &[]), Some(vec![]));
        for room in ["", "a", "b", "a", ""] {
            append(&mut log, now, room, 1);
        }
        assert_eq!(log.last(), Offset::new(7, 5));
        assert_eq!(missed(&log, 0, &["me"]), Some(vec![1, 5]));
        assert_eq!(missed(&log, 0, &["me", "a"]), Some(vec![1, 2, 4, 5]));
        assert_eq!(missed(&log, 2, &["me", "a", "b"]), Some(vec![3, 4, 5]));
        assert_eq!(missed(&log, 4, &["me"]), Some(vec![5]));
        assert_eq!(missed(&log, 5, &["me"]), Some(vec![]));
    }

    #[test]
    fn the_number_of_events_is_limited() {
        let now = Instant::now();
        let mut log = Log::new(7, LIMITS, Total::new(usize::MAX));
        for _ in 0..8 {
            append(&mut log, now, "", 1);
        }
        assert_eq!(missed(&log, 2, &[]), None);
        assert_eq!(missed(&log, 3, &[]), Some(vec![4, 5, 6, 7, 8]));
    }

    #[test]
    fn the_bytes_are_limited() {
        let now = Instant::now();
        let overhead = {
            let target = Target::default();
            LoggedEvent::sent("/".into(), Offset::new(0, 1), target, packet(0)).size()
        };
        let limits = Limits {
            bytes: 3 * overhead + 100,
            ..LIMITS
        };
        let mut log = Log::new(7, limits, Total::new(usize::MAX));
        for _ in 0..3 {
            append(&mut log, now, "", 30);
        }
        assert_eq!(missed(&log, 0, &[]), Some(vec![1, 2, 3]));
        append(&mut log, now, "", 80);
        assert_eq!(missed(&log, 1, &[]), None);
        assert_eq!(missed(&log, 2, &[]), Some(vec![3, 4]));
        // One that is too large by itself is numbered and not kept.
        append(&mut log, now, "", 10_000);
        assert_eq!((log.entries.len(), log.bytes), (0, 0));
        assert_eq!(missed(&log, 4, &[]), None);
        assert_eq!(missed(&log, 5, &[]), Some(vec![]));
        append(&mut log, now, "", 1);
        assert_eq!(missed(&log, 5, &[]), Some(vec![6]));
    }

    /// Appends an event of exactly so many bytes, all counted.
    fn append_sized(log: &mut Log, size: usize) {
        const SOME: usize = 1000;
        let event = |bytes| {
            let target = Target::default();
            LoggedEvent::sent("/".into(), log.next(), target, packet(bytes))
        };
        let event = event(SOME + size - event(SOME).size());
        assert_eq!(event.size(), size);
        log.append(Instant::now(), Arc::new(event));
    }

    #[test]
    fn the_bytes_go_up_to_the_limit_and_no_further() {
        let limits = Limits {
            bytes: 6000,
            ..LIMITS
        };
        for (last, first_stays) in [(1999, true), (2000, true), (2001, false)] {
            let mut log = Log::new(7, limits, Total::new(usize::MAX));
            for size in [2000, 2000, last] {
                append_sized(&mut log, size);
            }
            assert_eq!(missed(&log, 0, &[]).is_some(), first_stays, "{last}");
            assert_eq!(missed(&log, 1, &[]), Some(vec![2, 3]));
        }
        // A single event, too.
        for (size, stays) in [(5999, true), (6000, true), (6001, false)] {
            let mut log = Log::new(7, limits, Total::new(usize::MAX));
            append_sized(&mut log, size);
            assert_eq!(missed(&log, 0, &[]).is_some(), stays, "{size}");
        }
    }

    #[test]
    fn all_logs_together_go_up_to_the_limit_and_their_shares_and_no_further() {
        const LIMIT: usize = 24_000;
        // What each of the logs keeps that come one after the other, and whether the last keeps its event.
        for (sizes, stays) in [
            // One alone may have half of the limit.
            (&[11_999][..], true),
            (&[12_000], true),
            (&[12_001], false),
            // While there is less than half of it, anybody may have it; from then on, the second half of that half.
            (&[4000, 7999], true),
            (&[4000, 8000], true),
            (&[4000, 8001], false),
            (&[12_000, 5999], true),
            (&[12_000, 6000], true),
            (&[12_000, 6001], false),
            // Less than a share each, and together all there is.
            (&[12_000, 6000, 4000, 1999], true),
            (&[12_000, 6000, 4000, 2000], true),
            (&[12_000, 6000, 4000, 2001], false),
        ] {
            let total = Total::new(LIMIT);
            let mut logs = Vec::new();
            for &size in sizes {
                let mut log = Log::new(logs.len() as u64, LIMITS, total.clone());
                append_sized(&mut log, size);
                logs.push(log);
            }
            let last = logs.pop().unwrap();
            assert_eq!(missed(&last, 0, &[]).is_some(), stays, "{sizes:?}");
            assert!(logs.iter().all(|log| missed(log, 0, &[]).is_some()));
        }
    }

    #[test]
    fn events_are_forgotten_with_time_and_their_memory_goes_back() {
        let start = Instant::now();
        let limits = Limits {
            events: 10_000,
            ..LIMITS
        };
        let mut log = Log::new(7, limits, Total::new(usize::MAX));
        for second in 0..1000 {
            append(&mut log, start + Duration::from_millis(second), "", 1);
        }
        log.expire(start + LIMITS.age);
        assert_eq!(missed(&log, 0, &[]).map(|events| events.len()), Some(1000));
        append(
            &mut log,
            start + LIMITS.age + Duration::from_millis(500),
            "",
            1,
        );
        assert_eq!(missed(&log, 499, &[]), None);
        assert_eq!(missed(&log, 500, &[]).map(|events| events.len()), Some(501));
        log.expire(start + LIMITS.age * 3);
        assert_eq!((log.entries.len(), log.bytes), (0, 0));
        assert!(log.entries.capacity() < 20, "{}", log.entries.capacity());
        assert_eq!(missed(&log, 1001, &[]), Some(vec![]));
    }

    #[test]
    fn all_logs_together_are_limited_and_each_keeps_its_share() {
        const EVENT: usize = 1000;
        let now = Instant::now();
        let limits = Limits {
            events: usize::MAX,
            ..LIMITS
        };
        let limit = 400 * EVENT;
        let total = Total::new(limit);
        let mut logs: Vec<_> = (0..4)
            .map(|name| Log::new(name, limits, total.clone()))
            .collect();
        // The first may have half of it while the others need nothing, and gives when it goes on.
        for _ in 0..1000 {
            append(&mut logs[0], now, "", EVENT);
            assert!(total.bytes.load(Relaxed) <= limit);
        }
        let alone = logs[0].bytes;
        assert!(alone > limit / 8 && alone <= limit / 2, "{alone}");
        for _ in 0..1000 {
            for log in &mut logs {
                append(log, now, "", EVENT);
            }
            assert!(total.bytes.load(Relaxed) <= limit);
        }
        for log in &logs {
            // More or less: nobody gives while all together have less than half of the limit.
            let share = limit / 2 / logs.len();
            let range = share / 2..share * 3 / 2;
            assert!(range.contains(&log.bytes), "{}", log.bytes);
        }
        assert_eq!(
            total.bytes.load(Relaxed),
            logs.iter().map(|log| log.bytes).sum::<usize>()
        );
        logs.truncate(1);
        assert_eq!(total.bytes.load(Relaxed), logs[0].bytes);
        assert_eq!(total.logs.load(Relaxed), 1);
        // Many that came after the memory was full get nothing, and nothing is exceeded.
        let mut many: Vec<_> = (0..2000)
            .map(|name| Log::new(name, limits, total.clone()))
            .collect();
        for log in &mut many {
            append(log, now, "", EVENT);
            assert!(total.bytes.load(Relaxed) <= limit);
        }
        drop((many, logs));
        assert_eq!(total.bytes.load(Relaxed), 0);
    }
}
