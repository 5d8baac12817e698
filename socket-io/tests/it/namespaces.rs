//! Namespaces that have a name, and those that come and go.

use std::sync::Mutex;

use socket_io::{
    Adapter, Auth, DisconnectReason, MemoryAdapter, Refusal, Socket, SocketIo, State, Value,
};

use crate::support::{Log, Stage, until};

#[test]
fn names_get_their_leading_slash() {
    let io = SocketIo::builder().build();
    for (given, name) in [
        ("", "/"),
        ("/", "/"),
        ("a", "/a"),
        ("/a", "/a"),
        ("/a/b", "/a/b"),
    ] {
        assert_eq!(&**io.of(given).name(), name);
    }
}

#[test]
#[should_panic(expected = "cannot have a comma")]
fn a_name_with_a_comma_is_a_mistake() {
    let _ = SocketIo::builder().build().of("/a,b");
}

fn projects(stage: &Stage) {
    stage
        .io
        .of_matching(|name| name.starts_with("/project-"))
        .middleware(async |Auth(auth): Auth<Value>| match auth.get("refuse") {
            Some(_) => Err(Refusal::new("no")),
            None => Ok(()),
        })
        .on_connect(async |socket: Socket| socket.join("room"))
        .on("name", async |socket: Socket| {
            socket.namespace().name().to_string()
        })
        .on_disconnect(
            async |socket: Socket, reason: DisconnectReason, State(log): State<Log>| {
                log.say(format!("{} {reason}", socket.namespace().name()));
            },
        );
}

/// The names in the server's list; asking by `of` would add to it.
fn is_known(stage: &Stage, name: &str) -> bool {
    stage
        .io
        .namespaces()
        .iter()
        .any(|known| **known.name() == *name)
}

#[tokio::test]
async fn matching_namespaces_come_with_the_first_client_and_go_with_the_last() {
    let stage = Stage::new();
    projects(&stage);
    let host = stage.listen().await;
    let [mut a, mut b] = [host.client().await, host.client().await];
    a.ask(
        "40/projekt-1,",
        r#"44/projekt-1,{"message":"Invalid namespace"}"#,
    )
    .await;
    assert!(!is_known(&host, "/project-1"));
    a.join("/project-1").await;
    b.join("/project-1").await;
    b.join("/project-2").await;
    a.ask(
        r#"42/project-1,1["name"]"#,
        r#"43/project-1,1["/project-1"]"#,
    )
    .await;
    assert!(is_known(&host, "/project-1") && is_known(&host, "/project-2"));
    a.send("41/project-1,").await;
    host.check_heard("/project-1 client namespace disconnect")
        .await;
    assert!(is_known(&host, "/project-1"));
    b.send("41/project-1,").await;
    host.check_heard("/project-1 client namespace disconnect")
        .await;
    assert!(!is_known(&host, "/project-1"));
    drop(b);
    host.check_heard("/project-2 transport close").await;
    assert!(!is_known(&host, "/project-2"));
    // And again.
    a.join("/project-1").await;
    assert!(is_known(&host, "/project-1"));
}

#[tokio::test]
async fn a_refused_client_leaves_no_namespace_behind() {
    let stage = Stage::new();
    projects(&stage);
    let host = stage.listen().await;
    let mut client = host.client().await;
    client
        .ask(
            r#"40/project-1,{"refuse":1}"#,
            r#"44/project-1,{"message":"no"}"#,
        )
        .await;
    assert!(!is_known(&host, "/project-1"));
}

