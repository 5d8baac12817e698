//! How sessions end, and how long silence is tolerated.

use std::future::poll_fn;
use std::time::Duration;

use engine_io::{CloseReason, ReadyState, SendError, ServerConfig};

use crate::support::{
    Frame, Header, Host, StoppedClock, check_end, drive, not_yet, settled, soon, until,
};

/// A heartbeat that tests can wait for.
fn quick() -> ServerConfig {
    ServerConfig::default()
        .ping_interval(Duration::from_millis(30))
        .ping_timeout(Duration::from_millis(1000))
}

#[tokio::test]
async fn a_peer_that_answers_no_ping_is_given_up_over_polling() {
    let host = Host::new(quick()).await;
    let (mut polling, socket) = host.polling_pair().await;
    let (_sender, driven) = drive(socket);
    polling.poll().await.check(200, "2");
    polling.poll().await.check(200, "1");
    check_end(driven, &[], CloseReason::PingTimeout).await;
    assert_eq!(host.server.sessions(), 0);
}

#[tokio::test]
async fn a_peer_that_answers_no_ping_is_given_up_over_a_websocket() {
    let host = Host::new(quick()).await;
    let (mut websocket, socket) = host.websocket_pair().await;
    let (_sender, driven) = drive(socket);
    websocket.handshake().await;
    assert_eq!(websocket.text().await, "2");
    websocket.check_close(None).await;
    check_end(driven, &[], CloseReason::PingTimeout).await;
}

#[tokio::test]
async fn pongs_keep_a_session_alive() {
    let host = Host::echo(ServerConfig::default()).await;
    let mut websocket = host.websocket().await;
    let mut polling = host.polling().await;
    // Without them both would have ended in place of the second ping.
    let clock = StoppedClock::new();
    for _ in 0..6 {
        clock.advance(25.01).await;
        assert_eq!(websocket.text().await, "2");
        websocket.send("3").await;
        polling.poll().await.check(200, "2");
        polling.say("3").await;
        settled().await;
    }
}

#[tokio::test]
async fn a_peer_is_not_blamed_for_an_owner_that_is_late() {
    let host = Host::new(ServerConfig::default()).await;
    let clock = StoppedClock::new();
    let (mut websocket, mut socket) = host.websocket_pair().await;
    // Until the ping is out.
    tokio::select! {
        message = socket.recv() => panic!("{message:?}"),
        () = async {
            websocket.handshake().await;
            clock.advance(25.01).await;
            assert_eq!(websocket.text().await, "2");
        } => {}
    }
    websocket.send("3").await;
    websocket.send("4a").await;
    // The owner is busy elsewhere, far beyond the deadline.
    clock.advance(100.0).await;
    settled().await;
    assert_eq!(soon(socket.recv()).await, Some("a".into()));
}

#[tokio::test]
async fn a_peer_is_not_blamed_for_an_owner_that_does_not_read() {
    let host = Host::new(ServerConfig::default()).await;
    let clock = StoppedClock::new();
    let (mut websocket, mut socket) = host.websocket_pair().await;
    {
        let mut driving = Box::pin(poll_fn(|cx| socket.poll_drive(cx)));
        for _ in 0..4 {
            websocket.send("4a").await;
            not_yet(&mut driving).await;
            // Behind the ping, and behind its deadline.
            for time in [25.01, 20.01] {
                clock.advance(time).await;
                not_yet(&mut driving).await;
            }
        }
        websocket.send("3").await;
    }
    for _ in 0..4 {
        assert_eq!(soon(socket.recv()).await, Some("a".into()));
    }
    // One that is silent is given up even so.
    let (_silent, mut socket) = host.websocket_pair().await;
    let mut driving = Box::pin(poll_fn(|cx| socket.poll_drive(cx)));
    for time in [25.01, 19.98] {
        not_yet(&mut driving).await;
        clock.advance(time).await;
        not_yet(&mut driving).await;
    }
    clock.advance(0.03).await;
    assert_eq!(soon(driving).await, CloseReason::PingTimeout);
}

