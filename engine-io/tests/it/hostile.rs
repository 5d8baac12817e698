//! Peers that mean harm, or behave as if they did: what they get, and that others are served meanwhile.

use std::time::Duration;

use engine_io::{CloseReason, ServerConfig};
use tokio::io::AsyncWriteExt;

use crate::support::{
    Frame, Header, Host, Http, Polling, WebSocket, check_end, drive, soon, until, upgrade_headers,
};

/// How many peers attack at a time.
const CROWD: usize = 100;

/// Healthy sessions beside an attack.
struct Others {
    websocket: WebSocket,
    polling: Polling,
}

impl Others {
    async fn of(host: &Host) -> Self {
        Self {
            websocket: host.websocket().await,
            polling: host.polling().await,
        }
    }

    /// They are served, and so is who comes now.
    async fn check(&mut self, host: &Host) {
        self.websocket.send("4there?").await;
        assert_eq!(self.websocket.text().await, "4there?");
        self.polling.post("4there?").await.check(200, "ok");
        self.polling.poll().await.check(200, "4there?");
        let mut new = host.websocket().await;
        new.send("4new").await;
        assert_eq!(new.text().await, "4new");
    }
}

fn target(sid: &str) -> String {
    format!("/engine.io/?EIO=4&transport=polling&sid={sid}")
}

#[tokio::test]
async fn requests_that_never_end_keep_nobody_waiting() {
    let host = Host::echo(ServerConfig::default()).await;
    let mut others = Others::of(&host).await;
    let mut crowd = Vec::new();
    for number in 0..CROWD {
        let mut http = host.http().await;
        let start = match number % 4 {
            0 => "",
            1 => "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nX-Slow: ",
            2 => "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nUpgrade: webso",
            _ => "P",
        };
        http.write(start).await;
        crowd.push(http);
    }
    others.check(&host).await;
    // A byte more of each now and then changes nothing about it.
    for http in &mut crowd {
        let _ = http.stream.write_all(b"x").await;
    }
    others.check(&host).await;
    drop(crowd);
    others.check(&host).await;
    let two_and_the_new_ones = 2;
    until(|| host.server.sessions() == two_and_the_new_ones).await;
}

#[tokio::test]
async fn a_body_that_stays_away_is_given_up_with_its_session() {
    let config = ServerConfig::default()
        .ping_interval(Duration::from_millis(100))
        .ping_timeout(Duration::from_millis(100));
    let host = Host::new(config).await;
    let (mut polling, socket) = host.polling_pair().await;
    let (_sender, driven) = drive(socket);
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n4some",
        target(&polling.sid)
    );
    polling.post.write(head).await;
    let reply = polling.post.reply(false).await;
    assert_eq!(reply.status, 400);
    // What was announced and not sent cannot be told from the next request.
    assert_eq!(reply.header("connection"), Some("close"));
    assert!(polling.post.is_ended().await);
    check_end(driven, &[], CloseReason::PingTimeout).await;
    until(|| host.server.sessions() == 0).await;
}

#[tokio::test]
async fn a_body_that_was_refused_is_not_read_to_its_end() {
    const ENOUGH: usize = 64 << 20;
    let host = Host::echo(ServerConfig::default()).await;
    let mut others = Others::of(&host).await;
    for target in [target("unknown"), "/elsewhere".to_owned()] {
        let mut http = host.http().await;
        let head =
            format!("POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n");
        http.write(head).await;
        assert!(matches!(http.reply(false).await.status, 400 | 404));
        let mut written = 0;
        while written < ENOUGH {
            let writing = http.stream.write(&[b'4'; 16 * 1024]);
            // A machine that pauses for so long ends the flood, too: then this shows less, but does not fail.
            match tokio::time::timeout(Duration::from_millis(200), writing).await {
                Ok(Ok(count)) => written += count,
                // Closed, or not read any more.
                Ok(Err(_)) | Err(_) => break,
            }
        }
        assert!(written < ENOUGH, "all of it was read");
        others.check(&host).await;
    }
}

