//! How sessions open, and why they do not.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use engine_io::{ClientConfig, ConnectError, ServerConfig, Transport, TransportError, UrlError};
use http::{HeaderName, HeaderValue};
use parking_lot::Mutex;
use tokio::net::TcpListener;

use super::{BOTH, answers, check_echo, only, transport_error, upgraded};
use crate::support::{Host, drive, soon};

const HTTP_OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: ";

#[tokio::test]
async fn messages_travel_over_either_transport() {
    let host = Host::echo(ServerConfig::default()).await;
    for transport in BOTH {
        for base64 in [false, true] {
            let config = only(transport).force_base64(base64);
            let mut socket = host.connect(&config).await.unwrap();
            assert_eq!(socket.transport(), transport);
            check_echo(&mut socket).await;
            let handshake = socket.handshake().unwrap();
            assert_eq!(handshake.sid, socket.sid().as_str());
            assert_eq!(handshake.max_payload, 1_000_000);
            assert_eq!(handshake.ping_interval, Duration::from_secs(25));
            soon(socket.close()).await;
        }
    }
}

#[tokio::test]
async fn requests_carry_what_the_configuration_says() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let record = seen.clone();
    let host = Host::echo(ServerConfig::default().headers(move |_, parts| {
        let header = parts
            .headers
            .get("x-test")
            .map(|value| value.to_str().unwrap().to_owned());
        let authorization = parts.headers.get("authorization").is_some();
        record
            .lock()
            .push((parts.uri.to_string(), header, authorization));
    }))
    .await;
    let config = ClientConfig::default()
        .query("token", "a b")
        .header(
            HeaderName::from_static("x-test"),
            HeaderValue::from_static("1"),
        )
        .protocols(["one", "two"]);
    let url = format!("http://user:password@{}/ignored?more=1", host.address);
    let mut socket = soon(engine_io::connect(&url, &config)).await.unwrap();
    upgraded(&mut socket).await;
    check_echo(&mut socket).await;
    assert_eq!(socket.request().header("x-test"), Some("1"));
    assert_eq!(socket.protocol(), Some("one"), "the server takes the first");
    let seen = seen.lock();
    assert!(seen.len() >= 3, "{seen:?}");
    for (target, header, authorization) in seen.iter() {
        assert!(
            target.starts_with("/engine.io/?token=a+b&more=1&EIO=4&transport="),
            "{target}"
        );
        assert_eq!(
            target.contains("&t="),
            target.contains("polling"),
            "{target}"
        );
        assert_eq!(header.as_deref(), Some("1"));
        assert!(authorization);
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    for transport in BOTH {
        let result = soon(engine_io::connect(&url, &only(transport))).await;
        let text = format!("{}", result.as_ref().unwrap_err());
        assert_eq!(text, format!("{transport} did not open"));
        match transport_error(result) {
            TransportError::Connect { cause, target } => {
                assert_eq!(cause.kind(), std::io::ErrorKind::ConnectionRefused);
                assert!(url.ends_with(&target));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn refusals_carry_status_and_code() {
    let config = ServerConfig::default().allow_request(|_| async { Err("not today".into()) });
    let host = Host::new(config).await;
    for transport in BOTH {
        match transport_error(host.connect(&only(transport)).await) {
            TransportError::Status(refused) => {
                // To a WebSocket, servers say it in plain text.
                let expected = match transport {
                    Transport::WebSocket => (400, None),
                    _ => (403, Some(4)),
                };
                assert_eq!((refused.status, refused.code), expected);
                assert_eq!(refused.message, "not today");
            }
            other => panic!("{other:?}"),
        }
        match transport_error(host.connect(&only(transport).path("/other")).await) {
            TransportError::Status(refused) => assert_eq!(refused.code, None),
            // An upgrade for an unknown path ends without an answer.
            TransportError::Http(_) => assert_eq!(transport, Transport::WebSocket),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn what_is_no_server_fails_at_once() {
    let long = "x".repeat(100);
    for (transport, answer) in [
        (Transport::Polling, format!("{HTTP_OK}1\r\n\r\n1")),
        (Transport::Polling, format!("{HTTP_OK}0\r\n\r\n")),
        (Transport::Polling, format!("{HTTP_OK}5\r\n\r\nhello")),
        (Transport::Polling, format!("{HTTP_OK}3\r\n\r\n0{{}}")),
        (Transport::Polling, format!("{HTTP_OK}100\r\n\r\n{long}")),
        (Transport::Polling, format!("{HTTP_OK}5\r\n\r\n")),
        (Transport::Polling, String::new()),
        (Transport::Polling, "SSH-2.0\r\n\r\n".into()),
        (Transport::WebSocket, format!("{HTTP_OK}5\r\n\r\nhello")),
        (Transport::WebSocket, "HTTP/1.1 101 Switching Protocols\r\n\r\n".into()),
        (
            Transport::WebSocket,
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n".into(),
        ),
    ] {
        let url = answers(answer.clone()).await;
        let result = soon(engine_io::connect(&url, &only(transport).max_payload(50))).await;
        transport_error(result);
    }
}

#[tokio::test]
async fn a_websocket_that_is_closed_before_the_open_packet_fails_at_once() {
    use tokio::io::AsyncWriteExt;

    for (end, code) in [
        (&b"\x88\x02\x03\xf1"[..], Some(1009)),
        (b"\x88\x00", None),
        (b"", None),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let (mut stream, head) = super::request(stream).await;
            let answer = super::upgrade::accepted(&head);
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.write_all(end).await.unwrap();
        });
        let result = soon(engine_io::connect(&url, &only(Transport::WebSocket))).await;
        match transport_error(result) {
            TransportError::Closed { code: told, .. } => assert_eq!(told, code),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn time_is_limited() {
    // Accepts connections and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let short = Duration::from_millis(20);
    for transport in BOTH {
        let result = soon(engine_io::connect(
            &url,
            &only(transport).connect_timeout(short),
        ))
        .await;
        assert!(matches!(result, Err(ConnectError::Timeout(after)) if after == short));
    }
    let config = only(Transport::Polling).request_timeout(short);
    let result = soon(engine_io::connect(&url, &config)).await;
    assert!(
        matches!(transport_error(result), TransportError::RequestTimeout(after) if after == short)
    );
}

#[tokio::test]
async fn urls_and_transports_have_to_be_there() {
    let config = ClientConfig::default();
    for (url, expected) in [
        ("localhost:3000", UrlError::Scheme("localhost".into())),
        ("ftp://localhost", UrlError::Scheme("ftp".into())),
    ] {
        match engine_io::connect(url, &config).await {
            Err(ConnectError::Url(error)) => assert_eq!(error, expected),
            other => panic!("{other:?}"),
        }
    }
    let result = engine_io::connect("http://localhost", &config.transports([])).await;
    assert!(matches!(result, Err(ConnectError::NoTransports)));
}

/// Longer than the target of a request can be.
const TOO_LONG: usize = 1 << 16;

#[tokio::test]
async fn a_query_that_is_too_long_for_a_request_is_an_error() {
    let host = Host::new(ServerConfig::default()).await;
    for transport in BOTH {
        let config = only(transport).query("token", "x".repeat(TOO_LONG));
        let error = transport_error(soon(host.connect(&config)).await);
        assert_eq!(error.source().unwrap().to_string(), "uri too long");
    }
}

#[tokio::test]
async fn a_session_id_that_is_too_long_for_a_request_ends_the_session() {
    let sid = "x".repeat(TOO_LONG);
    let open = format!(
        r#"0{{"sid":"{sid}","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000}}"#
    );
    let url = answers(format!("{HTTP_OK}{}\r\n\r\n{open}", open.len())).await;
    let config = ClientConfig::default();
    let mut client = soon(engine_io::connect(&url, &config)).await.unwrap();
    assert_eq!(soon(client.recv()).await, None);
    let error = client.close_error().unwrap();
    assert_eq!(error.source().unwrap().to_string(), "uri too long");
}

#[tokio::test]
async fn the_next_transport_is_tried_when_that_is_wanted() {
    for transport in BOTH {
        let host = Host::echo(ServerConfig::default().transports([transport])).await;
        let other = BOTH.into_iter().find(|&other| other != transport).unwrap();
        let config = ClientConfig::default().transports([other, transport]);
        match host.connect(&config).await {
            Err(ConnectError::Transport(failed, TransportError::Status(refused))) => {
                assert_eq!(failed, other);
                assert_eq!(refused.message, "Transport unknown");
            }
            result => panic!("{result:?}"),
        }
        let mut socket = host
            .connect(&config.try_all_transports(true))
            .await
            .unwrap();
        assert_eq!(socket.transport(), transport);
        check_echo(&mut socket).await;
    }
}

#[tokio::test]
async fn an_upgrade_is_remembered_by_those_who_want_that() {
    let host = Host::echo(ServerConfig::default()).await;
    for remember in [false, true] {
        let config = ClientConfig::default().remember_upgrade(remember);
        let mut first = host.connect(&config).await.unwrap();
        assert_eq!(first.transport(), Transport::Polling);
        upgraded(&mut first).await;
        let second = host.connect(&config).await.unwrap();
        assert_eq!(second.transport() == Transport::WebSocket, remember);
        let stranger = host
            .connect(&ClientConfig::default().remember_upgrade(true))
            .await
            .unwrap();
        assert_eq!(stranger.transport(), Transport::Polling);
    }
    // A connection that is lost does not end the memory.
    let host = Host::new(ServerConfig::default()).await;
    let config = ClientConfig::default().remember_upgrade(true);
    let (mut client, server) = host.client_pair(&config).await;
    let (sender, _server) = drive(server);
    upgraded(&mut client).await;
    sender.close();
    assert_eq!(soon(client.recv()).await, None);
    let (client, _server) = host.client_pair(&config).await;
    assert_eq!(client.transport(), Transport::WebSocket);
}

#[tokio::test]
async fn a_failed_attempt_ends_the_memory_of_an_upgrade() {
    let host = Host::echo(ServerConfig::default()).await;
    let config = ClientConfig::default().remember_upgrade(true);
    let mut socket = host.connect(&config).await.unwrap();
    upgraded(&mut socket).await;
    transport_error(soon(engine_io::connect("http://127.0.0.1:1", &config)).await);
    let socket = host.connect(&config).await.unwrap();
    assert_eq!(socket.transport(), Transport::Polling);
}

#[tokio::test]
async fn who_gives_up_while_a_session_opens_leaves_none_behind() {
    for transport in BOTH {
        let (entered, mut waiting) = tokio::sync::mpsc::unbounded_channel();
        let gate = Arc::new(tokio::sync::Semaphore::new(0));
        let pass = gate.clone();
        let host = Host::new(ServerConfig::default().allow_request(move |_| {
            let (entered, pass) = (entered.clone(), pass.clone());
            async move {
                entered.send(()).unwrap();
                pass.acquire().await.unwrap().forget();
                Ok(())
            }
        }))
        .await;
        let (url, config) = (host.url(), only(transport));
        let connecting = tokio::spawn(async move { engine_io::connect(&url, &config).await });
        soon(waiting.recv()).await.unwrap();
        connecting.abort();
        assert!(soon(connecting).await.unwrap_err().is_cancelled());
        gate.add_permits(1);
        if transport == Transport::Polling {
            // The session came to be, and was closed by a packet, not by its heartbeat.
            let mut socket = host.accept().await;
            assert_eq!(soon(socket.recv()).await, None);
            assert_eq!(
                socket.close_reason(),
                Some(engine_io::CloseReason::TransportClose)
            );
        }
        crate::support::until(|| host.server.sessions() == 0).await;
    }
}