#[tokio::test]
async fn a_server_that_closes_ends_every_session() {
    let host = Host::new(ServerConfig::default()).await;
    let (mut polling, socket) = host.polling_pair().await;
    let (sender, polled) = drive(socket);
    polling.park().await;
    until(|| sender.is_writable()).await;
    let (websocket, socket) = host.websocket_pair().await;
    let (_sender, driven) = drive(socket);
    // One that nobody has accepted.
    let waiting = host.bare_websocket("").await;
    until(|| host.server.sessions() == 3).await;

    host.server.close();
    polling.parked().await.check(200, "1");
    websocket.check_close(None).await;
    waiting.check_close(None).await;
    check_end(polled, &[], CloseReason::ForcedClose).await;
    check_end(driven, &[], CloseReason::ForcedClose).await;
    assert_eq!(host.server.sessions(), 0);
    assert!(soon(host.server.accept()).await.is_none());

    let reply = host
        .http()
        .await
        .get("/engine.io/?EIO=4&transport=polling")
        .await;
    assert_eq!(reply.status, 503);
    host.stop().await;
}

#[tokio::test]
async fn a_server_that_closes_ends_an_accept_under_way() {
    let host = Host::new(ServerConfig::default()).await;
    let server = host.server.clone();
    let mut accepting = tokio::spawn(async move { server.accept().await.is_none() });
    not_yet(&mut accepting).await;
    host.server.close();
    assert!(soon(accepting).await.unwrap());
}

#[tokio::test]
async fn a_listener_that_stops_closes_the_server() {
    let host = Host::new(ServerConfig::default()).await;
    let (websocket, socket) = host.websocket_pair().await;
    let (_sender, driven) = drive(socket);
    host.stop().await;
    websocket.check_close(None).await;
    check_end(driven, &[], CloseReason::ForcedClose).await;
}

#[tokio::test]
async fn closing_a_websocket_sends_what_is_queued_first() {
    let host = Host::new(ServerConfig::default()).await;
    let (mut websocket, socket) = host.websocket_pair().await;
    let large = "x".repeat(10_000_000);
    socket.send(large.as_str()).unwrap();
    socket.send("last").unwrap();
    let closing = tokio::spawn(socket.close());
    websocket.handshake().await;
    assert_eq!(websocket.text().await.len(), 1 + large.len());
    assert_eq!(websocket.text().await, "4last");
    websocket.check_close(None).await;
    soon(closing).await.unwrap();
    assert_eq!(host.server.sessions(), 0);
}

#[tokio::test]
async fn closing_over_polling_sends_what_is_queued_first() {
    let host = Host::new(ServerConfig::default()).await;
    let (mut polling, socket) = host.polling_pair().await;
    socket.send("last").unwrap();
    let sender = socket.sender();
    let closing = tokio::spawn(socket.close());
    until(|| sender.state() == ReadyState::Closing).await;
    assert_eq!(sender.send("too late"), Err(SendError::Closed));
    polling.poll().await.check(200, "4last");
    polling.poll().await.check(200, "6\x1e1");
    soon(closing).await.unwrap();
    let gone = r#"{"code":1,"message":"Session ID unknown"}"#;
    polling.poll().await.check(400, gone);
}

#[tokio::test]
async fn closing_answers_a_parked_get() {
    let host = Host::new(ServerConfig::default()).await;
    let (mut polling, socket) = host.polling_pair().await;
    let (sender, driven) = drive(socket);
    polling.park().await;
    until(|| sender.is_writable()).await;
    sender.close();
    polling.parked().await.check(200, "1");
    check_end(driven, &[], CloseReason::ForcedClose).await;
}

#[tokio::test]
async fn a_closing_session_does_not_wait_for_ever() {
    let config = ServerConfig::default().close_timeout(Duration::from_millis(50));
    let host = Host::new(config).await;
    let (_polling, socket) = host.polling_pair().await;
    socket.send("never fetched").unwrap();
    soon(socket.close()).await;
    assert_eq!(host.server.sessions(), 0);
}

