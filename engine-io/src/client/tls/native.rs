//! TLS by the operating system's library.

use std::io;

pub(super) use tokio_native_tls::TlsConnector as Connector;
use tokio_native_tls::native_tls::{self, Certificate, Identity};

use super::{ClientTlsBuilder, ClientTlsError};
use crate::connection::Stream;

pub(super) async fn connect(
    connector: &Connector,
    stream: Stream,
    host: &str,
) -> io::Result<Stream> {
    let stream = connector
        .connect(host, stream)
        .await
        .map_err(io::Error::other)?;
    Ok(Stream::Other(Box::new(stream)))
}

pub(super) fn build(options: &ClientTlsBuilder) -> Result<Connector, ClientTlsError> {
    let failed = |error: native_tls::Error| ClientTlsError(error.to_string());
    let mut builder = native_tls::TlsConnector::builder();
    for pem in &options.roots {
        for certificate in Certificate::stack_from_pem(pem).map_err(failed)? {
            builder.add_root_certificate(certificate);
        }
    }
    if let Some((chain, key)) = &options.identity {
        builder.identity(Identity::from_pkcs8(chain, key).map_err(failed)?);
    }
    if options.accept_invalid {
        builder.danger_accept_invalid_certs(true);
        builder.danger_accept_invalid_hostnames(true);
    }
    builder.build().map(Into::into).map_err(failed)
}
