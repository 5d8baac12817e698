//! Waiting for everything to leave, and messages of which only the newest leaves.

use std::future::Future;
use std::task::{Context, Waker};

use engine_io::{CloseReason, Frame as Outgoing, LatestKey, SendError, Sender, ServerConfig};
use tokio::task::JoinSet;

use crate::support::{Host, Narrow, drive, not_yet, settled, soon, until};

/// What the stream between the two sides holds.
const PIPE: usize = 64 * 1024;

/// Sends until the stream takes no more and this much waits, or more.
async fn block(sender: &Sender) -> usize {
    let message = "x".repeat(100_000);
    let mut sent = 0;
    while sender.buffered() <= message.len() {
        sender.send(message.as_str()).unwrap();
        sent += 1;
        settled().await;
    }
    sent
}

/// Reads so many messages of [`block`].
async fn unblock(websocket: &mut Narrow, messages: usize) {
    for _ in 0..messages {
        assert_eq!(websocket.text().await.len(), 100_001);
    }
}

#[tokio::test]
async fn a_slow_reader_s_outbox_drains_when_it_reads() {
    let host = Host::new(ServerConfig::default()).await;
    let (mut slow, socket) = host.narrow_pair(PIPE).await;
    let (sender, _driven) = drive(socket);
    slow.handshake().await;
    soon(sender.drained()).await.unwrap();
    let sent = block(&sender).await;
    let mut waiting = JoinSet::new();
    for _ in 0..10 {
        let sender = sender.clone();
        waiting.spawn(async move { sender.drained().await });
    }
    // Giving up takes nothing from the others.
    let mut impatient = Box::pin(sender.drained());
    not_yet(&mut impatient).await;
    drop(impatient);
    assert_eq!(waiting.len(), 10);
    assert!(waiting.try_join_next().is_none());
    unblock(&mut slow, sent).await;
    while let Some(drained) = soon(waiting.join_next()).await {
        assert_eq!(drained.unwrap(), Ok(()));
    }
    assert_eq!(sender.buffered(), 0);
    soon(sender.drained()).await.unwrap();
}

#[tokio::test]
async fn a_session_over_polling_drains_when_it_is_polled() {
    let host = Host::new(ServerConfig::default()).await;
    let (mut polling, socket) = host.polling_pair().await;
    let (sender, _driven) = drive(socket);
    soon(sender.drained()).await.unwrap();
    sender.send("a").unwrap();
    let mut drained = Box::pin(sender.drained());
    not_yet(&mut drained).await;
    polling.poll().await.check(200, "4a");
    // It was drained, whatever is sent before the waiting task notices.
    sender.send("b").unwrap();
    soon(drained).await.unwrap();
    not_yet(&mut Box::pin(sender.drained())).await;
}

#[tokio::test]
async fn it_drains_across_the_upgrade() {
    let host = Host::new(ServerConfig::default()).await;
    let (polling, socket) = host.polling_pair().await;
    let (sender, _driven) = drive(socket);
    let key = LatestKey::new(0, "key");
    let send = |text: &str| sender.send_latest(&key, &Outgoing::message(text), &[]);
    assert_eq!(send("old"), Ok(false));
    let mut drained = Box::pin(sender.drained());
    not_yet(&mut drained).await;
    let mut websocket = host.bare_websocket(&format!("&sid={}", polling.sid)).await;
    websocket.send("2probe").await;
    assert_eq!(websocket.text().await, "3probe");
    assert_eq!(send("new"), Ok(true));
    websocket.send("5").await;
    assert_eq!(websocket.text().await, "4new");
    soon(drained).await.unwrap();
}

#[tokio::test]
async fn an_end_ends_the_waiting_and_says_what_is_lost() {
    let host = Host::new(ServerConfig::default()).await;
    // The peer goes.
    let (slow, socket) = host.narrow_pair(PIPE).await;
    let (sender, driven) = drive(socket);
    block(&sender).await;
    let waiting = tokio::spawn({
        let sender = sender.clone();
        async move { sender.drained().await }
    });
    drop(slow);
    let lost = Err(CloseReason::TransportClose);
    assert_eq!(soon(waiting).await.unwrap(), lost);
    assert_eq!(soon(sender.drained()).await, lost);
    soon(driven).await.unwrap();

    // This side ends it.
    let (_slow, socket) = host.narrow_pair(PIPE).await;
    let (sender, _driven) = drive(socket);
    block(&sender).await;
    let mut drained = Box::pin(sender.drained());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(drained.as_mut().poll(&mut cx).is_pending());
    sender.abort();
    assert_eq!(soon(drained).await, Err(CloseReason::ForcedClose));

    // The owner goes.
    let (_polling, socket) = host.polling_pair().await;
    let sender = socket.sender();
    sender.send("a").unwrap();
    drop(socket);
    assert_eq!(soon(sender.drained()).await, Err(CloseReason::ForcedClose));

    // What is queued leaves before a friendly end.
    let (mut polling, socket) = host.polling_pair().await;
    let (sender, _driven) = drive(socket);
    sender.send("a").unwrap();
    sender.close();
    let mut drained = Box::pin(sender.drained());
    not_yet(&mut drained).await;
    assert_eq!(polling.packets(1).await, ["4a"]);
    soon(drained).await.unwrap();
}

#[tokio::test]
async fn of_a_value_that_changes_a_slow_reader_gets_the_newest() {
    const LIMIT: usize = 1_000_000;
    let host = Host::new(ServerConfig::default().outbox_limit(LIMIT)).await;
    let (mut slow, socket) = host.narrow_pair(PIPE).await;
    let (sender, _driven) = drive(socket);
    slow.handshake().await;
    let sent = block(&sender).await;
    let before = sender.buffered();
    let keys: Vec<_> = (0..10).map(|n| LatestKey::new(n, "position")).collect();
    for round in 1_000..6_000 {
        for (n, key) in keys.iter().enumerate() {
            let header = Outgoing::message(&format!("{n} {round}"));
            let attachment = Outgoing::binary(&[n as u8; 100]);
            let replaced = sender.send_latest(key, &header, &[attachment]);
            assert_eq!(replaced, Ok(round > 1_000));
        }
        assert_eq!(sender.buffered() - before, 10 * (9 + 102));
    }
    sender.send("behind").unwrap();
    unblock(&mut slow, sent).await;
    for n in 0..10 {
        assert_eq!(slow.text().await, format!("4{n} 5999"));
        assert_eq!(
            slow.frame().await,
            crate::support::Frame::Binary(vec![n; 100])
        );
    }
    assert_eq!(slow.text().await, "4behind");
    until(|| sender.buffered() == 0).await;
}

#[tokio::test]
async fn what_must_be_said_is_said_behind_a_full_outbox() {
    let host = Host::new(ServerConfig::default().outbox_limit(1_000_000)).await;
    let (mut slow, socket) = host.narrow_pair(PIPE).await;
    let (sender, _driven) = drive(socket);
    slow.handshake().await;
    let sent = block(&sender).await;
    while sender.send("x".repeat(1000)).is_ok() {}
    let full = sender.send("x".repeat(1000));
    assert!(matches!(full, Err(SendError::Full { .. })));
    sender
        .send_reserved(&Outgoing::message(&"y".repeat(1000)), &[])
        .unwrap();
    unblock(&mut slow, sent).await;
    loop {
        match &slow.text().await[1..3] {
            "xx" => {}
            other => break assert_eq!(other, "yy"),
        }
    }
}