#[tokio::test]
async fn a_dropped_socket_tells_its_peer() {
    let host = Host::new(ServerConfig::default()).await;
    let (mut polling, socket) = host.polling_pair().await;
    let sender = socket.sender();
    polling.park().await;
    until(|| sender.is_writable()).await;
    drop(socket);
    polling.parked().await.check(200, "1");
    assert_eq!(sender.send("a"), Err(SendError::Closed));
    let (websocket, socket) = host.websocket_pair().await;
    drop(socket);
    websocket.check_close(None).await;
    assert_eq!(host.server.sessions(), 0);
}

#[tokio::test]
async fn a_dropped_socket_releases_a_post() {
    let host = Host::new(ServerConfig::default()).await;
    let (mut polling, socket) = host.polling_pair().await;
    let reply = {
        let mut post = Box::pin(polling.post("4never taken"));
        not_yet(&mut post).await;
        drop(socket);
        post.await
    };
    reply.check(200, "ok");
}

/// The peer is in the middle of sending much when the end comes: the close frame is not lost with a reset.
#[tokio::test]
async fn the_close_frame_arrives_at_a_peer_that_still_sends() {
    let host = Host::new(ServerConfig::default()).await;
    let (mut websocket, mut socket) = host.websocket_pair().await;
    let data = vec![b'x'; 500_000];
    websocket.writer.frame(Header::BINARY, &data).await;
    assert!(soon(socket.recv()).await.is_some());
    let mut writer = websocket.writer;
    let writing = tokio::spawn(async move {
        writer.frame(Header::BINARY, &data).await;
        writer
    });
    drop(socket);
    websocket.writer = soon(writing).await.unwrap();
    websocket.check_close(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senders_send_and_close_from_other_threads() {
    const THREADS: usize = 4;
    const COUNT: usize = 1000;
    let host = Host::new(ServerConfig::default()).await;
    let (mut websocket, socket) = host.websocket_pair().await;
    let (sender, driven) = drive(socket);
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for number in 0..COUNT {
                    sender.send(format!("{thread} {number}")).unwrap();
                }
            })
        })
        .collect();
    websocket.handshake().await;
    let mut next = [0; THREADS];
    for _ in 0..THREADS * COUNT {
        let text = websocket.text().await;
        let (thread, number) = text[1..].split_once(' ').unwrap();
        let next = &mut next[thread.parse::<usize>().unwrap()];
        assert_eq!(number, next.to_string());
        *next += 1;
    }
    for thread in threads {
        thread.join().unwrap();
    }
    std::thread::spawn(move || {
        sender.send("bye").unwrap();
        sender.close();
        assert_eq!(sender.send("too late"), Err(SendError::Closed));
    })
    .join()
    .unwrap();
    assert_eq!(websocket.frame().await, Frame::Text("4bye".into()));
    websocket.check_close(None).await;
    check_end(driven, &[], CloseReason::ForcedClose).await;
}

/// Every end at once, over and over: nobody hangs and nothing is left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ends_from_all_sides_at_once_leave_nothing_behind() {
    let host = Host::new(ServerConfig::default()).await;
    for round in 0..60 {
        let (mut polling, socket) = host.polling_pair().await;
        let (sender, driven) = drive(socket);
        polling.park().await;
        let mut candidate = host.bare_websocket(&format!("&sid={}", polling.sid)).await;
        candidate.send("2probe").await;
        candidate.send("5").await;
        let target = polling.target();
        polling.post.send("POST", &target, "", b"4a\x1e1").await;
        let ending = tokio::spawn({
            let (server, sender) = (host.server.clone(), sender.clone());
            async move {
                match round % 4 {
                    0 => sender.abort(),
                    1 => sender.close(),
                    2 => drop(sender.send("a")),
                    _ => drop(server.sessions()),
                }
            }
        });
        if round % 3 == 0 {
            drop(polling.post);
        } else {
            assert!(soon(polling.post.read_reply(false)).await.is_some());
        }
        if round % 2 == 0 {
            assert!(soon(polling.get.read_reply(false)).await.is_some());
        }
        drop(candidate);
        soon(ending).await.unwrap();
        sender.abort();
        soon(driven).await.unwrap();
    }
    until(|| host.server.sessions() == 0).await;
}
