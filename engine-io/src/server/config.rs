//! The options of a server, with the reference's defaults.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::request::Parts;

use super::compression::HttpCompression;
use super::connects::ConnectLimit;
use super::cookie::Cookie;
use super::cors::Cors;
use super::forwarded::TrustedProxies;
use super::origins::AllowedOrigins;
use super::refusal::Refusal;
use crate::deflate::DeflateConfig;
use crate::packet::Message;
use crate::session::SessionConfig;
use crate::transport::Transport;

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type AllowRequest = dyn Fn(&Parts) -> BoxFuture<Result<(), String>> + Send + Sync;
type GenerateId = dyn Fn(&Parts) -> BoxFuture<Result<String, String>> + Send + Sync;
type EditHeaders = dyn Fn(&mut HeaderMap, &Parts) + Send + Sync;
type OnRefusal = dyn Fn(&Refusal, &Parts) + Send + Sync;

/// The options of a [`Server`](crate::Server).
#[derive(Clone)]
pub struct ServerConfig {
    /// With a slash at its end.
    pub(crate) path: String,
    pub(crate) trailing_slash: bool,
    pub(crate) transports: Vec<Transport>,
    pub(crate) allow_upgrades: bool,
    pub(crate) allow_eio3: bool,
    pub(crate) session: Arc<SessionConfig>,
    pub(crate) max_payload: usize,
    pub(crate) max_payload_packets: usize,
    pub(crate) accept_backlog: usize,
    pub(crate) initial_packet: Option<Message>,
    pub(crate) allow_request: Option<Arc<AllowRequest>>,
    pub(crate) check_upgrade: Option<Arc<AllowRequest>>,
    pub(crate) generate_id: Option<Arc<GenerateId>>,
    pub(crate) initial_headers: Option<Arc<EditHeaders>>,
    pub(crate) headers: Option<Arc<EditHeaders>>,
    pub(crate) on_refusal: Option<Arc<OnRefusal>>,
    pub(crate) cookie: Option<Cookie>,
    pub(crate) cors: Option<Cors>,
    pub(crate) http_compression: Option<HttpCompression>,
    pub(crate) destroy_upgrade: Option<Duration>,
    pub(crate) keep_request_parts: bool,
    pub(crate) deflate: Option<DeflateConfig>,
    pub(crate) trusted_proxies: Option<Arc<TrustedProxies>>,
    pub(crate) allowed_origins: Option<AllowedOrigins>,
    pub(crate) connect_limit: Option<Arc<ConnectLimit>>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            path: "/engine.io/".into(),
            trailing_slash: true,
            transports: vec![Transport::Polling, Transport::WebSocket],
            allow_upgrades: true,
            allow_eio3: false,
            session: Arc::default(),
            max_payload: 1_000_000,
            max_payload_packets: 125_000,
            accept_backlog: 1024,
            initial_packet: None,
            allow_request: None,
            check_upgrade: None,
            generate_id: None,
            initial_headers: None,
            headers: None,
            on_refusal: None,
            cookie: None,
            cors: None,
            http_compression: Some(HttpCompression::default()),
            destroy_upgrade: Some(Duration::from_secs(1)),
            keep_request_parts: false,
            deflate: None,
            trusted_proxies: None,
            allowed_origins: None,
            connect_limit: None,
        }
    }
}

impl ServerConfig {
    /// The path under which requests are taken; it begins with a slash, and one is added at its end. Default `/engine.io`.
    ///
    /// As in the reference this is a prefix: `/engine.io/more?EIO=4` is taken, too, `/engine.io?EIO=4` is not.
    pub fn path(mut self, path: &str) -> Self {
        self.path = format!("/{}/", path.trim_matches('/'));
        if self.path == "//" {
            self.path = "/".into();
        }
        self
    }

    /// Whether the path ends with a slash. Default true. With false, `/engine.io?EIO=4` is taken, too.
    ///
    /// As an improvement on the reference, `/engine.iota` is not: only a slash may follow.
    pub fn add_trailing_slash(mut self, add: bool) -> Self {
        self.trailing_slash = add;
        self
    }

