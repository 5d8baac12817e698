//! HTTP/1.1 of the stand-alone listener: plain requests, and what is left to hyper.

use std::time::Duration;

use engine_io::ServerConfig;
use tokio::io::AsyncReadExt;

use crate::support::{Host, Http, WebSocket, drive, not_yet, soon, until, upgrade_headers};

const HANDSHAKE: &str = "/engine.io/?EIO=4&transport=polling";

/// The target of a session that this connection opens.
async fn open(http: &mut Http) -> String {
    let opened = http.get(HANDSHAKE).await;
    assert_eq!(opened.status, 200);
    let sid = opened.text().split('"').nth(3).unwrap();
    format!("{HANDSHAKE}&sid={sid}")
}

/// Checks that a session sends back what it gets, over this connection alone.
async fn check_echo(http: &mut Http, target: &str, text: &str) {
    let post = http.request("POST", target, "", text.as_bytes());
    post.await.check(200, "ok");
    http.get(target).await.check(200, text);
}

#[tokio::test]
async fn requests_may_come_in_pieces() {
    let host = Host::echo(ServerConfig::default()).await;
    let mut other = host.http().await;
    for size in [1, 7, 40] {
        let mut http = host.http().await;
        let target = open(&mut http).await;
        let post =
            format!("POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n4hello world");
        for piece in post.as_bytes().chunks(size) {
            http.write(piece).await;
            // The server has read it by the time that it answers what came later.
            assert_eq!(other.get("/engine.io/").await.status, 400);
        }
        http.reply(false).await.check(200, "ok");
        http.get(&target).await.check(200, "4hello world");
        check_echo(&mut http, &target, "4again").await;
    }
}

#[tokio::test]
async fn requests_may_follow_each_other_at_once() {
    let host = Host::echo(ServerConfig::default()).await;
    let mut http = host.http().await;
    let target = open(&mut http).await;
    let post = |text| format!("POST {target} HTTP/1.1\r\nContent-Length: 2\r\n\r\n{text}");
    let get = format!("GET {target} HTTP/1.1\r\n\r\n");
    http.write([post("4a"), get.clone(), post("4b"), get.clone()].concat())
        .await;
    for body in ["ok", "4a", "ok", "4b"] {
        http.reply(false).await.check(200, body);
    }
    // The second waits for the first, which waits for a message.
    http.write([get.clone(), get].concat()).await;
    let mut other = host.http().await;
    for text in ["4d", "4e"] {
        other
            .request("POST", &target, "", text.as_bytes())
            .await
            .check(200, "ok");
        http.reply(false).await.check(200, text);
    }
}

#[tokio::test]
async fn a_body_may_come_later_than_its_head() {
    const SIZE: usize = 300_000;
    let host = Host::echo(ServerConfig::default()).await;
    let mut http = host.http().await;
    let target = open(&mut http).await;
    let text = format!("4{}", "x".repeat(SIZE));
    for pieces in [1, 2, 30] {
        let head = format!(
            "POST {target} HTTP/1.1\r\nContent-Length: {}\r\n\r\n",
            text.len()
        );
        http.write(head).await;
        for piece in text.as_bytes().chunks(text.len().div_ceil(pieces)) {
            http.write(piece).await;
        }
        http.reply(false).await.check(200, "ok");
        http.get(&target).await.check(200, &text);
    }
}

#[tokio::test]
async fn a_client_that_leaves_within_a_body_ends_its_session() {
    let host = Host::echo(ServerConfig::default()).await;
    let mut http = host.http().await;
    let target = open(&mut http).await;
    http.write(format!(
        "POST {target} HTTP/1.1\r\nContent-Length: 9\r\n\r\n4a"
    ))
    .await;
    drop(http);
    until(|| host.server.sessions() == 0).await;
}

#[tokio::test]
async fn a_body_that_nobody_wants_is_passed_over() {
    let host = Host::echo(ServerConfig::default()).await;
    let mut http = host.http().await;
    let unknown = format!("{HANDSHAKE}&sid=nobody");
    for _ in 0..2 {
        http.write(format!(
            "POST {unknown} HTTP/1.1\r\nContent-Length: 60000\r\n\r\n"
        ))
        .await;
        assert_eq!(http.reply(false).await.status, 400);
        http.write("x".repeat(60_000)).await;
    }
    let target = open(&mut http).await;
    check_echo(&mut http, &target, "4a").await;
    // One that is too long for that ends the connection.
    http.write(format!(
        "POST {unknown} HTTP/1.1\r\nContent-Length: 70000\r\n\r\n"
    ))
    .await;
    let refused = http.reply(false).await;
    assert_eq!(
        (refused.status, refused.header("connection")),
        (400, Some("close"))
    );
    assert!(http.is_ended().await);
}

