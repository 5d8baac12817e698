//! The options of a client, with the reference's defaults.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::connector::{Connector, TcpConnector};
use super::cookies::Cookies;
use super::proxy::Proxy;
use super::tls::{ClientTls, LazyTls};
use crate::deflate::DeflateConfig;
use crate::session::SessionConfig;
use crate::transport::Transport;

/// Tells the time of day.
pub(crate) type WallClock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// The options of [`connect`](crate::connect). Clones share what is remembered between connections: TLS sessions, cookies of
/// [`Cookies::Shared`], and which transport worked last.
#[derive(Clone)]
pub struct ClientConfig {
    pub(crate) path: String,
    pub(crate) trailing_slash: bool,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) transports: Vec<Transport>,
    pub(crate) upgrade: bool,
    pub(crate) try_all_transports: bool,
    pub(crate) remember_upgrade: bool,
    /// Whether the last connection was upgraded.
    pub(crate) upgraded_before: Arc<AtomicBool>,
    /// `None`: polling only.
    pub(crate) timestamp_requests: Option<bool>,
    pub(crate) timestamp_param: String,
    pub(crate) force_base64: bool,
    pub(crate) request_timeout: Option<Duration>,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) protocols: Vec<String>,
    pub(crate) max_payload: usize,
    pub(crate) session: SessionConfig,
    pub(crate) cookies: Cookies,
    pub(crate) tls: LazyTls,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) deflate: Option<DeflateConfig>,
    pub(crate) wall_clock: WallClock,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            path: "/engine.io".into(),
            trailing_slash: true,
            query: Vec::new(),
            headers: HeaderMap::new(),
            transports: vec![Transport::Polling, Transport::WebSocket],
            upgrade: true,
            try_all_transports: false,
            remember_upgrade: false,
            upgraded_before: Arc::default(),
            timestamp_requests: None,
            timestamp_param: "t".into(),
            force_base64: false,
            request_timeout: None,
            connect_timeout: Some(Duration::from_secs(20)),
            protocols: Vec::new(),
            max_payload: 64 << 20,
            session: SessionConfig::default(),
            cookies: Cookies::default(),
            tls: LazyTls::default(),
            proxy: None,
            connector: Arc::new(TcpConnector::default()),
            deflate: None,
            wall_clock: Arc::new(SystemTime::now),
        }
    }
}

