//! What is sent, buffered, repeated, dropped and answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use socket_io::{Ack as PeerAck, Socket as Peer, SocketIo};
use socket_io_client::{
    Ack, AckError, Args, Binary, Data, EmitError, EventName, Outcome, RawArgs, Value,
};
use tokio::sync::mpsc;

use crate::support::{Host, Line, log, nowhere, soon, until};

fn echo(io: &SocketIo) {
    io.of("/")
        .on("echo", async |args: RawArgs| args)
        .on("silence", async || {})
        .on("ask", async |peer: Peer, args: RawArgs| {
            let answer: Args<Value> = peer.emit_with_ack("question", &args).await?;
            Ok::<_, socket_io::Refusal>(answer)
        });
}

#[tokio::test]
async fn values_come_back_as_they_went() {
    let host = Host::start(echo).await;
    let socket = soon(host.manager().socket().connect())
        .await
        .expect("it joins");
    let text: String = soon(socket.emit_with_ack("echo", "пойду 🦀"))
        .await
        .expect("echo");
    assert_eq!(text, "пойду 🦀");
    let sent = (1, Binary::from(vec![1, 2, 3]), vec!["a"]);
    let back: (u8, Binary, Vec<String>) = soon(socket.emit_with_ack("echo", &sent))
        .await
        .expect("echo");
    assert_eq!((back.0, back.1, back.2), (1, sent.1, vec!["a".to_owned()]));
    soon(socket.emit_with_ack::<()>("echo", &()))
        .await
        .expect("echo");
    let wrong = soon(socket.emit_with_ack::<u8>("echo", "text")).await;
    assert!(matches!(wrong, Err(AckError::Args(_))), "{wrong:?}");
}

#[tokio::test]
async fn a_handler_answers_the_server_with_what_it_returns() {
    let host = Host::start(echo).await;
    let socket = host
        .manager()
        .socket()
        .on("question", async |Data((a, b)): Data<(u32, Binary)>| {
            (a + 1, b)
        });
    let socket = soon(socket.connect()).await.expect("it joins");
    let bytes = Binary::from(vec![7]);
    let answer = socket.emit_with_ack::<(u32, Binary)>("ask", &(1, &bytes));
    assert_eq!(soon(answer).await, Ok((2, bytes)));
}

#[tokio::test]
async fn acknowledgements_end_with_a_timeout_or_the_connection() {
    let host = Host::start(echo).await;
    let time = Duration::from_millis(30);
    let socket = host.manager().socket().ack_timeout(time).connect();
    let socket = soon(socket).await.expect("it joins");
    let late = soon(socket.emit_with_ack::<()>("silence", &())).await;
    assert_eq!(late, Err(AckError::Timeout(time)));
    let time = Duration::from_millis(10);
    let late = soon(socket.timeout(time).emit_with_ack::<()>("silence", &())).await;
    assert_eq!(late, Err(AckError::Timeout(time)));
    // The flag belonged to that event alone.
    let never = socket
        .emit_with_ack::<()>("silence", &())
        .timeout(Duration::MAX);
    socket.disconnect();
    assert_eq!(soon(never).await, Err(AckError::Disconnected));
}

#[tokio::test]
async fn an_event_whose_time_is_up_before_it_was_sent_is_not_sent() {
    let (log, mut heard) = log();
    let address = nowhere().await;
    let socket = crate::support::manager(address).socket().connect_lazy();
    let socket = socket.expect("nothing is wrong");
    let time = Duration::from_millis(10);
    let late = soon(socket.timeout(time).emit_with_ack::<()>("late", &())).await;
    assert_eq!(late, Err(AckError::Timeout(time)));
    assert_eq!(socket.buffered(), 0);
    socket.emit("kept", &()).expect("it waits");
    let _host = Host::at(
        address,
        |builder| builder,
        |io| {
            for name in ["late", "kept"] {
                let log = log.clone();
                io.of("/").on(name, move || {
                    log.say(name);
                    async {}
                });
            }
        },
    )
    .await;
    heard.check(&["kept"]).await;
    heard.check_silence();
}

#[tokio::test]
async fn what_is_emitted_before_connecting_is_sent_in_order() {
    let (sender, mut received) = mpsc::unbounded_channel();
    let host = Host::start(|io| {
        io.of("/").on("n", move |Data(n): Data<u32>| {
            let _ = sender.send(n);
            async {}
        });
    })
    .await;
    let socket = host.manager().socket().build().expect("nothing is wrong");
    for n in 0..100 {
        socket.emit("n", &n).expect("there is room");
    }
    assert!(socket.buffered() > 0);
    socket.connect_lazy();
    for n in 100..200 {
        socket.emit("n", &n).expect("there is room");
    }
    for n in 0..200 {
        assert_eq!(soon(received.recv()).await, Some(n));
    }
    assert_eq!(socket.buffered(), 0);
}

