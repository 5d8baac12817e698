//! The adapter of a single process.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, OnceLock};

use parking_lot::RwLock;
use slab::Slab;
use smallvec::SmallVec;

use super::room_events::{RoomChange, RoomEvents};
use super::{Adapter, Room, SocketId, Target};
use crate::server::{Namespace, Socket};

/// Keeps rooms in memory. Members have small integer keys; a socket's own room is implied and costs nothing.
#[derive(Default)]
pub struct MemoryAdapter {
    members: RwLock<Members>,
    events: OnceLock<Arc<RoomEvents>>,
}

impl MemoryAdapter {
    /// Where changes are told, if anybody wants to know.
    fn events(&self) -> Option<&Arc<RoomEvents>> {
        self.events.get().filter(|events| events.are_wanted())
    }
}

#[derive(Default)]
struct Members {
    slab: Slab<Member>,
    by_id: HashMap<SocketId, usize>,
    /// In order, since those who came one after the other tend to lie side by side, in this program's memory and in the system's: a broadcast that reaches them so
    /// waits less for memory.
    rooms: HashMap<Room, BTreeSet<usize>>,
}

struct Member {
    socket: Socket,
    rooms: SmallVec<[Room; 1]>,
}

impl Members {
    fn member_mut(&mut self, id: &SocketId) -> Option<(usize, &mut Member)> {
        let key = *self.by_id.get(id)?;
        Some((key, &mut self.slab[key]))
    }

    fn leave_room(
        rooms: &mut HashMap<Room, BTreeSet<usize>>,
        key: usize,
        room: &Room,
        id: &SocketId,
        events: Option<&Arc<RoomEvents>>,
    ) {
        if let Some(members) = rooms.get_mut(room) {
            members.remove(&key);
            let is_empty = members.is_empty();
            if let Some(events) = events {
                events.note(room, RoomChange::Left(id.clone()));
                if is_empty {
                    events.note(room, RoomChange::Deleted);
                }
            }
            if is_empty {
                rooms.remove(room);
                if rooms.len() < rooms.capacity() / 8 {
                    rooms.shrink_to_fit();
                }
            }
        }
    }

    /// The keys of those in a room; a socket's id is a room.
    fn in_room(&self, room: &str) -> impl Iterator<Item = usize> {
        let own = self.by_id.get(room).copied();
        let others = self.rooms.get(room).into_iter().flatten().copied();
        own.into_iter().chain(others)
    }

    fn matching(&self, target: &Target) -> Vec<Socket> {
        let mut seen = Seen::default();
        for room in &target.except {
            self.in_room(room).for_each(|key| {
                seen.insert(key);
            });
        }
        let socket = |key: usize| self.slab[key].socket.clone();
        if target.rooms.is_empty() {
            let mut all = Vec::with_capacity(self.slab.len());
            all.extend(
                self.slab
                    .iter()
                    .filter(|(key, _)| !seen.contains(*key))
                    .map(|(_, member)| member.socket.clone()),
            );
            return all;
        }
        let size = target
            .rooms
            .iter()
            .filter_map(|room| self.rooms.get(room))
            .map(BTreeSet::len)
            .max();
        let mut matching = Vec::with_capacity(size.unwrap_or(1));
        for room in &target.rooms {
            matching.extend(
                self.in_room(room)
                    .filter(|&key| seen.insert(key))
                    .map(socket),
            );
        }
        matching
    }
}

/// A set of small integers; empty, it costs nothing.
#[derive(Default)]
struct Seen(Vec<u64>);

impl Seen {
    /// True when the key was not there.
    fn insert(&mut self, key: usize) -> bool {
        let (word, bit) = (key / 64, 1 << (key % 64));
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        let fresh = self.0[word] & bit == 0;
        self.0[word] |= bit;
        fresh
    }

    fn contains(&self, key: usize) -> bool {
        self.0
            .get(key / 64)
            .is_some_and(|word| word & (1 << (key % 64)) != 0)
    }
}

impl Adapter for MemoryAdapter {
    fn start(&self, namespace: &Namespace) {
        let events = RoomEvents::new(namespace.name().clone(), namespace.handlers().clone());
        // An adapter belongs to one namespace.
        drop(self.events.set(Arc::new(events)));
    }

