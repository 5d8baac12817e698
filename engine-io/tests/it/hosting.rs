//! The server inside of other programs: as a tower layer, as a hyper service, over streams of any kind.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready as finish};

use bytes::Bytes;
use engine_io::{
    EngineLayer, EngineService, NoService, Respond, ResponseBody, Server, ServerConfig, Transport,
    serve,
};
use http::request::Parts;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tower_layer::Layer;
use tower_service::Service;

use crate::support::{Frame, Http, Polling, WebSocket, drive, echo, soon, until, upgrade_headers};

/// A tower service that greets.
#[derive(Clone)]
struct Greeter;

impl<B> Service<Request<B>> for Greeter {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let greeting = format!("hello from {}", request.uri().path());
        ready(Ok(Response::new(Full::from(greeting))))
    }
}

/// Serves sessions that send everything back.
fn spawn_echo(server: Server) {
    tokio::spawn(async move {
        while let Some(socket) = server.accept().await {
            tokio::spawn(echo(socket));
        }
    });
}

async fn bind() -> (TcpListener, std::net::SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Polling, WebSocket and the upgrade between them.
async fn check_sessions(address: std::net::SocketAddr) {
    let mut polling = Polling::open(address).await;
    polling.say("4a").await;
    polling.poll().await.check(200, "4a");
    let mut upgraded = WebSocket::connect(address, &format!("&sid={}", polling.sid)).await;
    let mut opened = WebSocket::connect(address, "").await;
    upgraded.send("5").await;
    opened.handshake().await;
    for websocket in [&mut upgraded, &mut opened] {
        websocket.send("4b").await;
        assert_eq!(websocket.text().await, "4b");
    }
}

#[tokio::test]
async fn a_layer_takes_its_path_and_leaves_the_rest_to_the_inner_service() {
    let server = Server::default();
    spawn_echo(server.clone());
    let layered = server.layer().layer(Greeter);
    let (listener, address) = bind().await;
    let service = service_fn(move |request| {
        let mut layered = layered.clone();
        async move {
            std::future::poll_fn(|cx| {
                Service::<Request<hyper::body::Incoming>>::poll_ready(&mut layered, cx)
            })
            .await?;
            layered.call(request).await
        }
    });
    tokio::spawn(serve(listener, service, std::future::pending()));
    check_sessions(address).await;
    let mut http = Http::connect(address).await;
    http.get("/page").await.check(200, "hello from /page");
    http.get("/engine.io")
        .await
        .check(200, "hello from /engine.io");
    // Other protocols of other paths are the inner service's, too.
    http.request("GET", "/socket", upgrade_headers(), b"")
        .await
        .check(200, "hello from /socket");
}

/// A layer in front of the server: requests without the token never reach it, the others arrive with a user.
#[derive(Clone)]
struct Guard<S>(S);

/// Who a request is from.
#[derive(Clone, Debug, PartialEq)]
struct User(String);

impl<S, B> Service<Request<B>> for Guard<S>
where
    S: Service<Request<B>, Response = Response<ResponseBody<Full<Bytes>>>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let token = request.headers().get("token");
        let Some(user) = token.and_then(|token| token.to_str().ok()?.strip_prefix("user ")) else {
            let mut refusal = Response::new(ResponseBody::from(Bytes::from("who are you?")));
            *refusal.status_mut() = StatusCode::UNAUTHORIZED;
            return Box::pin(async { Ok(refusal) });
        };
        let user = User(user.to_owned());
        request.extensions_mut().insert(user);
        Box::pin(self.0.call(request))
    }
}

#[tokio::test]
async fn a_layer_in_front_of_the_server_guards_every_request() {
    let server = Server::new(ServerConfig::default().keep_request_parts(true));
    let guarded = Guard(server.layer().layer(Greeter));
    let (listener, address) = bind().await;
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let mut guarded = guarded.clone();
        async move { guarded.call(request).await }
    });
    tokio::spawn(serve(listener, service, std::future::pending()));
    let handshake = "/engine.io/?EIO=4&transport=polling";
    let mut http = Http::connect(address).await;
    for (target, headers) in [
        (handshake, ""),
        ("/engine.io/?EIO=4&transport=websocket", upgrade_headers()),
        ("/page", ""),
    ] {
        http.request("GET", target, headers, b"")
            .await
            .check(401, "who are you?");
    }
    assert_eq!(server.sessions(), 0);

    let ann = "Token: user ann\r\n";
    let opened = http.request("GET", handshake, ann, b"").await;
    assert_eq!(opened.status, 200);
    let socket = soon(server.accept()).await.unwrap();
    let parts = socket.request().parts().unwrap();
    assert_eq!(parts.extensions.get(), Some(&User("ann".into())));
    tokio::spawn(echo(socket));
    let sid = opened.text().split('"').nth(3).unwrap();
    let target = format!("{handshake}&sid={sid}");
    // Who knows the session's id alone does not get in.
    http.request("POST", &target, "", b"4a")
        .await
        .check(401, "who are you?");
    http.request("POST", &target, ann, b"4a")
        .await
        .check(200, "ok");
    http.request("GET", &target, ann, b"")
        .await
        .check(200, "4a");
    let target = target.replace("=polling", "=websocket");
    http.request("GET", &target, upgrade_headers(), b"")
        .await
        .check(401, "who are you?");
    let headers = format!("{}{ann}", upgrade_headers());
    assert_eq!(
        http.request("GET", &target, &headers, b"").await.status,
        101
    );
    let mut websocket = WebSocket::new(http.stream, http.ahead);
    websocket.send("5").await;
    websocket.send("4b").await;
    assert_eq!(websocket.text().await, "4b");
}

