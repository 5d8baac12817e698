//! The rooms of a socket, and what it sends to others in them.

use super::Socket;
use crate::adapter::{IntoRooms, Room};
use crate::server::broadcast::Broadcast;

/// Beside the socket, so that they take no room in it once it has joined.
#[derive(Default)]
pub(super) struct EarlyRooms(pub(super) Vec<Room>);

impl Socket {
    /// Joins rooms. Nothing happens after the socket has left.
    pub fn join(&self, rooms: impl IntoRooms) {
        let mut list = Vec::new();
        rooms.add_to(&mut list);
        if let Some(early) = &mut *self.0.early_rooms.lock() {
            list.retain(|room| !early.0.contains(room));
            return early.0.append(&mut list);
        }
        // A client that has come back has the same id.
        if !self.has_left() {
            self.0.namespace.adapter().join(self.id(), &list);
        }
    }

    /// Leaves a room. Nothing happens after the socket has left.
    pub fn leave(&self, room: &str) {
        if let Some(early) = &mut *self.0.early_rooms.lock() {
            return early.0.retain(|known| **known != *room);
        }
        if self.is_in_adapter() {
            self.0.namespace.adapter().leave(self.id(), room);
        }
    }

    /// The rooms that the socket is in; the first is its own, named like its id. In a middleware, the rooms that it will be in, but for its own.
    /// None once the socket has left.
    pub fn rooms(&self) -> Vec<Room> {
        if let Some(early) = &*self.0.early_rooms.lock() {
            return early.0.clone();
        }
        if !self.is_in_adapter() {
            return Vec::new();
        }
        self.0.namespace.adapter().rooms(self.id())
    }

    /// Whether what the adapter knows under the id is this socket. A client that has come back has the same id, with a socket of its own.
    fn is_in_adapter(&self) -> bool {
        let known = || self.0.namespace.adapter().socket(self.id());
        !self.has_left() || known().is_some_and(|known| known.is(self))
    }

    /// Everybody in these rooms but this socket.
    pub fn to(&self, rooms: impl IntoRooms) -> Broadcast {
        self.broadcast().to(rooms)
    }

    /// Everybody but this socket and those in these rooms.
    pub fn except(&self, rooms: impl IntoRooms) -> Broadcast {
        self.broadcast().except(rooms)
    }

    /// Everybody in the namespace but this socket.
    pub fn broadcast(&self) -> Broadcast {
        Broadcast::new(self.0.namespace.clone()).except(self.id())
    }

    /// From now on broadcasts reach it.
    pub(crate) fn enter_namespace(&self) {
        let adapter = self.0.namespace.adapter();
        adapter.add(self);
        let early = self.0.early_rooms.lock().take();
        adapter.join(self.id(), &early.unwrap_or_default().0);
        // It may have been told to leave in this moment, by somebody who did not find it in the adapter. With recovery, that somebody waits for this.
        if self.0.identity.is_none() && self.has_left() {
            adapter.remove(self.id());
        }
    }
}
