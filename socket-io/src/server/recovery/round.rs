//! One event on its way to its recipients, for as long as the log is locked.

use std::sync::atomic::Ordering;

use parking_lot::Mutex;

use crate::adapter::OverflowPolicy;
use crate::protocol::{Encoded, Event, Outgoing};
use crate::server::emit::{Outcome, push, report_overflow};
use crate::server::packet::EventPacket;
use crate::server::{EmitError, Socket};

/// What is the user's part, such as handlers for outgoing events, what logs do, and the end of data, waits here until the log is free.
pub(crate) struct Round {
    outgoing: Outgoing,
    number: u64,
    recipients: Mutex<Vec<(Socket, Option<Outcome>)>>,
}

impl Round {
    pub(super) fn new(outgoing: Outgoing, number: u64) -> Self {
        Self {
            outgoing,
            number,
            recipients: Mutex::default(),
        }
    }

    /// The event without its offset.
    pub(crate) fn event(&self) -> Event {
        self.outgoing.event()
    }

    /// Queues it for one recipient.
    pub(crate) fn deliver(
        &self,
        socket: &Socket,
        packet: &Encoded,
        policy: OverflowPolicy,
    ) -> Result<Outcome, EmitError> {
        if let Some(identity) = socket.identity() {
            identity.sent.store(self.number, Ordering::Relaxed);
        }
        let result = push(socket, packet, policy);
        let outcome = result.as_ref().ok().copied();
        self.recipients.lock().push((socket.clone(), outcome));
        result
    }

    /// Does what had to wait. The log is free.
    pub(super) fn finish(packet: &EventPacket<'_>) {
        let Some(round) = packet.round() else {
            return;
        };
        let recipients = std::mem::take(&mut *round.recipients.lock());
        for (socket, outcome) in &recipients {
            if outcome.is_some() && socket.watches_outgoing() {
                socket.tell_outgoing(packet);
            }
            if *outcome == Some(Outcome::Overflowed) {
                report_overflow(socket);
            }
        }
    }
}
