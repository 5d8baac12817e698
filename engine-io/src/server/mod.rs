//! The server role: sessions over HTTP requests and WebSockets.

mod acceptor;
mod body;
mod compression;
mod config;
mod connects;
mod cookie;
mod cors;
mod encoding;
mod forwarded;
mod head;
mod headers;
mod hosting;
mod http1;
mod jsonp;
mod listen;
mod networks;
mod origins;
mod polling;
mod proxy_protocol;
mod refusal;
mod rewound;
mod route;
mod service;
#[cfg(unix)]
mod unix;
mod upgraded;
mod websocket;

use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Version, header};
use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, mpsc};

pub use acceptor::Acceptor;
pub use compression::HttpCompression;
pub use config::ServerConfig;
pub use connects::ConnectLimit;
pub use cookie::{Cookie, CookiePriority, SameSite};
pub use cors::Cors;
pub use encoding::ContentEncoding;
pub use forwarded::TrustedProxies;
pub use listen::{Listener, serve};
pub use networks::{InvalidNetwork, Networks};
pub use origins::AllowedOrigins;
pub use refusal::Refusal;
pub use service::{EngineLayer, EngineService, NoService, Respond, ResponseBody};

use crate::connection::{Shared, WebSocket, now};
use crate::handshake::Handshake;
use crate::registry::{Alive, Registry};
use crate::request::{ConnectionInfo, Request as SessionRequest};
use crate::sender::Sender;
use crate::session::Session;
use crate::sid::Sid;
use crate::socket::Socket;
use crate::stats::Stats;
use crate::transport::Transport;
use crate::wire::{BinaryForm, Wire};
use connects::Connects;
#[cfg(fuzzing)]
pub(crate) use jsonp::payload as jsonp_payload;
#[cfg(shuttle)]
pub(crate) use polling::{data, poll};
use refusal::bare;
#[cfg(fuzzing)]
pub(crate) use route::Query as RequestQuery;
use route::{Query, Route, is_upgrade, route};
use upgraded::Upgrade;
#[allow(unused_imports)] // without TLS
pub(crate) use upgraded::downcast;
#[cfg(shuttle)]
pub(crate) use websocket::offer;

/// Accepts Engine.IO sessions out of the requests of any HTTP server. Clones are handles to the same server.
#[derive(Clone)]
pub struct Server {
    inner: Arc<Inner>,
}

struct Inner {
    config: ServerConfig,
    registry: Arc<Registry>,
    /// Taken out when the server closes, which ends `accept`.
    sockets: Mutex<Option<mpsc::Sender<Socket>>>,
    accepted: AsyncMutex<mpsc::Receiver<Socket>>,
    /// No more sessions are opened.
    refusing: AtomicBool,
    /// Refused requests by code.
    refused: [AtomicU64; 6],
    /// How often sessions were opened, by address.
    connects: Mutex<Connects>,
    /// That clients cannot be told apart by their addresses was said.
    warned: AtomicBool,
}

impl Default for Server {
    fn default() -> Self {
        Self::new(ServerConfig::default())
    }
}

impl Server {
    /// A server with these options. It has no socket of its own: give it requests with [`service`](Self::service), [`layer`](Self::layer) or
    /// [`listen`](Self::listen).
    pub fn new(config: ServerConfig) -> Self {
        let (sender, receiver) = mpsc::channel(config.accept_backlog);
        Self {
            inner: Arc::new(Inner {
                config,
                registry: Arc::default(),
                sockets: Mutex::new(Some(sender)),
                accepted: AsyncMutex::new(receiver),
                refusing: AtomicBool::new(false),
                refused: Default::default(),
                connects: Mutex::default(),
                warned: AtomicBool::new(false),
            }),
        }
    }

    /// Waits for the next session. `None` once the server is closed.
    ///
    /// # Cancel safety
    ///
    /// No session is lost when the future is dropped.
    pub async fn accept(&self) -> Option<Socket> {
        self.inner.accepted.lock().await.recv().await
    }

    /// Refuses further handshakes, with status 503; the sessions that there are go on, until they end or [`close`](Self::close) ends them.
    ///
    /// From now on HTTP/1.1 connections are closed behind a refusal and behind the last answer of a session, so that the client's next handshake opens
    /// another one, which a load balancer can send elsewhere.
    pub fn refuse_handshakes(&self) {
        self.inner.refusing.store(true, Ordering::Release);
    }

    /// Handles to the open sessions, in no order.
    pub fn senders(&self) -> Vec<Sender> {
        let sessions = self.inner.registry.all();
        sessions.into_iter().map(Sender::new).collect()
    }

    /// How many sessions are open.
    pub fn sessions(&self) -> usize {
        self.inner.registry.len()
    }

