//! What a client's owner drives beside the session: its GETs and POSTs, and the second connection of an upgrade.
//!
//! All of it are futures that are polled in place, so a client has one task, its owner's.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, StatusCode};

use super::endpoint::Endpoint;
use super::error::TransportError;
use super::http1::Http;
use super::websocket;
use crate::connection::{Cause, End, Shared, WebSocket, now};
use crate::packet::Packet;
use crate::payload::{decode_payload, encode_payload};
use crate::session::{CloseReason, ReadyState};
use crate::text::Text;
use crate::transport::Transport;

/// Packets of an answer that are taken apart at a time: a packet in memory is larger than on the wire.
const BATCH: usize = 64;
/// How long a goodbye may take.
pub(crate) const GOODBYE_TIME: Duration = Duration::from_secs(2);
const SEPARATOR: char = '\x1e';

type Exchange = Pin<Box<dyn Future<Output = (Option<Http>, Result<Bytes, TransportError>)> + Send>>;
type Dialling = Pin<Box<dyn Future<Output = Result<Box<WebSocket>, TransportError>> + Send>>;

/// The requests of one session.
pub(crate) struct Requests {
    endpoint: Arc<Endpoint>,
    /// Whether the session is still on polling.
    needed: bool,
    /// Connections without a request.
    idle: Vec<Http>,
    get: Option<Exchange>,
    post: Option<Exchange>,
    /// What is left of the answer to the last GET, which is not done before.
    unread: Option<Text>,
    upgrade: Upgrade,
    /// What ended the session.
    error: Option<TransportError>,
}

enum Upgrade {
    /// To be tried.
    Wanted,
    Dialling(Dialling),
    /// Not wanted, tried already, or done.
    Over,
}

impl Requests {
    /// `unread` is what came behind the open packet, over `http`.
    pub(crate) fn new(
        endpoint: Arc<Endpoint>,
        http: Option<Http>,
        unread: Option<Text>,
        upgrade: bool,
    ) -> Self {
        Self {
            endpoint,
            needed: true,
            idle: http.into_iter().collect(),
            get: None,
            post: None,
            unread,
            upgrade: if upgrade {
                Upgrade::Wanted
            } else {
                Upgrade::Over
            },
            error: None,
        }
    }

    pub(crate) fn error(&self) -> Option<&TransportError> {
        self.error.as_ref()
    }

    /// The WebSocket ended.
    pub(crate) fn websocket_ended(&mut self, end: End, cause: Option<Cause>) {
        // One that is lost has worked, so the next connection may begin with another.
        if matches!(end, End::Violation(_)) {
            self.remember_websocket(false);
        }
        self.error = websocket::end_error(end, cause);
    }

    fn remember_websocket(&self, works: bool) {
        let memory = &self.endpoint.config.upgraded_before;
        memory.store(works, Ordering::Relaxed);
    }

