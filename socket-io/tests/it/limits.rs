//! What happens at the limits.

use std::time::Duration;

use socket_io::{Auth, Binary, Data, Failure, RawArgs, Refusal, Socket, SocketIo, State, Value};

use crate::support::{Gate, Log, Stage, not_yet, soon};

#[tokio::test]
async fn beyond_so_many_waiting_handlers_events_wait_and_then_nothing_is_read_until_one_ends() {
    let stage = Stage::with(|builder| builder.max_handlers(3).inbox_limit(0));
    stage.io.of("/").on(
        "n",
        async |Data(n): Data<u64>, State(log): State<Log>, State(gate): State<Gate>| {
            log.say(format!("start {n}"));
            gate.pass().await;
            log.say("end");
        },
    );
    // The answer to a POST shows that its packets were taken.
    let mut polling = stage.polling().await;
    polling.join().await;
    for n in 0..3 {
        polling.send(&format!(r#"42["n",{n}]"#)).await;
        stage.check_heard(&format!("start {n}")).await;
    }
    polling.send(r#"42["n",3]"#).await;
    let mut held = Box::pin(polling.send(r#"42["n",4]"#));
    not_yet(&mut held).await;
    stage.check_silence().await;
    // Sending goes on meanwhile.
    stage.io.emit("x", &()).unwrap();
    assert_eq!(polling.poll().await, r#"42["x"]"#);
    stage.open_gate(1);
    stage.check_heard("end").await;
    soon(held).await;
    stage.check_heard("start 3").await;
    stage.check_silence().await;
    stage.open_gate(1);
    stage.check_heard("end").await;
    stage.check_heard("start 4").await;
    stage.open_gate(3);
    for _ in 0..3 {
        stage.check_heard("end").await;
    }
}

#[tokio::test]
async fn handlers_that_wait_for_their_own_client_get_its_answers() {
    let stage = Stage::with(|builder| builder.max_handlers(2));
    stage
        .io
        .of("/")
        .on("ask", async |socket: Socket| {
            socket
                .emit_with_ack::<u64>("question", &())
                .await
                .map_err(Refusal::from)
        })
        .on("count", async |State(log): State<Log>| log.say("count"));
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    client.ask(r#"421["ask"]"#, r#"420["question"]"#).await;
    client.ask(r#"422["ask"]"#, r#"421["question"]"#).await;
    // Both places are taken, so the events wait, and the answers overtake them.
    client.send(r#"42["count"]"#).await;
    client.send(r#"423["ask"]"#).await;
    client.ask("431[11]", r#"432[11]"#).await;
    host.check_heard("count").await;
    client.check(r#"422["question"]"#).await;
    client.ask("430[10]", r#"431[10]"#).await;
    client.ask("432[12]", r#"433[12]"#).await;
    host.check_no_error().await;
}

#[tokio::test]
async fn sockets_of_a_connection_whose_events_wait_take_turns() {
    let stage = Stage::with(|builder| builder.max_handlers(1));
    for name in ["/", "/other"] {
        stage.io.of(name).on(
            "n",
            async |socket: Socket,
                   Data(n): Data<u64>,
                   State(log): State<Log>,
                   State(gate): State<Gate>| {
                log.say(format!("{} {n}", socket.namespace().name()));
                gate.pass().await;
            },
        );
    }
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    client.join("/other").await;
    for n in 0..4 {
        client.send(&format!(r#"42["n",{n}]"#)).await;
    }
    client.send(r#"42/other,["n",0]"#).await;
    // Answered when all of them have arrived.
    client.send("40/nowhere,").await;
    let refusal = client.text().await;
    assert!(refusal.starts_with("44/nowhere,"), "{refusal}");
    for said in ["/ 0", "/ 1", "/other 0", "/ 2", "/ 3"] {
        host.check_heard(said).await;
        host.check_silence().await;
        host.open_gate(1);
    }
}

#[tokio::test]
async fn a_client_whose_events_wait_may_leave() {
    let stage = Stage::with(|builder| builder.max_handlers(1));
    stage
        .io
        .of("/")
        .on(
            "wait",
            async |State(log): State<Log>, State(gate): State<Gate>| {
                log.say("start");
                gate.pass().await;
                log.say("end");
            },
        )
        .on_disconnect(async |State(log): State<Log>| log.say("left"));
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    for packet in [r#"42["wait"]"#, r#"42["wait"]"#, "41"] {
        client.send(packet).await;
    }
    host.check_heard("start").await;
    host.check_heard("left").await;
    host.open_gate(2);
    host.check_heard("end").await;
    // What waited is gone, and nothing of it is in the way of who comes back.
    client.join("/").await;
    client.send(r#"42["wait"]"#).await;
    host.check_heard("start").await;
    host.check_heard("end").await;
    host.check_silence().await;
}

#[tokio::test]
async fn over_websocket_the_client_is_slowed_down_and_nothing_is_lost() {
    const EVENTS: usize = 500;
    let stage = Stage::with(|builder| builder.max_handlers(2).inbox_limit(10_000));
    stage.io.of("/").on(
        "n",
        async |Data((n, _)): Data<(usize, String)>,
               State(log): State<Log>,
               State(gate): State<Gate>| {
            log.say(n.to_string());
            gate.pass().await;
        },
    );
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    let text = "x".repeat(1000);
    let sending = tokio::spawn(async move {
        for n in 0..EVENTS {
            client.send(&format!(r#"42["n",{n},"{text}"]"#)).await;
        }
        client
    });
    for n in 0..EVENTS {
        host.check_heard(&n.to_string()).await;
        if n >= 1 {
            host.check_silence().await;
            host.open_gate(1);
        }
    }
    drop(soon(sending).await.unwrap());
}

#[test]
#[should_panic(expected = "nothing would ever be read")]
fn a_limit_of_no_handlers_is_a_mistake() {
    let _ = SocketIo::builder().max_handlers(0);
}

#[tokio::test]
async fn a_connection_may_be_in_so_many_namespaces() {
    let stage = Stage::with(|builder| builder.max_namespaces(2));
    for name in ["/a", "/b", "/c"] {
        stage.io.of(name);
    }
    let host = stage.listen().await;
    let mut client = host.client().await;
    client.join("/a").await;
    client.join("/b").await;
    client
        .ask("40/c,", r#"44/c,{"message":"too many namespaces"}"#)
        .await;
    client.send("41/a,").await;
    client.join("/c").await;
}

#[tokio::test]
async fn a_connection_may_wait_for_so_many_middlewares() {
    let stage = Stage::with(|builder| builder.max_joining(1));
    for name in ["/a", "/b"] {
        stage
            .io
            .of(name)
            .middleware(async |Auth(auth): Auth<Value>, State(gate): State<Gate>| {
                if auth.get("wait").is_some() {
                    gate.pass().await;
                }
                Ok::<_, Refusal>(())
            });
    }
    let host = stage.listen().await;
    let mut client = host.client().await;
    client.send(r#"40/a,{"wait":1}"#).await;
    client
        .ask("40/b,", r#"44/b,{"message":"too many namespaces"}"#)
        .await;
    host.open_gate(1);
    assert!(client.text().await.starts_with("40/a,"));
    client.join("/b").await;
}

#[tokio::test]
async fn attachments_that_do_not_arrive_in_time_end_the_connection() {
    let stage = Stage::with(|builder| builder.attachment_timeout(Duration::from_millis(50)));
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    client
        .send(r#"451-["x",{"_placeholder":true,"num":0}]"#)
        .await;
    client.check_end().await;
    host.check_error(
        "error",
        Failure::Protocol("attachments did not arrive in time".into()),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_time_for_attachments_ends_when_they_are_there_even_if_the_socket_has_left() {
    let stage = Stage::with(|builder| builder.attachment_timeout(Duration::from_secs(3)));
    stage.io.of("/").on(
        "x",
        async |Data(data): Data<Binary>, State(log): State<Log>| {
            log.say(data.len().to_string());
        },
    );
    let mut polling = stage.polling().await;
    let header = r#"451-["x",{"_placeholder":true,"num":0}]"#;
    let id = polling.join().await;
    polling.send(header).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    polling.send("bAAAA").await;
    stage.check_heard("3").await;
    polling.send(header).await;
    stage.io.of("/").socket(&id).unwrap().disconnect();
    polling.check("41").await;
    polling.send("bAAAA").await;
    // Pings go on for longer than the timeout.
    for _ in 0..3 {
        assert_eq!(polling.poll().await, "2");
        polling.send("3").await;
    }
    assert_eq!(stage.io.connections(), 1);
}

#[tokio::test(start_paused = true)]
async fn attachments_that_nobody_waits_for_any_more_do_not_keep_the_connection() {
    let stage = Stage::with(|builder| builder.attachment_timeout(Duration::from_secs(3)));
    let mut polling = stage.polling().await;
    polling.join().await;
    polling.send("41").await;
    polling
        .send(r#"451-["x",{"_placeholder":true,"num":0}]"#)
        .await;
    polling.check("1").await;
}

#[tokio::test(start_paused = true)]
async fn joining_a_namespace_meanwhile_gives_attachments_no_more_time() {
    for is_first in [true, false] {
        let stage = Stage::with(|builder| builder.attachment_timeout(Duration::from_secs(3)));
        stage
            .io
            .of("/slow")
            .middleware(async |State(gate): State<Gate>| {
                gate.pass().await;
                Ok::<_, Refusal>(())
            });
        let mut polling = stage.polling().await;
        if !is_first {
            polling.join().await;
        }
        polling.send("40/slow,").await;
        polling
            .send(r#"451-/slow,["x",{"_placeholder":true,"num":0}]"#)
            .await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        stage.open_gate(1);
        let joined = polling.packet().await;
        assert!(joined.starts_with("40/slow,"), "{joined}");
        let start = tokio::time::Instant::now();
        polling.check("1").await;
        assert!(start.elapsed() <= Duration::from_secs(3));
    }
}

#[tokio::test]
async fn attachments_may_have_so_many_bytes_together() {
    let stage = Stage::with(|builder| builder.max_attachment_bytes(10));
    stage
        .io
        .of("/")
        .on("x", async |args: RawArgs| args.attachments().len());
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    let text = r#"452-1["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    client.send(text).await;
    client.send_binary(&[0; 5]).await;
    client.send_binary(&[0; 5]).await;
    client.check("431[2]").await;
    client.send(text).await;
    client.send_binary(&[0; 5]).await;
    client.send_binary(&[0; 6]).await;
    client.check_end().await;
}

#[tokio::test]
async fn a_message_may_have_so_many_bytes() {
    let stage = Stage::with(|builder| builder.max_payload(1000));
    stage
        .io
        .of("/")
        .on("x", async |Data(text): Data<String>| text.len());
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    let text = "x".repeat(900);
    client
        .ask(&format!(r#"421["x","{text}"]"#), "431[900]")
        .await;
    client.send(&format!(r#"421["x","{text}{text}"]"#)).await;
    client.check_end().await;
}

#[tokio::test]
async fn a_client_that_waits_for_busy_handlers_is_not_taken_for_dead() {
    let stage = Stage::with(|builder| {
        builder
            .max_handlers(1)
            .ping_interval(Duration::from_millis(50))
            .ping_timeout(Duration::from_millis(500))
    });
    stage
        .io
        .of("/")
        .on("slow", async |State(gate): State<Gate>| {
            gate.pass().await;
            "done"
        });
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    client.send(r#"421["slow"]"#).await;
    // For longer than the time to answer.
    client.stay_alive(15).await;
    host.open_gate(1);
    client.check(r#"431["done"]"#).await;
}
