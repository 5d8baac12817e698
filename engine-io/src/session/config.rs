//! The limits of a session.

use std::time::Duration;

/// The time and size limits of a session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionConfig {
    /// Time from a pong (or the opening) to the next ping. Default 25 s.
    pub ping_interval: Duration,
    /// Time within which the peer must be heard after a ping. Default 20 s.
    pub ping_timeout: Duration,
    /// Time from the arrival of a candidate transport to the end of the upgrade. Default 10 s.
    pub upgrade_timeout: Duration,
    /// How long a closing session waits for the peer to take what is queued. Default 30 s.
    pub close_timeout: Duration,
    /// Bytes that may wait to be sent. Default 16 MiB.
    pub outbox_limit: usize,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(30),
            outbox_limit: 16 << 20,
        }
    }
}
