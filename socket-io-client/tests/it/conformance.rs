//! Cases of the official client's own tests, and some beyond them, that need handlers or a look inside, so that they cannot be driven from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use socket_io::{Data, Refusal};
use socket_io_client::{AckError, Outcome, Socket, Transport};
use tokio::sync::Semaphore;

use crate::support::{Host, log, soon};

#[tokio::test]
async fn what_a_connect_handler_emits_to_be_repeated_leaves_once() {
    let tasks = Arc::new(AtomicU32::new(0));
    let host = Host::start(|io| {
        let tasks = tasks.clone();
        io.of("/").on("task", move || {
            let task = tasks.fetch_add(1, Ordering::Relaxed);
            async move { task }
        });
    })
    .await;
    let socket = host
        .manager()
        .socket()
        .retries(3, Duration::from_secs(60))
        .on_connect(async |socket: Socket| {
            socket.emit("task", &()).map_err(|error| error.to_string())
        });
    let socket = soon(socket.connect()).await.expect("it joins");
    let before = soon(socket.emit_with_ack::<u32>("task", &())).await;
    assert!(matches!(before, Ok(0 | 1)), "{before:?}");
    soon(socket.flushed()).await;
    assert_eq!(tasks.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn nothing_is_opened_before_somebody_connects() {
    let host = Host::start(|io| drop(io.of("/"))).await;
    let socket = host.manager().socket().build().expect("nothing is wrong");
    socket.emit("early", &()).expect("there is room");
    tokio::task::yield_now().await;
    assert!(!socket.is_active() && socket.id().is_none());
    assert_eq!(host.io.connections(), 0);
    soon(socket.connect()).await.expect("it joins");
    assert_eq!(host.io.connections(), 1);
    socket.disconnect();
    assert!(socket.id().is_none());
}

/// Whether a volatile event leaves, by the state of the connection.
async fn check_volatile(transports: &[Transport]) {
    let (log, mut heard) = log();
    let gate = Arc::new(Semaphore::new(0));
    let host = Host::start(|io| {
        let (waiting, opened) = (log.clone(), gate.clone());
        io.of("/")
            .middleware(move || {
                waiting.say("waiting");
                let opened = opened.clone();
                async move {
                    let passed = opened.acquire().await;
                    passed.map(drop).map_err(|_| Refusal::new("closed"))
                }
            })
            .on("v", move |Data(text): Data<String>| {
                log.say(text);
                async {}
            })
            .on("echo", async || 1);
    })
    .await;
    let manager = host
        .manager()
        .engine(|engine| engine.transports(transports.iter().copied()));
    let socket = manager.socket().build().expect("nothing is wrong");
    let volatile = |text| socket.volatile().emit("v", text);

    assert_eq!(volatile("inactive"), Ok(Outcome::Skipped));
    socket.connect_lazy();
    assert_eq!(volatile("opening"), Ok(Outcome::Skipped));
    heard.check(&["waiting"]).await;
    assert_eq!(volatile("joining"), Ok(Outcome::Skipped));
    gate.add_permits(1);
    soon(socket.connect()).await.expect("it joins");
    for round in ["first", "second"] {
        soon(socket.flushed()).await;
        assert_eq!(volatile(round), Ok(Outcome::Queued));
        // The one before has not left yet, since nothing else ran in this thread.
        assert_eq!(volatile("busy"), Ok(Outcome::Skipped));
        let skipped = soon(socket.volatile().emit_with_ack::<u8>("echo", &())).await;
        assert_eq!(skipped, Err(AckError::Skipped));
        heard.check(&[round]).await;
    }
    soon(socket.emit_with_ack::<u8>("echo", &()))
        .await
        .expect("echo");
    heard.check_silence();
}

#[tokio::test]
async fn volatile_events_over_a_websocket() {
    check_volatile(&[Transport::WebSocket]).await;
}

#[tokio::test]
async fn volatile_events_over_polling() {
    check_volatile(&[Transport::Polling]).await;
}

#[tokio::test]
async fn volatile_events_while_the_connection_is_upgraded() {
    check_volatile(&[Transport::Polling, Transport::WebSocket]).await;
}
