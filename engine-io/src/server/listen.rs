//! The engine on a listener of its own.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::Server;
use super::acceptor::Acceptor;
use super::hosting::{ByHyper, Host};
use super::proxy_protocol;
use super::service::{EngineService, NoService, Respond};
use crate::connection::Stream;
use crate::request::ConnectionInfo;
use crate::tls::TlsConfig;

/// How long a connection may take to negotiate TLS, and how long a load balancer may take to say whose connection it is.
const NEGOTIATION_TIMEOUT: Duration = Duration::from_secs(10);
/// The first pause after the system refused a connection, for instance because it has no more file descriptors; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest of these pauses.
const LAST_PAUSE: Duration = Duration::from_secs(1);
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
    ///
    /// # Cancel safety
    ///
    /// Dropping the future binds nothing.
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
    ///
    /// # Cancel safety
    ///
    /// As [`serve`]; the server is not closed.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let server = self.server.clone();
        let stop = async move {
            stop.await;
            server.close();
        };
        self.server.service().serve(self.listener, stop).await;
    }
}

impl<R: Respond> EngineService<NoService, R> {
    /// Serves this on a listener until `stop` is ready, as [`serve`] does with any service, with less memory and time for a request: over HTTP/1.1, plain
    /// requests for the responder's path need no hyper.
    ///
    /// # Cancel safety
    ///
    /// As [`serve`].
    pub async fn serve(self, listener: impl Into<Acceptor>, stop: impl Future<Output = ()>) {
        serve_by(listener.into(), self, stop).await;
    }
}

/// Serves a hyper service until `stop` is ready, then waits a moment for requests under way: over HTTP/1.1 with upgrades, and, if TLS has agreed on it, over
/// HTTP/2 with WebSockets on its streams.
///
/// Requests carry [`ConnectionInfo`] in their extensions.
///
/// # Cancel safety
///
/// Dropping the future stops accepting. Requests under way are answered, and their connections end then; WebSockets go on.
pub async fn serve<S, B>(listener: impl Into<Acceptor>, service: S, stop: impl Future<Output = ()>)
where
    S: hyper::service::Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    serve_by(listener.into(), ByHyper(service), stop).await;
}

async fn serve_by(acceptor: Acceptor, host: impl Host, stop: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(acceptor.max_connections));
    let mut stop = pin!(stop);
    let (stopping, stopped) = watch::channel(());
    loop {
        let (stream, info, place) = tokio::select! {
            accepted = accept(&acceptor, &places) => accepted,
            () = &mut stop => break,
        };
        let (tls, host, stopped) = (acceptor.tls.clone(), host.clone(), stopped.clone());
        let address = info.remote_addr.map(|address| address.ip());
        let balancers = acceptor.balancers.as_ref();
        let is_balancer = balancers.is_some_and(|balancers| balancers.contains_peer(address));
        tokio::spawn(async move {
            let announced = if is_balancer {
                announce(stream, info).await
            } else {
                Some((stream, info))
            };
            let Some((stream, info)) = announced else {
                return;
            };
            if let Some((stream, info, http2)) = negotiate(stream, info, tls).await {
                host.host(stream, info, http2, stopped).await;
            }
            drop(place);
        });
    }
    drop((acceptor, stopped));
    let _ = stopping.send(());
    let _ = tokio::time::timeout(GRACE, stopping.closed()).await;
}

/// The next connection, and its place among those that there may be.
async fn accept(
    acceptor: &Acceptor,
    places: &Arc<Semaphore>,
) -> (Stream, ConnectionInfo, OwnedSemaphorePermit) {
    let place = places.clone().acquire_owned().await;
    let place = place.expect("the semaphore is never closed");
    let mut pause = FIRST_PAUSE;
    loop {
        match acceptor.accept().await {
            Ok((stream, info)) => return (stream, info, place),
            // The peer was in a hurry.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(name: "accept_failed", target: "engine_io", %error);
                tokio::time::sleep(pause).await;
                pause = LAST_PAUSE.min(pause * 2);
            }
        }
    }
}

/// Lets a load balancer say whose connection it is. `None` when it does not.
async fn announce(mut stream: Stream, info: ConnectionInfo) -> Option<(Stream, ConnectionInfo)> {
    let read = proxy_protocol::read(&mut stream);
    let read = tokio::time::timeout(NEGOTIATION_TIMEOUT, read).await;
    match read.unwrap_or_else(|elapsed| Err(elapsed.into())) {
        Ok(client) => {
            let info = client.map_or(info, ConnectionInfo::new);
            Some((stream, info))
        }
        Err(error) => {
            tracing::debug!(name: "proxy_protocol_failed", target: "engine_io", %error);
            None
        }
    }
}

/// Encrypts the connection, if that is wanted; true if the peer wants HTTP/2. `None` when it failed.
async fn negotiate(
    stream: Stream,
    info: ConnectionInfo,
    tls: Option<TlsConfig>,
) -> Option<(Stream, ConnectionInfo, bool)> {
    let Some(tls) = tls else {
        return Some((stream, info, false));
    };
    match tokio::time::timeout(NEGOTIATION_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok((stream, http2))) => Some((stream, info.secure(), http2)),
        Ok(Err(error)) => {
            tracing::debug!(name: "tls_failed", target: "engine_io", %error);
            None
        }
        Err(error) => {
            tracing::debug!(name: "tls_failed", target: "engine_io", %error);
            None
        }
    }
}
