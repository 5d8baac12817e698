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

use super::heartbeat::later;
use super::{ReadyState, Session, Side};
use crate::packet::Packet;
use crate::transport::Transport;
use crate::wire::BinaryForm;

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

impl Session {
    /// A candidate transport arrived (server) or is open (client).
    ///
    /// Returns false when it is of no use: the session is not open, is being upgraded or has been.
    pub fn handle_candidate(&mut self, now: Instant) -> bool {
        let useful = self.state == ReadyState::Open && self.upgrade == Upgrade::None;
        if !useful || self.transport != Transport::Polling {
            return false;
        }
        self.upgrade = Upgrade::Probing {
            deadline: later(now, self.config.upgrade_timeout),
        };
        self.probe_due = self.side == Side::Client;
        self.candidate_binary = BinaryForm::Raw;
        true
    }

    /// How binary messages are to be written over the candidate; raw if nothing is said.
    pub fn set_candidate_binary(&mut self, binary: BinaryForm) {
        self.candidate_binary = binary;
    }

    /// A packet arrived over the candidate. When it fails the upgrade, [`is_upgrading`](Self::is_upgrading) is false afterwards and the candidate is to
    /// be closed; when it completes it, [`transport`](Self::transport) is the candidate's.
    pub fn handle_candidate_packet(&mut self, now: Instant, packet: &Packet) {
        self.counters.received(packet);
        self.handle_traffic(now);
        match self.upgrade.handle_packet(self.side, packet) {
            Step::Probed => self.probe_due = self.side == Side::Server,
            Step::Switch => self.switch(),
            Step::Fail => self.fail_upgrade(),
        }
    }

    /// The candidate is gone or sent garbage; the session goes on as before.
    pub fn handle_candidate_closed(&mut self) {
        if self.upgrade.is_active() {
            self.fail_upgrade();
        }
    }

    pub(super) fn fail_upgrade(&mut self) {
        self.upgrade = Upgrade::None;
        self.counters.upgrades_failed = self.counters.upgrades_failed.saturating_add(1);
    }

    /// The next packet for the candidate. A client has switched to it when this is the upgrade packet.
    pub fn poll_candidate(&mut self) -> Option<Packet> {
        if !self.upgrade.is_active() {
            self.probe_due = false;
        }
        if self.side == Side::Client && self.upgrade.is_pausing() && self.polling.is_idle() {
            self.upgrade = Upgrade::Done;
            self.switch();
            self.counters.sent(&Packet::Upgrade);
            return Some(Packet::Upgrade);
        }
        if !std::mem::take(&mut self.probe_due) {
            return None;
        }
        let packet = match self.side {
            Side::Server => Packet::Pong("probe".into()),
            Side::Client => Packet::Ping("probe".into()),
        };
        self.counters.sent(&packet);
        Some(packet)
    }

    fn switch(&mut self) {
        self.transport = Transport::WebSocket;
        self.wire.binary = self.candidate_binary;
        self.handle_written(0);
    }
}
