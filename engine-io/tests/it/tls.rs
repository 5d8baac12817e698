//! TLS in the stand-alone listener, and in a host that does it by itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use engine_io::{Acceptor, Server, ServerConfig, TlsConfig, TlsError};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, crypto::ring};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::http2::{Client, Stream};
use crate::listening::check_session;
use crate::support::{echo, soon};

/// A certificate for `localhost` that vouches for itself, and its key, both as PEM.
pub(crate) struct Identity {
    chain: String,
    key: String,
}

impl Identity {
    pub(crate) fn new() -> Self {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        Self {
            chain: certified.cert.pem(),
            key: certified.signing_key.serialize_pem(),
        }
    }

    pub(crate) fn config(&self) -> TlsConfig {
        TlsConfig::from_pem(self.chain.as_bytes(), self.key.as_bytes()).unwrap()
    }

    fn der(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let chain = CertificateDer::from_pem_slice(self.chain.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
        (vec![chain], key)
    }

    /// Trust in this certificate alone.
    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        for certificate in self.der().0 {
            roots.add(certificate).unwrap();
        }
        roots
    }

    /// A connection of a client that trusts this certificate alone.
    pub(crate) async fn connect(
        &self,
        address: SocketAddr,
        protocol: &str,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        self.connect_as(None, address, protocol).await
    }

    /// The same, of a client that shows a certificate, too.
    async fn connect_as(
        &self,
        client: Option<&Self>,
        address: SocketAddr,
        protocol: &str,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots());
        let mut config = match client {
            Some(client) => {
                let (chain, key) = client.der();
                config.with_client_auth_cert(chain, key).unwrap()
            }
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = vec![protocol.into()];
        let stream = TcpStream::connect(address).await?;
        let name = "localhost".try_into().unwrap();
        soon(TlsConnector::from(Arc::new(config)).connect(name, stream)).await
    }
}

pub(crate) async fn listen(server: &Server, tls: TlsConfig) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = Acceptor::from(listener).tls(tls);
    tokio::spawn(server.service().serve(acceptor, std::future::pending()));
    address
}

#[tokio::test]
async fn sessions_over_tls_are_secure() {
    let (server, identity) = (Server::default(), Identity::new());
    let address = listen(&server, identity.config()).await;
    let request = check_session(&server, async || {
        identity.connect(address, "http/1.1").await.unwrap()
    })
    .await;
    assert!(request.is_secure());
    assert!(request.remote_addr().unwrap().ip().is_loopback());
}

#[tokio::test]
async fn http_2_is_agreed_on_with_those_who_want_it() {
    let (server, identity) = (Server::default(), Identity::new());
    let address = listen(&server, identity.config()).await;
    let mut client = Client::over(identity.connect(address, "h2").await.unwrap()).await;
    let (response, open) = client.get("&transport=polling").await;
    assert_eq!(response.status(), 200);
    assert!(open.starts_with("0{"), "{open}");
    let socket = soon(server.accept()).await.unwrap();
    assert!(socket.request().is_secure());
    let websocket = client.connect("websocket", "EIO=4&transport=websocket");
    let mut websocket = Stream::of(websocket.await).await;
    tokio::spawn(echo(soon(server.accept()).await.unwrap()));
    assert!(websocket.text().await.starts_with("0{"));
    websocket.send("4a").await;
    assert_eq!(websocket.text().await, "4a");
}

#[tokio::test]
async fn one_who_cannot_agree_disturbs_nobody() {
    let (server, identity) = (Server::default(), Identity::new());
    let address = listen(&server, identity.config()).await;
    let silent = TcpStream::connect(address).await.unwrap();
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    // An alert at the most.
    let _ = soon(plain.read_to_end(&mut rest)).await;
    assert!(rest.len() < 10, "{rest:?}");
    // Who trusts somebody else hangs up himself.
    assert!(Identity::new().connect(address, "h2").await.is_err());
    check_session(&server, async || {
        identity.connect(address, "http/1.1").await.unwrap()
    })
    .await;
    drop(silent);
}

