//! How sessions end, and how long silence is tolerated.

use std::future::poll_fn;
use std::time::Duration;

use engine_io::{CloseReason, ReadyState, SendError, ServerConfig};

use crate::support::{Frame, Host, check_end, drive, not_yet, soon, until};

/// A heartbeat that tests can wait for.
fn quick() -> ServerConfig {
    ServerConfig::default()
        .ping_interval(Duration::from_millis(30))
        .ping_timeout(Duration::from_millis(100))
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
    let host = Host::echo(quick()).await;
    let mut websocket = host.websocket().await;
    let mut polling = host.polling().await;
    for _ in 0..6 {
        assert_eq!(websocket.text().await, "2");
        websocket.send("3").await;
        polling.poll().await.check(200, "2");
        polling.say("3").await;
    }
}

#[tokio::test]
async fn a_peer_is_not_blamed_for_an_owner_that_is_late() {
    let host = Host::new(quick()).await;
    let (mut websocket, mut socket) = host.websocket_pair().await;
    websocket.handshake_after(&mut socket).await;
    websocket.send("3").await;
    websocket.send("4a").await;
    // The owner is busy elsewhere, far beyond the deadline.
    std::thread::sleep(Duration::from_millis(150));
    assert_eq!(soon(socket.recv()).await, Some("a".into()));
    // The same when it only drives the session.
    websocket.send("3").await;
    websocket.send("4b").await;
    let driving = poll_fn(|cx| socket.poll_drive(cx));
    let driving = not_yet(driving).await;
    let driving = not_yet(driving).await;
    drop(not_yet(driving).await);
    assert_eq!(soon(socket.recv()).await, Some("b".into()));
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
    let (waiting, server) = (host.websocket_unaccepted().await, host.server.clone());
    let accepting = tokio::spawn(async move {
        while let Some(socket) = server.accept().await {
            assert_eq!(socket.close_reason(), Some(CloseReason::ForcedClose));
        }
    });
    host.server.close();
    polling.parked().await.check(200, "1");
    websocket.check_close(None).await;
    waiting.check_close(None).await;
    check_end(polled, &[], CloseReason::ForcedClose).await;
    check_end(driven, &[], CloseReason::ForcedClose).await;
    soon(accepting).await.unwrap();
    assert_eq!(host.server.sessions(), 0);

    let refused = host
        .http()
        .await
        .get("/engine.io/?EIO=4&transport=polling")
        .await;
    assert_eq!(refused.status, 503);
    host.stop().await;
}
