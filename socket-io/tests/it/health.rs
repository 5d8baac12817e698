//! What the server tells of its health, from within and over HTTP.

use http::{Method, Request, Response};
use http_body_util::Full;
use serde_json::{Value, json};
use socket_io::{Health, ServerState, SocketIo};

use crate::support::{Stage, respond};

async fn ask(io: &SocketIo, method: Method, path: &str) -> Response<bytes::Bytes> {
    let request = Request::builder().method(method).uri(path);
    respond(io, request.body(Full::default()).unwrap()).await
}

#[tokio::test]
async fn health_counts_connections_and_sockets() {
    let stage = Stage::new();
    stage.io.of("/other");
    let mut clients = [stage.polling().await, stage.polling().await];
    for client in &mut clients {
        client.join().await;
    }
    clients[0].send("40/other,").await;
    clients[0].packet().await;
    let health: Health = stage.io.health();
    assert_eq!(health.state, ServerState::Serving);
    assert_eq!((health.connections, health.sockets), (2, 3));
    assert_eq!(health.unfinished_handlers, 0);
}

#[tokio::test]
async fn health_is_told_at_its_path() {
    let stage = Stage::with(|builder| builder.health_path("/healthz"));
    let mut client = stage.polling().await;
    client.join().await;
    for (close, status, state, open) in [
        (false, 200, "serving", 1),
        // The connection's task has not been told yet.
        (true, 503, "closed", 1),
    ] {
        if close {
            stage.io.close();
        }
        let response = ask(&stage.io, Method::GET, "/healthz").await;
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let mut body: Value = serde_json::from_slice(response.body()).unwrap();
        assert!(body["uptime"].take().is_u64());
        let expected = json!({
            "state": state, "connections": open, "sockets": if close { 0 } else { 1 }, "unfinished_handlers": 0, "uptime": null,
        });
        assert_eq!(body, expected);
    }
    for (method, path, status) in [
        (Method::HEAD, "/healthz", 503),
        (Method::POST, "/healthz", 405),
        (Method::GET, "/healthz/", 404),
        (Method::GET, "/", 404),
    ] {
        let response = ask(&stage.io, method, path).await;
        assert_eq!(response.status(), status, "{path}");
    }
}

#[tokio::test]
async fn without_a_path_health_is_not_told() {
    let response = ask(&Stage::new().io, Method::GET, "/healthz").await;
    assert_eq!(response.status(), 404);
}
