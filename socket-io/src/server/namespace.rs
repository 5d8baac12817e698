//! Namespaces: who may join, and what happens to events.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use engine_io::Text;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;

use super::broadcast::Broadcast;
use super::config::Config;
use super::emit;
use super::error::EmitError;
use super::handler::{Handler, Middleware, Panic, caught, erase, erase_middleware};
use super::handlers::{Inherited, On, Place, Registry, Times};
use super::log::Brief;
use super::params::{List, ParamsError};
use super::parent::{ParentAdapter, Shared};
use super::path::ParamList;
use super::recovery::Journal;
use super::remote::{FetchError, RemoteSocket};
use crate::adapter::{Adapter, Delivery, Flags, IntoRooms, Room, RoomEvent};
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
    journal: Option<Arc<Journal>>,
    handlers: Arc<Inherited>,
    shared: Arc<Shared>,
    kind: Kind,
    /// Made for a client, and gone again when it is empty.
    is_fleeting: AtomicBool,
    /// Sockets that have joined or are joining.
    members: AtomicUsize,
    /// Clients may come in, since all who want to know of the namespace were told.
    is_open: AtomicBool,
    /// Wakes those who wait for it.
    opened: Notify,
    /// Its adapter was told that it is over.
    is_closed: AtomicBool,
}

enum Kind {
    /// One by itself.
    Single,
    /// Of a family, with the parameters in its name.
    Child(ParamList),
    /// What the namespaces of a family have in common. It is in no list, and nobody joins it.
    Parent,
}

/// A namespace that may be forgotten while this exists: what an [`Adapter`] keeps of its own.
#[derive(Clone)]
pub struct WeakNamespace(Weak<Inner>);

impl WeakNamespace {
    /// The namespace, if it is still there.
    pub fn upgrade(&self) -> Option<Namespace> {
        self.0.upgrade().map(Namespace)
    }
}

impl fmt::Debug for WeakNamespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WeakNamespace")
            .field(&self.upgrade())
            .finish()
    }
}

impl Namespace {
    pub(crate) fn new(name: Text, config: Arc<Config>) -> Self {
        let adapter = (config.adapter)(&name);
        let namespace = Self::with(name, config, adapter, Arc::default(), Kind::Single);
        namespace.adapter().start(&namespace);
        namespace
    }

    /// What the namespaces of a family have in common; the name is that of their pattern.
    pub(crate) fn parent(name: Text, config: Arc<Config>) -> Self {
        let shared = Arc::<Shared>::default();
        let adapter = Arc::new(ParentAdapter(shared.clone()));
        Self::with(name, config, adapter, shared, Kind::Parent)
    }

    /// A namespace of this one's family.
    pub(crate) fn child(&self, name: Text, params: ParamList) -> Self {
        let config = self.0.config.clone();
        let adapter = (config.adapter)(&name);
        let shared = self.0.shared.clone();
        let child = Self::with(name, config, adapter, shared, Kind::Child(params));
        child.adapter().start(&child);
        child
    }

    fn with(
        name: Text,
        config: Arc<Config>,
        adapter: Arc<dyn Adapter>,
        shared: Arc<Shared>,
        kind: Kind,
    ) -> Self {
        // Nobody comes back to a parent.
        let recovery = config.recovery.as_ref();
        let recovery = recovery.filter(|_| !matches!(kind, Kind::Parent));
        let journal = recovery.map(|recovery| recovery.journal(&name));
        Self(Arc::new(Inner {
            name,
            config,
            adapter,
            journal,
            handlers: Arc::new(Inherited::from(shared.handlers.clone())),
            shared,
            is_fleeting: AtomicBool::new(matches!(kind, Kind::Child(_))),
            kind,
            members: AtomicUsize::new(0),
            is_open: AtomicBool::new(false),
            opened: Notify::new(),
            is_closed: AtomicBool::new(false),
        }))
    }

    /// A handle that does not keep the namespace.
    pub fn downgrade(&self) -> WeakNamespace {
        WeakNamespace(Arc::downgrade(&self.0))
    }

