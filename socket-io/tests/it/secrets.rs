//! What clients are told when something goes wrong inside the server: that it did, and nothing else.

use socket_io::{Auth, Data, NamespaceName, Params, Refusal, SocketData, State};

use crate::support::{Frame, Stage};

const SECRET: &str = "password of /srv/app/main.rs";
/// Nobody has one.
enum Missing {}

/// Everything that a client sees contains none of this.
#[track_caller]
fn check_silent(seen: &str) {
    for word in [
        "password",
        "/srv",
        ".rs",
        "panic",
        "unwrap",
        "Missing",
        "secrets::",
        "socket_io",
    ] {
        assert!(!seen.contains(word), "{seen}");
    }
}

#[tokio::test]
async fn clients_learn_nothing_of_what_happened_inside() {
    let stage = Stage::new();
    let io = &stage.io;
    io.of("/")
        .on_connect(async || -> u8 { panic!("{SECRET}") })
        .on("first step", async || -> u8 { panic!("{SECRET}") })
        .on("later", async || -> u8 {
            tokio::task::yield_now().await;
            panic!("{SECRET}")
        })
        .on("state", async |_: State<Missing>| ())
        .on("data", async |_: SocketData<Missing>| ())
        .on("answer", async || -> Unwritable { Unwritable })
        .on("number", async |Data(number): Data<u8>| number);
    io.of("/middleware")
        .middleware(async || -> Result<(), Refusal> { panic!("{SECRET}") });
    io.of("/late").middleware(async || -> Result<(), Refusal> {
        tokio::task::yield_now().await;
        panic!("{SECRET}")
    });
    io.of("/state")
        .middleware(async |_: State<Missing>| Ok::<_, Refusal>(()));
    io.of("/auth")
        .middleware(async |Auth(_): Auth<u8>| Ok::<_, Refusal>(()));
    io.of("/event")
        .event_middleware(async || -> Result<(), Refusal> { panic!("{SECRET}") });
    io.of_path("/user/{id}")
        .middleware(async |_: Params<(u8, u8)>| Ok::<_, Refusal>(()));
    io.of_async(async |NamespaceName(name): NamespaceName| {
        assert!(!name.starts_with("/decide"), "{SECRET}");
        false
    });
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    let mut seen = Vec::new();
    let events = ["first step", "later", "state", "data", "answer", "number"];
    for (id, event) in events.into_iter().enumerate() {
        client.send(&format!(r#"42{id}["{event}","x"]"#)).await;
        seen.push(client.text().await);
    }
    for name in [
        "/middleware",
        "/late",
        "/state",
        "/auth",
        "/user/1",
        "/decide",
        "/nowhere",
    ] {
        client.send(&format!("40{name},")).await;
        let refused = client.text().await;
        assert!(
            refused.starts_with(&format!("44{name},{{\"message\":")),
            "{refused}"
        );
        seen.push(refused);
    }
    client.join("/event").await;
    client.send(r#"42/event,7["x"]"#).await;
    seen.push(client.text().await);
    client.send("42{").await;
    for frame in client.rest().await {
        if let Frame::Text(text) = frame {
            seen.push(text);
        }
    }
    assert!(seen.len() >= 14, "{seen:?}");
    for text in seen {
        check_silent(&text);
    }
}

/// What no acknowledgement can say.
struct Unwritable;

impl serde::Serialize for Unwritable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom(SECRET))
    }
}
