//! What goes wrong between a client and its server.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::transport::Transport;

/// Bytes of the body of a refusal that are kept.
pub(crate) const MAX_REFUSAL: usize = 1024;

/// Why no session came to be.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL cannot be used. Nothing was tried.
    Url(UrlError),
    /// The configuration names no transport.
    NoTransports,
    /// The session was not open in time.
    Timeout(Duration),
    /// The transport failed; with [`try_all_transports`](crate::ClientConfig::try_all_transports) the last one.
    Transport(Transport, TransportError),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(_) => f.write_str("unusable url"),
            Self::NoTransports => f.write_str("no transports available"),
            Self::Timeout(after) => write!(f, "not connected within {after:?}"),
            Self::Transport(transport, _) => write!(f, "{transport} did not open"),
        }
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Url(error) => Some(error),
            Self::Transport(_, error) => Some(error),
            Self::NoTransports | Self::Timeout(_) => None,
        }
    }
}

/// Why a URL cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlError {
    /// It is none; what is wrong with it, in words.
    Invalid(String),
    /// It has another scheme than `http`, `https`, `ws` and `wss`, or a proxy's than `http`, `socks5` and `socks5h`.
    Scheme(String),
    /// It names no host.
    NoHost,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(reason) => write!(f, "invalid url: {reason}"),
            Self::Scheme(scheme) => write!(f, "unknown scheme {scheme:?}"),
            Self::NoHost => f.write_str("no host in the url"),
        }
    }
}

impl Error for UrlError {}

/// What happened to a transport. The text says what to look at; the cause is [`source`](Error::source).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TransportError {
    /// No connection: the name was not resolved, nobody listens, the network is unreachable.
    Connect {
        /// Host and port, of the proxy if there is one.
        target: String,
        /// What the connector said.
        cause: Arc<io::Error>,
    },
    /// The proxy does not let us through.
    Proxy(ProxyError),
    /// No encrypted connection: the certificate is not trusted, or versions do not match.
    Tls {
        /// The host of the URL.
        host: String,
        /// What the TLS library said.
        cause: Arc<io::Error>,
    },
    /// The program was built without TLS, or TLS has no roots or crypto provider.
    TlsUnavailable(String),
    /// A request took longer than [`request_timeout`](crate::ClientConfig::request_timeout).
    RequestTimeout(Duration),
    /// A request was refused.
    Status(Box<Refused>),
    /// The answer to a WebSocket handshake breaks the rules.
    Handshake(&'static str),
    /// The connection failed midway.
    Io(Arc<io::Error>),
    /// The HTTP exchange failed midway.
    Http(Arc<dyn Error + Send + Sync>),
    /// The server closed the WebSocket.
    Closed {
        /// The code of its close frame: 1009 when a message of ours was longer than it takes. `None` without a code, or without a close frame.
        code: Option<u16>,
        /// The text of its close frame.
        reason: String,
    },
    /// This side closed the WebSocket because the server broke its rules; the code says which.
    Violation(u16),
    /// The answer to a poll is longer than [`max_payload`](crate::ClientConfig::max_payload).
    TooLarge {
        /// That limit, in bytes.
        limit: usize,
    },
    /// What arrived is no Engine.IO: the text says what is wrong.
    Protocol(String),
}

/// A request that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// The code of Engine.IO, if the body has one: 0 unknown transport, 1 unknown session, 2 bad method, 3 bad request, 4 forbidden, 5 unsupported
    /// revision.
    pub code: Option<u8>,
    /// Its message, or the beginning of the body.
    pub message: String,
}

impl TransportError {
    pub(crate) fn refused(status: u16, body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Body {
            code: u8,
            message: String,
        }
        let (code, message) = match serde_json::from_slice::<Body>(body) {
            Ok(body) => (Some(body.code), body.message),
            Err(_) => {
                let beginning = &body[..body.len().min(MAX_REFUSAL)];
                (None, String::from_utf8_lossy(beginning).into_owned())
            }
        };
        Self::Status(Box::new(Refused {
            status,
            code,
            message,
        }))
    }

    pub(crate) fn io(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }

    pub(crate) fn http(error: hyper::Error) -> Self {
        Self::Http(Arc::new(error))
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect { target, .. } => write!(f, "no connection to {target}"),
            Self::Proxy(_) => f.write_str("the proxy refused"),
            Self::Tls { host, .. } => write!(f, "no encrypted connection to {host}"),
            Self::TlsUnavailable(what) => write!(f, "tls is not available: {what}"),
            Self::RequestTimeout(after) => write!(f, "no answer within {after:?}"),
            Self::Status(refused) => {
                write!(f, "http status {}", refused.status)?;
                if let Some(code) = refused.code {
                    write!(f, ", code {code}")?;
                }
                if refused.message.is_empty() {
                    Ok(())
                } else {
                    write!(f, ": {}", refused.message)
                }
            }
            Self::Handshake(what) => write!(f, "invalid websocket handshake: {what}"),
            Self::Io(_) | Self::Http(_) => f.write_str("the connection failed"),
            Self::Closed { code, reason } => {
                f.write_str("the server closed the websocket")?;
                if let Some(code) = code {
                    write!(f, " with code {code}")?;
                }
                if reason.is_empty() {
                    Ok(())
                } else {
                    write!(f, ": {reason}")
                }
            }
            Self::Violation(code) => {
                write!(f, "the server broke the rules of websockets: code {code}")
            }
            Self::TooLarge { limit } => write!(f, "an answer of more than {limit} bytes"),
            Self::Protocol(what) => f.write_str(what),
        }
    }
}

impl Error for TransportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Connect { cause, .. } | Self::Tls { cause, .. } | Self::Io(cause) => {
                Some(&**cause)
            }
            Self::Http(cause) => Some(&**cause),
            Self::Proxy(cause) => Some(cause),
            _ => None,
        }
    }
}

/// Why a proxy did not open a way to the server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ProxyError {
    /// An HTTP proxy answered CONNECT with this status; 407 asks for user and password.
    Status(u16),
    /// A SOCKS proxy answered with this code: 1 failure, 2 not allowed, 3 network and 4 host unreachable, 5 refused, 6 expired.
    Socks(u8),
    /// A SOCKS proxy wants another authentication than none or user and password, or did not take them.
    Authentication,
    /// The host's name or the credentials are too long for SOCKS: more than 255 bytes.
    TooLong,
    /// The answer is none of such a proxy.
    Invalid,
    /// The connection to the proxy failed.
    Io(Arc<io::Error>),
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "http status {status} to CONNECT"),
            Self::Socks(code) => write!(f, "socks reply {code}"),
            Self::Authentication => f.write_str("authentication failed"),
            Self::TooLong => f.write_str("name or credentials longer than 255 bytes"),
            Self::Invalid => f.write_str("not the answer of such a proxy"),
            Self::Io(_) => f.write_str("the connection to the proxy failed"),
        }
    }
}

impl Error for ProxyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(cause) => Some(&**cause),
            _ => None,
        }
    }
}

impl From<io::Error> for ProxyError {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}
