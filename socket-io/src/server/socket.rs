//! One client in one namespace.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering, fence};
use std::sync::{Arc, OnceLock};

use engine_io::{Counters, LatestKey, Revision, SendError, Text, Transport};
use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ack::{AckFuture, Completion};
use super::broadcast::Broadcast;
use super::connection::Connection;
use super::emit::{self, Emit, Outcome};
use super::error::{AckError, EmitError, Failure, HandlerError};
use super::extract::{Context, Question};
use super::grant::Deadline;
use super::handlers::{Callee, On, Registry};
use super::handshake::{self, Handshake};
use super::log::Brief;
use super::namespace::Namespace;
use super::packet::EventPacket;
use super::params::ParamsError;
use super::recovery::{Claim, Identity};
use super::types::TypeMap;
use super::{SocketIo, handler};
use crate::adapter::{Flags, IntoRooms, OverflowPolicy, Room, SocketId};
use crate::protocol::{
    AckId, ArgsError, DisconnectReason, Encoded, Parser, PendingAcks, RawArgs, RawJson,
};

/// Joined in the middle of its life: before, its middlewares run; afterwards it has left, and in the end everybody has been told so.
const JOINING: u8 = 0;
const CONNECTED: u8 = 1;
const LEFT: u8 = 2;
const GONE: u8 = 3;

/// A client in a namespace. Clones are handles to the same one.
#[derive(Clone)]
pub struct Socket(Arc<Inner>);

struct Inner {
    id: SocketId,
    namespace: Namespace,
    connection: Arc<Connection>,
    /// Most clients send nothing.
    auth: Option<Box<RawJson>>,
    state: AtomicU8,
    /// How many sockets its connection had before it, which tells it from those.
    place: u32,
    deadline: Deadline,
    data: Mutex<TypeMap>,
    acks: Mutex<PendingAcks<Completion>>,
    /// Rooms joined by middlewares; `None` once the socket is in the namespace.
    early_rooms: Mutex<Option<Box<EarlyRooms>>>,
    /// Handlers of its own; most sockets have none.
    handlers: OnceLock<Box<Registry>>,
    /// What its client needs to come back, if that is possible.
    identity: Option<Box<Identity>>,
}

/// Beside the socket, so that they take no room in it once it has joined.
#[derive(Default)]
struct EarlyRooms(Vec<Room>);

impl Socket {
    pub(crate) fn new(
        id: SocketId,
        namespace: Namespace,
        connection: Arc<Connection>,
        auth: Option<RawJson>,
        max_acks: usize,
        identity: Option<Identity>,
    ) -> Self {
        let socket = Self(Arc::new(Inner {
            place: connection.next_place(),
            id,
            namespace,
            connection,
            auth: auth.map(Box::new),
            state: AtomicU8::new(JOINING),
            deadline: Deadline::default(),
            data: Mutex::default(),
            acks: Mutex::new(PendingAcks::new(max_acks)),
            early_rooms: Mutex::new(Some(Box::default())),
            handlers: OnceLock::new(),
            identity: identity.map(Box::new),
        }));
        if let Some(identity) = socket.identity() {
            identity.register(&socket);
        }
        socket
    }

    /// A client that has come back, as it was.
    pub(crate) fn restored(
        namespace: Namespace,
        connection: Arc<Connection>,
        auth: Option<RawJson>,
        max_acks: usize,
        claim: Claim,
    ) -> Self {
        let session = &claim.session;
        let (id, grant) = (session.sid.clone(), session.grant);
        let (data, rooms) = (session.data.clone(), session.rooms.clone());
        let identity = Some(Identity::restored(claim));
        let socket = Self::new(id, namespace, connection, auth, max_acks, identity);
        *socket.0.data.lock() = data;
        *socket.0.early_rooms.lock() = Some(Box::new(EarlyRooms(rooms)));
        // One that has just ended is noticed when the socket joins.
        let _ = socket.authorize(grant);
        socket
    }

    /// The public id, unique per namespace and connection.
    pub fn id(&self) -> &SocketId {
        &self.0.id
    }

    /// The namespace that the socket is in.
    pub fn namespace(&self) -> &Namespace {
        &self.0.namespace
    }

    /// The server.
    pub fn io(&self) -> SocketIo {
        self.0.connection.io.clone()
    }