impl ClientConfig {
    /// The path under which the server takes requests; it begins with a slash. Default `/engine.io`. The path of the URL has no meaning here, as in the
    /// reference: Socket.IO reads a namespace from it.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        self.path = format!("/{}", path.trim_matches('/'));
        self
    }

    /// Whether a slash is added to the path. Default true.
    #[must_use]
    pub fn add_trailing_slash(mut self, add: bool) -> Self {
        self.trailing_slash = add;
        self
    }

    /// Adds a parameter to the query of each request. A parameter of the same name in the URL takes its place; `EIO`, `transport` and `sid` are the
    /// protocol's.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Sets a header of each request, over polling and of the WebSocket's handshake. It replaces an earlier one of the same name, and what this crate
    /// would have sent by itself: `Authorization` from the URL, `Cookie` from the jar. The headers that make up the WebSocket's handshake cannot be set.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The transports that may be used; the first is tried first. Default polling, then WebSocket.
    #[must_use]
    pub fn transports(mut self, transports: impl IntoIterator<Item = Transport>) -> Self {
        self.transports.clear();
        for transport in transports {
            if !self.transports.contains(&transport) {
                self.transports.push(transport);
            }
        }
        self
    }

    /// Whether a session that begins with polling moves to a WebSocket, if the server offers that and it is among the transports. Default true.
    #[must_use]
    pub fn upgrade(mut self, upgrade: bool) -> Self {
        self.upgrade = upgrade;
        self
    }

    /// Whether the next transport is tried when the first one does not open. Default false.
    #[must_use]
    pub fn try_all_transports(mut self, try_all: bool) -> Self {
        self.try_all_transports = try_all;
        self
    }

    /// Whether to begin with a WebSocket when the last connection of this configuration, or of a clone of it, came to be on one. Default false. A
    /// failed attempt or request ends the memory, as does a server that breaks the protocol; a connection that is lost does not. Unlike the
    /// reference's, it is not the whole process's.
    #[must_use]
    pub fn remember_upgrade(mut self, remember: bool) -> Self {
        self.remember_upgrade = remember;
        self
    }

    /// Whether each request has a parameter that makes its URL unique, so that no cache answers it. By default polling's have, WebSocket's have not.
    #[must_use]
    pub fn timestamp_requests(mut self, add: bool) -> Self {
        self.timestamp_requests = Some(add);
        self
    }

    /// The name of that parameter. Default `t`.
    #[must_use]
    pub fn timestamp_param(mut self, name: &str) -> Self {
        self.timestamp_param = name.into();
        self
    }

    /// Whether binary travels as text in both directions over a WebSocket, too, for what stands in between and takes text only. Default false.
    #[must_use]
    pub fn force_base64(mut self, force: bool) -> Self {
        self.force_base64 = force;
        self
    }

    /// How long a polling request may take until its answer is complete. None by default: a poll takes as long as the server has nothing to say, up to
    /// its ping interval. A request that takes longer ends the session with `transport error`.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = Some(timeout);
        self
    }

    /// How long [`connect`](crate::connect) may take, all transports together; `None` for ever. Default 20 s, which Socket.IO has.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.connect_timeout = timeout.into();
        self
    }

    /// Sub-protocols that the WebSocket's handshake offers. None by default.
    #[must_use]
    pub fn protocols<'a>(mut self, protocols: impl IntoIterator<Item = &'a str>) -> Self {
        self.protocols = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Bytes that the server may send in one WebSocket message, or in the answer to one poll. Default 64 MiB. More ends the session: a WebSocket with
    /// code 1009, polling with [`TransportError::TooLarge`](crate::TransportError::TooLarge). The reference takes any amount.
    #[must_use]
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.max_payload = bytes;
        self
    }

    /// Bytes that may wait to be sent. Default 16 MiB; then [`Sender::send`](crate::Sender::send) says that the outbox is full.
    #[must_use]
    pub fn outbox_limit(mut self, bytes: usize) -> Self {
        self.session.outbox_limit = bytes;
        self
    }

    /// Time for the second connection of an upgrade to open, and then for its probe to be answered. Default 10 s. Afterwards the session goes on with
    /// polling. The reference waits for ever.
    #[must_use]
    pub fn upgrade_timeout(mut self, timeout: Duration) -> Self {
        self.session.upgrade_timeout = timeout;
        self
    }

    /// How long a session that is closed waits for what is queued to leave. Default 30 s.
    #[must_use]
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.session.close_timeout = timeout;
        self
    }

    /// What becomes of cookies. Default [`Cookies::Off`], as in the reference.
    #[must_use]
    pub fn cookies(mut self, cookies: Cookies) -> Self {
        self.cookies = cookies;
        self
    }

    /// How `https` and `wss` are encrypted. Default: the trusted roots that the features name, and nothing special.
    #[must_use]
    pub fn tls(mut self, tls: ClientTls) -> Self {
        self.tls = LazyTls::from(tls);
        self
    }

    /// The proxy that connections go through. None by default; the environment is not looked at.
    #[must_use]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// How byte streams to the server, or to the proxy, are made. Default [`TcpConnector`].
    #[must_use]
    pub fn connector(mut self, connector: impl Connector) -> Self {
        self.connector = Arc::new(connector);
        self
    }

    /// The time of day, by which [`Sender::heartbeat_expired`](crate::Sender::heartbeat_expired) notices that the machine was asleep. Default the
    /// system's; tests have their own.
    #[must_use]
    pub fn wall_clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.wall_clock = Arc::new(clock);
        self
    }
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Query and headers may hold secrets, so they are not printed.
        f.debug_struct("ClientConfig")
            .field("path", &self.path)
            .field("transports", &self.transports)
            .field("upgrade", &self.upgrade)
            .field("try_all_transports", &self.try_all_transports)
            .field("connect_timeout", &self.connect_timeout)
            .field("request_timeout", &self.request_timeout)
            .field("max_payload", &self.max_payload)
            .field("session", &self.session)
            .field("cookies", &self.cookies)
            .field("proxy", &self.proxy)
            .finish_non_exhaustive()
    }
}
