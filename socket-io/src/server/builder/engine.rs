//! The engine's options, the most used ones by name.

use std::future::Future;
use std::time::Duration;

use engine_io::{
    AllowedOrigins, ConnectLimit, Cookie, Cors, Refusal as RequestRefusal, ServerConfig, Transport,
    TrustedProxies,
};
use http::request::Parts;

use super::SocketIoBuilder;

impl SocketIoBuilder {
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
}
