//! From polling to WebSocket.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use engine_io::{CloseReason, Message, ServerConfig, Transport};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::handshake::check_token;
use crate::support::{
    Frame, Header, Host, Polling, StoppedClock, WebSocket, check_end, drive, settled, soon, until,
    upgrade_headers,
};

/// A WebSocket for that session.
async fn candidate(polling: &Polling) -> WebSocket {
    WebSocket::connect(polling.address, &format!("&sid={}", polling.sid)).await
}

async fn probe(candidate: &mut WebSocket) {
    candidate.send("2probe").await;
    assert_eq!(candidate.text().await, "3probe");
}

/// A session that has moved, seen from the client.
async fn upgrade(polling: &Polling) -> WebSocket {
    let mut websocket = candidate(polling).await;
    probe(&mut websocket).await;
    websocket.send("5").await;
    websocket
}

#[tokio::test]
async fn a_session_moves_to_a_websocket() {
    let host = Host::new(ServerConfig::default()).await;
    let (mut polling, socket) = host.polling_pair().await;
    let (sender, driven) = drive(socket);
    polling.say("4over polling").await;
    polling.park().await;
    until(|| sender.is_writable()).await;
    let mut websocket = candidate(&polling).await;
    probe(&mut websocket).await;
    // The probe releases the GET, and whatever is sent now comes over the new transport.
    polling.parked().await.check(200, "6");
    assert_eq!(sender.transport(), Transport::Polling);
    sender.send("meanwhile").unwrap();
    websocket.send("5").await;
    websocket.send("4over the websocket").await;
    assert_eq!(websocket.text().await, "4meanwhile");
    until(|| sender.transport() == Transport::WebSocket).await;
    sender.send("after").unwrap();
    assert_eq!(websocket.text().await, "4after");

    let mismatch = r#"{"code":3,"message":"Bad request"}"#;
    polling.poll().await.check(400, mismatch);
    polling.post("4late").await.check(400, mismatch);
    candidate(&polling).await.check_close(None).await;
    websocket.send("4still here").await;
    websocket.writer.frame(Header::CLOSE, b"").await;
    websocket.check_close(None).await;
    let messages = ["over polling", "over the websocket", "still here"];
    check_end(driven, &messages, CloseReason::TransportClose).await;
}

#[tokio::test]
async fn an_upgrade_that_the_check_refuses_leaves_the_session_on_polling() {
    let config = ServerConfig::default()
        .allow_request(|_| async { Ok(()) })
        .check_upgrade(check_token);
    let host = Host::echo(config).await;
    // Nobody is asked about handshakes and the requests of polling.
    host.websocket().await;
    let mut polling = host.polling().await;
    let target = polling.target().replace("=polling", "=websocket");
    for (token, message) in [("", "Forbidden"), ("Token: bad\r\n", "no such token")] {
        let headers = format!("{}{token}", upgrade_headers());
        let mut http = host.http().await;
        let reply = http.request("GET", &target, &headers, b"").await;
        reply.check(400, message);
        polling.say("4a").await;
        polling.poll().await.check(200, "4a");
    }
    let headers = format!("{}Token: good\r\n", upgrade_headers());
    let mut http = host.http().await;
    let reply = http.request("GET", &target, &headers, b"").await;
    assert_eq!(reply.status, 101);
    let mut websocket = WebSocket::new(http.stream, http.ahead);
    probe(&mut websocket).await;
    websocket.send("5").await;
    websocket.send("4b").await;
    assert_eq!(websocket.text().await, "4b");
}

#[tokio::test]
async fn an_upgrade_needs_no_probe() {
    let host = Host::echo(ServerConfig::default()).await;
    let polling = host.polling().await;
    let mut websocket = candidate(&polling).await;
    websocket.send("5").await;
    websocket.send("4a").await;
    assert_eq!(websocket.text().await, "4a");
}

#[tokio::test]
async fn a_get_that_is_parked_at_the_switch_is_closed() {
    let host = Host::new(ServerConfig::default()).await;
    let (mut polling, socket) = host.polling_pair().await;
    let (sender, _driven) = drive(socket);
    polling.park().await;
    until(|| sender.is_writable()).await;
    let mut websocket = candidate(&polling).await;
    websocket.send("5").await;
    polling.parked().await.check(200, "1");
    until(|| sender.transport() == Transport::WebSocket).await;
}

