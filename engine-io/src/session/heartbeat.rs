//! Who pings, and how long silence is tolerated.
//!
//! ```text
//! server:  Idle --ping_interval--> [ping] Waiting --ping_timeout without a byte--> dead
//!            ^________________________ pong ___|
//! client:  Waiting --ping_interval + ping_timeout without a ping or a byte--> dead
//!            ^_ ping [pong] _|
//! ```
//!
//! In revision 3 the roles are the other way round: the client pings.
//!
//! Any byte of the peer counts as life, so a message that takes longer than the timeout to arrive does not end the session (the reference extends the
//! deadline once per ping only). A pong that nobody asked for changes nothing.

use std::time::{Duration, Instant};

use super::Side;

#[derive(Debug)]
pub(crate) struct Heartbeat {
    interval: Duration,
    timeout: Duration,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Off,
    Idle { ping_at: Instant },
    Waiting { deadline: Instant },
}

/// What the clock asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    Ping,
    Expired,
}

impl Heartbeat {
    pub(crate) fn new(interval: Duration, timeout: Duration) -> Self {
        Self {
            interval,
            timeout,
            state: State::Off,
        }
    }

    pub(crate) fn start(&mut self, now: Instant, side: Side) {
        self.state = match side {
            Side::Server => State::Idle {
                ping_at: later(now, self.interval),
            },
            Side::Client => State::Waiting {
                deadline: later(later(now, self.interval), self.timeout),
            },
        };
    }

    pub(crate) fn configure(&mut self, interval: Duration, timeout: Duration) {
        self.interval = interval;
        self.timeout = timeout;
    }

    pub(crate) fn stop(&mut self) {
        self.state = State::Off;
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Off => None,
            State::Idle { ping_at } => Some(ping_at),
            State::Waiting { deadline } => Some(deadline),
        }
    }

    /// Bytes of the peer arrived.
    pub(crate) fn handle_traffic(&mut self, now: Instant) {
        if let State::Waiting { deadline } = &mut self.state {
            *deadline = (*deadline).max(later(now, self.timeout));
        }
    }

    /// The client got a ping, or the server a pong.
    pub(crate) fn handle_beat(&mut self, now: Instant, side: Side) {
        if matches!(self.state, State::Waiting { .. }) {
            self.start(now, side);
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Due {
        match self.state {
            State::Idle { ping_at } if now >= ping_at => {
                self.state = State::Waiting {
                    deadline: later(now, self.timeout),
                };
                Due::Ping
            }
            State::Waiting { deadline } if now >= deadline => {
                self.state = State::Off;
                Due::Expired
            }
            _ => Due::Nothing,
        }
    }
}

/// Far enough away to never come, near enough for every clock.
const NEVER: Duration = Duration::from_secs(60 * 60 * 24 * 365);

pub(crate) fn later(now: Instant, delay: Duration) -> Instant {
    now + delay.min(NEVER)
}
