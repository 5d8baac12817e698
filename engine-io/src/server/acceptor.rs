//! Where the stand-alone server takes its connections from: TCP or a Unix socket, each of them with TLS or without.

use std::fmt;
use std::io;
#[cfg(unix)]
use std::path::Path;

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

use super::networks::Networks;
#[cfg(unix)]
use super::unix::UnixSocket;
use crate::connection::Stream;
use crate::request::ConnectionInfo;
use crate::tls::TlsConfig;

/// HTTP connections at a time, unless told otherwise.
const MAX_CONNECTIONS: usize = 65_536;

/// A listener, and how connections are taken from it: what [`serve`](crate::serve) serves on.
///
/// Listeners of tokio convert into it, so options alone ask for its name:
///
/// ```
/// use engine_io::{Acceptor, Server, serve};
/// use tokio::net::TcpListener;
///
/// # async fn example(server: Server) -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:3000").await?;
/// serve(Acceptor::from(listener).max_connections(1000), server.service(), std::future::pending()).await;
/// # Ok(())
/// # }
/// ```
pub struct Acceptor {
    source: Source,
    /// Set by `Acceptor::tls`, which is there with the feature.
    pub(crate) tls: Option<TlsConfig>,
    pub(crate) max_connections: usize,
    /// Who speaks the PROXY protocol.
    pub(crate) balancers: Option<Networks>,
}

enum Source {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixSocket),
}

impl Acceptor {
    fn new(source: Source) -> Self {
        Self {
            source,
            tls: None,
            max_connections: MAX_CONNECTIONS,
            balancers: None,
        }
    }

    /// Listens on a Unix socket, whose file is removed in the end.
    ///
    /// A file that a server has left behind, so that nobody listens there, is replaced. Who may connect is up to the permissions of the folder and to the
    /// process' umask.
    ///
    /// # Errors
    ///
    /// When the path cannot be bound; with [`io::ErrorKind::AddrInUse`] if somebody listens there, or the file is no socket.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the path unbound; a file that was left behind there may be gone.
    #[cfg(unix)]
    pub async fn bind_unix(path: impl AsRef<Path>) -> io::Result<Self> {
        let socket = UnixSocket::bind(path.as_ref()).await?;
        Ok(Self::new(Source::Unix(socket)))
    }

    /// How many HTTP connections there may be at a time, those included that are still negotiating TLS; further ones wait in the system's queue. Default 65 536.
    ///
    /// A WebSocket over HTTP/1.1 counts until it is open. A connection that sends no complete request within 30 s is closed, and mostly also one that takes
    /// nothing of an answer for so long.
    ///
    /// # Panics
    ///
    /// If it is 0.
    pub fn max_connections(mut self, connections: usize) -> Self {
        assert!(
            connections > 0,
            "with a limit of 0 nobody could ever connect"
        );
        self.max_connections = connections;
        self
    }

    /// Reads the PROXY protocol, version 1 or 2, from these load balancers, so that the address of a connection is the client's. Off by default.
    ///
    /// A connection from one of these networks that does not begin with its header within 10 s is closed; others are clients themselves, and no header of theirs is
    /// believed. It comes in front of TLS, and says nothing of encryption. Balancers that speak HTTP say it in headers, see
    /// [`trusted_proxies`](crate::ServerConfig::trusted_proxies).
    ///
    /// ```
    /// # use engine_io::Acceptor;
    /// # fn example(listener: tokio::net::TcpListener) -> Result<Acceptor, engine_io::InvalidNetwork> {
    /// Ok(Acceptor::from(listener).proxy_protocol("10.0.0.0/8".parse()?))
    /// # }
    /// ```
    pub fn proxy_protocol(mut self, balancers: Networks) -> Self {
        self.balancers = Some(balancers);
        self
    }

    pub(crate) async fn accept(&self) -> io::Result<(Stream, ConnectionInfo)> {
        match &self.source {
            Source::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Packets are small and wait for nothing.
                let _ = stream.set_nodelay(true);
                Ok((Stream::tcp(stream), ConnectionInfo::new(peer)))
            }
            #[cfg(unix)]
            Source::Unix(socket) => {
                let (stream, _) = socket.listener().accept().await?;
                let stream = Stream::Other(Box::new(stream));
                Ok((stream, ConnectionInfo::local()))
            }
        }
    }
}

impl From<TcpListener> for Acceptor {
    fn from(listener: TcpListener) -> Self {
        Self::new(Source::Tcp(listener))
    }
}

/// The socket's file stays; [`Acceptor::bind_unix`] makes one that goes.
#[cfg(unix)]
impl From<UnixListener> for Acceptor {
    fn from(listener: UnixListener) -> Self {
        Self::new(Source::Unix(listener.into()))
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source: &dyn fmt::Debug = match &self.source {
            Source::Tcp(listener) => listener,
            #[cfg(unix)]
            Source::Unix(socket) => socket.listener(),
        };
        f.debug_struct("Acceptor")
            .field("source", source)
            .field("tls", &self.tls.is_some())
            .field("max_connections", &self.max_connections)
            .field("balancers", &self.balancers)
            .finish()
    }
}
