//! Namespaces: who may join, and what happens to events.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use engine_io::Text;
use parking_lot::RwLock;
use serde::Serialize;

use super::broadcast::Broadcast;
use super::config::Config;
use super::error::EmitError;
use super::handler::{
    ErasedHandler, ErasedMiddleware, Handler, Middleware, erase, erase_middleware,
};
use super::recovery::{Journal, Lease};
use crate::adapter::{Adapter, Delivery, IntoRooms};
use crate::protocol::{AckId, is_reserved_event};
use crate::server::Socket;

/// A namespace of the server. Clones are handles to the same one.
///
/// Handlers are registered here, once, and serve all its sockets. They can be added at any time and count from the next packet on.
#[derive(Clone)]
pub struct Namespace(Arc<Inner>);

struct Inner {
    name: Text,
    config: Arc<Config>,
    adapter: Arc<dyn Adapter>,
    /// What was sent, if clients can get their sessions back.
    journal: Option<Lease>,
    /// Shared with the namespaces made from this one.
    handlers: Arc<RwLock<Handlers>>,
    /// Made for a client from a pattern, and gone again when it is empty.
    is_fleeting: AtomicBool,
    /// Sockets that have joined or are joining.
    members: AtomicUsize,
    acks: AtomicU64,
}

#[derive(Clone, Default)]
struct Handlers {
    middlewares: Arc<[ErasedMiddleware]>,
    connect: Arc<[ErasedHandler]>,
    disconnecting: Arc<[ErasedHandler]>,
    disconnect: Arc<[ErasedHandler]>,
    any: Arc<[ErasedHandler]>,
    events: HashMap<Text, Arc<[ErasedHandler]>>,
}

/// Lists of handlers are shared by those who run them, so a new one is made.
fn push<T: Clone>(list: &mut Arc<[T]>, item: T) {
    *list = list.iter().cloned().chain([item]).collect();
}

impl Namespace {
    pub(crate) fn new(name: Text, config: Arc<Config>) -> Self {
        Self::with_handlers(name, config, Arc::default(), false)
    }

    /// A namespace that has this one's handlers, also those that are added later, and goes when it is empty.
    pub(crate) fn child(&self, name: Text) -> Self {
        Self::with_handlers(name, self.0.config.clone(), self.0.handlers.clone(), true)
    }

    /// A namespace that starts with this one's handlers, may have others besides, and stays.
    pub(crate) fn heir(&self, name: Text) -> Self {
        let handlers = self.0.handlers.read().clone();
        let handlers = Arc::new(RwLock::new(handlers));
        Self::with_handlers(name, self.0.config.clone(), handlers, false)
    }

    fn with_handlers(
        name: Text,
        config: Arc<Config>,
        handlers: Arc<RwLock<Handlers>>,
        is_fleeting: bool,
    ) -> Self {
        let adapter = (config.adapter)(&name);
        // What only stands for others has no name.
        let recovery = config.recovery.as_ref().filter(|_| !name.is_empty());
        let journal = recovery.map(|recovery| recovery.lease(&name));
        Self(Arc::new(Inner {
            name,
            config,
            adapter,
            journal,
            handlers,
            is_fleeting: AtomicBool::new(is_fleeting),
            members: AtomicUsize::new(0),
            acks: AtomicU64::new(0),
        }))
    }

    /// Somebody is about to join. Called with the list of namespaces locked.
    pub(crate) fn enter(&self) {
        self.0.members.fetch_add(1, Ordering::AcqRel);
    }

    /// Somebody has left; true when it may be forgotten now.
    pub(crate) fn exit(&self) -> bool {
        self.0.members.fetch_sub(1, Ordering::AcqRel) == 1 && self.is_unused()
    }

    /// It stays from now on. Called with the list of namespaces locked.
    pub(crate) fn keep(&self) {
        // Nearly always there is nothing to write, which would slow down those who read.
        if self.is_fleeting() {
            self.0.is_fleeting.store(false, Ordering::Release);
        }
    }

    fn is_fleeting(&self) -> bool {
        self.0.is_fleeting.load(Ordering::Acquire)
    }

