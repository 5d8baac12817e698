//! Requests that are refused: the reference's codes, statuses and bodies.
//!
//! | code | message | cause |
//! |---|---|---|
//! | 0 | `Transport unknown` | no `transport`, or one that is not enabled |
//! | 1 | `Session ID unknown` | the session never was or is over |
//! | 2 | `Bad handshake method` | a handshake that is no GET |
//! | 3 | `Bad request` | what the request says does not fit the session or itself |
//! | 3 | `Server is closing` | the server takes no more sessions |
//! | 4 | `Forbidden`, or the text of the request check | the request check said no, or pages of that origin may not connect |
//! | 4 | `Too many requests` | the address has opened too many sessions |
//! | 5 | `Unsupported protocol version` | `EIO` is not 4, and `allow_eio3` is off |
//!
//! Plain requests get status 400 (403 for code 4, 429 for too many requests, 503 when the server is closing) and `{"code":1,"message":"Session ID unknown"}`; WebSocket requests get 400 (429, 503) with the message as text,
//! and the connection is closed. Source: the reference's `server.ts`.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use super::headers::last_of_connection;
use super::route::UNKNOWN_VERSION;
use crate::transport::Transport;

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The named transport does not exist or is not enabled.
    UnknownTransport(Option<String>),
    /// No open session has that id.
    UnknownSid(String),
    /// Handshakes are GETs.
    BadHandshakeMethod(http::Method),
    /// The session uses another transport now.
    TransportMismatch {
        /// What the request named.
        requested: Transport,
        /// What the session uses.
        current: Transport,
    },
    /// The request's `EIO` is not the session's.
    ProtocolMismatch(Option<String>),
    /// A plain request wants a WebSocket.
    TransportHandshake,
    /// The WebSocket handshake lacks something, or has a wrong version.
    WebSocketHandshake(&'static str),
    /// The request check said no, with this text.
    Forbidden(String),
    /// Pages of that origin may not connect.
    Origin(String),
    /// The address has opened too many sessions.
    TooManyRequests {
        /// When it may open the next one.
        retry_after: Duration,
    },
    /// The revision of the protocol is not one of ours.
    UnsupportedProtocol(Option<String>),
    /// No session id could be made.
    IdGeneration(String),
    /// The server is closing.
    Closing,
}

impl Refusal {
    /// The reference's number of the error.
    pub fn code(&self) -> u8 {
        match self {
            Self::UnknownTransport(_) => 0,
            Self::UnknownSid(_) => 1,
            Self::BadHandshakeMethod(_) => 2,
            Self::TransportMismatch { .. }
            | Self::ProtocolMismatch(_)
            | Self::TransportHandshake
            | Self::WebSocketHandshake(_)
            | Self::IdGeneration(_)
            | Self::Closing => 3,
            Self::Forbidden(_) | Self::Origin(_) | Self::TooManyRequests { .. } => 4,
            Self::UnsupportedProtocol(_) => 5,
        }
    }

    /// The text that the peer gets.
    pub fn message(&self) -> &str {
        match self {
            Self::UnknownTransport(_) => "Transport unknown",
            Self::UnknownSid(_) => "Session ID unknown",
            Self::BadHandshakeMethod(_) => "Bad handshake method",
            Self::TransportMismatch { .. }
            | Self::ProtocolMismatch(_)
            | Self::TransportHandshake
            | Self::IdGeneration(_) => "Bad request",
            Self::Closing => "Server is closing",
            Self::WebSocketHandshake(message) => message,
            Self::Origin(_) => "Forbidden",
            Self::TooManyRequests { .. } => "Too many requests",
            Self::Forbidden(text) if text.is_empty() => "Forbidden",
            Self::Forbidden(text) => text,
            Self::UnsupportedProtocol(_) => "Unsupported protocol version",
        }
    }