    /// Whether the server takes requests for that path.
    pub(crate) fn matches(&self, path: &str) -> bool {
        path.starts_with(&self.path)
            || !self.trailing_slash && self.path.strip_suffix('/') == Some(path)
    }

    /// The transports that clients may use, in the order in which upgrades are offered. Default polling and WebSocket.
    ///
    /// # Panics
    ///
    /// If there are none.
    pub fn transports(mut self, transports: impl IntoIterator<Item = Transport>) -> Self {
        self.transports = transports.into_iter().collect();
        assert!(
            !self.transports.is_empty(),
            "a server needs at least one transport"
        );
        self
    }

    /// Whether the handshake offers the upgrade to WebSocket. Default true. A client that upgrades without an offer is let through, as by the reference.
    pub fn allow_upgrades(mut self, allow: bool) -> Self {
        self.allow_upgrades = allow;
        self
    }

    /// Whether clients of revision 3 of the protocol are let in, as Socket.IO 1 and 2 are. Default false: they are refused with code 5.
    ///
    /// As by the reference, every `EIO` but 4 counts as 3 then, and so does none. These clients ping the server, which gives them up when it has heard no
    /// ping for [`ping_interval`](Self::ping_interval) and [`ping_timeout`](Self::ping_timeout) together.
    pub fn allow_eio3(mut self, allow: bool) -> Self {
        self.allow_eio3 = allow;
        self
    }

    /// Time from the opening or a pong to the next ping. Default 25 s.
    pub fn ping_interval(mut self, interval: Duration) -> Self {
        Arc::make_mut(&mut self.session).ping_interval = interval;
        self
    }

    /// Time within which the peer must be heard after a ping. Default 20 s.
    pub fn ping_timeout(mut self, timeout: Duration) -> Self {
        Arc::make_mut(&mut self.session).ping_timeout = timeout;
        self
    }

    /// Time from the arrival of a WebSocket for a polling session to the end of the upgrade. Default 10 s.
    pub fn upgrade_timeout(mut self, timeout: Duration) -> Self {
        Arc::make_mut(&mut self.session).upgrade_timeout = timeout;
        self
    }

