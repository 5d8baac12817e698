//! WebSocket handshakes, and what becomes of the upgraded connections.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, header};
use tungstenite::handshake::derive_accept_key;

use super::refusal::bare;
use super::route::{is_extended_connect, subprotocol};
use super::upgraded::Upgrade;
use crate::connection::{Shared, WebSocket, now};
use crate::deflate::{Agreed, DeflateConfig};
use crate::wire::BinaryForm;

/// The answer that completes a WebSocket handshake. The request's headers have been checked.
pub(crate) fn accept(parts: &Parts) -> Response<Bytes> {
    let mut response = if is_extended_connect(parts) {
        bare(StatusCode::OK)
    } else {
        let key = parts
            .headers
            .get(header::SEC_WEBSOCKET_KEY)
            .map_or(&[][..], |key| key.as_bytes());
        let mut response = bare(StatusCode::SWITCHING_PROTOCOLS);
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key)) {
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        }
        response
    };
    let chosen = subprotocol(&parts.headers).ok().flatten();
    if let Some(Ok(chosen)) = chosen.map(HeaderValue::from_str) {
        response
            .headers_mut()
            .insert(header::SEC_WEBSOCKET_PROTOCOL, chosen);
    }
    response
}

/// Answers the offers of extensions, in an answer that completes the handshake. Offers that cannot be read are as good as none.
///
/// Nothing is agreed on with those who take binary as base64: what is shared by all has another form for them.
pub(crate) fn agree(
    config: Option<DeflateConfig>,
    binary: BinaryForm,
    parts: &Parts,
    response: &mut Response<Bytes>,
) -> Option<Agreed> {
    let offers = parts.headers.get_all(header::SEC_WEBSOCKET_EXTENSIONS);
    let offers = offers.iter().filter_map(|value| value.to_str().ok());
    let config = config.filter(|_| binary == BinaryForm::Raw);
    let (agreed, answer) = config?.answer(offers)?;
    let answer = HeaderValue::from_str(&answer).ok()?;
    response
        .headers_mut()
        .insert(header::SEC_WEBSOCKET_EXTENSIONS, answer);
    Some(agreed)
}

/// The WebSocket, once the HTTP server has let go of the connection.
pub(crate) async fn upgraded(
    upgrade: Upgrade,
    max_payload: usize,
    agreed: Option<Agreed>,
) -> Option<Box<WebSocket>> {
    match upgrade.stream().await {
        Ok((stream, ahead)) => {
            let mut websocket = Box::new(WebSocket::server(stream, &ahead, max_payload));
            websocket.agreed = agreed;
            Some(websocket)
        }
        Err(error) => {
            tracing::debug!(name: "websocket_lost", target: "engine_io", %error);
            None
        }
    }
}

/// Offers a WebSocket to a session on polling. As the reference does, one that is of no use is closed without a word.
pub(crate) async fn offer(shared: &Arc<Shared>, websocket: Box<WebSocket>, binary: BinaryForm) {
    let mut offered = Some(websocket);
    shared.update(|state| {
        if state.session.handle_candidate(now()) {
            state.session.set_candidate_binary(binary);
            state.candidate = offered.take();
        }
    });
    if let Some(refused) = offered {
        close(*refused).await;
    }
}

/// Opens a WebSocket that contradicts itself (`transport=polling`), to close it at once: clients expect the close, not an HTTP error.
pub(crate) fn refuse(parts: &mut Parts) -> Response<Bytes> {
    let response = accept(parts);
    if let Some(upgrade) = Upgrade::take(&mut parts.extensions) {
        tokio::spawn(async move {
            if let Some(websocket) = upgraded(upgrade, 0, None).await {
                close(*websocket).await;
            }
        });
    }
    response
}

/// Closes without a code.
pub(crate) async fn close(mut websocket: WebSocket) {
    websocket.push_close(None);
    websocket.linger().await;
}
