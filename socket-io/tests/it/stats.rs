//! What the server counts, and what it tells of refused requests.

use std::sync::Mutex;

use serde_json::json;
use socket_io::{Data, EngineStats, Refusal, RequestRefusal, Socket, State, Stats};

use crate::support::{Gate, Shelf, Stage, respond, until};

#[tokio::test]
async fn a_server_without_clients_counts_its_namespaces() {
    let stage = Stage::new();
    stage.io.of("/chat");
    let stats = stage.io.stats();
    assert_eq!((stats.namespaces, stats.sockets), (2, 0));
    assert_eq!(stats.engine, EngineStats::default());
    let numbers = serde_json::to_value(&stats).unwrap();
    assert_eq!(numbers["engine"]["refused"], json!([0, 0, 0, 0, 0, 0]));
    assert_eq!(numbers["engine"]["closed"]["ping_timeout"], json!(0));
}

#[tokio::test]
async fn sockets_handlers_and_acknowledgements_count_for_as_long_as_they_are_there() {
    let stage = Stage::with(|builder| builder.state(Shelf::<Vec<Socket>>::default()));
    let wait = async |State(gate): State<Gate>| gate.pass().await;
    stage
        .io
        .of("/")
        .on("wait", wait)
        .on("ask", async |socket: Socket| {
            let _ = socket.emit_with_ack::<u8>("question", &()).await;
        });
    stage.io.of("/other").on("wait", wait);
    let host = stage.listen().await;
    let numbers = |stats: Stats| (stats.sockets, stats.handlers_running, stats.acks_pending);
    let (mut client, _) = host.member().await;
    client.join("/other").await;
    let (_second, _) = host.member().await;
    assert_eq!(numbers(host.io.stats()), (3, 0, 0));
    for packet in [r#"42["wait"]"#, r#"42/other,["wait"]"#] {
        client.send(packet).await;
    }
    client.ask(r#"42["ask"]"#, r#"420["question"]"#).await;
    // The two namespaces share a connection, and each handler counts once.
    assert_eq!(numbers(host.io.stats()), (3, 3, 1));
    client.send("430[1]").await;
    until(|| numbers(host.io.stats()) == (3, 2, 0)).await;
    host.open_gate(2);
    until(|| numbers(host.io.stats()) == (3, 0, 0)).await;
    drop(client);
    until(|| numbers(host.io.stats()) == (1, 0, 0)).await;
    assert_eq!(host.io.stats().engine.closed.transport_close, 1);
}

#[tokio::test]
async fn failures_are_counted() {
    let stage = Stage::with(|builder| builder.outbox_limit(1000));
    stage
        .io
        .of("/")
        .on("number", async |Data(number): Data<u8>| number);
    stage
        .io
        .of("/closed")
        .middleware(async || Err::<(), _>(Refusal::new("closed")));
    let mut polling = stage.polling().await;
    polling.join().await;
    polling.send(r#"42["number","x"]"#).await;
    polling.send("40/closed,\x1e40/nowhere,").await;
    polling.check(r#"44/closed,{"message":"closed"}"#).await;
    polling
        .check(r#"44/nowhere,{"message":"Invalid namespace"}"#)
        .await;
    let stats = stage.io.stats();
    assert_eq!((stats.handler_failures, stats.joins_refused), (1, 2));

    for _ in 0..2 {
        stage.io.emit("x", &"x".repeat(800)).unwrap();
    }
    let volatile = stage.io.of("/").all().volatile();
    until(|| stage.io.stats().engine.open() == 0).await;
    assert_eq!(
        volatile.emit("x", &()).unwrap().skipped,
        0,
        "nobody is left"
    );
    let stats = stage.io.stats();
    assert_eq!((stats.overflowed, stats.engine.full), (1, 1));
    assert_eq!(stats.engine.closed.forced_close, 1);
}

#[tokio::test]
async fn volatile_events_that_are_dropped_are_counted() {
    let stage = Stage::with(|builder| builder.state(Shelf::<Socket>::default()));
    stage
        .io
        .of("/")
        .on_connect(async |socket: Socket, State(shelf): State<Shelf<Socket>>| shelf.put(socket));
    let mut polling = stage.polling().await;
    let id = polling.join().await;
    // No GET is parked.
    for _ in 0..2 {
        assert_eq!(
            stage.io.to(&id).volatile().emit("x", &()).unwrap().skipped,
            1
        );
    }
    assert_eq!(stage.io.stats().engine.skipped, 2);
    let socket = stage.io.of("/").socket(&id).unwrap();
    assert_eq!(socket.counters().skipped, 2);
    // The handshake, CONNECT both ways.
    assert_eq!(
        (socket.counters().packets_in, socket.counters().packets_out),
        (1, 2)
    );
}

#[tokio::test]
async fn refused_requests_are_told_with_the_official_codes() {
    let seen = std::sync::Arc::new(Mutex::new(Vec::new()));
    let told = seen.clone();
    let stage = Stage::with(|builder| {
        builder
            .allow_request(|parts| {
                let guest = parts.headers.contains_key("guest");
                std::future::ready(if guest {
                    Err("members only".to_owned())
                } else {
                    Ok(())
                })
            })
            .on_refusal(move |refusal: &RequestRefusal, parts| {
                let line = (
                    refusal.code(),
                    refusal.message().to_owned(),
                    parts.uri.path().to_owned(),
                );
                told.lock().unwrap().push(line);
            })
    });
    let requests = [
        ("GET", "EIO=4", ""),
        ("GET", "EIO=4&transport=polling&sid=x", ""),
        ("PUT", "EIO=4&transport=polling", ""),
        ("GET", "EIO=4&transport=websocket", ""),
        ("GET", "EIO=4&transport=polling", "guest"),
        ("GET", "EIO=3&transport=polling", ""),
    ];
    for (code, (method, query, header)) in requests.into_iter().enumerate() {
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("/socket.io/?{query}"));
        if !header.is_empty() {
            request = request.header(header, "yes");
        }
        let response = respond(&stage.io, request.body(String::new().into()).unwrap()).await;
        let status = if code == 4 { 403 } else { 400 };
        assert_eq!(response.status(), status, "{query}");
    }
    let messages = [
        "Transport unknown",
        "Session ID unknown",
        "Bad handshake method",
        "Bad request",
        "members only",
        "Unsupported protocol version",
    ];
    let expected = (0..)
        .zip(messages)
        .map(|(code, message)| (code, message.to_owned(), "/socket.io/".to_owned()));
    assert_eq!(*seen.lock().unwrap(), expected.collect::<Vec<_>>());
    assert_eq!(stage.io.stats().engine.refused, [1; 6]);
}
