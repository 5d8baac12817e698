//! Handlers that fail, panics in and around them, and the hook that is told.

use serde::{Deserialize, Serialize};
use socket_io::{Data, Failure, Socket, State};

use crate::support::{Gate, Stage};

#[tokio::test]
async fn what_cannot_be_sent_as_acknowledgement_is_reported() {
    let stage = Stage::new();
    stage.io.of("/").on("ack", async || {
        std::collections::HashMap::from([(vec![1], 1)])
    });
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    client
        .ask(r#"421["ack"]"#, r#"431[{"message":"internal error"}]"#)
        .await;
    assert!(matches!(host.error().await.failure, Failure::Reply(_)));
}

#[tokio::test]
async fn a_handler_that_panics_is_reported_and_the_connection_lives_on() {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .on("at once", async || {
            if true {
                panic!("formatted {}", 1);
            }
        })
        .on("later", async |State(gate): State<Gate>| {
            gate.pass().await;
            if true {
                panic!("plain");
            }
        })
        .on("odd", async || {
            if true {
                std::panic::panic_any(7);
            }
        })
        .on("fine", async || "fine");
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    client.send(r#"42["at once"]"#).await;
    host.check_error("at once", Failure::Panicked("formatted 1".into()))
        .await;
    client.send(r#"42["later"]"#).await;
    host.open_gate(1);
    host.check_error("later", Failure::Panicked("plain".into()))
        .await;
    client.send(r#"42["odd"]"#).await;
    host.check_error("odd", Failure::Panicked("no message".into()))
        .await;
    client.ask(r#"421["fine"]"#, r#"431["fine"]"#).await;
}

/// Panics while a handler is being made, not while it runs.
fn eager(_: Socket) -> std::future::Ready<()> {
    panic!("eager");
}

/// Panics while it is written.
struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("unwritable");
    }
}

/// Panics while it is read.
struct Unreadable;

impl<'de> Deserialize<'de> for Unreadable {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("unreadable");
    }
}

#[tokio::test]
async fn panics_around_a_handler_are_caught_too() {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .on("eager", eager)
        .on("unwritable", async || Unwritable)
        .on("unreadable", async |_: Data<Unreadable>| {})
        .on("fine", async || "fine");
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    for event in ["eager", "unwritable", "unreadable"] {
        let refused = r#"431[{"message":"internal error"}]"#;
        client.ask(&format!(r#"421["{event}"]"#), refused).await;
        host.check_error(event, Failure::Panicked(event.into()))
            .await;
    }
    client.ask(r#"421["fine"]"#, r#"431["fine"]"#).await;
}

#[tokio::test]
async fn an_error_hook_that_panics_harms_nobody() {
    let stage = Stage::with(|builder| builder.on_error(|_| panic!("hook")));
    stage
        .io
        .of("/")
        .on("bad", async |State(gate): State<Gate>| {
            gate.pass().await;
            Err::<(), _>("bad")
        })
        .on("good", async || "good");
    let host = stage.listen().await;
    host.open_gate(1);
    let (mut client, _) = host.member().await;
    client.ask(r#"421["bad"]"#, r#"431["bad"]"#).await;
    client.ask(r#"422["good"]"#, r#"432["good"]"#).await;
}
