//! HTTP on one connection of the stand-alone listener.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use super::http1::{self, IDLE_TIMEOUT};
use super::rewound::Rewound;
use super::service::{EngineService, NoService, Respond, Unanswered};
use crate::connection::Stream;
use crate::request::ConnectionInfo;

/// Bytes that the headers of a request may have.
const MAX_HEADERS: u32 = 64 * 1024;
/// How many of them there may be over HTTP/1.1.
const HEADERS: usize = 100;
/// Streams of a connection of HTTP/2 at a time; further ones are refused.
const MAX_STREAMS: u32 = 200;
/// Streams that the peer has taken back before anybody has looked at them. One more, and the connection ends.
const MAX_TAKEN_BACK: usize = 20;
/// Streams that were reset because of what the peer did wrong on them. One more, and the connection ends.
const MAX_WRONG: usize = 1024;

/// What answers the requests of a listener's connections.
pub(crate) trait Host: Clone + Send + 'static {
    /// Answers the requests of a connection until it ends, or becomes a WebSocket.
    fn host(
        self,
        stream: Stream,
        info: ConnectionInfo,
        http2: bool,
        stopped: watch::Receiver<()>,
    ) -> impl Future<Output = ()> + Send;
}

/// Any service.
#[derive(Clone)]
pub(crate) struct ByHyper<S>(pub(crate) S);

impl<S, B> Host for ByHyper<S>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    async fn host(
        self,
        stream: Stream,
        info: ConnectionInfo,
        http2: bool,
        stopped: watch::Receiver<()>,
    ) {
        by_hyper(stream, info, http2, self.0, stopped).await;
    }
}

impl<R: Respond> Host for EngineService<NoService, R> {
    async fn host(
        self,
        stream: Stream,
        info: ConnectionInfo,
        http2: bool,
        stopped: watch::Receiver<()>,
    ) {
        let served = if http2 {
            Ok(Some((stream, Bytes::new())))
        } else {
            http1::serve(stream, info, &self.responder, &stopped).await
        };
        match served {
            Ok(Some((stream, ahead))) => {
                let stream = Rewound { ahead, stream };
                // In a box, so that a connection has room for it only if it needs it.
                Box::pin(by_hyper(stream, info, http2, self, stopped)).await;
            }
            Ok(None) => {}
            Err(error) => tracing::debug!(name: "http_failed", target: "engine_io", %error),
        }
    }
}

async fn by_hyper<I, S, B>(
    stream: I,
    info: ConnectionInfo,
    http2: bool,
    service: S,
    stopped: watch::Receiver<()>,
) where
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send,
    S::Future: Send + 'static,
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(info);
        let response = service.call(request);
        async move {
            let Ok(response) = response.await;
            match response.extensions().get::<Unanswered>() {
                None => Ok(response),
                Some(&Unanswered { after }) => {
                    tokio::time::sleep(after).await;
                    // hyper closes the connection without a word.
                    Err(io::Error::other("upgrade for an unknown path"))
                }
            }
        }
    });
    let stream = TokioIo::new(stream);
    let result = if http2 {
        host_http2(stream, service, stopped).await
    } else {
        host_http1(stream, service, stopped).await
    };
    if let Err(error) = result {
        tracing::debug!(name: "http_failed", target: "engine_io", %error);
    }
}

async fn host_http1<I, S, B>(
    stream: TokioIo<I>,
    service: S,
    mut stopped: watch::Receiver<()>,
) -> hyper::Result<()>
where
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = io::Error> + Send,
    S::Future: Send + 'static,
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let connection = conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_TIMEOUT)
        .max_buf_size(MAX_HEADERS as usize)
        .max_header_size(MAX_HEADERS as usize)
        .max_headers(HEADERS)
        .serve_connection(stream, service)
        .with_upgrades();
    let mut connection = pin!(connection);
    tokio::select! {
        result = &mut connection => result,
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    }
}

/// hyper limits neither the wait for the first request here nor that for the next.
async fn host_http2<I, S, B>(
    stream: TokioIo<I>,
    service: S,
    mut stopped: watch::Receiver<()>,
) -> hyper::Result<()>
where
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = io::Error> + Send,
    S::Future: Send + 'static,
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    // How many requests there were. Those that wait for their answers hold on to it.
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = requests.clone();
    let counting = service_fn(move |request| {
        let response = service.call(request);
        let waiting = counter.clone();
        waiting.fetch_add(1, Ordering::Relaxed);
        async move {
            let response = response.await;
            drop(waiting);
            response
        }
    });
    let connection = conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(IDLE_TIMEOUT)
        .max_header_list_size(MAX_HEADERS)
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_TAKEN_BACK)
        .max_local_error_reset_streams(MAX_WRONG)
        .enable_connect_protocol()
        .serve_connection(stream, counting);
    let mut connection = pin!(connection);
    let mut known = 0;
    loop {
        tokio::select! {
            result = &mut connection => return result,
            _ = stopped.changed() => {
                connection.as_mut().graceful_shutdown();
                return connection.await;
            }
            () = tokio::time::sleep(IDLE_TIMEOUT) => {}
        }
        let count = requests.load(Ordering::Relaxed);
        if count == 0 {
            return Ok(());
        }
        // The service and this task have it, too.
        if count == known && Arc::strong_count(&requests) == 2 {
            // WebSockets stay; the connection ends with the last one.
            connection.as_mut().graceful_shutdown();
        }
        known = count;
    }
}
