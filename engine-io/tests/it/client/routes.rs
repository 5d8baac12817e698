//! Ways to a server: proxies, Unix sockets, pipes in memory.

use std::net::SocketAddr;
use std::sync::Arc;

use engine_io::{
    ClientConfig, Connecting, Connection, Connector, Proxy, ProxyError, Server, ServerConfig,
    Transport, TransportError, UrlError,
};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::{BOTH, check_echo, only, request, transport_error, upgraded};
use crate::support::{Host, echo, serve_stream, soon};

/// What a proxy was asked for.
type Log = Arc<Mutex<Vec<String>>>;

/// A proxy for HTTP that lets `user:password` through.
async fn http_proxy(log: Log) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(http_connection(stream, log.clone()));
        }
    });
    address
}

async fn http_connection(stream: TcpStream, log: Log) {
    let (mut stream, head) = request(stream).await;
    let (line, _) = head.split_once("\r\n").unwrap();
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let place = target.strip_prefix("http://").unwrap_or(target);
    log.lock()
        .push(format!("{method} {}", place.split('?').next().unwrap()));
    if !head
        .to_lowercase()
        .contains("\r\nproxy-authorization: basic dxnlcjpwyxnzd29yza==\r\n")
    {
        let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(refusal.as_bytes()).await.unwrap();
        return;
    }
    let server = place.split('/').next().unwrap();
    let mut server = TcpStream::connect(server).await.unwrap();
    if method == "CONNECT" {
        stream
            .write_all(b"HTTP/1.1 200 Connection established\r\nX: y\r\n\r\n")
            .await
            .unwrap();
    } else {
        // Enough of a proxy: servers take whole URLs, too.
        server.write_all(head.as_bytes()).await.unwrap();
    }
    let _ = copy_bidirectional(&mut stream, &mut server).await;
}

/// A proxy for SOCKS5 that wants user and password if that is said.
async fn socks_proxy(login: bool, log: Log) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let log = log.clone();
            tokio::spawn(async move {
                let server = socks_handshake(&mut stream, login, &log).await;
                if let Some(mut server) = server {
                    let _ = copy_bidirectional(&mut stream, &mut server).await;
                }
            });
        }
    });
    address
}

async fn read_short(stream: &mut TcpStream) -> String {
    let mut text = vec![0; usize::from(stream.read_u8().await.unwrap())];
    stream.read_exact(&mut text).await.unwrap();
    String::from_utf8_lossy(&text).into_owned()
}

async fn socks_handshake(stream: &mut TcpStream, login: bool, log: &Log) -> Option<TcpStream> {
    assert_eq!(stream.read_u8().await.ok()?, 5);
    let methods = read_short(stream).await;
    let method = if login { '\x02' } else { '\0' };
    if !methods.contains(method) {
        stream.write_all(&[5, 255]).await.unwrap();
        return None;
    }
    stream.write_all(&[5, method as u8]).await.unwrap();
    if login {
        assert_eq!(stream.read_u8().await.unwrap(), 1);
        let (user, password) = (read_short(stream).await, read_short(stream).await);
        let right = (user.as_str(), password.as_str()) == ("user", "p@ssword");
        stream.write_all(&[1, u8::from(!right)]).await.unwrap();
        if !right {
            return None;
        }
    }
    let mut head = [0; 4];
    stream.read_exact(&mut head).await.unwrap();
    let host = match head {
        [5, 1, 0, 1] => std::net::Ipv4Addr::from(stream.read_u32().await.unwrap()).to_string(),
        [5, 1, 0, 3] => read_short(stream).await,
        other => panic!("{other:?}"),
    };
    let port = stream.read_u16().await.unwrap();
    log.lock().push(host.clone());
    if host == "unreachable.example" {
        stream
            .write_all(&[5, 4, 0, 1, 0, 0, 0, 0, 0, 0])
            .await
            .unwrap();
        return None;
    }
    let host = if host == "server.example" {
        "127.0.0.1".into()
    } else {
        host
    };
    let server = TcpStream::connect((host, port)).await.unwrap();
    stream
        .write_all(b"\x05\x00\x00\x03\x04name\x00\x50")
        .await
        .unwrap();
    Some(server)
}