#[tokio::test]
async fn a_candidate_that_never_speaks_is_closed_and_the_session_goes_on() {
    let config = ServerConfig::default().upgrade_timeout(Duration::from_millis(500));
    let host = Host::echo(config).await;
    let mut polling = host.polling().await;
    candidate(&polling).await.check_close(None).await;
    polling.say("4a").await;
    polling.poll().await.check(200, "4a");
    // After the probe, too.
    let mut silent = candidate(&polling).await;
    probe(&mut silent).await;
    silent.check_close(None).await;
    polling.say("4b").await;
    polling.poll().await.check(200, "4b");
    // And another attempt succeeds.
    let mut websocket = upgrade(&polling).await;
    websocket.send("4c").await;
    assert_eq!(websocket.text().await, "4c");
}

#[tokio::test]
async fn a_candidate_is_not_blamed_for_an_owner_that_is_late() {
    let host = Host::new(ServerConfig::default()).await;
    let (polling, mut socket) = host.polling_pair().await;
    let clock = StoppedClock::new();
    let mut websocket = candidate(&polling).await;
    tokio::select! {
        message = socket.recv() => panic!("{message:?}"),
        () = probe(&mut websocket) => {}
    }
    websocket.send("5").await;
    websocket.send("4a").await;
    // The owner is busy elsewhere, beyond the deadline.
    clock.advance(10.01).await;
    settled().await;
    assert_eq!(soon(socket.recv()).await, Some("a".into()));
}

#[tokio::test]
async fn a_candidate_that_fails_leaves_the_session_on_polling() {
    let host = Host::echo(ServerConfig::default()).await;
    let mut polling = host.polling().await;
    for frame in [
        Header::TEXT.frame(b"4a"),
        Header::TEXT.frame(b"2"),
        Header::TEXT.frame(b""),
        Header::TEXT.frame(b"x"),
        Header::BINARY.frame(b"2probe"),
        Header::CLOSE.frame(b""),
    ] {
        let mut failing = candidate(&polling).await;
        failing.writer.write(&frame).await;
        failing.check_close(None).await;
    }
    let mut failing = candidate(&polling).await;
    failing.writer.write(b"\x81\x05probe").await;
    failing.check_close(Some(1002)).await;
    // One that just goes away; the session notices before it takes the next one.
    let mut failing = candidate(&polling).await;
    probe(&mut failing).await;
    drop(failing);
    polling.say("4a").await;
    polling.poll().await.check(200, "4a");
    let mut websocket = loop {
        let mut next = candidate(&polling).await;
        next.send("2probe").await;
        if next.frame().await == Frame::Text("3probe".into()) {
            break next;
        }
    };
    websocket.send("5").await;
    websocket.send("4b").await;
    assert_eq!(websocket.text().await, "4b");
}

#[tokio::test]
async fn a_second_candidate_is_closed_at_once() {
    let host = Host::echo(ServerConfig::default()).await;
    let polling = host.polling().await;
    let mut first = candidate(&polling).await;
    probe(&mut first).await;
    for _ in 0..3 {
        candidate(&polling).await.check_close(None).await;
    }
    first.send("5").await;
    first.send("4a").await;
    assert_eq!(first.text().await, "4a");
}

#[tokio::test]
async fn the_heartbeat_s_deadline_survives_the_upgrade() {
    let config = ServerConfig::default()
        .ping_interval(Duration::from_millis(30))
        .ping_timeout(Duration::from_millis(1000));
    let host = Host::new(config).await;
    let (mut polling, socket) = host.polling_pair().await;
    let (_sender, driven) = drive(socket);
    polling.poll().await.check(200, "2");
    // The ping is never answered.
    let websocket = upgrade(&polling).await;
    websocket.check_close(None).await;
    check_end(driven, &[], CloseReason::PingTimeout).await;
}

#[tokio::test]
async fn a_candidate_ends_with_its_session() {
    let host = Host::new(ServerConfig::default()).await;
    let (polling, socket) = host.polling_pair().await;
    let (sender, driven) = drive(socket);
    let mut probed = candidate(&polling).await;
    probe(&mut probed).await;
    sender.abort();
    probed.check_close(None).await;
    check_end(driven, &[], CloseReason::ForcedClose).await;
}

#[tokio::test]
async fn a_candidate_that_nobody_took_ends_with_its_session() {
    let host = Host::new(ServerConfig::default()).await;
    let (polling, socket) = host.polling_pair().await;
    let offered = candidate(&polling).await;
    // It has arrived once a second one is refused.
    candidate(&polling).await.check_close(None).await;
    let sender = socket.sender();
    drop(socket);
    offered.check_close(None).await;
    drop(sender);
}

/// However busy the machine is, the time of the upgrade does not end before the flood.
fn patient() -> ServerConfig {
    ServerConfig::default().upgrade_timeout(Duration::from_secs(600))
}

