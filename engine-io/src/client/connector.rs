//! Byte streams to a host, before any proxy and TLS.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};

use crate::connection::Stream;

/// How long the first address may take before one of the other family is tried beside it (RFC 8305).
const HEAD_START: Duration = Duration::from_millis(250);

/// A connection that a [`Connector`] made.
pub struct Connection(pub(crate) Stream);

impl Connection {
    /// Any byte stream; for TCP, `from` is leaner.
    pub fn new(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self(Stream::Other(Box::new(stream)))
    }
}

impl From<TcpStream> for Connection {
    fn from(stream: TcpStream) -> Self {
        Self(Stream::tcp(stream))
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

/// What [`Connector::connect`] returns.
pub type Connecting<'a> = Pin<Box<dyn Future<Output = io::Result<Connection>> + Send + 'a>>;

/// Makes byte streams to a host, for both transports: over TCP, a Unix socket, a pipe in memory. TLS and proxies come on top of it.
///
/// ```
/// use engine_io::{ClientConfig, Connecting, Connection, Connector};
///
/// struct Loopback;
///
/// impl Connector for Loopback {
///     fn connect<'a>(&'a self, _host: &'a str, port: u16) -> Connecting<'a> {
///         Box::pin(async move {
///             let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
///             Ok(Connection::from(stream))
///         })
///     }
/// }
///
/// let config = ClientConfig::default().connector(Loopback);
/// ```
pub trait Connector: Send + Sync + 'static {
    /// Connects to a host: a name, or an address without brackets. Dropping the future gives up.
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> Connecting<'a>;
}

/// Connects over TCP. Of a host with several addresses, both families are tried side by side when the first does not answer at once.
#[derive(Clone, Debug, Default)]
pub struct TcpConnector {
    local: Option<IpAddr>,
}

impl TcpConnector {
    /// The address of this machine that connections leave from. By default the system chooses.
    #[must_use]
    pub fn local_address(mut self, address: IpAddr) -> Self {
        self.local = Some(address);
        self
    }

    async fn connect_any(&self, addresses: &[SocketAddr]) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "no address of a usable family");
        for &address in addresses {
            match self.connect_one(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn connect_one(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let Some(local) = self.local else {
            return TcpStream::connect(address).await;
        };
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.bind(SocketAddr::new(local, 0))?;
        socket.connect(address).await
    }
}

impl Connector for TcpConnector {
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> Connecting<'a> {
        Box::pin(async move {
            let addresses = tokio::net::lookup_host((host, port)).await?;
            let usable = |address: &SocketAddr| {
                self.local
                    .is_none_or(|local| local.is_ipv4() == address.is_ipv4())
            };
            let addresses: Vec<_> = addresses.filter(usable).collect();
            let family = addresses.first().map(SocketAddr::is_ipv4);
            let (first, second): (Vec<_>, Vec<_>) = addresses
                .into_iter()
                .partition(|address| Some(address.is_ipv4()) == family);
            let stream = if second.is_empty() {
                self.connect_any(&first).await?
            } else {
                self.race(&first, &second).await?
            };
            // Packets are small and wait for nothing.
            let _ = stream.set_nodelay(true);
            Ok(stream.into())
        })
    }
}

impl TcpConnector {
    async fn race(&self, first: &[SocketAddr], second: &[SocketAddr]) -> io::Result<TcpStream> {
        let mut preferred = std::pin::pin!(self.connect_any(first));
        match tokio::time::timeout(HEAD_START, preferred.as_mut()).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(_)) => return self.connect_any(second).await,
            Err(_) => {}
        }
        let mut other = std::pin::pin!(self.connect_any(second));
        tokio::select! {
            result = preferred.as_mut() => match result {
                Ok(stream) => Ok(stream),
                Err(_) => other.await,
            },
            result = other.as_mut() => match result {
                Ok(stream) => Ok(stream),
                Err(_) => preferred.await,
            },
        }
    }
}
