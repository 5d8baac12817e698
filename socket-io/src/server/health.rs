//! How the server is: for those who ask from within the program, and over HTTP.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use serde::Serialize;

use super::SocketIo;

/// Where a server is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // complete by definition
pub enum ServerState {
    /// Clients come and go.
    Serving,
    /// [`SocketIo::drain`] sends clients away, and no new ones are taken.
    Draining,
    /// [`SocketIo::close`] was called, or a drain has ended.
    Closed,
}

impl ServerState {
    /// In lower case, as the answer at the health path has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Draining => "draining",
            Self::Closed => "closed",
        }
    }
}

impl fmt::Display for ServerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What [`SocketIo::health`] tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// Whether clients are taken.
    pub state: ServerState,
    /// Connections that are open.
    pub connections: usize,
    /// Sockets in all namespaces together.
    pub sockets: usize,
    /// Handlers that are still running for clients whose connection is over.
    pub unfinished_handlers: usize,
    /// Time since the server was built.
    pub uptime: Duration,
}

impl SocketIo {
    /// How the server is. Cheap enough to be asked several times a second: it counts no further than to the number of namespaces.
    ///
    /// [`SocketIoBuilder::health_path`](crate::SocketIoBuilder::health_path) tells it over HTTP.
    pub fn health(&self) -> Health {
        Health {
            state: *self.0.state.borrow(),
            connections: self.connections(),
            sockets: self
                .namespaces()
                .iter()
                .map(|namespace| namespace.len())
                .sum(),
            unfinished_handlers: self.unfinished_handlers(),
            uptime: self.0.epoch.elapsed(),
        }
    }
}

impl Health {
    /// The answer at the health path.
    pub(crate) fn answer(self, method: &Method) -> Response<Bytes> {
        #[derive(Serialize)]
        struct Body<'a> {
            state: &'a str,
            connections: usize,
            sockets: usize,
            unfinished_handlers: usize,
            uptime: u64,
        }
        let mut response = Response::default();
        if ![Method::GET, Method::HEAD].contains(method) {
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            let allowed = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(header::ALLOW, allowed);
            return response;
        }
        if self.state != ServerState::Serving {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        let body = Body {
            state: self.state.as_str(),
            connections: self.connections,
            sockets: self.sockets,
            unfinished_handlers: self.unfinished_handlers,
            uptime: self.uptime.as_secs(),
        };
        let json = serde_json::to_vec(&body).expect("numbers and a text always serialize");
        *response.body_mut() = json.into();
        for (name, value) in [
            (header::CONTENT_TYPE, "application/json"),
            (header::CACHE_CONTROL, "no-store"),
        ] {
            let value = HeaderValue::from_static(value);
            response.headers_mut().insert(name, value);
        }
        response
    }
}
