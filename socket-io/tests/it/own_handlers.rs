//! Handlers of a single socket, handlers that are called once, streams, and taking handlers away.

use std::future::{Ready, ready};
use std::sync::Arc;

use futures_util::StreamExt;
use socket_io::protocol::ArgsError;
use socket_io::{Data, DisconnectReason, Socket, State};

use crate::support::{Gate, Host, Log, Stage, soon};

fn socket(host: &Host, id: &str) -> Socket {
    host.io.of("/").socket(id).unwrap()
}

/// A handler that says the text.
fn says(text: &'static str) -> impl Fn(State<Log>) -> Ready<()> + Send + Sync + 'static {
    move |State(log)| {
        log.say(text);
        ready(())
    }
}

#[tokio::test]
async fn handlers_of_a_socket_come_after_those_of_its_namespace() {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .on("x", says("namespace"))
        .on_any(says("namespace, any"))
        .prepend_any(says("namespace, first"))
        .on_connect(async |socket: Socket| {
            socket.on("x", says("socket"));
            socket.on_any(says("socket, any"));
            socket.prepend_any(says("socket, first"));
            socket.on("x", async |socket: Socket, Data(n): Data<i64>| {
                format!("{n} {}", socket.is_connected())
            });
        });
    let host = stage.listen().await;
    let (mut client, id) = host.member().await;
    client.ask(r#"421["x",5]"#, r#"431["5 true"]"#).await;
    for text in [
        "namespace, first",
        "namespace, any",
        "socket, first",
        "socket, any",
        "namespace",
        "socket",
    ] {
        host.check_heard(text).await;
    }
    assert_eq!(socket(&host, &id).event_names(), ["x"]);
    // Another socket has none of them unless it registers its own, and one that has left has none.
    let first = socket(&host, &id);
    client.send("41").await;
    crate::support::until(|| first.event_names().is_empty()).await;
    let held = Arc::new(());
    let captured = held.clone();
    first.on("x", move || {
        let _ = &captured;
        ready(())
    });
    assert!(first.event_names().is_empty());
    assert_eq!(Arc::strong_count(&held), 1);
}

#[tokio::test]
async fn a_socket_s_handlers_hear_no_other_socket() {
    let host = Stage::new().listen().await;
    let ([mut a, mut b], [id, _]) = host.members().await;
    socket(&host, &id).on("x", async || "mine");
    b.send(r#"421["x"]"#).await;
    a.ask(r#"421["x"]"#, r#"431["mine"]"#).await;
    // There was nobody to answer b.
    host.io.emit("end", &()).unwrap();
    b.check(r#"42["end"]"#).await;
}

#[tokio::test]
async fn handlers_are_taken_away() {
    let stage = Stage::new();
    let namespace = stage.io.of("/").on("x", says("x")).on("x", says("x too"));
    let namespace = namespace.on("y", says("y")).on_any(says("any"));
    let host = stage.listen().await;
    let (mut client, id) = host.member().await;
    let socket = socket(&host, &id);
    let own = socket.on("x", says("own x"));
    socket.on("x", says("own x too"));
    socket.on_any(says("own any"));
    socket.on("end", async || true);
    let mut x = async |heard: &[&str]| {
        client.send(r#"42["x"]"#).await;
        client.ask(r#"421["end"]"#, "431[true]").await;
        for text in heard {
            host.check_heard(text).await;
        }
    };
    let end = ["any", "own any"];
    x(&[
        "any",
        "own any",
        "x",
        "x too",
        "own x",
        "own x too",
        end[0],
        end[1],
    ])
    .await;
    assert!(socket.remove_handler(own));
    assert!(!socket.remove_handler(own));
    namespace.off("x");
    x(&["any", "own any", "own x too", end[0], end[1]]).await;
    socket.off("x");
    namespace.off_any();
    x(&["own any", "own any"]).await;
    socket.off_any();
    x(&[]).await;
    host.check_silence().await;
    assert_eq!(namespace.event_names(), ["y"]);
    assert_eq!(socket.event_names(), ["end"]);
}

#[tokio::test]
async fn a_handler_for_once_is_called_once() {
    let stage = Stage::new();
    let namespace = stage.io.of("/").once("x", async |State(log): State<Log>| {
        log.say("first");
        "namespace"
    });
    let host = stage.listen().await;
    let ([mut a, mut b], [id, _]) = host.members().await;
    let socket = socket(&host, &id);
    socket.once("x", async |Data(n): Data<i64>| n);
    a.ask(r#"421["x",1]"#, r#"431["namespace"]"#).await;
    host.check_heard("first").await;
    assert!(namespace.event_names().is_empty() && socket.event_names().is_empty());
    socket.once("x", async |Data(n): Data<i64>| n);
    a.ask(r#"422["x",2]"#, "432[2]").await;
    socket.on("end", async || true);
    for client in [&mut a, &mut b] {
        client.send(r#"423["x",3]"#).await;
    }
    a.ask(r#"424["end"]"#, "434[true]").await;
    host.check_silence().await;
}

#[tokio::test]
async fn handlers_for_once_are_taken_by_one_of_many_sockets() {
    let stage = Stage::new();
    stage.io.of("/").on("end", async || true);
    let host = Arc::new(stage.listen().await);
    let mut tasks = Vec::new();
    for _ in 0..8 {
        host.io.of("/").once("x", says("x"));
        let host = host.clone();
        tasks.push(tokio::spawn(async move {
            let (mut client, _) = host.member().await;
            for _ in 0..20 {
                client.send(r#"42["x"]"#).await;
            }
            client.ask(r#"421["end"]"#, "431[true]").await;
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    for _ in 0..8 {
        host.check_heard("x").await;
    }
    host.check_silence().await;
}

#[tokio::test]
async fn a_socket_s_last_handlers_are_its_own() {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .on_disconnecting(says("namespace disconnecting"))
        .on_disconnect(says("namespace disconnect"))
        .on_connect(async |socket: Socket| {
            socket.on_disconnecting(async |socket: Socket, State(log): State<Log>| {
                log.say(format!("disconnecting, {} rooms", socket.rooms().len()));
                // It is not too late for this.
                socket.on_disconnect(says("last"));
            });
            socket.on_disconnect(async |reason: DisconnectReason, State(log): State<Log>| {
                log.say(reason.as_str());
            });
        });
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    client.send("41").await;
    for text in [
        "namespace disconnecting",
        "disconnecting, 1 rooms",
        "namespace disconnect",
        "client namespace disconnect",
        "last",
    ] {
        host.check_heard(text).await;
    }
}

#[tokio::test]
async fn what_a_socket_s_handlers_hold_goes_with_the_socket() {
    let host = Stage::new().listen().await;
    let (mut client, id) = host.member().await;
    let socket = socket(&host, &id);
    let held = Arc::new(());
    let (captured, itself) = (held.clone(), socket.clone());
    socket.on("x", move || {
        let _ = (&captured, &itself);
        ready(())
    });
    assert_eq!(Arc::strong_count(&held), 2);
    client.send("41").await;
    crate::support::until(|| Arc::strong_count(&held) == 1).await;
}

#[tokio::test]
async fn events_can_be_read_as_a_stream() {
    let stage = Stage::new();
    stage.io.of("/").on("end", async || true);
    let host = stage.listen().await;
    let (mut client, id) = host.member().await;
    let socket = socket(&host, &id);
    let mut news = socket.stream::<(i64, Option<String>)>("news");
    client.send(r#"42["news",1,"a"]"#).await;
    client.send(r#"42["other",1]"#).await;
    client.send(r#"42["news","no number"]"#).await;
    client.send(r#"42["news",2]"#).await;
    assert_eq!(soon(news.next()).await, Some(Ok((1, Some("a".into())))));
    assert!(matches!(
        soon(news.next()).await,
        Some(Err(ArgsError::Mismatch(_)))
    ));
    // As a stream of the crates for streams, too.
    assert_eq!(soon(StreamExt::next(&mut news)).await, Some(Ok((2, None))));
    drop(news);
    assert!(socket.event_names().is_empty());
    let mut news = socket.stream::<i64>("news");
    client.send(r#"42["news",3]"#).await;
    client.send("41").await;
    assert_eq!(soon(news.next()).await, Some(Ok(3)));
    assert_eq!(soon(news.next()).await, None);
    let mut late = socket.stream::<i64>("news");
    assert_eq!(soon(late.next()).await, None);
}

#[tokio::test]
async fn a_stream_that_is_not_read_slows_its_client_down_and_loses_nothing() {
    const EVENTS: i64 = 2000;
    let host = Stage::with(|builder| builder.max_handlers(10))
        .listen()
        .await;
    let (mut client, id) = host.member().await;
    let socket = socket(&host, &id);
    let mut news = socket.stream::<i64>("news");
    let sending = tokio::spawn(async move {
        for n in 0..EVENTS {
            client.send(&format!(r#"42["news",{n}]"#)).await;
        }
        client
    });
    let first = soon(news.next()).await;
    assert_eq!(first, Some(Ok(0)));
    for n in 1..EVENTS {
        assert_eq!(soon(news.next()).await, Some(Ok(n)));
    }
    drop(sending.await.unwrap());
    assert_eq!(soon(news.next()).await, None);
}

#[tokio::test]
async fn what_waits_in_a_stream_that_is_dropped_blocks_nobody() {
    let stage = Stage::with(|builder| builder.max_handlers(1));
    stage.io.of("/").on("end", async || true);
    let host = stage.listen().await;
    let (mut client, id) = host.member().await;
    let socket = socket(&host, &id);
    let news = socket.stream::<i64>("news");
    for n in 0..100 {
        client.send(&format!(r#"42["news",{n}]"#)).await;
    }
    drop(news);
    client.ask(r#"421["end"]"#, "431[true]").await;
}

#[tokio::test]
async fn what_is_no_json_ends_the_connection_also_where_a_stream_takes_it() {
    let host = Stage::new().listen().await;
    let (mut client, id) = host.member().await;
    let mut news = socket(&host, &id).stream::<i64>("news");
    client.send(r#"42["news",}]"#).await;
    client.check_end().await;
    assert_eq!(soon(news.next()).await, None);
}

#[tokio::test]
async fn handlers_of_a_socket_that_wait_are_handlers_like_others() {
    let host = Stage::new().listen().await;
    let (mut client, id) = host.member().await;
    let socket = socket(&host, &id);
    socket.once("x", async |State(gate): State<Gate>| {
        gate.pass().await;
        "late"
    });
    client.send(r#"421["x"]"#).await;
    crate::support::until(|| socket.event_names().is_empty()).await;
    host.open_gate(1);
    client.check(r#"431["late"]"#).await;
}

#[test]
#[should_panic(expected = "reserved event \"disconnect\"")]
fn a_reserved_event_is_a_mistake() {
    let _ = Stage::new().io.of("/").once("disconnect", async || ());
}
