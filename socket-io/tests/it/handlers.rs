//! What handlers are called with, in which order, and what becomes of what they return.

use serde::{Deserialize, Serialize};
use serde_json::json;
use socket_io::protocol::ArgsError;
use socket_io::{
    Ack, Args, Auth, Context, Data, EventName, Failure, FromContext, Handshake, RawArgs, Refusal,
    Socket, SocketData, SocketIo, State, Transport, Value,
};

use crate::support::{Client, Gate, Host, Log, Stage};

#[derive(Debug, Deserialize, Serialize)]
struct Point {
    x: i32,
    y: i32,
}

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
