//! The handlers of a namespace, or those of a single socket: what they are for, in which order they are called, and for how long.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use engine_io::Text;
use parking_lot::RwLock;

use super::grant::Farewell;
use super::handler::{ErasedHandler, ErasedMiddleware};
use super::limit::Given;
use super::server_events::ErasedServerHandler;
use super::socket::Socket;
use crate::adapter::RoomEvent;
use crate::protocol::is_reserved_event;

/// Names a handler, so that it can be taken away again. No two handlers of a process have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HandlerId(u64);

impl HandlerId {
    pub(crate) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

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

/// One handler.
#[derive(Clone)]
struct Entry {
    id: HandlerId,
    handler: ErasedHandler,
    /// Of one that is called once: whether it was.
    taken: Option<Arc<AtomicBool>>,
}

/// Handlers in their order. Those who run them share them, so a change makes a new list. None costs nothing.
#[derive(Clone, Default)]
struct List(Option<Arc<[Entry]>>);

impl List {
    fn entries(&self) -> &[Entry] {
        self.0.as_deref().unwrap_or_default()
    }

    fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn insert(&mut self, entry: Entry, place: Place) {
        let known = self.entries().iter().cloned();
        self.0 = Some(match place {
            Place::First => std::iter::once(entry).chain(known).collect(),
            Place::Last => known.chain([entry]).collect(),
        });
    }

    /// The list as it was, if the handler was in it.
    fn remove(&mut self, id: HandlerId) -> Option<Self> {
        if !self.entries().iter().any(|entry| entry.id == id) {
            return None;
        }
        let others = self.entries().iter().filter(|entry| entry.id != id);
        let others: Vec<_> = others.cloned().collect();
        let others = (!others.is_empty()).then(|| others.into());
        Some(Self(std::mem::replace(&mut self.0, others)))
    }
}

pub(crate) type RoomHook = Arc<dyn Fn(&RoomEvent) + Send + Sync>;

#[derive(Clone, Default)]
struct Handlers {
    middlewares: Arc<[ErasedMiddleware]>,
    connect: List,
    disconnecting: List,
    disconnect: List,
    any: List,
    any_outgoing: List,
    events: HashMap<Text, List>,
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
    handlers: RwLock<Handlers>,
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
        let copy = Self {
            handlers: RwLock::new(self.handlers.read().clone()),
            ..Self::default()
        };
        copy.refresh(&copy.handlers.read());
        copy
    }

    /// Brings the flags up to date; called with the lock held.
    fn refresh(&self, handlers: &Handlers) {
        let outgoing = !handlers.any_outgoing.is_empty();
        self.watches_outgoing.store(outgoing, Ordering::Release);
        let rooms = !handlers.rooms.is_empty();
        self.watches_rooms.store(rooms, Ordering::Release);
        let limited = handlers.event_limit.is_some();
        self.limits_events.store(limited, Ordering::Release);
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
        let mut handlers = self.handlers.write();
        let entry = Entry { id, handler, taken };
        handlers.list_mut(on).insert(entry, place);
        self.refresh(&handlers);
        id
    }

    pub(crate) fn add_middleware(&self, middleware: ErasedMiddleware) {
        push(&mut self.handlers.write().middlewares, middleware);
    }

    pub(crate) fn add_event_middleware(&self, middleware: ErasedMiddleware) {
        let mut handlers = self.handlers.write();
        push(
            handlers.event_middlewares.get_or_insert_default(),
            middleware,
        );
    }

    pub(crate) fn set_farewell(&self, farewell: Farewell) {
        let previous = self.handlers.write().farewell.replace(farewell);
        drop(previous);
    }

    pub(crate) fn farewell(&self) -> Option<Farewell> {
        self.handlers.read().farewell.clone()
    }

    pub(crate) fn set_event_limit(&self, limit: Given) {
        let mut handlers = self.handlers.write();
        handlers.event_limit = Some(limit);
        self.refresh(&handlers);
    }

    /// The limit for events. Where there is none, that is a load.
    pub(crate) fn event_limit(&self) -> Option<Given> {
        if !self.limits_events.load(Ordering::Acquire) {
            return None;
        }
        self.handlers.read().event_limit
    }

    pub(crate) fn add_server_event(&self, event: &str, handler: ErasedServerHandler) {
        let mut handlers = self.handlers.write();
        let list = handlers.server_events.entry(event.into()).or_default();
        push(list, handler);
    }

    pub(crate) fn add_room_hook(&self, hook: RoomHook) {
        let mut handlers = self.handlers.write();
        push(&mut handlers.rooms, hook);
        self.refresh(&handlers);
    }

    /// Takes a handler away; false when it is gone already.
    pub(crate) fn remove(&self, id: HandlerId) -> bool {
        let mut handlers = self.handlers.write();
        let before = handlers.remove(id);
        handlers.events.retain(|_, list| !list.is_empty());
        self.refresh(&handlers);
        drop(handlers);
        before.is_some()
    }

    /// Takes all of that kind away.
    pub(crate) fn clear(&self, on: On<'_>) {
        let mut handlers = self.handlers.write();
        let before = match on {
            On::Event(name) => handlers.events.remove(name),
            on => Some(std::mem::take(handlers.list_mut(on))),
        };
        self.refresh(&handlers);
        drop(handlers);
        drop(before);
    }

    /// Takes everything away.
    pub(crate) fn clear_all(&self) {
        let mut handlers = self.handlers.write();
        let before = std::mem::take(&mut *handlers);
        self.refresh(&handlers);
        drop(handlers);
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

/// Who is called when something happens to a socket: the handlers of its namespace, and then its own.
#[derive(Clone, Default)]
pub(crate) struct Callees {
    namespace: List,
    own: List,
}

/// Who is called for an event, in this order.
pub(crate) struct EventCallees {
    pub(crate) any: Callees,
    pub(crate) middlewares: Option<Arc<[ErasedMiddleware]>>,
    pub(crate) named: Callees,
}

impl Callees {
    pub(crate) fn is_empty(&self) -> bool {
        self.namespace.is_empty() && self.own.is_empty()
    }

    pub(crate) fn iter<'a>(&'a self, socket: &'a Socket) -> impl Iterator<Item = Callee<'a>> {
        let callee = |registry| move |entry| Callee { registry, entry };
        let own = socket.registry().into_iter();
        let own = own.flat_map(move |own| self.own.entries().iter().map(callee(own)));
        let namespace: &Registry = socket.namespace().registry();
        let shared = self.namespace.entries().iter().map(callee(namespace));
        shared.chain(own)
    }
}

pub(crate) struct Callee<'a> {
    registry: &'a Registry,
    entry: &'a Entry,
}

impl<'a> Callee<'a> {
    /// The handler, if it is its turn. One that is called once is taken away by that.
    pub(crate) fn claim(self) -> Option<&'a ErasedHandler> {
        self.registry
            .claim(self.entry)
            .then_some(&self.entry.handler)
    }
}

impl Socket {
    pub(crate) fn callees(&self, on: On<'_>) -> Callees {
        Callees {
            namespace: self.namespace().registry().list(on),
            own: self.registry().map(|own| own.list(on)).unwrap_or_default(),
        }
    }

    pub(crate) fn event_callees(&self, event: &str) -> EventCallees {
        let (any, middlewares, named) = self.namespace().registry().for_event(event);
        let own = self.registry().map(|own| own.for_event(event));
        let (own_any, _, own_named) = own.unwrap_or_default();
        EventCallees {
            any: Callees {
                namespace: any,
                own: own_any,
            },
            middlewares,
            named: Callees {
                namespace: named,
                own: own_named,
            },
        }
    }
}