    fn add(&self, socket: &Socket) {
        let events = self.events();
        let mut members = self.members.write();
        let member = Member {
            socket: socket.clone(),
            rooms: SmallVec::new(),
        };
        let key = members.slab.insert(member);
        members.by_id.insert(socket.id().clone(), key);
        if let Some(events) = events {
            let own = &socket.id().0;
            events.note(own, RoomChange::Created);
            events.note(own, RoomChange::Joined(socket.id().clone()));
        }
        drop(members);
        events.into_iter().for_each(RoomEvents::pass_on);
    }

    fn remove(&self, id: &SocketId) {
        let events = self.events();
        let mut members = self.members.write();
        let Some(key) = members.by_id.remove(id) else {
            return;
        };
        let member = members.slab.remove(key);
        if let Some(events) = events {
            events.note(&id.0, RoomChange::Left(id.clone()));
            events.note(&id.0, RoomChange::Deleted);
        }
        for room in &member.rooms {
            Members::leave_room(&mut members.rooms, key, room, id, events);
        }
        // Memory goes back once most of the tables are empty.
        if members.by_id.len() < members.by_id.capacity() / 8 {
            members.by_id.shrink_to_fit();
        }
        // Keys that are in use stay, so this may have to wait for the highest one to go.
        if members.slab.len() < members.slab.capacity() / 8 {
            members.slab.shrink_to_fit();
        }
        drop(members);
        events.into_iter().for_each(RoomEvents::pass_on);
    }

    fn join(&self, id: &SocketId, rooms: &[Room]) {
        let events = self.events();
        let mut guard = self.members.write();
        let members = &mut *guard;
        let Some(&key) = members.by_id.get(id) else {
            return;
        };
        for room in rooms {
            if **room == **id {
                continue;
            }
            let inside = members.rooms.entry(room.clone()).or_default();
            if !inside.insert(key) {
                continue;
            }
            members.slab[key].rooms.push(room.clone());
            if let Some(events) = events {
                if inside.len() == 1 {
                    events.note(room, RoomChange::Created);
                }
                events.note(room, RoomChange::Joined(id.clone()));
            }
        }
        drop(guard);
        events.into_iter().for_each(RoomEvents::pass_on);
    }

    fn leave(&self, id: &SocketId, room: &str) {
        let events = self.events();
        let mut members = self.members.write();
        let Some((key, member)) = members.member_mut(id) else {
            return;
        };
        let Some(index) = member.rooms.iter().position(|known| **known == *room) else {
            return;
        };
        let room = member.rooms.remove(index);
        Members::leave_room(&mut members.rooms, key, &room, id, events);
        drop(members);
        events.into_iter().for_each(RoomEvents::pass_on);
    }

    fn rooms(&self, id: &SocketId) -> Vec<Room> {
        let members = self.members.read();
        let Some(&key) = members.by_id.get(id) else {
            return Vec::new();
        };
        let own = std::iter::once(id.0.clone());
        own.chain(members.slab[key].rooms.iter().cloned()).collect()
    }

    fn socket(&self, id: &str) -> Option<Socket> {
        let members = self.members.read();
        let key = *members.by_id.get(id)?;
        Some(members.slab[key].socket.clone())
    }

    fn sockets(&self, target: &Target) -> Vec<Socket> {
        self.members.read().matching(target)
    }

    fn len(&self) -> usize {
        self.members.read().slab.len()
    }

    fn room_sizes(&self) -> Vec<(Room, usize)> {
        let members = self.members.read();
        let rooms = members.rooms.iter();
        rooms
            .map(|(room, inside)| (room.clone(), inside.len()))
            .collect()
    }

    fn room_size(&self, room: &str) -> usize {
        let members = self.members.read();
        let own = members.by_id.contains_key(room);
        usize::from(own) + members.rooms.get(room).map_or(0, BTreeSet::len)
    }
}

