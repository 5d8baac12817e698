//! Namespaces: who may join, and what happens to events.

mod life;
mod registration;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use engine_io::Text;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;

use super::broadcast::Broadcast;
use super::config::Config;
use super::error::EmitError;
use super::handlers::{Inherited, Registry};
use super::params::{List, ParamsError};
use super::parent::{ParentAdapter, Shared};
use super::path::ParamList;
use super::recovery::Journal;
use super::remote::{FetchError, RemoteSocket};
use crate::adapter::{Adapter, Delivery, IntoRooms, Room};
use crate::protocol::AckId;
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