    /// Somebody is about to join. Called with the list of namespaces locked.
    pub(crate) fn enter(&self) {
        self.0.members.fetch_add(1, Ordering::AcqRel);
    }

    /// Somebody has left; true when it may be forgotten now.
    pub(crate) fn exit(&self) -> bool {
        self.0.members.fetch_sub(1, Ordering::AcqRel) == 1 && self.is_unused()
    }

    /// It stays from now on; true when it would not have. Called with the list of namespaces locked, or before it is in there.
    pub(crate) fn keep(&self) -> bool {
        // Nearly always there is nothing to write, which would slow down those who read.
        self.is_fleeting() && self.0.is_fleeting.swap(false, Ordering::AcqRel)
    }

    fn is_fleeting(&self) -> bool {
        self.0.is_fleeting.load(Ordering::Acquire)
    }

    /// Whether it may go: nobody is in it or about to be.
    pub(crate) fn is_unused(&self) -> bool {
        self.is_fleeting()
            && self.0.config.cleanup_empty_child_namespaces
            && self.0.members.load(Ordering::Acquire) == 0
    }

    /// Whether a client may come back that has left.
    pub(crate) fn is_awaited(&self) -> bool {
        self.journal().is_some_and(|journal| journal.is_awaiting())
    }

    /// Lets clients in.
    pub(crate) fn open(&self) {
        self.0.is_open.store(true, Ordering::Release);
        self.0.opened.notify_waiters();
    }

    pub(crate) fn is_open(&self) -> bool {
        self.0.is_open.load(Ordering::Acquire)
    }

    pub(crate) async fn opened(&self) {
        // Who asks for notice before looking misses nothing.
        let opened = self.0.opened.notified();
        if !self.is_open() {
            opened.await;
        }
    }

    /// It is in the list of namespaces now.
    pub(crate) fn join_family(&self) {
        if let Kind::Child(_) = self.0.kind {
            self.0.shared.add_child(self);
        }
    }

    /// It is in the list no more.
    pub(crate) fn leave_family(&self) {
        if let Kind::Child(_) = self.0.kind {
            self.0.shared.remove_child(self.name());
        }
    }

