//! The handlers of a namespace, or those of a single socket: what they are for, in which order they are called, and for how long.

mod callees;
mod list;
mod name_hasher;

use std::collections::HashMap;
use std::fmt;
use std::hash::BuildHasherDefault;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use engine_io::Text;
use parking_lot::RwLock;

use super::grant::Farewell;
use super::handler::{ErasedHandler, ErasedMiddleware};
use super::limit::Given;
use super::server_events::ErasedServerHandler;
use crate::adapter::RoomEvent;
use crate::protocol::is_reserved_event;
pub(crate) use callees::{Callee, Callees, EventCallees};
pub use list::HandlerId;
use list::{Entry, List};
use name_hasher::NameHasher;

/// What a handler is for.
#[derive(Clone, Copy)]
pub(crate) enum On<'a> {
    Connect,
    Disconnecting,
    Disconnect,
    Any,
    AnyOutgoing,
    Event(&'a str),
}

impl<'a> On<'a> {
    /// An event of that name.
    ///
    /// # Panics
    ///
    /// If no client can send it.
    pub(crate) fn event(name: &'a str) -> Self {
        assert!(
            !is_reserved_event(name),
            "no client can send the reserved event {name:?}; see `on_connect` and `on_disconnect`"
        );
        Self::Event(name)
    }
}

/// Where among the others.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    First,
    Last,
}

/// How often a handler is called.
#[derive(Clone, Copy)]
pub(crate) enum Times {
    Once,
    Always,
}

pub(crate) type RoomHook = Arc<dyn Fn(&RoomEvent) + Send + Sync>;

/// All handlers of a registry, as they were at one time.
#[derive(Clone, Default)]
pub(crate) struct Handlers {
    /// No two that differ have the same.
    version: u64,
    middlewares: Arc<[ErasedMiddleware]>,
    connect: List,
    disconnecting: List,
    disconnect: List,
    any: List,
    any_outgoing: List,
    events: HashMap<Text, List, BuildHasherDefault<NameHasher>>,
    server_events: HashMap<Text, Arc<[ErasedServerHandler]>>,
    rooms: Arc<[RoomHook]>,
    /// `None` where there are none, so that events do not touch a count that is shared by all threads.
    event_middlewares: Option<Arc<[ErasedMiddleware]>>,
    farewell: Option<Farewell>,
    event_limit: Option<Given>,
}

impl Handlers {
    fn list(&self, on: On<'_>) -> List {
        match on {
            On::Connect => self.connect.clone(),
            On::Disconnecting => self.disconnecting.clone(),
            On::Disconnect => self.disconnect.clone(),
            On::Any => self.any.clone(),
            On::AnyOutgoing => self.any_outgoing.clone(),
            On::Event(name) => self.events.get(name).cloned().unwrap_or_default(),
        }
    }

    fn list_mut(&mut self, on: On<'_>) -> &mut List {
        match on {
            On::Connect => &mut self.connect,
            On::Disconnecting => &mut self.disconnecting,
            On::Disconnect => &mut self.disconnect,
            On::Any => &mut self.any,
            On::AnyOutgoing => &mut self.any_outgoing,
            On::Event(name) => self.events.entry(name.into()).or_default(),
        }
    }

    /// Those for an event, in their order. `None` if there are none, or if a middleware has to let it pass.
    pub(crate) fn callees<'a>(
        &'a self,
        registry: &'a Registry,
        event: &str,
    ) -> Option<impl Iterator<Item = Callee<'a>>> {
        let named = self.events.get(event).map(List::entries);
        let (any, named) = (self.any.entries(), named.unwrap_or_default());
        if self.event_middlewares.is_some() || any.is_empty() && named.is_empty() {
            return None;
        }
        let entries = any.iter().chain(named);
        Some(entries.map(move |entry| Callee { registry, entry }))
    }

    fn remove(&mut self, id: HandlerId) -> Option<List> {
        let lists = [
            &mut self.connect,
            &mut self.disconnecting,
            &mut self.disconnect,
            &mut self.any,
            &mut self.any_outgoing,
        ];
        let mut lists = lists.into_iter().chain(self.events.values_mut());
        lists.find_map(|list| list.remove(id))
    }
}

/// Lists of handlers are shared by those who run them, so a new one is made.
pub(crate) fn push<T: Clone>(list: &mut Arc<[T]>, item: T) {
    *list = list.iter().cloned().chain([item]).collect();
}

/// Handlers that can be added and taken away while they are in use. No handler is dropped under the lock.
#[derive(Default)]
pub(crate) struct Registry {
    handlers: RwLock<Arc<Handlers>>,
    /// That of the handlers, for those who have a copy.
    version: AtomicU64,
    /// Whether there are handlers for outgoing events, for those who send.
    watches_outgoing: AtomicBool,
    /// Whether somebody wants to know of rooms.
    watches_rooms: AtomicBool,
    /// Whether there is a limit for events.
    limits_events: AtomicBool,
}

impl Registry {
    /// A registry that starts with the same handlers. One that is called once is so for both.
    pub(crate) fn copy(&self) -> Self {
        let handlers = self.handlers.read().clone();
        let copy = Self::default();
        copy.change(|own| *own = Handlers::clone(&handlers));
        copy
    }

    /// The handlers as they are now.
    pub(crate) fn handlers(&self) -> Arc<Handlers> {
        self.handlers.read().clone()
    }

    /// Whether the handlers are still these.
    pub(crate) fn has(&self, handlers: &Handlers) -> bool {
        self.version.load(Ordering::Acquire) == handlers.version
    }