    /// How long a closing session waits for its peer to take what is queued. Default 30 s.
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        Arc::make_mut(&mut self.session).close_timeout = timeout;
        self
    }

    /// Bytes that may wait for a slow peer; a message that would exceed them is refused with [`SendError::Full`](crate::SendError::Full). Default 16 MiB;
    /// the reference has no limit. A single message of any size is taken while nothing else waits. Many small ones take more memory than bytes: no more frames
    /// wait than one for each 128 bytes of the limit (131 072 by default), or 1024 if those are more.
    pub fn outbox_limit(mut self, bytes: usize) -> Self {
        Arc::make_mut(&mut self.session).outbox_limit = bytes;
        self
    }

    /// The largest request body and WebSocket message that is taken, in bytes. Default 1 000 000. A larger body is answered with 413; a larger WebSocket
    /// message closes the connection with code 1009.
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.max_payload = bytes;
        self
    }

    /// The largest number of packets in one request body; one more is a parse error. Default 125 000; the reference has no limit.
    pub fn max_payload_packets(mut self, packets: usize) -> Self {
        self.max_payload_packets = packets;
        self
    }

    /// How many new sessions may wait for [`Server::accept`](crate::Server::accept); the handshakes of further ones wait. Default 1024.
    ///
    /// # Panics
    ///
    /// If it is 0.
    pub fn accept_backlog(mut self, sessions: usize) -> Self {
        assert!(sessions > 0, "a backlog of 0 would accept no session");
        self.accept_backlog = sessions;
        self
    }

    /// A message that follows the handshake of each session at once.
    pub fn initial_packet(mut self, message: impl Into<Message>) -> Self {
        self.initial_packet = Some(message.into());
        self
    }

    /// Asked before each handshake, over polling and over WebSocket, but not for later requests of a session: knowing its id is what lets those in. An error's
    /// text becomes the message of the refusal, code 4. See [`check_upgrade`](Self::check_upgrade) for the one later request that may be asked about.
    pub fn allow_request<F, Fut>(mut self, allow: F) -> Self
    where
        F: Fn(&Parts) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.allow_request = Some(Arc::new(move |parts| Box::pin(allow(parts))));
        self
    }

    /// Asked before a session on polling gets a WebSocket to upgrade to. By default nobody is asked, as by the reference. An error's text becomes the message of
    /// the refusal, code 4, which a WebSocket request gets with status 400; the session goes on over polling.
    pub fn check_upgrade<F, Fut>(mut self, check: F) -> Self
    where
        F: Fn(&Parts) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.check_upgrade = Some(Arc::new(move |parts| Box::pin(check(parts))));
        self
    }

    /// Makes the ids of sessions in place of the built-in generator. They are credentials: make them unguessable. An error refuses the handshake, code 3.
    pub fn generate_id<F, Fut>(mut self, generate: F) -> Self
    where
        F: Fn(&Parts) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<String, String>> + Send + 'static,
    {
        self.generate_id = Some(Arc::new(move |parts| Box::pin(generate(parts))));
        self
    }

    /// Edits the headers of the response that opens a session.
    pub fn initial_headers(
        mut self,
        edit: impl Fn(&mut HeaderMap, &Parts) + Send + Sync + 'static,
    ) -> Self {
        self.initial_headers = Some(Arc::new(edit));
        self
    }

    /// Edits the headers of each successful response.
    pub fn headers(
        mut self,
        edit: impl Fn(&mut HeaderMap, &Parts) + Send + Sync + 'static,
    ) -> Self {
        self.headers = Some(Arc::new(edit));
        self
    }

    /// Told of each refused request, as the reference's event `connection_error` is: with code, message and what was wrong, and the request itself. A panic in
    /// it is caught.
    ///
    /// ```
    /// # use engine_io::ServerConfig;
    /// let config = ServerConfig::default().on_refusal(|refusal, parts| {
    ///     eprintln!("{} {}: {refusal} ({})", parts.method, parts.uri.path(), refusal.code());
    /// });
    /// ```
    ///
    /// Mind that the request's query may hold a session id, which is a credential.
    pub fn on_refusal(
        mut self,
        observe: impl Fn(&Refusal, &Parts) + Send + Sync + 'static,
    ) -> Self {
        self.on_refusal = Some(Arc::new(observe));
        self
    }

    /// How long answers of polls are compressed: with gzip or deflate, as the client prefers. On by default, from 1024 bytes on; `None` switches it off.
    ///
    /// Compressing costs time and, for each thread that does it, a few hundred kilobytes.
    ///
    /// ```
    /// # use engine_io::{HttpCompression, ServerConfig};
    /// let config = ServerConfig::default().http_compression(HttpCompression::default().threshold(8192));
    /// let config = config.http_compression(None);
    /// ```
    pub fn http_compression(mut self, how: impl Into<Option<HttpCompression>>) -> Self {
        self.http_compression = how.into();
        self
    }

    /// What becomes of a WebSocket request for a path that is nobody's, where the engine has a listener to itself: after this time the connection is closed
    /// without an answer, as by the reference. Default 1 s; with `None` it is answered with 404 at once. In front of another service this has no effect: the
    /// request is passed on.
    pub fn destroy_upgrade(mut self, after: impl Into<Option<Duration>>) -> Self {
        self.destroy_upgrade = after.into();
        self
    }

    /// Whether each session keeps the request that opened it as [`Request::parts`](crate::Request::parts), with the extensions that layers in front of the
    /// engine have added. Default false: it costs a few kilobytes per session, and path, query and headers are there in any case.
    pub fn keep_request_parts(mut self, keep: bool) -> Self {
        self.keep_request_parts = keep;
        self
    }

    /// Sets a cookie with the session's id, for load balancers. Off by default.
    pub fn cookie(mut self, cookie: Cookie) -> Self {
        self.cookie = Some(cookie);
        self
    }

    /// Answers requests of pages from other origins. Off by default.
    pub fn cors(mut self, cors: Cors) -> Self {
        self.cors = Some(cors);
        self
    }

    /// Lets pages connect from these origins alone, over every transport: each request with another `Origin` header is refused with code 4, status 403 (400 if it
    /// is for a WebSocket) and the text `Forbidden`. Off by default, as in the reference: any page may then open a WebSocket, with the user's cookies.
    ///
    /// This keeps pages out, and not programs, which send whatever header they like, or none. Requests without the header pass.
    ///
    /// ```
    /// # use engine_io::ServerConfig;
    /// let config = ServerConfig::default().allowed_origins(["https://app.example", "http://localhost:5173"]);
    /// ```
    ///
    /// See [`AllowedOrigins`] for other rules, and for one list for this and [`cors`](Self::cors).
    pub fn allowed_origins(mut self, origins: impl Into<AllowedOrigins>) -> Self {
        self.allowed_origins = Some(origins.into());
        self
    }

    /// Believes these proxies when they say for whom they speak, so that the address of a session, and whether it is encrypted, is the client's. By default
    /// nobody is believed: both are those of the connection.
    ///
    /// Everything that looks at an address sees what is found out here: [`Request::remote_addr`](crate::Request::remote_addr),
    /// [`connect_limit`](Self::connect_limit), and the [`ConnectionInfo`](crate::ConnectionInfo) among the extensions of what
    /// [`allow_request`](Self::allow_request) and other hooks are given. The connection's own address must be known for that: the stand-alone listener tells it.
    ///
    /// ```
    /// # use engine_io::ServerConfig;
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let config = ServerConfig::default().trusted_proxies("10.0.0.0/8, 2001:db8:7::/48".parse()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.trusted_proxies = Some(Arc::new(proxies));
        self
    }

    /// Limits how often clients of one address may open sessions. Off by default.
    ///
    /// ```
    /// # use engine_io::{ConnectLimit, ServerConfig};
    /// let config = ServerConfig::default().connect_limit(ConnectLimit::default());
    /// ```
    pub fn connect_limit(mut self, limit: ConnectLimit) -> Self {
        self.connect_limit = Some(Arc::new(limit));
        self
    }
}

