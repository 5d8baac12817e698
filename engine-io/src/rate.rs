//! How often something may happen: a token bucket that has no clock.

use std::time::{Duration, Instant};

/// Longer than anybody waits; what takes longer takes this long.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// How often something may happen: so many times in a while on average, and so many at once after a pause.
///
/// ```
/// # use std::time::Duration;
/// # use engine_io::Rate;
/// let rate = Rate::per_second(5).burst(20);
/// let slower = Rate::new(3, Duration::from_secs(60));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    times: u64,
    per: Duration,
    burst: u64,
}

impl Rate {
    /// So many times in this while, all of them at once if nothing happened before.
    ///
    /// # Panics
    ///
    /// If one of them is 0.
    pub const fn new(times: u64, per: Duration) -> Self {
        assert!(
            times > 0 && !per.is_zero(),
            "a rate of 0 would let nothing pass"
        );
        Self {
            times,
            per,
            burst: times,
        }
    }

    /// So many times in a second, all of them at once if nothing happened before.
    ///
    /// # Panics
    ///
    /// If it is 0.
    pub const fn per_second(times: u64) -> Self {
        Self::new(times, Duration::from_secs(1))
    }

    /// So many times in a minute, all of them at once if nothing happened before.
    ///
    /// # Panics
    ///
    /// If it is 0.
    pub const fn per_minute(times: u64) -> Self {
        Self::new(times, Duration::from_secs(60))
    }

    /// So many at once after a pause, in place of as many as the rate has times.
    ///
    /// # Panics
    ///
    /// If it is 0.
    pub const fn burst(mut self, times: u64) -> Self {
        assert!(times > 0, "a burst of 0 would let nothing pass");
        self.burst = times;
        self
    }

    /// The time in which an empty bucket fills up: what happened before it has no effect any more.
    pub fn refill_time(&self) -> Duration {
        self.time_for(self.burst)
    }

    /// The time in which the bucket gets so many.
    fn time_for(&self, amount: u64) -> Duration {
        let nanos = u128::from(amount)
            .saturating_mul(self.per.as_nanos())
            .div_ceil(u128::from(self.times));
        u64::try_from(nanos).map_or(LONGEST, |nanos| Duration::from_nanos(nanos).min(LONGEST))
    }
}

/// What is left of a [`Rate`]. Full when it is new; 16 bytes.
///
/// The time is an argument, so it can be any clock's that does not go back.
///
/// ```
/// # use std::time::{Duration, Instant};
/// # use engine_io::{Bucket, Rate};
/// let rate = Rate::per_second(10).burst(2);
/// let (mut bucket, now) = (Bucket::default(), Instant::now());
/// assert_eq!(bucket.take(now, &rate, 1), Ok(()));
/// assert_eq!(bucket.take(now, &rate, 1), Ok(()));
/// assert_eq!(bucket.take(now, &rate, 1), Err(Duration::from_millis(100)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// When it is full again, if it was ever taken from.
    full_at: Option<Instant>,
}

impl Bucket {
    /// Takes so many out. From a full bucket any number can be taken: what is more than a [burst](Rate::burst) is then to be waited for by those who come
    /// after.
    ///
    /// # Errors
    ///
    /// When there are not as many, with the time until there are; nothing is taken then.
    pub fn take(&mut self, now: Instant, rate: &Rate, amount: u64) -> Result<(), Duration> {
        let missing = self.missing(now);
        let wanted = missing.saturating_add(rate.time_for(amount)).min(LONGEST);
        if !missing.is_zero() && wanted > rate.refill_time() {
            return Err((wanted - rate.refill_time()).min(missing));
        }
        // What the clock cannot count to is left out, which lets things pass.
        self.full_at = now.checked_add(wanted);
        Ok(())
    }

    /// Whether it is as good as a new one.
    pub fn is_full(&self, now: Instant) -> bool {
        self.missing(now).is_zero()
    }

