//! Middlewares for events: what they see, what they hold back, and what they do not.

use std::time::Duration;

use serde_json::json;
use socket_io::{Data, EventName, Failure, RawArgs, Refusal, Socket, SocketData, State, Value};

use crate::support::{Gate, Log, Stage, not_yet, soon, until};

struct Count(u64);

/// A server whose middleware passes `slow` after the gate, refuses `no`, and lets all else pass.
fn doorkeeper(stage: &Stage, namespace: &str) {
    stage
        .io
        .of(namespace)
        .event_middleware(
            async |EventName(name): EventName, State(log): State<Log>, State(gate): State<Gate>| {
                log.say(format!("door {name}"));
                match &*name {
                    "slow" => {
                        gate.pass().await;
                        log.say("door opens");
                        Ok(())
                    }
                    "no" => Err(Refusal::new("not you").with_data(&json!({"code": 1}))?),
                    _ => Ok(()),
                }
            },
        )
        .on("slow", async |State(log): State<Log>| log.say("slow"))
        .on("no", async |State(log): State<Log>| log.say("never"))
        .on("x", async |Data(x): Data<Value>, State(log): State<Log>| {
            log.say(format!("x {}", x.as_str().unwrap_or_default()));
            x
        });
}

#[tokio::test]
async fn middlewares_run_in_order_for_every_event_between_on_any_and_the_handlers() {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .on_any(async |EventName(name): EventName, State(log): State<Log>| {
            log.say(format!("any {name}"))
        })
        .event_middleware(async |args: RawArgs, State(log): State<Log>| {
            log.say(format!("first {}", args.json().unwrap_or_default()));
            Ok::<_, Refusal>(Count(1))
        })
        .event_middleware(
            async |SocketData(count): SocketData<Count>, State(log): State<Log>| {
                log.say(format!("second {}", count.0));
                Ok::<_, Refusal>(())
            },
        )
        .on("x", async |socket: Socket, State(log): State<Log>| {
            log.say("handler");
            socket.data::<Count>().map(|count| count.0)
        });
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    client.ask(r#"421["x",1]"#, "431[1]").await;
    client.send(r#"42["nobody's"]"#).await;
    for said in [
        "any x",
        "first 1",
        "second 1",
        "handler",
        "any nobody's",
        "first ",
        "second 1",
    ] {
        host.check_heard(said).await;
    }
    host.check_silence().await;
}

#[tokio::test]
async fn a_refused_event_reaches_no_handler_and_its_sender_and_the_hook_are_told() {
    let stage = Stage::new();
    doorkeeper(&stage, "/");
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    let answer = r#"431[{"message":"not you","data":{"code":1}}]"#;
    client.ask(r#"421["no",1]"#, answer).await;
    // Without an acknowledgement the client is told nothing.
    client.send(r#"42["no",2]"#).await;
    client.ask(r#"422["x","a"]"#, r#"432["a"]"#).await;
    let refusal = Refusal::new("not you")
        .with_data(&json!({"code": 1}))
        .unwrap();
    for _ in 0..2 {
        host.check_error("no", Failure::Returned(refusal.clone()))
            .await;
    }
    for said in ["door no", "door no", "door x", "x a"] {
        host.check_heard(said).await;
    }
    host.check_no_error().await;
}

#[tokio::test]
async fn events_keep_their_order_behind_one_that_waits_and_nothing_else_waits() {
    let stage = Stage::with(|builder| builder.ping_interval(Duration::from_millis(50)));
    doorkeeper(&stage, "/");
    doorkeeper(&stage, "/other");
    let host = stage.listen().await;
    let (mut client, id) = host.member().await;
    client.join("/other").await;
    client.send(r#"42["slow"]"#).await;
    host.check_heard("door slow").await;
    for text in ["a", "b"] {
        client.send(&format!(r#"421["x","{text}"]"#)).await;
    }
    // Another namespace of the connection.
    client
        .ask(r#"42/other,1["x","other"]"#, r#"43/other,1["other"]"#)
        .await;
    host.check_heard("door x").await;
    host.check_heard("x other").await;
    // Acknowledgements, of the socket itself, and the heartbeat.
    let socket = host.io.of("/").socket(&id).unwrap();
    let answer = socket.emit_with_ack::<u64>("question", &());
    client.check(r#"420["question"]"#).await;
    client.send("430[7]").await;
    assert_eq!(soon(answer).await, Ok(7));
    client.stay_alive(2).await;
    host.check_silence().await;
    host.open_gate(1);
    client.check(r#"431["a"]"#).await;
    client.check(r#"431["b"]"#).await;
    for said in ["door opens", "slow", "door x", "x a", "door x", "x b"] {
        host.check_heard(said).await;
    }
    client.ask(r#"421["x","c"]"#, r#"431["c"]"#).await;
}

#[tokio::test]
async fn what_waits_is_bounded() {
    let stage = Stage::with(|builder| builder.inbox_limit(2000));
    doorkeeper(&stage, "/");
    let mut polling = stage.polling().await;
    polling.join().await;
    polling.send(r#"42["slow"]"#).await;
    stage.check_heard("door slow").await;
    // Their bytes, and 256 more for each, the one with the middleware included.
    let text = "x".repeat(500);
    for _ in 0..3 {
        polling.send(&format!(r#"42["x","{text}"]"#)).await;
    }
    let mut held = Box::pin(polling.send(r#"42["x","last"]"#));
    not_yet(&mut held).await;
    stage.io.emit("news", &()).unwrap();
    assert_eq!(polling.poll().await, r#"42["news"]"#);
    stage.check_silence().await;
    stage.open_gate(1);
    soon(held).await;
    for said in ["door opens", "slow"] {
        stage.check_heard(said).await;
    }
    for _ in 0..3 {
        stage.check_heard("door x").await;
        stage.check_heard(&format!("x {text}")).await;
    }
    stage.check_heard("door x").await;
    stage.check_heard("x last").await;
}

#[tokio::test]
async fn a_single_event_of_any_size_may_wait() {
    let stage = Stage::with(|builder| builder.inbox_limit(0));
    doorkeeper(&stage, "/");
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    for _ in 0..3 {
        client
            .send(&format!(r#"42["slow","{}"]"#, "x".repeat(100_000)))
            .await;
        client.send(r#"42["x","next"]"#).await;
        host.check_heard("door slow").await;
        host.open_gate(1);
        for said in ["door opens", "slow", "door x", "x next"] {
            host.check_heard(said).await;
        }
    }
}

#[tokio::test]
async fn what_goes_wrong_in_a_middleware_is_no_more_than_a_refusal() {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .event_middleware(
            async |EventName(name): EventName, State(gate): State<Gate>| {
                if &*name == "now" {
                    panic!("at once");
                }
                if &*name == "later" {
                    gate.pass().await;
                    panic!("later");
                }
                Ok::<_, Refusal>(())
            },
        )
        .event_middleware(async |Data(_): Data<u64>| Ok::<_, Refusal>(()))
        .on_any(async |State(log): State<Log>| log.say("any"))
        .on("x", async || "x");
    stage
        .io
        .of("/missing")
        .event_middleware(async |_: State<Count>| Ok::<_, Refusal>(()));
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    let internal = r#"431[{"message":"internal error"}]"#;
    client.ask(r#"421["now",1]"#, internal).await;
    host.check_error("now", Failure::Panicked("at once".into()))
        .await;
    host.open_gate(1);
    client.ask(r#"421["later",1]"#, internal).await;
    host.check_error("later", Failure::Panicked("later".into()))
        .await;
    client.send(r#"421["x","text"]"#).await;
    let refusal = client.text().await;
    assert!(
        refusal.starts_with(r#"431[{"message":"unexpected arguments"#),
        "{refusal}"
    );
    assert!(matches!(host.error().await.failure, Failure::Args(_)));
    client.join("/missing").await;
    client
        .ask(
            r#"42/missing,1["x"]"#,
            r#"43/missing,1[{"message":"internal error"}]"#,
        )
        .await;
    assert!(matches!(host.error().await.failure, Failure::Missing(_)));
    client.ask(r#"421["x",1]"#, r#"431["x"]"#).await;
}

#[tokio::test]
async fn arguments_that_are_no_json_end_the_connection_whatever_the_middleware_says() {
    for refuses in [true, false] {
        let stage = Stage::new();
        stage.io.of("/").event_middleware(move || async move {
            if refuses {
                Err(Refusal::new("no"))
            } else {
                Ok(())
            }
        });
        let host = stage.listen().await;
        let (mut client, _) = host.member().await;
        client.send(r#"42["x",nonsense]"#).await;
        client.check_end().await;
        assert!(matches!(host.error().await.failure, Failure::Protocol(_)));
    }
}

/// Tells when it is dropped.
struct Guest(Log);

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.say("given up");
    }
}

#[tokio::test]
async fn a_socket_that_leaves_takes_what_waits_along() {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .event_middleware(async |State(log): State<Log>| {
            let guest = Guest(Log::clone(&log));
            log.say("waits");
            std::future::pending::<()>().await;
            drop(guest);
            Ok::<_, Refusal>(())
        })
        .on("x", async |State(log): State<Log>| log.say("never"))
        .on_disconnect(async |State(log): State<Log>| log.say("left"));
    let host = stage.listen().await;
    let (mut client, id) = host.member().await;
    client.send(r#"42["x"]"#).await;
    client.send(r#"42["x"]"#).await;
    host.check_heard("waits").await;
    client.send("41").await;
    host.check_heard("left").await;
    host.check_heard("given up").await;
    assert!(host.io.of("/").socket(&id).is_none());
    // It comes back, and the server disconnects it.
    let id = client.join("/").await;
    client.send(r#"42["x"]"#).await;
    host.check_heard("waits").await;
    host.io.of("/").socket(&id).unwrap().disconnect();
    client.check("41").await;
    host.check_heard("left").await;
    host.check_heard("given up").await;
    // The end of the connection.
    client.join("/").await;
    client.send(r#"42["x"]"#).await;
    host.check_heard("waits").await;
    drop(client);
    host.check_heard("left").await;
    host.check_heard("given up").await;
    until(|| host.io.connections() == 0).await;
    host.check_silence().await;
}
