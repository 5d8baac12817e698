//! TLS under HTTP, by rustls.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use parking_lot::RwLock;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;

use crate::connection::Stream;
use crate::server::{Acceptor, downcast};

/// The protocol of HTTP/2 in the negotiation of the application's protocol (ALPN, RFC 7301).
const HTTP_2: &[u8] = b"h2";

/// Certificate, key, and everything else that TLS asks for. Clones are handles to the same configuration.
///
/// Made of files or bytes in PEM form, it takes TLS 1.2 and 1.3, and offers HTTP/2 and HTTP/1.1. Made of a [`rustls::ServerConfig`], it is what that says;
/// list `http/1.1` among its `alpn_protocols`, and `h2` in front of it if you like. TLS makes an idle connection about 6 KB larger.
///
/// ```no_run
/// # fn example() -> Result<(), engine_io::TlsError> {
/// use engine_io::TlsConfig;
/// let tls = TlsConfig::from_pem_files("chain.pem", "key.pem")?;
/// // Later, when there is a new certificate:
/// tls.replace(&TlsConfig::from_pem_files("chain.pem", "key.pem")?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TlsConfig(Arc<RwLock<Arc<ServerConfig>>>);

impl TlsConfig {
    /// A chain of certificates, the server's own first, and its private key (PKCS #8, PKCS #1 or SEC 1), both in PEM form.
    ///
    /// # Errors
    ///
    /// When one of them is missing, cannot be read or is of no use, or they do not belong together.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| TlsError::Certificate(error.to_string()))?;
        if chain.is_empty() {
            return Err(TlsError::Certificate("there is none".into()));
        }
        let key =
            PrivateKeyDer::from_pem_slice(key).map_err(|error| TlsError::Key(error.to_string()))?;
        let rejected = |error: rustls::Error| TlsError::Rejected(error.to_string());
        let provider = Arc::new(ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(rejected)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(rejected)?;
        config.alpn_protocols = vec![HTTP_2.into(), b"http/1.1".into()];
        // Clients that come back, as all do after a restart, spare both sides the larger part of the work; and nothing is kept for those that do not.
        config.ticketer = ring::Ticketer::new().map_err(rejected)?;
        Ok(Arc::new(config).into())
    }

    /// The same, read from files.
    ///
    /// # Errors
    ///
    /// As [`from_pem`](Self::from_pem), and when a file cannot be read.
    pub fn from_pem_files(
        chain: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsError> {
        let read = |path: &Path| {
            fs::read(path).map_err(|error| TlsError::File {
                path: path.to_owned(),
                kind: error.kind(),
            })
        };
        Self::from_pem(&read(chain.as_ref())?, &read(key.as_ref())?)
    }

    /// From now on new connections use `other`'s configuration, with all clones of this one; those that are open stay as they are.
    pub fn replace(&self, other: &Self) {
        let other = other.0.read().clone();
        let previous = std::mem::replace(&mut *self.0.write(), other);
        drop(previous);
    }

    /// Negotiates; true if the peer wants HTTP/2.
    pub(crate) async fn accept(&self, stream: Stream) -> io::Result<(Stream, bool)> {
        let config = self.0.read().clone();
        let stream = TlsAcceptor::from(config).accept(stream).await?;
        let http2 = stream.get_ref().1.alpn_protocol() == Some(HTTP_2);
        Ok((Stream::Other(Box::new(stream)), http2))
    }
}

impl From<Arc<ServerConfig>> for TlsConfig {
    fn from(config: Arc<ServerConfig>) -> Self {
        Self(Arc::new(RwLock::new(config)))
    }
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfig").finish_non_exhaustive()
    }
}

/// Why a [`TlsConfig`] could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    File {
        /// Which one.
        path: PathBuf,
        /// Why not.
        kind: io::ErrorKind,
    },
    /// There is no certificate, or one cannot be read.
    Certificate(String),
    /// There is no private key, or it cannot be read.
    Key(String),
    /// The certificate and the key are of no use, or do not belong together.
    Rejected(String),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, kind } => write!(f, "cannot read {}: {kind}", path.display()),
            Self::Certificate(error) => write!(f, "no certificate: {error}"),
            Self::Key(error) => write!(f, "no private key: {error}"),
            Self::Rejected(error) => write!(f, "certificate or key not accepted: {error}"),
        }
    }
}

impl std::error::Error for TlsError {}

impl Acceptor {
    /// Encrypts its connections. A client has 10 s to negotiate; one that fails is let go, and the others do not notice. Feature `tls`.
    pub fn tls(mut self, config: impl Into<TlsConfig>) -> Self {
        self.tls = Some(config.into());
        self
    }
}

/// Takes the stream out of an upgraded connection of a host that does TLS by itself.
pub(crate) fn from_upgraded(upgraded: Upgraded) -> Result<(Stream, Bytes), Upgraded> {
    downcast::<TlsStream<TcpStream>>(upgraded)
        .map(|(stream, ahead)| (Stream::Other(Box::new(stream)), ahead))
}
