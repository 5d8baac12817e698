//! A client's clock that goes on while the machine sleeps.

use std::fmt;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use parking_lot::Mutex;

/// The monotonic clock, which stands still during sleep, corrected by the time of day that has passed since an anchor.
pub(crate) struct Clock {
    wall: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    anchor: Mutex<Anchor>,
}

#[derive(Clone, Copy)]
struct Anchor {
    monotonic: Instant,
    wall: SystemTime,
    /// The deadline that it was set for.
    deadline: Option<Instant>,
}

impl Clock {
    pub(crate) fn new(wall: Arc<dyn Fn() -> SystemTime + Send + Sync>, now: Instant) -> Self {
        let anchor = Anchor {
            monotonic: now,
            wall: wall(),
            deadline: None,
        };
        Self {
            wall,
            anchor: Mutex::new(anchor),
        }
    }

    /// The later of what both clocks say.
    pub(crate) fn now(&self, now: Instant) -> Instant {
        let wall = (self.wall)();
        let anchor = *self.anchor.lock();
        // A clock that was set back says nothing.
        let passed = wall.duration_since(anchor.wall).unwrap_or_default();
        now.max(anchor.monotonic.checked_add(passed).unwrap_or(now))
    }

    /// Begins anew when the deadline has moved, so that slow drift does not add up.
    pub(crate) fn follow(&self, now: Instant, deadline: Option<Instant>) {
        if self.anchor.lock().deadline == deadline {
            return;
        }
        let wall = (self.wall)();
        *self.anchor.lock() = Anchor {
            monotonic: now,
            wall,
            deadline,
        };
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn time_of_day_counts_only_when_it_is_ahead() {
        let start = Instant::now();
        let day = Arc::new(Mutex::new(
            SystemTime::UNIX_EPOCH + Duration::from_secs(1000),
        ));
        let clock = Clock::new(
            {
                let day = day.clone();
                Arc::new(move || *day.lock())
            },
            start,
        );
        let second = Duration::from_secs(1);
        assert_eq!(clock.now(start + second), start + second);
        *day.lock() += 60 * second;
        assert_eq!(clock.now(start + second), start + 60 * second);
        clock.follow(start + second, Some(start + 70 * second));
        assert_eq!(clock.now(start + second), start + second);
        *day.lock() -= 600 * second;
        assert_eq!(clock.now(start + 2 * second), start + 2 * second);
    }
}