    /// What the server is doing and has done, in numbers.
    ///
    /// A snapshot: each session is looked at in its turn, under its lock, so a hundred thousand of them take some ten milliseconds. Nothing is counted in one place for
    /// all, so that traffic does not pay for it; ask every few seconds, not for each message.
    pub fn stats(&self) -> Stats {
        let mut stats = self.inner.registry.stats();
        stats.refused =
            std::array::from_fn(|code| self.inner.refused[code].load(Ordering::Relaxed));
        stats
    }

    /// The path under which requests are taken, with slashes around it.
    pub fn path(&self) -> &str {
        &self.inner.config.path
    }

    /// How other origins are let in, for a [`Respond`] that answers in the engine's place.
    pub fn cors(&self) -> Option<&Cors> {
        self.inner.config.cors.as_ref()
    }

    /// Ends every session at once, refuses further handshakes and ends [`accept`](Self::accept).
    pub fn close(&self) {
        self.refuse_handshakes();
        self.inner.sockets.lock().take();
        for shared in self.inner.registry.all() {
            shared.abort();
        }
        // What waits to be accepted may wait for ever. If the lock is taken, somebody is accepting.
        if let Ok(mut accepted) = self.inner.accepted.try_lock() {
            accepted.close();
            while accepted.try_recv().is_ok() {}
        }
    }

