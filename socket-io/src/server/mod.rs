//! The server.

mod ack;
mod broadcast;
mod builder;
mod bundle;
mod candidate;
mod config;
mod connection;
mod drain;
mod driver;
mod eio3;
mod emit;
mod error;
mod extract;
mod family;
#[cfg(fuzzing)]
pub mod fuzzing;
mod grant;
pub(crate) mod handler;
pub(crate) mod handlers;
mod handshake;
mod health;
mod inbox;
mod joining;
mod limit;
mod log;
mod namespace;
mod namespaces;
mod own_handlers;
mod packet;
mod params;
mod parent;
mod path;
mod recovery;
mod remote;
mod reply;
mod server_events;
mod socket;
mod stats;
mod stream;
#[cfg(test)]
pub(crate) mod tests;
mod types;

use std::fmt;
use std::future::Future;
use std::io;
#[cfg(unix)]
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use engine_io::{
    Acceptor, EngineLayer, EngineService, NoService, Respond, Server, ServerConfig, Sid,
};
use http::request::Parts;
use http::{Response, Uri};
use http_body::Body;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::runtime::{EnterGuard, Handle};
use tokio::sync::watch;
use tokio::time::Instant;

pub use ack::{AckFuture, BroadcastAcks, BroadcastAnswers, RemoteAnswers};
pub use broadcast::Broadcast;
pub use builder::SocketIoBuilder;
pub use candidate::{Candidate, Decide, Decision, FromCandidate, NamespaceName};
pub use drain::{Drain, DrainReport};
pub use emit::{Emit, Outcome};
pub use error::{AckError, EmitError, Failure, HandlerError};
pub use extract::{Ack, Auth, Context, FromContext, SocketData};
pub use grant::{AuthorizeError, Grant};
pub use handler::{Handler, Middleware};
pub use handlers::HandlerId;
pub use handshake::Handshake;
pub use health::{Health, ServerState};
pub use limit::{EventLimit, Excess};
pub use namespace::{Namespace, WeakNamespace};
pub use packet::EventPacket;
pub use params::{Params, ParamsError};
pub use recovery::{
    InvalidOffset, LoggedEvent, MemorySessionStore, Offset, RecoveryConfig, SessionStore,
    StoreError, StoreFuture, StoredSession,
};
pub use remote::{FetchError, RemoteAck, RemoteSocket, SocketDetails};
pub use socket::Socket;
pub use stats::Stats;
pub use stream::EventStream;

use crate::adapter::{Delivery, IntoRooms, SocketId};
use crate::protocol::DisconnectReason;
use crate::refusal::{self, Refusal};
use config::Config;
use connection::Connection;
use driver::Driver;
use recovery::Recovery;
use stats::Tally;

use namespaces::Namespaces;

/// A Socket.IO server. Clones are handles to the same one.
#[derive(Clone)]
pub struct SocketIo(Arc<Inner>);

pub(crate) struct Inner {
    engine: Server,
    config: Arc<Config>,
    namespaces: Namespaces,
    /// Where handlers run; known from the first request on.
    runtime: OnceLock<Handle>,
    state: watch::Sender<ServerState>,
    /// Handlers that are running although the connection is over. Those of open connections are counted there.
    unfinished: watch::Sender<isize>,
    ids: AtomicU32,
    /// When it was made: what deadlines are counted from.
    epoch: Instant,
}

impl SocketIo {
    /// Options first: see [`SocketIoBuilder`].
    pub fn builder() -> SocketIoBuilder {
        SocketIoBuilder::default()
    }

    fn new(engine: ServerConfig, config: Config) -> Self {
        let io = Self(Arc::new(Inner {
            engine: Server::new(engine),
            // A builder may make several.
            config: Arc::new(Config {
                tally: Arc::default(),
                ..config
            }),
            namespaces: Namespaces::default(),
            runtime: OnceLock::new(),
            state: watch::Sender::new(ServerState::Serving),
            unfinished: watch::Sender::new(0),
            ids: AtomicU32::new(0),
            epoch: Instant::now(),
        }));
        io.of("/");
        io
    }

    // The namespace `/`, which most programs need.

    /// The sockets of `/` in these rooms.
    pub fn to(&self, rooms: impl IntoRooms) -> Broadcast {
        self.of("/").to(rooms)
    }

    /// All sockets of `/` but those in these rooms.
    pub fn except(&self, rooms: impl IntoRooms) -> Broadcast {
        self.of("/").except(rooms)
    }

    /// All sockets of `/`.
    pub fn all(&self) -> Broadcast {
        self.of("/").all()
    }

