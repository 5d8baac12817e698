//! TLS by rustls.

use std::io;
use std::sync::Arc;

pub(super) use tokio_rustls::TlsConnector as Connector;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use super::{ClientTls, ClientTlsBuilder, ClientTlsError};
use crate::connection::Stream;

impl ClientTls {
    /// A configuration of rustls. ALPN is set to `http/1.1` if it says nothing.
    pub fn rustls(config: Arc<ClientConfig>) -> Self {
        Self(connector(config))
    }
}

pub(super) async fn connect(
    connector: &Connector,
    stream: Stream,
    host: &str,
) -> io::Result<Stream> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let stream = connector.connect(name, stream).await?;
    Ok(Stream::Other(Box::new(stream)))
}

fn connector(mut config: Arc<ClientConfig>) -> Connector {
    if config.alpn_protocols.is_empty() {
        Arc::make_mut(&mut config).alpn_protocols = vec![b"http/1.1".to_vec()];
    }
    config.into()
}

pub(super) fn build(options: &ClientTlsBuilder) -> Result<Connector, ClientTlsError> {
    let failed = |error: &dyn std::fmt::Display| ClientTlsError(error.to_string());
    let provider = provider()?;
    let mut own = Vec::new();
    for pem in &options.roots {
        for certificate in CertificateDer::pem_slice_iter(pem) {
            own.push(certificate.map_err(|error| failed(&error))?);
        }
    }
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?;
    let builder = if options.accept_invalid {
        let verifier = Arc::new(Anybody(provider));
        builder
            .dangerous()
            .with_custom_certificate_verifier(verifier)
    } else {
        trust(builder, own, provider)?
    };
    let config = match &options.identity {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            let chain: Result<_, _> = CertificateDer::pem_slice_iter(chain).collect();
            let chain = chain.map_err(|error| failed(&error))?;
            let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| failed(&error))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| failed(&error))?
        }
    };
    Ok(connector(Arc::new(config)))
}

type Untrusting =
    tokio_rustls::rustls::ConfigBuilder<ClientConfig, tokio_rustls::rustls::WantsVerifier>;
type Trusting = tokio_rustls::rustls::ConfigBuilder<
    ClientConfig,
    tokio_rustls::rustls::client::WantsClientCert,
>;

/// The operating system's roots and the caller's own.
#[cfg(feature = "client-platform-verifier")]
fn trust(
    builder: Untrusting,
    own: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
) -> Result<Trusting, ClientTlsError> {
    let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(own, provider)
        .map_err(|error| ClientTlsError(error.to_string()))?;
    Ok(builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier)))
}

/// Mozilla's roots, where they are compiled in, and the caller's own.
#[cfg(not(feature = "client-platform-verifier"))]
fn trust(
    builder: Untrusting,
    own: Vec<CertificateDer<'static>>,
    _: Arc<CryptoProvider>,
) -> Result<Trusting, ClientTlsError> {
    let mut roots = tokio_rustls::rustls::RootCertStore::empty();
    #[cfg(feature = "client-webpki-roots")]
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    for certificate in own {
        roots
            .add(certificate)
            .map_err(|error| ClientTlsError(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(ClientTlsError("no certificate is trusted: turn on client-webpki-roots or client-platform-verifier, or add roots".into()));
    }
    Ok(builder.with_root_certificates(roots))
}

/// The process's, or the only one that is compiled in.
fn provider() -> Result<Arc<CryptoProvider>, ClientTlsError> {
    if let Some(provider) = CryptoProvider::get_default() {
        return Ok(provider.clone());
    }
    #[cfg(feature = "client-aws-lc-rs")]
    return Ok(Arc::new(
        tokio_rustls::rustls::crypto::aws_lc_rs::default_provider(),
    ));
    #[cfg(all(feature = "client-ring", not(feature = "client-aws-lc-rs")))]
    return Ok(Arc::new(
        tokio_rustls::rustls::crypto::ring::default_provider(),
    ));
    #[cfg(not(any(feature = "client-ring", feature = "client-aws-lc-rs")))]
    Err(ClientTlsError(
        "no crypto provider: turn on client-ring or client-aws-lc-rs, or install one".into(),
    ))
}

/// Trusts every certificate; signatures still have to be right.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
