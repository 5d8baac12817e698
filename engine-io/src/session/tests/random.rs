//! Pairs under random latencies, sends, upgrades, losses and closes. [`pair`](super::pair) checks each message on arrival.

use super::net::Net;
use super::pair::{CLIENT, Pair, SERVER};
use super::*;

const SEEDS: u64 = 2_000;

/// What happened in all runs together, so that a change cannot make them pass by doing nothing.
#[derive(Debug, Default)]
struct Tally {
    messages: u32,
    open_at_the_end: u32,
    upgraded: u32,
    /// Candidates that came to nothing while the session went on.
    failed_upgrades: usize,
    closed_by_a_side: u32,
    /// Of these, closes that the other side learned of, behind everything that was sent to it.
    complete_closes: u32,
    broken: u32,
    full: u32,
}

struct Run {
    pair: Pair,
    random: Random,
    /// Whether each side has closed the session while it was still on.
    closed_by: [bool; 2],
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let config = SessionConfig {
            ping_interval: Duration::from_millis(500 + random.below(1_000)),
            ping_timeout: Duration::from_millis(2_000),
            upgrade_timeout: Duration::from_millis(50 + random.below(1_000)),
            close_timeout: Duration::from_secs(20),
            outbox_limit: 200 + random.below(2_000) as usize,
        };
        let slowest = 1 + random.below(100);
        let net = Net {
            random: Random::new(seed ^ 0xffff),
            latency: random.below(slowest)..=slowest,
            chunk: 1..=1 + random.below(100),
            max_payload: 1 + random.below(300) as usize,
        };
        let transport = if random.chance(85) {
            Transport::Polling
        } else {
            Transport::WebSocket
        };
        Self {
            pair: Pair::new(transport, &config, net),
            random,
            closed_by: [false; 2],
        }
    }

    /// One thing that a user or the network does.
    fn act(&mut self, tally: &mut Tally) {
        let side = if self.random.chance(50) {
            SERVER
        } else {
            CLIENT
        };
        match self.random.below(100) {
            0..80 => {
                for _ in 0..self.random.below(4) {
                    let padding = self.random.below(60) as usize;
                    match self.pair.send(side, padding) {
                        Err(SendError::Full { .. }) => tally.full += 1,
                        Ok(()) | Err(SendError::Closed) => {}
                    }
                }
            }
            80..94 => {
                self.pair.dial();
            }
            94..98 => self.damage(),
            _ if self.random.chance(30) => {
                if !matches!(self.pair.session(side).state(), ReadyState::Closed(_)) {
                    self.closed_by[side as usize] = true;
                }
                self.pair.close(side);
            }
            _ => {}
        }
    }

    /// The newest link breaks or falls silent, or requests fail.
    fn damage(&mut self) {
        let Some(newest) = self.pair.links.len().checked_sub(1) else {
            return;
        };
        match self.random.below(9) {
            0..4 => self.pair.cut(newest),
            4..8 => self.pair.links[newest].faulty = true,
            _ => self.pair.cut_polling(),
        }
    }

    /// Whether the network gave the sides a reason to lose each other: requests that failed, or a client that has moved to a link which is damaged or
    /// which the server gave up before it heard of the move.
    fn is_broken(&mut self) -> bool {
        let server = self.pair.end(SERVER).link;
        let client = self.pair.end(CLIENT).link;
        let lost = client.is_some_and(|link| self.pair.links[link].faulty || server != client);
        lost || self.pair.polling_lost
    }

    /// When everything has come to rest.
    fn check(&mut self, tally: &mut Tally) {
        let states = [SERVER, CLIENT].map(|side| self.pair.session(side).state());
        let broken = self.is_broken();
        tally.messages += self.pair.end(SERVER).received + self.pair.end(CLIENT).received;
        tally.upgraded += u32::from(self.pair.session(CLIENT).transport() == Transport::WebSocket);
        if self.closed_by == [false; 2] && !broken {
            assert_eq!(states, [ReadyState::Open; 2], "nobody closed it");
            self.pair.check_all_arrived();
            tally.open_at_the_end += 1;
            tally.failed_upgrades += self.pair.links.len().saturating_sub(1);
            return;
        }
        for (side, state) in [SERVER, CLIENT].into_iter().zip(states) {
            let ReadyState::Closed(reason) = state else {
                panic!("{side:?} hangs: {state:?}");
            };
            check_closed(self.pair.session(side), reason);
        }
        if broken {
            tally.broken += 1;
            return;
        }
        tally.closed_by_a_side += 1;
        let [closer, other] = match self.closed_by {
            [true, false] => [SERVER, CLIENT],
            [false, true] => [CLIENT, SERVER],
            // Either may have dropped what came from the other.
            _ => return,
        };
        let sent = self.pair.end(closer).sent;
        if self.pair.session(other).peer_closed() {
            assert_eq!(self.pair.end(other).received, sent, "lost at the close");
            tally.complete_closes += 1;
        }
    }
}

#[test]
fn every_message_arrives_once_and_in_order() {
    let mut tally = Tally::default();
    for seed in 0..SEEDS {
        let _on_failure = OnFailure(seed);
        let mut run = Run::new(seed);
        for _ in 0..40 + run.random.below(60) {
            let pause = run.random.below(60);
            run.pair.run_until(run.pair.now + pause);
            run.act(&mut tally);
        }
        run.pair.run_until(run.pair.now + 60_000);
        run.check(&mut tally);
    }
    assert!(tally.messages > 50_000, "{tally:?}");
    assert!(tally.open_at_the_end > 500, "{tally:?}");
    assert!(tally.upgraded > 500, "{tally:?}");
    assert!(tally.failed_upgrades > 500, "{tally:?}");
    assert!(tally.closed_by_a_side > 100, "{tally:?}");
    assert!(tally.complete_closes > 100, "{tally:?}");
    assert!(tally.broken > 100, "{tally:?}");
    assert!(tally.full > 100, "{tally:?}");
}
