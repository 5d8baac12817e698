//! Who is in which room, and how something reaches all of them.

mod memory;
mod overflow;
mod room_events;

use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use engine_io::Sender;
use serde::{Serialize, Serializer};

pub use memory::MemoryAdapter;
pub use overflow::OverflowPolicy;
pub(crate) use room_events::HoldBack;
pub use room_events::{RoomChange, RoomEvent};

use crate::protocol::Event;
use crate::server::{
    EventPacket, FetchError, Namespace, Outcome, RemoteAnswers, RemoteSocket, Socket,
};

/// The name of a room. Every socket is in the room named like its id.
pub type Room = Arc<str>;

/// The public id of a socket in a namespace: 20 characters of the base64url alphabet, safe to show to other users. It is not the id of the session.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId(Room);

impl SocketId {
    pub(crate) fn new(id: &str) -> Self {
        Self(id.into())
    }

    /// The room that is named like it.
    pub(crate) fn room(&self) -> &Room {
        &self.0
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::ops::Deref for SocketId {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for SocketId {
    fn borrow(&self) -> &str {
        self
    }
}

impl fmt::Debug for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl Serialize for SocketId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

/// One room or several: `"a"`, a `String`, a [`SocketId`], or an array, slice or `Vec` of them.
pub trait IntoRooms {
    /// Appends the rooms.
    fn add_to(self, rooms: &mut Vec<Room>);
}

macro_rules! single_room {
    ($($type:ty: $room:ident => $into:expr;)*) => {$(
        impl IntoRooms for $type {
            fn add_to(self, rooms: &mut Vec<Room>) {
                let $room = self;
                rooms.push($into);
            }
        }
    )*};
}

single_room! {
    &str: room => room.into();
    String: room => room.into();
    &String: room => room.as_str().into();
    Room: room => room;
    &Room: room => room.clone();
    SocketId: id => id.0;
    &SocketId: id => id.0.clone();
}

impl<T: IntoRooms, const N: usize> IntoRooms for [T; N] {
    fn add_to(self, rooms: &mut Vec<Room>) {
        self.into_iter().for_each(|room| room.add_to(rooms));
    }
}

impl<T: IntoRooms> IntoRooms for Vec<T> {
    fn add_to(self, rooms: &mut Vec<Room>) {
        self.into_iter().for_each(|room| room.add_to(rooms));
    }
}

impl<'a, T> IntoRooms for &'a [T]
where
    &'a T: IntoRooms,
{
    fn add_to(self, rooms: &mut Vec<Room>) {
        self.iter().for_each(|room| room.add_to(rooms));
    }
}

/// Whom a broadcast is for.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Target {
    /// Sockets in any of these rooms; all sockets of the namespace when there are none.
    pub rooms: Vec<Room>,
    /// But not sockets in any of these.
    pub except: Vec<Room>,
}

/// How a broadcast is sent.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Flags {
    /// Recipients that cannot be reached at once are left out.
    pub volatile: bool,
    /// Only sockets of this process.
    pub local: bool,
    /// The packet is not compressed on its way. It is marked already; this tells other processes.
    pub uncompressed: bool,
    /// What happens where an outbox is full; otherwise each process does what its configuration says.
    pub overflow: Option<OverflowPolicy>,
}

/// What became of a broadcast on this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery {
    /// Recipients for whom the packet was queued.
    pub sent: usize,
    /// Recipients that a volatile packet was not queued for because they were busy.
    pub skipped: usize,
    /// Recipients whose outbox was full, and which go on with a gap: under [`OverflowPolicy::DropNewest`] and [`OverflowPolicy::Reject`].
    pub dropped: usize,
    /// Recipients whose outbox was full, and whose connection was closed for that: under [`OverflowPolicy::Disconnect`].
    pub overflowed: usize,
}

impl Delivery {
    /// Counts what became of the packet for one recipient.
    pub fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Queued | Outcome::Replaced => self.sent += 1,
            Outcome::Skipped => self.skipped += 1,
            Outcome::Dropped => self.dropped += 1,
            Outcome::Overflowed => self.overflowed += 1,
            Outcome::Disconnected => {}
        }
    }
}

/// What [`Adapter::fetch_sockets`] returns.
pub type FetchSockets<'a> =
    Pin<Box<dyn Future<Output = Result<Vec<RemoteSocket>, FetchError>> + Send + 'a>>;

