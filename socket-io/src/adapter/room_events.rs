//! Telling who wants to know how rooms come and go.
//!
//! | what happens | events, in this order |
//! |---|---|
//! | a socket joins a room that nobody is in | `Created`, `Joined` |
//! | a socket joins another room | `Joined` |
//! | a socket leaves, others stay | `Left` |
//! | the last one leaves | `Left`, `Deleted` |
//! | more than a hook can follow | `Missed`, in place of all that came while events waited for it |

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;

use engine_io::Text;
use parking_lot::{Mutex, MutexGuard};

use super::{Room, SocketId};
use crate::panic::{Panic, caught};
use crate::server::handlers::Inherited;

/// So many events wait for hooks that do not keep up.
const CAPACITY: usize = 65_536;

/// A room of a namespace has changed, on this process; see [`Namespace::on_room_event`](crate::Namespace::on_room_event).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomEvent {
    /// The name of the namespace.
    pub namespace: Text,
    /// The room; without a name where events were missed.
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
    /// The hooks did not keep up, 65,536 events were waiting, and from then on so many changes of the namespace's rooms were not told. What came to be of them
    /// is in [`Namespace::rooms`](crate::Namespace::rooms).
    Missed(u64),
}

/// Passes on what happens to the rooms of one adapter.
#[derive(Debug)]
pub(super) struct RoomEvents {
    namespace: Text,
    handlers: Arc<Inherited>,
    queue: Mutex<Queue>,
}

/// Events in the order of the changes. Whoever finds nobody at it passes them on.
#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<RoomEvent>,
    /// Those that came behind them and found no room.
    missed: u64,
    is_passed_on: bool,
}

thread_local! {
    /// What this thread has to pass on later.
    static HELD_BACK: RefCell<Option<Vec<Arc<RoomEvents>>>> = const { RefCell::new(None) };
}

/// Holds back what this thread does to rooms while it has a lock that hooks might want. Dropped, it passes everything on.
#[derive(Debug)]
pub(crate) struct HoldBack;

impl HoldBack {
    pub(crate) fn new() -> Self {
        HELD_BACK.set(Some(Vec::new()));
        Self
    }
}

impl Drop for HoldBack {
    fn drop(&mut self) {
        for events in HELD_BACK.take().into_iter().flatten() {
            events.pass_on();
        }
    }
}

impl RoomEvents {
    pub(super) fn new(namespace: Text, handlers: Arc<Inherited>) -> Self {
        Self {
            namespace,
            handlers,
            queue: Mutex::default(),
        }
    }

    /// Whether anybody wants to know.
    pub(super) fn are_wanted(&self) -> bool {
        self.handlers.registry().watches_rooms()
    }

    /// Notes a change, while the lock is held under which it was made.
    pub(super) fn note(&self, room: &Room, change: RoomChange) {
        let mut queue = self.queue.lock();
        // Once one is missing, the next ones would make no sense.
        if queue.missed > 0 || queue.events.len() >= CAPACITY {
            queue.missed += 1;
            return;
        }
        queue.events.push_back(RoomEvent {
            namespace: self.namespace.clone(),
            room: room.clone(),
            change,
        });
    }

    /// Calls the hooks for what was noted, outside of all locks. Changes that a hook makes are passed on when it is done.
    pub(super) fn pass_on(self: &Arc<Self>) {
        let held_back = HELD_BACK.with_borrow_mut(|held_back| {
            let held_back = held_back.as_mut()?;
            held_back.push(self.clone());
            Some(())
        });
        if held_back.is_some() {
            return;
        }
        let mut queue = self.queue.lock();
        if queue.is_passed_on {
            return;
        }
        queue.is_passed_on = true;
        while let Some(event) = self.next(&mut queue) {
            MutexGuard::unlocked(&mut queue, || {
                for hook in self.handlers.registry().room_hooks().iter() {
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

    fn next(&self, queue: &mut Queue) -> Option<RoomEvent> {
        let event = queue.events.pop_front();
        event.or_else(|| match std::mem::take(&mut queue.missed) {
            0 => None,
            missed => Some(RoomEvent {
                namespace: self.namespace.clone(),
                room: Room::from(""),
                change: RoomChange::Missed(missed),
            }),
        })
    }
}
