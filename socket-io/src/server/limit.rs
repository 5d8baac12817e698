//! How much a client may send: events and bytes, by namespace or for the whole server.

use std::time::{Duration, Instant};

use engine_io::{Bucket, Rate};
use serde::Serialize;

use super::driver::Driver;
use super::extract::Context;
use super::handlers::HandlerId;
use super::namespace::Namespace;
use super::stats::Tally;
use crate::protocol::DisconnectReason;
use crate::refusal::Refusal;

/// How many limits a connection has budgets for. Only children of families that have limits of their own can be more.
const MAX_BUDGETS: usize = 256;

/// How much a client may send: given to [`Namespace::event_limit`] for a namespace or a family, or to
/// [`SocketIoBuilder::event_limit`](crate::SocketIoBuilder::event_limit) for everything that has no limit of its own.
///
/// Each connection has one budget for each place where a limit was given, so that leaving and joining again begins no new one, and a client in many namespaces of a
/// family has no more than one in a single one. Acknowledgements are not counted: the server has asked for them. A limit for the whole server counts each wish to
/// join a namespace as an event, too, and refuses it with a `connect_error` when it is exceeded.
///
/// What an event above the limit comes to is said by [`Excess`]. It reaches no handler and no middleware, and neither the error hook nor the log is told, which a
/// flood would fill; [`Stats::limited`](crate::Stats::limited) counts.
///
/// Budgets take some 50 bytes of a connection that has sent something to which a limit applies. Without limits nothing is kept or asked.
///
/// ```
/// use socket_io::SocketIo;
/// use socket_io::limit::{EventLimit, Excess, Rate};
///
/// let io = SocketIo::builder().event_limit(EventLimit::default()).build();
/// let chat = EventLimit::default().events(Rate::per_second(2).burst(10)).bytes(Rate::per_second(4096).burst(65_536));
/// io.of("/chat").event_limit(chat);
/// io.of("/game").event_limit(EventLimit::default().events(Rate::per_second(60)).excess(Excess::Disconnect));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventLimit {
    events: Option<Rate>,
    bytes: Option<Rate>,
    excess: Excess,
}

impl Default for EventLimit {
    /// 100 events in a second and 500 at once, 1 MB in a second and 10 MB at once; what is more is refused.
    fn default() -> Self {
        Self {
            events: Some(Rate::per_second(100).burst(500)),
            bytes: Some(Rate::per_second(1_000_000).burst(10_000_000)),
            excess: Excess::Refuse,
        }
    }
}

impl EventLimit {
    /// How many events; `None` for as many as come. Default 100 in a second and 500 at once.
    pub fn events(mut self, rate: impl Into<Option<Rate>>) -> Self {
        self.events = rate.into();
        self
    }

    /// How many bytes they may have, attachments included; `None` for as many as come. Default 1 000 000 in a second and 10 000 000 at once. An event that is
    /// larger than what may come at once passes if the client was quiet for long enough, and the next has to wait for longer.
    pub fn bytes(mut self, rate: impl Into<Option<Rate>>) -> Self {
        self.bytes = rate.into();
        self
    }

    /// What becomes of an event that is too much. Default [`Excess::Refuse`].
    pub fn excess(mut self, excess: Excess) -> Self {
        self.excess = excess;
        self
    }
}

/// What becomes of an event above a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Excess {
    /// The event is dropped. If the client wants an acknowledgement, that is `{"message":"too many events","data":{"retryAfter":250}}`, with the milliseconds after
    /// which the event would pass.
    Refuse,
    /// The socket leaves its namespace with [`DisconnectReason::RateLimitExceeded`]. The client sees that the server made it leave, after which official clients
    /// do not come back by themselves. The connection and its other namespaces stay.
    Disconnect,
}

/// A limit where it was given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given {
    id: HandlerId,
    limit: EventLimit,
}

impl Given {
    pub(crate) fn new(limit: EventLimit) -> Self {
        let id = HandlerId::next();
        Self { id, limit }
    }
}

/// What a connection has left of each limit that it has met.
#[derive(Default)]
pub(super) struct Budgets(Vec<(HandlerId, Budget)>);

#[derive(Clone, Copy, Default)]
struct Budget {
    events: Bucket,
    bytes: Bucket,
}

