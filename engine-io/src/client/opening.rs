//! From nothing to an open session, over either transport.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode};

use super::endpoint::Endpoint;
use super::error::TransportError;
use super::http1::Http;
use super::polling::{GOODBYE_TIME, Requests, say_goodbye};
use super::websocket::{self, end_error};
use crate::connection::{Clock, Shared, WebSocket, now};
use crate::handshake::Handshake;
use crate::packet::{DecodeError, Packet};
use crate::payload::decode_payload;
use crate::request::Request;
use crate::session::{ReadyState, Session};
use crate::sid::Sid;
use crate::socket::Socket;
use crate::text::Text;
use crate::transport::Transport;
use crate::wire::Revision;

type First = Pin<Box<dyn Future<Output = Result<(Http, Bytes), TransportError>> + Send>>;

/// The first GET of a session. If nobody waits for its answer any more, the session that it may have opened is closed.
struct FirstGet {
    endpoint: Arc<Endpoint>,
    get: Option<First>,
}

impl Drop for FirstGet {
    fn drop(&mut self) {
        let Some(get) = self.get.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let endpoint = self.endpoint.clone();
        runtime.spawn(tokio::time::timeout(GOODBYE_TIME, async move {
            if let Ok((http, body)) = get.await {
                if let Some(sid) = opened(&body) {
                    let _ = say_goodbye(&endpoint, Some(http), &sid).await;
                }
            }
        }));
    }
}

/// The id of the session that an answer opens.
fn opened(body: &Bytes) -> Option<String> {
    let body = Text::try_from(body.clone()).ok()?;
    match decode_payload(&body, 1).next()? {
        Ok(Packet::Open(data)) => Some(Handshake::parse(&data).ok()?.sid),
        _ => None,
    }
}

/// Opens a session with a GET, which moves to a WebSocket if that is wanted and the server offers it.
pub(crate) async fn polling(
    endpoint: &Arc<Endpoint>,
    upgrade: bool,
) -> Result<Socket, TransportError> {
    let transport = Transport::Polling;
    let http = endpoint.in_time(endpoint.dial(transport)).await?;
    let request = endpoint.request(&http, Method::GET, transport, None, Bytes::new())?;
    let (parts, body) = request.into_parts();
    let sent = Request::new(&parts);
    let request = http::Request::from_parts(parts, body);
    let mut first = FirstGet {
        endpoint: endpoint.clone(),
        get: None,
    };
    let get = first.get.insert(Box::pin({
        let (endpoint, mut http) = (endpoint.clone(), http);
        async move {
            let get = async {
                let response = http.send(request).await?;
                endpoint.take_cookies(response.headers());
                if response.status() != StatusCode::OK {
                    return Err(http.refusal(response).await);
                }
                let limit = endpoint.config.max_payload;
                let body = http.body(response.into_body(), limit, None).await?;
                Ok(body)
            };
            let body = endpoint.in_time(get).await?;
            Ok((http, body))
        }
    }));
    let answer = get.as_mut().await;
    first.get = None;
    let (http, body) = answer?;
    let body = Text::try_from(body)
        .map_err(|_| TransportError::Protocol("the first answer is no text".into()))?;
    let (head, rest) = match body.split_once('\x1e') {
        Some((head, rest)) => (head, Some(body.slice_ref(rest))),
        None => (&body[..], None),
    };
    let mut session = new_session(endpoint, transport);
    let _ = session.handle_get();
    let packet = decode_payload(&body.slice_ref(head), 1).next();
    let packet = packet.unwrap_or(Err(DecodeError::Empty));
    let handshake = open(&mut session, packet)?;
    if rest.is_none() {
        session.handle_get_done();
    }
    let upgrade = upgrade
        && handshake.upgrades.contains(&Transport::WebSocket)
        && endpoint.config.transports.contains(&Transport::WebSocket);
    let shared = shared(endpoint, session, &handshake, sent);
    let requests = Requests::new(endpoint.clone(), Some(http), rest, upgrade);
    Ok(client_socket(shared, requests, None))
}

/// Opens a session over a WebSocket.
pub(crate) async fn websocket(endpoint: &Arc<Endpoint>) -> Result<Socket, TransportError> {
    let dialled = websocket::dial(endpoint, None).await?;
    let mut websocket = dialled.websocket;
    let mut arrived = VecDeque::new();
    let mut end = Ok(());
    while arrived.is_empty() && end.is_ok() {
        end = poll_fn(|cx| {
            // Answers to pings.
            if websocket.has_egress() {
                let _ = websocket.poll_flush(cx);
            }
            websocket.poll_read(cx, &mut arrived)
        })
        .await;
    }
    let mut packets = arrived
        .into_iter()
        .map(|message| Revision::V4.decode(message));
    let Some(packet) = packets.next() else {
        // Without a packet the reading has ended.
        let end = end
            .err()
            .and_then(|end| end_error(end, websocket.take_cause()));
        return Err(end.unwrap_or_else(|| TransportError::Protocol("no open packet".into())));
    };
    let mut session = new_session(endpoint, Transport::WebSocket);
    let handshake = open(&mut session, packet)?;
    let shared = shared(endpoint, session, &handshake, dialled.request);
    let now = now();
    shared.update(|state| {
        while packets
            .next()
            .is_some_and(|packet| state.handle_packet(now, Transport::WebSocket, packet))
        {}
    });
    let requests = Requests::new(endpoint.clone(), None, None, false);
    let mut socket = client_socket(shared, requests, Some(websocket));
    if let Err(end) = end {
        // It came right behind the packets.
        socket.end_websocket(end);
    }
    Ok(socket)
}

/// The owner's handle of an open session.
fn client_socket(
    shared: Arc<Shared>,
    requests: Requests,
    websocket: Option<Box<WebSocket>>,
) -> Socket {
    let mut socket = Socket::new(shared, websocket);
    socket.extra.get_or_insert_default().requests = Some(requests);
    socket
}

fn new_session(endpoint: &Endpoint, transport: Transport) -> Session {
    let session = Session::client(&endpoint.config.session, transport);
    if transport == Transport::WebSocket {
        session.with_binary(endpoint.binary())
    } else {
        session
    }
}

/// Gives the session its open packet.
fn open(
    session: &mut Session,
    packet: Result<Packet, DecodeError>,
) -> Result<Handshake, TransportError> {
    let packet = packet.map_err(|error| TransportError::Protocol(error.to_string()))?;
    let Packet::Open(data) = packet.clone() else {
        let what = "the first packet does not open a session";
        return Err(TransportError::Protocol(what.into()));
    };
    session.handle_packet(now(), session.transport(), packet);
    match session.handshake() {
        Some(handshake) if session.state() == ReadyState::Open => Ok(handshake.clone()),
        _ => Err(TransportError::Protocol(match Handshake::parse(&data) {
            Err(error) => error.to_string(),
            Ok(_) => "the session did not open".into(),
        })),
    }
}

fn shared(
    endpoint: &Endpoint,
    session: Session,
    handshake: &Handshake,
    request: Request,
) -> Arc<Shared> {
    let sid = Sid::from(handshake.sid.as_str());
    let mut shared = Shared::new(0, sid, request, session);
    let clock = Clock::new(endpoint.config.wall_clock.clone(), now());
    shared.clock = Some(Box::new(clock));
    Arc::new(shared)
}
