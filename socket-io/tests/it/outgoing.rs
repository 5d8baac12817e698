//! Handlers for what is sent.

use std::time::Duration;

use socket_io::{
    Args, Binary, Data, EventName, Grant, Outcome, Parser, RawArgs, Socket, State, Value,
};

use crate::support::{Log, OneWay, Stage};

/// Says who gets what.
async fn say(socket: Socket, EventName(name): EventName, args: RawArgs, State(log): State<Log>) {
    let Args(values) = args.parse::<Args<Value>>().unwrap();
    log.say(format!("{name} {values:?} for {}", socket.id()));
}

#[tokio::test]
async fn every_event_to_every_client_is_told_before_it_is_sent() {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .on_any_outgoing(say)
        .on("ask", async || "an acknowledgement is no event");
    let host = stage.listen().await;
    let ([mut a, mut b], [id_a, id_b]) = host.members().await;
    let socket = host.io.of("/").socket(&id_a).unwrap();
    a.ask(r#"421["ask"]"#, r#"431["an acknowledgement is no event"]"#)
        .await;
    socket.emit("one", &(1, "é")).unwrap();
    let number = |n: i64| format!("{:?}", Value::from(n));
    let text = format!("{:?}", Value::from("é"));
    host.check_heard(&format!("one [{}, {text}] for {id_a}", number(1)))
        .await;
    host.io.emit("all", &()).unwrap();
    let mut told = [host.heard().await, host.heard().await];
    told.sort();
    let mut expected = [&id_a, &id_b].map(|id| format!("all [] for {id}"));
    expected.sort();
    assert_eq!(told, expected);
    // With an id and with binary data it is the same event.
    let binary = Binary::from(vec![1]);
    drop(socket.emit_with_ack::<()>("asked", &(&binary,)));
    let data = format!("{:?}", Value::Binary(vec![1].into()));
    host.check_heard(&format!("asked [{data}] for {id_a}"))
        .await;
    drop(host.io.to(&id_b).emit_with_ack::<()>("asked", &binary));
    host.check_heard(&format!("asked [{data}] for {id_b}"))
        .await;
    // What cannot be sent is not told.
    socket.emit("connect", &()).unwrap_err();
    b.check(r#"42["all"]"#).await;
    socket.disconnect();
    socket.emit("late", &()).unwrap_err();
    host.check_silence().await;
}

#[tokio::test(start_paused = true)]
async fn a_volatile_event_is_told_though_it_is_dropped() {
    let stage = Stage::new();
    stage.io.of("/").on_any_outgoing(say);
    let mut polling = stage.polling().await;
    let id = polling.join().await;
    let socket = stage.io.of("/").socket(&id).unwrap();
    assert_eq!(socket.volatile().emit("dropped", &()), Ok(Outcome::Skipped));
    stage.check_heard(&format!("dropped [] for {id}")).await;
    assert_eq!(
        stage.io.all().volatile().emit("too", &()).unwrap().skipped,
        1
    );
    stage.check_heard(&format!("too [] for {id}")).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    stage.check_silence().await;
}

#[tokio::test]
async fn they_stand_in_order_and_can_be_taken_away() {
    let stage = Stage::new();
    let says = |text: &'static str| {
        move |State(log): State<Log>| {
            log.say(text);
            std::future::ready(())
        }
    };
    let namespace = stage
        .io
        .of("/")
        .on_any_outgoing(says("second"))
        .prepend_any_outgoing(says("first"));
    let host = stage.listen().await;
    let ([mut a, _b], [id, _]) = host.members().await;
    let socket = namespace.socket(&id).unwrap();
    socket.on_any_outgoing(says("own, second"));
    socket.prepend_any_outgoing(says("own, first"));
    host.io.to(&id).emit("x", &()).unwrap();
    for text in ["first", "second", "own, first", "own, second"] {
        host.check_heard(text).await;
    }
    namespace.off_any_outgoing();
    host.io.emit("x", &()).unwrap();
    for text in ["own, first", "own, second"] {
        host.check_heard(text).await;
    }
    socket.off_any_outgoing();
    socket.emit("x", &()).unwrap();
    host.check_silence().await;
    for _ in 0..3 {
        a.check(r#"42["x"]"#).await;
    }
}

#[tokio::test]
async fn one_that_fails_or_sends_itself_harms_nothing() {
    let stage = Stage::new();
    stage.io.of("/").on_any_outgoing(
        async |socket: Socket, EventName(name): EventName, data: Option<Data<i64>>| {
            match data {
                // What is sent here is told, too.
                Some(Data(n)) if n > 0 => drop(socket.emit("less", &(n - 1))),
                Some(_) => {}
                None => assert!(&*name != "x", "not a number"),
            }
        },
    );
    let host = stage.listen().await;
    let (mut client, id) = host.member().await;
    host.io.to(&id).emit("n", &2).unwrap();
    for event in [r#"42["less",0]"#, r#"42["less",1]"#, r#"42["n",2]"#] {
        client.check(event).await;
    }
    host.io.emit("x", "text").unwrap();
    client.check(r#"42["x","text"]"#).await;
    assert_eq!(
        host.error().await.to_string(),
        format!("event \"x\" of {id} in /: handler panicked: not a number")
    );
}

#[tokio::test]
async fn the_last_event_of_one_whose_grant_has_ended_is_told_too() {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .on_any_outgoing(say)
        .farewell("bye", |_| ());
    let host = stage.listen().await;
    let (mut client, id) = host.member().await;
    let socket = host.io.of("/").socket(&id).unwrap();
    socket.authorize(Grant::lasting(Duration::ZERO)).unwrap();
    host.check_heard(&format!("bye [] for {id}")).await;
    client.check(r#"42["bye"]"#).await;
    client.check("41").await;
}

#[tokio::test]
async fn what_a_parser_cannot_read_is_sent_though_it_cannot_be_told() {
    let stage = Stage::with(|builder| builder.parser(Parser::custom(OneWay)));
    stage.io.of("/").on_any_outgoing(say);
    let host = stage.listen().await;
    let mut client = host.client().await;
    client.ask("4join", "4Connect").await;
    host.io.emit("x", &()).unwrap();
    client.check("4Event").await;
    host.check_silence().await;
}