    /// Ready once no connection is left, and the last words of each are on their way; after [`close`](Self::close) that takes 2 s at the most.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn finished(&self) {
        self.inner.registry.finished().await;
    }

    /// Answers one request. For hosts that are neither tower nor hyper services; the others do this by themselves.
    ///
    /// A WebSocket needs hyper's upgrade in the request's extensions.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future is what a client does that leaves: a poll or a POST under way ends its session with `transport error`.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<Bytes>
    where
        B: http_body::Body + Send,
        B::Data: Send,
    {
        let (mut parts, body) = request.into_parts();
        self.answer(&mut parts, body).await
    }

    /// The same for parts that are the host's.
    async fn answer<B>(&self, parts: &mut Parts, body: B) -> Response<Bytes>
    where
        B: http_body::Body + Send,
        B::Data: Send,
    {
        let config = &self.inner.config;
        if let Some(proxies) = &config.trusted_proxies {
            proxies.apply(parts);
        }
        let cors = self.cors();
        if let Some(response) = cors.and_then(|cors| cors.preflight(&parts.method, &parts.headers))
        {
            return response;
        }
        let upgrade = is_upgrade(parts);
        let (route, jsonp) = self.route(parts, upgrade);
        let answer = match route {
            // In boxes, so that the requests that follow need no room for them.
            Ok(Route::Handshake(transport, wire, late)) => {
                Box::pin(self.handshake(parts, transport, wire, late)).await
            }
            Ok(Route::Candidate(shared, binary)) => {
                Box::pin(self.candidate(parts, shared, binary)).await
            }
            Ok(Route::Poll(shared)) => {
                let mut response = polling::poll(&shared).await;
                if self.is_refusing() && shared.lock().is_closed() {
                    headers::last_of_connection(response.headers_mut());
                }
                Ok(response)
            }
            Ok(Route::Data(shared)) => {
                Ok(polling::data(&shared, parts, body, config, jsonp.is_some()).await)
            }
            Ok(Route::OtherMethod) => Ok(bare(StatusCode::INTERNAL_SERVER_ERROR)),
            Ok(Route::Contradiction) => Ok(websocket::refuse(parts)),
            Err(refusal) => Err(refusal),
        };
        let mut response = answer.unwrap_or_else(|refusal| self.refuse(&refusal, parts, upgrade));
        let status = response.status();
        if status.is_success() || status == StatusCode::SWITCHING_PROTOCOLS {
            if !upgrade {
                headers::common(response.headers_mut(), parts);
            }
            if !upgrade && parts.method == Method::GET {
                if let Some(index) = jsonp {
                    jsonp::wrap(&mut response, &index);
                }
                if let Some(compression) = &config.http_compression {
                    compression.apply(&mut response, &parts.headers).await;
                }
            }
            if let Some(edit) = &config.headers {
                edit(response.headers_mut(), parts);
            }
        }
        if let Some(cors) = cors {
            cors.apply(response.headers_mut(), &parts.method, &parts.headers);
        }
        if parts.version >= Version::HTTP_2 {
            // Connections are not ours to speak of there.
            response.headers_mut().remove(header::CONNECTION);
        }
        response
    }

    /// Where a request goes, and the callback index of JSONP.
    fn route(&self, parts: &Parts, upgrade: bool) -> (Result<Route, Refusal>, Option<String>) {
        let config = &self.inner.config;
        let query = Query::parse(parts.uri.query());
        let jsonp = query.jsonp.clone();
        let origins = config.allowed_origins.as_ref();
        let checked = origins.map_or(Ok(()), |origins| origins.check(parts));
        let registry = &self.inner.registry;
        let route = checked.and_then(|()| route(parts, upgrade, query, config, registry));
        (route, jsonp)
    }

    /// Counts a refused request, tells those who listen, and answers it.
    fn refuse(&self, refusal: &Refusal, parts: &Parts, upgrade: bool) -> Response<Bytes> {
        let code = refusal.code();
        tracing::debug!(name: "request_refused", target: "engine_io", code, reason = %refusal);
        if let Some(refused) = self.inner.refused.get(usize::from(code)) {
            refused.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(hook) = &self.inner.config.on_refusal {
            // The client is to get its answer all the same.
            if catch_unwind(AssertUnwindSafe(|| hook(refusal, parts))).is_err() {
                tracing::error!(name: "hook_panicked", target: "engine_io", hook = "on_refusal");
            }
        }
        if upgrade {
            refusal.to_websocket_response()
        } else {
            refusal.to_response()
        }
    }

    async fn handshake(
        &self,
        parts: &mut Parts,
        transport: Transport,
        wire: Wire,
        late: Result<(), Refusal>,
    ) -> Result<Response<Bytes>, Refusal> {
        let config = &self.inner.config;
        if self.is_refusing() {
            return Err(Refusal::Closing);
        }
        self.limit_connects(parts, transport)?;
        if let Some(allow) = &config.allow_request {
            let allowed = asked("allow_request", || allow(parts)).await;
            allowed
                .unwrap_or_else(|Panicked| Err(String::new()))
                .map_err(Refusal::Forbidden)?;
        }
        late?;
        if transport == Transport::Polling && is_upgrade(parts) {
            return Ok(websocket::refuse(parts));
        }
        let sid = match &config.generate_id {
            Some(generate) => asked("generate_id", || generate(parts))
                .await
                .unwrap_or_else(|Panicked| Err("the generator panicked".into()))
                .map(Sid::from)
                .map_err(Refusal::IdGeneration)?,
            None => self
                .inner
                .registry
                .next_sid()
                .map_err(|error| Refusal::IdGeneration(error.to_string()))?,
        };
        // While the backlog is full the request waits here, and a client that leaves takes its request along.
        let place = self.reserve().await?;
        let mut request = SessionRequest::new(parts);
        if config.keep_request_parts {
            request.keep(parts);
        }
        let mut response = match transport {
            Transport::Polling => {
                let shared = self.open(sid.clone(), request, transport, wire)?;
                // Taken before anybody else can send: what they send comes with the next poll, as clients are used to.
                let response = polling::first_answer(&shared);
                place.send(server_socket(shared, &self.inner.registry, None));
                response
            }
            Transport::WebSocket => {
                if self.inner.registry.contains(&sid) {
                    return Err(id_in_use());
                }
                let mut response = websocket::accept(parts);
                let agreed = websocket::agree(config.deflate, wire.binary, parts, &mut response);
                if let Some(upgrade) = Upgrade::take(&mut parts.extensions) {
                    let max_payload = config.max_payload;
                    let websocket = websocket::upgraded(upgrade, max_payload, agreed);
                    let sid = sid.clone();
                    let open = self.clone();
                    tokio::spawn(open.open_websocket(websocket, sid, request, wire, place));
                }
                response
            }
        };
        if let Some(cookie) = &config.cookie {
            cookie.apply(response.headers_mut(), &sid);
        }
        if let Some(edit) = &config.initial_headers {
            edit(response.headers_mut(), parts);
        }
        Ok(response)
    }

    /// Whether clients of that address may open another session.
    fn limit_connects(&self, parts: &Parts, transport: Transport) -> Result<(), Refusal> {
        let Some(limit) = &self.inner.config.connect_limit else {
            return Ok(());
        };
        let info = parts.extensions.get::<ConnectionInfo>();
        let Some(address) = info.and_then(|info| info.remote_addr) else {
            if !self.inner.warned.swap(true, Ordering::Relaxed) {
                tracing::warn!(name: "connect_limit_unused", target: "engine_io", %transport);
            }
            return Ok(());
        };
        let mut connects = self.inner.connects.lock();
        connects
            .take(now(), limit, address.ip())
            .map_err(|retry_after| Refusal::TooManyRequests { retry_after })
    }

    fn open(
        &self,
        sid: Sid,
        request: SessionRequest,
        transport: Transport,
        wire: Wire,
    ) -> Result<Arc<Shared>, Refusal> {
        let config = &self.inner.config;
        let handshake = Handshake {
            sid: sid.to_string(),
            upgrades: match transport {
                Transport::Polling if config.allow_upgrades => config
                    .transports
                    .iter()
                    .copied()
                    .filter(|&other| other != Transport::Polling)
                    .collect(),
                _ => Vec::new(),
            },
            ping_interval: config.session.ping_interval,
            ping_timeout: config.session.ping_timeout,
            max_payload: config.max_payload as u64,
        };
        let mut session = Session::server(now(), &config.session, wire, transport, &handshake);
        if let Some(message) = &config.initial_packet {
            let queued = session.send(std::iter::once(&message.to_frame()));
            debug_assert_eq!(
                queued,
                Ok(()),
                "the outbox of a new session takes one message"
            );
        }
        let number = self.inner.registry.next_number();
        let shared = Arc::new(Shared::new(number, sid, request, session));
        if !self.inner.registry.insert(shared.clone()) {
            return Err(id_in_use());
        }
        // A server that closes sets this first, so either it finds the session or the session finds this.
        if self.is_refusing() {
            self.inner.registry.remove(&shared);
            return Err(Refusal::Closing);
        }
        let revision = wire.revision.number();
        tracing::debug!(name: "connection_opened", target: "engine_io", connection = number, %transport, revision);
        Ok(shared)
    }

    async fn open_websocket(
        self,
        upgraded: impl Future<Output = Option<Box<WebSocket>>>,
        sid: Sid,
        request: SessionRequest,
        wire: Wire,
        place: mpsc::OwnedPermit<Socket>,
    ) {
        let Some(websocket) = upgraded.await else {
            return;
        };
        match self.open(sid, request, Transport::WebSocket, wire) {
            Ok(shared) => {
                place.send(server_socket(shared, &self.inner.registry, Some(websocket)));
            }
            Err(refusal) => {
                tracing::debug!(name: "websocket_refused", target: "engine_io", reason = %refusal);
                websocket::close(*websocket).await;
            }
        }
    }

    fn is_refusing(&self) -> bool {
        self.inner.refusing.load(Ordering::Acquire)
    }

    /// A place in the backlog of `accept`, waited for while there is none.
    async fn reserve(&self) -> Result<mpsc::OwnedPermit<Socket>, Refusal> {
        let sender = self.inner.sockets.lock().clone();
        let place = sender.ok_or(Refusal::Closing)?.reserve_owned().await;
        place.map_err(|_| Refusal::Closing)
    }

    async fn candidate(
        &self,
        parts: &mut Parts,
        shared: Arc<Shared>,
        binary: BinaryForm,
    ) -> Result<Response<Bytes>, Refusal> {
        let config = &self.inner.config;
        if let Some(check) = &config.check_upgrade {
            let allowed = asked("check_upgrade", || check(parts)).await;
            allowed
                .unwrap_or_else(|Panicked| Err(String::new()))
                .map_err(Refusal::Forbidden)?;
        }
        let mut response = websocket::accept(parts);
        let agreed = websocket::agree(config.deflate, binary, parts, &mut response);
        if let Some(upgrade) = Upgrade::take(&mut parts.extensions) {
            let upgraded = websocket::upgraded(upgrade, config.max_payload, agreed);
            tokio::spawn(async move {
                if let Some(websocket) = upgraded.await {
                    websocket::offer(&shared, websocket, binary).await;
                }
            });
        }
        Ok(response)
    }
}

