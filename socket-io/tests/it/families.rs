//! Families of namespaces: which names belong to them, what handlers learn of these, and what a parent reaches.

use std::sync::mpsc;

use serde::Deserialize;
use serde_json::json;
use socket_io::{
    Auth, Candidate, Data, EmitError, EventName, Failure, Handshake, NamespaceName, Outcome,
    Params, ParamsError, Refusal, Socket, SocketIo, State, Value,
};

use crate::support::{Log, Stage, until};

#[derive(Deserialize)]
struct Place {
    project: u32,
    room: String,
}

#[tokio::test]
async fn handlers_and_middlewares_get_the_parameters_of_a_path() {
    let stage = Stage::new();
    stage
        .io
        .of_path("project/{project}/room-{room}")
        .middleware(
            async |Params(place): Params<Place>| match place.room.as_str() {
                "secret" => Err(Refusal::new("no")),
                _ => Ok(()),
            },
        )
        .on("struct", async |Params(place): Params<Place>| {
            format!("{} {}", place.project, place.room)
        })
        .on("tuple", async |Params(pair): Params<(String, String)>| {
            json!(pair)
        })
        .on("count", async |Params(_): Params<u32>| {})
        .on("none", async |params: Option<Params<u32>>| {
            json!(params.is_none())
        })
        .on("socket", async |socket: Socket| {
            let (project, _) = socket.params::<(u32, Value)>()?;
            let room = socket.namespace().param("room").map(str::to_owned);
            let other = socket.namespace().param("other").is_none();
            Ok::<_, Refusal>(json!([project, room, other]))
        });
    let host = stage.listen().await;
    let mut client = host.client().await;
    let name = "/project/42/room-a b%20";
    client.join(name).await;
    for (event, answer) in [
        ("struct", r#""42 a b%20""#),
        ("tuple", r#"["42","a b%20"]"#),
        ("count", r#"{"message":"internal error"}"#),
        ("none", "true"),
        ("socket", r#"[42,"a b%20",true]"#),
    ] {
        let answer = format!("43{name},1[{answer}]");
        client
            .ask(&format!(r#"42{name},1["{event}"]"#), &answer)
            .await;
    }
    let (expected, found) = (1, 2);
    host.check_error(
        "count",
        Failure::Params(ParamsError::Count { expected, found }),
    )
    .await;
    for (name, refusal) in [
        ("/project/1/room-secret", "no"),
        (
            "/project/x/room-1",
            r#"parameter project: not of type u32: \"x\""#,
        ),
        ("/project/1/room-", "Invalid namespace"),
        ("/project/1/room-a/b", "Invalid namespace"),
    ] {
        let refusal = format!(r#"44{name},{{"message":"{refusal}"}}"#);
        client.ask(&format!("40{name},"), &refusal).await;
    }
    host.check_no_error().await;
    assert_eq!(host.io.namespaces().len(), 2);
}

#[tokio::test]
async fn parameters_that_a_namespace_does_not_have_are_the_program_s_mistake() {
    let stage = Stage::new();
    stage
        .io
        .of("/plain")
        .middleware(async |Params(_): Params<Place>| Ok::<_, Refusal>(()));
    let host = stage.listen().await;
    let mut client = host.client().await;
    client
        .ask("40/plain,", r#"44/plain,{"message":"internal error"}"#)
        .await;
    let missing = ParamsError::Missing("project");
    host.check_error("connection", Failure::Params(missing))
        .await;
}

#[test]
#[should_panic(expected = "invalid pattern \"/{a}/{a}\": the parameter {a} is there twice")]
fn a_pattern_that_makes_no_sense_is_a_mistake() {
    let _ = SocketIo::builder().build().of_path("{a}/{a}");
}

#[test]
#[should_panic(expected = "invalid expression \"(\"")]
fn an_invalid_expression_is_a_mistake() {
    let _ = SocketIo::builder().build().of_regex("(");
}

#[tokio::test]
async fn expressions_match_anywhere_and_their_named_groups_are_parameters() {
    #[derive(Deserialize)]
    struct Version {
        major: u8,
        minor: Option<u8>,
    }
    let stage = Stage::new();
    stage
        .io
        .of_regex(r"^/v(?<major>\d+)(\.(?<minor>\d+))?$")
        .on("version", async |Params(version): Params<Version>| {
            json!([version.major, version.minor])
        });
    stage.io.of_regex("cat");
    let host = stage.listen().await;
    let mut client = host.client().await;
    for (name, version) in [("/v1", "[1,null]"), ("/v2.3", "[2,3]")] {
        client.join(name).await;
        let answer = format!("43{name},1[{version}]");
        client
            .ask(&format!(r#"42{name},1["version"]"#), &answer)
            .await;
    }
    for name in ["/v", "/v1.", "/v1\n", "/v٣", "/xv1", "/V1", "/Cat"] {
        let refusal = format!(r#"44{name},{{"message":"Invalid namespace"}}"#);
        client.ask(&format!("40{name},"), &refusal).await;
    }
    for name in ["/cat", "/concatenate"] {
        client.join(name).await;
    }
}

#[tokio::test]
async fn a_function_decides_by_name_auth_and_handshake() {
    let stage = Stage::new();
    stage.io.of_async(
        async |NamespaceName(name): NamespaceName,
               Auth(auth): Auth<Value>,
               handshake: Handshake,
               candidate: Candidate,
               State(log): State<Log>| {
            tokio::task::yield_now().await;
            assert_eq!(candidate.name(), &name);
            assert_eq!(candidate.auth::<Value>().unwrap(), auth);
            assert_eq!(candidate.handshake().url(), handshake.url());
            log.say(format!("{name} {:?}", auth.get("key").is_some()));
            handshake.query("transport").as_deref() == Some("websocket")
                && name.starts_with("/doc")
                && auth.get("key").is_some()
        },
    );
    let host = stage.listen().await;
    let mut client = host.client().await;
    client
        .ask("40/doc,", r#"44/doc,{"message":"Invalid namespace"}"#)
        .await;
    host.check_heard("/doc false").await;
    client.send(r#"40/doc,{"key":1}"#).await;
    host.check_heard("/doc true").await;
    assert!(client.text().await.starts_with("40/doc,"));
    // It is there, so nobody is asked.
    let mut other = host.client().await;
    other.join("/doc").await;
    host.check_silence().await;
    // The program makes what it likes without asking.
    host.io.of("/made");
    other.join("/made").await;
    host.check_silence().await;
    host.check_no_error().await;
}

#[tokio::test]
async fn kinds_are_asked_in_order_and_what_goes_wrong_is_a_no_and_reported() {
    #[derive(Deserialize)]
    struct Number {
        #[allow(dead_code)] // it is only to be parsed
        number: u8,
    }
    struct Unknown;
    let stage = Stage::new();
    stage
        .io
        .of_async(async |NamespaceName(name): NamespaceName| {
            assert!(name != "/panic", "in the future");
            match &*name {
                "/error" => Err(Refusal::new("out of order")),
                name => Ok(name == "/a"),
            }
        })
        .on("who", async || "function");
    stage
        .io
        .of_async(|NamespaceName(name): NamespaceName| {
            assert!(name != "/panic", "at once");
            async { false }
        })
        .on("who", async || "nobody");
    // Who sends something else is not accepted, which is nothing to be told of.
    stage.io.of_async(async |_: Auth<Number>| false);
    stage.io.of_path("/{one}").on("who", async || "path");
    stage
        .io
        .of_async(async |_: State<Unknown>| true)
        .on("who", async || "nobody");
    stage
        .io
        .of_async(async || true)
        .on("who", async || "everything else");
    let host = stage.listen().await;
    let mut client = host.client().await;
    let panicked = |what: &str| Failure::Panicked(what.into());
    for (name, answer, errors) in [
        ("/a", "function", vec![]),
        ("/b", "path", vec![]),
        (
            "/error",
            "path",
            vec![Failure::Returned(Refusal::new("out of order"))],
        ),
        (
            "/panic",
            "path",
            vec![panicked("in the future"), panicked("at once")],
        ),
    ] {
        client.join(name).await;
        client
            .ask(
                &format!(r#"42{name},1["who"]"#),
                &format!(r#"43{name},1["{answer}"]"#),
            )
            .await;
        for failure in errors {
            let error = host.error().await;
            assert_eq!((&*error.namespace, &*error.event), (name, "connection"));
            assert_eq!((error.socket, error.failure), (None, failure));
        }
        host.check_no_error().await;
    }
    client.join("/b/c").await;
    client
        .ask(r#"42/b/c,1["who"]"#, r#"43/b/c,1["everything else"]"#)
        .await;
    assert!(matches!(host.error().await.failure, Failure::Missing(_)));
}

#[tokio::test]
async fn a_parent_reaches_the_sockets_of_all_its_children() {
    let stage = Stage::new();
    let parent = stage.io.of_path("/p/{n}");
    assert_eq!((&**parent.name(), parent.children().len()), ("/p/{n}", 0));
    stage.io.of("/other");
    let host = stage.listen().await;
    let (mut a, mut b) = (host.client().await, host.client().await);
    let ids = [
        a.join("/p/1").await,
        b.join("/p/1").await,
        b.join("/p/2").await,
    ];
    a.join("/other").await;
    host.io.of("/p/3");
    let mut names: Vec<_> = parent.children().iter().map(|c| c.name().clone()).collect();
    names.sort();
    assert_eq!(names, ["/p/1", "/p/2", "/p/3"]);
    assert!(host.io.of("/other").children().is_empty());
    assert_eq!((parent.len(), parent.all().sockets().len()), (3, 3));
    assert_eq!(
        &**parent.socket(&ids[2]).unwrap().namespace().name(),
        "/p/2"
    );

    assert_eq!(parent.emit("all", &1).unwrap().sent, 3);
    a.check(r#"42/p/1,["all",1]"#).await;
    let mut both = [b.text().await, b.text().await];
    both.sort();
    assert_eq!(both, [r#"42/p/1,["all",1]"#, r#"42/p/2,["all",1]"#]);

    parent.except(ids[0].as_str()).join("room");
    let sent = |event| parent.to("room").except(ids[1].as_str()).emit(event, &());
    assert_eq!(sent("b").unwrap().sent, 1);
    b.check(r#"42/p/2,["b"]"#).await;
    parent.all().leave("room");
    assert_eq!(sent("nobody").unwrap().sent, 0);

    parent.to(ids[0].as_str()).disconnect();
    a.check("41/p/1,").await;
    parent.to(ids[2].as_str()).disconnect_all();
    let mut rest = b.rest().await;
    rest.sort_by_key(|frame| format!("{frame:?}"));
    assert_eq!(format!("{rest:?}"), r#"[Text("41/p/1,"), Text("41/p/2,")]"#);
    until(|| parent.children().len() == 1).await;
    a.ask("40/nope,", r#"44/nope,{"message":"Invalid namespace"}"#)
        .await;
}

#[tokio::test]
async fn a_parent_asks_the_sockets_of_all_its_children() {
    let stage = Stage::new();
    let parent = stage.io.of_path("/p/{n}");
    let host = stage.listen().await;
    let mut client = host.client().await;
    let one = client.join("/p/1").await;
    client.join("/p/2").await;
    // The socket waits for another answer at the same time.
    let first = host
        .io
        .of("/p/1")
        .socket(&one)
        .unwrap()
        .emit_with_ack::<u8>("q", &());
    client.check(r#"42/p/1,0["q"]"#).await;
    let mut votes = Box::pin(parent.all().emit_with_ack::<u8>("vote", &()));
    let mut asked = [client.text().await, client.text().await];
    asked.sort();
    assert_eq!(asked, [r#"42/p/1,1["vote"]"#, r#"42/p/2,1["vote"]"#]);
    for answer in ["43/p/1,1[1]", "43/p/2,1[2]", "43/p/1,0[3]"] {
        client.send(answer).await;
    }
    assert_eq!(first.await, Ok(3));
    let mut votes = votes.as_mut().await.unwrap();
    votes.answers.sort_unstable();
    assert_eq!(votes.answers, [1, 2]);
    assert!(votes.is_complete());
}

#[tokio::test]
async fn a_parent_without_children_still_knows_what_cannot_be_sent() {
    let parent = Stage::new().io.of_path("/p/{n}");
    assert_eq!(parent.emit("x", &()).unwrap().sent, 0);
    let error = parent.emit("disconnect", &()).unwrap_err();
    assert!(matches!(error, EmitError::Encode(_)));
    let answers = parent.all().emit_with_ack::<u8>("x", &()).await.unwrap();
    assert!(answers.is_complete() && answers.answers.is_empty());
    let asked = parent.all().emit_with_ack::<u8>("disconnect", &()).await;
    assert!(matches!(asked, Err(EmitError::Encode(_))));
}

#[tokio::test]
async fn a_child_with_handlers_of_its_own_leaves_the_others_alone() {
    let stage = Stage::new();
    let parent = stage.io.of_path("/p/{n}").on("old", async || "old");
    let host = stage.listen().await;
    let mut client = host.client().await;
    for name in ["/p/1", "/p/2"] {
        client.join(name).await;
    }
    let _ = host.io.of("/p/1").on("own", async || "own");
    let _ = parent.on("late", async || "late");
    for (question, answer) in [
        (r#"42/p/1,1["own"]"#, r#"43/p/1,1["own"]"#),
        (r#"42/p/1,2["old"]"#, r#"43/p/1,2["old"]"#),
        (r#"42/p/2,3["old"]"#, r#"43/p/2,3["old"]"#),
        (r#"42/p/2,4["late"]"#, r#"43/p/2,4["late"]"#),
    ] {
        client.ask(question, answer).await;
    }
    client.send(r#"42/p/1,5["late"]"#).await;
    client.send(r#"42/p/2,6["own"]"#).await;
    client.ask(r#"42/p/1,7["own"]"#, r#"43/p/1,7["own"]"#).await;
}

#[tokio::test]
async fn a_parent_tells_of_its_children_what_a_namespace_tells_of_itself() {
    let stage = Stage::new();
    let (sender, events) = mpsc::channel();
    let parent = stage
        .io
        .of_path("/p/{n}")
        .on_connect(async |socket: Socket| socket.join("room"));
    let events_of = |name: &str| {
        let found: Vec<String> = events.try_iter().collect();
        assert!(
            found.iter().all(|event| event.starts_with(name)),
            "{found:?}"
        );
        found.len()
    };
    stage.io.on_new_namespace(move |namespace| {
        let sender = sender.clone();
        if namespace.param("n") == Some("2") {
            // Also what is added to the child alone reaches the adapter.
            let _ = namespace.clone().on_room_event(move |event| {
                let _ = sender.send(format!("{} {}", event.namespace, event.room));
            });
        }
    });
    let host = stage.listen().await;
    let mut client = host.client().await;
    let ids = [client.join("/p/1").await, client.join("/p/2").await];
    until(|| parent.room_size("room") == 2).await;
    assert_eq!(events_of("/p/2 "), 4);
    assert_eq!(parent.rooms(), [("room".into(), 2)]);

    let found = parent.to("room").fetch_sockets().await.unwrap();
    let mut found: Vec<_> = found.iter().map(|socket| socket.id().to_string()).collect();
    let mut expected = ids.to_vec();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);

    let outcomes = parent.to(ids[1].as_str()).emit_each("one", &()).unwrap();
    assert_eq!(outcomes.len(), 1);
    assert_eq!(
        (&*outcomes[0].0, outcomes[0].1),
        (&*ids[1], Outcome::Queued)
    );
    client.check(r#"42/p/2,["one"]"#).await;
}

#[tokio::test]
async fn of_what_a_parent_sends_the_newest_can_be_enough_for_each_child() {
    let stage = Stage::new();
    let parent = stage.io.of_path("/p/{n}");
    let mut polling = stage.polling().await;
    polling.send("40/p/1,\x1e40/p/2,").await;
    for _ in 0..2 {
        assert!(polling.packet().await.starts_with("40/p/"));
    }
    for n in 1..=3 {
        let sent = parent.all().latest("key").emit("price", &n).unwrap();
        assert_eq!(sent.sent, 2);
    }
    let mut left = [polling.packet().await, polling.packet().await];
    left.sort();
    assert_eq!(left, [r#"42/p/1,["price",3]"#, r#"42/p/2,["price",3]"#]);
}

#[tokio::test]
async fn what_a_parent_sends_is_known_to_those_who_listen_to_outgoing_events() {
    let stage = Stage::new();
    let parent = stage.io.of_path("/p/{n}").on_any_outgoing(
        async |socket: Socket,
               EventName(name): EventName,
               Data(n): Data<u8>,
               State(log): State<Log>| {
            log.say(format!("{} {name} {n}", socket.namespace().name()));
        },
    );
    let host = stage.listen().await;
    let mut client = host.client().await;
    client.join("/p/1").await;
    parent.emit("x", &7).unwrap();
    host.check_heard("/p/1 x 7").await;
}
