//! The GETs and POSTs of long-polling.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, header};
use http_body::Body;

use super::compression;
use super::config::ServerConfig;
use super::headers::last_of_connection;
use super::jsonp;
use super::refusal::{HTML, answer, bare};
use crate::connection::{Shared, now};
use crate::frame::Frame;
use crate::packet::Packet;
use crate::payload::{decode_payload, encode_payload};
use crate::payload_v3::{
    PayloadV3, decode_binary_payload_v3, decode_payload_v3, encode_payload_v3,
};
use crate::session::CloseReason;
use crate::socket::spare;
use crate::text::Text;
use crate::transport::Transport;
use crate::wire::{Revision, Wire};

/// A body above the limit is read to its end, so that the client sees the answer, but only so far.
const DISCARD_FACTOR: usize = 8;
const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=UTF-8");
/// How long a POST that ends the session waits for the GET that belongs to it.
const GET_GRACE: Duration = Duration::from_millis(20);

/// Parks a GET until there is something to send.
pub(crate) async fn poll(shared: &Arc<Shared>) -> Response<Bytes> {
    /// A dropped future is a client that went away.
    struct Parked<'a>(Option<&'a Shared>);

    impl Drop for Parked<'_> {
        fn drop(&mut self) {
            if let Some(shared) = self.0 {
                shared.update(|state| state.session.handle_get_done());
            }
        }
    }

    let mut parked = Parked(None);
    let batch = poll_fn(|cx| {
        shared.update(|state| {
            if parked.0.is_none() && state.session.handle_get().is_err() {
                return Poll::Ready(None);
            }
            let batch = state.session.poll_payload(usize::MAX);
            parked.0 = batch.is_none().then_some(&**shared);
            if batch.is_none() {
                state.parked().get = Some(cx.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(batch)
        })
    });
    match batch.await {
        Some(batch) => payload_answer(shared.wire, &batch),
        None => bare(StatusCode::BAD_REQUEST),
    }
}

/// The answer to the GET that opened the session.
pub(crate) fn first_answer(shared: &Shared) -> Response<Bytes> {
    let mut state = shared.lock();
    let session = &mut state.session;
    let batch = session
        .handle_get()
        .ok()
        .and_then(|()| session.poll_payload(usize::MAX));
    payload_answer(shared.wire, &batch.unwrap_or_default())
}

fn payload_answer(wire: Wire, batch: &[Frame]) -> Response<Bytes> {
    let (content_type, body) = match wire.revision {
        Revision::V4 => (TEXT, encode_payload(batch)),
        Revision::V3 => match encode_payload_v3(batch, wire.binary) {
            PayloadV3::Text(body) => (TEXT, body),
            PayloadV3::Binary(body) => (OCTETS, body),
        },
    };
    let mut response = answer(StatusCode::OK, content_type, body);
    compression::mark(response.extensions_mut(), batch);
    response
}

/// Takes the packets of a POST. Answered when the session's owner has taken them, which is how a busy owner slows the client down.
pub(crate) async fn data<B>(
    shared: &Arc<Shared>,
    parts: &Parts,
    body: B,
    config: &ServerConfig,
    jsonp: bool,
) -> Response<Bytes>
where
    B: Body + Send,
    B::Data: Send,
{
    /// A dropped future is a client that went away.
    struct Posting<'a> {
        /// Until the POST has been done.
        shared: Option<&'a Shared>,
        has_body: bool,
    }

    impl Drop for Posting<'_> {
        fn drop(&mut self) {
            let Some(shared) = self.shared else { return };
            shared.update(|state| {
                state.session.handle_post_done();
                if !self.has_body && state.session.transport() == Transport::Polling {
                    state
                        .session
                        .handle_transport_closed(CloseReason::TransportError);
                }
            });
        }
    }

    if shared.lock().session.handle_post().is_err() {
        // The session is closed.
        shared.update(|_| ());
        return bare(StatusCode::BAD_REQUEST);
    }
    let mut posting = Posting {
        shared: Some(shared),
        has_body: false,
    };
    let content_type = parts
        .headers
        .get(header::CONTENT_TYPE)
        .map(|value| value.as_bytes());
    let octets = content_type.is_some_and(|value| value.eq_ignore_ascii_case(OCTETS.as_bytes()));
    if octets && shared.wire.revision == Revision::V4 {
        // The drop of `posting` closes the session with the reason that the reference gives.
        return bare(StatusCode::BAD_REQUEST);
    }
    let body = match read_body(shared, body, config.max_payload).await {
        Ok(body) => body,
        Err(BodyError::TooLarge) => {
            posting.has_body = true;
            return bare(StatusCode::PAYLOAD_TOO_LARGE);
        }
        Err(BodyError::Failed | BodyError::SessionClosed) => {
            let mut response = bare(StatusCode::BAD_REQUEST);
            last_of_connection(response.headers_mut());
            return response;
        }
    };
    posting.has_body = true;
    let limit = config.max_payload_packets;
    let mut packets: Vec<_> = if octets && !jsonp {
        decode_binary_payload_v3(body, limit).collect()
    } else {
        match (text(&body, jsonp), shared.wire.revision) {
            (Some(text), Revision::V4) => decode_payload(&text, limit).collect(),
            (Some(text), Revision::V3) => decode_payload_v3(&text, limit).collect(),
            (None, _) => Vec::new(),
        }
    };
    let ends = |packet: &Result<_, _>| matches!(packet, Ok(Packet::Close) | Err(_));
    if packets.iter().any(ends) {
        // In a box: it is large, and seldom needed.
        Box::pin(await_get(shared)).await;
    }
    poll_fn(|cx| {
        shared.update(|state| {
            if !packets.is_empty() {
                let now = now();
                if state.inbox.capacity() == 0 {
                    state.inbox = spare();
                }
                for packet in packets.drain(..) {
                    if !state.handle_packet(now, Transport::Polling, packet) {
                        break;
                    }
                }
            }
            if state.has_input() && !state.is_closed() {
                state.parked().post = Some(cx.waker().clone());
                return Poll::Pending;
            }
            state.session.handle_post_done();
            Poll::Ready(())
        })
    })
    .await;
    posting.shared = None;
    answer(StatusCode::OK, HTML, Bytes::from_static(b"ok"))
}

