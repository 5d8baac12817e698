//! Binary data, both ways.

use serde::{Deserialize, Serialize};
use socket_io::protocol::EncodeError;
use socket_io::{AckError, Args, Binary, Data, EmitError, RawArgs, Refusal, Socket, Value};

use crate::support::{Client, Stage};

#[derive(Deserialize, Serialize)]
struct File {
    name: String,
    parts: Vec<Part>,
}

#[derive(Deserialize, Serialize)]
struct Part {
    data: Binary,
}

async fn send(client: &mut Client, text: &str, attachments: &[&[u8]]) {
    client.send(text).await;
    for data in attachments {
        client.send_binary(data).await;
    }
}

const NESTED: &str = r#"["event",{"name":"f","parts":[{"data":{"_placeholder":true,"num":0}},{"data":{"_placeholder":true,"num":1}}]},{"_placeholder":true,"num":2}]"#;

#[tokio::test]
async fn binary_at_any_depth_arrives_and_goes_back_whatever_the_type() {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .on("event", async |socket: Socket, args: RawArgs| {
            let (typed, last): (File, Binary) = args.parse()?;
            socket.emit("typed", &(typed, last))?;
            let Args(values): Args<Value> = args.parse()?;
            socket.emit("value", &Args(values))?;
            socket.emit("raw", &args)?;
            Ok::<_, Refusal>(args)
        })
        .on("order", async |Data((a, b)): Data<(Binary, Binary)>| (b, a));
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    send(
        &mut client,
        &format!("453-5{NESTED}"),
        &[b"a", b"", &[0, 255]],
    )
    .await;
    for event in ["453-typed", "453-value", "453-raw", "463-5"] {
        let (kind, name) = event.split_at(4);
        let text = match kind {
            "463-" => format!("463-5{}", NESTED.replacen(r#""event","#, "", 1)),
            _ => format!("{kind}{}", NESTED.replacen("event", name, 1)),
        };
        client.check(&text).await;
        for data in [&b"a"[..], b"", &[0, 255]] {
            client.check_binary(data).await;
        }
    }
    // Looked up by number, not by position.
    let swapped = r#"452-1["order",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]"#;
    send(&mut client, swapped, &[b"0", b"1"]).await;
    client
        .check(r#"462-1[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#)
        .await;
    client.check_binary(b"0").await;
    client.check_binary(b"1").await;
}

#[tokio::test]
async fn more_attachments_than_clients_accept_are_refused_when_emitting() {
    let host = Stage::new().listen().await;
    let (mut client, id) = host.member().await;
    let socket = host.io.of("/").socket(&id).unwrap();
    let data = |count| vec![Binary::from(vec![1]); count];
    let error = EmitError::Encode(EncodeError::TooManyAttachments {
        count: 11,
        limit: 10,
    });
    assert_eq!(socket.emit("x", &data(11)), Err(error.clone()));
    assert_eq!(socket.volatile().emit("x", &data(11)), Err(error.clone()));
    assert_eq!(host.io.emit("x", &data(11)), Err(error.clone()));
    let ack = socket.emit_with_ack::<()>("x", &data(11)).await;
    assert_eq!(ack, Err(AckError::Emit(error)));
    socket.emit("x", &data(10)).unwrap();
    assert!(client.text().await.starts_with(r#"4510-["x",[{"#));
    for _ in 0..10 {
        client.check_binary(&[1]).await;
    }
}

#[tokio::test]
async fn the_limit_of_attachments_can_be_raised_both_ways() {
    let stage = Stage::with(|builder| builder.max_attachments(11));
    stage
        .io
        .of("/")
        .on("echo", async |Data(value): Data<Value>| value);
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    let list: Vec<_> = (0..11)
        .map(|n| format!(r#"{{"_placeholder":true,"num":{n}}}"#))
        .collect();
    let list = list.join(",");
    send(
        &mut client,
        &format!(r#"4511-1["echo",[{list}]]"#),
        &[&b"x"[..]; 11],
    )
    .await;
    client.check(&format!("4611-1[[{list}]]")).await;
}

#[tokio::test]
async fn a_broadcast_with_binary_reaches_all_whole() {
    let stage = Stage::new();
    let mut polling = stage.polling().await;
    polling.join().await;
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    let delivery = host
        .io
        .emit("b", &(Binary::from(vec![1, 2, 3]), "x"))
        .unwrap();
    assert_eq!(delivery.sent, 2);
    let text = r#"451-["b",{"_placeholder":true,"num":0},"x"]"#;
    client.check(text).await;
    client.check_binary(&[1, 2, 3]).await;
    polling.check(text).await;
    polling.check("bAQID").await;
}
