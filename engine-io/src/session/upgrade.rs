//! From polling to WebSocket without losing, doubling or reordering a message.
//!
//! ```text
//!            candidate arrives          2probe (server: answer 3probe,        5
//!   None ------------------> Probing ----------- release the GET) -> Pausing ----> Done
//!     ^                         |                                       |
//!     |____ candidate lost, wrong packet, or no 5 within the deadline __|
//! ```
//!
//! The client sends `2probe` when the candidate is open, enters Pausing on `3probe`, waits until its GET and POST have come back, sends `5` and is done.
//! A failure leaves the session on polling as if nothing had happened. As in the reference, a server accepts `5` without a probe before it, and answers a
//! probe that is repeated.

use std::time::Instant;

use crate::packet::Packet;

use super::Side;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upgrade {
    None,
    Probing { deadline: Instant },
    Pausing { deadline: Instant },
    Done,
}

/// What a packet on the candidate asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The probe succeeded: the server answers it, the client pauses polling.
    Probed,
    /// The client has moved: the candidate is the transport from now on.
    Switch,
    /// The candidate is of no use.
    Fail,
}

impl Upgrade {
    pub(crate) fn handle_packet(&mut self, side: Side, packet: &Packet) -> Step {
        let step = match (*self, side, packet) {
            (Self::Probing { .. } | Self::Pausing { .. }, Side::Server, Packet::Ping(data))
                if data == "probe" =>
            {
                Step::Probed
            }
            (Self::Probing { .. }, Side::Client, Packet::Pong(data)) if data == "probe" => {
                Step::Probed
            }
            (Self::Probing { .. } | Self::Pausing { .. }, Side::Server, Packet::Upgrade) => {
                Step::Switch
            }
            _ => Step::Fail,
        };
        *self = match (*self, step) {
            (Self::Probing { deadline } | Self::Pausing { deadline }, Step::Probed) => {
                Self::Pausing { deadline }
            }
            (_, Step::Switch) => Self::Done,
            _ => Self::None,
        };
        step
    }

    pub(crate) fn is_active(self) -> bool {
        self.deadline().is_some()
    }

    pub(crate) fn is_pausing(self) -> bool {
        matches!(self, Self::Pausing { .. })
    }

    pub(crate) fn deadline(self) -> Option<Instant> {
        match self {
            Self::Probing { deadline } | Self::Pausing { deadline } => Some(deadline),
            Self::None | Self::Done => None,
        }
    }
}
