//! HTTP on one connection of the stand-alone listener.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::watch;

use super::service::Unanswered;
use crate::connection::Stream;
use crate::request::ConnectionInfo;

/// How long a connection may take to send the headers of a request, and how long it may be idle.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes that the headers of a request may have.
const MAX_HEADERS: u32 = 64 * 1024;

/// Answers the requests of a connection until it ends, or becomes a WebSocket.
pub(crate) async fn host<S, B>(
    stream: Stream,
    info: ConnectionInfo,
    http2: bool,
    service: S,
    stopped: watch::Receiver<()>,
) where
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

async fn host_http1<S, B>(
    stream: TokioIo<Stream>,
    service: S,
    mut stopped: watch::Receiver<()>,
) -> hyper::Result<()>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = io::Error> + Send,
    S::Future: Send + 'static,
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_TIMEOUT)
        .max_buf_size(MAX_HEADERS as usize)
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
async fn host_http2<S, B>(
    stream: TokioIo<Stream>,
    service: S,
    mut stopped: watch::Receiver<()>,
) -> hyper::Result<()>
where
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
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(IDLE_TIMEOUT)
        .max_header_list_size(MAX_HEADERS)
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
