//! The options of a server, with the reference's defaults.

use std::fmt;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use engine_io::{
    AllowedOrigins, ConnectLimit, Cookie, Cors, Refusal as RequestRefusal, ServerConfig, Transport,
    TrustedProxies,
};
use http::Uri;
use http::request::Parts;
use serde::Serialize;

use super::bundle::Bundles;
use super::connection::Connection;
use super::error::HandlerError;
use super::handler::{Panic, caught};
use super::limit::{EventLimit, Given};
use super::log;
use super::recovery::{Recovery, RecoveryConfig};
use super::stats::Tally;
use super::types::TypeMap;
use super::{Socket, SocketIo};
use crate::adapter::{Adapter, MemoryAdapter, OverflowPolicy};
use crate::protocol::{DecoderLimits, MAX_ATTACHMENTS, Object, Parser, RawArgs, Value};

type MakeAdapter = dyn Fn(&str) -> Arc<dyn Adapter> + Send + Sync;
type OnError = dyn Fn(&HandlerError) + Send + Sync;
type RemoteData = dyn Fn(&Socket) -> Result<Value, String> + Send + Sync;

/// Everything but the engine's options.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) connect_timeout: Duration,
    pub(crate) ack_timeout: Duration,
    pub(crate) server_timeout: Duration,
    pub(crate) attachment_timeout: Duration,
    pub(crate) max_namespaces: usize,
    pub(crate) max_joining: usize,
    pub(crate) max_auth_bytes: usize,
    pub(crate) max_child_namespaces: usize,
    pub(crate) cleanup_empty_child_namespaces: bool,
    pub(crate) max_handlers: usize,
    pub(crate) max_handler_bytes: usize,
    pub(crate) inbox_limit: usize,
    pub(crate) max_acks: usize,
    pub(crate) max_attachments: usize,
    pub(crate) emit_overflow: OverflowPolicy,
    pub(crate) broadcast_overflow: OverflowPolicy,
    pub(crate) decoder: DecoderLimits,
    pub(crate) event_limit: Option<Given>,
    pub(crate) parser: Parser,
    pub(crate) state: TypeMap,
    pub(crate) adapter: Arc<MakeAdapter>,
    pub(crate) recovery: Option<Arc<Recovery>>,
    pub(crate) on_error: Option<Arc<OnError>>,
    pub(crate) remote_data: Option<Arc<RemoteData>>,
    pub(crate) bundles: Option<Arc<Bundles>>,
    pub(crate) health_path: Option<Box<str>>,
    pub(crate) tally: Arc<Tally>,
}

impl Config {
    pub(crate) fn is_health(&self, uri: &Uri) -> bool {
        self.health_path.as_deref() == Some(uri.path())
    }

    /// Tells the error hook, or else the log.
    pub(crate) fn report(&self, connection: Option<&Connection>, error: &HandlerError) {
        Tally::count(&self.tally.handler_failures);
        match &self.on_error {
            Some(observe) => {
                if let Err(Panic(message)) = caught(|| observe(error)) {
                    tracing::error!(name: "hook_panicked", target: "socket_io", hook = "on_error", reason = message);
                }
            }
            None => log::handler_failed(connection, error),
        }
    }

    /// What other processes may know of a socket's data.
    pub(crate) fn remote_data(&self, socket: &Socket) -> Value {
        let Some(data) = &self.remote_data else {
            return Value::Object(Object::default());
        };
        match caught(|| data(socket)) {
            Ok(Ok(data)) => return data,
            Ok(Err(reason)) => {
                tracing::error!(name: "remote_data_failed", target: "socket_io", socket = socket.log_id(), reason);
            }
            Err(Panic(reason)) => {
                tracing::error!(name: "hook_panicked", target: "socket_io", hook = "remote_data", reason);
            }
        }
        Value::Null
    }
}

/// Collects the options of a server. See [`SocketIo::builder`].
#[derive(Clone)]
#[must_use = "`build` makes the server"]
pub struct SocketIoBuilder {
    engine: ServerConfig,
    config: Config,
    recovery: Option<RecoveryConfig>,
}

