//! The one way out for events: to one client, or to many.

use std::ops::AddAssign;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ack::AckFuture;
use super::error::EmitError;
use super::log::Brief;
use super::namespace::Namespace;
use super::socket::Socket;
use super::stats::Tally;
use crate::adapter::{Delivery, Flags, Target};
use crate::protocol::{AckId, Encoded, Outgoing};

/// What became of an event for one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It is queued, behind everything that was sent before.
    Queued,
    /// It was volatile and the client was busy, so it was dropped.
    Skipped,
}

/// How one event is sent to one client; see [`Socket::volatile`] and [`Socket::compress`]. Each step returns the changed choice; nothing happens before the
/// last one.
///
/// ```no_run
/// # fn example(socket: socket_io::Socket) -> Result<(), socket_io::EmitError> {
/// socket.volatile().compress(false).emit("position", &(12.5, 7.0))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing happens before `emit`"]
pub struct Emit {
    socket: Socket,
    flags: Flags,
}

impl Emit {
    pub(crate) fn new(socket: Socket) -> Self {
        Self {
            socket,
            flags: Flags::default(),
        }
    }

    /// Drops the event if anything still waits for the client at the moment of sending.
    pub fn volatile(mut self) -> Self {
        self.flags.volatile = true;
        self
    }

    /// Whether the packet may be compressed on its way: answers of polls, and WebSocket messages where permessage-deflate was agreed on (feature `deflate`).
    /// Default true.
    pub fn compress(mut self, compress: bool) -> Self {
        self.flags.uncompressed = !compress;
        self
    }

    /// Sends the event; see [`Socket::emit`].
    ///
    /// # Errors
    ///
    /// As [`Socket::emit`].
    pub fn emit(
        &self,
        event: &str,
        data: &(impl Serialize + ?Sized),
    ) -> Result<Outcome, EmitError> {
        to_one(&self.socket, event, None, data, self.flags)
    }

    /// Sends the event and waits for the acknowledgement; see [`Socket::emit_with_ack`]. Of a volatile event that was dropped the answer is
    /// [`AckError::Skipped`](crate::AckError::Skipped).
    pub fn emit_with_ack<R: DeserializeOwned>(
        &self,
        event: &str,
        data: &(impl Serialize + ?Sized),
    ) -> AckFuture<R> {
        self.socket.ask(event, data, self.flags)
    }
}

/// Sends an event to one client.
pub(crate) fn to_one(
    socket: &Socket,
    event: &str,
    ack: Option<AckId>,
    data: &(impl Serialize + ?Sized),
    flags: Flags,
) -> Result<Outcome, EmitError> {
    let packet = encode(socket.namespace(), event, ack, data, flags)?;
    deliver(socket, &packet, flags)
}

/// Sends an event to the sockets of a namespace that match; those of a parent are its children's.
pub(crate) fn to_many(
    namespace: &Namespace,
    event: &str,
    data: &(impl Serialize + ?Sized),
    target: &Target,
    flags: Flags,
) -> Result<Delivery, EmitError> {
    let Some(children) = namespace.family() else {
        let packet = encode(namespace, event, None, data, flags)?;
        return Ok(namespace.adapter().broadcast(&packet, target, flags));
    };
    let config = namespace.config();
    let outgoing = Outgoing::new_with(&config.parser, event, data, config.max_attachments)?;
    let mut delivery = Delivery::default();
    for child in children {
        let packet = flagged(outgoing.encode(child.name(), None), flags);
        delivery += child.adapter().broadcast(&packet, target, flags);
    }
    Ok(delivery)
}

/// Writes an event for clients of a namespace.
pub(crate) fn encode(
    namespace: &Namespace,
    event: &str,
    ack: Option<AckId>,
    data: &(impl Serialize + ?Sized),
    flags: Flags,
) -> Result<Encoded, EmitError> {
    let config = namespace.config();
    let packet =
        config
            .parser
            .encode_event(namespace.name(), event, ack, data, config.max_attachments)?;
    Ok(flagged(packet, flags))
}

fn flagged(packet: Encoded, flags: Flags) -> Encoded {
    if flags.uncompressed {
        packet.uncompressed()
    } else {
        packet
    }
}

/// Queues a finished event for one client.
pub(crate) fn deliver(
    socket: &Socket,
    packet: &Encoded,
    flags: Flags,
) -> Result<Outcome, EmitError> {
    if !flags.volatile {
        socket.send(packet)?;
    } else if !socket.send_volatile(packet)? {
        return Ok(Outcome::Skipped);
    }
    Ok(Outcome::Queued)
}

impl Delivery {
    /// One recipient's share of a broadcast. Whose outbox is full is disconnected.
    pub(crate) fn deliver(&mut self, socket: &Socket, packet: &Encoded, flags: Flags) {
        match deliver(socket, packet, flags) {
            Ok(Outcome::Queued) => self.sent += 1,
            Ok(Outcome::Skipped) => self.skipped += 1,
            Err(EmitError::Full { .. }) => {
                self.overflowed += 1;
                let connection = socket.connection();
                tracing::warn!(
                    name: "overflow",
                    target: "socket_io",
                    connection = connection.sender.number(),
                    namespace = %Brief(socket.namespace().name()),
                    socket = socket.log_id(),
                );
                Tally::count(&connection.io.tally().overflowed);
                connection.sender.abort();
            }
            // It left in this moment.
            Err(_) => {}
        }
    }
}

impl AddAssign for Delivery {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.skipped += other.skipped;
        self.overflowed += other.overflowed;
    }
}
