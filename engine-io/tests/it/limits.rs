//! What is bounded, and that one peer's excess is no other's loss.

use std::time::Duration;

use engine_io::{CloseReason, SendError, ServerConfig};
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;

use crate::support::{
    Frame, Header, Host, Http, Polling, WebSocket, drive, not_yet, settled, soon, until,
    upgrade_headers,
};

#[tokio::test]
async fn a_slow_reader_fills_its_outbox_and_nobody_else_s() {
    const LIMIT: usize = 100_000;
    let host = Host::new(ServerConfig::default().outbox_limit(LIMIT)).await;
    let (mut slow, socket) = host.narrow_pair(64 * 1024).await;
    let (sender, driven) = drive(socket);
    let (mut other, socket) = host.websocket_pair().await;
    let (other_sender, _driven) = drive(socket);
    other.handshake().await;
    let message = "x".repeat(10_000);
    let mut sent = 0;
    // The stream takes something before it makes the server wait.
    let full = loop {
        match sender.send(message.as_str()) {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
        assert!(sender.buffered() <= LIMIT);
        settled().await;
    };
    assert!(
        matches!(full, SendError::Full { limit: LIMIT, .. }),
        "{full}"
    );
    assert!(!sender.is_writable());
    other_sender.send("a").unwrap();
    assert_eq!(other.text().await, "4a");
    // Nothing of what was taken is lost.
    slow.handshake().await;
    for _ in 0..sent {
        assert_eq!(slow.text().await.len(), 10_001);
    }
    until(|| sender.is_writable()).await;
    sender.send("again").unwrap();
    assert_eq!(slow.text().await, "4again");
    drop(slow);
    let (_, reason) = soon(driven).await.unwrap();
    assert_eq!(reason, CloseReason::TransportClose);
}

#[tokio::test]
async fn a_session_over_polling_that_nobody_fetches_fills_its_outbox() {
    let host = Host::new(ServerConfig::default().outbox_limit(1000)).await;
    let (mut polling, socket) = host.polling_pair().await;
    let mut sent = 0;
    let full = loop {
        match socket.send("x") {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(
        full,
        SendError::Full {
            buffered: 1000,
            limit: 1000
        }
    );
    assert_eq!(polling.packets(sent).await.len(), sent);
    socket.send("x".repeat(5000)).unwrap();
}

#[tokio::test]
async fn a_peer_that_pings_without_reading_is_not_read_any_further() {
    let host = Host::echo(ServerConfig::default()).await;
    let WebSocket {
        mut reader,
        mut writer,
    } = host.websocket().await;
    const PINGS: usize = 1000;
    let pings = Header::PING.frame(&[b'x'; 125]).repeat(PINGS);
    let mut written = 0;
    let mut rest = &pings[..];
    // Far more than the buffers of both systems hold.
    while written < 64 << 20 {
        let writing = writer.stream.write(rest);
        // A machine that pauses for so long ends the flood, too: then this shows less, but does not fail.
        let Ok(count) = tokio::time::timeout(Duration::from_millis(200), writing).await else {
            break;
        };
        let count = count.unwrap();
        written += count;
        rest = &rest[count..];
        if rest.is_empty() {
            rest = &pings;
        }
    }
    assert!(written < 64 << 20, "the server read everything");
    // Once the peer reads, everything goes on.
    let pings = (written + rest.len()).div_ceil(pings.len()) * PINGS;
    let rest = rest.to_vec();
    let writing = tokio::spawn(async move {
        writer.write(&rest).await;
        writer.send("4a").await;
        writer
    });
    let mut pongs = 0;
    loop {
        match reader.frame().await {
            Frame::Pong(_) => pongs += 1,
            other => break assert_eq!(other, Frame::Text("4a".into())),
        }
    }
    assert!(
        pongs == pings || pongs == pings + PINGS,
        "{pongs} of {pings}"
    );
    soon(writing).await.unwrap();
}

#[tokio::test]
async fn handshakes_wait_while_the_backlog_is_full() {
    let host = Host::new(ServerConfig::default().accept_backlog(1)).await;
    host.polling().await;
    let target = "/engine.io/?EIO=4&transport=polling";
    let mut waiting = host.http().await;
    waiting.send("GET", target, "", b"").await;
    let mut reply = Box::pin(waiting.reply(false));
    not_yet(&mut reply).await;
    drop(host.accept().await);
    assert_eq!(reply.await.status, 200);
    drop(host.accept().await);

    host.polling().await;
    let mut websocket = Box::pin(host.bare_websocket(""));
    not_yet(&mut websocket).await;
    drop(host.accept().await);
    let websocket = websocket.await;
    let (_sender, driven) = drive(host.accept().await);
    drop(websocket);
    soon(driven).await.unwrap();
}

#[tokio::test]
async fn a_client_that_leaves_while_the_backlog_is_full_leaves_nothing_behind() {
    let host = Host::new(ServerConfig::default().accept_backlog(1)).await;
    host.polling().await;
    for transport in ["polling", "websocket"] {
        let mut impatient = host.http().await;
        let target = format!("/engine.io/?EIO=4&transport={transport}");
        let headers = match transport {
            "websocket" => upgrade_headers(),
            _ => "",
        };
        impatient.send("GET", &target, headers, b"").await;
        not_yet(&mut Box::pin(impatient.reply(false))).await;
        // The server answers the end of the connection with its own, so it has noticed.
        impatient.stream.shutdown().await.unwrap();
        assert!(impatient.is_ended().await);
    }
    drop(host.accept().await);
    // The next one is not one of those that left.
    let (mut polling, socket) = host.polling_pair().await;
    assert_eq!(&**socket.sid(), polling.sid);
    assert_eq!(host.server.sessions(), 1);
    let (_sender, _driven) = drive(socket);
    polling.say("4a").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_sessions_live_side_by_side() {
    const PEERS: usize = 200;
    let host = Host::echo(ServerConfig::default()).await;
    let mut peers = JoinSet::new();
    for peer in 0..PEERS {
        let address = host.address;
        peers.spawn(async move {
            let message = format!("4{peer}");
            if peer % 2 == 0 {
                let mut websocket = WebSocket::connect(address, "").await;
                websocket.handshake().await;
                for _ in 0..5 {
                    websocket.send(&message).await;
                    assert_eq!(websocket.text().await, message);
                }
            } else {
                let mut polling = Polling::open(address).await;
                for _ in 0..5 {
                    polling.say(&message).await;
                    polling.poll().await.check(200, &message);
                }
                polling.say("1").await;
            }
        });
    }
    while let Some(result) = soon(peers.join_next()).await {
        result.unwrap();
    }
    until(|| host.server.sessions() == 0).await;
}

#[tokio::test]
async fn a_head_may_have_so_many_bytes_and_headers() {
    const BYTES: usize = 64 * 1024;
    const HEADERS: usize = 100;
    let host = Host::echo(ServerConfig::default()).await;
    let begin = "GET /engine.io/?EIO=4&transport=none HTTP/1.1\r\nHost: a\r\n";
    let long = |bytes| format!("{begin}X: {}\r\n\r\n", "x".repeat(bytes - begin.len() - 7));
    let many = |headers| format!("{begin}{}\r\n", "X: x\r\n".repeat(headers - 1));
    for (head, fits) in [
        (long(BYTES - 1), true),
        (long(BYTES), true),
        (long(BYTES + 1), false),
        (many(HEADERS - 1), true),
        (many(HEADERS), true),
        (many(HEADERS + 1), false),
    ] {
        let mut http = host.http().await;
        http.write(&head).await;
        let status = soon(http.read_reply(false)).await.map(|reply| reply.status);
        if fits {
            assert_eq!(status, Some(400), "{} bytes", head.len());
        } else {
            // What was not read of it may take the answer along.
            assert!(status.is_none_or(|status| status == 431), "{status:?}");
        }
    }
}

#[tokio::test]
async fn headers_that_never_end_open_nothing() {
    let host = Host::echo(ServerConfig::default()).await;
    let mut http = Http::connect(host.address).await;
    http.write("GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\n")
        .await;
    let line = format!("X-Filler: {}\r\n", "x".repeat(10_000));
    let mut refused = false;
    for _ in 0..200 {
        refused |= http.stream.write_all(line.as_bytes()).await.is_err();
    }
    let reply = soon(http.read_reply(false)).await;
    assert!(refused || reply.is_some_and(|reply| reply.status == 431));
    assert_eq!(host.server.sessions(), 0);
}