impl Default for SocketIoBuilder {
    fn default() -> Self {
        Self {
            engine: ServerConfig::default().path("/socket.io"),
            config: Config {
                connect_timeout: Duration::from_secs(45),
                ack_timeout: Duration::from_secs(10),
                server_timeout: Duration::from_secs(5),
                attachment_timeout: Duration::from_secs(30),
                max_namespaces: 256,
                max_joining: 64,
                max_auth_bytes: 1 << 20,
                max_child_namespaces: 100_000,
                cleanup_empty_child_namespaces: true,
                max_handlers: 1024,
                max_handler_bytes: 16 << 20,
                inbox_limit: 1 << 20,
                max_acks: 10_000,
                max_attachments: MAX_ATTACHMENTS,
                emit_overflow: OverflowPolicy::Reject,
                broadcast_overflow: OverflowPolicy::Disconnect,
                decoder: DecoderLimits::default(),
                event_limit: None,
                parser: Parser::json(),
                state: TypeMap::default(),
                adapter: Arc::new(|_| Arc::new(MemoryAdapter::default())),
                recovery: None,
                on_error: None,
                remote_data: None,
                bundles: None,
                health_path: None,
                tally: Arc::default(),
            },
            recovery: None,
        }
    }
}

impl SocketIoBuilder {
    /// Makes the server. It has no socket of its own: see [`SocketIo::layer`], [`SocketIo::service`] and [`SocketIo::listen`].
    #[must_use]
    pub fn build(mut self) -> SocketIo {
        self.config.recovery = self.recovery.map(Recovery::new).map(Arc::new);
        SocketIo::new(self.engine, self.config)
    }

    // The engine's options, the most used ones by name.

    /// Changes options of the engine that have no method here.
    ///
    /// ```
    /// use std::time::Duration;
    /// let io = socket_io::SocketIo::builder().engine(|engine| engine.upgrade_timeout(Duration::from_secs(5))).build();
    /// ```
    pub fn engine(mut self, change: impl FnOnce(ServerConfig) -> ServerConfig) -> Self {
        self.engine = change(self.engine);
        self
    }

    /// The path under which requests are taken. Default `/socket.io`.
    pub fn path(self, path: &str) -> Self {
        self.engine(|engine| engine.path(path))
    }

    /// The transports that clients may use. Default polling and WebSocket.
    pub fn transports(self, transports: impl IntoIterator<Item = Transport>) -> Self {
        self.engine(|engine| engine.transports(transports))
    }

    /// Whether clients of Socket.IO 1 and 2 are let in. Default false, as in the reference.
    ///
    /// They join `/` by themselves, what they say for themselves when they join another namespace is the query in its name (`io("/admin?token=x")`), and they get
    /// a refusal's data alone, or its message. Their socket ids are made of the session id, which is a credential: mind whom you show them to.
    pub fn allow_eio3(self, allow: bool) -> Self {
        self.engine(|engine| engine.allow_eio3(allow))
    }

    /// Time from the opening or a pong to the next ping. Default 25 s.
    pub fn ping_interval(self, interval: Duration) -> Self {
        self.engine(|engine| engine.ping_interval(interval))
    }

    /// Time within which the client must be heard after a ping. Default 20 s.
    pub fn ping_timeout(self, timeout: Duration) -> Self {
        self.engine(|engine| engine.ping_timeout(timeout))
    }

    /// The largest request body and WebSocket message that is taken, in bytes. Default 1 000 000.
    pub fn max_payload(self, bytes: usize) -> Self {
        self.engine(|engine| engine.max_payload(bytes))
    }

    /// Bytes that may wait for a slow client, over all its namespaces, as they stand on the wire. Default 16 MiB; the reference has no limit. An outbox that is
    /// empty takes a packet of any size. Small packets take more memory than bytes, about 200 each if they are this client's alone, so no more packets and
    /// attachments wait than one for each 128 bytes of the limit (131 072 by default), or 1024 if those are more.
    ///
    /// What happens at the limit is said by [`emit_overflow`](Self::emit_overflow) and [`broadcast_overflow`](Self::broadcast_overflow), or by the
    /// event itself: [`Emit::overflow`](crate::Emit::overflow), [`Broadcast::overflow`](crate::Broadcast::overflow). Making a socket leave always works: what tells
    /// the client of it may go beyond the limit by 64 KiB, and if that is not enough, its connection is closed.
    pub fn outbox_limit(self, bytes: usize) -> Self {
        self.engine(|engine| engine.outbox_limit(bytes))
    }