    /// The time until it is full.
    fn missing(&self, now: Instant) -> Duration {
        self.full_at
            .map_or(Duration::ZERO, |full| full.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_burst_passes_at_once_and_then_the_rate_counts() {
        let (rate, start) = (Rate::per_second(10).burst(3), Instant::now());
        let mut bucket = Bucket::default();
        let taken: Vec<_> = [0, 0, 0, 0, 99, 100, 100, 250, 299, 300, 10_000]
            .map(|at| bucket.take(start + millis(at), &rate, 1))
            .into();
        let expected = [
            Ok(()),
            Ok(()),
            Ok(()),
            Err(millis(100)),
            Err(millis(1)),
            Ok(()),
            Err(millis(100)),
            Ok(()),
            Err(millis(1)),
            Ok(()),
            Ok(()),
        ];
        assert_eq!(taken, expected);
    }

    #[test]
    fn a_full_bucket_lets_anything_pass_and_makes_the_next_wait() {
        let (rate, start) = (Rate::per_second(1000), Instant::now());
        let mut bucket = Bucket::default();
        assert_eq!(bucket.take(start, &rate, 5000), Ok(()));
        assert_eq!(bucket.take(start, &rate, 1), Err(millis(4001)));
        // What is larger than a burst waits for a full bucket.
        assert_eq!(bucket.take(start, &rate, 5000), Err(millis(5000)));
        let later = start + millis(4999);
        assert_eq!(bucket.take(later, &rate, 5000), Err(millis(1)));
        assert_eq!(bucket.take(start + millis(5000), &rate, 5000), Ok(()));
    }

    #[test]
    fn what_is_refused_costs_nothing() {
        let (rate, start) = (Rate::per_minute(1), Instant::now());
        let mut bucket = Bucket::default();
        assert_eq!(bucket.take(start, &rate, 1), Ok(()));
        for at in 1..60 {
            let left = Duration::from_secs(60 - at);
            let now = start + Duration::from_secs(at);
            assert_eq!(bucket.take(now, &rate, 1), Err(left));
            assert!(!bucket.is_full(now));
        }
        let end = start + Duration::from_secs(60);
        assert!(bucket.is_full(end));
        assert_eq!(bucket.take(end, &rate, 1), Ok(()));
    }

    /// Whatever is asked for and when, no more passes than the rate and one burst allow.
    #[test]
    fn no_more_passes_than_the_rate_and_a_burst() {
        let mut seed = 7_u64;
        let mut random = move |below: u64| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed % below
        };
        for _ in 0..300 {
            let rate = Rate::new(1 + random(50), millis(1 + random(3000))).burst(1 + random(50));
            let start = Instant::now();
            let (mut bucket, mut now, mut passed) = (Bucket::default(), start, 0);
            for _ in 0..300 {
                now += millis(random(40));
                let amount = 1 + random(rate.burst);
                if bucket.take(now, &rate, amount).is_ok() {
                    passed += amount;
                }
                let allowed = (now - start).as_secs_f64() / rate.per.as_secs_f64()
                    * rate.times as f64
                    + rate.burst as f64;
                assert!(passed as f64 <= allowed + 1e-6, "{rate:?}");
            }
        }
    }

    #[test]
    fn extreme_numbers_neither_panic_nor_block_for_ever() {
        let now = Instant::now();
        for rate in [
            Rate::new(u64::MAX, Duration::from_nanos(1)),
            Rate::new(1, Duration::MAX),
            Rate::per_second(u64::MAX).burst(u64::MAX),
            Rate::per_second(1).burst(u64::MAX),
        ] {
            let mut bucket = Bucket::default();
            for amount in [0, 1, u64::MAX, u64::MAX, 0] {
                let _ = bucket.take(now, &rate, amount);
            }
            assert!(bucket.is_full(now + LONGEST), "{rate:?}");
        }
    }
}
