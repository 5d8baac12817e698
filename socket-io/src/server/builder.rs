//! The options of a server, with the reference's defaults.

mod engine;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use engine_io::ServerConfig;
use serde::Serialize;

use super::bundle::Bundles;
use super::config::Config;
use super::error::HandlerError;
use super::limit::{EventLimit, Given};
use super::recovery::{Recovery, RecoveryConfig};
use super::{Socket, SocketIo};
use crate::adapter::{Adapter, OverflowPolicy};
use crate::protocol::{Parser, RawArgs};

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
            config: Config::default(),
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

    /// Makes the adapter of each namespace, of which it is given the name. Default: [`MemoryAdapter`](crate::MemoryAdapter).
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
