//! A parent: what it shares with its children, and how it reaches them.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use engine_io::Text;
use futures_util::future::join_all;
use parking_lot::RwLock;

use super::ack::RemoteAnswers;
use super::handlers::Registry;
use super::namespace::{Namespace, WeakNamespace};
use super::remote::FetchError;
use super::socket::Socket;
use crate::adapter::{Adapter, FetchSockets, Flags, Room, SocketId, Target};
use crate::protocol::Event;

/// What a parent and its children have in common; other namespaces have it for themselves.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) handlers: Arc<Registry>,
    /// One counter for all sockets, so that the recipients of a broadcast share an id.
    pub(crate) acks: AtomicU64,
    /// Those that exist now. They are in the server's list, which keeps them alive.
    children: RwLock<HashMap<Text, WeakNamespace>>,
}

impl Shared {
    pub(crate) fn children(&self) -> Vec<Namespace> {
        let children = self.children.read();
        let children = children.values().filter_map(WeakNamespace::upgrade);
        children.collect()
    }

    pub(crate) fn add_child(&self, child: &Namespace) {
        let mut children = self.children.write();
        children.insert(child.name().clone(), child.downgrade());
    }

    pub(crate) fn remove_child(&self, name: &Text) {
        let mut children = self.children.write();
        children.remove(name);
        if children.len() < children.capacity() / 8 {
            children.shrink_to_fit();
        }
    }
}

/// Nobody joins a parent; whom it reaches are the sockets of its children. Events do not come this way: what is sent says in which namespace it is, so each child
/// gets a packet of its own.
pub(crate) struct ParentAdapter(pub(crate) Arc<Shared>);

impl Adapter for ParentAdapter {
    fn add(&self, _: &Socket) {}

    fn remove(&self, _: &SocketId) {}

    fn join(&self, id: &SocketId, rooms: &[Room]) {
        for child in self.0.children() {
            child.adapter().join(id, rooms);
        }
    }

    fn leave(&self, id: &SocketId, room: &str) {
        for child in self.0.children() {
            child.adapter().leave(id, room);
        }
    }

    fn rooms(&self, id: &SocketId) -> Vec<Room> {
        let children = self.0.children();
        let rooms = children.iter().map(|child| child.adapter().rooms(id));
        rooms.flatten().collect()
    }

    fn socket(&self, id: &str) -> Option<Socket> {
        let children = self.0.children();
        children.iter().find_map(|child| child.adapter().socket(id))
    }

    fn sockets(&self, target: &Target) -> Vec<Socket> {
        let children = self.0.children();
        let sockets = children.iter().map(|child| child.adapter().sockets(target));
        sockets.flatten().collect()
    }

    fn len(&self) -> usize {
        let children = self.0.children();
        children.iter().map(|child| child.adapter().len()).sum()
    }

    fn room_sizes(&self) -> Vec<(Room, usize)> {
        let mut sizes = HashMap::new();
        for child in self.0.children() {
            for (room, size) in child.adapter().room_sizes() {
                *sizes.entry(room).or_default() += size;
            }
        }
        sizes.into_iter().collect()
    }

    fn room_size(&self, room: &str) -> usize {
        let children = self.0.children();
        let sizes = children.iter().map(|child| child.adapter().room_size(room));
        sizes.sum()
    }

    fn join_all(&self, target: &Target, rooms: &[Room], flags: Flags) {
        for child in self.0.children() {
            child.adapter().join_all(target, rooms, flags);
        }
    }

    fn leave_all(&self, target: &Target, rooms: &[Room], flags: Flags) {
        for child in self.0.children() {
            child.adapter().leave_all(target, rooms, flags);
        }
    }

    fn disconnect(&self, target: &Target, close: bool, flags: Flags) {
        for child in self.0.children() {
            child.adapter().disconnect(target, close, flags);
        }
    }

    fn fetch_sockets<'a>(
        &'a self,
        target: &'a Target,
        flags: Flags,
        time: Duration,
    ) -> FetchSockets<'a> {
        Box::pin(async move {
            let children = self.0.children();
            let asked = children.iter();
            let asked = asked.map(|child| child.adapter().fetch_sockets(target, flags, time));
            let (mut found, mut missing) = (Vec::new(), 0);
            for answer in join_all(asked).await {
                match answer {
                    Ok(sockets) => found.extend(sockets),
                    Err(error) => {
                        found.extend(error.found);
                        missing += error.missing;
                    }
                }
            }
            match missing {
                0 => Ok(found),
                missing => Err(FetchError::new(found, missing)),
            }
        })
    }

    fn server_side_emit(&self, event: &Event, answers: Option<RemoteAnswers>) {
        for child in self.0.children() {
            child.adapter().server_side_emit(event, answers.clone());
        }
    }
}

impl fmt::Debug for ParentAdapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParentAdapter")
            .field("children", &self.0.children.read().len())
            .finish()
    }
}
