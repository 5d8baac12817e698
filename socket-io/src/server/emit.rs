//! The one way out for events: to one client, or to many.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ack::AckFuture;
use super::error::EmitError;
use super::log::Brief;
use super::namespace::Namespace;
use super::packet::EventPacket;
use super::socket::Socket;
use super::stats::Tally;
use crate::adapter::{Flags, OverflowPolicy, SocketId, Target};
use crate::protocol::{AckId, Encoded, Outgoing};

/// What became of an event for one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It is queued, behind everything that was sent before.
    Queued,
    /// It took the place of an older one of the same key that was still waiting; see [`Emit::latest`].
    Replaced,
    /// It was volatile and the client was busy, so it was dropped.
    Skipped,
    /// The outbox was full and the policy lets it be dropped.
    Dropped,
    /// The outbox was full and the client was disconnected for that. Of events for one client this is [`EmitError::Disconnected`].
    Overflowed,
    /// The socket left in this moment, or its [`Grant`](crate::Grant) has ended. Of events for one client this is [`EmitError::Disconnected`] or
    /// [`EmitError::Expired`].
    Disconnected,
}

/// How one event is sent to one client; see [`Socket::volatile`], [`Socket::compress`], [`Socket::latest`] and [`Socket::overflow`]. Each step returns the changed choice; nothing happens before the
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
    latest: Option<String>,
}

impl Emit {
    pub(crate) fn new(socket: Socket) -> Self {
        Self {
            socket,
            flags: Flags::default(),
            latest: None,
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

    /// Makes it an event of which only the newest is wanted: if one of the same name, with the same key, still waits for this socket, it is replaced, its
    /// attachments included. So of positions, prices or progress a slow client gets the newest, and no more than one of each key ever waits for it.
    ///
    /// The newer event gets the older one's place in the queue, so that every key has its turn however often the others change. It may therefore overtake events
    /// that were sent since the older one; what has to keep its order with others is sent without a key.
    ///
    /// ```no_run
    /// # fn example(socket: socket_io::Socket) -> Result<(), socket_io::EmitError> {
    /// socket.latest("player 7").emit("position", &(12.5, 7.0))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// It means nothing to [`emit_with_ack`](Self::emit_with_ack): every question is asked.
    pub fn latest(mut self, key: &str) -> Self {
        self.latest = Some(key.to_owned());
        self
    }

    /// What happens to the event if the client's outbox is full. Default: [`emit_overflow`](crate::SocketIoBuilder::emit_overflow).
    pub fn overflow(mut self, policy: OverflowPolicy) -> Self {
        self.flags.overflow = Some(policy);
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
        let latest = self.latest.as_deref();
        to_one(&self.socket, event, None, data, latest, self.flags)
    }

    /// Sends the event and waits for the acknowledgement; see [`Socket::emit_with_ack`]. Of a volatile event that was dropped the answer is
    /// [`AckError::Skipped`](crate::AckError::Skipped), and so it is of one that the policy for full outboxes drops.
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
    latest: Option<&str>,
    flags: Flags,
) -> Result<Outcome, EmitError> {
    if let (Some(identity), None, None, false) = (socket.identity(), ack, latest, flags.volatile) {
        let outgoing = outgoing(socket.namespace(), event, data)?;
        return identity.send(socket, outgoing, flags);
    }
    let config = socket.namespace().config();
    let policy = config.emit_overflow;
    let outcome = if latest.is_none() && !flags.volatile && !socket.watches_outgoing() {
        // Nobody else has a share in it.
        let (name, limit) = (socket.namespace().name(), config.max_attachments);
        let packet = config.parser.encode_event(name, event, ack, data, limit)?;
        let sent = socket.send_once(flagged(packet, flags));
        settle(socket, sent, flags.overflow.unwrap_or(policy))
    } else {
        let packet = encode(socket.namespace(), event, ack, data, flags)?;
        let packet = packet.with_latest(event, latest);
        queue(socket, &packet, flags, policy)
    };
    match outcome? {
        Outcome::Overflowed => Err(EmitError::Disconnected),
        outcome => Ok(outcome),
    }
}

/// Sends an event to the sockets of a namespace that match, and tells what became of it for each of this process. Those of a parent are its children's.
pub(crate) fn to_many(
    namespace: &Namespace,
    event: &str,
    data: &(impl Serialize + ?Sized),
    latest: Option<&str>,
    target: &Target,
    flags: Flags,
    told: &mut dyn FnMut(&SocketId, Outcome),
) -> Result<(), EmitError> {
    let numbered = latest.is_none() && !flags.volatile;
    let mut send = |namespace: &Namespace, outgoing: Outgoing| {
        if let (Some(journal), true) = (namespace.journal(), numbered) {
            journal.send_to_many(namespace, outgoing, target, flags, told);
        } else {
            let packet = address(namespace, &outgoing, None, flags).with_latest(event, latest);
            namespace.adapter().broadcast(&packet, target, flags, told);
        }
    };
    if let Some(children) = namespace.family() {
        let outgoing = outgoing(namespace, event, data)?;
        for child in &children {
            send(child, outgoing.clone());
        }
    } else if numbered && namespace.journal().is_some() {
        send(namespace, outgoing(namespace, event, data)?);
    } else {
        let packet = encode(namespace, event, None, data, flags)?;
        let packet = packet.with_latest(event, latest);
        namespace.adapter().broadcast(&packet, target, flags, told);
    }
    Ok(())
}

/// Writes an event, all but its namespace, id and offset.
pub(crate) fn outgoing(
    namespace: &Namespace,
    event: &str,
    data: &(impl Serialize + ?Sized),
) -> Result<Outgoing, EmitError> {
    let config = namespace.config();
    let outgoing = Outgoing::new_with(&config.parser, event, data, config.max_attachments);
    Ok(outgoing?)
}

/// Writes an event for clients of a namespace.
pub(crate) fn encode<'a>(
    namespace: &'a Namespace,
    event: &str,
    ack: Option<AckId>,
    data: &(impl Serialize + ?Sized),
    flags: Flags,
) -> Result<EventPacket<'a>, EmitError> {
    let config = namespace.config();
    let packet =
        config
            .parser
            .encode_event(namespace.name(), event, ack, data, config.max_attachments)?;
    Ok(EventPacket::new(namespace, flagged(packet, flags)))
}

