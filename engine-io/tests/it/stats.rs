//! What a server counts, and what it tells of refused requests.

use std::time::Duration;

use engine_io::{Refusal, ServerConfig, Stats, Transport};
use tokio::sync::mpsc::unbounded_channel;

use crate::support::{Header, Host, Http, WebSocket, drive, until, upgrade_headers};

/// Waits until the server's numbers are as they should be.
async fn settled(host: &Host, settled: impl Fn(&Stats) -> bool) -> Stats {
    until(|| settled(&host.server.stats())).await;
    host.server.stats()
}

#[tokio::test]
async fn sessions_count_by_transport_and_by_the_reason_of_their_end() {
    let host = Host::echo(ServerConfig::default()).await;
    assert_eq!(host.server.stats(), Stats::default());
    let mut polling = host.polling().await;
    let websockets = [host.websocket().await, host.websocket().await];
    let stats = host.server.stats();
    assert_eq!((stats.polling, stats.websocket), (1, 2));
    assert_eq!((stats.open(), stats.opened()), (3, 3));

    for mut websocket in websockets {
        websocket.writer.frame(Header::CLOSE, b"").await;
        websocket.check_close(None).await;
    }
    polling.say("4x\x1enonsense").await;
    let stats = settled(&host, |stats| stats.open() == 0).await;
    assert_eq!(
        (stats.closed.transport_close, stats.closed.parse_error),
        (2, 1)
    );
    assert_eq!((stats.closed.total(), stats.opened()), (3, 3));

    let last = host.websocket().await;
    host.server.close();
    last.check_close(None).await;
    let stats = host.server.stats();
    assert_eq!((stats.closed.forced_close, stats.opened()), (1, 4));
}

#[tokio::test]
async fn packets_and_bytes_stay_counted_when_their_session_is_over() {
    let host = Host::echo(ServerConfig::default()).await;
    let mut websocket = host.bare_websocket("").await;
    let open = websocket.text().await.len() as u64;
    for _ in 0..3 {
        websocket.send("4hi").await;
        assert_eq!(websocket.text().await, "4hi");
    }
    let check = |stats: &Stats| {
        assert_eq!((stats.packets_in, stats.bytes_in), (3, 9));
        assert_eq!((stats.packets_out, stats.bytes_out), (4, open + 9));
    };
    check(&host.server.stats());
    websocket.reset();
    check(&settled(&host, |stats| stats.open() == 0).await);
}

#[tokio::test]
async fn a_socket_tells_the_numbers_of_its_session() {
    let host = Host::new(ServerConfig::default()).await;
    let (polling, socket) = host.polling_pair().await;
    assert_eq!(socket.number(), 1);
    let (sender, _driven) = drive(socket);
    assert_eq!((sender.number(), sender.counters().packets_in), (1, 0));
    let mut polling = polling;
    polling.say("4a").await;
    assert_eq!(sender.counters().packets_in, 1);
    assert_eq!(sender.counters().packets_out, 1, "the handshake");
    let (_websocket, socket) = host.websocket_pair().await;
    assert_eq!(socket.number(), 2);
}

#[tokio::test]
async fn upgrades_count_when_they_are_done_and_when_they_fail() {
    let config = ServerConfig::default().upgrade_timeout(Duration::from_millis(500));
    let host = Host::echo(config).await;
    let polling = host.polling().await;
    let query = format!("&sid={}", polling.sid);
    let mut candidate = WebSocket::connect(host.address, &query).await;
    candidate.send("4not a probe").await;
    candidate.check_close(None).await;
    let idle = WebSocket::connect(host.address, &query).await;
    idle.check_close(None).await;
    let mut candidate = WebSocket::connect(host.address, &query).await;
    candidate.send("5").await;
    let stats = settled(&host, |stats| stats.upgraded == 1).await;
    assert_eq!(
        (stats.upgrades_failed, stats.polling, stats.websocket),
        (2, 0, 1)
    );
    candidate.reset();
    let stats = settled(&host, |stats| stats.open() == 0).await;
    assert_eq!((stats.upgraded, stats.upgrades_failed), (1, 2));
}

#[tokio::test]
async fn what_waits_and_what_was_dropped_is_counted() {
    let host = Host::new(ServerConfig::default().outbox_limit(100)).await;
    let (mut polling, socket) = host.polling_pair().await;
    let (sender, _driven) = drive(socket);
    let text = "x".repeat(80);
    sender.send(text.as_str()).unwrap();
    assert!(sender.send(text.as_str()).is_err());
    let frame = engine_io::Frame::message("volatile");
    assert_eq!(sender.send_volatile(&frame, &[]), Ok(false));
    let stats = host.server.stats();
    // The frame has a header of two bytes, the packet its type.
    assert_eq!(stats.queued_bytes, 83);
    assert_eq!((stats.full, stats.skipped), (1, 1));
    polling.poll().await.check(200, &format!("4{text}"));
    polling.park().await;
    until(|| sender.is_writable()).await;
    assert_eq!(sender.send_volatile(&frame, &[]), Ok(true));
    polling.parked().await.check(200, "4volatile");
    assert_eq!(host.server.stats().queued_bytes, 0);
    sender.abort();
    let stats = settled(&host, |stats| stats.open() == 0).await;
    assert_eq!((stats.full, stats.skipped), (1, 1));
}

/// Sends a request that is refused, and returns what was told of it.
async fn refused(
    host: &Host,
    observed: &mut tokio::sync::mpsc::UnboundedReceiver<(Refusal, String)>,
    method: &str,
    query: &str,
    headers: &str,
) -> (u16, String, Refusal) {
    let target = format!("/engine.io/?{query}");
    let mut http = Http::connect(host.address).await;
    let reply = http.request(method, &target, headers, b"").await;
    let (refusal, seen) = observed.recv().await.unwrap();
    assert_eq!(seen, target, "the hook sees the request");
    (reply.status, reply.text().to_owned(), refusal)
}