/// Invalid UTF-8 is replaced, never refused, as the reference does.
fn text(body: &Bytes, jsonp: bool) -> Option<Text> {
    if jsonp {
        jsonp::payload(body)
    } else {
        Some(Text::lossy(body))
    }
}

/// The client's GET comes over another connection and may be a little later; parked, it gets a proper goodbye instead of an error.
async fn await_get(shared: &Shared) {
    let parked = poll_fn(|cx| {
        let mut state = shared.lock();
        if state.session.has_get() || state.is_closed() {
            return Poll::Ready(());
        }
        state.parked().post = Some(cx.waker().clone());
        Poll::Pending
    });
    let _ = tokio::time::timeout(GET_GRACE, parked).await;
}

enum BodyError {
    TooLarge,
    Failed,
    SessionClosed,
}

/// Reads a body of at most `limit` bytes, for as long as the session lives.
async fn read_body<B>(shared: &Shared, body: B, limit: usize) -> Result<Bytes, BodyError>
where
    B: Body,
{
    let mut body = pin!(body);
    // A body that arrives at once is not copied. Many small parts are, for each of them would cost more than it holds.
    let mut first = Bytes::new();
    let mut whole = Vec::new();
    let mut length = 0_usize;
    loop {
        let frame = poll_fn(|cx| {
            if let Poll::Ready(frame) = body.as_mut().poll_frame(cx) {
                return Poll::Ready(frame.transpose().map_err(|_| BodyError::Failed));
            }
            let mut state = shared.lock();
            if state.is_closed() {
                return Poll::Ready(Err(BodyError::SessionClosed));
            }
            state.parked().post = Some(cx.waker().clone());
            Poll::Pending
        })
        .await?;
        let Some(frame) = frame else { break };
        let Ok(mut data) = frame.into_data() else {
            continue;
        };
        length = length.saturating_add(data.remaining());
        if length > limit.saturating_mul(DISCARD_FACTOR) {
            return Err(BodyError::TooLarge);
        }
        if length > limit {
            (first, whole) = (Bytes::new(), Vec::new());
        } else if length == data.remaining() {
            first = data.copy_to_bytes(length);
        } else {
            whole.extend_from_slice(&std::mem::take(&mut first));
            whole.put(data);
        }
        if body.is_end_stream() {
            break;
        }
        // What is complete tells by its packets that the client is there.
        let mut state = shared.lock();
        if state.is_closed() {
            return Err(BodyError::SessionClosed);
        }
        state.session.handle_traffic(now());
    }
    if length > limit {
        Err(BodyError::TooLarge)
    } else if whole.is_empty() {
        Ok(first)
    } else {
        Ok(whole.into())
    }
}