#[tokio::test]
async fn an_http_proxy_gets_requests_and_opens_tunnels_for_websockets() {
    let host = Host::echo(ServerConfig::default()).await;
    let log = Log::default();
    let address = http_proxy(log.clone()).await;
    let proxy = Proxy::new(&format!("http://user:password@{address}")).unwrap();
    let mut socket = host
        .connect(&ClientConfig::default().proxy(proxy))
        .await
        .unwrap();
    check_echo(&mut socket).await;
    upgraded(&mut socket).await;
    check_echo(&mut socket).await;
    let target = format!("{}/engine.io/", host.address);
    let log = std::mem::take(&mut *log.lock());
    assert_eq!(log[0], format!("GET {target}"));
    assert!(
        log.contains(&format!("CONNECT {}", host.address)),
        "{log:?}"
    );

    let stranger = Proxy::new(&format!("http://{address}")).unwrap();
    for transport in BOTH {
        let result = host.connect(&only(transport).proxy(stranger.clone())).await;
        match transport_error(result) {
            TransportError::Proxy(ProxyError::Status(407)) => {}
            TransportError::Status(refused) if transport == Transport::Polling => {
                assert_eq!(refused.status, 407);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_socks_proxy_resolves_names() {
    let host = Host::echo(ServerConfig::default()).await;
    for (login, credentials) in [
        (false, ""),
        (false, "user:p%40ssword@"),
        (true, "user:p%40ssword@"),
    ] {
        let log = Log::default();
        let address = socks_proxy(login, log.clone()).await;
        let proxy = Proxy::new(&format!("socks5h://{credentials}{address}")).unwrap();
        let config = ClientConfig::default().proxy(proxy);
        let port = host.address.port();
        for name in ["server.example", "127.0.0.1"] {
            let url = format!("http://{name}:{port}");
            let mut socket = soon(engine_io::connect(&url, &config)).await.unwrap();
            upgraded(&mut socket).await;
            check_echo(&mut socket).await;
            assert_eq!(log.lock().last().unwrap(), name);
        }
        let result = soon(engine_io::connect("http://unreachable.example", &config)).await;
        assert!(matches!(
            transport_error(result),
            TransportError::Proxy(ProxyError::Socks(4))
        ));
    }
}

#[tokio::test]
async fn a_socks_proxy_that_refuses_is_told() {
    let host = Host::echo(ServerConfig::default()).await;
    let address = socks_proxy(true, Log::default()).await;
    for credentials in ["", "user:wrong@"] {
        let proxy = Proxy::new(&format!("socks5://{credentials}{address}")).unwrap();
        let result = host.connect(&ClientConfig::default().proxy(proxy)).await;
        assert!(matches!(
            transport_error(result),
            TransportError::Proxy(ProxyError::Authentication)
        ));
    }
}

#[test]
fn urls_of_proxies_are_checked() {
    assert!(Proxy::new("http://localhost").is_ok());
    assert!(Proxy::new("socks5://[::1]:1080").is_ok());
    assert_eq!(
        Proxy::new("https://localhost"),
        Err(UrlError::Scheme("https".into()))
    );
    assert!(Proxy::new("localhost").is_err());
    let proxy = Proxy::new("http://user:secret@localhost").unwrap();
    assert!(!format!("{proxy:?}").contains("secret"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_carries_both_transports() {
    let path = std::env::temp_dir().join(format!("engine-io-client-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let server = echo_server();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve_stream(server.clone(), stream));
        }
    });
    let config = ClientConfig::default().connector(engine_io::UnixConnector::new(&path));
    let mut socket = soon(engine_io::connect("http://anything", &config))
        .await
        .unwrap();
    check_echo(&mut socket).await;
    upgraded(&mut socket).await;
    check_echo(&mut socket).await;
    assert_eq!(socket.request().header("host"), Some("anything"));
    std::fs::remove_file(&path).unwrap();
}

fn echo_server() -> Server {
    let server = Server::default();
    let accepting = server.clone();
    tokio::spawn(async move {
        while let Some(socket) = accepting.accept().await {
            tokio::spawn(echo(socket));
        }
    });
    server
}

struct Pipes(Server);

impl Connector for Pipes {
    fn connect<'a>(&'a self, _: &'a str, _: u16) -> Connecting<'a> {
        // Small, so that everything is written in parts.
        let (ours, theirs) = tokio::io::duplex(61);
        tokio::spawn(serve_stream(self.0.clone(), theirs));
        Box::pin(async { Ok(Connection::new(ours)) })
    }
}

#[tokio::test]
async fn pipes_in_memory_carry_both_transports() {
    let config = ClientConfig::default().connector(Pipes(echo_server()));
    let mut socket = soon(engine_io::connect("http://anything", &config))
        .await
        .unwrap();
    check_echo(&mut socket).await;
    upgraded(&mut socket).await;
    check_echo(&mut socket).await;
}