#[tokio::test]
async fn bodies_whose_length_is_a_lie_are_not_taken_for_others() {
    let host = Host::echo(ServerConfig::default()).await;
    let mut others = Others::of(&host).await;
    // What comes instead of a body, and what it may be answered with.
    for (headers, body, statuses) in [
        // Longer than announced: what is left is no request.
        ("Content-Length: 2\r\n", "4a4b\r\n\r\n", &[200][..]),
        ("Content-Length: 2\r\nContent-Length: 3\r\n", "4ab", &[400]),
        ("Content-Length: -1\r\n", "4a", &[400]),
        ("Content-Length: 0x2\r\n", "4a", &[400]),
        (
            "Content-Length: 99999999999999999999999\r\n",
            "4a",
            &[400, 413],
        ),
        (
            "Transfer-Encoding: chunked\r\n",
            "x\r\n4a\r\n0\r\n\r\n",
            &[400],
        ),
        (
            "Transfer-Encoding: chunked\r\n",
            "ffffffffffffffffff\r\n4a\r\n0\r\n\r\n",
            &[400],
        ),
        ("Transfer-Encoding: gzip\r\n", "4a", &[400, 501]),
        // Compressed bodies are nobody's: it is text that is no packet.
        (
            "Content-Encoding: gzip\r\nContent-Length: 4\r\n",
            "\u{1f}\u{8}\0\0",
            &[200, 400],
        ),
    ] {
        let polling = host.polling().await;
        let mut http = host.http().await;
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: x\r\n{headers}\r\n{body}",
            target(&polling.sid)
        );
        http.write(head).await;
        let reply = soon(http.read_reply(false)).await;
        let status = reply.map(|reply| reply.status);
        assert!(
            status.is_none_or(|status| statuses.contains(&status)),
            "{headers:?}: {status:?}"
        );
        // Nothing of it is left over for whoever comes next.
        let mut next = host.http().await;
        next.get("/engine.io/?EIO=4&transport=nothing")
            .await
            .check(400, r#"{"code":0,"message":"Transport unknown"}"#);
        others.check(&host).await;
    }
}

