//! How sessions of clients end, and what is told about it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use engine_io::{CloseReason, ReadyState, SendError, ServerConfig, Transport, TransportError};
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{BOTH, Detour, only};
use crate::support::{Host, drive, not_yet, soon, until};

#[tokio::test]
async fn the_server_hears_of_a_client_that_closes() {
    for transport in BOTH {
        let host = Host::new(ServerConfig::default()).await;
        let (client, mut server) = host.client_pair(&only(transport)).await;
        client.send("last words").unwrap();
        let (closed, received) = soon(async {
            tokio::join!(client.close(), async {
                (server.recv().await, server.recv().await)
            })
        })
        .await;
        assert_eq!(closed, ());
        assert_eq!(received, (Some("last words".into()), None));
        assert_eq!(server.close_reason(), Some(CloseReason::TransportClose));
        until(|| host.server.sessions() == 0).await;
    }
}

#[tokio::test]
async fn the_server_hears_of_a_client_that_is_dropped() {
    for transport in BOTH {
        for driven in [false, true] {
            let host = Host::new(ServerConfig::default()).await;
            let (mut client, mut server) = host.client_pair(&only(transport)).await;
            if driven {
                // A GET is parked.
                not_yet(&mut Box::pin(client.recv())).await;
                assert!(server.sender().is_writable());
            }
            drop(client);
            assert_eq!(soon(server.recv()).await, None);
            assert_eq!(server.close_reason(), Some(CloseReason::TransportClose));
            until(|| host.server.sessions() == 0).await;
        }
    }
}

#[tokio::test]
async fn a_client_hears_of_a_server_that_closes() {
    for transport in BOTH {
        let host = Host::new(ServerConfig::default()).await;
        let (mut client, server) = host.client_pair(&only(transport)).await;
        server.send("last words").unwrap();
        let sender = client.sender();
        let closing = tokio::spawn(server.close());
        assert_eq!(soon(client.recv()).await, Some("last words".into()));
        assert_eq!(soon(client.recv()).await, None);
        assert_eq!(client.close_reason(), Some(CloseReason::TransportClose));
        assert_eq!(sender.send("late"), Err(SendError::Closed));
        soon(closing).await.unwrap();
        match (transport, client.close_error()) {
            (Transport::Polling, None) => {}
            (Transport::WebSocket, Some(TransportError::Closed { code: None, .. })) => {}
            (_, error) => panic!("{error:?}"),
        }
    }
}

#[tokio::test]
async fn messages_beyond_the_server_s_limit_end_the_session_with_a_reason() {
    let host = Host::echo(ServerConfig::default().max_payload(100)).await;
    let mut client = host.connect(&only(Transport::Polling)).await.unwrap();
    client.send("x".repeat(101)).unwrap();
    assert_eq!(soon(client.recv()).await, None);
    assert_eq!(client.close_reason(), Some(CloseReason::TransportError));
    match client.close_error() {
        Some(TransportError::Status(refused)) => assert_eq!(refused.status, 413),
        other => panic!("{other:?}"),
    }

    let mut client = host.connect(&only(Transport::WebSocket)).await.unwrap();
    client.send("x".repeat(101)).unwrap();
    assert_eq!(soon(client.recv()).await, None);
    assert_eq!(client.close_reason(), Some(CloseReason::TransportClose));
    match client.close_error() {
        Some(TransportError::Closed { code, .. }) => assert_eq!(*code, Some(1009)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn messages_beyond_the_client_s_limit_end_the_session_with_a_reason() {
    let host = Host::new(ServerConfig::default()).await;
    for transport in BOTH {
        let (mut client, server) = host.client_pair(&only(transport).max_payload(500)).await;
        let (server, _driven) = drive(server);
        for length in [498, 499] {
            server.send("x".repeat(length)).unwrap();
            let message = soon(client.recv()).await.unwrap();
            assert_eq!(message.len(), length);
        }
        // With the type of the packet it is a byte more than the limit.
        server.send("x".repeat(500)).unwrap();
        assert_eq!(soon(client.recv()).await, None);
        assert_eq!(client.close_reason(), Some(CloseReason::TransportError));
        match (transport, client.close_error()) {
            (Transport::Polling, Some(TransportError::TooLarge { limit: 500 })) => {}
            (Transport::WebSocket, Some(TransportError::Violation(1009))) => {}
            (_, error) => panic!("{error:?}"),
        }
    }
}

#[tokio::test]
async fn a_session_that_the_server_has_forgotten_ends_with_its_code() {
    let first = Host::new(ServerConfig::default()).await;
    let second = Host::new(ServerConfig::default()).await;
    let config = only(Transport::Polling).connector(Detour::of_the_second(second.address));
    let (mut client, _server) = first.client_pair(&config).await;
    client.send("to a stranger").unwrap();
    assert_eq!(soon(client.recv()).await, None);
    match client.close_error() {
        Some(TransportError::Status(refused)) => {
            assert_eq!((refused.status, refused.code), (400, Some(1)));
            assert_eq!(refused.message, "Session ID unknown");
        }
        other => panic!("{other:?}"),
    }
}

/// A server by hand that opens sessions for polling, answers polls with the same body or never, and tells what is posted.
async fn polled(answer: Option<&'static str>) -> (String, UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (posts, posted) = unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let posts = posts.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                let posts = posts.clone();
                async move {
                    let query = request.uri().query().unwrap_or_default();
                    let body = if request.method() == Method::POST {
                        let body = request.into_body().collect().await?.to_bytes();
                        let _ = posts.send(String::from_utf8_lossy(&body).into_owned());
                        "ok"
                    } else if !query.contains("sid=") {
                        r#"0{"sid":"x","upgrades":[],"pingInterval":50,"pingTimeout":50}"#
                    } else if let Some(answer) = answer {
                        answer
                    } else {
                        std::future::pending().await
                    };
                    Ok::<_, hyper::Error>(Response::new(body.to_owned()))
                }
            });
            let stream = TokioIo::new(stream);
            tokio::spawn(http1::Builder::new().serve_connection(stream, service));
        }
    });
    (url, posted)
}

