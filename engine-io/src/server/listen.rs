//! The engine on a TCP listener of its own.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::sync::watch;

use super::Server;
use super::service::Unanswered;
use crate::request::ConnectionInfo;

/// How long a connection may take to send the headers of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes that the headers of a request may have.
const MAX_HEADERS: usize = 64 * 1024;
/// Pause after the system refused a connection, for instance because it has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long connections may finish their requests when the listener stops.
const GRACE: Duration = Duration::from_secs(2);

/// A bound listener, so that its address is known before it serves.
#[derive(Debug)]
pub struct Listener {
    server: Server,
    listener: TcpListener,
}

impl Server {
    /// Binds a TCP listener for this server alone; [`Listener::run`] serves it.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound.
    pub async fn listen(&self, address: impl ToSocketAddrs) -> io::Result<Listener> {
        Ok(Listener {
            server: self.clone(),
            listener: TcpListener::bind(address).await?,
        })
    }
}

impl Listener {
    /// The address that was bound, with the port that the system chose for port 0.
    ///
    /// # Errors
    ///
    /// When the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` is ready, then closes the server and waits a moment for requests under way.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let server = self.server.clone();
        let stop = async move {
            stop.await;
            server.close();
        };
        serve(self.listener, self.server.service(), stop).await;
    }
}

/// Serves a hyper service over HTTP/1.1 with upgrades on a TCP listener until `stop` is ready, then waits a moment for requests under way.
///
/// Requests carry [`ConnectionInfo`] in their extensions.
pub async fn serve<S, B>(listener: TcpListener, service: S, stop: impl Future<Output = ()>)
where
    S: hyper::service::Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let mut stop = pin!(stop);
    let (stopping, stopped) = watch::channel(());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let connection = connection(stream, peer, service.clone(), stopped.clone());
                tokio::spawn(connection);
            }
            Err(error) => {
                tracing::warn!(name: "accept_failed", target: "engine_io", %error);
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop((listener, stopped));
    let _ = stopping.send(());
    let _ = tokio::time::timeout(GRACE, stopping.closed()).await;
}

async fn connection<S, B>(
    stream: TcpStream,
    peer: SocketAddr,
    service: S,
    mut stopped: watch::Receiver<()>,
) where
    S: hyper::service::Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Send,
    S::Future: Send,
    B: http_body::Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    // Packets are small and wait for nothing.
    let _ = stream.set_nodelay(true);
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectionInfo::new(peer));
        let response = service.call(request);
        async {
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
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let result = tokio::select! {
        result = &mut connection => result,
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(name: "http_failed", target: "engine_io", %error);
    }
}
