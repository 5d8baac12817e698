//! Encryption of a client's connections, by the library that the features name.
//!
//! This file, those of the libraries and `lib.rs` are the only ones that look at features.

#[cfg(feature = "client-rustls")]
#[path = "tls/rustls.rs"]
mod backend;
#[cfg(all(feature = "client-native-tls", not(feature = "client-rustls")))]
#[path = "tls/native.rs"]
mod backend;
#[cfg(not(any(feature = "client-rustls", feature = "client-native-tls")))]
#[path = "tls/none.rs"]
mod backend;

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::error::TransportError;
use crate::connection::Stream;

/// How connections are encrypted: by rustls, or by native TLS without it. Clones share sessions that can be resumed.
#[derive(Clone)]
pub struct ClientTls(backend::Connector);

/// What is to be trusted and shown, before it has the form of one of the libraries.
#[derive(Clone, Default)]
// Without a library nobody reads it.
#[cfg_attr(
    not(any(feature = "client-rustls", feature = "client-native-tls")),
    allow(dead_code)
)]
pub struct ClientTlsBuilder {
    roots: Vec<Vec<u8>>,
    identity: Option<(Vec<u8>, Vec<u8>)>,
    accept_invalid: bool,
}

impl ClientTls {
    /// Options in the words of this crate.
    pub fn builder() -> ClientTlsBuilder {
        ClientTlsBuilder::default()
    }

    pub(crate) async fn connect(
        &self,
        stream: Stream,
        host: &str,
    ) -> Result<Stream, TransportError> {
        let connected = backend::connect(&self.0, stream, host).await;
        connected.map_err(|cause| TransportError::Tls {
            host: host.into(),
            cause: Arc::new(cause),
        })
    }
}

impl ClientTlsBuilder {
    /// Trusts the certificates in a PEM file, too: a company's own authority, or a server's own certificate.
    #[must_use]
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots.push(pem.into());
        self
    }

    /// The certificate chain and the private key that a server may ask for, both in PEM; native TLS wants the key in PKCS #8.
    #[must_use]
    pub fn client_certificate(
        mut self,
        chain: impl Into<Vec<u8>>,
        key: impl Into<Vec<u8>>,
    ) -> Self {
        self.identity = Some((chain.into(), key.into()));
        self
    }

    /// Trusts any certificate for any name, so that everybody in between can read and write. For tests.
    #[must_use]
    pub fn danger_accept_invalid_certificates(mut self) -> Self {
        self.accept_invalid = true;
        self
    }

    /// Puts it into the library's form.
    ///
    /// # Errors
    ///
    /// [`ClientTlsError`] when a certificate or key cannot be read, or there are no roots or no crypto provider.
    pub fn build(self) -> Result<ClientTls, ClientTlsError> {
        backend::build(&self).map(ClientTls)
    }
}

/// Why TLS cannot be set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientTlsError(String);

impl fmt::Display for ClientTlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ClientTlsError {}

/// What a configuration says, or the default, which is made when the first connection needs it.
#[derive(Clone, Default)]
pub(crate) struct LazyTls(Arc<OnceLock<Result<ClientTls, ClientTlsError>>>);

impl LazyTls {
    pub(crate) fn get(&self) -> Result<&ClientTls, TransportError> {
        self.0
            .get_or_init(|| ClientTlsBuilder::default().build())
            .as_ref()
            .map_err(|error| TransportError::TlsUnavailable(error.0.clone()))
    }
}

impl From<ClientTls> for LazyTls {
    fn from(tls: ClientTls) -> Self {
        Self(Arc::new(OnceLock::from(Ok(tls))))
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl fmt::Debug for ClientTlsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The key is a secret.
        f.debug_struct("ClientTlsBuilder").finish_non_exhaustive()
    }
}