    /// The request that opened the connection.
    pub fn handshake(&self) -> Handshake {
        Handshake::new(self.0.connection.clone(), self.raw_auth())
    }

    /// What the client sent when it joined, `{}` when it sent nothing.
    ///
    /// # Errors
    ///
    /// When it is of another type.
    pub fn auth<T: DeserializeOwned>(&self) -> Result<T, ArgsError> {
        handshake::auth(self.0.auth.as_deref())
    }

    /// The parameters of its namespace, as a type; see [`Params`](crate::Params).
    ///
    /// # Errors
    ///
    /// When they cannot be read as that type.
    pub fn params<T: DeserializeOwned>(&self) -> Result<T, ParamsError> {
        self.0.namespace.params()
    }

    /// The transport that carries the connection's messages now.
    pub fn transport(&self) -> Transport {
        self.0.connection.sender.transport()
    }

    /// The revision of Engine.IO that the client speaks: 3 for Socket.IO 1 and 2, 4 for later ones.
    pub fn revision(&self) -> Revision {
        self.0.connection.sender.revision()
    }

    /// Whether the socket has joined and not left.
    pub fn is_connected(&self) -> bool {
        self.0.state.load(Ordering::Acquire) == CONNECTED
    }

    /// Whether the client has come back after its connection broke, with its id, rooms and data, and has got what it missed; see
    /// [`SocketIoBuilder::recovery`](crate::SocketIoBuilder::recovery). In a middleware: whether it is about to.
    pub fn recovered(&self) -> bool {
        self.identity()
            .is_some_and(|identity| identity.is_recovered)
    }

    /// What the connection has carried so far: packets and bytes of all its namespaces.
    pub fn counters(&self) -> Counters {
        self.0.connection.sender.counters()
    }

    /// Bytes that wait to be written to the client, over all its namespaces.
    pub fn buffered(&self) -> usize {
        self.0.connection.sender.buffered()
    }

    /// Waits until nothing waits for the client any more, over all its namespaces: everything is in the hands of the system, or of the answer to a poll. Whether
    /// the client has got it, only an acknowledgement can tell.
    ///
    /// So a program that has much to send sends no faster than the client reads:
    ///
    /// ```no_run
    /// # async fn example(socket: socket_io::Socket, lines: Vec<String>) -> Result<(), socket_io::EmitError> {
    /// for chunk in lines.chunks(1000) {
    ///     socket.emit("lines", chunk)?;
    ///     socket.drained().await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Any number of tasks may wait. What is sent after that moment, and before a waiting task runs again, does not keep it. After the socket has left its
    /// namespace it still can be waited for what was sent before.
    ///
    /// # Errors
    ///
    /// [`EmitError::Disconnected`] if the connection came to its end first: what waited is lost.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up waiting, and nothing else.
    pub async fn drained(&self) -> Result<(), EmitError> {
        let drained = self.0.connection.sender.drained().await;
        drained.map_err(|_| EmitError::Disconnected)
    }

    // Data of the socket.