#[tokio::test]
async fn buffers_and_acknowledgements_are_limited() {
    let address = nowhere().await;
    let socket = crate::support::manager(address)
        .socket()
        .send_buffer(100)
        .max_acks(1)
        .build();
    let socket = socket.expect("nothing is wrong");
    // The first is always taken.
    socket.emit("x", &"x".repeat(200)).expect("it waits");
    let full = socket.emit("x", &());
    assert!(
        matches!(full, Err(EmitError::Full { limit: 100, .. })),
        "{full:?}"
    );
    // So much and no more, of two events that are as much longer than their texts.
    let waiting = |first: &str, second: &str| {
        let socket = crate::support::manager(address).socket().send_buffer(1000);
        let socket = socket.build().expect("nothing is wrong");
        socket.emit("x", first).expect("it waits");
        socket.emit("x", second)
    };
    let text = |length| "x".repeat(length);
    let Err(EmitError::Full { buffered, .. }) = waiting(&text(400), &text(900)) else {
        panic!("it is too much");
    };
    let rest = 1000 - buffered - (buffered - 400);
    for (length, fits) in [(rest - 1, true), (rest, true), (rest + 1, false)] {
        let taken = waiting(&text(400), &text(length));
        assert_eq!(taken.is_ok(), fits, "{length}: {taken:?}");
    }
    let full = soon(socket.emit_with_ack::<()>("x", &())).await;
    assert!(
        matches!(full, Err(AckError::Emit(EmitError::Full { .. }))),
        "{full:?}"
    );
    let reserved = socket.emit("disconnect", &());
    assert!(
        matches!(reserved, Err(EmitError::Encode(_))),
        "{reserved:?}"
    );

    let host = Host::start(echo).await;
    let socket = soon(host.manager().socket().max_acks(1).connect())
        .await
        .expect("it joins");
    let first = socket.emit_with_ack::<()>("silence", &());
    let second = soon(socket.emit_with_ack::<()>("silence", &())).await;
    assert_eq!(
        second,
        Err(AckError::Emit(EmitError::TooManyAcks { limit: 1 }))
    );
    // Nobody waits for the first one any more.
    drop(first);
    soon(socket.emit_with_ack::<()>("echo", &()))
        .await
        .expect("echo");
}

#[tokio::test]
async fn an_outbox_that_is_full_is_an_error_and_what_was_buffered_is_not_lost() {
    let (sender, mut received) = mpsc::unbounded_channel();
    let host = Host::start(|io| {
        io.of("/")
            .on("n", move |Data((n, _)): Data<(u32, String)>| {
                let _ = sender.send(n);
                async {}
            });
    })
    .await;
    let manager = host.manager().engine(|engine| engine.outbox_limit(10_000));
    let socket = manager.socket().build().expect("nothing is wrong");
    let text = "x".repeat(1000);
    for n in 0..100 {
        socket.emit("n", &(n, &text)).expect("there is room");
    }
    soon(socket.connect()).await.expect("it joins");
    let mut next = 100;
    // Whatever is refused is refused as a whole.
    let full = loop {
        match socket.emit("n", &(next, &text)) {
            Ok(()) => next += 1,
            Err(error) => break error,
        }
    };
    assert!(
        matches!(full, EmitError::Full { limit: 10_000, .. }),
        "{full:?}"
    );
    soon(socket.flushed()).await;
    socket
        .emit("n", &(next, &text))
        .expect("there is room again");
    for n in 0..=next {
        assert_eq!(soon(received.recv()).await, Some(n));
    }
}

#[tokio::test]
async fn leaving_at_once_loses_nothing_that_waited() {
    let (log, mut heard) = log();
    let count = Arc::new(AtomicU32::new(0));
    let counted = count.clone();
    let host = Host::start(|io| {
        io.of("/")
            .on("n", move |_: Data<String>| {
                counted.fetch_add(1, Ordering::Relaxed);
                async {}
            })
            .on_disconnect(move |reason: socket_io::DisconnectReason| {
                log.say(reason.as_str());
                async {}
            });
    })
    .await;
    let manager = host.manager().engine(|engine| engine.outbox_limit(10_000));
    let socket = manager.socket().build().expect("nothing is wrong");
    let text = "x".repeat(10_000);
    for _ in 0..500 {
        socket.emit("n", &text).expect("there is room");
    }
    soon(socket.connect()).await.expect("it joins");
    socket.disconnect();
    soon(socket.flushed()).await;
    heard.check(&["client namespace disconnect"]).await;
    assert_eq!(count.load(Ordering::Relaxed), 500);
}

#[tokio::test]
async fn volatile_events_are_sent_at_once_or_not_at_all() {
    let (log, mut heard) = log();
    let host = Host::start(|io| {
        echo(io);
        io.of("/").on("v", move |Data(text): Data<String>| {
            log.say(text);
            async {}
        });
    })
    .await;
    let socket = host.manager().socket().build().expect("nothing is wrong");
    assert_eq!(
        socket.volatile().emit("v", "inactive"),
        Ok(Outcome::Skipped)
    );
    socket.connect_lazy();
    assert_eq!(socket.volatile().emit("v", "joining"), Ok(Outcome::Skipped));
    soon(socket.connect()).await.expect("it joins");
    soon(socket.flushed()).await;
    assert_eq!(socket.volatile().emit("v", "idle"), Ok(Outcome::Queued));
    // The one before has not left yet, since nothing else ran in this thread.
    assert_eq!(socket.volatile().emit("v", "busy"), Ok(Outcome::Skipped));
    let skipped = soon(socket.volatile().emit_with_ack::<()>("echo", &())).await;
    assert_eq!(skipped, Err(AckError::Skipped));
    heard.check(&["idle"]).await;
    soon(socket.emit_with_ack::<()>("echo", &()))
        .await
        .expect("echo");
    heard.check_silence();
}

