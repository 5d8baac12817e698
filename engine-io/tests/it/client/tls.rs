//! Encrypted connections.

use std::net::SocketAddr;
use std::sync::Arc;

use engine_io::{ClientConfig, ClientTls, Server, Transport, TransportError};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::{BOTH, check_echo, only, transport_error, upgraded};
use crate::support::{echo, serve_stream, soon};

/// A server for `localhost`, and its certificate in PEM.
async fn server() -> (SocketAddr, String) {
    let identity = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(identity.signing_key.serialize_der()).unwrap();
    let provider = tokio_rustls::rustls::crypto::ring::default_provider();
    let config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![identity.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::default();
    let accepting = server.clone();
    tokio::spawn(async move {
        while let Some(socket) = accepting.accept().await {
            tokio::spawn(echo(socket));
        }
    });
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, server) = (acceptor.clone(), server.clone());
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    serve_stream(server, stream).await;
                }
            });
        }
    });
    (address, identity.cert.pem())
}

#[tokio::test]
async fn a_trusted_server_is_reached_over_both_transports() {
    let (address, certificate) = server().await;
    let tls = ClientTls::builder()
        .root_certificates(certificate)
        .build()
        .unwrap();
    let config = ClientConfig::default().tls(tls);
    let url = format!("https://localhost:{}", address.port());
    let mut socket = soon(engine_io::connect(&url, &config)).await.unwrap();
    check_echo(&mut socket).await;
    upgraded(&mut socket).await;
    check_echo(&mut socket).await;
    let url = url.replace("https", "wss");
    let config = config.transports([Transport::WebSocket]);
    let mut socket = soon(engine_io::connect(&url, &config)).await.unwrap();
    check_echo(&mut socket).await;

    // The certificate is none for this name.
    let url = format!("https://{address}");
    let result = soon(engine_io::connect(&url, &config)).await;
    assert!(matches!(
        transport_error(result),
        TransportError::Tls { .. }
    ));
}

#[tokio::test]
async fn an_untrusted_server_is_refused_unless_anybody_is_trusted() {
    let (address, _) = server().await;
    let url = format!("https://{address}");
    for transport in BOTH {
        let result = soon(engine_io::connect(&url, &only(transport))).await;
        match transport_error(result) {
            TransportError::Tls { host, .. } => assert_eq!(host, "127.0.0.1"),
            other => panic!("{other:?}"),
        }
        let tls = ClientTls::builder()
            .danger_accept_invalid_certificates()
            .build()
            .unwrap();
        let mut socket = soon(engine_io::connect(&url, &only(transport).tls(tls)))
            .await
            .unwrap();
        check_echo(&mut socket).await;
    }
}

#[test]
fn certificates_that_cannot_be_read_are_refused() {
    for pem in [
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n",
    ] {
        assert!(
            ClientTls::builder().root_certificates(pem).build().is_err(),
            "{pem}"
        );
    }
    assert!(
        ClientTls::builder()
            .client_certificate("", "")
            .build()
            .is_err()
    );
}
