//! How often clients may open sessions, by address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use super::networks::Networks;
use crate::rate::{Bucket, Rate};

/// How often clients of one address may open sessions: given to [`connect_limit`](crate::ServerConfig::connect_limit).
///
/// Handshakes beyond it are refused with status 429, a `Retry-After` header, code 4 and the text `Too many requests`, before anything else is asked. Polls,
/// POSTs and upgrades of sessions that are there do not count. An IPv6 address counts as its /64 network, of which a single host has all.
///
/// The address is that of [`ConnectionInfo`](crate::ConnectionInfo), which the stand-alone listener tells; behind a proxy all clients have the proxy's, unless
/// [`trusted_proxies`](crate::ServerConfig::trusted_proxies) are named. Clients whose address is not known are not limited, and the event
/// `connect_limit_unused` says so once.
///
/// Memory is bounded: no more than [`max_addresses`](Self::max_addresses) are remembered, at some 50 bytes each, and none longer than it takes to make no
/// difference. Where more are active, those that came least recently are forgotten, and so begin anew.
///
/// ```
/// # use engine_io::{ConnectLimit, Rate, ServerConfig};
/// let limit = ConnectLimit::new(Rate::per_second(2).burst(30)).exempt("192.0.2.0/24".parse().unwrap());
/// let config = ServerConfig::default().connect_limit(limit);
/// ```
#[derive(Clone, Debug)]
pub struct ConnectLimit {
    rate: Rate,
    exempt: Networks,
    max_addresses: usize,
}

impl Default for ConnectLimit {
    /// 10 sessions in a second and 100 at once from an address: a house full of people who come back after a restart, but no flood.
    fn default() -> Self {
        Self::new(Rate::per_second(10).burst(100))
    }
}

impl ConnectLimit {
    /// So many sessions from an address.
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            exempt: Networks::default(),
            max_addresses: 65_536,
        }
    }

    /// Addresses that are not limited, such as those of a health check or of an office with many people. None by default.
    pub fn exempt(mut self, networks: Networks) -> Self {
        self.exempt = networks;
        self
    }

    /// How many addresses are remembered. Default 65 536.
    ///
    /// # Panics
    ///
    /// If there are fewer than 2.
    pub fn max_addresses(mut self, addresses: usize) -> Self {
        assert!(addresses > 1, "a limit needs a memory");
        self.max_addresses = addresses;
        self
    }
}

/// What the limit remembers. Two tables take turns, so that the old goes without a search.
#[derive(Debug, Default)]
pub(crate) struct Connects {
    young: HashMap<IpAddr, Bucket>,
    old: HashMap<IpAddr, Bucket>,
    /// When the younger one was begun.
    begun: Option<Instant>,
}

impl Connects {
    /// A client of that address wants to open a session; if it may not, the time until it may.
    pub(crate) fn take(
        &mut self,
        now: Instant,
        limit: &ConnectLimit,
        address: IpAddr,
    ) -> Result<(), Duration> {
        if limit.exempt.contains(address) {
            return Ok(());
        }
        let age = self.begun.map(|begun| now.saturating_duration_since(begun));
        if self.young.len() >= limit.max_addresses / 2
            || age.is_none_or(|age| age >= limit.rate.refill_time())
        {
            // The buckets of those who came this long ago are full again, unless there are too many.
            self.old = std::mem::take(&mut self.young);
            self.begun = Some(now);
        }
        let host = host(address);
        let old = &mut self.old;
        let bucket = self
            .young
            .entry(host)
            .or_insert_with(|| old.remove(&host).unwrap_or_default());
        bucket.take(now, &limit.rate, 1)
    }
}

/// What one host has: an IPv4 address, or a /64 network of IPv6.
fn host(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[test]
    fn each_address_has_its_own_bucket() {
        let limit = ConnectLimit::new(Rate::per_second(1).burst(2));
        let (mut connects, now) = (Connects::default(), Instant::now());
        let mut take = |address: &str| connects.take(now, &limit, address.parse().unwrap());
        let wait = Err(Duration::from_secs(1));
        assert_eq!(take("192.0.2.1"), Ok(()));
        // The same, as a listener for both families sees it.
        assert_eq!(take("::ffff:192.0.2.1"), Ok(()));
        assert_eq!(take("192.0.2.1"), wait);
        assert_eq!(take("192.0.2.2"), Ok(()));
        // One host of IPv6 has a whole network.
        assert_eq!(take("2001:db8::1"), Ok(()));
        assert_eq!(take("2001:db8::ffff:2"), Ok(()));
        assert_eq!(take("2001:db8:0:0:dead::3"), wait);
        assert_eq!(take("2001:db8:0:1::1"), Ok(()));
    }

    #[test]
    fn exempted_networks_are_not_limited() {
        let limit = ConnectLimit::new(Rate::per_minute(1)).exempt("192.0.2.0/24".parse().unwrap());
        let (mut connects, now) = (Connects::default(), Instant::now());
        for _ in 0..100 {
            assert_eq!(
                connects.take(now, &limit, "192.0.2.9".parse().unwrap()),
                Ok(())
            );
        }
        assert!(connects.young.is_empty() && connects.old.is_empty());
    }

    #[test]
    fn no_more_addresses_are_remembered_than_allowed() {
        let limit = ConnectLimit::new(Rate::per_minute(1)).max_addresses(1000);
        let (mut connects, now) = (Connects::default(), Instant::now());
        let loyal = v4(u32::MAX);
        for number in 0..100_000 {
            assert_eq!(connects.take(now, &limit, v4(number)), Ok(()));
            assert!(connects.young.len() + connects.old.len() <= 1000);
            // Those who keep on coming are not forgotten.
            assert_eq!(connects.take(now, &limit, loyal).is_ok(), number == 0);
        }
    }

    #[test]
    fn addresses_are_forgotten_when_their_buckets_are_full() {
        let limit = ConnectLimit::new(Rate::per_second(10).burst(20));
        let (mut connects, start) = (Connects::default(), Instant::now());
        for number in 0..500 {
            assert_eq!(connects.take(start, &limit, v4(number)), Ok(()));
        }
        let refill = limit.rate.refill_time();
        for turn in 1..=2 {
            assert_eq!(connects.take(start + refill * turn, &limit, v4(0)), Ok(()));
        }
        assert_eq!(connects.young.len() + connects.old.len(), 1);
    }

    /// The two tables forget nobody who would still be refused.
    #[test]
    fn turning_the_tables_lets_nobody_through() {
        let limit = ConnectLimit::new(Rate::per_second(10).burst(20));
        let (mut connects, start) = (Connects::default(), Instant::now());
        let mut passed = 0;
        for step in 0..10_000_u32 {
            let now = start + Duration::from_millis(7) * step;
            passed += u32::from(connects.take(now, &limit, v4(1)).is_ok());
            assert!(passed <= 20 + 7 * step / 100 + 1, "{step}");
        }
        assert!(passed > 600, "{passed}");
    }
}
