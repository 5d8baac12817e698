//! What handlers are called with, in which order, and what becomes of what they return.

mod arguments;
mod failures;

use serde::{Deserialize, Serialize};
use serde_json::json;
use socket_io::{
    Ack, Auth, Context, Data, EventName, Failure, FromContext, Handshake, RawArgs, Refusal, Socket,
    SocketData, SocketIo, State, Transport, Value,
};

use crate::support::{Client, Gate, Host, Log, Stage};

#[derive(Debug, Deserialize, Serialize)]
struct Point {
    x: i32,
    y: i32,
}

/// Sends what is no JSON, or a placeholder without its attachment, to a handler, and expects the connection to end.
async fn check_violation(host: &Host, event: &str) {
    let (mut client, _) = host.member().await;
    client.send(&format!("42{event}")).await;
    client.check_end().await;
    assert!(
        matches!(host.error().await.failure, Failure::Protocol(_)),
        "{event}"
    );
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

struct Counter(i64);

#[tokio::test]
async fn handlers_get_state_data_auth_handshake_event_and_server() {
    let stage = Stage::with(|builder| builder.state(Counter(5)));
    stage
        .io
        .of("/")
        .middleware(async |Auth(auth): Auth<Token>| Ok::<_, Refusal>(auth))
        .on("state", async |State(counter): State<Counter>| counter.0)
        .on("data", async |SocketData(data): SocketData<Token>| {
            data.token.clone()
        })
        .on("auth", async |Auth(auth): Auth<Value>| auth)
        .on("handshake", async |handshake: Handshake| {
            (
                handshake.query("a").unwrap_or_default(),
                handshake.header("x-test").unwrap_or_default().to_owned(),
                handshake.address().is_some(),
                handshake.is_secure(),
                handshake.is_cross_origin(),
            )
        })
        .on("name", async |EventName(name): EventName| name.to_string())
        .on("who", async |socket: Socket, io: SocketIo| {
            (
                socket.id().clone(),
                socket.is_connected(),
                socket.transport() == Transport::WebSocket,
                io.connections(),
            )
        })
        .on("missing", async |State(_): State<Point>| "not called")
        .on(
            "maybe missing",
            async |data: Option<SocketData<Point>>, state: Option<State<Counter>>| {
                (data.is_none(), state.is_some())
            },
        )
        .on(
            "eight",
            async |_: Socket,
                   _: SocketIo,
                   _: EventName,
                   _: Handshake,
                   _: RawArgs,
                   _: State<Counter>,
                   _: Option<Ack>,
                   Data(last): Data<i64>| last,
        );
    let host = stage.listen().await;
    let mut client = Client::open_with(host.address, "&a=1&a=2%20b", "X-Test: yes\r\n").await;
    client.send(r#"40{"token":"t"}"#).await;
    let joined = client.text().await;
    let id = joined.split('"').nth(3).unwrap().to_owned();
    assert_eq!(id.len(), 20);
    for (event, answer) in [
        (r#"["state"]"#, "[5]".to_owned()),
        (r#"["data"]"#, r#"["t"]"#.into()),
        (r#"["auth"]"#, r#"[{"token":"t"}]"#.into()),
        (
            r#"["handshake"]"#,
            r#"["2 b","yes",true,false,false]"#.into(),
        ),
        (r#"["name"]"#, r#"["name"]"#.into()),
        (r#"["who"]"#, format!(r#"["{id}",true,true,1]"#)),
        (r#"["maybe missing"]"#, "[true,true]".into()),
    ] {
        client
            .ask(&format!("421{event}"), &format!("431{answer}"))
            .await;
    }
    client.send(r#"42["missing"]"#).await;
    let error = host.error().await;
    assert_eq!(
        (&*error.event, error.socket.as_deref()),
        ("missing", Some(&*id))
    );
    assert!(matches!(&error.failure, Failure::Missing(what) if what.contains("Point")));
}

/// What a user of the library may write.
struct Shout(String);

impl FromContext for Shout {
    fn from_context(context: &Context) -> Result<Self, Failure> {
        Ok(Self(context.event().to_uppercase()))
    }
}

#[tokio::test]
async fn users_can_make_extractors_of_their_own() {
    let stage = Stage::new();
    stage.io.of("/").on("hey", async |Shout(text): Shout| text);
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    client.ask(r#"421["hey"]"#, r#"431["HEY"]"#).await;
    check_violation(&host, r#"["hey",nul]"#).await;
}

#[derive(Debug, Serialize)]
enum Wrong {
    Small { by: i64 },
    Plain,
}

#[tokio::test]
async fn what_a_handler_returns_is_the_acknowledgement() {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .on("unit", async || {})
        .on("value", async || 1)
        .on("pair", async || (1, "two"))
        .on("array", async || [1, 2])
        .on("vec", async || vec![1, 2])
        .on("option", async || None::<i64>)
        .on("null", async || serde_json::Value::Null)
        .on("enum", async || Wrong::Plain)
        .on("ok unit", async || Ok::<_, Wrong>(()))
        .on("ok", async || Ok::<_, Wrong>(1))
        .on("ok pair", async || Ok::<_, Wrong>((1, 2)))
        .on("err", async || Err::<(), _>(Wrong::Small { by: 3 }))
        .on("refusal", async || {
            Err::<(), _>(Refusal::new("no").with_data(&json!({"code": 1}))?)
        })
        .on("text error", async || Err::<(), _>("just text"));
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    // Nothing is sent, so the next answer is that of the next event.
    client.send(r#"421["unit"]"#).await;
    for (event, answer) in [
        ("value", "[1]"),
        ("pair", r#"[1,"two"]"#),
        ("array", "[1,2]"),
        ("vec", "[[1,2]]"),
        ("option", "[null]"),
        ("null", "[]"),
        ("enum", r#"["Plain"]"#),
        ("ok unit", "[]"),
        ("ok", "[1]"),
        ("ok pair", "[1,2]"),
    ] {
        client
            .ask(&format!(r#"427["{event}"]"#), &format!("437{answer}"))
            .await;
    }
    host.check_no_error().await;
    for (event, answer, message) in [
        ("err", r#"[{"Small":{"by":3}}]"#, r#"{"Small":{"by":3}}"#),
        ("refusal", r#"[{"message":"no","data":{"code":1}}]"#, "no"),
        ("text error", r#"["just text"]"#, "just text"),
    ] {
        client
            .ask(&format!(r#"427["{event}"]"#), &format!("437{answer}"))
            .await;
        host.check_error(event, Failure::Returned(Refusal::new(message)))
            .await;
    }
    // Nobody wants to know, but the hook does.
    client.send(r#"42["err"]"#).await;
    assert!(matches!(host.error().await.failure, Failure::Returned(_)));
    client.ask(r#"421["value"]"#, "431[1]").await;
}

#[tokio::test]
async fn an_acknowledgement_can_be_sent_by_hand_later_and_from_elsewhere() {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .on("later", async |ack: Ack, State(log): State<Log>| {
            log.say(format!("wanted: {}", ack.is_wanted()));
            tokio::spawn(async move { ack.send(&("a", 1)) });
        });
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    client.ask(r#"429["later"]"#, r#"439["a",1]"#).await;
    host.check_heard("wanted: true").await;
    client.send(r#"42["later"]"#).await;
    host.check_heard("wanted: false").await;
}

#[tokio::test]
async fn the_catch_all_sees_each_event_before_the_handlers_of_its_name() {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .on("known", async |State(log): State<Log>| log.say("known"))
        .on_any(
            async |EventName(name): EventName, args: RawArgs, State(log): State<Log>| {
                let json = args.json().unwrap_or_default();
                log.say(format!("any {name} {json}"));
            },
        )
        .on("known", async |State(log): State<Log>| {
            log.say("known again")
        });
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    client.send(r#"42["unknown",1,{"a":2}]"#).await;
    host.check_heard(r#"any unknown 1,{"a":2}"#).await;
    client.send(r#"42["known"]"#).await;
    host.check_heard("any known ").await;
    host.check_heard("known").await;
    host.check_heard("known again").await;
    host.check_silence().await;
}

#[tokio::test]
async fn handlers_that_are_added_later_count_from_the_next_packet_on() {
    let host = Stage::new().listen().await;
    let (mut client, _) = host.member().await;
    host.io.of("/").on("new", async || "here");
    client.ask(r#"421["new"]"#, r#"431["here"]"#).await;
}

#[test]
#[should_panic(expected = "reserved event \"disconnect\"")]
fn a_handler_for_a_reserved_event_is_a_mistake() {
    let _ = Stage::new().io.of("/").on("disconnect", async || {});
}

#[tokio::test]
async fn handlers_start_in_packet_order_and_run_to_their_first_wait_in_that_order() {
    let stage = Stage::new();
    stage.io.of("/").on(
        "n",
        async |Data(n): Data<u64>, State(log): State<Log>, State(gate): State<Gate>| {
            log.say(format!("start {n}"));
            // Odd ones wait; the others end at once.
            if n % 2 == 1 {
                gate.pass().await;
                log.say("resumed");
            }
        },
    );
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    for n in 0..200 {
        client.send(&format!(r#"42["n",{n}]"#)).await;
    }
    for n in 0..200 {
        host.check_heard(&format!("start {n}")).await;
    }
    host.open_gate(100);
    for _ in 0..100 {
        host.check_heard("resumed").await;
    }
}

#[tokio::test]
async fn a_handler_that_waits_does_not_hold_back_the_next_one() {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .on("slow", async |State(gate): State<Gate>| {
            gate.pass().await;
            "slow"
        })
        .on("fast", async || "fast");
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    client.send(r#"421["slow"]"#).await;
    client.ask(r#"422["fast"]"#, r#"432["fast"]"#).await;
    host.open_gate(1);
    client.check(r#"431["slow"]"#).await;
}

#[tokio::test]
async fn an_event_is_acknowledged_once_whoever_answers() {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .on_any(async || "any")
        .on("both", async |ack: Ack| {
            ack.send("by hand").map_err(Refusal::from)
        })
        .on("both", async || "named");
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    client.ask(r#"421["both"]"#, r#"431["any"]"#).await;
    client.ask(r#"422["other"]"#, r#"432["any"]"#).await;
}

/// Asks for its socket's data when it is dropped.
struct Curious(Socket, Log);

impl Drop for Curious {
    fn drop(&mut self) {
        let data = self.0.data::<Counter>();
        self.1.say(format!("dropped, data: {}", data.is_some()));
    }
}

#[tokio::test]
async fn data_that_is_replaced_is_dropped_where_no_lock_is_held() {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .on("data", async |socket: Socket, State(log): State<Log>| {
            socket.insert_data(Counter(1));
            socket.insert_data(Curious(socket.clone(), Log::clone(&log)));
            socket.insert_data(Curious(socket.clone(), Log::clone(&log)));
            socket.insert_data(());
            (
                socket.data::<Counter>().map(|counter| counter.0),
                socket.data::<()>().is_none(),
            )
        });
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    client.ask(r#"421["data"]"#, "431[1,true]").await;
    host.check_heard("dropped, data: true").await;
}