/// Waits for the end of a stream, and returns when it came by a clock that does not wait.
async fn ended(mut stream: impl tokio::io::AsyncRead + Unpin) -> u64 {
    tokio::time::pause();
    let begin = Instant::now();
    let _ = stream.read_to_end(&mut Vec::new()).await;
    let time = begin.elapsed();
    tokio::time::resume();
    time.as_secs_f64().round() as u64
}

#[tokio::test]
async fn silence_is_limited_before_and_after_the_agreement() {
    let (server, identity) = (Server::default(), Identity::new());
    let address = listen(&server, identity.config()).await;
    let time = ended(TcpStream::connect(address).await.unwrap()).await;
    assert_eq!(time, 10);
    for protocol in ["http/1.1", "h2"] {
        let stream = identity.connect(address, protocol).await.unwrap();
        assert_eq!(ended(stream).await, 30, "{protocol}");
    }
}

/// Lets so many seconds pass, and everybody do in each of them what is to be done.
async fn pass(seconds: usize) {
    tokio::time::pause();
    for _ in 0..seconds {
        tokio::time::advance(Duration::from_secs(1)).await;
        for _ in 0..500 {
            tokio::task::yield_now().await;
        }
    }
    tokio::time::resume();
}

#[tokio::test]
async fn an_idle_connection_of_http_2_lasts_as_long_as_its_websockets() {
    let never = Duration::from_secs(3600);
    let server = Server::new(ServerConfig::default().ping_interval(never));
    let identity = Identity::new();
    let address = listen(&server, identity.config()).await;
    let accepting = server.clone();
    tokio::spawn(async move {
        while let Some(socket) = accepting.accept().await {
            tokio::spawn(echo(socket));
        }
    });
    let mut idle = Client::over(identity.connect(address, "h2").await.unwrap()).await;
    idle.get("&transport=polling").await;
    let mut used = Client::over(identity.connect(address, "h2").await.unwrap()).await;
    used.get("&transport=polling").await;
    let websocket = used.connect("websocket", "EIO=4&transport=websocket");
    let mut websocket = Stream::of(websocket.await).await;
    websocket.text().await;
    pass(100).await;
    assert!(idle.is_closed());
    websocket.send("4a").await;
    assert_eq!(websocket.text().await, "4a");
}

#[tokio::test]
async fn a_new_certificate_counts_for_new_connections() {
    let (server, old, new) = (Server::default(), Identity::new(), Identity::new());
    let config = old.config();
    let address = listen(&server, config.clone()).await;
    let before = old.connect(address, "http/1.1").await.unwrap();
    assert!(new.connect(address, "http/1.1").await.is_err());
    config.replace(&new.config());
    assert!(old.connect(address, "http/1.1").await.is_err());
    check_session(&server, async || {
        new.connect(address, "http/1.1").await.unwrap()
    })
    .await;
    let mut before = crate::support::Http::over(before);
    before.get("/").await.check(404, "");
}

#[tokio::test]
async fn a_configuration_of_rustls_is_taken_as_it_is() {
    let (server, identity) = (Server::default(), Identity::new());
    let address = listen(&server, rustls_config(&identity).into()).await;
    check_session(&server, async || {
        identity.connect(address, "http/1.1").await.unwrap()
    })
    .await;
}

#[tokio::test]
async fn clients_may_have_to_show_certificates() {
    let (server, identity, guest) = (Server::default(), Identity::new(), Identity::new());
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(guest.roots().into(), provider);
    let (chain, key) = identity.der();
    let config = versions()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(chain, key)
        .unwrap();
    let address = listen(&server, Arc::new(config).into()).await;
    for stranger in [None, Some(&identity)] {
        // With TLS 1.3 the client learns of the refusal when it reads.
        if let Ok(mut stream) = identity.connect_as(stranger, address, "http/1.1").await {
            let _ = stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await;
            assert!(soon(stream.read_u8()).await.is_err());
        }
    }
    check_session(&server, async || {
        let connected = identity.connect_as(Some(&guest), address, "http/1.1").await;
        connected.unwrap()
    })
    .await;
}

