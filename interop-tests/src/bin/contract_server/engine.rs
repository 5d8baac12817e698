//! The modes that speak Engine.IO alone.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use engine_io::{EngineService, Message, Server, ServerConfig, Socket};
use http::{HeaderMap, Method, Request};
use hyper::body::Incoming;
use hyper::service::Service;

/// Sends every message back as it came.
pub(crate) fn protocol() -> Server {
    let (ping_interval, ping_timeout) = crate::heartbeat();
    let config = ServerConfig::default()
        .ping_interval(ping_interval)
        .ping_timeout(ping_timeout);
    let server = Server::new(config);
    accept(
        server.clone(),
        |_| true,
        |socket, message| socket.send(message).is_ok(),
    );
    server
}

/// What a suite for clients asks of a server.
pub(crate) fn client() -> RecordingService {
    let config = ServerConfig::default()
        .ping_interval(Duration::from_millis(500))
        .max_payload(100)
        .allow_request(|request| {
            let mut query = request.uri.query().unwrap_or_default().split('&');
            let denied = query.any(|pair| pair.split('=').next() == Some("deny"));
            async move { if denied { Err(String::new()) } else { Ok(()) } }
        })
        .initial_headers(|headers, _| {
            let expires = httpdate::fmt_http_date(SystemTime::now());
            for cookie in [
                "1=1; Max-Age=86400".to_owned(),
                "2=2; Path=/; HttpOnly; Secure; SameSite=Strict".to_owned(),
                "3=3; Max-Age=0".to_owned(),
                format!("4=4; Expires={expires}"),
            ] {
                if let Ok(value) = cookie.parse() {
                    headers.append(http::header::SET_COOKIE, value);
                }
            }
        });
    let server = Server::new(config);
    let service = RecordingService {
        inner: server.service(),
        posts: Posts::default(),
    };
    let posts = service.posts.clone();
    accept(
        server,
        |socket| socket.send("hi").is_ok(),
        move |socket, message| answer(socket, message, &posts),
    );
    service
}

/// The headers of each session's last POST, as JSON, by session id.
type Posts = Arc<Mutex<HashMap<String, String>>>;

/// The engine behind a middleware that remembers the headers of POSTs.
#[derive(Clone)]
pub(crate) struct RecordingService {
    inner: EngineService,
    posts: Posts,
}

impl Service<Request<Incoming>> for RecordingService {
    type Response = <EngineService as Service<Request<Incoming>>>::Response;
    type Error = <EngineService as Service<Request<Incoming>>>::Error;
    type Future = <EngineService as Service<Request<Incoming>>>::Future;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let query = request.uri().query().unwrap_or_default();
        let sid = query.split('&').find_map(|pair| pair.strip_prefix("sid="));
        if let (&Method::POST, Some(sid)) = (request.method(), sid) {
            if let Ok(mut posts) = self.posts.lock() {
                posts.insert(sid.to_owned(), headers_json(request.headers()));
            }
        }
        Service::call(&self.inner, request)
    }
}

fn headers_json(headers: &HeaderMap) -> String {
    let map: BTreeMap<_, _> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())))
        .collect();
    serde_json::to_string(&map).unwrap_or_default()
}

fn answer(socket: &Socket, message: Message, posts: &Posts) -> bool {
    let reply = match &message {
        Message::Text(text) => match text.as_str() {
            "give binary" => Message::from(vec![0, 1, 2, 3, 4]),
            "sendHeaders" => {
                let headers = posts
                    .lock()
                    .ok()
                    .and_then(|posts| posts.get(socket.sid().as_str()).cloned());
                Message::from(headers.unwrap_or_default())
            }
            "give utf8" => Message::from("пойду спать всем спокойной ночи"),
            _ => message,
        },
        Message::Binary(_) => message,
    };
    socket.send(reply).is_ok()
}

/// One task per session, which `greet` is the first to see; it ends with the session or when `answer` says false.
fn accept(
    server: Server,
    greet: fn(&Socket) -> bool,
    answer: impl Fn(&Socket, Message) -> bool + Send + Sync + 'static,
) {
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Some(mut socket) = server.accept().await {
            let answer = answer.clone();
            if !greet(&socket) {
                continue;
            }
            tokio::spawn(async move {
                while let Some(message) = socket.recv().await {
                    if !answer(&socket, message) {
                        break;
                    }
                }
            });
        }
    });
}