impl fmt::Debug for MemoryAdapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = self.members.read();
        f.debug_struct("MemoryAdapter")
            .field("sockets", &members.slab.len())
            .field("rooms", &members.rooms.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::IntoRooms;
    use crate::server::tests::Peer;

    fn rooms(names: impl IntoRooms) -> Vec<Room> {
        let mut list = Vec::new();
        names.add_to(&mut list);
        list
    }

    fn target(to: impl IntoRooms, except: impl IntoRooms) -> Target {
        Target {
            rooms: rooms(to),
            except: rooms(except),
        }
    }

    const NOTHING: [&str; 0] = [];

    #[tokio::test]
    async fn targets_are_unions_without_exceptions_and_duplicates() {
        let peer = Peer::new().await;
        let adapter = MemoryAdapter::default();
        let sockets: Vec<_> = (0..200).map(|_| peer.socket()).collect();
        for (n, socket) in sockets.iter().enumerate() {
            adapter.add(socket);
            adapter.join(socket.id(), &rooms(format!("mod 3 = {}", n % 3)));
            adapter.join(socket.id(), &rooms(format!("mod 5 = {}", n % 5)));
        }
        let reached = |target: &Target| {
            let found = adapter.sockets(target);
            let known = |socket: &Socket| sockets.iter().position(|other| other.is(socket));
            let mut keys: Vec<_> = found.iter().filter_map(known).collect();
            keys.sort_unstable();
            keys
        };
        let expected =
            |wanted: fn(usize) -> bool| (0..200).filter(|&n| wanted(n)).collect::<Vec<_>>();
        let (own, other) = (sockets[7].id(), sockets[100].id());
        assert_eq!(reached(&target(NOTHING, NOTHING)), expected(|_| true));
        assert_eq!(
            reached(&target(["mod 3 = 0", "mod 5 = 0", "mod 3 = 0"], NOTHING)),
            expected(|n| n % 3 == 0 || n % 5 == 0)
        );
        assert_eq!(
            reached(&target(["mod 3 = 0", "mod 5 = 1"], "mod 5 = 0")),
            expected(|n| (n % 3 == 0 || n % 5 == 1) && n % 5 != 0)
        );
        assert_eq!(
            reached(&target(NOTHING, [own, other])),
            expected(|n| n != 7 && n != 100)
        );
        assert_eq!(reached(&target([own, other, own], own)), [100]);
        assert!(reached(&target("nobody", NOTHING)).is_empty());
    }

    #[tokio::test]
    async fn memory_goes_back_when_sockets_and_rooms_go() {
        let peer = Peer::new().await;
        let adapter = MemoryAdapter::default();
        let sockets: Vec<_> = (0..1000).map(|_| peer.socket()).collect();
        for (n, socket) in sockets.iter().enumerate() {
            adapter.add(socket);
            adapter.join(
                socket.id(),
                &rooms(["all", &format!("{n}"), &format!("{}", n % 7)]),
            );
        }
        assert_eq!(adapter.len(), 1000);
        let (stays, go) = sockets.split_last().expect("there are many");
        for socket in go {
            adapter.remove(socket.id());
        }
        {
            let members = adapter.members.read();
            assert_eq!(
                (members.slab.len(), members.by_id.len(), members.rooms.len()),
                (1, 1, 3)
            );
            assert!(
                members.by_id.capacity() < 100,
                "{}",
                members.by_id.capacity()
            );
            assert!(
                members.rooms.capacity() < 100,
                "{}",
                members.rooms.capacity()
            );
        }
        adapter.remove(stays.id());
        let members = adapter.members.read();
        assert!(members.by_id.is_empty() && members.rooms.is_empty());
        assert!(members.slab.capacity() < 100, "{}", members.slab.capacity());
    }

    #[tokio::test]
    async fn memory_of_rooms_goes_back_though_the_sockets_stay() {
        let peer = Peer::new().await;
        let adapter = MemoryAdapter::default();
        let socket = peer.socket();
        adapter.add(&socket);
        let names: Vec<_> = (0..1000).map(|n| format!("{n}")).collect();
        adapter.join(socket.id(), &rooms(names.clone()));
        for name in &names {
            adapter.leave(socket.id(), name);
        }
        let capacity = adapter.members.read().rooms.capacity();
        assert!(capacity < 100, "{capacity}");
        assert_eq!(adapter.rooms(socket.id()).len(), 1);
    }

    #[tokio::test]
    async fn sockets_that_are_not_here_join_and_leave_nothing() {
        let peer = Peer::new().await;
        let adapter = MemoryAdapter::default();
        let socket = peer.socket();
        adapter.join(socket.id(), &rooms("room"));
        adapter.leave(socket.id(), "room");
        adapter.remove(socket.id());
        assert!(adapter.is_empty() && adapter.rooms(socket.id()).is_empty());
        assert!(adapter.socket(socket.id()).is_none());
        assert_eq!(
            format!("{adapter:?}"),
            "MemoryAdapter { sockets: 0, rooms: 0 }"
        );
    }
}