    /// Changes the handlers. What comes out of it can be dropped without the lock.
    fn change<T>(&self, change: impl FnOnce(&mut Handlers) -> T) -> T {
        static VERSION: AtomicU64 = AtomicU64::new(1);
        let mut guard = self.handlers.write();
        // What is left of the old ones, if they are in use, has no handler that the new ones have not.
        let handlers = Arc::make_mut(&mut guard);
        let value = change(handlers);
        handlers.version = VERSION.fetch_add(1, Ordering::Relaxed);
        let outgoing = !handlers.any_outgoing.is_empty();
        self.watches_outgoing.store(outgoing, Ordering::Release);
        let rooms = !handlers.rooms.is_empty();
        self.watches_rooms.store(rooms, Ordering::Release);
        let limited = handlers.event_limit.is_some();
        self.limits_events.store(limited, Ordering::Release);
        self.version.store(handlers.version, Ordering::Release);
        value
    }

    pub(crate) fn add(
        &self,
        on: On<'_>,
        place: Place,
        times: Times,
        handler: ErasedHandler,
    ) -> HandlerId {
        let id = HandlerId::next();
        let taken = match times {
            Times::Once => Some(Arc::default()),
            Times::Always => None,
        };
        let entry = Entry { id, handler, taken };
        self.change(|handlers| handlers.list_mut(on).insert(entry, place));
        id
    }

    pub(crate) fn add_middleware(&self, middleware: ErasedMiddleware) {
        self.change(|handlers| push(&mut handlers.middlewares, middleware));
    }

    pub(crate) fn add_event_middleware(&self, middleware: ErasedMiddleware) {
        self.change(|handlers| {
            let list = handlers.event_middlewares.get_or_insert_default();
            push(list, middleware);
        });
    }

    pub(crate) fn set_farewell(&self, farewell: Farewell) {
        let previous = self.change(|handlers| handlers.farewell.replace(farewell));
        drop(previous);
    }

    pub(crate) fn farewell(&self) -> Option<Farewell> {
        self.handlers.read().farewell.clone()
    }

    pub(crate) fn set_event_limit(&self, limit: Given) {
        self.change(|handlers| handlers.event_limit = Some(limit));
    }

    /// The limit for events. Where there is none, that is a load.
    pub(crate) fn event_limit(&self) -> Option<Given> {
        if !self.limits_events.load(Ordering::Acquire) {
            return None;
        }
        self.handlers.read().event_limit
    }

    pub(crate) fn add_server_event(&self, event: &str, handler: ErasedServerHandler) {
        self.change(|handlers| {
            let list = handlers.server_events.entry(event.into()).or_default();
            push(list, handler);
        });
    }

    pub(crate) fn add_room_hook(&self, hook: RoomHook) {
        self.change(|handlers| push(&mut handlers.rooms, hook));
    }

    /// Takes a handler away; false when it is gone already.
    pub(crate) fn remove(&self, id: HandlerId) -> bool {
        let before = self.change(|handlers| {
            let before = handlers.remove(id);
            handlers.events.retain(|_, list| !list.is_empty());
            before
        });
        before.is_some()
    }

    /// Takes all of that kind away.
    pub(crate) fn clear(&self, on: On<'_>) {
        let before = self.change(|handlers| match on {
            On::Event(name) => handlers.events.remove(name),
            on => Some(std::mem::take(handlers.list_mut(on))),
        });
        drop(before);
    }

    /// Takes everything away.
    pub(crate) fn clear_all(&self) {
        let before = self.change(std::mem::take);
        drop(before);
    }

    /// Whether it is this handler's turn. One that is called once is taken away by that.
    fn claim(&self, entry: &Entry) -> bool {
        let Some(taken) = &entry.taken else {
            return true;
        };
        let first = !taken.swap(true, Ordering::AcqRel);
        self.remove(entry.id);
        first
    }

    fn list(&self, on: On<'_>) -> List {
        self.handlers.read().list(on)
    }

    /// Those for every event, those that let it pass or not, and those for this one.
    fn for_event(&self, event: &str) -> (List, Option<Arc<[ErasedMiddleware]>>, List) {
        let handlers = self.handlers.read();
        (
            handlers.list(On::Any),
            handlers.event_middlewares.clone(),
            handlers.list(On::Event(event)),
        )
    }

    pub(crate) fn middlewares(&self) -> Arc<[ErasedMiddleware]> {
        self.handlers.read().middlewares.clone()
    }

    pub(crate) fn server_event(&self, event: &str) -> Option<Arc<[ErasedServerHandler]>> {
        self.handlers.read().server_events.get(event).cloned()
    }

    pub(crate) fn room_hooks(&self) -> Arc<[RoomHook]> {
        self.handlers.read().rooms.clone()
    }

    pub(crate) fn event_names(&self) -> Vec<Text> {
        self.handlers.read().events.keys().cloned().collect()
    }

    pub(crate) fn watches_outgoing(&self) -> bool {
        self.watches_outgoing.load(Ordering::Acquire)
    }

    pub(crate) fn watches_rooms(&self) -> bool {
        self.watches_rooms.load(Ordering::Acquire)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("events", &self.event_names())
            .finish_non_exhaustive()
    }
}

/// The handlers of a namespace. A child has those of its family until some are added to it alone.
#[derive(Debug, Default)]
pub(crate) struct Inherited {
    shared: Arc<Registry>,
    own: OnceLock<Registry>,
}

impl Inherited {
    pub(crate) fn from(shared: Arc<Registry>) -> Self {
        Self {
            shared,
            own: OnceLock::new(),
        }
    }

    /// Those that count.
    pub(crate) fn registry(&self) -> &Registry {
        self.own.get().unwrap_or(&self.shared)
    }

    /// Those of this namespace alone, which begin as a copy.
    pub(crate) fn own(&self) -> &Registry {
        self.own.get_or_init(|| self.shared.copy())
    }
}
