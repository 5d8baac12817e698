//! One HTTP/1.1 connection, moved by whoever waits for an answer on it.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;

use super::error::TransportError;
use crate::connection::{Shared, Stream, now};

/// How long a connection is used again after its last answer, if the server says nothing: shorter than servers usually keep it.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Bytes of a refusal's body that are read.
const REFUSAL_LIMIT: usize = 16 * 1024;

type Moving = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// A connection that nothing moves but a request on it, so that it needs no task.
pub(crate) struct Http {
    sender: SendRequest<Full<Bytes>>,
    /// None when it has ended.
    connection: Option<Moving>,
    /// Requests name the whole URL.
    pub(crate) through_proxy: bool,
    expires: Option<Instant>,
}

impl Http {
    pub(crate) async fn new(stream: Stream, through_proxy: bool) -> Result<Self, TransportError> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(TransportError::http)?;
        Ok(Self {
            sender,
            connection: Some(Box::pin(connection.with_upgrades())),
            through_proxy,
            expires: None,
        })
    }

    /// Waits for something while the connection moves.
    async fn moving<T>(&mut self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        poll_fn(|cx| {
            if let Some(connection) = &mut self.connection {
                if connection.as_mut().poll(cx).is_ready() {
                    self.connection = None;
                }
            }
            future.as_mut().poll(cx)
        })
        .await
    }

    /// Whether the next request may use it: the server has not closed it, and will not do so at any moment.
    pub(crate) async fn is_usable(&mut self) -> bool {
        if self.expires.is_some_and(|expires| now() >= expires) {
            return false;
        }
        // Whoever only asks the sender does not learn what the connection has not been polled to see.
        self.moving(std::future::ready(())).await;
        self.connection.is_some() && self.sender.is_ready()
    }

    pub(crate) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, TransportError> {
        let response = self.sender.send_request(request);
        let response = self.moving(response).await.map_err(TransportError::http)?;
        let server = keep_alive(response.headers());
        self.expires = now().checked_add(server.unwrap_or(KEEP_ALIVE));
        Ok(response)
    }

    /// Reads a body to its end. Each part that arrives is a sign of life of that session's peer.
    pub(crate) async fn body(
        &mut self,
        mut body: Incoming,
        limit: usize,
        session: Option<&Shared>,
    ) -> Result<Bytes, TransportError> {
        let mut first = Bytes::new();
        let mut whole = Vec::new();
        loop {
            let Some(frame) = self.moving(body.frame()).await else {
                break;
            };
            let Ok(data) = frame.map_err(TransportError::http)?.into_data() else {
                continue;
            };
            if let Some(shared) = session {
                shared.lock().session.handle_traffic(now());
            }
            if first.len() + whole.len() + data.len() > limit {
                return Err(TransportError::TooLarge { limit });
            }
            // A body in one piece is not copied.
            if first.is_empty() && whole.is_empty() {
                first = data;
            } else {
                whole.extend_from_slice(&std::mem::take(&mut first));
                whole.extend_from_slice(&data);
            }
        }
        Ok(if whole.is_empty() {
            first
        } else {
            whole.into()
        })
    }

    /// What an answer that is none of success says.
    pub(crate) async fn refusal(&mut self, response: Response<Incoming>) -> TransportError {
        let status = response.status().as_u16();
        let body = self.body(response.into_body(), REFUSAL_LIMIT, None).await;
        TransportError::refused(status, &body.unwrap_or_default())
    }

    /// The stream behind an answer that switched protocols, and what was read ahead of it.
    pub(crate) async fn upgraded(
        &mut self,
        response: Response<Incoming>,
    ) -> Result<(Stream, Bytes), TransportError> {
        let upgraded = self.moving(hyper::upgrade::on(response)).await;
        let upgraded = upgraded.map_err(TransportError::http)?;
        match upgraded.downcast::<TokioIo<Stream>>() {
            Ok(parts) => Ok((parts.io.into_inner(), parts.read_buf)),
            Err(_) => Err(TransportError::Handshake("the connection was lost")),
        }
    }
}

/// How long the server says that it keeps an idle connection, with some time for the request to reach it.
fn keep_alive(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("keep-alive")?.to_str().ok()?;
    let seconds = value
        .split(',')
        .find_map(|part| part.trim().strip_prefix("timeout="))?;
    let timeout = Duration::from_secs(seconds.trim().parse().ok()?);
    Some(timeout.saturating_sub(Duration::from_secs(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_s_keep_alive_is_heeded() {
        let parse = |value| {
            let mut headers = HeaderMap::new();
            headers.insert("keep-alive", http::HeaderValue::from_static(value));
            keep_alive(&headers).map(|timeout| timeout.as_secs())
        };
        assert_eq!(parse("timeout=5"), Some(4));
        assert_eq!(parse("max=100, timeout=75"), Some(74));
        assert_eq!(parse("timeout=0"), Some(0));
        assert_eq!(parse("max=100"), None);
        assert_eq!(parse("timeout=-1"), None);
    }
}