    /// The sockets of `/` of all processes of a cluster; see [`Broadcast::fetch_sockets`].
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

    /// Sends an event to the namespace `/` of the other servers of a cluster; see [`Namespace::server_side_emit`].
    ///
    /// # Errors
    ///
    /// As [`Namespace::server_side_emit`].
    pub fn server_side_emit(
        &self,
        event: &str,
        data: &(impl Serialize + ?Sized),
    ) -> Result<(), EmitError> {
        self.of("/").server_side_emit(event, data)
    }

    /// The same, and collects the answers; see [`Namespace::server_side_emit_with_ack`].
    pub fn server_side_emit_with_ack<R: DeserializeOwned>(
        &self,
        event: &str,
        data: &(impl Serialize + ?Sized),
    ) -> BroadcastAcks<R> {
        self.of("/").server_side_emit_with_ack(event, data)
    }

    /// Sends an event to all sockets of `/`; see [`Broadcast::emit`].
    ///
    /// # Errors
    ///
    /// As [`Broadcast::emit`].
    pub fn emit(
        &self,
        event: &str,
        data: &(impl Serialize + ?Sized),
    ) -> Result<Delivery, EmitError> {
        self.of("/").emit(event, data)
    }

    // Serving.

    /// The server in front of another service. With axum: `Router::new().route("/", get(index)).layer(io.layer())`.
    ///
    /// ```
    /// use tower_layer::Layer;
    ///
    /// # fn example<S>(io: socket_io::SocketIo, pages: S) {
    /// let service = io.layer().layer(pages);
    /// # }
    /// ```
    pub fn layer(&self) -> EngineLayer<Self> {
        EngineLayer::new(self.clone())
    }

    /// The server as a service of its own, for hyper and tower alike.
    pub fn service(&self) -> EngineService<NoService, Self> {
        EngineService::new(self.clone())
    }

    /// Listens on a TCP address and serves until [`close`](Self::close).
    ///
    /// # Errors
    ///
    /// When the address cannot be bound.
    ///
    /// # Cancel safety
    ///
    /// As [`serve`](Self::serve).
    pub async fn listen(&self, address: impl ToSocketAddrs) -> io::Result<()> {
        self.serve(TcpListener::bind(address).await?).await;
        Ok(())
    }

    /// Listens on a Unix socket and serves until [`close`](Self::close). The socket's file is removed in the end, and one that a server has left behind is
    /// replaced; see [`Acceptor::bind_unix`].
    ///
    /// # Errors
    ///
    /// When the path cannot be bound; with [`io::ErrorKind::AddrInUse`] if somebody listens there, or the file is no socket.
    ///
    /// # Cancel safety
    ///
    /// As [`serve`](Self::serve); the file goes, too.
    #[cfg(unix)]
    pub async fn listen_unix(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.serve(Acceptor::bind_unix(path).await?).await;
        Ok(())
    }

    /// Serves on a listener until [`close`](Self::close): one of tokio, or an [`Acceptor`]. There can be several of them at a time.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops listening. Requests under way are answered, WebSockets go on, and the server is not closed.
    pub async fn serve(&self, listener: impl Into<Acceptor>) {
        self.service().serve(listener, self.closed()).await;
        self.finished().await;
    }