    /// Whether it may go: nobody is in it or about to be.
    pub(crate) fn is_unused(&self) -> bool {
        self.is_fleeting() && self.0.members.load(Ordering::Acquire) == 0
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The name, with its leading slash.
    pub fn name(&self) -> &Text {
        &self.0.name
    }

    // Registration.

    /// Adds a middleware: it runs when a client wants to join, after those added before, and refuses the client by returning an error. The value it returns
    /// becomes data of the socket.
    ///
    /// ```
    /// # let io = socket_io::SocketIo::builder().build();
    /// use socket_io::{Auth, Refusal};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Token { token: Option<String> }
    /// struct User { name: String }
    ///
    /// io.of("/admin").middleware(async |Auth(auth): Auth<Token>| match auth.token.as_deref() {
    ///     Some("secret") => Ok(User { name: "admin".into() }),
    ///     _ => Err(Refusal::new("not authorized")),
    /// });
    /// ```
    pub fn middleware<A>(self, middleware: impl Middleware<A>) -> Self {
        push(
            &mut self.0.handlers.write().middlewares,
            erase_middleware(middleware),
        );
        self
    }

    /// Called when a client has joined. What it emits follows the confirmation, and its first steps, up to where it first waits, precede all events.
    pub fn on_connect<A>(self, handler: impl Handler<A>) -> Self {
        push(&mut self.0.handlers.write().connect, erase(handler));
        self
    }

    /// Called for each event of that name.
    ///
    /// # Panics
    ///
    /// If the name is reserved (`connect`, `connect_error`, `disconnect`, `disconnecting`, `newListener`, `removeListener`): no client can send it.
    pub fn on<A>(self, event: &str, handler: impl Handler<A>) -> Self {
        assert!(
            !is_reserved_event(event),
            "no client can send the reserved event {event:?}; see `on_connect` and `on_disconnect`"
        );
        let mut handlers = self.0.handlers.write();
        push(
            handlers.events.entry(event.into()).or_default(),
            erase(handler),
        );
        drop(handlers);
        self
    }

    /// Called for each event, before the handlers of its name.
    pub fn on_any<A>(self, handler: impl Handler<A>) -> Self {
        push(&mut self.0.handlers.write().any, erase(handler));
        self
    }

    /// Called when a socket is about to leave, while it still is in its rooms.
    pub fn on_disconnecting<A>(self, handler: impl Handler<A>) -> Self {
        push(&mut self.0.handlers.write().disconnecting, erase(handler));
        self
    }

    /// Called when a socket has left, with the [`DisconnectReason`](crate::DisconnectReason).
    pub fn on_disconnect<A>(self, handler: impl Handler<A>) -> Self {
        push(&mut self.0.handlers.write().disconnect, erase(handler));
        self
    }

    // Its sockets.

    /// The sockets in these rooms.
    pub fn to(&self, rooms: impl IntoRooms) -> Broadcast {
        self.all().to(rooms)
    }

    /// All sockets but those in these rooms.
    pub fn except(&self, rooms: impl IntoRooms) -> Broadcast {
        self.all().except(rooms)
    }

    /// All sockets.
    pub fn all(&self) -> Broadcast {
        Broadcast::new(self.clone())
    }

    /// Sends an event to all sockets; see [`Broadcast::emit`].
    ///
    /// # Errors
    ///
    /// As [`Broadcast::emit`].
    pub fn emit(
        &self,
        event: &str,
        data: &(impl Serialize + ?Sized),
    ) -> Result<Delivery, EmitError> {
        self.all().emit(event, data)
    }

    /// The socket of that id, if it is in the namespace and connected to this process.
    pub fn socket(&self, id: &str) -> Option<Socket> {
        self.adapter().socket(id)
    }

    /// How many sockets of this process are in the namespace.
    pub fn len(&self) -> usize {
        self.adapter().len()
    }

    /// Whether no socket of this process is in the namespace.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    // For the others of this module.

    pub(crate) fn adapter(&self) -> &dyn Adapter {
        &*self.0.adapter
    }

    pub(crate) fn journal(&self) -> Option<&Arc<Journal>> {
        self.0.journal.as_deref()
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    /// One counter for all sockets, so that the recipients of a broadcast share an id.
    pub(crate) fn next_ack_id(&self) -> AckId {
        AckId::new(self.0.acks.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn middlewares(&self) -> Arc<[ErasedMiddleware]> {
        self.0.handlers.read().middlewares.clone()
    }

    pub(crate) fn connect_handlers(&self) -> Arc<[ErasedHandler]> {
        self.0.handlers.read().connect.clone()
    }

    pub(crate) fn disconnecting_handlers(&self) -> Arc<[ErasedHandler]> {
        self.0.handlers.read().disconnecting.clone()
    }

    pub(crate) fn disconnect_handlers(&self) -> Arc<[ErasedHandler]> {
        self.0.handlers.read().disconnect.clone()
    }

    /// Those for every event and those for this one.
    pub(crate) fn event_handlers(
        &self,
        event: &str,
    ) -> (Arc<[ErasedHandler]>, Option<Arc<[ErasedHandler]>>) {
        let handlers = self.0.handlers.read();
        (handlers.any.clone(), handlers.events.get(event).cloned())
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespace")
            .field("name", self.name())
            .field("adapter", &self.0.adapter)
            .finish_non_exhaustive()
    }
}