    /// Keeps a value with the socket, at most one of each type; `()` is no value.
    pub fn insert_data<T: Send + Sync + 'static>(&self, value: T) {
        if std::any::TypeId::of::<T>() != std::any::TypeId::of::<()>() {
            // The value that was there is dropped behind the lock.
            let previous = self.0.data.lock().insert(value);
            drop(previous);
        }
    }

    /// The value of that type, put there by [`insert_data`](Self::insert_data) or returned by a middleware.
    pub fn data<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.0.data.lock().get()
    }

    // Sending.

    /// Sends an event to this client. Never waits: the event is queued, or the error says why not.
    ///
    /// A tuple (or an array) is several arguments, `()` is none, everything else is one; [`RawArgs`] are passed on as they came.
    ///
    /// # Errors
    ///
    /// [`EmitError::Encode`] when the data or the name cannot be sent, [`EmitError::Disconnected`] when the socket has left, [`EmitError::Full`] when the
    /// client reads too slowly, [`EmitError::Expired`] when the socket's [`Grant`](crate::Grant) has ended; nothing was queued then. With another
    /// [`emit_overflow`](crate::SocketIoBuilder::emit_overflow) a full outbox is no error, or disconnects the client.
    pub fn emit(&self, event: &str, data: &(impl Serialize + ?Sized)) -> Result<(), EmitError> {
        emit::to_one(self, event, None, data, None, Flags::default()).map(drop)
    }

    /// The next event is dropped if anything still waits for the client: `socket.volatile().emit("position", &position)?`.
    pub fn volatile(&self) -> Emit {
        Emit::new(self.clone()).volatile()
    }

    /// Whether the next event may be compressed on its way: `socket.compress(false).emit("photo", &jpeg)?`; see [`Emit::compress`].
    pub fn compress(&self, compress: bool) -> Emit {
        Emit::new(self.clone()).compress(compress)
    }

    /// Of the next event only the newest is wanted: `socket.latest("player 7").emit("position", &position)?`; see [`Emit::latest`].
    pub fn latest(&self, key: &str) -> Emit {
        Emit::new(self.clone()).latest(key)
    }

    /// What happens to the next event if the client's outbox is full: `socket.overflow(OverflowPolicy::DropNewest).emit("tick", &())?`.
    pub fn overflow(&self, policy: OverflowPolicy) -> Emit {
        Emit::new(self.clone()).overflow(policy)
    }

    /// Sends an event and waits for the client's acknowledgement, as `R`: a tuple takes several arguments, `()` none, every other type the first.
    ///
    /// The event is queued at once, before the future is polled. Without [`AckFuture::timeout`] it waits for as long as the socket is connected.
    /// Dropping the future gives up waiting.
    ///
    /// ```no_run
    /// # async fn example(socket: socket_io::Socket) -> Result<(), socket_io::AckError> {
    /// use std::time::Duration;
    /// let sum: i64 = socket.emit_with_ack("add", &(1, 2)).timeout(Duration::from_secs(5)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn emit_with_ack<R: DeserializeOwned>(
        &self,
        event: &str,
        data: &(impl Serialize + ?Sized),
    ) -> AckFuture<R> {
        self.ask(event, data, Flags::default())
    }

    pub(crate) fn ask<R: DeserializeOwned>(
        &self,
        event: &str,
        data: &(impl Serialize + ?Sized),
        flags: Flags,
    ) -> AckFuture<R> {
        let (completion, answer) = Completion::single();
        let id = self.0.namespace.next_ack_id();
        let outcome = self
            .expect_ack(id, completion)
            .and_then(|()| emit::to_one(self, event, Some(id), data, None, flags));
        let queued = match outcome {
            Ok(Outcome::Skipped | Outcome::Dropped) => Err(AckError::Skipped),
            Ok(_) => Ok(()),
            Err(error) => Err(error.into()),
        };
        AckFuture::new(self.clone(), id, answer, queued)
    }

    pub(crate) fn send(&self, packet: &Encoded) -> Result<Outcome, EmitError> {
        self.check_sending()?;
        let sender = &self.0.connection.sender;
        let (first, rest) = (packet.header(), packet.attachments());
        let Some(name) = packet.latest() else {
            sender.send_frames(first, rest)?;
            return Ok(Outcome::Queued);
        };
        // One that a socket of the same namespace left behind must not be replaced: it is before the packet that this one has joined with.
        let key = LatestKey::new(self.0.place.into(), name.clone());
        Ok(match sender.send_latest(&key, first, rest)? {
            true => Outcome::Replaced,
            false => Outcome::Queued,
        })
    }

    /// The same for a packet that nobody else sends, and that has no key.
    pub(crate) fn send_once(&self, packet: Encoded) -> Result<Outcome, EmitError> {
        self.check_sending()?;
        self.queue(packet)?;
        Ok(Outcome::Queued)
    }

    fn queue(&self, packet: Encoded) -> Result<(), SendError> {
        let sender = &self.0.connection.sender;
        match packet.into_single() {
            Ok(frame) => sender.send_frame(frame),
            Err(packet) => sender.send_frames(packet.header(), packet.attachments()),
        }
    }

    /// The same, unless something else waits. There is nothing that it could replace, so its key means nothing.
    pub(crate) fn send_volatile(&self, packet: &Encoded) -> Result<Outcome, EmitError> {
        self.check_sending()?;
        let sender = &self.0.connection.sender;
        Ok(
            match sender.send_volatile(packet.header(), packet.attachments())? {
                true => Outcome::Queued,
                false => Outcome::Skipped,
            },
        )
    }

    pub(crate) fn check_sending(&self) -> Result<(), EmitError> {
        if self.has_left() {
            return Err(EmitError::Disconnected);
        }
        if self.has_expired() {
            return Err(EmitError::Expired);
        }
        Ok(())
    }

    /// Sends the answer to an event, the first time. It is sent even after the socket has left, for as long as the connection lives, unless its authorization
    /// has expired.
    pub(crate) fn acknowledge(
        &self,
        question: &Question,
        data: &(impl Serialize + ?Sized),
    ) -> Result<(), EmitError> {
        let packet = self.parser().encode_ack(
            self.0.namespace.name(),
            question.id,
            data,
            self.max_attachments(),
        )?;
        if self.has_expired() {
            return Err(EmitError::Expired);
        }
        if question.take() {
            self.queue(packet)?;
        }
        Ok(())
    }

    fn parser(&self) -> &Parser {
        &self.0.namespace.config().parser
    }

    fn max_attachments(&self) -> usize {
        self.0.namespace.config().max_attachments
    }

    // Acknowledgements that are awaited.

    pub(crate) fn expect_ack(&self, id: AckId, completion: Completion) -> Result<(), EmitError> {
        let mut acks = self.0.acks.lock();
        // Checked under the lock, so that no one is left behind when the socket leaves.
        if self.has_left() {
            return Err(EmitError::Disconnected);
        }
        Ok(acks.insert_with_id(id, completion)?)
    }

    pub(crate) fn acks_pending(&self) -> usize {
        self.0.acks.lock().len()
    }

    pub(crate) fn forget_ack(&self, id: AckId) {
        let forgotten = self.0.acks.lock().remove(id);
        drop(forgotten);
    }

    pub(crate) fn handle_ack(&self, id: AckId, args: RawArgs) {
        let completion = self.0.acks.lock().complete(id);
        if let Some(completion) = completion {
            completion.complete(self.id(), args);
        }
    }

    // Rooms.

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

    // The end.

    /// Makes the client leave the namespace; its connection stays. It gets what was queued before.
    ///
    /// The socket has left when this returns, however full its outbox is. A client that does not read learns of it when it reads again, or by the end of
    /// its connection.
    ///
    /// Handlers given to `on_disconnecting` and `on_disconnect` run up to where they first wait before this returns, so hold no lock that they take.
    pub fn disconnect(&self) {
        if !self.has_left() {
            self.say_goodbye();
            self.leave_namespace(DisconnectReason::ServerNamespaceDisconnect);
        }
    }

    /// Makes the client leave all namespaces of its connection and closes that. It gets what was queued before, if it takes it within the engine's `close_timeout`.
    pub fn disconnect_all(&self) {
        for socket in self.0.connection.sockets() {
            socket.disconnect();
        }
        self.0.connection.sender.close();
    }

    /// Tells the client that it has left. If even this cannot be queued, only the end of the connection tells it.
    pub(crate) fn say_goodbye(&self) {
        let sender = &self.0.connection.sender;
        let packet = self.parser().encode_disconnect(self.0.namespace.name());
        let sent = sender.send_reserved(packet.header(), packet.attachments());
        if let Err(SendError::Full { .. }) = sent {
            sender.abort();
        }
    }

    /// Waits for nothing and may be called by anybody; the first call counts.
    pub(crate) fn leave_namespace(&self, reason: DisconnectReason) {
        let previous = self.0.state.fetch_max(LEFT, Ordering::AcqRel);
        if previous >= LEFT {
            return;
        }
        let joined = previous == CONNECTED;
        let context = |event| Context {
            socket: self.clone(),
            event: Text::from_static(event),
            args: RawArgs::empty(),
            ack: None,
            reason: Some(reason),
            size: 0,
        };
        if joined {
            self.run_handlers(On::Disconnecting, || context("disconnecting"));
        }
        let session = self
            .identity()
            .and_then(|identity| identity.session(self, joined, reason));
        self.0.namespace.adapter().remove(self.id());
        self.0.connection.remove(self);
        self.0.connection.io.exit(&self.0.namespace);
        let pending: Vec<_> = self.0.acks.lock().drain().collect();
        for (_, completion) in pending {
            completion.disconnected(self.id());
        }
        if joined {
            tracing::debug!(
                name: "disconnected",
                target: "socket_io",
                connection = self.0.connection.sender.number(),
                namespace = %Brief(self.0.namespace.name()),
                socket = self.log_id(),
                %reason,
            );
            self.run_handlers(On::Disconnect, || context("disconnect"));
        }
        if let Some(identity) = self.identity() {
            // Only now the data is what it will be.
            let data = joined.then(|| self.0.data.lock().clone());
            identity.leave(&self.0.connection, session, data);
        }
        self.0.state.store(GONE, Ordering::Release);
        self.clear_handlers_if_gone();
    }

    // Handlers.

    /// Those of this socket alone, if it ever had any.
    pub(crate) fn registry(&self) -> Option<&Registry> {
        self.0.handlers.get().map(|own| &**own)
    }

    pub(crate) fn registry_or_new(&self) -> &Registry {
        self.0.handlers.get_or_init(Box::default)
    }

    /// A handler that has hold of its socket would keep both for ever. Called after the socket is gone, and after a handler is added: of two threads that do
    /// both in the same moment, one sees what the other has done.
    pub(crate) fn clear_handlers_if_gone(&self) {
        fence(Ordering::SeqCst);
        if let (GONE, Some(own)) = (self.0.state.load(Ordering::Acquire), self.registry()) {
            own.clear_all();
        }
    }

    /// Runs the namespace's handlers, and then those of this socket.
    pub(crate) fn run_handlers(&self, on: On<'_>, context: impl Fn() -> Context) {
        let callees = self.callees(on);
        if callees.is_empty() {
            return;
        }
        // Whoever makes a socket leave may be a thread outside the runtime.
        let _runtime = self.0.connection.io.enter_runtime();
        for handler in callees.iter(self).filter_map(Callee::claim) {
            let context = context();
            // The packet that may break a rule is the one the socket joined with, and that is long done with.
            if let Err(failure) = handler::run(handler, &context) {
                self.report(context.event, failure);
            }
        }
    }

    /// Whether there are handlers for outgoing events.
    pub(crate) fn watches_outgoing(&self) -> bool {
        self.0.namespace.registry().watches_outgoing()
            || self.registry().is_some_and(Registry::watches_outgoing)
    }

    /// Runs the handlers for outgoing events.
    pub(crate) fn tell_outgoing(&self, packet: &EventPacket<'_>) {
        let Some(event) = packet.event() else {
            return;
        };
        self.run_handlers(On::AnyOutgoing, || Context {
            socket: self.clone(),
            event: event.name.clone(),
            args: event.args.clone(),
            ack: None,
            reason: None,
            size: event.args.size(),
        });
    }

    pub(crate) fn report(&self, event: Text, failure: Failure) {
        let error = HandlerError {
            namespace: self.0.namespace.name().clone(),
            socket: Some(self.id().clone()),
            event,
            failure,
        };
        self.0.connection.io.report(&self.0.connection, &error);
    }

    /// What logs may call it.
    pub(crate) fn log_id(&self) -> &str {
        self.0.connection.log_id(self.id())
    }

    // For the others of this module.

    /// Whether the socket is no more.
    pub(crate) fn has_left(&self) -> bool {
        self.0.state.load(Ordering::Acquire) >= LEFT
    }

    /// Until when it is authorized.
    pub(crate) fn deadline(&self) -> &Deadline {
        &self.0.deadline
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.0.connection
    }

    pub(crate) fn identity(&self) -> Option<&Identity> {
        self.0.identity.as_deref()
    }

    pub(crate) fn auth_bytes(&self) -> usize {
        let auth = self.0.auth.as_deref();
        auth.map_or(0, |auth| auth.as_str().len())
    }

    pub(crate) fn raw_auth(&self) -> Option<RawJson> {
        self.0.auth.as_deref().cloned()
    }

    pub(crate) fn is_joining(&self) -> bool {
        self.0.state.load(Ordering::Acquire) == JOINING
    }

    /// The socket has joined. False when it was told to leave meanwhile.
    pub(crate) fn set_connected(&self) -> bool {
        self.0
            .state
            .compare_exchange(JOINING, CONNECTED, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
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

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("id", self.id())
            .field("namespace", self.0.namespace.name())
            .field("connected", &self.is_connected())
            .finish_non_exhaustive()
    }
}