/// A hook has panicked.
struct Panicked;

/// What a hook says that takes its time. A panic is logged; what it said is nobody's business outside.
async fn asked<T, F: Future<Output = T> + Unpin>(
    hook: &'static str,
    ask: impl FnOnce() -> F,
) -> Result<T, Panicked> {
    let answer = async {
        let mut asking = catch_unwind(AssertUnwindSafe(ask)).ok()?;
        poll_fn(
            |cx| match catch_unwind(AssertUnwindSafe(|| Pin::new(&mut asking).poll(cx))) {
                Ok(answer) => answer.map(Some),
                Err(_) => Poll::Ready(None),
            },
        )
        .await
    };
    answer.await.ok_or_else(|| {
        tracing::error!(name: "hook_panicked", target: "engine_io", hook);
        Panicked
    })
}

/// The owner's handle of a session that is in the registry.
fn server_socket(
    shared: Arc<Shared>,
    registry: &Arc<Registry>,
    websocket: Option<Box<WebSocket>>,
) -> Socket {
    let mut socket = Socket::new(shared, websocket);
    socket.registry = Some(Alive::new(registry));
    socket
}

fn id_in_use() -> Refusal {
    Refusal::IdGeneration("the id is in use".into())
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("config", &self.inner.config)
            .field("sessions", &self.sessions())
            .finish_non_exhaustive()
    }
}