    /// Does everything that can be done now. True when the session changed. Without `read` no answer to a GET is taken, and none is asked for.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, shared: &Arc<Shared>, read: bool) -> bool {
        let state = shared.lock();
        let (transport, ready) = (state.session.transport(), state.session.state());
        let deadline = state.session.heartbeat_deadline();
        drop(state);
        if let Some(clock) = &shared.clock {
            clock.follow(now(), deadline);
        }
        if transport == Transport::WebSocket {
            if self.needed {
                // The connections of polling have served.
                self.needed = false;
                (self.idle, self.get, self.post) = (Vec::new(), None, None);
                self.upgrade = Upgrade::Over;
                self.remember_websocket(true);
            }
            return false;
        }
        if matches!(ready, ReadyState::Closed(_)) {
            return false;
        }
        let got = read && self.poll_get(cx, shared);
        self.poll_post(cx, shared) | got | self.poll_upgrade(cx, shared)
    }

    fn poll_get(&mut self, cx: &mut Context<'_>, shared: &Arc<Shared>) -> bool {
        if self.unread.is_some() {
            return self.take_unread(shared);
        }
        let get = match &mut self.get {
            Some(get) => get,
            None => {
                let mut state = shared.lock();
                if !state.session.poll_get() || state.session.handle_get().is_err() {
                    return false;
                }
                drop(state);
                let get = self.exchange(shared, Method::GET, Bytes::new());
                self.get.insert(get)
            }
        };
        let Poll::Ready((http, answer)) = get.as_mut().poll(cx) else {
            return false;
        };
        self.get = None;
        self.idle.extend(http);
        match answer.map(Text::try_from) {
            Ok(Ok(body)) => self.unread = Some(body),
            Ok(Err(_)) => {
                let error = TransportError::Protocol("the answer to a poll is no text".into());
                self.fail(shared, error);
            }
            Err(error) => self.fail(shared, error),
        }
        true
    }

    /// Takes the next packets of an answer, once those before are taken.
    fn take_unread(&mut self, shared: &Arc<Shared>) -> bool {
        let mut state = shared.lock();
        if state.has_input() {
            return false;
        }
        let Some(body) = self.unread.take() else {
            return false;
        };
        let end = body.match_indices(SEPARATOR).nth(BATCH - 1);
        let (part, rest) = match end {
            Some((end, _)) => (&body[..end], Some(body.slice_ref(&body[end + 1..]))),
            None => (&body[..], None),
        };
        let now = now();
        let mut valid = true;
        for packet in decode_payload(&body.slice_ref(part), BATCH) {
            if let Err(error) = &packet {
                self.error = Some(TransportError::Protocol(error.to_string()));
            }
            valid &= state.handle_packet(now, Transport::Polling, packet);
        }
        self.unread = rest.filter(|_| valid && !state.is_closed());
        if self.unread.is_none() {
            state.session.handle_get_done();
        }
        true
    }

    fn poll_post(&mut self, cx: &mut Context<'_>, shared: &Arc<Shared>) -> bool {
        let post = match &mut self.post {
            Some(post) => post,
            None => {
                let mut state = shared.lock();
                let limit = state.session.handshake();
                let limit = limit.map_or(0, |handshake| handshake.max_payload);
                let limit = match usize::try_from(limit) {
                    Ok(0) | Err(_) => usize::MAX,
                    Ok(limit) => limit,
                };
                let Some(batch) = state.session.poll_payload(limit) else {
                    return false;
                };
                drop(state);
                let post = self.exchange(shared, Method::POST, encode_payload(&batch));
                self.post.insert(post)
            }
        };
        let Poll::Ready((http, answer)) = post.as_mut().poll(cx) else {
            return false;
        };
        self.post = None;
        self.idle.extend(http);
        match answer {
            Ok(_) => shared.update(|state| state.session.handle_post_done()),
            Err(error) => self.fail(shared, error),
        }
        true
    }

    fn poll_upgrade(&mut self, cx: &mut Context<'_>, shared: &Arc<Shared>) -> bool {
        let dialling = match &mut self.upgrade {
            Upgrade::Over => return false,
            Upgrade::Dialling(dialling) => dialling,
            Upgrade::Wanted => {
                let (endpoint, sid) = (self.endpoint.clone(), shared.sid.clone());
                self.upgrade = Upgrade::Dialling(Box::pin(async move {
                    let timeout = endpoint.config.session.upgrade_timeout;
                    let dialled = websocket::dial(&endpoint, Some(&sid));
                    match tokio::time::timeout(timeout, dialled).await {
                        Ok(dialled) => dialled.map(|dialled| dialled.websocket),
                        Err(_) => Err(TransportError::RequestTimeout(timeout)),
                    }
                }));
                return true;
            }
        };
        let Poll::Ready(dialled) = dialling.as_mut().poll(cx) else {
            return false;
        };
        self.upgrade = Upgrade::Over;
        match dialled {
            Ok(mut websocket) => shared.update(|state| {
                if state.session.handle_candidate(now()) {
                    state.session.set_candidate_binary(self.endpoint.binary());
                    while let Some(packet) = state.session.poll_candidate() {
                        websocket.push(packet.to_frame().websocket().clone());
                    }
                    state.candidate = Some(websocket);
                }
            }),
            Err(error) => {
                self.remember_websocket(false);
                tracing::debug!(%error, "the session stays on polling");
            }
        }
        true
    }

    fn fail(&mut self, shared: &Shared, error: TransportError) {
        tracing::debug!(%error, "a request failed");
        self.remember_websocket(false);
        self.error = Some(error);
        shared.update(|state| {
            let reason = CloseReason::TransportError;
            state.session.handle_transport_closed(reason);
        });
    }

    fn exchange(&mut self, shared: &Arc<Shared>, method: Method, body: Bytes) -> Exchange {
        let endpoint = self.endpoint.clone();
        let idle = self.idle.pop();
        // The session's owner drops this with the session, so it may hold what they share.
        let shared = shared.clone();
        Box::pin(async move {
            let sent = async {
                let mut http = connection(&endpoint, idle).await?;
                let body = exchange(&endpoint, &mut http, method, &shared, body).await?;
                Ok((http, body))
            };
            match endpoint.in_time(sent).await {
                Ok((http, body)) => (Some(http), Ok(body)),
                Err(error) => (None, Err(error)),
            }
        })
    }

    /// Tells a server that does not know it yet that the session is over, once, in a task of its own and within 2 s.
    pub(crate) fn end(&mut self, shared: &Arc<Shared>) {
        let is_over = !std::mem::replace(&mut self.needed, false);
        let idle = self.idle.pop();
        self.idle.clear();
        let (get, post) = (self.get.take(), self.post.take());
        self.unread = None;
        self.upgrade = Upgrade::Over;
        let state = shared.lock();
        let told = is_over
            || state.session.transport() != Transport::Polling
            || state.session.peer_closed()
            || state.session.said_goodbye();
        let failed = state.session.state() == ReadyState::Closed(CloseReason::TransportError);
        drop(state);
        if failed && self.error.is_none() {
            // Requests and connections that fail say so.
            self.remember_websocket(false);
            let error = TransportError::Protocol("what arrived is no packet".into());
            self.error = Some(error);
        }
        // Whoever refuses a request knows no such session, or none any more.
        if told || matches!(self.error, Some(TransportError::Status(_))) {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (endpoint, shared) = (self.endpoint.clone(), shared.clone());
            runtime.spawn(async move {
                let goodbye = async {
                    if let Some(post) = post {
                        let _ = post.await;
                    }
                    say_goodbye(&endpoint, idle, &shared.sid).await
                };
                let _ = tokio::time::timeout(GOODBYE_TIME, goodbye).await;
                // Its end would have been a goodbye, too, but a rude one.
                drop(get);
            });
        }
    }
}

