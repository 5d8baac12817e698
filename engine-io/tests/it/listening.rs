//! The stand-alone listener: Unix sockets, its limits, and what happens to those who come when the server is about to end.

use std::path::PathBuf;

use bytes::Bytes;
use engine_io::{Acceptor, Request, Sender, Server, ServerConfig};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::oneshot;

use crate::http2::Stream;
use crate::support::{Host, Http, WebSocket, drive, echo, not_yet, soon, until};

/// A client of HTTP/1.1 on a stream of any kind.
struct Client(SendRequest<Full<Bytes>>);

impl Client {
    async fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        let (client, connection) = soon(http1::handshake(TokioIo::new(stream))).await.unwrap();
        tokio::spawn(connection.with_upgrades());
        Self(client)
    }

    async fn request(&mut self, method: &str, query: &str, body: &str) -> String {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("/engine.io/?EIO=4&transport=polling{query}"))
            .header("host", "localhost");
        let request = request.body(Full::from(body.to_owned())).unwrap();
        let response = soon(self.0.send_request(request)).await.unwrap();
        assert_eq!(response.status(), 200);
        let body = soon(response.into_body().collect()).await.unwrap();
        String::from_utf8(body.to_bytes().into()).unwrap()
    }

    async fn websocket(mut self, query: &str) -> Stream {
        let request = http::Request::get(format!("/engine.io/?EIO=4&transport=websocket{query}"))
            .header("host", "localhost")
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let request = request.body(Full::default()).unwrap();
        let response = soon(self.0.send_request(request)).await.unwrap();
        assert_eq!(response.status(), 101);
        Stream::upgraded(response).await
    }
}

/// Polling and the upgrade to WebSocket over streams of any kind; returns the request that opened the session.
pub(crate) async fn check_session<S>(server: &Server, connect: impl AsyncFn() -> S) -> Request
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut polling = Client::over(connect().await).await;
    let open = polling.request("GET", "", "").await;
    let query = format!("&sid={}", open.split('"').nth(3).unwrap());
    let socket = soon(server.accept()).await.unwrap();
    let request = socket.request().clone();
    let echoing = tokio::spawn(echo(socket));
    assert_eq!(polling.request("POST", &query, "4a").await, "ok");
    assert_eq!(polling.request("GET", &query, "").await, "4a");

    let candidate = Client::over(connect().await).await;
    let mut websocket = candidate.websocket(&query).await;
    websocket.send("2probe").await;
    assert_eq!(websocket.text().await, "3probe");
    websocket.send("5").await;
    for text in ["4b".to_owned(), format!("4{}", "x".repeat(50_000))] {
        websocket.send(&text).await;
        assert_eq!(websocket.text().await, text);
    }
    drop(websocket);
    soon(echoing).await.unwrap();
    request
}

/// A path for a socket, which goes with the test.
struct SocketPath(PathBuf);

impl SocketPath {
    fn new(name: &str) -> Self {
        let file = format!("engine-io-{}-{name}", std::process::id());
        Self(std::env::temp_dir().join(file))
    }
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn a_unix_socket_serves_sessions_and_takes_its_file_along() {
    let path = SocketPath::new("serves");
    let server = Server::default();
    let acceptor = Acceptor::bind_unix(&path.0).await.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server.service().serve(acceptor, async {
        let _ = stopped.await;
    }));
    let request = check_session(&server, async || {
        UnixStream::connect(&path.0).await.unwrap()
    })
    .await;
    assert_eq!((request.remote_addr(), request.is_secure()), (None, false));
    stop.send(()).unwrap();
    soon(serving).await.unwrap();
    assert!(!path.0.exists());
}

#[tokio::test]
async fn a_listener_made_elsewhere_leaves_its_file() {
    let path = SocketPath::new("foreign");
    let server = Server::default();
    let listener = tokio::net::UnixListener::bind(&path.0).unwrap();
    let serving = tokio::spawn(server.service().serve(listener, std::future::pending()));
    check_session(&server, async || {
        UnixStream::connect(&path.0).await.unwrap()
    })
    .await;
    serving.abort();
    let _ = soon(serving).await;
    assert!(path.0.exists());
}

#[tokio::test]
async fn a_socket_that_was_left_behind_is_replaced() {
    let path = SocketPath::new("stale");
    drop(std::os::unix::net::UnixListener::bind(&path.0).unwrap());
    assert!(path.0.exists());
    let _acceptor = Acceptor::bind_unix(&path.0).await.unwrap();
    soon(UnixStream::connect(&path.0)).await.unwrap();
}

#[tokio::test]
async fn what_is_in_use_or_no_socket_is_not_replaced() {
    let path = SocketPath::new("in-use");
    let _first = Acceptor::bind_unix(&path.0).await.unwrap();
    let error = Acceptor::bind_unix(&path.0).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    soon(UnixStream::connect(&path.0)).await.unwrap();

    let path = SocketPath::new("file");
    std::fs::write(&path.0, "precious").unwrap();
    let error = Acceptor::bind_unix(&path.0).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    assert_eq!(std::fs::read(&path.0).unwrap(), b"precious");
}

#[tokio::test]
async fn the_socket_of_a_successor_stays() {
    let path = SocketPath::new("successor");
    let first = Acceptor::bind_unix(&path.0).await.unwrap();
    std::fs::remove_file(&path.0).unwrap();
    let _second = Acceptor::bind_unix(&path.0).await.unwrap();
    drop(first);
    soon(UnixStream::connect(&path.0)).await.unwrap();
}

