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

use super::{SessionConfig, Side};

#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Heartbeat {
    #[default]
    Off,
    Idle {
        ping_at: Instant,
    },
    Waiting {
        deadline: Instant,
    },
}

/// What the clock asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    Ping,
    Expired,
}

impl Heartbeat {
    pub(crate) fn start(&mut self, now: Instant, side: Side, config: &SessionConfig) {
        *self = match side {
            Side::Server => Self::Idle {
                ping_at: later(now, config.ping_interval),
            },
            Side::Client => Self::Waiting {
                deadline: later(later(now, config.ping_interval), config.ping_timeout),
            },
        };
    }

    pub(crate) fn stop(&mut self) {
        *self = Self::Off;
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match *self {
            Self::Off => None,
            Self::Idle { ping_at } => Some(ping_at),
            Self::Waiting { deadline } => Some(deadline),
        }
    }

    /// Whether something of the peer is expected.
    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self, Self::Waiting { .. })
    }

    /// Bytes of the peer arrived.
    pub(crate) fn handle_traffic(&mut self, now: Instant, config: &SessionConfig) {
        if let Self::Waiting { deadline } = self {
            *deadline = (*deadline).max(later(now, config.ping_timeout));
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, config: &SessionConfig) -> Due {
        match *self {
            Self::Idle { ping_at } if now >= ping_at => {
                *self = Self::Waiting {
                    deadline: later(now, config.ping_timeout),
                };
                Due::Ping
            }
            Self::Waiting { deadline } if now >= deadline => {
                *self = Self::Off;
                Due::Expired
            }
            _ => Due::Nothing,
        }
    }
}

/// Far enough away to never come, near enough for every clock.
const NEVER: Duration = Duration::from_secs(60 * 60 * 24 * 365);

/// The time after that delay; one that is too long for a clock never comes.
pub fn later(now: Instant, delay: Duration) -> Instant {
    now + delay.min(NEVER)
}