/// Sends the frame so many times before it reads an answer, and moves the session afterwards. The server stops reading in between.
async fn flood<R, W>(candidate: WebSocket<R, W>, frame: Vec<u8>, answer: Frame, count: usize)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let WebSocket {
        mut reader,
        mut writer,
    } = candidate;
    const BATCH: usize = 1000;
    let written = Arc::<AtomicUsize>::default();
    let progress = written.clone();
    let writing = tokio::spawn(async move {
        let frames = frame.repeat(BATCH);
        for _ in 0..count / BATCH {
            writer.write(&frames).await;
            progress.fetch_add(BATCH, Ordering::Relaxed);
        }
        writer.send("2probe").await;
        writer
    });
    // Reading begins when the server has stopped.
    let mut known = usize::MAX;
    while known != written.load(Ordering::Relaxed) {
        known = written.load(Ordering::Relaxed);
        settled().await;
    }
    assert!(known < count);
    for _ in 0..count {
        assert_eq!(reader.frame().await, answer);
    }
    assert_eq!(reader.text().await, "3probe");
    let mut writer = soon(writing).await.unwrap();
    writer.send("5").await;
    writer.send("4a").await;
    assert_eq!(reader.text().await, "4a");
}

#[tokio::test]
async fn a_flood_of_pings_does_not_stop_an_upgrade() {
    let host = Host::echo(patient()).await;
    let polling = host.polling().await;
    let pong = Frame::Pong(vec![b'x'; 125]);
    let ping = Header::PING.frame(&[b'x'; 125]);
    flood(candidate(&polling).await, ping, pong, 200_000).await;
}

#[tokio::test]
async fn a_flood_of_probes_is_read_no_faster_than_its_answers_are() {
    let host = Host::echo(patient()).await;
    let polling = host.polling().await;
    let candidate = host.narrow(4096, &format!("&sid={}", polling.sid)).await;
    let probe = Header::TEXT.frame(b"2probe");
    flood(candidate, probe, Frame::Text("3probe".into()), 20_000).await;
}

#[tokio::test]
async fn an_upgrade_that_is_no_get_is_refused() {
    let host = Host::echo(ServerConfig::default()).await;
    let mut polling = host.polling().await;
    let target = format!("/engine.io/?EIO=4&transport=websocket&sid={}", polling.sid);
    let reply = host
        .http()
        .await
        .request("POST", &target, upgrade_headers(), b"2probe")
        .await;
    assert_eq!(reply.status, 400);
    polling.say("4a").await;
    polling.poll().await.check(200, "4a");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn order_is_kept_through_the_upgrade_while_both_sides_send() {
    const COUNT: usize = 6000;
    for round in 0..4 {
        let host = Host::new(ServerConfig::default()).await;
        let (mut polling, socket) = host.polling_pair().await;
        let (sender, driven) = drive(socket);
        let sending = tokio::spawn(async move {
            for number in 0..COUNT {
                sender.send(number.to_string()).unwrap();
                // As fast as the client fetches, so that there is something to send all the time.
                while sender.buffered() > 100 {
                    tokio::task::yield_now().await;
                }
            }
        });
        let mut arrived: Vec<String> = Vec::new();
        let mut sent = 0;
        let mut chunk = |size: usize| {
            let packets: Vec<_> = (sent..sent + size)
                .map(|number| format!("4{number}"))
                .collect();
            sent += size;
            packets.join("\x1e")
        };
        for _ in 0..10 + round * 10 {
            polling.say(chunk(7)).await;
            arrived.extend(polling.packets(1).await);
        }
        // As the JavaScript client does it: poll and post until the probe is answered, let both finish, then switch.
        let mut websocket = candidate(&polling).await;
        websocket.send("2probe").await;
        polling.say(chunk(7)).await;
        arrived.extend(polling.packets(1).await);
        assert_eq!(websocket.text().await, "3probe");
        websocket.send("5").await;
        let (mut reader, mut writer) = (websocket.reader, websocket.writer);
        let writing = tokio::spawn(async move {
            for number in sent..COUNT {
                writer.send(&format!("4{number}")).await;
            }
            writer
        });
        arrived.retain(|packet| packet != "6");
        while arrived.len() < COUNT {
            arrived.push(reader.text().await);
        }
        assert!(
            arrived
                .into_iter()
                .eq((0..COUNT).map(|number| format!("4{number}")))
        );
        soon(sending).await.unwrap();
        let mut writer = soon(writing).await.unwrap();
        writer.frame(Header::CLOSE, b"").await;
        let (messages, reason) = soon(driven).await.unwrap();
        assert_eq!(reason, CloseReason::TransportClose);
        assert!(
            messages
                .into_iter()
                .eq((0..COUNT).map(|number| Message::from(number.to_string())))
        );
    }
}