    /// Ready once the server is closed.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn closed(&self) {
        let mut state = self.0.state.subscribe();
        // The sender lives as long as this handle.
        let _ = state.wait_for(|state| *state == ServerState::Closed).await;
    }

    /// Closes the server: all sockets leave with the reason `server shutting down`, their connections are closed without a disconnect packet, so that clients
    /// come back when there is a server again, and no more are taken. What is queued for them is lost; [`drain`](Self::drain) is gentler.
    ///
    /// Closing again does nothing. A closed server cannot be opened again: build another one.
    pub fn close(&self) {
        self.0.state.send_replace(ServerState::Closed);
        for namespace in self.namespaces() {
            for socket in namespace.all().sockets() {
                socket.leave_namespace(DisconnectReason::ServerShuttingDown);
            }
            namespace.close();
        }
        self.0.engine.close();
    }

    /// Ready once no connection is left, and the last words of each are on their way; after [`close`](Self::close) that takes 2 s at the most.
    ///
    /// [`serve`](Self::serve) waits for it by itself. Elsewhere wait for it before the program ends, or clients learn of the end by the loss of the
    /// connection alone.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn finished(&self) {
        self.0.engine.finished().await;
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.0.engine.sessions()
    }

    // For the others of this module.

    /// Starts to take connections. Called within the runtime that serves requests.
    fn start(&self) {
        self.0.runtime.get_or_init(|| {
            let runtime = Handle::current();
            let engine = self.0.engine.clone();
            let server = Arc::downgrade(&self.0);
            if self.0.config.recovery.is_some() {
                runtime.spawn(Recovery::sweep(server.clone()));
            }
            runtime.spawn(async move {
                while let (Some(socket), Some(server)) = (engine.accept().await, server.upgrade()) {
                    // In a box, since tokio rounds the size of a task up to 128 bytes.
                    tokio::spawn(Box::pin(Driver::new(Self(server), socket)));
                }
            });
            runtime
        });
    }

    /// The runtime, for a thread that is in none.
    pub(crate) fn enter_runtime(&self) -> Option<EnterGuard<'_>> {
        match Handle::try_current() {
            Ok(_) => None,
            Err(_) => self.0.runtime.get().map(Handle::enter),
        }
    }

    /// Connections that end without a reason of their own end because of this.
    pub(crate) fn is_shutting_down(&self) -> bool {
        *self.0.state.borrow() != ServerState::Serving
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match self.0.runtime.get() {
            Some(runtime) => drop(runtime.spawn(task)),
            None => drop(tokio::spawn(task)),
        }
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    /// Whether clients that get their sessions back are let in without being asked again.
    pub(crate) fn skips_middlewares(&self) -> bool {
        let recovery = self.0.config.recovery.as_ref();
        recovery.is_some_and(|recovery| recovery.config.skip_middlewares)
    }

    pub(crate) fn epoch(&self) -> Instant {
        self.0.epoch
    }

    pub(crate) fn state<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.0.config.state.get()
    }

    /// A private id, which nobody can guess.
    pub(crate) fn next_pid(&self) -> Result<Arc<str>, Refusal> {
        let (mut random, mut more) = ([0; 12], [0; 4]);
        getrandom::fill(&mut random)
            .and_then(|()| getrandom::fill(&mut more))
            .map_err(no_random)?;
        let pid = Sid::from_parts(random, u32::from_ne_bytes(more));
        Ok(pid.as_str().into())
    }

    /// Ids of sockets have the shape of session ids, and nothing else in common with them.
    pub(crate) fn next_id(&self) -> Result<SocketId, Refusal> {
        let mut random = [0; 12];
        getrandom::fill(&mut random).map_err(no_random)?;
        Ok(SocketId::new(&Sid::from_parts(
            random,
            self.0.ids.fetch_add(1, Ordering::Relaxed),
        )))
    }

    pub(crate) fn report(&self, connection: &Connection, error: &HandlerError) {
        self.0.config.report(Some(connection), error);
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.0.config.tally
    }
}

fn no_random(error: getrandom::Error) -> Refusal {
    tracing::error!(name: "id_generation_failed", target: "socket_io", %error);
    Refusal::new("internal error")
}

/// The last handle is gone, so nobody could close the server any more.
impl Drop for Inner {
    fn drop(&mut self) {
        self.engine.close();
    }
}

impl Respond for SocketIo {
    fn matches(&self, uri: &Uri) -> bool {
        Respond::matches(&self.0.engine, uri) || self.0.config.is_health(uri)
    }

    fn destroy_upgrade(&self) -> Option<Duration> {
        Respond::destroy_upgrade(&self.0.engine)
    }

    async fn respond<B>(&self, parts: &mut Parts, body: B) -> Response<Bytes>
    where
        B: Body + Send + 'static,
        B::Data: Send,
    {
        if self.0.config.is_health(&parts.uri) {
            return self.health().answer(&parts.method);
        }
        self.start();
        let path = parts.uri.path();
        let file = path
            .strip_prefix(self.0.engine.path())
            .and_then(bundle::Name::requested);
        if let (Some(file), Some(bundles)) = (file, &self.0.config.bundles) {
            let (method, headers) = (&parts.method, &parts.headers);
            let cors = self.0.engine.cors();
            if let Some(response) = cors.and_then(|cors| cors.preflight(method, headers)) {
                return response;
            }
            // In a box, so that other requests need no room for it.
            if let Some(mut response) = Box::pin(bundles.serve(file, headers)).await {
                if let Some(cors) = cors {
                    cors.apply(response.headers_mut(), method, headers);
                }
                return response;
            }
        }
        self.0.engine.respond(parts, body).await
    }
}

impl fmt::Debug for SocketIo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketIo")
            .field("engine", &self.0.engine)
            .field("config", &self.0.config)
            .finish_non_exhaustive()
    }
}
