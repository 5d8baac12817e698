//! Telling who wants to know how rooms come and go.
//!
//! | what happens | events, in this order |
//! |---|---|
//! | a socket joins a room that nobody is in | `Created`, `Joined` |
//! | a socket joins another room | `Joined` |
//! | a socket leaves, others stay | `Left` |
//! | the last one leaves | `Left`, `Deleted` |

use std::collections::VecDeque;
use std::sync::Arc;

use engine_io::Text;
use parking_lot::{Mutex, MutexGuard};

use super::{Room, SocketId};
use crate::server::handler::{Panic, caught};
use crate::server::handlers::Registry;

/// A room of a namespace has changed, on this process; see [`Namespace::on_room_event`](crate::Namespace::on_room_event).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomEvent {
    /// The name of the namespace.
    pub namespace: Text,
    /// The room.
    pub room: Room,
    /// What happened to it.
    pub change: RoomChange,
}

/// What happened to a room.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomChange {
    /// It came into being; the first socket joins it next.
    Created,
    /// A socket joined it.
    Joined(SocketId),
    /// A socket left it.
    Left(SocketId),
    /// The last socket has left it, so it is no more.
    Deleted,
}

/// Passes on what happens to the rooms of one adapter.
#[derive(Debug)]
pub(super) struct RoomEvents {
    namespace: Text,
    registry: Arc<Registry>,
    queue: Mutex<Queue>,
}

/// Events in the order of the changes. Whoever finds nobody at it passes them on.
#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<RoomEvent>,
    is_passed_on: bool,
}

impl RoomEvents {
    pub(super) fn new(namespace: Text, registry: Arc<Registry>) -> Self {
        Self {
            namespace,
            registry,
            queue: Mutex::default(),
        }
    }

    /// Whether anybody wants to know.
    pub(super) fn are_wanted(&self) -> bool {
        self.registry.watches_rooms()
    }

    /// Notes a change, while the lock is held under which it was made.
    pub(super) fn note(&self, room: &Room, change: RoomChange) {
        self.queue.lock().events.push_back(RoomEvent {
            namespace: self.namespace.clone(),
            room: room.clone(),
            change,
        });
    }

    /// Calls the hooks for what was noted, outside of all locks. Changes that a hook makes are passed on when it is done.
    pub(super) fn pass_on(&self) {
        let mut queue = self.queue.lock();
        if queue.is_passed_on {
            return;
        }
        queue.is_passed_on = true;
        while let Some(event) = queue.events.pop_front() {
            MutexGuard::unlocked(&mut queue, || {
                for hook in self.registry.room_hooks().iter() {
                    if let Err(Panic(message)) = caught(|| hook(&event)) {
                        tracing::error!(name: "hook_panicked", target: "socket_io", hook = "on_room_event", reason = message);
                    }
                }
                drop(event);
            });
        }
        queue.is_passed_on = false;
        queue.events.shrink_to(16);
    }
}
