//! Arguments of events, as the types that handlers ask for.

use serde_json::json;
use socket_io::protocol::ArgsError;
use socket_io::{Args, Data, EventName, Failure, RawArgs, Value};

use super::{Point, check_violation};
use crate::support::{Host, Stage};

async fn arguments() -> Host {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .on("none", async |Data(()): Data<()>| "none")
        .on("nothing taken", async || "called")
        .on("one", async |Data(number): Data<i64>| number + 1)
        .on("tuple", async |Data((a, b)): Data<(i64, String)>| {
            format!("{b}{a}")
        })
        .on(
            "optional",
            async |Data((a, b)): Data<(i64, Option<i64>)>| a + b.unwrap_or(100),
        )
        .on("struct", async |Data(point): Data<Point>| Point {
            x: point.y,
            y: point.x,
        })
        .on("list", async |Data(list): Data<Vec<i64>>| {
            list.iter().sum::<i64>()
        })
        .on("all", async |Data(Args(all)): Data<Args<i64>>| {
            all.iter().sum::<i64>()
        })
        .on("raw", async |args: RawArgs| args)
        .on("dynamic", async |Data(value): Data<Value>| value)
        .on("maybe", async |data: Option<Data<i64>>| match data {
            Some(Data(number)) => json!(number),
            None => json!("no number"),
        });
    stage.listen().await
}

#[tokio::test]
async fn arguments_arrive_as_the_types_that_handlers_ask_for() {
    let host = arguments().await;
    let (mut client, _) = host.member().await;
    for (event, answer) in [
        (r#"["none"]"#, r#"["none"]"#),
        (r#"["none",1,2]"#, r#"["none"]"#),
        (r#"["nothing taken",{"a":[1]}]"#, r#"["called"]"#),
        (r#"["one",41]"#, "[42]"),
        (r#"["one",41,"ignored"]"#, "[42]"),
        (r#"["tuple",1,"a"]"#, r#"["a1"]"#),
        (r#"["optional",1]"#, "[101]"),
        (r#"["optional",1,2]"#, "[3]"),
        (r#"["struct",{"x":1,"y":2}]"#, r#"[{"x":2,"y":1}]"#),
        (r#"["list",[1,2,3]]"#, "[6]"),
        (r#"["all",1,2,3]"#, "[6]"),
        (r#"["raw", {"b" : 1},null ]"#, r#"[{"b" : 1},null]"#),
        (r#"["raw"]"#, "[]"),
        (
            r#"["dynamic",{"z":[1.5,null,"é"]}]"#,
            r#"[{"z":[1.5,null,"é"]}]"#,
        ),
        (r#"["dynamic"]"#, "[null]"),
        (r#"["maybe",3]"#, "[3]"),
        (r#"["maybe","three"]"#, r#"["no number"]"#),
    ] {
        client
            .ask(&format!("427{event}"), &format!("437{answer}"))
            .await;
    }
    host.check_no_error().await;
}

#[tokio::test]
async fn arguments_of_another_type_are_refused_and_reported_and_nothing_else_happens() {
    let host = arguments().await;
    let (mut client, _) = host.member().await;
    client.send(r#"421["one","text"]"#).await;
    let answer = client.text().await;
    assert!(
        answer.starts_with(r#"431[{"message":"unexpected arguments: invalid type"#),
        "{answer}"
    );
    let error = host.error().await;
    assert_eq!((&*error.namespace, &*error.event), ("/", "one"));
    assert!(matches!(
        error.failure,
        Failure::Args(ArgsError::Mismatch(_))
    ));
    client.send(r#"42["tuple",1]"#).await;
    assert!(matches!(
        host.error().await.failure,
        Failure::Args(ArgsError::Mismatch(_))
    ));
    client.ask(r#"422["one",1]"#, "432[2]").await;
}

#[tokio::test]
async fn a_name_that_is_a_number_finds_its_handler() {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .on("7", async |EventName(name): EventName| name.to_string());
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    client.ask("420[7]", r#"430["7"]"#).await;
}

#[tokio::test]
async fn malformed_arguments_end_the_connection_whatever_the_handler_takes() {
    let host = arguments().await;
    for event in [
        "one",
        "raw",
        "dynamic",
        "maybe",
        "nothing taken",
        "none",
        "unheard of",
    ] {
        check_violation(&host, &format!(r#"["{event}",{{oops]"#)).await;
        check_violation(&host, &format!(r#"["{event}",1 2]"#)).await;
    }
    let (mut client, _) = host.member().await;
    client.ask(r#"420["one",1]"#, "430[2]").await;
    host.check_no_error().await;
}

#[tokio::test]
async fn a_placeholder_without_attachment_ends_the_connection() {
    let host = arguments().await;
    for event in ["raw", "dynamic", "maybe", "nothing taken", "unheard of"] {
        let (mut client, _) = host.member().await;
        client
            .send(&format!(
                r#"451-["{event}",{{"_placeholder":true,"num":1}}]"#
            ))
            .await;
        client.send_binary(b"x").await;
        client.check_end().await;
        assert_eq!(
            host.error().await.failure,
            Failure::Protocol("illegal attachments".into()),
            "{event}"
        );
    }
}
