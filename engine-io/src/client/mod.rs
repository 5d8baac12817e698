//! The client role: sessions with a server, driven by their owner like those of the server role.

mod config;
mod connector;
mod cookies;
mod endpoint;
mod error;
mod http1;
mod opening;
mod polling;
mod proxy;
mod socket;
mod tls;
#[cfg(unix)]
mod unix;
mod websocket;

use std::sync::Arc;
use std::sync::atomic::Ordering;

pub use config::ClientConfig;
pub use connector::{Connecting, Connection, Connector, TcpConnector};
pub use cookies::{CookieJar, Cookies};
pub use error::{ConnectError, ProxyError, Refused, TransportError, UrlError};
pub(crate) use polling::Requests;
pub use proxy::Proxy;
pub use tls::{ClientTls, ClientTlsBuilder, ClientTlsError};
#[cfg(unix)]
pub use unix::UnixConnector;

use crate::socket::Socket;
use crate::transport::Transport;
use endpoint::Endpoint;

/// Opens a session with the Engine.IO server at `url`: `http`, `https`, `ws` or `wss`, with a query and with user and password, which become the header
/// `Authorization`. The path comes from [`ClientConfig::path`].
///
/// The [`Socket`] is open: [`Socket::handshake`] says what the server told. Its owner drives it, and with it the upgrade from polling to a WebSocket.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use engine_io::ClientConfig;
///
/// let mut socket = engine_io::connect("https://example.com", &ClientConfig::default()).await?;
/// socket.send("hello")?;
/// while let Some(message) = socket.recv().await {
///     println!("{message:?}");
/// }
/// println!("{:?}: {:?}", socket.close_reason(), socket.close_error());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`ConnectError`], which says what failed: the URL, the time, or a transport, for instance because nobody listens, a certificate is not trusted, or the
/// server refuses with a status and a code of Engine.IO.
///
/// # Cancel safety
///
/// Dropping the future gives up. If the server may have opened a session by then, it is told within 2 s, by a task that is spawned for it.
pub async fn connect(url: &str, config: &ClientConfig) -> Result<Socket, ConnectError> {
    let endpoint = Arc::new(Endpoint::new(url, config).map_err(ConnectError::Url)?);
    let attempt = open_any(&endpoint, config);
    let result = match config.connect_timeout {
        None => attempt.await,
        Some(timeout) => tokio::time::timeout(timeout, attempt)
            .await
            .unwrap_or(Err(ConnectError::Timeout(timeout))),
    };
    let on_websocket = matches!(&result, Ok(socket) if socket.transport() == Transport::WebSocket);
    config
        .upgraded_before
        .store(on_websocket, Ordering::Relaxed);
    result
}

async fn open_any(endpoint: &Arc<Endpoint>, config: &ClientConfig) -> Result<Socket, ConnectError> {
    let mut transports = config.transports.clone();
    let remembered = config.remember_upgrade && config.upgraded_before.load(Ordering::Relaxed);
    if remembered {
        // Stable: what is not the WebSocket stays in its order.
        transports.sort_by_key(|&transport| transport != Transport::WebSocket);
    }
    let mut upgrade = config.upgrade;
    let mut error = ConnectError::NoTransports;
    for transport in transports {
        let opened = match transport {
            Transport::Polling => opening::polling(endpoint, upgrade).await,
            Transport::WebSocket => opening::websocket(endpoint).await,
        };
        match opened {
            Ok(socket) => return Ok(socket),
            Err(failure) => error = ConnectError::Transport(transport, failure),
        }
        if !config.try_all_transports {
            break;
        }
        // As in the reference, what has failed is no candidate for an upgrade.
        upgrade &= transport != Transport::WebSocket;
    }
    Err(error)
}