/// Sends the close packet.
pub(crate) async fn say_goodbye(
    endpoint: &Endpoint,
    idle: Option<Http>,
    sid: &str,
) -> Result<(), TransportError> {
    let mut http = connection(endpoint, idle).await?;
    let body = encode_payload(&[Packet::Close.to_frame()]);
    let request = post(endpoint, &http, sid, body)?;
    http.send(request).await.map(drop)
}

/// A connection that may be used again, or a new one.
async fn connection(endpoint: &Endpoint, idle: Option<Http>) -> Result<Http, TransportError> {
    if let Some(mut http) = idle {
        if http.is_usable().await {
            return Ok(http);
        }
    }
    endpoint.dial(Transport::Polling).await
}

async fn exchange(
    endpoint: &Endpoint,
    http: &mut Http,
    method: Method,
    shared: &Shared,
    body: Bytes,
) -> Result<Bytes, TransportError> {
    let request = if method == Method::POST {
        post(endpoint, http, &shared.sid, body)?
    } else {
        endpoint.request(http, method, Transport::Polling, Some(&shared.sid), body)?
    };
    let response = http.send(request).await?;
    endpoint.take_cookies(response.headers());
    if response.status() != StatusCode::OK {
        return Err(http.refusal(response).await);
    }
    let limit = endpoint.config.max_payload;
    http.body(response.into_body(), limit, Some(shared)).await
}

fn post(
    endpoint: &Endpoint,
    http: &Http,
    sid: &str,
    body: Bytes,
) -> Result<http::Request<http_body_util::Full<Bytes>>, TransportError> {
    let mut request = endpoint.request(http, Method::POST, Transport::Polling, Some(sid), body)?;
    let text = HeaderValue::from_static("text/plain;charset=UTF-8");
    request.headers_mut().insert(CONTENT_TYPE, text);
    Ok(request)
}