/// Keeps the members of one namespace and reaches them.
///
/// The methods without a body are the bookkeeping of this process. Those with one act on the sockets that match a target. An adapter that connects several
/// processes leaves the bookkeeping to a [`MemoryAdapter`] and overrides the others, to tell the other processes of it and then do the same here; with
/// [`Flags::local`] it tells nobody. What it hears from others it does with the namespace it was started with, which it keeps as a
/// [`WeakNamespace`](crate::WeakNamespace):
///
/// | another process wants to | here |
/// |---|---|
/// | broadcast | `namespace.all().to(rooms).except(except).local().emit(&event.name, &event.args)` |
/// | broadcast and get acknowledgements | the same with `emit_with_ack`; [`BroadcastAcks::pending`](crate::BroadcastAcks::pending) is the number to report |
/// | make sockets join, leave, disconnect | `namespace.all().to(rooms).local().join(…)` and so on |
/// | know sockets | `namespace.all().to(rooms).local().sockets()`, and [`SocketDetails::of`](crate::SocketDetails::of) each |
/// | emit to servers | [`Namespace::receive_server_event`] |
pub trait Adapter: fmt::Debug + Send + Sync + 'static {
    /// The namespace begins to use the adapter. Called once, before everything else, and not for parents of families, which nobody joins. When the namespace is
    /// forgotten, the adapter is [closed](Self::close) and dropped, so it must not keep the namespace itself.
    fn start(&self, namespace: &Namespace) {
        let _ = namespace;
    }

    /// The namespace was forgotten, or the server is closed: nobody joins any more, and nobody is in it. Called once if [`start`](Self::start) was. Of two
    /// namespaces that are made for one name in the same moment, one is closed before anybody could join. It must not block.
    fn close(&self) {}

    /// A socket joined the namespace.
    fn add(&self, socket: &Socket);

    /// A socket left the namespace and so all its rooms.
    fn remove(&self, id: &SocketId);

    /// A socket joins rooms. Nothing happens if it has left the namespace.
    fn join(&self, id: &SocketId, rooms: &[Room]);

    /// A socket leaves a room.
    fn leave(&self, id: &SocketId, room: &str);

    /// The rooms of a socket, its own included; empty if it is not here.
    fn rooms(&self, id: &SocketId) -> Vec<Room>;

    /// The socket of that id, if it is here.
    fn socket(&self, id: &str) -> Option<Socket>;

    /// The sockets of this process that match, each once.
    fn sockets(&self, target: &Target) -> Vec<Socket>;

    /// How many sockets of this process are in the namespace.
    fn len(&self) -> usize;

    /// Whether no socket of this process is in the namespace.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rooms of this process that sockets have joined, and how many; without the sockets' own. In no order.
    fn room_sizes(&self) -> Vec<(Room, usize)>;

    /// How many sockets of this process are in a room.
    fn room_size(&self, room: &str) -> usize;

    /// Sends a packet to the sockets that match, and tells what became of it for each of this process. No lock of the adapter is held meanwhile. What is in the
    /// packet, [`EventPacket::event`] tells.
    ///
    /// With [connection state recovery](crate::SocketIoBuilder::recovery), the other events of the namespace wait for this one, and so do clients that come
    /// back for this, [`add`](Self::add) and [`join`](Self::join). So none of the three may emit to the namespace then, or make one of its sockets leave, nor wait
    /// for somebody who does.
    fn broadcast(
        &self,
        packet: &EventPacket<'_>,
        target: &Target,
        flags: Flags,
        told: &mut dyn FnMut(&SocketId, Outcome),
    ) {
        let mut sockets = self.sockets(target).into_iter();
        while !sockets.as_slice().is_empty() {
            let next = sockets.as_slice().iter().take(Sender::AHEAD);
            // For a single one it would only be a second look.
            if next.len() > 1 {
                next.for_each(|socket| socket.connection().sender.prefetch());
            }
            for socket in sockets.by_ref().take(Sender::AHEAD) {
                told(socket.id(), socket.deliver(packet, flags));
            }
        }
    }

    /// Sends a packet to the sockets of other processes that match and passes their acknowledgements on to `answers`. Those of this process have got it when
    /// this is called. Not called with [`Flags::local`].
    fn broadcast_with_ack(
        &self,
        packet: &EventPacket<'_>,
        target: &Target,
        flags: Flags,
        answers: RemoteAnswers,
    ) {
        let _ = (packet, target, flags, answers);
    }

    /// Makes the sockets that match join rooms.
    fn join_all(&self, target: &Target, rooms: &[Room], flags: Flags) {
        let _ = flags;
        for socket in self.sockets(target) {
            self.join(socket.id(), rooms);
        }
    }

    /// Makes the sockets that match leave rooms.
    fn leave_all(&self, target: &Target, rooms: &[Room], flags: Flags) {
        let _ = flags;
        for socket in self.sockets(target) {
            for room in rooms {
                self.leave(socket.id(), room);
            }
        }
    }

    /// Disconnects the sockets that match; with `close` their whole connections.
    fn disconnect(&self, target: &Target, close: bool, flags: Flags) {
        let _ = flags;
        for socket in self.sockets(target) {
            if close {
                socket.disconnect_all();
            } else {
                socket.disconnect();
            }
        }
    }

    /// The sockets of all processes that match, those of this one first.
    ///
    /// # Errors
    ///
    /// When other processes have not answered within `time`; the error has the sockets that were found.
    fn fetch_sockets<'a>(
        &'a self,
        target: &'a Target,
        flags: Flags,
        time: Duration,
    ) -> FetchSockets<'a> {
        let _ = (flags, time);
        let found = self.sockets(target).into_iter().map(RemoteSocket::from);
        Box::pin(ready(Ok(found.collect())))
    }

    /// Sends an event to the servers of the other processes, which give it to [`Namespace::receive_server_event`]. Each answer is told to `answers`, if they
    /// are wanted: [`reached`](RemoteAnswers::reached) by 1, and the [`answer`](RemoteAnswers::answer).
    fn server_side_emit(&self, event: &Event, answers: Option<RemoteAnswers>) {
        let _ = (event, answers);
    }
}