/// A written event for clients of one of several namespaces.
pub(crate) fn address<'a>(
    namespace: &'a Namespace,
    outgoing: &Outgoing,
    ack: Option<AckId>,
    flags: Flags,
) -> EventPacket<'a> {
    let packet = outgoing.encode(namespace.name(), ack);
    EventPacket::new(namespace, flagged(packet, flags))
}

pub(crate) fn flagged(packet: Encoded, flags: Flags) -> Encoded {
    if flags.uncompressed {
        packet.uncompressed()
    } else {
        packet
    }
}

impl Socket {
    /// Queues one recipient's share of a broadcast.
    pub(crate) fn deliver(&self, packet: &EventPacket<'_>, flags: Flags) -> Outcome {
        let policy = self.namespace().config().broadcast_overflow;
        let result = match packet.round() {
            Some(round) => round.deliver(self, packet.encoded(), flags.overflow.unwrap_or(policy)),
            None => queue(self, packet, flags, policy),
        };
        match result {
            Ok(outcome) => outcome,
            Err(EmitError::Full { .. }) => Outcome::Dropped,
            Err(_) => Outcome::Disconnected,
        }
    }
}

/// `policy` counts unless the flags have one.
fn queue(
    socket: &Socket,
    packet: &EventPacket<'_>,
    flags: Flags,
    policy: OverflowPolicy,
) -> Result<Outcome, EmitError> {
    if socket.watches_outgoing() {
        socket.check_sending()?;
        socket.tell_outgoing(packet);
    }
    if flags.volatile {
        return socket.send_volatile(packet.encoded());
    }
    let sent = socket.send(packet.encoded());
    settle(socket, sent, flags.overflow.unwrap_or(policy))
}

/// Does what the policy says where there was no room.
fn settle(
    socket: &Socket,
    sent: Result<Outcome, EmitError>,
    policy: OverflowPolicy,
) -> Result<Outcome, EmitError> {
    let outcome = overflow(socket, sent, policy)?;
    if outcome == Outcome::Overflowed {
        report_overflow(socket);
    }
    Ok(outcome)
}

/// Queues a packet, and does what the policy says where there is no room. Calls nothing of the user's.
pub(crate) fn push(
    socket: &Socket,
    packet: &Encoded,
    policy: OverflowPolicy,
) -> Result<Outcome, EmitError> {
    overflow(socket, socket.send(packet), policy)
}

fn overflow(
    socket: &Socket,
    sent: Result<Outcome, EmitError>,
    policy: OverflowPolicy,
) -> Result<Outcome, EmitError> {
    match (sent, policy) {
        (Err(EmitError::Full { .. }), OverflowPolicy::Disconnect) => {
            let connection = socket.connection();
            Tally::count(&connection.io.tally().overflowed);
            connection.sender.abort();
            Ok(Outcome::Overflowed)
        }
        (Err(EmitError::Full { .. }), OverflowPolicy::DropNewest) => Ok(Outcome::Dropped),
        (result, _) => result,
    }
}

/// The connection of a client that reads too slowly was closed.
pub(crate) fn report_overflow(socket: &Socket) {
    tracing::warn!(
        name: "overflow",
        target: "socket_io",
        connection = socket.connection().sender.number(),
        namespace = %Brief(socket.namespace().name()),
        socket = socket.log_id(),
    );
}