    /// Asked before each handshake; an error refuses it with this text.
    pub fn allow_request<F, Fut>(self, allow: F) -> Self
    where
        F: Fn(&Parts) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.engine(|engine| engine.allow_request(allow))
    }

    /// Told of each refused request, as the reference's event `connection_error` is: with the official code, message and what was wrong, and the request.
    /// Refusals of namespaces are the middlewares' own.
    ///
    /// ```
    /// use socket_io::SocketIo;
    /// let io = SocketIo::builder()
    ///     .on_refusal(|refusal, _parts| eprintln!("{}: {} ({refusal})", refusal.code(), refusal.message()))
    ///     .build();
    /// ```
    ///
    /// Mind that the request's query may hold a session id, which is a credential. A panic in the hook is caught.
    pub fn on_refusal(
        self,
        observe: impl Fn(&RequestRefusal, &Parts) + Send + Sync + 'static,
    ) -> Self {
        self.engine(|engine| engine.on_refusal(observe))
    }

    /// Answers requests of pages from other origins. Off by default.
    pub fn cors(self, cors: Cors) -> Self {
        self.engine(|engine| engine.cors(cors))
    }

    /// Lets pages connect from these origins alone, over every transport; others are refused with code 4 and `Forbidden`. Off by default, as in the reference: any
    /// page may then open a WebSocket, with the user's cookies, since [`cors`](Self::cors) does not bind those.
    ///
    /// ```
    /// let io = socket_io::SocketIo::builder().allowed_origins(["https://app.example", "http://localhost:5173"]).build();
    /// ```
    ///
    /// See [`AllowedOrigins`] for other rules, and for one list for this and `cors`.
    pub fn allowed_origins(self, origins: impl Into<AllowedOrigins>) -> Self {
        self.engine(|engine| engine.allowed_origins(origins))
    }

    /// Believes these proxies when they say for whom they speak: [`Handshake::address`](crate::Handshake::address) and
    /// [`is_secure`](crate::Handshake::is_secure) are then the client's. By default nobody is believed.
    ///
    /// ```
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let io = socket_io::SocketIo::builder().trusted_proxies("10.0.0.0/8, unix".parse()?).build();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// See [`TrustedProxies`] for which headers are read, and how.
    pub fn trusted_proxies(self, proxies: TrustedProxies) -> Self {
        self.engine(|engine| engine.trusted_proxies(proxies))
    }

    /// Limits how often clients of one address may connect. Off by default. Beyond it they get status 429 with `Retry-After`; official clients try again later.
    ///
    /// ```
    /// use socket_io::limit::{ConnectLimit, Rate};
    /// let limit = ConnectLimit::new(Rate::per_second(2).burst(30));
    /// let io = socket_io::SocketIo::builder().connect_limit(limit).build();
    /// ```
    pub fn connect_limit(self, limit: ConnectLimit) -> Self {
        self.engine(|engine| engine.connect_limit(limit))
    }

    /// Sets a cookie with the session's id, for load balancers. Off by default.
    pub fn cookie(self, cookie: Cookie) -> Self {
        self.engine(|engine| engine.cookie(cookie))
    }

    // Our own.

    /// What happens to an event for one client whose outbox is full. Default [`OverflowPolicy::Reject`]: the emit says
    /// [`EmitError::Full`](crate::EmitError::Full).
    ///
    /// ```
    /// use socket_io::{OverflowPolicy, SocketIo};
    /// let io = SocketIo::builder()
    ///     .outbox_limit(1 << 20)
    ///     .emit_overflow(OverflowPolicy::Disconnect)
    ///     .broadcast_overflow(OverflowPolicy::DropNewest)
    ///     .build();
    /// ```
    pub fn emit_overflow(mut self, policy: OverflowPolicy) -> Self {
        self.config.emit_overflow = policy;
        self
    }

    /// What happens to a broadcast for a recipient whose outbox is full. Default [`OverflowPolicy::Disconnect`].
    pub fn broadcast_overflow(mut self, policy: OverflowPolicy) -> Self {
        self.config.broadcast_overflow = policy;
        self
    }

    /// A connection that has joined no namespace by then is closed. Default 45 s.
    pub fn connect_timeout(mut self, time: Duration) -> Self {
        self.config.connect_timeout = time;
        self
    }

    /// How long a broadcast waits for acknowledgements when it does not say itself. Default 10 s.
    pub fn ack_timeout(mut self, time: Duration) -> Self {
        self.config.ack_timeout = time;
        self
    }

    /// How long other servers of a cluster are waited for, see [`Broadcast::fetch_sockets`](crate::Broadcast::fetch_sockets) and
    /// [`Namespace::server_side_emit_with_ack`](crate::Namespace::server_side_emit_with_ack). Default 5 s.
    pub fn server_timeout(mut self, time: Duration) -> Self {
        self.config.server_timeout = time;
        self
    }

    /// How long the attachments of a packet may take to arrive; a client that needs longer is disconnected. Default 30 s; the reference waits for ever.
    pub fn attachment_timeout(mut self, time: Duration) -> Self {
        self.config.attachment_timeout = time;
        self
    }

    /// How many namespaces one connection may be in; further ones are refused. Default 256; the reference has no limit.
    pub fn max_namespaces(mut self, namespaces: usize) -> Self {
        self.config.max_namespaces = namespaces;
        self
    }

    /// How many namespaces of one connection may be waiting for their middlewares, or for the function that decides on them; further
    /// ones are refused. Default 64; the reference has no limit.
    pub fn max_joining(mut self, namespaces: usize) -> Self {
        self.config.max_joining = namespaces;
        self
    }

    /// Bytes of `auth` that are kept for one connection: each of its sockets has what the client said when it joined. Default 1 MiB; the reference has no limit.
    /// Beyond it namespaces are refused, unless they are joined without. A single `auth` of any size is taken.
    pub fn max_auth_bytes(mut self, bytes: usize) -> Self {
        self.config.max_auth_bytes = bytes;
        self
    }

    /// How many namespaces there may be at a time that were made for clients, being children of [families](crate::SocketIo::of_path); further ones are refused
    /// with `too many namespaces`. Default 100 000; the reference has no limit. A child that the program has named with `of` is not counted.
    pub fn max_child_namespaces(mut self, namespaces: usize) -> Self {
        self.config.max_child_namespaces = namespaces;
        self
    }

    /// Whether namespaces that were made for clients are forgotten when the last socket has left, unless the program has named them with `of`, or a client may
    /// [come back](Self::recovery); see [`RecoveryConfig::max_empty_namespaces`](crate::RecoveryConfig::max_empty_namespaces). Default true, so that clients cannot use up [`max_child_namespaces`](Self::max_child_namespaces) by coming and going; the reference keeps them unless it is told
    /// otherwise.
    pub fn cleanup_empty_child_namespaces(mut self, cleanup: bool) -> Self {
        self.config.cleanup_empty_child_namespaces = cleanup;
        self
    }

    /// How many handlers of one connection may be waiting for something at a time. Default 1024. Beyond it further events wait, as
    /// [`inbox_limit`](Self::inbox_limit) lets them; the reference has no limit.
    ///
    /// # Panics
    ///
    /// If it is 0.
    pub fn max_handlers(mut self, handlers: usize) -> Self {
        assert!(handlers > 0, "with a limit of 0 nothing would ever be read");
        self.config.max_handlers = handlers;
        self
    }

    /// Bytes of received events that the waiting handlers of one connection may have, and that may lie in its [streams](crate::Socket::stream). Default 16 MiB.
    /// Beyond it further events wait, as [`inbox_limit`](Self::inbox_limit) lets them; the reference has no limit. A single event of any size gets its handler.
    ///
    /// Counted is what arrived, for as long as the handler runs; what the handler made of it is its own affair.
    ///
    /// # Panics
    ///
    /// If it is 0.
    pub fn max_handler_bytes(mut self, bytes: usize) -> Self {
        assert!(bytes > 0, "with a limit of 0 nothing would ever be read");
        self.config.max_handler_bytes = bytes;
        self
    }

    /// Bytes of received events that may wait on one connection, for a handler to be done or behind a middleware of their socket. Default 1 MiB. Beyond it
    /// nothing more is read from the connection, so that the client is slowed down; the reference has no limit. A single event of any size may wait.
    ///
    /// What a client acknowledges overtakes its waiting events, so handlers that wait for acknowledgements of their own client get on, unless it has put more
    /// events than this in front. Give such acknowledgements a timeout.
    pub fn inbox_limit(mut self, bytes: usize) -> Self {
        self.config.inbox_limit = bytes;
        self
    }

    /// How many acknowledgements of one socket may be awaited at a time; [`EmitError::TooManyAcks`](crate::EmitError::TooManyAcks) beyond. Default 10 000; the
    /// reference has no limit.
    pub fn max_acks(mut self, acks: usize) -> Self {
        self.config.max_acks = acks;
        self
    }

    /// Limits how much a client may send to the namespaces that have no [limit of their own](crate::Namespace::event_limit), all of them together. Off by default.
    ///
    /// ```
    /// use socket_io::limit::EventLimit;
    /// let io = socket_io::SocketIo::builder().event_limit(EventLimit::default()).build();
    /// ```
    pub fn event_limit(mut self, limit: EventLimit) -> Self {
        self.config.event_limit = Some(Given::new(limit));
        self
    }

    /// How packets are written: the clients have to use the same parser. Default JSON, which every client speaks.
    ///
    /// With another parser, the options on attachments below have no meaning: binary data lies in the packet, and [`max_payload`](Self::max_payload) limits all of it.
    ///
    /// ```
    /// # #[cfg(feature = "msgpack")]
    /// # fn example() -> socket_io::SocketIo {
    /// use socket_io::{Parser, SocketIo};
    /// SocketIo::builder().parser(Parser::message_pack()).build()
    /// # }
    /// ```
    pub fn parser(mut self, parser: Parser) -> Self {
        self.config.parser = parser;
        self
    }

    /// How many binary attachments a packet may have, both ways. Default 10, which is all that JavaScript clients accept.
    pub fn max_attachments(mut self, attachments: usize) -> Self {
        self.config.max_attachments = attachments;
        self.config.decoder = self.config.decoder.max_attachments(attachments);
        self
    }

    /// How many bytes the attachments of a received packet may have together. Default 10 MB; the reference has no limit.
    pub fn max_attachment_bytes(mut self, bytes: usize) -> Self {
        self.config.decoder = self.config.decoder.max_attachment_bytes(bytes);
        self
    }

    /// Shares a value with all handlers, which take it as [`State<T>`](crate::State); at most one of each type.
    pub fn state<T: Send + Sync + 'static>(mut self, state: T) -> Self {
        drop(self.config.state.insert(state));
        self
    }

    /// What other processes of a cluster may know of a socket's data, as [`RemoteSocket::data`](crate::RemoteSocket::data). Asked when they want to know.
    /// Default: nothing, an empty object.
    ///
    /// ```
    /// use socket_io::{Socket, SocketIo};
    ///
    /// struct User { name: String }
    ///
    /// let user_name = |socket: &Socket| socket.data::<User>().map(|user| user.name.clone());
    /// let io = SocketIo::builder().remote_data(user_name).build();
    /// ```
    pub fn remote_data<T: Serialize>(
        mut self,
        data: impl Fn(&Socket) -> T + Send + Sync + 'static,
    ) -> Self {
        self.config.remote_data = Some(Arc::new(move |socket| {
            let args = RawArgs::from_data(&(data(socket),));
            let args = args.map_err(|error| error.to_string())?;
            args.parse_first().map_err(|error| error.to_string())
        }));
        self
    }

    /// Told of everything that goes wrong in or around handlers, panics included. By default it is logged as the event `handler_failed` of `tracing`, on the
    /// level `ERROR` if it is the server's fault and `WARN` if a client can cause it. A panic in the hook is caught.
    ///
    /// Texts may quote what the client sent. Ids of sockets of revision 3 are made of the session's id, so keep those out of logs that others read.
    pub fn on_error(mut self, observe: impl Fn(&HandlerError) + Send + Sync + 'static) -> Self {
        self.config.on_error = Some(Arc::new(observe));
        self
    }

    /// Serves the browser client from the `dist` folder of the npm package `socket.io-client` (or `client-dist` of `socket.io`): `/socket.io/socket.io.js` and
    /// its siblings, compressed as the client prefers. Off by default.
    ///
    /// Files are read when they are first asked for and kept in memory, so a new version of the package wants a new start of the program. Brotli is offered
    /// with the crate's feature `brotli`.
    pub fn serve_client(mut self, dist: impl AsRef<Path>) -> Self {
        self.config.bundles = Some(Arc::new(Bundles::new(dist.as_ref())));
        self
    }

    /// Lets a client whose connection broke get its session back: its id, rooms and data, and the events that it has missed. Off by default.
    ///
    /// The official clients do their part by themselves. Every event then has one more argument, an [`Offset`](crate::Offset) as text. Volatile events,
    /// those of which only the [`latest`](crate::Emit::latest) is wanted and those that want an acknowledgement have none, and are not recovered; if their last
    /// argument is a string, the client takes it for an offset, and cannot come back until it has received an event that has one. A client that has not received
    /// any event with an offset starts anew, so send each one something in `on_connect`. [`Socket::recovered`] tells which it was.
    ///
    /// A session is kept when the connection ends, not when the client or the server makes the socket leave the namespace. It is given back once; while the
    /// old connection is still thought to live, the client that comes back pushes it out. It becomes a new [`Socket`], with the old one's
    /// [`Grant`](crate::Grant), but without handlers of its own; for clients that may be away, emit to the id (`io.to(id)`), since the old `Socket` has left for
    /// good. Rooms count as they were when the client left; [`Broadcast::join`](crate::Broadcast::join) and [`leave`](crate::Broadcast::leave) do not reach
    /// those who are away.
    ///
    /// Whatever cannot be recovered has one outcome: the client gets a new session, and notices (`socket.recovered` is false).
    ///
    /// Events of a namespace are sent one after the other then, so that they reach everybody in the order of their offsets. Clients of Socket.IO 1 and 2 cannot
    /// come back; they see offsets in broadcasts.
    ///
    /// ```
    /// use std::time::Duration;
    /// use socket_io::{RecoveryConfig, Refusal, Socket, SocketIo};
    ///
    /// let recovery = RecoveryConfig::default().max_disconnection(Duration::from_secs(300));
    /// let io = SocketIo::builder().recovery(recovery).build();
    /// io.of("/").on_connect(async |socket: Socket| {
    ///     if !socket.recovered() {
    ///         socket.join("news");
    ///     }
    ///     socket.emit("welcome", &()).map_err(Refusal::from)
    /// });
    /// ```
    pub fn recovery(mut self, config: RecoveryConfig) -> Self {
        self.recovery = Some(config);
        self
    }

    /// Answers requests for exactly this path with the server's health, for load balancers and supervisors: 200 while it serves, 503 while it drains and once
    /// it is closed. Off by default.
    ///
    /// The body tells what [`SocketIo::health`] does, with the time in seconds: `{"state":"serving","connections":2,"sockets":3,"unfinished_handlers":0,"uptime":60}`.
    /// It is for everybody who asks, so choose a path that is not passed on to the world if that is not for everybody to know.
    ///
    /// ```
    /// let io = socket_io::SocketIo::builder().health_path("/healthz").build();
    /// ```
    pub fn health_path(mut self, path: &str) -> Self {
        self.config.health_path = Some(path.into());
        self
    }

    /// Makes the adapter of each namespace, of which it is given the name. Default: [`MemoryAdapter`].
    pub fn adapter<A: Adapter>(mut self, make: impl Fn(&str) -> A + Send + Sync + 'static) -> Self {
        self.config.adapter = Arc::new(move |name| Arc::new(make(name)));
        self
    }
}

impl fmt::Debug for SocketIoBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketIoBuilder")
            .field("engine", &self.engine)
            .field("config", &self.config)
            .field("recovery", &self.recovery)
            .finish()
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("connect_timeout", &self.connect_timeout)
            .field("ack_timeout", &self.ack_timeout)
            .field("server_timeout", &self.server_timeout)
            .field("attachment_timeout", &self.attachment_timeout)
            .field("max_namespaces", &self.max_namespaces)
            .field("max_joining", &self.max_joining)
            .field("max_auth_bytes", &self.max_auth_bytes)
            .field("max_child_namespaces", &self.max_child_namespaces)
            .field("max_handlers", &self.max_handlers)
            .field("max_handler_bytes", &self.max_handler_bytes)
            .field("inbox_limit", &self.inbox_limit)
            .field("max_acks", &self.max_acks)
            .field("emit_overflow", &self.emit_overflow)
            .field("broadcast_overflow", &self.broadcast_overflow)
            .field("decoder", &self.decoder)
            .field("event_limit", &self.event_limit)
            .field("bundles", &self.bundles)
            .field("health_path", &self.health_path)
            .field("parser", &self.parser)
            .finish_non_exhaustive()
    }
}