fn versions() -> rustls::ConfigBuilder<rustls::ServerConfig, rustls::WantsVerifier> {
    rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
}

fn rustls_config(identity: &Identity) -> Arc<rustls::ServerConfig> {
    let (chain, key) = identity.der();
    let config = versions()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    Arc::new(config)
}

#[tokio::test]
async fn a_host_may_encrypt_by_itself() {
    let (server, identity) = (Server::default(), Identity::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(rustls_config(&identity));
    let service = server.service();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let stream = acceptor.accept(stream).await.unwrap();
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service.clone())
                .with_upgrades();
            tokio::spawn(connection);
        }
    });
    check_session(&server, async || {
        identity.connect(address, "http/1.1").await.unwrap()
    })
    .await;
}

#[test]
fn what_is_no_certificate_or_key_is_told() {
    let (a, b) = (Identity::new(), Identity::new());
    let from =
        |chain: &str, key: &str| TlsConfig::from_pem(chain.as_bytes(), key.as_bytes()).unwrap_err();
    let broken = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    for chain in ["", "text", broken, &a.key] {
        let error = from(chain, &a.key);
        assert!(
            matches!(error, TlsError::Certificate(_)),
            "{chain:?}: {error}"
        );
    }
    for key in ["", "text", &a.chain] {
        let error = from(&a.chain, key);
        assert!(matches!(error, TlsError::Key(_)), "{key:?}: {error}");
    }
    let error = from(&a.chain, &b.key);
    assert!(matches!(error, TlsError::Rejected(_)), "{error}");
    let error = TlsConfig::from_pem_files("/no/such/chain.pem", "key.pem").unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot read /no/such/chain.pem: entity not found"
    );
}

/// The first record of a client that knows no version later than this one, and is as modern as it can be otherwise.
fn hello(version: [u8; 2]) -> Vec<u8> {
    let mut hello = version.to_vec();
    hello.extend([7; 32]);
    // No session, two suites, no compression.
    hello.extend([0, 0, 4, 0xc0, 0x2b, 0xc0, 0x2f, 1, 0]);
    // Extensions: algorithms of signatures, groups, forms of points.
    hello.extend([0, 26, 0, 13, 0, 8, 0, 6, 4, 3, 8, 4, 4, 1]);
    hello.extend([0, 10, 0, 4, 0, 2, 0, 0x17, 0, 11, 0, 2, 1, 0]);
    let length = hello.len() as u8;
    [&[22, 3, 1, 0, length + 4, 1, 0, 0, length], &hello[..]].concat()
}

#[tokio::test]
async fn versions_before_1_2_are_refused() {
    let (server, identity) = (Server::default(), Identity::new());
    let address = listen(&server, identity.config()).await;
    for version in [[3, 0], [3, 1], [3, 2], [3, 3]] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&hello(version)).await.unwrap();
        let mut answer = [0; 7];
        soon(stream.read_exact(&mut answer)).await.unwrap();
        if version == [3, 3] {
            // 1.2 it is: the server says hello.
            assert_eq!((answer[0], answer[5]), (22, 2), "{answer:?}");
        } else {
            // A fatal alert: protocol_version.
            assert_eq!(
                (answer[0], &answer[3..]),
                (21, &[0, 2, 2, 70][..]),
                "{version:?}"
            );
        }
    }
    // The same server takes 1.2 and 1.3, and nothing of what is weak in 1.2.
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(identity.roots())
            .with_no_client_auth();
        let stream = TcpStream::connect(address).await.unwrap();
        let name = "localhost".try_into().unwrap();
        let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
        let stream = soon(connecting).await.unwrap();
        let (_, connection) = stream.get_ref();
        assert_eq!(connection.protocol_version(), Some(version.version));
    }
}
