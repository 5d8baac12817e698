//! Clients of Socket.IO 1 and 2, let in by `allow_eio3`.

use serde_json::json;
use socket_io::{Auth, Binary, Data, Namespace, Refusal, Revision, Socket, State, Value};

use crate::support::{Client, Gate, Host, Log, Stage, respond, until};

fn old_stage() -> Stage {
    Stage::with(|builder| builder.allow_eio3(true))
}

/// Adds an event that tells who the client is.
fn who(namespace: Namespace) -> Namespace {
    namespace.on("who", async |socket: Socket| {
        let auth: Value = socket.auth().unwrap_or_default();
        let revision = socket.revision().number();
        (socket.id().to_string(), revision, auth)
    })
}

/// An old client whose connection is open, and the id of its session.
async fn old_client(host: &Host) -> (Client, String) {
    let client = Client::open_with(host.address, "&EIO=3", "").await;
    let sid = client.sid.clone();
    (client, sid)
}

#[tokio::test]
async fn an_old_client_is_in_the_main_namespace_by_itself() {
    let stage = old_stage();
    who(stage.io.of("/")).on_connect(async |socket: Socket| {
        assert_eq!(socket.revision(), Revision::V3);
        socket.emit("welcome", &1).map_err(Refusal::from)
    });
    let host = stage.listen().await;
    let (mut client, sid) = old_client(&host).await;
    client.check("40").await;
    client.check(r#"42["welcome",1]"#).await;
    let answer = format!(r#"431["{sid}",3,{{}}]"#);
    client.ask(r#"421["who"]"#, &answer).await;
    assert_eq!(host.io.to(&*sid).emit("x", &()).unwrap().sent, 1);
    client.check(r#"42["x"]"#).await;
    // It is there already.
    client.send("40").await;
    client.check_end().await;
}

#[tokio::test]
async fn the_query_of_a_namespace_is_its_auth_payload() {
    let stage = old_stage();
    who(stage.io.of("/"));
    who(stage.io.of("/q"));
    who(stage.io.of("/grüße"));
    let host = stage.listen().await;
    let (mut client, sid) = old_client(&host).await;
    client.check("40").await;
    client.ask("40/q?token=abc&x=%C3%A9+1,", "40/q,").await;
    let answer = format!(r##"43/q,1["/q#{sid}",3,{{"token":"abc","x":"é 1"}}]"##);
    client.ask(r#"42/q,1["who"]"#, &answer).await;
    client.ask(r#"42/q?token=abc,1["who"]"#, &answer).await;
    // What stands behind the namespace means nothing.
    client.send("41/q").await;
    client.ask(r#"40/q,{"token":"x"}"#, "40/q,").await;
    let answer = format!(r##"43/q,2["/q#{sid}",3,{{}}]"##);
    client.ask(r#"42/q,2["who"]"#, &answer).await;
    client.ask("40/grüße?", "40/grüße,").await;
}

#[tokio::test]
async fn a_refusal_is_its_data_or_its_message() {
    let stage = old_stage();
    let io = &stage.io;
    io.of("/data").middleware(async || {
        let refusal = Refusal::new("no").with_data(&json!({"code": 401}));
        Err::<(), _>(refusal.unwrap_or_else(|_| Refusal::new("no data")))
    });
    io.of("/message")
        .middleware(async |Auth(_auth): Auth<Value>| Err::<(), _>(Refusal::new("no")));
    let host = stage.listen().await;
    let (mut client, _) = old_client(&host).await;
    client.check("40").await;
    client.ask("40/data,", r#"44/data,{"code":401}"#).await;
    client.ask("40/message?a=b", r#"44/message,"no""#).await;
    let unknown = r#"44/nope,{"message":"Invalid namespace"}"#;
    client.ask("40/nope?a=b,", unknown).await;
}

#[tokio::test]
async fn a_middleware_of_the_main_namespace_may_take_its_time_or_refuse() {
    let stage = old_stage();
    stage
        .io
        .of("/")
        .middleware(async |State(log): State<Log>, State(gate): State<Gate>| {
            log.say("asked");
            gate.pass().await;
            Err::<(), _>(Refusal::new("closed today"))
        });
    let host = stage.listen().await;
    let (mut client, _) = old_client(&host).await;
    host.check_heard("asked").await;
    host.open_gate(1);
    client.check(r#"44"closed today""#).await;
}

#[tokio::test]
async fn a_broadcast_reaches_old_and_new_in_their_forms() {
    let stage = old_stage();
    stage
        .io
        .of("/")
        .on("echo", async |Data(data): Data<Binary>| data);
    let host = stage.listen().await;
    let (mut old, _) = old_client(&host).await;
    old.check("40").await;
    let (mut new, _) = host.member().await;
    let sent = host
        .io
        .emit("news", &Binary::from(vec![1, 2]))
        .unwrap()
        .sent;
    assert_eq!(sent, 2);
    let text = r#"451-["news",{"_placeholder":true,"num":0}]"#;
    old.check(text).await;
    old.check_binary(&[4, 1, 2]).await;
    new.check(text).await;
    new.check_binary(&[1, 2]).await;

    old.send(r#"451-7["echo",{"_placeholder":true,"num":0}]"#)
        .await;
    old.send_binary(&[4, 9]).await;
    old.check(r#"461-7[{"_placeholder":true,"num":0}]"#).await;
    old.check_binary(&[4, 9]).await;
}

#[tokio::test]
async fn a_handle_that_is_left_over_does_nothing_to_who_comes_back() {
    let stage = old_stage();
    stage
        .io
        .of("/q")
        .on_connect(async |State(log): State<Log>| log.say("joined"));
    let host = stage.listen().await;
    let (mut client, sid) = old_client(&host).await;
    client.check("40").await;
    client.ask("40/q,", "40/q,").await;
    host.check_heard("joined").await;
    let first = host.io.of("/q").socket(&format!("/q#{sid}")).unwrap();
    client.send("41/q,").await;
    until(|| !first.is_connected()).await;
    client.ask("40/q,", "40/q,").await;
    host.check_heard("joined").await;
    let second = host.io.of("/q").socket(&format!("/q#{sid}")).unwrap();
    assert!(second.is_connected());
    assert_eq!(first.id(), second.id());
    first.join("room");
    first.disconnect();
    assert!(first.emit("x", &()).is_err());
    assert_eq!(second.rooms().len(), 1);
    assert!(second.is_connected());
}

#[tokio::test]
async fn old_clients_are_refused_unless_allowed() {
    let stage = Stage::new();
    let uri = "/socket.io/?EIO=3&transport=polling";
    let request = http::Request::get(uri)
        .body(http_body_util::Full::default())
        .unwrap();
    let response = respond(&stage.io, request).await;
    assert_eq!(response.status(), 400);
    let body = r#"{"code":5,"message":"Unsupported protocol version"}"#;
    assert_eq!(response.into_body(), body);
}