impl fmt::Debug for ServerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerConfig")
            .field("path", &self.path)
            .field("trailing_slash", &self.trailing_slash)
            .field("transports", &self.transports)
            .field("allow_upgrades", &self.allow_upgrades)
            .field("allow_eio3", &self.allow_eio3)
            .field("session", &self.session)
            .field("max_payload", &self.max_payload)
            .field("max_payload_packets", &self.max_payload_packets)
            .field("accept_backlog", &self.accept_backlog)
            .field("cookie", &self.cookie)
            .field("cors", &self.cors)
            .field("http_compression", &self.http_compression)
            .field("destroy_upgrade", &self.destroy_upgrade)
            .field("keep_request_parts", &self.keep_request_parts)
            .field("deflate", &self.deflate)
            .field("trusted_proxies", &self.trusted_proxies)
            .field("allowed_origins", &self.allowed_origins)
            .field("connect_limit", &self.connect_limit)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_a_prefix_that_ends_with_a_slash() {
        let config = ServerConfig::default;
        for (config, path, expected) in [
            (config(), "/engine.io/", true),
            (config(), "/engine.io/more", true),
            (config(), "/engine.io", false),
            (config(), "/engine.iota/", false),
            (config(), "/", false),
            (config(), "", false),
            (config().add_trailing_slash(false), "/engine.io", true),
            (config().add_trailing_slash(false), "/engine.io/", true),
            (config().add_trailing_slash(false), "/engine.iota", false),
            (config().path("chat/"), "/chat/", true),
            (config().path("/a/b"), "/a/b/", true),
            (
                config().add_trailing_slash(false).path("/a/b"),
                "/a/b",
                true,
            ),
            (config().path("/"), "/anything", true),
        ] {
            assert_eq!(config.matches(path), expected, "{config:?} {path}");
        }
    }
}
