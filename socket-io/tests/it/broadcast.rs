//! Broadcasts: what is counted, slow recipients, volatile events.

use std::time::Duration;

use socket_io::protocol::EncodeError;
use socket_io::{AckError, DisconnectReason, EmitError, Outcome, Socket, State, Value};

use crate::support::{Frame, Log, Polling, Stage};

#[tokio::test]
async fn a_delivery_counts_those_for_whom_the_event_was_queued() {
    let host = Stage::new().listen().await;
    let ([mut a, mut b], [id, _]) = host.members().await;
    let delivery = host.io.emit("x", &Value::from(vec![1, 2])).unwrap();
    assert_eq!(
        (delivery.sent, delivery.skipped, delivery.overflowed),
        (2, 0, 0)
    );
    a.check(r#"42["x",[1,2]]"#).await;
    b.check(r#"42["x",[1,2]]"#).await;
    assert_eq!(host.io.to(&id).local().emit("y", &1).unwrap().sent, 1);
    a.check(r#"42["y",1]"#).await;
}

#[tokio::test]
async fn what_cannot_be_encoded_reaches_nobody() {
    let host = Stage::new().listen().await;
    let (mut client, _) = host.member().await;
    for reserved in [
        "connect",
        "connect_error",
        "disconnect",
        "disconnecting",
        "newListener",
        "removeListener",
    ] {
        let error = EncodeError::ReservedEvent {
            name: reserved.into(),
        };
        assert_eq!(host.io.emit(reserved, &()), Err(EmitError::Encode(error)));
    }
    assert_eq!(host.io.emit("error", &()).unwrap().sent, 1);
    client.check(r#"42["error"]"#).await;
}

#[tokio::test]
async fn a_recipient_that_reads_too_slowly_is_disconnected_and_the_others_get_everything() {
    const EVENTS: usize = 10_000;
    let stage = Stage::with(|builder| builder.outbox_limit(300_000));
    stage.io.of("/").on_disconnect(
        async |socket: Socket, reason: DisconnectReason, State(log): State<Log>| {
            log.say(format!("{} {reason}", socket.id()));
        },
    );
    let host = stage.listen().await;
    let ([mut slow, mut quick], [slow_id, _]) = host.members().await;
    let text = "x".repeat(100_000);
    let mut overflowed = None;
    for n in 0..EVENTS {
        let delivery = host.io.emit("big", &(n, &text)).unwrap();
        assert!(
            quick
                .text()
                .await
                .starts_with(&format!(r#"42["big",{n},"xxx"#))
        );
        if delivery.overflowed > 0 {
            assert_eq!((delivery.sent, delivery.overflowed), (1, 1));
            overflowed = Some(n);
            break;
        }
        assert_eq!((delivery.sent, delivery.skipped), (2, 0));
    }
    let last = overflowed.expect("nobody can keep a gigabyte in a socket's buffer");
    host.check_heard(&format!("{slow_id} forced close")).await;
    assert_eq!(host.io.emit("after", &()).unwrap().sent, 1);
    quick.check(r#"42["after"]"#).await;
    // What did arrive has no gap.
    let arrived = slow.rest().await;
    assert!(arrived.len() <= last);
    for (n, frame) in arrived.iter().enumerate() {
        assert!(
            matches!(frame, Frame::Text(text) if text.starts_with(&format!(r#"42["big",{n},"#)))
        );
    }
}

#[tokio::test]
async fn emitting_to_one_slow_client_says_that_it_is_full_and_queues_nothing() {
    let stage = Stage::with(|builder| builder.outbox_limit(100));
    let mut polling = stage.polling().await;
    let id = polling.join().await;
    let socket = stage.io.of("/").socket(&id).unwrap();
    let text = "x".repeat(60);
    socket.emit("a", &text).unwrap();
    let buffered = socket.buffered();
    assert_eq!(
        socket.emit("b", &text),
        Err(EmitError::Full {
            buffered,
            limit: 100
        })
    );
    assert_eq!(socket.buffered(), buffered);
    let ack = socket.emit_with_ack::<()>("c", &text).await;
    assert!(matches!(ack, Err(AckError::Emit(EmitError::Full { .. }))));
    polling.check(&format!(r#"42["a","{text}"]"#)).await;
    socket.emit("d", &()).unwrap();
    polling.check(r#"42["d"]"#).await;
    // In a broadcast, there is nobody to say it to.
    socket.emit("a", &text).unwrap();
    let delivery = stage.io.emit("b", &text).unwrap();
    assert_eq!((delivery.sent, delivery.overflowed), (0, 1));
}

#[tokio::test]
async fn a_volatile_event_is_dropped_while_something_waits() {
    let stage = Stage::new();
    stage.io.of("/").on("go", async |socket: Socket| {
        let first = socket.volatile().emit("1", &())?;
        let second = socket.volatile().emit("2", &())?;
        socket.emit("3", &())?;
        let skipped = socket.namespace().all().volatile().emit("4", &())?;
        let queued = |outcome| outcome == Outcome::Queued;
        Ok::<_, socket_io::Refusal>((queued(first), queued(second), skipped.sent, skipped.skipped))
    });
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    client.ask(r#"420["go"]"#, r#"42["1"]"#).await;
    client.check(r#"42["3"]"#).await;
    client.check("430[true,false,0,1]").await;
}

#[tokio::test(start_paused = true)]
async fn over_polling_a_volatile_event_is_dropped_unless_a_request_waits() {
    let stage = Stage::new();
    let mut polling = stage.polling().await;
    let id = polling.join().await;
    let socket = stage.io.of("/").socket(&id).unwrap();
    assert_eq!(socket.volatile().emit("dropped", &()), Ok(Outcome::Skipped));
    let unasked = socket.volatile().emit_with_ack::<()>("dropped", &());
    assert_eq!(unasked.await, Err(AckError::Skipped));
    let all = stage.io.of("/").all().volatile();
    assert_eq!(all.emit("dropped", &()).unwrap().skipped, 1);
    let parked = tokio::spawn(async move { (polling.poll().await, polling) });
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(socket.volatile().emit("sent", &1), Ok(Outcome::Queued));
    assert_eq!(socket.volatile().emit("dropped", &1), Ok(Outcome::Skipped));
    let (body, _): (String, Polling) = parked.await.unwrap();
    assert_eq!(body, r#"42["sent",1]"#);
}