#[tokio::test]
async fn each_refusal_is_told_with_its_code() {
    let (sender, mut observed) = unbounded_channel();
    let config = ServerConfig::default()
        .transports([Transport::Polling, Transport::WebSocket])
        .allow_request(|parts| {
            let refused = parts.headers.get("refused").cloned();
            async move {
                match refused {
                    Some(text) => Err(text.to_str().unwrap().to_owned()),
                    None => Ok(()),
                }
            }
        })
        .generate_id(|_| async { Err("no ids today".to_owned()) })
        .on_refusal(move |refusal, parts| {
            let target = parts.uri.path_and_query().unwrap().to_string();
            sender.send((refusal.clone(), target)).unwrap();
        });
    let host = Host::new(config).await;
    let websocket = upgrade_headers();
    let forbidden = |text: &str| Refusal::Forbidden(text.to_owned());
    let mut expected = [0; 6];
    let refusals = [
        ("GET", "EIO=4", Refusal::UnknownTransport(None)),
        (
            "GET",
            "EIO=4&transport=carrier_pigeon",
            Refusal::UnknownTransport(Some("carrier_pigeon".into())),
        ),
        (
            "GET",
            "EIO=4&transport=polling&sid=nobody",
            Refusal::UnknownSid("nobody".into()),
        ),
        (
            "POST",
            "EIO=4&transport=polling",
            Refusal::BadHandshakeMethod(http::Method::POST),
        ),
        (
            "GET",
            "EIO=4&transport=polling",
            Refusal::IdGeneration("no ids today".into()),
        ),
        (
            "GET",
            "EIO=3&transport=polling",
            Refusal::UnsupportedProtocol(Some("3".into())),
        ),
    ];
    for (method, query, refusal) in refusals {
        for upgrade in [false, true] {
            if upgrade && method == "POST" {
                continue;
            }
            let query = if upgrade {
                query.replace("polling", "websocket")
            } else {
                query.to_owned()
            };
            let headers = if upgrade { websocket } else { "" };
            let (status, body, seen) = refused(&host, &mut observed, method, &query, headers).await;
            assert_eq!((status, &seen), (400, &refusal), "{query}");
            let message = refusal.message();
            let expected_body = match upgrade {
                true => message.to_owned(),
                false => format!(r#"{{"code":{},"message":"{message}"}}"#, refusal.code()),
            };
            assert_eq!(body, expected_body);
            expected[usize::from(refusal.code())] += 1;
        }
    }
    let query = "EIO=4&transport=websocket";
    let (_, body, seen) = refused(&host, &mut observed, "GET", query, "").await;
    assert_eq!(
        (body.as_str(), seen),
        (
            r#"{"code":3,"message":"Bad request"}"#,
            Refusal::TransportHandshake
        )
    );
    let headers = websocket.replace("13", "7");
    let (_, _, seen) = refused(&host, &mut observed, "GET", query, &headers).await;
    assert!(matches!(seen, Refusal::WebSocketHandshake(_)), "{seen:?}");
    expected[3] += 2;
    let query = "EIO=4&transport=polling";
    for (text, message) in [("no guests", "no guests"), ("", "Forbidden")] {
        let headers = format!("Refused: {text}\r\n");
        let (status, body, seen) = refused(&host, &mut observed, "GET", query, &headers).await;
        assert_eq!((status, seen), (403, forbidden(text)));
        assert_eq!(body, format!(r#"{{"code":4,"message":"{message}"}}"#));
        expected[4] += 1;
    }
    assert_eq!(host.server.stats().refused, expected);
}

#[tokio::test]
async fn a_refusal_that_concerns_a_session_has_its_context() {
    let (sender, mut observed) = unbounded_channel();
    let config = ServerConfig::default()
        .allow_eio3(true)
        .on_refusal(move |refusal, parts| {
            let target = parts.uri.path_and_query().unwrap().to_string();
            sender.send((refusal.clone(), target)).unwrap();
        });
    let host = Host::echo(config).await;
    let polling = host.polling().await;
    let query = format!("EIO=3&transport=polling&sid={}", polling.sid);
    let (_, _, seen) = refused(&host, &mut observed, "GET", &query, "").await;
    assert_eq!(seen, Refusal::ProtocolMismatch(Some("3".into())));
    assert_eq!(seen.name(), Some("PROTOCOL_MISMATCH"));
    let mut candidate = WebSocket::connect(host.address, &format!("&sid={}", polling.sid)).await;
    candidate.send("5").await;
    settled(&host, |stats| stats.upgraded == 1).await;
    let query = format!("EIO=4&transport=polling&sid={}", polling.sid);
    let (_, _, seen) = refused(&host, &mut observed, "GET", &query, "").await;
    assert_eq!(seen.name(), Some("TRANSPORT_MISMATCH"));
    assert_eq!(
        seen.to_string(),
        "request over polling for a session on websocket"
    );
    assert_eq!(host.server.stats().refused, [0, 0, 0, 2, 0, 0]);
}

#[tokio::test]
async fn a_client_gets_its_refusal_though_the_hook_panics() {
    let config = ServerConfig::default().on_refusal(|_, _| panic!("on purpose"));
    let host = Host::new(config).await;
    let reply = host.http().await.get("/engine.io/?EIO=4").await;
    reply.check(400, r#"{"code":0,"message":"Transport unknown"}"#);
}