#[tokio::test]
async fn a_server_that_has_not_ended_a_session_itself_is_told_once() {
    for (answer, reason) in [
        // No packet, of whatever length.
        (Some("x"), CloseReason::TransportError),
        (Some(""), CloseReason::TransportError),
        // Silence.
        (None, CloseReason::PingTimeout),
    ] {
        let (url, mut posted) = polled(answer).await;
        let config = only(Transport::Polling);
        let connected = soon(engine_io::connect(&url, &config)).await;
        let mut client = connected.unwrap();
        assert_eq!(soon(client.recv()).await, None);
        assert_eq!(client.close_reason(), Some(reason));
        drop(client);
        assert_eq!(soon(posted.recv()).await.as_deref(), Some("1"));
        let silence = tokio::time::timeout(Duration::from_millis(50), posted.recv()).await;
        assert!(silence.is_err(), "{silence:?}");
    }
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    for transport in BOTH {
        let quick = Duration::from_millis(40);
        let host = Host::new(
            ServerConfig::default()
                .ping_interval(quick)
                .ping_timeout(quick),
        )
        .await;
        // Nobody drives the server's end, so it does not ping.
        let (mut client, server) = host.client_pair(&only(transport)).await;
        assert_eq!(soon(client.recv()).await, None);
        assert_eq!(client.close_reason(), Some(CloseReason::PingTimeout));
        drop(server);
    }
}

#[tokio::test]
async fn heartbeats_are_answered() {
    for transport in BOTH {
        let config = ServerConfig::default().ping_interval(Duration::from_millis(5));
        let host = Host::new(config).await;
        let (client, server) = host.client_pair(&only(transport)).await;
        let (sender, _client) = drive(client);
        let (server, _server) = drive(server);
        // Nothing but pongs, and of those one for each ping.
        until(|| server.counters().packets_in >= 20).await;
        assert_eq!(sender.state(), ReadyState::Open);
    }
}

#[tokio::test]
async fn sleep_is_noticed_by_the_time_of_day() {
    let host = Host::new(ServerConfig::default()).await;
    let day = Arc::new(Mutex::new(SystemTime::now()));
    let clock = day.clone();
    let config = only(Transport::WebSocket).wall_clock(move || *clock.lock());
    let (mut client, server) = host.client_pair(&config).await;
    let _server = drive(server);
    let sender = client.sender();
    not_yet(&mut Box::pin(client.recv())).await;
    *day.lock() += Duration::from_secs(44);
    assert!(!sender.heartbeat_expired());
    *day.lock() += Duration::from_secs(2);
    assert!(sender.heartbeat_expired());
    assert!(sender.heartbeat_expired(), "asked twice");
    assert_eq!(sender.send("late"), Err(SendError::Closed));
    assert_eq!(soon(client.recv()).await, None);
    assert_eq!(client.close_reason(), Some(CloseReason::PingTimeout));
}