impl Budgets {
    /// Takes an event of that size out; if it is too much, the time after which it is not.
    fn take(&mut self, now: Instant, given: &Given, size: usize) -> Result<(), Duration> {
        let known = self.0.iter().position(|(id, _)| *id == given.id);
        let index = known.unwrap_or_else(|| {
            if self.0.len() == MAX_BUDGETS {
                self.0.remove(0);
            }
            self.0.push((given.id, Budget::default()));
            self.0.len() - 1
        });
        let budget = &mut self.0[index].1;
        // What is refused for one reason is not taken for the other.
        let mut left = *budget;
        if let Some(rate) = &given.limit.events {
            left.events.take(now, rate, 1)?;
        }
        if let Some(rate) = &given.limit.bytes {
            left.bytes.take(now, rate, size as u64)?;
        }
        *budget = left;
        Ok(())
    }
}

impl Driver {
    /// Whether an event may pass. If not, what is to become of it is done.
    pub(super) fn admits(&mut self, context: &Context) -> bool {
        let socket = &context.socket;
        let own = socket.namespace().registry().event_limit();
        let Some(given) = own.or_else(|| self.connection.io.config().event_limit) else {
            return true;
        };
        let Err(wait) = self.take(&given, context.size) else {
            return true;
        };
        match given.limit.excess {
            Excess::Refuse => {
                if let Some(question) = &context.ack {
                    // That this could not be sent would be no news.
                    let _ = socket.acknowledge(question, &too_much(wait));
                }
            }
            Excess::Disconnect => {
                socket.say_goodbye();
                socket.leave_namespace(DisconnectReason::RateLimitExceeded);
            }
        }
        false
    }

    /// Whether the client may wish to join another namespace.
    pub(super) fn admits_join(&mut self) -> Result<(), Refusal> {
        let Some(given) = self.connection.io.config().event_limit else {
            return Ok(());
        };
        self.take(&given, 0).map_err(too_much)
    }

    fn take(&mut self, given: &Given, size: usize) -> Result<(), Duration> {
        let now = tokio::time::Instant::now().into_std();
        let budgets = self.budgets.get_or_insert_default();
        let taken = budgets.take(now, given, size);
        if taken.is_err() {
            Tally::count(&self.connection.io.tally().limited);
        }
        taken
    }
}

/// What a client is told that has sent too much.
fn too_much(wait: Duration) -> Refusal {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Told {
        retry_after: u64,
    }
    let retry_after = u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
    let refusal = Refusal::new("too many events");
    let told = refusal.clone().with_data(&Told { retry_after });
    told.unwrap_or(refusal)
}

impl Namespace {
    /// Limits how much a client may send to this namespace, or, of the parent of a family, to all its namespaces together. The last limit given counts, from the
    /// next event on.
    ///
    /// ```
    /// # let io = socket_io::SocketIo::builder().build();
    /// use socket_io::limit::{EventLimit, Rate};
    ///
    /// io.of("/chat").event_limit(EventLimit::default().events(Rate::per_second(5).burst(20)));
    /// ```
    pub fn event_limit(self, limit: EventLimit) -> Self {
        self.own_registry().set_event_limit(Given::new(limit));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_for_its_size_does_not_count_as_an_event() {
        let limit = EventLimit::default()
            .events(Rate::per_second(1).burst(2))
            .bytes(Rate::per_second(10).burst(100));
        let (given, now) = (Given::new(limit), Instant::now());
        let mut budgets = Budgets::default();
        assert_eq!(budgets.take(now, &given, 95), Ok(()));
        for _ in 0..10 {
            let wait = Err(Duration::from_millis(500));
            assert_eq!(budgets.take(now, &given, 10), wait);
        }
        assert_eq!(budgets.take(now, &given, 5), Ok(()));
        let wait = Err(Duration::from_secs(1));
        assert_eq!(budgets.take(now, &given, 0), wait);
    }

    #[test]
    fn budgets_are_bounded_in_number() {
        let limit = EventLimit::default().events(Rate::per_minute(1));
        let (mut budgets, now) = (Budgets::default(), Instant::now());
        for _ in 0..10 * MAX_BUDGETS {
            let given = Given::new(limit);
            assert_eq!(budgets.take(now, &given, 1), Ok(()));
            assert!(budgets.take(now, &given, 1).is_err());
            assert!(budgets.0.len() <= MAX_BUDGETS);
        }
    }
}