#[tokio::test]
async fn a_server_is_a_hyper_service() {
    let server = Server::default();
    spawn_echo(server.clone());
    let (listener, address) = bind().await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(serve(listener, server.service(), async {
        let _ = stopped.await;
    }));
    check_sessions(address).await;
    Http::connect(address).await.get("/").await.check(404, "");
    stop.send(()).unwrap();
    soon(serving).await.unwrap();
}

#[tokio::test]
async fn hyper_s_automatic_connections_upgrade_as_well() {
    let server = Server::default();
    spawn_echo(server.clone());
    let (listener, address) = bind().await;
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = server.service();
            tokio::spawn(async move {
                let executor = hyper_util::rt::TokioExecutor::new();
                let builder = hyper_util::server::conn::auto::Builder::new(executor);
                let connection =
                    builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
                let _ = connection.await;
            });
        }
    });
    check_sessions(address).await;
}

/// What is built on the engine answers in its place.
#[derive(Clone)]
struct Guarded(Server);

impl Respond for Guarded {
    fn matches(&self, uri: &Uri) -> bool {
        self.0.matches(uri)
    }

    async fn respond<B>(&self, parts: &mut Parts, body: B) -> Response<Bytes>
    where
        B: http_body::Body + Send + 'static,
        B::Data: Send,
    {
        let before = parts.extensions.insert("seen");
        assert_eq!(before, None, "it is another request's");
        if parts.uri.path().ends_with("/client.js") {
            // As many as there were, and none of them from the host.
            parts.extensions.clear();
            parts.extensions.insert("seen");
            return Response::new("code".into());
        }
        self.0.respond(parts, body).await
    }
}

#[tokio::test]
async fn another_responder_may_stand_in_front_of_the_engine() {
    let server = Server::default();
    spawn_echo(server.clone());
    let (listener, address) = bind().await;
    let service = EngineService::new(Guarded(server.clone()));
    tokio::spawn(service.serve(listener, std::future::pending()));
    check_sessions(address).await;
    let mut http = Http::connect(address).await;
    for _ in 0..2 {
        http.get("/engine.io/client.js").await.check(200, "code");
    }

    let behind = NoService(StatusCode::IM_A_TEAPOT);
    let mut layered = EngineLayer::new(Guarded(server)).layer(behind);
    let request = Request::get("/other")
        .body(Full::<Bytes>::default())
        .unwrap();
    let response = Service::call(&mut layered, request).await.unwrap();
    assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
}

#[tokio::test]
async fn a_host_without_upgrades_serves_polling() {
    let server = Server::default();
    let handshake = Request::get("/engine.io/?EIO=4&transport=polling");
    let handshake = handshake.body(Full::<Bytes>::default()).unwrap();
    let response = server.handle(handshake).await;
    assert_eq!(response.status(), StatusCode::OK);
    let socket = soon(server.accept()).await.unwrap();
    let target = format!("/engine.io/?EIO=4&transport=polling&sid={}", socket.sid());
    let (_sender, driven) = drive(socket);
    let post = Request::post(&target)
        .body(Full::<Bytes>::from("4a\x1e1"))
        .unwrap();
    assert_eq!(soon(server.handle(post)).await.body(), "ok");
    let (messages, _) = soon(driven).await.unwrap();
    assert_eq!(messages, ["a".into()]);
}

/// A stream that keeps what is written until it is flushed, as TLS does.
struct Buffering {
    stream: TcpStream,
    kept: Vec<u8>,
}

impl AsyncRead for Buffering {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Buffering {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        const ROOM: usize = 16 << 20;
        if self.kept.len() == ROOM {
            finish!(self.as_mut().poll_flush(cx))?;
        }
        let count = data.len().min(ROOM - self.kept.len());
        self.kept.extend_from_slice(&data[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, kept } = &mut *self;
        while !kept.is_empty() {
            let count = finish!(Pin::new(&mut *stream).poll_write(cx, kept))?;
            kept.drain(..count);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        finish!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn a_stream_with_a_buffer_of_its_own_is_flushed_to_the_last_byte() {
    const SIZE: usize = 12_000_000;
    let server = Server::new(ServerConfig::default());
    let (listener, address) = bind().await;
    let service = server.service();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let stream = Buffering {
                stream,
                kept: Vec::new(),
            };
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service.clone())
                .with_upgrades();
            tokio::spawn(connection);
        }
    });
    let mut websocket = WebSocket::connect(address, "").await;
    let socket = soon(server.accept()).await.unwrap();
    assert_eq!(socket.transport(), Transport::WebSocket);
    socket.send(vec![7; SIZE]).unwrap();
    let (sender, _driven) = drive(socket);
    // The peer reads when everything is with the stream, which could not pass all of it on.
    until(|| sender.buffered() == 0).await;
    websocket.handshake().await;
    let frame = websocket.frame().await;
    assert_eq!(frame, Frame::Binary(vec![7; SIZE]));
}