#[tokio::test]
async fn an_answer_to_an_earlier_connection_is_not_sent() {
    let host = Host::start(|io| {
        io.of("/").on_connect(async |peer: Peer| {
            // Nobody answers over this connection.
            drop(peer.emit_with_ack::<()>("question", &()));
        });
        echo(io);
    })
    .await;
    let line = Line::to(host.address).await;
    let (sender, mut questions) = mpsc::unbounded_channel();
    let socket = line.manager().socket().on("question", move |ack: Ack| {
        let _ = sender.send(ack);
        async {}
    });
    let socket = soon(socket.connect()).await.expect("it joins");
    let first = soon(questions.recv()).await.expect("it is asked");
    line.cut();
    let second = soon(questions.recv()).await.expect("it is asked again");
    assert!(first.is_wanted());
    assert_eq!(first.send("stale"), Err(EmitError::Disconnected));
    assert_eq!(second.send("fresh"), Ok(()));
    soon(socket.emit_with_ack::<()>("echo", &()))
        .await
        .expect("the connection lives");
}

#[tokio::test]
async fn retries_repeat_until_acknowledged_in_order_across_connections() {
    let (sender, mut received) = mpsc::unbounded_channel();
    let tries = Arc::new(AtomicU32::new(0));
    let host = Host::start(|io| {
        io.of("/").on("n", move |Data(n): Data<u32>, ack: PeerAck| {
            let _ = sender.send(n);
            // The first try of the first event is never acknowledged.
            if tries.fetch_add(1, Ordering::Relaxed) > 0 {
                let _ = ack.send("seen");
            }
            async {}
        });
    })
    .await;
    let line = Line::to(host.address).await;
    let socket = line.manager().socket().retries(3, Duration::from_secs(60));
    let socket = soon(socket.connect()).await.expect("it joins");
    let answer = socket.emit_with_ack::<String>("n", &1);
    socket.emit("n", &2).expect("there is room");
    assert_eq!(soon(received.recv()).await, Some(1));
    assert!(received.try_recv().is_err());
    line.cut();
    assert_eq!(soon(answer).await, Ok("seen".to_owned()));
    assert_eq!(soon(received.recv()).await, Some(1));
    assert_eq!(soon(received.recv()).await, Some(2));
    soon(socket.flushed()).await;
    assert!(received.try_recv().is_err());
}

#[tokio::test]
async fn retries_give_up_and_go_on_with_the_next() {
    let (log, mut heard) = log();
    let host = Host::start(|io| {
        let silent = log.clone();
        io.of("/")
            .on("silence", move || {
                silent.say("silence");
                async {}
            })
            .on("next", async || "ok");
    })
    .await;
    let time = Duration::from_millis(20);
    let socket = soon(host.manager().socket().retries(2, time).connect())
        .await
        .expect("it joins");
    let silent = socket.emit_with_ack::<()>("silence", &());
    let next = socket.emit_with_ack::<String>("next", &());
    assert_eq!(soon(silent).await, Err(AckError::Timeout(time)));
    assert_eq!(soon(next).await, Ok("ok".to_owned()));
    heard.check(&["silence", "silence", "silence"]).await;
    heard.check_silence();
}

#[tokio::test]
async fn those_who_watch_see_what_leaves() {
    let host = Host::start(echo).await;
    let (log, mut heard) = log();
    let socket = host.manager().socket().on_any_outgoing({
        let log = log.clone();
        move |EventName(name): EventName, Data(data): Data<Option<u32>>| {
            log.say(format!("{name} {data:?}"));
            async {}
        }
    });
    let socket = socket.build().expect("nothing is wrong");
    socket.emit("early", &1).expect("it waits");
    heard.check_silence();
    assert_eq!(socket.volatile().emit("dropped", &()), Ok(Outcome::Skipped));
    soon(socket.connect()).await.expect("it joins");
    socket.emit("late", &()).expect("it is sent");
    heard.check(&["early Some(1)", "late None"]).await;
}

#[tokio::test]
async fn emitting_needs_no_runtime() {
    let host = Host::start(echo).await;
    let socket = soon(host.manager().socket().connect())
        .await
        .expect("it joins");
    let other = socket.clone();
    let answer = std::thread::spawn(move || other.emit_with_ack::<u8>("echo", &7));
    let answer = answer.join().expect("no panic");
    assert_eq!(soon(answer).await, Ok(7));
    let other = socket.clone();
    std::thread::spawn(move || other.disconnect())
        .join()
        .expect("no panic");
    until(|| host.io.connections() == 0).await;
}
