//! Middlewares: who may join.

use serde::Deserialize;
use serde_json::json;
use socket_io::{Auth, Failure, Refusal, Socket, SocketData, State, Value};

use crate::support::{Gate, Log, Stage};

#[derive(Deserialize)]
struct Token {
    token: String,
}

#[derive(Debug)]
struct User(String);

#[tokio::test]
async fn middlewares_run_in_order_and_what_they_return_is_data_of_the_socket() {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .middleware(async |Auth(auth): Auth<Token>, State(log): State<Log>| {
            log.say("first");
            Ok::<_, Refusal>(User(auth.token))
        })
        .middleware(
            async |SocketData(user): SocketData<User>,
                   State(log): State<Log>,
                   State(gate): State<Gate>| {
                log.say(format!("second {}", user.0));
                gate.pass().await;
                log.say("second goes on");
                Ok::<_, Refusal>(7_u8)
            },
        )
        .middleware(async |State(log): State<Log>| {
            log.say("third");
            Ok::<_, Refusal>(())
        })
        .on("data", async |socket: Socket| {
            let user = socket.data::<User>().map(|user| user.0.clone());
            (user, socket.data::<u8>().as_deref().copied())
        });
    let host = stage.listen().await;
    let mut client = host.client().await;
    client.send(r#"40{"token":"ann"}"#).await;
    host.check_heard("first").await;
    host.check_heard("second ann").await;
    host.check_silence().await;
    host.open_gate(1);
    host.check_heard("second goes on").await;
    host.check_heard("third").await;
    assert!(client.text().await.starts_with("40{"));
    client.ask(r#"421["data"]"#, r#"431["ann",7]"#).await;
}

#[tokio::test]
async fn a_refusal_reaches_the_client_with_its_data_and_ends_the_row() {
    let stage = Stage::new();
    stage
        .io
        .of("/no")
        .middleware(async || Err::<(), _>(Refusal::new("no").with_data(&json!({"code": 1}))?))
        .middleware(async |State(log): State<Log>| {
            log.say("never");
            Ok::<_, Refusal>(())
        })
        .on_connect(async |State(log): State<Log>| log.say("never"))
        .on_disconnect(async |State(log): State<Log>| log.say("never"));
    stage
        .io
        .of("/plain")
        .middleware(async || Err::<(), _>(Refusal::new("plain")));
    stage.io.of("/typed").middleware(async || "x".parse::<u8>());
    stage
        .io
        .of("/auth")
        .middleware(async |Auth(_): Auth<Token>| Ok::<_, Refusal>(()));
    let host = stage.listen().await;
    let mut client = host.client().await;
    client
        .ask("40/no,", r#"44/no,{"message":"no","data":{"code":1}}"#)
        .await;
    client
        .ask("40/plain,", r#"44/plain,{"message":"plain"}"#)
        .await;
    client
        .ask(
            "40/typed,",
            r#"44/typed,{"message":"invalid digit found in string"}"#,
        )
        .await;
    client.send("40/auth,{}").await;
    let refusal = client.text().await;
    assert!(
        refusal.starts_with(r#"44/auth,{"message":"unexpected arguments: missing field"#),
        "{refusal}"
    );
    // The connection stays, and the client may try again.
    client
        .ask("40/no,", r#"44/no,{"message":"no","data":{"code":1}}"#)
        .await;
    client.join("/").await;
    host.check_silence().await;
    host.check_no_error().await;
}

#[tokio::test]
async fn what_goes_wrong_in_a_middleware_is_reported_and_the_client_learns_no_more_than_that() {
    let stage = Stage::new();
    stage.io.of("/panic").middleware(async || {
        if true {
            panic!("secret");
        }
        Ok::<_, Refusal>(())
    });
    stage
        .io
        .of("/later")
        .middleware(async |State(gate): State<Gate>| {
            gate.pass().await;
            if true {
                panic!("late secret");
            }
            Ok::<_, Refusal>(())
        });
    stage
        .io
        .of("/missing")
        .middleware(async |_: State<User>| Ok::<_, Refusal>(()));
    let host = stage.listen().await;
    host.open_gate(1);
    let mut client = host.client().await;
    for (name, message) in [("/panic", "secret"), ("/later", "late secret")] {
        client
            .ask(
                &format!("40{name},"),
                &format!(r#"44{name},{{"message":"internal error"}}"#),
            )
            .await;
        host.check_error("connection", Failure::Panicked(message.into()))
            .await;
    }
    client
        .ask("40/missing,", r#"44/missing,{"message":"internal error"}"#)
        .await;
    let error = host.error().await;
    assert_eq!(&*error.namespace, "/missing");
    assert!(matches!(error.failure, Failure::Missing(_)));
    client.join("/").await;
}

#[tokio::test]
async fn events_of_a_middleware_precede_the_confirmation() {
    let stage = Stage::new();
    stage
        .io
        .of("/mw")
        .middleware(async |socket: Socket| Ok::<_, Refusal>(socket.emit("early", "x")?))
        .on_connect(async |socket: Socket| socket.emit("late", &()).map_err(Refusal::from));
    let host = stage.listen().await;
    let mut client = host.client().await;
    client.ask("40/mw,", r#"42/mw,["early","x"]"#).await;
    assert!(client.text().await.starts_with("40/mw,{"));
    client.check(r#"42/mw,["late"]"#).await;
}

#[tokio::test]
async fn rooms_joined_in_a_middleware_count_once_the_socket_is_connected() {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .middleware(
            async |socket: Socket, State(log): State<Log>, State(gate): State<Gate>| {
                socket.join(["a", "b", "c"]);
                socket.join("a");
                socket.leave("b");
                log.say(socket.rooms().join(","));
                gate.pass().await;
                Ok::<_, Refusal>(())
            },
        )
        .on("rooms", async |socket: Socket| {
            let mut rooms = socket.rooms();
            assert_eq!(*rooms.remove(0), **socket.id());
            rooms.sort();
            rooms
                .iter()
                .map(|room| room.to_string())
                .collect::<Vec<_>>()
        });
    let host = stage.listen().await;
    let mut client = host.client().await;
    client.send("40").await;
    host.check_heard("a,c").await;
    assert_eq!(host.io.to("a").emit("too early", &()).unwrap().sent, 0);
    host.open_gate(1);
    assert!(client.text().await.starts_with("40{"));
    client.ask(r#"421["rooms"]"#, r#"431[["a","c"]]"#).await;
    assert_eq!(host.io.to("a").emit("now", &()).unwrap().sent, 1);
    client.check(r#"42["now"]"#).await;
}

#[tokio::test]
async fn a_middleware_that_disconnects_its_socket_ends_the_joining() {
    let stage = Stage::new();
    stage
        .io
        .of("/out")
        .middleware(async |socket: Socket| {
            socket.disconnect();
            Ok::<_, Refusal>(())
        })
        .on_connect(async |State(log): State<Log>| log.say("never"));
    stage.io.of("/gone").middleware(async |socket: Socket| {
        socket.disconnect_all();
        Ok::<_, Refusal>(())
    });
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    client.ask("40/out,", "41/out,").await;
    client.send("40/gone,").await;
    client.check("41").await;
    client.check_end().await;
    assert!(host.io.of("/out").is_empty());
    host.check_silence().await;
}

#[tokio::test]
async fn each_joining_waits_for_itself_only() {
    let stage = Stage::new();
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
    client.send(r#"40/a,{"wait":true}"#).await;
    client.join("/b").await;
    host.open_gate(1);
    assert!(client.text().await.starts_with("40/a,{"));
}