#[tokio::test]
async fn header_bombs_are_refused() {
    let host = Host::echo(ServerConfig::default()).await;
    let mut others = Others::of(&host).await;
    let many: String = (0..1000)
        .map(|number| format!("X-{number}: x\r\n"))
        .collect();
    let long = format!("X-Long: {}\r\n", "x".repeat(1_000_000));
    let cookies = format!("Cookie: {}\r\n", "a=b; ".repeat(200_000));
    let path = format!(
        "/engine.io/?EIO=4&transport=polling&x={}",
        "x".repeat(100_000)
    );
    let sid = format!(
        "/engine.io/?EIO=4&transport=polling&sid={}",
        "x".repeat(60_000)
    );
    for (target, headers, statuses) in [
        ("/engine.io/?EIO=4&transport=polling", &*many, &[431][..]),
        ("/engine.io/?EIO=4&transport=polling", &long, &[431]),
        ("/engine.io/?EIO=4&transport=polling", &cookies, &[431]),
        (&path, "", &[414, 431]),
        (&sid, "", &[400]),
    ] {
        let mut http = host.http().await;
        let head = format!("GET {target} HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
        // The server may have answered and closed before everything is written.
        let _ = http.stream.write_all(head.as_bytes()).await;
        let status = soon(http.read_reply(false)).await.map(|reply| reply.status);
        assert!(
            status.is_none_or(|status| statuses.contains(&status)),
            "{}: {status:?}",
            &head[..100]
        );
        others.check(&host).await;
    }
    until(|| host.server.sessions() == 2).await;
}

#[tokio::test]
async fn requests_in_one_write_are_answered_in_their_order() {
    let host = Host::echo(ServerConfig::default()).await;
    let mut http = host.http().await;
    let handshake = "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n";
    let refused = "GET /engine.io/?EIO=4&transport=nothing HTTP/1.1\r\nHost: x\r\n\r\n";
    http.write([handshake, refused].concat().repeat(20)).await;
    let mut sids = std::collections::HashSet::new();
    for _ in 0..20 {
        let reply = http.reply(false).await;
        assert_eq!(reply.status, 200);
        sids.insert(reply.text().split('"').nth(3).unwrap().to_owned());
        assert_eq!(http.reply(false).await.status, 400);
    }
    assert_eq!(sids.len(), 20);
    // A POST behind its own session's GET waits for it, as HTTP has it, and both are answered.
    let mut polling = host.polling().await;
    let post = format!(
        "POST {0} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n4a",
        target(&polling.sid)
    );
    let get = format!("GET {0} HTTP/1.1\r\nHost: x\r\n\r\n", target(&polling.sid));
    http.write([&*post, &*get, &*post, &*get].concat()).await;
    for expected in ["ok", "4a", "ok", "4a"] {
        http.reply(false).await.check(200, expected);
    }
    polling.post("4b").await.check(200, "ok");
    polling.poll().await.check(200, "4b");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_sessions_that_are_abandoned_leaves_nothing() {
    let config = ServerConfig::default()
        .ping_interval(Duration::from_millis(500))
        .ping_timeout(Duration::from_secs(3))
        .upgrade_timeout(Duration::from_millis(500));
    let host = Host::echo(config).await;
    // One that is well answers its pings, and its messages come back all the while.
    let mut well = host.websocket().await;
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let well = tokio::spawn(async move {
        while stopped.try_recv().is_err() {
            well.send("4there?").await;
            loop {
                match well.text().await.as_str() {
                    "2" => well.send("3").await,
                    text => break assert_eq!(text, "4there?"),
                }
            }
            // Leaves the threads to the others; nothing depends on how long it takes.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let mut crowd = Vec::new();
    for number in 0..CROWD {
        let (address, headers) = (host.address, upgrade_headers());
        crowd.push(tokio::spawn(async move {
            let mut http = Http::connect(address).await;
            match number % 5 {
                // Half a handshake of a WebSocket; the whole, and then nothing; the same without a goodbye.
                0 => {
                    http.write("GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\n")
                        .await
                }
                1 => drop(WebSocket::over(http, "").await),
                2 => WebSocket::over(http, "").await.reset(),
                // A session over polling that never polls; one whose upgrade begins and stops there.
                3 => drop(Polling::open(address).await),
                _ => {
                    let polling = Polling::open(address).await;
                    let target =
                        format!("/engine.io/?EIO=4&transport=websocket&sid={}", polling.sid);
                    let reply = http.request("GET", &target, headers, b"").await;
                    assert_eq!(reply.status, 101);
                    let mut candidate = WebSocket::new(http.stream, http.ahead);
                    candidate.send("2probe").await;
                }
            }
        }));
    }
    for task in crowd {
        soon(task).await.unwrap();
    }
    until(|| host.server.sessions() == 1).await;
    stop.send(()).unwrap();
    soon(well).await.unwrap();
}

#[tokio::test]
async fn floods_of_empty_and_tiny_frames_are_only_work() {
    let host = Host::echo(ServerConfig::default()).await;
    let mut others = Others::of(&host).await;
    let mut websocket = host.websocket().await;
    for flood in [
        Header(0x8a).frame(b""),
        Header::TEXT.frame(b"6"),
        Header::TEXT.frame(b"3"),
    ] {
        websocket.writer.write(&flood.repeat(20_000)).await;
        others.check(&host).await;
    }
    // One message of fragments of a byte and of none.
    websocket.writer.frame(Header::FIRST, b"4").await;
    for part in [&b""[..], b"x"] {
        let fragment = Header::MIDDLE.frame(part);
        websocket.writer.write(&fragment.repeat(20_000)).await;
        others.check(&host).await;
    }
    websocket.writer.frame(Header::LAST, b"").await;
    assert_eq!(websocket.text().await, format!("4{}", "x".repeat(20_000)));
}

#[tokio::test]
async fn frames_that_are_announced_and_never_come_are_given_up_with_their_session() {
    let config = ServerConfig::default()
        .ping_interval(Duration::from_millis(100))
        .ping_timeout(Duration::from_millis(100));
    let host = Host::new(config).await;
    // As much as a message may have, and a control frame that could never be right.
    for header in [
        &[0x82, 0xff, 0, 0, 0, 0, 0, 0x0f, 0x42, 0x40, 1, 2, 3, 4][..],
        &[0x89, 0xfe, 0xff, 0xff, 1, 2, 3, 4],
    ] {
        let (mut websocket, socket) = host.websocket_pair().await;
        let (_sender, driven) = drive(socket);
        websocket.handshake().await;
        websocket.writer.write(header).await;
        loop {
            match websocket.frame().await {
                Frame::Text(text) => assert_eq!(text, "2"),
                other => break assert_eq!(other, Frame::Close(None)),
            }
        }
        check_end(driven, &[], CloseReason::PingTimeout).await;
    }
}