    /// Nobody joins any more: the server is closed, or has forgotten the namespace, or both, or another one of that name was faster.
    pub(crate) fn close(&self) {
        if self.0.is_closed.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Err(Panic(message)) = caught(|| self.0.adapter.close()) {
            tracing::error!(name: "hook_panicked", target: "socket_io", hook = "adapter", reason = %Brief(&message));
        }
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The name, with its leading slash. Of the parent of a family, the pattern or expression, and nothing where a function decides.
    pub fn name(&self) -> &Text {
        &self.0.name
    }

    // Families.

    /// The namespaces that exist now of the family whose parent this is, in no order: none for every other namespace.
    pub fn children(&self) -> Vec<Self> {
        self.family().unwrap_or_default()
    }

    /// The children, if it is a parent.
    pub(crate) fn family(&self) -> Option<Vec<Self>> {
        self.is_parent().then(|| self.0.shared.children())
    }

    pub(crate) fn is_parent(&self) -> bool {
        matches!(self.0.kind, Kind::Parent)
    }

    /// The parameter of that name, as the client wrote it; see [`SocketIo::of_path`](crate::SocketIo::of_path).
    pub fn param(&self, name: &str) -> Option<&str> {
        let mut params = self.param_list().iter();
        let (_, value) = params.find(|(known, _)| **known == *name)?;
        Some(value)
    }

    /// All parameters, as a type; see [`Params`](crate::Params).
    ///
    /// # Errors
    ///
    /// When they cannot be read as that type.
    pub fn params<T: DeserializeOwned>(&self) -> Result<T, ParamsError> {
        T::deserialize(List(self.param_list()))
    }

    fn param_list(&self) -> &[(Text, Text)] {
        match &self.0.kind {
            Kind::Child(params) => params,
            _ => &[],
        }
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
        let middleware = erase_middleware(middleware);
        self.own_registry().add_middleware(middleware);
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
        let middleware = erase_middleware(middleware);
        self.own_registry().add_event_middleware(middleware);
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
        self.own_registry().set_farewell(Arc::new(move |socket| {
            let data = data(socket);
            emit::encode(socket.namespace(), &event, None, &data, Flags::default())
        }));
        self
    }

    /// Called when a client has joined. What it emits follows the confirmation, and its first steps, up to where it first waits, precede all events.
    pub fn on_connect<A>(self, handler: impl Handler<A>) -> Self {
        self.add(On::Connect, Place::Last, Times::Always, handler)
    }

    /// Called for each event of that name.
    ///
    /// # Panics
    ///
    /// If the name is reserved (`connect`, `connect_error`, `disconnect`, `disconnecting`, `newListener`, `removeListener`): no client can send it.
    pub fn on<A>(self, event: &str, handler: impl Handler<A>) -> Self {
        self.add(On::event(event), Place::Last, Times::Always, handler)
    }

    /// Called for the next event of that name, whichever socket it comes from, and then taken away. [`Socket::once`] is for one socket.
    ///
    /// # Panics
    ///
    /// As [`on`](Self::on).
    pub fn once<A>(self, event: &str, handler: impl Handler<A>) -> Self {
        self.add(On::event(event), Place::Last, Times::Once, handler)
    }

    /// Called for each event, before the middlewares for events and the handlers of its name.
    pub fn on_any<A>(self, handler: impl Handler<A>) -> Self {
        self.add(On::Any, Place::Last, Times::Always, handler)
    }

    /// As [`on_any`](Self::on_any), before those that are there.
    pub fn prepend_any<A>(self, handler: impl Handler<A>) -> Self {
        self.add(On::Any, Place::First, Times::Always, handler)
    }

    /// Called for each event that is sent to a client, once for each recipient of a broadcast, before it is queued; also for a volatile event that is then
    /// dropped. Acknowledgements are no events. A handler takes what others take: the [`Socket`] is the recipient, and [`Data`](crate::Data) the data.
    ///
    /// It runs up to its first wait inside the call that sends, so hold no lock there which it takes. What it sends itself is an event, too. With
    /// [connection state recovery](crate::SocketIoBuilder::recovery) it runs when the event is queued, unless that is volatile or wants an acknowledgement.
    ///
    /// ```
    /// # let io = socket_io::SocketIo::builder().build();
    /// use socket_io::{EventName, RawArgs, Socket};
    ///
    /// io.of("/").on_any_outgoing(async |socket: Socket, EventName(name): EventName, args: RawArgs| {
    ///     println!("{} gets {name}: {args:?}", socket.id());
    /// });
    /// ```
    pub fn on_any_outgoing<A>(self, handler: impl Handler<A>) -> Self {
        self.add(On::AnyOutgoing, Place::Last, Times::Always, handler)
    }

    /// As [`on_any_outgoing`](Self::on_any_outgoing), before those that are there.
    pub fn prepend_any_outgoing<A>(self, handler: impl Handler<A>) -> Self {
        self.add(On::AnyOutgoing, Place::First, Times::Always, handler)
    }

    /// Called when a socket is about to leave, while it still is in its rooms.
    pub fn on_disconnecting<A>(self, handler: impl Handler<A>) -> Self {
        self.add(On::Disconnecting, Place::Last, Times::Always, handler)
    }

    /// Called when a socket has left, with the [`DisconnectReason`](crate::DisconnectReason).
    pub fn on_disconnect<A>(self, handler: impl Handler<A>) -> Self {
        self.add(On::Disconnect, Place::Last, Times::Always, handler)
    }

    fn add<A>(self, on: On<'_>, place: Place, times: Times, handler: impl Handler<A>) -> Self {
        self.own_registry().add(on, place, times, erase(handler));
        self
    }

    /// Told of each room of this process that comes or goes, and of each socket that joins or leaves one, in the order in which it happens: `Created` comes
    /// before the first `Joined`, `Deleted` behind the last [`Left`](crate::RoomChange::Left). The rooms named like the ids of sockets are among them, as with
    /// the original; a socket's own room comes first when it enters the namespace and goes first when it leaves.
    ///
    /// The hook is called outside of all locks, by whoever makes the change, or by another thread that is calling it at the moment. It should be quick: what
    /// happens meanwhile waits in memory, up to 65,536 changes, and what comes behind them is [`Missed`](crate::RoomChange::Missed). A panic is caught and logged.
    /// Only changes from now on are told, of an adapter that is or uses a [`MemoryAdapter`](crate::MemoryAdapter).
    ///
    /// ```
    /// # let io = socket_io::SocketIo::builder().build();
    /// use socket_io::{RoomChange, RoomEvent};
    ///
    /// io.of("/").on_room_event(|event: &RoomEvent| match &event.change {
    ///     RoomChange::Created => println!("{} begins", event.room),
    ///     RoomChange::Deleted => println!("{} ends", event.room),
    ///     _ => {}
    /// });
    /// ```
    pub fn on_room_event(self, hook: impl Fn(&RoomEvent) + Send + Sync + 'static) -> Self {
        self.own_registry().add_room_hook(Arc::new(hook));
        self
    }

    /// Takes all handlers for events of that name away. Those of single sockets stay.
    pub fn off(&self, event: &str) {
        self.own_registry().clear(On::Event(event));
    }

    /// Takes all handlers given to [`on_any`](Self::on_any) and [`prepend_any`](Self::prepend_any) away.
    pub fn off_any(&self) {
        self.own_registry().clear(On::Any);
    }

    /// Takes all handlers for outgoing events away.
    pub fn off_any_outgoing(&self) {
        self.own_registry().clear(On::AnyOutgoing);
    }

    /// The events that there are handlers for, in no order.
    pub fn event_names(&self) -> Vec<Text> {
        self.registry().event_names()
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

    /// The sockets of all processes of a cluster; see [`Broadcast::fetch_sockets`].
    ///
    /// # Errors
    ///
    /// As [`Broadcast::fetch_sockets`].
    ///
    /// # Cancel safety
    ///
    /// As [`Broadcast::fetch_sockets`].
    pub async fn fetch_sockets(&self) -> Result<Vec<RemoteSocket>, FetchError> {
        self.all().fetch_sockets().await
    }

    /// The rooms that sockets of this process have joined, each with their number, in no order. The rooms named like the ids of sockets are left out.
    ///
    /// ```
    /// # fn example(io: socket_io::SocketIo) {
    /// for (room, size) in io.of("/").rooms() {
    ///     println!("{size} in {room}");
    /// }
    /// # }
    /// ```
    pub fn rooms(&self) -> Vec<(Room, usize)> {
        self.adapter().room_sizes()
    }

    /// How many sockets of this process are in a room; 0 if there is no such room. Who they are, `namespace.to(room).sockets()` tells.
    pub fn room_size(&self, room: &str) -> usize {
        self.adapter().room_size(room)
    }

    /// The socket of that id, if it is in the namespace and connected to this process.
    pub fn socket(&self, id: &str) -> Option<Socket> {
        self.adapter().socket(id)
    }

    /// How many sockets of this process are in the namespace; of a parent, in its children.
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
        self.0.journal.as_ref()
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    /// One counter for all sockets that a broadcast can reach, so that they share an id.
    pub(crate) fn next_ack_id(&self) -> AckId {
        AckId::new(self.0.shared.acks.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn handlers(&self) -> &Arc<Inherited> {
        &self.0.handlers
    }

    /// The handlers that count.
    pub(crate) fn registry(&self) -> &Registry {
        self.0.handlers.registry()
    }

    /// Where handlers are added and taken away: of a child, its own and not its family's.
    pub(crate) fn own_registry(&self) -> &Registry {
        match self.0.kind {
            Kind::Child(_) => self.0.handlers.own(),
            _ => &self.0.shared.handlers,
        }
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