#[tokio::test]
async fn what_is_out_of_the_ordinary_is_served_as_well() {
    let host = Host::echo(ServerConfig::default()).await;
    let cookie = format!("Cookie: {}\r\n", "x".repeat(20_000));
    let many: String = (0..80).map(|number| format!("x-{number}: 1\r\n")).collect();
    for headers in [cookie, many] {
        let mut http = host.http().await;
        let target = open(&mut http).await;
        let post = http.request("POST", &target, &headers, b"4a");
        post.await.check(200, "ok");
        http.get(&target).await.check(200, "4a");
        check_echo(&mut http, &target, "4b").await;
    }

    let mut http = host.http().await;
    let target = open(&mut http).await;
    let head = format!("POST {target} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
    http.write([head.as_str(), "2\r\n4a\r\n0\r\n\r\n"].concat())
        .await;
    http.reply(false).await.check(200, "ok");
    http.get(&target).await.check(200, "4a");

    let mut http = host.http().await;
    let target = open(&mut http).await;
    let headers = "Expect: 100-continue\r\nContent-Length: 2\r\n";
    http.write(format!("POST {target} HTTP/1.1\r\n{headers}\r\n"))
        .await;
    assert_eq!(http.reply(true).await.status, 100);
    http.write("4a").await;
    http.reply(false).await.check(200, "ok");

    let mut http = host.http().await;
    http.get(HANDSHAKE).await;
    http.get("/other").await.check(404, "");
    assert_eq!(http.request("HEAD", HANDSHAKE, "", b"").await.status, 400);
    let opened = http
        .request("GET", HANDSHAKE, "Connection: close\r\n", b"")
        .await;
    assert_eq!(
        (opened.status, opened.header("connection")),
        (200, Some("close"))
    );
    assert!(http.is_ended().await);

    for wrong in [
        "Content-Length: 1\r\nContent-Length: 2\r\n",
        "Content-Length: +1\r\n",
    ] {
        let mut http = host.http().await;
        let target = open(&mut http).await;
        http.write(format!("POST {target} HTTP/1.1\r\n{wrong}\r\n4"))
            .await;
        assert_eq!(http.reply(false).await.status, 400);
    }
}

#[tokio::test]
async fn a_connection_that_was_used_may_become_a_websocket() {
    let host = Host::echo(ServerConfig::default()).await;
    let target = "/engine.io/?EIO=4&transport=websocket";
    // With a long head it is hyper that hands out the connection.
    let long = format!("{}Cookie: {}\r\n", upgrade_headers(), "x".repeat(20_000));
    for headers in [upgrade_headers(), &long] {
        let mut http = host.http().await;
        http.get(HANDSHAKE).await;
        let refused = http
            .request("GET", &format!("{target}&sid=no"), headers, b"")
            .await;
        assert_eq!(refused.status, 400);
        assert!(http.is_ended().await);

        let mut http = host.http().await;
        http.get(HANDSHAKE).await;
        let accepted = http.request("GET", target, headers, b"").await;
        assert_eq!(
            (accepted.status, accepted.header("upgrade")),
            (101, Some("websocket"))
        );
        let mut websocket = WebSocket::new(http.stream, http.ahead);
        websocket.handshake().await;
        websocket.send("4a").await;
        assert_eq!(websocket.text().await, "4a");
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_time_and_a_waiting_one_is_not() {
    let host = Host::new(ServerConfig::default().ping_interval(Duration::from_secs(300))).await;
    let (mut polling, socket) = host.polling_pair().await;
    let (sender, _driven) = drive(socket);
    polling.park().await;
    until(|| sender.is_writable()).await;
    let mut idle = host.http().await;
    idle.get("/engine.io/").await;
    tokio::time::pause();
    let begin = tokio::time::Instant::now();
    idle.stream.read_to_end(&mut Vec::new()).await.unwrap();
    assert_eq!(begin.elapsed().as_secs_f64().round(), 30.0);
    tokio::time::sleep(Duration::from_secs(100)).await;
    tokio::time::resume();
    sender.send("a").unwrap();
    polling.parked().await.check(200, "4a");
}

#[tokio::test]
async fn a_listener_that_stops_ends_idle_connections_and_answers_the_others() {
    let host = Host::new(ServerConfig::default()).await;
    let server = host.server.clone();
    let mut idle = host.http().await;
    assert_eq!(idle.get("/engine.io/").await.status, 400);
    let (mut polling, socket) = host.polling_pair().await;
    let (sender, _driven) = drive(socket);
    polling.park().await;
    until(|| sender.is_writable()).await;
    host.stop().await;
    assert!(idle.is_ended().await);
    let answer = polling.parked().await;
    answer.check(200, "1");
    assert_eq!(answer.header("connection"), Some("close"));
    soon(server.finished()).await;
}

#[tokio::test]
async fn a_parked_request_is_missed_when_its_client_leaves() {
    let host = Host::new(ServerConfig::default()).await;
    let (mut polling, socket) = host.polling_pair().await;
    let (sender, mut driven) = drive(socket);
    polling.park().await;
    until(|| sender.is_writable()).await;
    not_yet(&mut driven).await;
    drop(polling);
    soon(driven).await.unwrap();
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_loses_the_connection() {
    let config = ServerConfig::default().ping_interval(Duration::from_secs(300));
    let host = Host::new(config.http_compression(None)).await;
    let (mut polling, socket) = host.polling_pair().await;
    let (sender, _driven) = drive(socket);
    // More than the buffers of both systems take.
    sender.send("x".repeat(15 << 20)).unwrap();
    polling.park().await;
    until(|| sender.buffered() == 0).await;
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(100)).await;
    tokio::time::resume();
    assert!(soon(polling.get.read_reply(false)).await.is_none());
}

#[tokio::test]
async fn a_connection_ends_with_the_request_that_says_so() {
    let host = Host::new(ServerConfig::default()).await;
    for (version, headers, stays) in [
        ("1.1", "", true),
        ("1.1", "Connection: keep-alive\r\n", true),
        ("1.1", "Connection: foo\r\n", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: Close, foo\r\n", false),
        ("1.1", "Connection: foo ,CLOSE\r\n", false),
        (
            "1.1",
            "Connection: keep-alive\r\nConnection: close\r\n",
            false,
        ),
        ("1.0", "", false),
        ("1.0", "Connection: keep-alive\r\n", true),
    ] {
        let mut http = host.http().await;
        let request = format!("GET /engine.io/ HTTP/{version}\r\nHost: a\r\n{headers}\r\n");
        for _ in 0..1 + usize::from(stays) {
            http.write(&request).await;
            let reply = soon(http.read_reply(false)).await;
            assert_eq!(reply.map(|reply| reply.status), Some(400), "{request}");
        }
        if !stays {
            assert!(http.is_ended().await, "{request}");
        }
    }
    // Or with the answer that does.
    let config = ServerConfig::default().headers(|headers, _| {
        for value in ["foo", "Close, bar"] {
            headers.append("connection", value.parse().unwrap());
        }
        headers.insert("transfer-encoding", "chunked".parse().unwrap());
    });
    let host = Host::new(config).await;
    let mut http = host.http().await;
    let opened = http.get(HANDSHAKE).await;
    assert!(opened.text().starts_with("0{"));
    assert_eq!(opened.header("connection"), Some("close"));
    assert_eq!(opened.header("transfer-encoding"), None);
    assert!(http.is_ended().await);
}

#[tokio::test]
async fn a_body_in_chunks_has_no_other_length() {
    let host = Host::echo(ServerConfig::default()).await;
    let chunks = "2\r\n4a\r\n0\r\n\r\n";
    for (headers, taken) in [
        ("Transfer-Encoding: chunked\r\n", true),
        ("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", true),
        ("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", true),
        ("Transfer-Encoding: gzip, chunked\r\n", true),
        ("Transfer-Encoding: chunked, gzip\r\n", false),
        (
            "Transfer-Encoding: identity\r\nContent-Length: 3\r\n",
            false,
        ),
    ] {
        let mut http = host.http().await;
        let target = open(&mut http).await;
        http.write(format!("POST {target} HTTP/1.1\r\n{headers}\r\n{chunks}"))
            .await;
        let status = http.reply(false).await.status;
        assert_eq!(status, if taken { 200 } else { 400 }, "{headers}");
        if taken {
            let mut other = host.http().await;
            other.get(&target).await.check(200, "4a");
        }
    }
}