#[tokio::test]
async fn the_first_pattern_that_accepts_counts_and_names_come_first() {
    let stage = Stage::new();
    stage.io.of("/a-0").on("who", async || "name");
    stage
        .io
        .of_matching(|name| name.starts_with("/a-"))
        .on("who", async || "first");
    stage
        .io
        .of_matching(|name| name.starts_with("/a"))
        .on("who", async || "second");
    let host = stage.listen().await;
    let mut client = host.client().await;
    for (name, who) in [("/a-0", "name"), ("/a-1", "first"), ("/ab", "second")] {
        client.join(name).await;
        client
            .ask(
                &format!(r#"42{name},1["who"]"#),
                &format!(r#"43{name},1["{who}"]"#),
            )
            .await;
    }
}

#[tokio::test]
async fn a_pattern_that_panics_accepts_nothing() {
    let stage = Stage::new();
    stage.io.of_matching(|name| {
        assert!(!name.contains("bad"), "bad name");
        name.starts_with("/x")
    });
    stage.io.of_matching(|name| name == "/x-bad-but-known");
    let host = stage.listen().await;
    let mut client = host.client().await;
    client
        .ask("40/x-bad,", r#"44/x-bad,{"message":"Invalid namespace"}"#)
        .await;
    client.join("/x-bad-but-known").await;
    client.join("/x").await;
}

#[tokio::test]
async fn handlers_added_to_a_pattern_serve_the_namespaces_it_has_made() {
    let stage = Stage::new();
    let parent = stage.io.of_matching(|name| name.starts_with("/p"));
    let host = stage.listen().await;
    let mut client = host.client().await;
    client.join("/p1").await;
    let _ = parent.on("late", async || "heard");
    client
        .ask(r#"42/p1,1["late"]"#, r#"43/p1,1["heard"]"#)
        .await;
}

#[tokio::test]
async fn naming_a_matching_namespace_before_anybody_came_does_not_open_it() {
    let stage = Stage::new();
    projects(&stage);
    // As a program does that wants to reach whoever is there.
    assert_eq!(stage.io.of("/project-1").emit("x", &()).unwrap().sent, 0);
    let host = stage.listen().await;
    let mut client = host.client().await;
    client
        .ask(
            r#"40/project-1,{"refuse":1}"#,
            r#"44/project-1,{"message":"no"}"#,
        )
        .await;
    client.join("/project-1").await;
    client
        .ask(
            r#"42/project-1,1["name"]"#,
            r#"43/project-1,1["/project-1"]"#,
        )
        .await;
    assert_eq!(
        host.io
            .of("/project-1")
            .to("room")
            .emit("x", &())
            .unwrap()
            .sent,
        1
    );
    client.check(r#"42/project-1,["x"]"#).await;
}

#[tokio::test]
async fn what_is_added_to_a_named_namespace_is_not_added_to_its_pattern() {
    let stage = Stage::new();
    projects(&stage);
    let _ = stage.io.of("/project-0").on("own", async || "own");
    let host = stage.listen().await;
    let mut client = host.client().await;
    client.join("/project-0").await;
    client.join("/project-1").await;
    client.send(r#"42/project-1,1["own"]"#).await;
    client
        .ask(r#"42/project-0,1["own"]"#, r#"43/project-0,1["own"]"#)
        .await;
    client
        .ask(
            r#"42/project-0,2["name"]"#,
            r#"43/project-0,2["/project-0"]"#,
        )
        .await;
}

#[tokio::test]
async fn a_namespace_that_was_named_stays() {
    let stage = Stage::new();
    projects(&stage);
    let host = stage.listen().await;
    let mut client = host.client().await;
    client.join("/project-1").await;
    let named = host.io.of("/project-1");
    client.send("41/project-1,").await;
    host.check_heard("/project-1 client namespace disconnect")
        .await;
    assert!(is_known(&host, "/project-1"));
    client.join("/project-1").await;
    assert_eq!(named.emit("x", &()).unwrap().sent, 1);
}

/// The server, for an adapter that asks for it while it is made.
static SERVER: Mutex<Option<SocketIo>> = Mutex::new(None);

#[tokio::test]
async fn adapters_are_made_where_no_lock_is_held_and_may_fail() {
    fn adapter(name: &str) -> impl Adapter + use<> {
        let server = SERVER.lock().unwrap().clone();
        if let Some(server) = server {
            server.of("/");
        }
        assert!(name != "/x-bad", "no adapter");
        MemoryAdapter::default()
    }
    let stage = Stage::with(|builder| builder.adapter(adapter));
    stage.io.of_matching(|name| name.starts_with("/x"));
    *SERVER.lock().unwrap() = Some(stage.io.clone());
    stage.io.of("/a");
    let host = stage.listen().await;
    let mut client = host.client().await;
    client.join("/x-1").await;
    client
        .ask("40/x-bad,", r#"44/x-bad,{"message":"Invalid namespace"}"#)
        .await;
    client.join("/a").await;
    *SERVER.lock().unwrap() = None;
}

#[tokio::test]
async fn namespaces_that_come_and_go_under_many_hands_are_all_forgotten() {
    let stage = Stage::new();
    stage.io.of_matching(|name| name.starts_with("/n"));
    let host = std::sync::Arc::new(stage.listen().await);
    let mut tasks = Vec::new();
    for n in 0..8 {
        let host = host.clone();
        tasks.push(tokio::spawn(async move {
            let mut client = host.client().await;
            for round in 0..50 {
                let name = format!("/n{}", (n + round) % 3);
                client.join(&name).await;
                client.send(&format!("41{name},")).await;
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    until(|| host.io.connections() == 0).await;
    until(|| host.io.namespaces().len() == 1).await;
}