const HANDSHAKE: &str = "/engine.io/?EIO=4&transport=polling";

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_their_turn() {
    let server = Server::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = Acceptor::from(listener).max_connections(2);
    tokio::spawn(server.service().serve(acceptor, std::future::pending()));
    // Open WebSockets are no HTTP connections any more.
    let mut websockets = Vec::new();
    for _ in 0..3 {
        websockets.push(WebSocket::connect(address, "").await);
    }
    let idle = Http::connect(address).await;
    let mut second = Http::connect(address).await;
    assert_eq!(second.get(HANDSHAKE).await.status, 200);
    let mut third = Http::connect(address).await;
    third.send("GET", HANDSHAKE, "", b"").await;
    let mut answer = Box::pin(third.reply(false));
    not_yet(&mut answer).await;
    drop(idle);
    assert_eq!(answer.await.status, 200);
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed_in_time() {
    let host = Host::new(ServerConfig::default()).await;
    for start in ["", "GET /engine.io/ HTTP/1.1\r\nHost:"] {
        let mut http = Http::connect(host.address).await;
        http.write(start).await;
        tokio::time::pause();
        let begin = tokio::time::Instant::now();
        http.stream.read_to_end(&mut Vec::new()).await.unwrap();
        assert_eq!(begin.elapsed().as_secs_f64().round(), 30.0);
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_server_that_refuses_handshakes_keeps_its_sessions() {
    let host = Host::new(ServerConfig::default()).await;
    let (mut polling, socket) = host.polling_pair().await;
    let (sender, _driven) = drive(socket);
    host.server.refuse_handshakes();

    let mut http = host.http().await;
    let refused = http.get(HANDSHAKE).await;
    refused.check(503, r#"{"code":3,"message":"Server is closing"}"#);
    assert_eq!(refused.header("connection"), Some("close"));
    assert_eq!(refused.header("retry-after"), Some("0"));
    assert!(http.is_ended().await);
    let mut http = host.http().await;
    let headers = crate::support::upgrade_headers();
    let target = "/engine.io/?EIO=4&transport=websocket";
    let refused = http.request("GET", target, headers, b"").await;
    refused.check(503, "Server is closing");
    assert_eq!(refused.header("retry-after"), Some("0"));

    // Everything of a session that was there.
    polling.say("4a").await;
    sender.send("b").unwrap();
    let answer = polling.poll().await;
    answer.check(200, "4b");
    assert_eq!(answer.header("connection"), None);
    let mut upgraded = host.bare_websocket(&format!("&sid={}", polling.sid)).await;
    upgraded.send("5").await;
    sender.send("c").unwrap();
    assert_eq!(upgraded.text().await, "4c");
    sender.close();
    upgraded.check_close(None).await;
    until(|| host.server.sessions() == 0).await;
}

#[tokio::test]
async fn the_last_answer_ends_the_connection_when_handshakes_are_refused() {
    let host = Host::new(ServerConfig::default()).await;
    for connection in [None, Some("close")] {
        let (mut polling, socket) = host.polling_pair().await;
        drive(socket);
        if connection.is_some() {
            host.server.refuse_handshakes();
        }
        let senders = host.server.senders();
        let [sender] = &senders[..] else {
            panic!("{senders:?}");
        };
        polling.park().await;
        until(|| sender.is_writable()).await;
        sender.close();
        let answer = polling.parked().await;
        answer.check(200, "1");
        assert_eq!(answer.header("connection"), connection);
        until(|| host.server.sessions() == 0).await;
    }
}

#[tokio::test]
async fn a_tcp_listener_tells_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::default();
    tokio::spawn(server.service().serve(listener, std::future::pending()));
    let request = check_session(&server, async || TcpStream::connect(address).await.unwrap()).await;
    assert!(request.remote_addr().unwrap().ip().is_loopback());
}

#[tokio::test]
async fn requests_that_are_under_way_when_the_listener_stops_are_answered() {
    let server = Server::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server.service().serve(listener, async {
        let _ = stopped.await;
    }));
    let mut idle = Http::connect(address).await;
    let mut amid = Vec::new();
    // A part of a head; of a body; of a body in chunks, and of a head that is not plain, which are hyper's.
    for (request, begun) in [
        ("GET TARGET HTTP/1.1\r\nHost: a\r\n\r\n", 20),
        (
            "POST TARGET HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n4a",
            0,
        ),
        (
            "POST TARGET HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n4a\r\n0\r\n\r\n",
            0,
        ),
    ] {
        let mut http = Http::connect(address).await;
        let open = http.get(HANDSHAKE).await;
        let sid = open.text().split('"').nth(3).unwrap();
        tokio::spawn(echo(soon(server.accept()).await.unwrap()));
        let request = request.replace("TARGET", &format!("{HANDSHAKE}&sid={sid}"));
        let begun = if begun > 0 { begun } else { request.len() - 1 };
        let (begin, end) = request.split_at(begun);
        http.write(begin).await;
        amid.push((http, end.to_owned(), request.starts_with("POST")));
    }
    // What was written before has been read when this is answered.
    for _ in 0..3 {
        idle.get("/engine.io/").await;
    }
    stop.send(()).unwrap();
    assert!(idle.is_ended().await);
    // The GET, which waits for a message, comes last.
    for (mut http, end, is_post) in amid.into_iter().rev() {
        http.write(&end).await;
        if !is_post {
            until(|| server.senders().iter().any(Sender::is_writable)).await;
            server.close();
        }
        let answer = http.reply(false).await;
        answer.check(200, if is_post { "ok" } else { "1" });
        assert_eq!(answer.header("connection"), Some("close"), "{end:?}");
        assert!(http.is_ended().await);
    }
    soon(serving).await.unwrap();
}