    /// The reference's name of it (`context.name` of its event `connection_error`). `None` where the code says it all, and for what only this server refuses.
    pub fn name(&self) -> Option<&'static str> {
        match self {
            Self::TransportMismatch { .. } => Some("TRANSPORT_MISMATCH"),
            Self::ProtocolMismatch(_) => Some("PROTOCOL_MISMATCH"),
            Self::TransportHandshake => Some("TRANSPORT_HANDSHAKE_ERROR"),
            Self::IdGeneration(_) => Some("ID_GENERATION_ERROR"),
            Self::UnknownTransport(_)
            | Self::UnknownSid(_)
            | Self::BadHandshakeMethod(_)
            | Self::WebSocketHandshake(_)
            | Self::Forbidden(_)
            | Self::Origin(_)
            | Self::TooManyRequests { .. }
            | Self::UnsupportedProtocol(_)
            | Self::Closing => None,
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Forbidden(_) | Self::Origin(_) => StatusCode::FORBIDDEN,
            Self::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Closing => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The answer to a plain request.
    pub(crate) fn to_response(&self) -> Response<Bytes> {
        #[derive(serde::Serialize)]
        struct Body<'a> {
            code: u8,
            message: &'a str,
        }
        let body = Body {
            code: self.code(),
            message: self.message(),
        };
        let json = serde_json::to_vec(&body).expect("a number and a text always serialize");
        const JSON: HeaderValue = HeaderValue::from_static("application/json");
        let mut response = answer(self.status(), JSON, json.into());
        self.send_elsewhere(&mut response);
        self.send_later(&mut response);
        response
    }

    /// The answer to a WebSocket request.
    pub(crate) fn to_websocket_response(&self) -> Response<Bytes> {
        let status = if matches!(self, Self::Forbidden(_) | Self::Origin(_)) {
            StatusCode::BAD_REQUEST
        } else {
            self.status()
        };
        let body = Bytes::copy_from_slice(self.message().as_bytes());
        let mut response = answer(status, HTML, body);
        last_of_connection(response.headers_mut());
        self.send_elsewhere(&mut response);
        self.send_later(&mut response);
        if *self == Self::WebSocketHandshake(UNKNOWN_VERSION) {
            response.headers_mut().insert(
                header::SEC_WEBSOCKET_VERSION,
                HeaderValue::from_static("13, 8"),
            );
        }
        response
    }
}

impl Refusal {
    /// Another server, or a later one, takes the client: over another connection, and at once.
    fn send_elsewhere(&self, response: &mut Response<Bytes>) {
        if *self == Self::Closing {
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("0"));
            last_of_connection(headers);
        }
    }

    /// The client may come back in so many seconds.
    fn send_later(&self, response: &mut Response<Bytes>) {
        if let Self::TooManyRequests { retry_after } = self {
            let seconds = retry_after.as_nanos().div_ceil(1_000_000_000).max(1) as u64;
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownTransport(Some(name)) => write!(f, "unknown transport {name:?}"),
            Self::UnknownTransport(None) => f.write_str("no transport named"),
            Self::UnknownSid(_) => f.write_str("unknown session id"),
            Self::BadHandshakeMethod(method) => write!(f, "handshake with method {method}"),
            Self::TransportMismatch { requested, current } => {
                write!(f, "request over {requested} for a session on {current}")
            }
            Self::ProtocolMismatch(Some(version)) => {
                write!(
                    f,
                    "request with EIO {version:?} for a session of another revision"
                )
            }
            Self::ProtocolMismatch(None) => {
                f.write_str("request without EIO for a session of another revision")
            }
            Self::TransportHandshake => f.write_str("plain request for a websocket"),
            Self::WebSocketHandshake(what) => write!(f, "websocket handshake: {what}"),
            Self::Forbidden(text) if text.is_empty() => f.write_str("forbidden"),
            Self::Forbidden(text) => write!(f, "forbidden: {text}"),
            Self::Origin(origin) => write!(f, "origin {origin:?} is not allowed"),
            Self::TooManyRequests { .. } => f.write_str("too many sessions from one address"),
            Self::UnsupportedProtocol(Some(version)) => {
                write!(f, "unsupported protocol version {version:?}")
            }
            Self::UnsupportedProtocol(None) => f.write_str("no protocol version named"),
            Self::IdGeneration(error) => write!(f, "no session id: {error}"),
            Self::Closing => f.write_str("server is closing"),
        }
    }
}

impl std::error::Error for Refusal {}

/// The type of answers that are a few words.
pub(crate) const HTML: HeaderValue = HeaderValue::from_static("text/html");

pub(crate) fn answer(
    status: StatusCode,
    content_type: HeaderValue,
    body: Bytes,
) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

/// An answer without a body or a type.
pub(crate) fn bare(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}
