//! How long to wait before the next attempt to reconnect.
//!
//! The n-th wait (from 0) is `delay · 2ⁿ`, changed by up to the jitter's share of itself in either direction, and never more than `delay_max`. With the
//! defaults: 0.5–1.5 s, 1–3 s, 2–5 s, 4–5 s, then 5 s each.
//!
//! Source: `contrib/backo2.ts` of socket.io-client. There the n-th power becomes infinite at the 1016th attempt, and half of the waits from then on are 0;
//! here the power stops growing once it has passed the maximum.

use std::time::Duration;

/// How the waits of several clients are spread, so that they do not all come back at once.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Jitter {
    /// Each wait is changed by up to this share of itself, from 0 to 1, before the maximum applies: so nothing is spread once the maximum is reached.
    /// As in the reference, which calls it `randomizationFactor`.
    Factor(f64),
    /// The same, but the wait that results from the maximum is shortened at random by up to this share, so that long outages spread clients as well.
    Capped(f64),
    /// Any time between nothing and what it would be without jitter.
    Full,
}

/// The waits of one outage.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    pub(crate) delay: Duration,
    pub(crate) delay_max: Duration,
    pub(crate) jitter: Jitter,
    attempts: u32,
}

impl Backoff {
    pub(crate) const fn new(delay: Duration, delay_max: Duration, jitter: Jitter) -> Self {
        Self {
            delay,
            delay_max,
            jitter,
            attempts: 0,
        }
    }

    /// How many waits there were since the last success.
    pub(crate) const fn attempts(&self) -> u32 {
        self.attempts
    }

    pub(crate) fn reset(&mut self) {
        self.attempts = 0;
    }

    /// The next wait; `random` is from 0 up to but not including 1.
    pub(crate) fn next_wait(&mut self, random: f64) -> Duration {
        let exponent = self.attempts.min(1000);
        self.attempts = self.attempts.saturating_add(1);
        let max = self.delay_max.as_secs_f64();
        // At most 2¹⁰⁰⁰ times what fits into a Duration, which still is finite.
        let raw = self.delay.as_secs_f64() * 2_f64.powi(exponent as i32);
        let seconds = match self.jitter {
            Jitter::Factor(factor) => jittered(raw, factor, random).min(max),
            Jitter::Capped(factor) if raw >= max => max - max * factor.clamp(0.0, 1.0) * random,
            Jitter::Capped(factor) => jittered(raw, factor, random).min(max),
            Jitter::Full => raw.min(max) * random,
        };
        Duration::try_from_secs_f64(seconds).unwrap_or(self.delay_max)
    }
}

/// One random number gives the size of the deviation, and its first decimal place the direction.
fn jittered(raw: f64, factor: f64, random: f64) -> f64 {
    let deviation = random * factor.clamp(0.0, 1.0) * raw;
    if (random * 10.0) as u8 % 2 == 0 {
        raw - deviation
    } else {
        raw + deviation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn backoff(jitter: Jitter) -> Backoff {
        Backoff::new(SECOND, 5 * SECOND, jitter)
    }

    #[test]
    fn without_jitter_waits_double_up_to_the_maximum() {
        let mut backoff = backoff(Jitter::Factor(0.0));
        let waits: Vec<_> = (0..5).map(|_| backoff.next_wait(0.9).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 5, 5]);
        assert_eq!(backoff.attempts(), 5);
        backoff.reset();
        assert_eq!(backoff.next_wait(0.9), SECOND);
    }

    #[test]
    fn jitter_deviates_by_a_share_in_either_direction_before_the_maximum() {
        let bounds = [
            (500, 1500),
            (1000, 3000),
            (2000, 5000),
            (4000, 5000),
            (5000, 5000),
        ];
        for random in (0..1000).map(|n| f64::from(n) / 1000.0) {
            let mut backoff = backoff(Jitter::Factor(0.5));
            for (low, high) in bounds {
                let wait = backoff.next_wait(random).as_millis();
                assert!((low..=high).contains(&wait), "{wait} for {random}");
            }
        }
        assert_eq!(
            backoff(Jitter::Factor(0.5)).next_wait(0.25).as_millis(),
            875
        );
        assert_eq!(
            backoff(Jitter::Factor(0.5)).next_wait(0.95).as_millis(),
            1475
        );
    }

    #[test]
    fn capped_jitter_spreads_the_maximum_too() {
        let mut backoff = backoff(Jitter::Capped(0.5));
        for _ in 0..10 {
            backoff.next_wait(0.0);
        }
        assert_eq!(backoff.next_wait(0.0), 5 * SECOND);
        assert_eq!(backoff.next_wait(0.8), 3 * SECOND);
    }

    #[test]
    fn full_jitter_is_anything_up_to_the_wait() {
        let mut backoff = backoff(Jitter::Full);
        assert_eq!(backoff.next_wait(0.0), Duration::ZERO);
        assert_eq!(backoff.next_wait(0.5), SECOND);
    }

    #[test]
    fn an_outage_of_days_never_waits_for_nothing() {
        for jitter in [
            Jitter::Factor(0.5),
            Jitter::Factor(1.0),
            Jitter::Capped(0.5),
        ] {
            let mut backoff = backoff(jitter);
            backoff.attempts = 10;
            for n in 0..100_000_u32 {
                let wait = backoff.next_wait(f64::from(n % 997) / 997.0);
                assert!(
                    wait >= 5 * SECOND / 2 && wait <= 5 * SECOND,
                    "{wait:?} at {n}"
                );
            }
        }
        let mut endless = Backoff::new(Duration::MAX, Duration::MAX, Jitter::Factor(1.0));
        endless.attempts = u32::MAX;
        assert_eq!(endless.next_wait(0.999), Duration::MAX);
        assert_eq!(endless.attempts(), u32::MAX);
    }

    #[test]
    fn no_delay_is_no_delay() {
        let mut backoff = Backoff::new(Duration::ZERO, 5 * SECOND, Jitter::Factor(0.5));
        for _ in 0..2000 {
            assert_eq!(backoff.next_wait(0.7), Duration::ZERO);
        }
    }
}
