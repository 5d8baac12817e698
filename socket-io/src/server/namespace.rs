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
use super::emit;
use super::error::EmitError;
use super::grant::Farewell;
use super::handler::{
    ErasedHandler, ErasedMiddleware, Handler, Middleware, erase, erase_middleware,
};
use crate::adapter::{Adapter, Delivery, Flags, IntoRooms};
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
    /// `None` where there are none, so that events do not touch a count that is shared by all threads.
    event_middlewares: Option<Arc<[ErasedMiddleware]>>,
    events: HashMap<Text, Arc<[ErasedHandler]>>,
    farewell: Option<Farewell>,
}

/// Who is called for an event, in this order.
pub(crate) struct EventHandlers {
    pub(crate) any: Arc<[ErasedHandler]>,
    pub(crate) middlewares: Option<Arc<[ErasedMiddleware]>>,
    pub(crate) named: Option<Arc<[ErasedHandler]>>,
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
        Self(Arc::new(Inner {
            name,
            config,
            adapter,
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

    /// Adds a middleware for events: it runs for each event that a client sends, named or not, after those added before, and lets it pass to the handlers of its
    /// name or refuses it by returning an error. It takes what handlers take; of what it returns, see [`Middleware`].
    ///
    /// Of a refused event the client gets the error as the acknowledgement, if it wants one, as when a handler fails, and the error hook is told. The reference,
    /// whose `socket.use` this is, leaves such a client without an answer.
    ///
    /// As there, handlers given to [`on_any`](Self::on_any) come before: they see refused events, too. Events of a socket keep their order while a middleware
    /// waits for something, which those of the reference do not; other sockets, acknowledgements and the heartbeat do not wait. What waits is limited by
    /// [`inbox_limit`](crate::SocketIoBuilder::inbox_limit).
    ///
    /// ```
    /// # struct User { is_admin: bool }
    /// # let io = socket_io::SocketIo::builder().build();
    /// use socket_io::{EventName, Refusal, SocketData};
    ///
    /// io.of("/").event_middleware(async |EventName(name): EventName, SocketData(user): SocketData<User>| {
    ///     if name.starts_with("admin:") && !user.is_admin {
    ///         return Err(Refusal::new("not allowed"));
    ///     }
    ///     Ok(())
    /// });
    /// ```
    pub fn event_middleware<A>(self, middleware: impl Middleware<A>) -> Self {
        push(
            self.0
                .handlers
                .write()
                .event_middlewares
                .get_or_insert_default(),
            erase_middleware(middleware),
        );
        self
    }

    /// Sends a last event to a client whose [`Grant`](crate::Grant) has ended, with what `data` returns, since the packet that makes it leave cannot say why.
    /// The last event given counts. `data` is called in the connection's task and should not take long.
    ///
    /// # Panics
    ///
    /// If the name is reserved, as in [`on`](Self::on).
    pub fn farewell<T: Serialize>(
        self,
        event: &str,
        data: impl Fn(&Socket) -> T + Send + Sync + 'static,
    ) -> Self {
        assert!(!is_reserved_event(event), "the event {event:?} is reserved");
        let event = event.to_owned();
        let farewell: Farewell = Arc::new(move |socket| {
            let data = data(socket);
            emit::encode(socket.namespace(), &event, None, &data, Flags::default())
        });
        let previous = self.0.handlers.write().farewell.replace(farewell);
        drop(previous);
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

    /// Called for each event, before the middlewares for events and the handlers of its name.
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

    pub(crate) fn event_handlers(&self, event: &str) -> EventHandlers {
        let handlers = self.0.handlers.read();
        EventHandlers {
            any: handlers.any.clone(),
            middlewares: handlers.event_middlewares.clone(),
            named: handlers.events.get(event).cloned(),
        }
    }

    pub(crate) fn farewell_event(&self) -> Option<Farewell> {
        self.0.handlers.read().farewell.clone()
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
