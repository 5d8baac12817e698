//! The client's side of WebSocket handshakes.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tungstenite::handshake::derive_accept_key;

use super::endpoint::Endpoint;
use super::error::TransportError;
use crate::connection::{Cause, End, WebSocket};
use crate::deflate::{Agreed, DeflateConfig};
use crate::request::Request;
use crate::transport::Transport;
use crate::wire::BinaryForm;

/// An open WebSocket and the request that asked for it.
pub(crate) struct Dialled {
    pub(crate) websocket: Box<WebSocket>,
    pub(crate) request: Request,
}

/// Opens a WebSocket, for a new session or for the upgrade of one.
pub(crate) async fn dial(
    endpoint: &Endpoint,
    sid: Option<&str>,
) -> Result<Dialled, TransportError> {
    let transport = Transport::WebSocket;
    let mut http = endpoint.dial(transport).await?;
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce)
        .map_err(|_| TransportError::Handshake("the system has no random bytes"))?;
    let key = BASE64_STANDARD.encode(nonce);
    let mut request = endpoint.request(&http, Method::GET, transport, sid, Bytes::new())?;
    let headers = request.headers_mut();
    let mut set = |name: HeaderName, value: &str| -> Result<(), TransportError> {
        let value = HeaderValue::from_str(value)
            .map_err(|_| TransportError::Handshake("a sub-protocol is no header value"))?;
        headers.insert(name, value);
        Ok(())
    };
    set(CONNECTION, "Upgrade")?;
    set(UPGRADE, "websocket")?;
    set(SEC_WEBSOCKET_VERSION, "13")?;
    set(SEC_WEBSOCKET_KEY, &key)?;
    let protocols = &endpoint.config.protocols;
    if !protocols.is_empty() {
        set(SEC_WEBSOCKET_PROTOCOL, &protocols.join(", "))?;
    }
    let deflate = endpoint.config.deflate;
    let deflate = deflate.filter(|_| endpoint.binary() == BinaryForm::Raw);
    if let Some(config) = deflate {
        set(SEC_WEBSOCKET_EXTENSIONS, config.offer())?;
    }
    let (parts, body) = request.into_parts();
    let sent = Request::new(&parts);
    let response = http.send(http::Request::from_parts(parts, body)).await?;
    endpoint.take_cookies(response.headers());
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(http.refusal(response).await);
    }
    let protocol = check(response.headers(), &key, protocols)?;
    let agreed = agreed(response.headers(), deflate)?;
    let (stream, ahead) = http.upgraded(response).await?;
    let max_payload = endpoint.config.max_payload;
    let mut websocket = WebSocket::client(stream, &ahead, max_payload, protocol);
    websocket.agreed = agreed;
    Ok(Dialled {
        websocket: Box::new(websocket),
        request: sent,
    })
}

/// Checks the answer and finds the sub-protocol that the server has chosen.
fn check(
    headers: &HeaderMap,
    key: &str,
    protocols: &[String],
) -> Result<Option<Box<str>>, TransportError> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let has = |name, token: &str| {
        let list = text(name).unwrap_or_default();
        list.split(',')
            .any(|item| item.trim().eq_ignore_ascii_case(token))
    };
    if !has(UPGRADE, "websocket") || !has(CONNECTION, "upgrade") {
        return Err(TransportError::Handshake(
            "it does not switch to a websocket",
        ));
    }
    if text(SEC_WEBSOCKET_ACCEPT) != Some(&derive_accept_key(key.as_bytes())) {
        return Err(TransportError::Handshake("it answers another key"));
    }
    match text(SEC_WEBSOCKET_PROTOCOL) {
        None => Ok(None),
        Some(chosen) if protocols.iter().any(|offered| offered == chosen) => {
            Ok(Some(chosen.into()))
        }
        Some(_) => Err(TransportError::Handshake(
            "it chooses a sub-protocol that was not offered",
        )),
    }
}

fn agreed(
    headers: &HeaderMap,
    deflate: Option<DeflateConfig>,
) -> Result<Option<Agreed>, TransportError> {
    let answers = headers.get_all(SEC_WEBSOCKET_EXTENSIONS).iter();
    let mut answers = answers.map(|value| value.to_str().unwrap_or_default());
    let agreed = match deflate {
        Some(config) => config.accept(answers).ok(),
        None => answers.next().is_none().then_some(None),
    };
    agreed.ok_or(TransportError::Handshake(
        "it agrees on an extension that was not offered",
    ))
}

/// What to tell about the end of a WebSocket.
pub(crate) fn end_error(end: End, cause: Option<Cause>) -> Option<TransportError> {
    match (end, cause) {
        (End::Ours, _) => None,
        (End::Violation(code), _) => Some(TransportError::Violation(code)),
        (_, Some(Cause::Io(error))) => Some(TransportError::io(error)),
        (_, Some(Cause::Close(code, reason))) => Some(TransportError::Closed {
            code: Some(code),
            reason,
        }),
        (End::Closed | End::Failed, None) => Some(TransportError::Closed {
            code: None,
            reason: String::new(),
        }),
    }
}
