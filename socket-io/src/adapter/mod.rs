//! Who is in which room, and how something reaches all of them.

mod memory;

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

pub use memory::MemoryAdapter;

use crate::protocol::Encoded;
use crate::server::Socket;

/// The name of a room. Every socket is in the room named like its id.
pub type Room = Arc<str>;

/// The public id of a socket in a namespace: 20 characters of the base64url alphabet, safe to show to other users. It is not the id of the session.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId(Room);

impl SocketId {
    pub(crate) fn new(id: &str) -> Self {
        Self(id.into())
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
}

/// What became of a broadcast on this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery {
    /// Recipients for whom the packet was queued.
    pub sent: usize,
    /// Recipients that a volatile packet was not queued for because they were busy.
    pub skipped: usize,
    /// Recipients that read so slowly that their outbox was full. A gap in what they get would go unnoticed, so their connection was closed.
    pub overflowed: usize,
}

/// Keeps the members of one namespace and reaches them.
///
/// The methods without a body are the bookkeeping of this process. Those with one act on the sockets that match a target; an adapter that connects
/// several processes overrides them to reach the others', too.
pub trait Adapter: fmt::Debug + Send + Sync + 'static {
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

    /// Sends a packet to the sockets that match. No lock of the adapter is held meanwhile.
    fn broadcast(&self, packet: &Encoded, target: &Target, flags: Flags) -> Delivery {
        let mut delivery = Delivery::default();
        for socket in self.sockets(target) {
            delivery.deliver(&socket, packet, flags);
        }
        delivery
    }

    /// Makes the sockets that match join rooms.
    fn join_all(&self, target: &Target, rooms: &[Room]) {
        for socket in self.sockets(target) {
            self.join(socket.id(), rooms);
        }
    }

    /// Makes the sockets that match leave rooms.
    fn leave_all(&self, target: &Target, rooms: &[Room]) {
        for socket in self.sockets(target) {
            for room in rooms {
                self.leave(socket.id(), room);
            }
        }
    }

    /// The namespace was forgotten, or the server is closed: nobody joins any more. Called once, after the last socket was removed, and not for adapters
    /// that never were a namespace's. It must not block.
    fn close(&self) {}

    /// Disconnects the sockets that match; with `close` their whole connections.
    fn disconnect(&self, target: &Target, close: bool) {
        for socket in self.sockets(target) {
            if close {
                socket.disconnect_all();
            } else {
                socket.disconnect();
            }
        }
    }
}
