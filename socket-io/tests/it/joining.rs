//! Joining namespaces, and what happens around it.

use std::time::Duration;

use serde_json::json;
use socket_io::protocol::ArgsError;
use socket_io::{Auth, DisconnectReason, Failure, Refusal, Socket, State, Value};

use crate::support::{Client, Gate, Log, Shelf, Stage};

#[tokio::test]
async fn a_client_joins_and_what_the_connect_handler_emits_follows_the_confirmation() {
    let stage = Stage::new();
    stage.io.of("/").on_connect(async |socket: Socket| {
        socket
            .emit("hello", &json!({"a": 1}))
            .map_err(Refusal::from)
    });
    let host = stage.listen().await;
    let (mut client, id) = host.member().await;
    client.check(r#"42["hello",{"a":1}]"#).await;
    assert_eq!(host.io.of("/").socket(&id).unwrap().id().as_str(), id);
    assert_eq!(host.io.of("/").len(), 1);
}

#[tokio::test]
async fn the_connect_handler_starts_before_the_first_event_even_if_both_came_at_once() {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .on_connect(async |State(log): State<Log>, State(gate): State<Gate>| {
            log.say("connect");
            gate.pass().await;
            log.say("connected");
        })
        .on("event", async |State(log): State<Log>| log.say("event"));
    let polling = stage.polling().await;
    polling.send("40\x1e42[\"event\"]\x1e42[\"event\"]").await;
    for heard in ["connect", "event", "event"] {
        stage.check_heard(heard).await;
    }
    stage.open_gate(1);
    stage.check_heard("connected").await;
}

#[tokio::test]
async fn auth_is_an_empty_object_unless_the_client_sends_another() {
    let stage = Stage::new();
    stage
        .io
        .of("/auth")
        .on("auth", async |Auth(auth): Auth<Value>| auth);
    let host = stage.listen().await;
    for (connect, auth) in [("40/auth,", "{}"), (r#"40/auth,{"a":[1]}"#, r#"{"a":[1]}"#)] {
        let mut client = host.client().await;
        client.send(connect).await;
        client.text().await;
        client
            .ask(r#"42/auth,1["auth"]"#, &format!("43/auth,1[{auth}]"))
            .await;
    }
}

#[tokio::test]
async fn a_connect_handler_that_cannot_be_called_is_reported() {
    let stage = Stage::new();
    stage.io.of("/").on_connect(async |Auth(_): Auth<Value>| {});
    let host = stage.listen().await;
    let mut client = host.client().await;
    let deep = 2000;
    let auth = format!(r#"40{{"a":{}{}}}"#, "[".repeat(deep), "]".repeat(deep));
    client.send(&auth).await;
    assert!(client.text().await.starts_with("40{"));
    let error = host.error().await;
    assert_eq!(&*error.event, "connection");
    assert!(matches!(error.failure, Failure::Args(ArgsError::Syntax(_))));
}

#[tokio::test]
async fn unknown_namespaces_are_refused_and_the_connection_stays() {
    let host = Stage::new().listen().await;
    let mut client = host.client().await;
    for name in ["/nope", "/?a=1", "/ADMIN"] {
        client
            .ask(
                &format!("40{name},"),
                &format!(r#"44{name},{{"message":"Invalid namespace"}}"#),
            )
            .await;
    }
    client.join("/").await;
}

#[tokio::test]
async fn a_socket_is_known_by_another_id_in_each_namespace() {
    let stage = Stage::new();
    stage.io.of("/a");
    let host = stage.listen().await;
    let (mut client, id) = host.member().await;
    assert_ne!(client.join("/a").await, id);
    assert_eq!(host.io.connections(), 1);
}

/// Sends something that breaks the protocol; the socket of the namespace leaves, and the connection ends.
async fn check_violation(packets: &[&str]) {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .middleware(async |Auth(auth): Auth<Value>, State(gate): State<Gate>| {
            if auth.get("wait").is_some() {
                gate.pass().await;
            }
            Ok::<_, Refusal>(())
        })
        .on_disconnect(async |reason: DisconnectReason, State(log): State<Log>| {
            log.say(reason.as_str());
        });
    stage.io.of("/other");
    let host = stage.listen().await;
    let mut client = host.client().await;
    for packet in packets {
        client.send(packet).await;
    }
    client.rest().await;
    if packets[0] == "40" {
        host.check_heard("forced close").await;
        assert!(matches!(host.error().await.failure, Failure::Protocol(_)));
    }
    assert_eq!(host.io.of("/").len(), 0);
    host.check_no_error().await;
}

#[tokio::test]
async fn breaking_the_protocol_closes_the_connection() {
    for packets in [
        &["40", "40"][..],
        &["40", r#"44{"message":"x"}"#],
        &["40", r#"42/other,["x"]"#],
        &["40", "41/other,"],
        &["40", "43/other,1[]"],
        &["40", "47"],
        &["40", "4"],
        &["40", "42{}"],
        &["40", "42[]"],
        &["40", r#"42["connect"]"#],
        &["40", r#"42["disconnect"]"#],
        &["40", "41{}"],
        &["40", "430[}]"],
        &["40", r#"450-["x"]"#],
        &["40", r#"4511-["x"]"#],
        &[
            "40",
            r#"451-["x",{"_placeholder":true,"num":0}]"#,
            r#"42["x"]"#,
        ],
        &[r#"42["x"]"#],
        &["41"],
        &["40[]"],
        &["40null"],
        &[r#"40{"wait":1}"#, r#"40{"wait":1}"#],
        &[r#"40{"wait":1}"#, r#"42["x"]"#],
    ] {
        check_violation(packets).await;
    }
}

#[tokio::test]
async fn what_is_legal_but_means_nothing_is_ignored() {
    let stage = Stage::new();
    stage.io.of("/").on("echo", async || "echo");
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    for packet in ["42", "43", "43[]", "4399[1]", r#"42["nobody listens",1]"#] {
        client.send(packet).await;
    }
    client.ask(r#"421["echo"]"#, r#"431["echo"]"#).await;
    host.check_no_error().await;
}

#[tokio::test]
async fn packets_under_way_when_a_namespace_is_left_harm_nobody() {
    let stage = Stage::new();
    stage.io.of("/").on("echo", async || "echo");
    stage
        .io
        .of("/a")
        .on("leave", async |socket: Socket| socket.disconnect());
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    client.join("/a").await;
    client.ask(r#"42/a,["leave"]"#, "41/a,").await;
    for packet in [r#"42/a,["leave"]"#, "43/a,1[]", "41/a,", r#"42/a,1["x"]"#] {
        client.send(packet).await;
    }
    client.ask(r#"421["echo"]"#, r#"431["echo"]"#).await;
    // It may come back.
    client.join("/a").await;
    client.ask(r#"42/a,["leave"]"#, "41/a,").await;
}

#[tokio::test]
async fn a_client_that_joins_nothing_is_disconnected() {
    let stage = Stage::with(|builder| builder.connect_timeout(Duration::from_millis(50)));
    stage
        .io
        .of("/slow")
        .middleware(async |State(gate): State<Gate>| {
            gate.pass().await;
            Ok::<_, Refusal>(())
        });
    let host = stage.listen().await;
    host.client().await.check_end().await;
    // Waiting for a middleware is not joining.
    let mut client = host.client().await;
    client.send("40/slow,").await;
    client.check_end().await;
}

#[tokio::test(start_paused = true)]
async fn the_time_to_join_ends_with_the_first_namespace() {
    let stage = Stage::with(|builder| builder.connect_timeout(Duration::from_secs(3)));
    stage
        .io
        .of("/")
        .on("bye", async |socket: Socket| socket.disconnect());
    let mut polling = stage.polling().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    polling.join().await;
    polling.send(r#"42["bye"]"#).await;
    polling.check("41").await;
    // Pings go on for longer than the timeout.
    for _ in 0..3 {
        assert_eq!(polling.poll().await, "2");
        polling.send("3").await;
    }
    assert_eq!(stage.io.connections(), 1);
}

#[tokio::test]
async fn a_socket_that_somebody_else_disconnects_while_it_joins_does_not_stay() {
    type Joining = Shelf<Socket>;
    let stage = Stage::with(|builder| builder.state(Joining::default()));
    stage
        .io
        .of("/a")
        .middleware(
            async |socket: Socket,
                   State(shelf): State<Joining>,
                   State(log): State<Log>,
                   State(gate): State<Gate>| {
                shelf.put(socket);
                log.say("joining");
                gate.pass().await;
                Ok::<_, Refusal>(())
            },
        )
        .on(
            "take",
            async |State(shelf): State<Joining>, State(log): State<Log>| {
                let socket = shelf.take().unwrap();
                assert!(!socket.is_connected());
                socket.disconnect();
                log.say("disconnected");
            },
        )
        .on_connect(async |State(log): State<Log>| log.say("connect"))
        .on_disconnect(async |State(log): State<Log>| log.say("disconnect"));
    let host = stage.listen().await;
    let mut other = host.client().await;
    other.send("40/a,").await;
    host.check_heard("joining").await;
    host.open_gate(1);
    host.check_heard("connect").await;
    let mut client = host.client().await;
    client.send("40/a,").await;
    host.check_heard("joining").await;
    other.send(r#"42/a,["take"]"#).await;
    host.check_heard("disconnected").await;
    client.check("41/a,").await;
    host.open_gate(1);
    // The middleware ends; nothing more comes of it, and the client may try again.
    client.join("/").await;
    assert_eq!(host.io.of("/a").len(), 1);
    host.check_silence().await;
}

#[tokio::test]
async fn clients_that_are_gone_before_their_middleware_ends_are_never_connected() {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .middleware(async |State(log): State<Log>, State(gate): State<Gate>| {
            let _noticed = Noticed(Log::clone(&log));
            log.say("joining");
            gate.pass().await;
            Ok::<_, Refusal>(())
        })
        .on_connect(async |State(log): State<Log>| log.say("connect"))
        .on_disconnect(async |State(log): State<Log>| log.say("disconnect"));
    let host = stage.listen().await;
    let mut client = host.client().await;
    client.send("40").await;
    host.check_heard("joining").await;
    drop::<Client>(client);
    host.check_heard("dropped").await;
    host.check_silence().await;
}

/// Tells when it is dropped.
struct Noticed(Log);

impl Drop for Noticed {
    fn drop(&mut self) {
        self.0.say("dropped");
    }
}
