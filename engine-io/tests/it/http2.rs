//! WebSockets on streams of HTTP/2 (RFC 8441), where the host offers them.

use bytes::Bytes;
use engine_io::{Server, ServerConfig};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper::ext::Protocol;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Header, echo, soon};

/// A client of a server that speaks HTTP/2 alone and echoes.
pub(crate) struct Client(SendRequest<Full<Bytes>>);

impl Client {
    async fn of(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = server.service();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .enable_connect_protocol()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
        let server = server.clone();
        tokio::spawn(async move {
            while let Some(socket) = server.accept().await {
                tokio::spawn(echo(socket));
            }
        });
        Self::over(TcpStream::connect(address).await.unwrap()).await
    }

    pub(crate) async fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        let executor = TokioExecutor::new();
        let handshake = hyper::client::conn::http2::handshake(executor, TokioIo::new(stream));
        let (client, connection) = soon(handshake).await.unwrap();
        tokio::spawn(connection);
        Self(client)
    }

    pub(crate) async fn send(
        &mut self,
        request: http::request::Builder,
        body: &str,
    ) -> Response<Incoming> {
        let request = request.body(Full::from(body.to_owned())).unwrap();
        soon(self.0.send_request(request)).await.unwrap()
    }

    pub(crate) async fn get(&mut self, query: &str) -> (Response<()>, String) {
        let target = format!("http://localhost/engine.io/?EIO=4{query}");
        text(self.send(Request::get(target), "").await).await
    }

    #[cfg(feature = "tls")]
    pub(crate) fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    pub(crate) async fn connect(
        &mut self,
        protocol: &'static str,
        query: &str,
    ) -> Response<Incoming> {
        let request = Request::builder()
            .method(Method::CONNECT)
            .uri(format!("http://localhost/engine.io/?{query}"))
            .extension(Protocol::from_static(protocol))
            .header("Sec-WebSocket-Version", "13")
            .header("Origin", "https://a.example");
        self.send(request, "").await
    }
}

async fn text(response: Response<Incoming>) -> (Response<()>, String) {
    let (parts, body) = response.into_parts();
    let body = soon(body.collect()).await.unwrap().to_bytes();
    let text = String::from_utf8(body.into()).unwrap();
    (Response::from_parts(parts, ()), text)
}

/// A WebSocket on a stream; its frames are short.
pub(crate) struct Stream(TokioIo<Upgraded>);

impl Stream {
    pub(crate) async fn of(response: Response<Incoming>) -> Self {
        assert_eq!(response.status(), 200);
        for absent in ["upgrade", "sec-websocket-accept", "content-type"] {
            assert!(!response.headers().contains_key(absent), "{absent}");
        }
        Self::upgraded(response).await
    }

    pub(crate) async fn upgraded(response: Response<Incoming>) -> Self {
        let upgraded = soon(hyper::upgrade::on(response)).await.unwrap();
        Self(TokioIo::new(upgraded))
    }

    pub(crate) async fn send(&mut self, text: &str) {
        let frame = Header::TEXT.frame(text.as_bytes());
        soon(self.0.write_all(&frame)).await.unwrap();
    }

    /// The first byte and the payload of the next frame.
    async fn frame(&mut self) -> (u8, String) {
        let mut head = [0; 2];
        soon(self.0.read_exact(&mut head)).await.unwrap();
        let mut length = usize::from(head[1]);
        if length == 126 {
            length = usize::from(soon(self.0.read_u16()).await.unwrap());
        }
        let mut payload = vec![0; length];
        soon(self.0.read_exact(&mut payload)).await.unwrap();
        (head[0], String::from_utf8(payload).unwrap())
    }

    pub(crate) async fn text(&mut self) -> String {
        let (first, text) = self.frame().await;
        assert_eq!(first, 0x81, "{text}");
        text
    }
}

/// The id in an open packet.
fn sid(open: &str) -> String {
    open.split('"').nth(3).unwrap().to_owned()
}

#[tokio::test]
async fn a_session_opens_and_upgrades_on_streams_of_one_connection() {
    let server = Server::new(ServerConfig::default());
    let mut client = Client::of(&server).await;
    let (response, open) = client.get("&transport=polling").await;
    assert_eq!(response.status(), 200);
    let sid = sid(&open);

    let query = format!("EIO=4&transport=websocket&sid={sid}");
    let candidate = client.connect("websocket", &query);
    let mut upgraded = Stream::of(candidate.await).await;
    upgraded.send("2probe").await;
    assert_eq!(upgraded.text().await, "3probe");
    upgraded.send("5").await;

    let opened = client.connect("websocket", "EIO=4&transport=websocket");
    let mut opened = Stream::of(opened.await).await;
    assert!(opened.text().await.starts_with("0{"));
    assert_eq!(server.sessions(), 2);
    for stream in [&mut upgraded, &mut opened] {
        for text in ["4one".to_owned(), format!("4{}", "x".repeat(40_000))] {
            stream.send(&text).await;
            assert_eq!(stream.text().await, text);
        }
    }

    // A close frame is answered with one, and the stream ends; the connection goes on.
    let close = Header::CLOSE.frame(b"");
    soon(opened.0.write_all(&close)).await.unwrap();
    assert_eq!(opened.frame().await.0, Header::CLOSE.0);
    let mut rest = Vec::new();
    let _ = soon(opened.0.read_to_end(&mut rest)).await;
    assert_eq!(rest, b"");
    upgraded.send("4still here").await;
    assert_eq!(upgraded.text().await, "4still here");
}

#[tokio::test]
async fn refusals_are_answers_without_headers_of_the_connection() {
    let server = Server::default();
    let mut client = Client::of(&server).await;
    // Which also waits for the server's settings, without which the client would not send the others.
    let (response, _) = client.get("&transport=websocket").await;
    assert_eq!(response.status(), 400);
    for (protocol, query, expected) in [
        (
            "websocket",
            "EIO=3&transport=websocket",
            "Unsupported protocol version",
        ),
        (
            "websocket",
            "EIO=4&transport=websocket&sid=nobody",
            "Session ID unknown",
        ),
        (
            "connect-udp",
            "EIO=4&transport=websocket",
            r#"{"code":2,"message":"Bad handshake method"}"#,
        ),
    ] {
        let (response, body) = text(client.connect(protocol, query).await).await;
        assert_eq!((response.status().as_u16(), &*body), (400, expected));
        assert!(!response.headers().contains_key("connection"));
    }
}
