//! One client in one namespace.

mod calling;
mod leaving;
mod rooms;
mod sending;

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use engine_io::{Counters, Revision, Transport};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;

use super::SocketIo;
use super::ack::Completion;
use super::connection::Connection;
use super::error::EmitError;
use super::grant::Deadline;
use super::handlers::Registry;
use super::handshake::{self, Handshake};
use super::namespace::Namespace;
use super::params::ParamsError;
use super::recovery::{Claim, Identity};
use super::types::TypeMap;
use crate::adapter::SocketId;
use crate::protocol::{ArgsError, PendingAcks, RawJson};
use rooms::EarlyRooms;

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
