//! Acknowledgements of clients: of one, and of all that a broadcast reached.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::StreamExt;
use socket_io::protocol::{ArgsError, EncodeError};
use socket_io::{
    AckError, AckFuture, Args, Binary, Data, EmitError, Failure, Refusal, Socket, SocketId, State,
    Value,
};

use crate::support::{Gate, Host, Log, Stage};

const LONG: Duration = Duration::from_secs(3600);

fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// The server's end of a client.
fn socket(host: &Host, id: &str) -> Socket {
    host.io.of("/").socket(id).expect("the socket is there")
}

#[tokio::test]
async fn a_client_answers_with_the_type_that_is_asked_for() {
    let host = Stage::new().listen().await;
    let (mut client, id) = host.member().await;
    let socket = socket(&host, &id);
    // Queued before the future is polled.
    let one = socket.emit_with_ack::<i64>("q", &(1, "a"));
    client.check(r#"420["q",1,"a"]"#).await;
    client.send("430[5,6]").await;
    assert_eq!(one.await, Ok(5));
    let two = socket.emit_with_ack::<(i64, String)>("q", &());
    client.check(r#"421["q"]"#).await;
    client.send(r#"431[5,"b"]"#).await;
    assert_eq!(two.await, Ok((5, "b".into())));
    let none = socket.emit_with_ack::<()>("q", &()).timeout(LONG);
    client.check(r#"422["q"]"#).await;
    client.send("432[]").await;
    assert_eq!(none.await, Ok(()));
    let all = socket.emit_with_ack::<Args<Value>>("q", &());
    client.check(r#"423["q"]"#).await;
    client.send(r#"433[null,"x"]"#).await;
    assert_eq!(all.await, Ok(Args(vec![Value::Null, Value::from("x")])));
    let wrong = socket.emit_with_ack::<i64>("q", &());
    client.check(r#"424["q"]"#).await;
    client.send(r#"434["no number"]"#).await;
    assert!(matches!(
        wrong.await,
        Err(AckError::Args(ArgsError::Mismatch(_)))
    ));
}

#[tokio::test]
async fn a_handler_can_wait_for_the_client_that_called_it() {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .on("ask", async |socket: Socket, Data(n): Data<i64>| {
            let answer: i64 = socket.emit_with_ack("back", &n).timeout(LONG).await?;
            Ok::<_, Refusal>(answer * 2)
        });
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    client.ask(r#"427["ask",20]"#, r#"420["back",20]"#).await;
    client.ask("430[21]", "437[42]").await;
}

#[tokio::test]
async fn a_second_or_strange_answer_is_ignored() {
    let host = Stage::new().listen().await;
    let (mut client, id) = host.member().await;
    let answer = socket(&host, &id).emit_with_ack::<i64>("q", &());
    client.check(r#"420["q"]"#).await;
    for packet in ["4399[1]", "430[2]", "430[3]"] {
        client.send(packet).await;
    }
    assert_eq!(answer.await, Ok(2));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_in_time_is_a_timeout() {
    let stage = Stage::new();
    let mut polling = stage.polling().await;
    let id = polling.join().await;
    let socket = stage.io.of("/").socket(&id).unwrap();
    let time = Duration::from_secs(5);
    let start = tokio::time::Instant::now();
    let mut answer = socket.emit_with_ack::<i64>("q", &()).timeout(time);
    assert_eq!((&mut answer).await, Err(AckError::Timeout(time)));
    assert_eq!(start.elapsed().as_secs(), 5);
    assert_eq!(
        poll_once(&mut answer),
        Poll::Ready(Err(AckError::Timeout(time)))
    );
    drop(answer);
    // The late answer finds nobody, and the next question is answered.
    polling.check(r#"420["q"]"#).await;
    polling.send("430[1]").await;
    let answer = socket.emit_with_ack::<i64>("q", &()).timeout(time);
    polling.check(r#"421["q"]"#).await;
    polling.send("431[2]").await;
    assert_eq!(answer.await, Ok(2));
}

#[tokio::test]
async fn waiting_ends_when_the_socket_leaves() {
    let host = Stage::new().listen().await;
    let (mut client, id) = host.member().await;
    let socket = socket(&host, &id);
    let waiting = tokio::spawn(socket.emit_with_ack::<i64>("q", &()));
    client.check(r#"420["q"]"#).await;
    client.send("41").await;
    assert_eq!(waiting.await.unwrap(), Err(AckError::Disconnected));
    let late = socket.emit_with_ack::<i64>("q", &());
    assert_eq!(late.await, Err(AckError::Emit(EmitError::Disconnected)));

    let (client, id) = host.member().await;
    let waiting = tokio::spawn(self::socket(&host, &id).emit_with_ack::<i64>("q", &()));
    drop(client);
    assert_eq!(waiting.await.unwrap(), Err(AckError::Disconnected));
}

#[tokio::test]
async fn as_many_acknowledgements_are_awaited_as_the_limit_says() {
    let host = Stage::with(|builder| builder.max_acks(2)).listen().await;
    let (mut client, id) = host.member().await;
    let socket = socket(&host, &id);
    let ask = || socket.emit_with_ack::<i64>("q", &());
    let (first, second) = (ask(), ask());
    let full = EmitError::TooManyAcks { limit: 2 };
    assert_eq!(ask().await, Err(AckError::Emit(full.clone())));
    let answers = host
        .io
        .of("/")
        .all()
        .emit_with_ack::<i64>("all", &())
        .await
        .unwrap();
    assert_eq!(
        answers.missing,
        [(Some(socket.id().clone()), AckError::Emit(full))]
    );
    // Giving up makes room, and so does an answer.
    drop(first);
    let third = ask();
    client.check(r#"420["q"]"#).await;
    client.check(r#"421["q"]"#).await;
    client.check(r#"424["q"]"#).await;
    client.send("431[1]").await;
    assert_eq!(second.await, Ok(1));
    let fourth = ask();
    client.check(r#"425["q"]"#).await;
    for answer in ["434[3]", "435[4]"] {
        client.send(answer).await;
    }
    assert_eq!((third.await, fourth.await), (Ok(3), Ok(4)));
}

#[tokio::test]
async fn what_cannot_be_sent_is_not_awaited() {
    let host = Stage::with(|builder| builder.max_acks(1)).listen().await;
    let (mut client, id) = host.member().await;
    let socket = socket(&host, &id);
    let reserved = AckError::Emit(EmitError::Encode(EncodeError::ReservedEvent {
        name: "connect".into(),
    }));
    for _ in 0..3 {
        let mut failed: AckFuture<i64> = socket.emit_with_ack("connect", &());
        assert_eq!(poll_once(&mut failed), Poll::Ready(Err(reserved.clone())));
    }
    let answer = socket.emit_with_ack::<i64>("q", &());
    client.check(r#"423["q"]"#).await;
    client.send("433[1]").await;
    assert_eq!(answer.await, Ok(1));
}

#[tokio::test]
async fn binary_travels_in_acknowledgements_both_ways() {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .on("echo", async |Data(value): Data<Value>| value);
    let host = stage.listen().await;
    let (mut client, id) = host.member().await;
    client
        .send(r#"451-3["echo",{"a":{"_placeholder":true,"num":0}}]"#)
        .await;
    client.send_binary(&[1, 2]).await;
    client
        .check(r#"461-3[{"a":{"_placeholder":true,"num":0}}]"#)
        .await;
    client.check_binary(&[1, 2]).await;
    let answer = socket(&host, &id).emit_with_ack::<Binary>("q", &Binary::from(vec![9]));
    client
        .check(r#"451-0["q",{"_placeholder":true,"num":0}]"#)
        .await;
    client.check_binary(&[9]).await;
    client.send(r#"461-0[{"_placeholder":true,"num":0}]"#).await;
    client.send_binary(&[8, 7]).await;
    assert_eq!(&answer.await.unwrap()[..], [8, 7]);
}

#[tokio::test]
async fn an_acknowledgement_is_sent_even_after_the_namespace_was_left() {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .on("last", async |socket: Socket, State(gate): State<Gate>| {
            socket.disconnect();
            gate.pass().await;
            "done"
        });
    stage.io.of("/other");
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    client.join("/other").await;
    client.ask(r#"423["last"]"#, "41").await;
    host.open_gate(1);
    client.check(r#"433["done"]"#).await;
}

#[tokio::test]
async fn an_acknowledgement_for_a_connection_that_is_gone_is_reported() {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .on(
            "slow",
            async |State(gate): State<Gate>, State(log): State<Log>| {
                log.say("waiting");
                gate.pass().await;
                "done"
            },
        )
        .on_disconnect(async |State(log): State<Log>| log.say("gone"));
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    client.send(r#"423["slow"]"#).await;
    host.check_heard("waiting").await;
    drop(client);
    host.check_heard("gone").await;
    host.open_gate(1);
    host.check_error("slow", Failure::Reply(EmitError::Disconnected))
        .await;
}

#[tokio::test]
async fn a_broadcast_collects_the_answers_of_all_recipients() {
    let host = Stage::new().listen().await;
    let ([mut a, mut b, mut c], [id_a, id_b, _]) = host.members().await;
    let answers = host
        .io
        .to([&id_a, &id_b])
        .timeout(LONG)
        .emit_with_ack::<i64>("q", &(1, 2));
    a.check(r#"420["q",1,2]"#).await;
    b.check(r#"420["q",1,2]"#).await;
    b.send("430[2,3]").await;
    // It answers with the same id, but was not asked.
    c.send("430[9]").await;
    a.send("430[1]").await;
    let mut answers = answers.await.unwrap();
    answers.answers.sort_unstable();
    assert!(answers.is_complete());
    assert_eq!(answers.answers, [1, 2]);
}

#[tokio::test]
async fn a_broadcast_to_nobody_is_answered_at_once() {
    let host = Stage::new().listen().await;
    let mut asked = host
        .io
        .to("nobody")
        .timeout(LONG)
        .emit_with_ack::<i64>("q", &());
    let Poll::Ready(Ok(answers)) = poll_once(&mut asked) else {
        panic!("it waits");
    };
    assert!(answers.is_complete());
    assert!(answers.answers.is_empty());
    // Asking again does no harm: it is an empty stream by now.
    assert!(matches!(poll_once(&mut asked), Poll::Ready(Ok(_))));
    assert_eq!(asked.next().await, None);
}

#[tokio::test]
async fn recipients_that_leave_or_answer_nonsense_are_missing() {
    let host = Stage::new().listen().await;
    let ([mut stays, mut leaves, goes, mut talks], ids) = host.members().await;
    let asked = host
        .io
        .of("/")
        .all()
        .timeout(LONG)
        .emit_with_ack::<i64>("q", &());
    leaves.send("41").await;
    drop(goes);
    stays.check(r#"420["q"]"#).await;
    stays.send("430[1]").await;
    talks.send(r#"430["nonsense"]"#).await;
    let answers = asked.await.unwrap();
    assert_eq!(answers.answers, [1]);
    let why = |id: &str| {
        let named = |missing: &Option<SocketId>| missing.as_deref() == Some(id);
        let found = answers.missing.iter().find(|(missing, _)| named(missing));
        found.map(|(_, error)| error.clone())
    };
    assert_eq!(answers.missing.len(), 3);
    assert_eq!(why(&ids[1]), Some(AckError::Disconnected));
    assert_eq!(why(&ids[2]), Some(AckError::Disconnected));
    assert!(matches!(
        why(&ids[3]),
        Some(AckError::Args(ArgsError::Mismatch(_)))
    ));
}

#[tokio::test(start_paused = true)]
async fn the_time_for_the_answers_to_broadcasts_is_an_option() {
    let stage = Stage::with(|builder| builder.ack_timeout(Duration::from_secs(2)));
    stage.polling().await.join().await;
    let start = tokio::time::Instant::now();
    let asked = stage.io.of("/").all().emit_with_ack::<i64>("q", &());
    assert_eq!(asked.await.unwrap().missing.len(), 1);
    assert_eq!(start.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn recipients_that_do_not_answer_in_time_are_missing() {
    // With one place for each, a question that was not forgotten would be in the way of the next.
    let stage = Stage::with(|builder| builder.max_acks(1));
    let mut quick = stage.polling().await;
    let mut slow = stage.polling().await;
    quick.join().await;
    let slow_id = slow.join().await;
    for (time, broadcast) in [
        (7, stage.io.of("/").all().timeout(Duration::from_secs(7))),
        // The one of the server.
        (10, stage.io.of("/").all()),
    ] {
        let start = tokio::time::Instant::now();
        let asked = broadcast.emit_with_ack::<i64>("q", &());
        let id = quick
            .packet()
            .await
            .replace(r#"["q"]"#, "")
            .replacen("42", "43", 1);
        quick.send(&format!("{id}[1]")).await;
        let answers = asked.await.unwrap();
        assert_eq!(start.elapsed().as_secs(), time);
        assert_eq!(answers.answers, [1]);
        let time = Duration::from_secs(time);
        let missing: Vec<_> = answers
            .missing
            .iter()
            .map(|(id, error)| (id.as_deref(), error))
            .collect();
        assert_eq!(missing, [(Some(&*slow_id), &AckError::Timeout(time))]);
    }
}

#[tokio::test]
async fn answers_can_be_had_one_by_one() {
    let host = Stage::new().listen().await;
    let ([mut a, mut b, mut c], [id_a, id_b, id_c]) = host.members().await;
    let asked = host
        .io
        .of("/")
        .all()
        .timeout(LONG)
        .emit_with_ack::<i64>("q", &());
    let mut asked = asked.sent().unwrap();
    for client in [&mut a, &mut b, &mut c] {
        client.check(r#"420["q"]"#).await;
    }
    let mut next = async || {
        let (id, answer) = asked.next().await?;
        Some((id.map(|id| id.to_string()), answer))
    };
    b.send("430[2]").await;
    assert_eq!(next().await, Some((Some(id_b), Ok(2))));
    a.send("430[1]").await;
    assert_eq!(next().await, Some((Some(id_a), Ok(1))));
    drop(c);
    assert_eq!(
        next().await,
        Some((Some(id_c), Err(AckError::Disconnected)))
    );
    assert_eq!(asked.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_answers_ends_with_the_timeouts() {
    let stage = Stage::new();
    let mut quick = stage.polling().await;
    let mut slow = stage.polling().await;
    quick.join().await;
    slow.join().await;
    let time = Duration::from_secs(3);
    let mut asked = stage
        .io
        .of("/")
        .all()
        .timeout(time)
        .emit_with_ack::<i64>("q", &());
    quick.check(r#"420["q"]"#).await;
    quick.send("430[1]").await;
    assert!(matches!(asked.next().await, Some((_, Ok(1)))));
    assert!(matches!(
        asked.next().await,
        Some((_, Err(AckError::Timeout(_))))
    ));
    assert_eq!(asked.next().await, None);
}

#[tokio::test]
async fn a_broadcast_that_cannot_be_sent_says_so_as_future_and_as_stream() {
    let host = Stage::new().listen().await;
    let (_client, _) = host.member().await;
    let all = host.io.of("/").all();
    let reserved = EmitError::Encode(EncodeError::ReservedEvent {
        name: "disconnect".into(),
    });
    assert_eq!(
        all.emit_with_ack::<i64>("disconnect", &()).await,
        Err(reserved.clone())
    );
    let refused = all.emit_with_ack::<i64>("disconnect", &()).sent();
    assert_eq!(refused.err(), Some(reserved));
    let mut stream = all.emit_with_ack::<i64>("disconnect", &());
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn nothing_is_expected_of_those_that_a_volatile_broadcast_leaves_out() {
    let stage = Stage::new();
    let mut parked = stage.polling().await;
    parked.join().await;
    // Nobody polls here.
    let mut busy = stage.polling().await;
    busy.join().await;
    let all = stage.io.of("/").all().volatile().timeout(LONG);
    let mut asked = all.emit_with_ack::<i64>("q", &());
    // Volatile events are dropped until the GET has arrived.
    let ask = async {
        while poll_once(&mut asked).is_ready() {
            tokio::task::yield_now().await;
            asked = all.emit_with_ack("q", &());
        }
    };
    let (question, ()) = tokio::join!(parked.packet(), ask);
    let answer = question.replacen("42", "43", 1).replace(r#""q""#, "1");
    parked.send(&answer).await;
    let answers = asked.await.unwrap();
    assert_eq!((answers.answers, answers.missing), (vec![1], Vec::new()));
}

#[tokio::test]
async fn waiting_for_a_broadcast_can_be_given_up() {
    let host = Stage::with(|builder| builder.max_acks(1)).listen().await;
    let (mut client, id) = host.member().await;
    drop(host.io.of("/").all().emit_with_ack::<i64>("q", &()));
    client.check(r#"420["q"]"#).await;
    let answer = socket(&host, &id).emit_with_ack::<i64>("q", &());
    client.check(r#"421["q"]"#).await;
    client.send("430[0]").await;
    client.send("431[1]").await;
    assert_eq!(answer.await, Ok(1));
}
