//! Limits on how much a client may send.

use std::time::Duration;

use socket_io::limit::{ConnectLimit, EventLimit, Excess, Rate};
use socket_io::{Data, DisconnectReason, EventName, Refusal, State};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Log, Polling, Stage, soon};

const SECOND: Duration = Duration::from_secs(1);

/// So many events in a second, and no more at once.
fn events(count: u64) -> EventLimit {
    EventLimit::default()
        .events(Rate::per_second(count))
        .bytes(None)
}

/// The acknowledgement of an event that was too much.
fn too_many(prefix: &str, wait: u64) -> String {
    format!(r#"{prefix}[{{"message":"too many events","data":{{"retryAfter":{wait}}}}}]"#)
}

async fn note(State(log): State<Log>, Data(word): Data<String>) -> &'static str {
    log.say(word);
    "ok"
}

async fn client(stage: &Stage, namespaces: &[&str]) -> Polling {
    let mut polling = stage.polling().await;
    for name in namespaces {
        let comma = if *name == "/" {
            String::new()
        } else {
            format!("{name},")
        };
        polling.send(&format!("40{comma}")).await;
        let joined = polling.packet().await;
        assert!(joined.starts_with(&format!("40{comma}{{")), "{joined}");
    }
    polling
}

#[tokio::test(start_paused = true)]
async fn what_is_too_much_is_refused_and_later_events_pass() {
    let stage = Stage::new();
    let io = &stage.io;
    io.of("/").event_limit(events(2)).on("note", note);
    let mut polling = client(&stage, &["/"]).await;
    for id in 0..2 {
        polling.send(&format!(r#"42{id}["note","{id}"]"#)).await;
        stage.check_heard(&id.to_string()).await;
        polling.check(&format!(r#"43{id}["ok"]"#)).await;
    }
    polling.send(r#"422["note","too much"]"#).await;
    polling.check(&too_many("432", 500)).await;
    // Without an acknowledgement it is dropped without a word.
    polling.send(r#"42["note","too much, too"]"#).await;
    polling.send(r#"424["note","as well"]"#).await;
    polling.check(&too_many("434", 500)).await;
    tokio::time::advance(SECOND / 2).await;
    polling.send(r#"425["note","later"]"#).await;
    polling.check(r#"435["ok"]"#).await;
    stage.check_heard("later").await;
    stage.check_silence().await;
    // A flood does not fill the log.
    stage.check_no_error().await;
    assert_eq!(io.stats().limited, 3);
    assert_eq!(io.stats().handler_failures, 0);
}

#[tokio::test(start_paused = true)]
async fn whoever_has_to_leave_leaves_one_namespace_with_a_reason() {
    let stage = Stage::new();
    let io = &stage.io;
    io.of("/")
        .event_limit(events(1).excess(Excess::Disconnect))
        .on("note", note)
        .on_disconnect(async |reason: DisconnectReason, State(log): State<Log>| {
            log.say(reason.to_string());
        });
    io.of("/other").on("note", note);
    let mut polling = client(&stage, &["/", "/other"]).await;
    polling
        .send("42[\"note\",\"1\"]\x1e421[\"note\",\"2\"]\x1e42[\"note\",\"3\"]")
        .await;
    stage.check_heard("1").await;
    polling.check("41").await;
    stage.check_heard("rate limit exceeded").await;
    polling.send(r#"42/other,1["note","still here"]"#).await;
    polling.check(r#"43/other,1["ok"]"#).await;
    stage.check_heard("still here").await;
    // It may come back, with what is left.
    polling.send("40").await;
    assert!(polling.packet().await.starts_with("40{"));
    polling.send(r#"42["note","4"]"#).await;
    polling.check("41").await;
    stage.check_heard("rate limit exceeded").await;
    stage.check_silence().await;
    assert_eq!(io.stats().limited, 2);
}

#[tokio::test(start_paused = true)]
async fn bytes_count_with_their_attachments() {
    let stage = Stage::new();
    let limit = EventLimit::default()
        .events(None)
        .bytes(Rate::per_second(1000).burst(2000));
    stage
        .io
        .of("/")
        .event_limit(limit)
        .on("note", note)
        .on("blob", async || "ok");
    let mut polling = client(&stage, &["/"]).await;
    let blob = |id: u32| {
        let data = "A".repeat(2000);
        format!("451-{id}[\"blob\",{{\"_placeholder\":true,\"num\":0}}]\x1eb{data}")
    };
    polling.send(&blob(1)).await;
    polling.check(r#"431["ok"]"#).await;
    polling.send(&blob(2)).await;
    let refused = polling.packet().await;
    assert!(
        refused.starts_with(r#"432[{"message":"too many events""#),
        "{refused}"
    );
    // What is small still passes.
    polling.send(r#"423["note","small"]"#).await;
    polling.check(r#"433["ok"]"#).await;
    tokio::time::advance(2 * SECOND).await;
    polling.send(&blob(4)).await;
    polling.check(r#"434["ok"]"#).await;
    // From a full budget even more than all of it, which is then to be waited for.
    tokio::time::advance(10 * SECOND).await;
    let long = "x".repeat(5000);
    polling.send(&format!(r#"425["note","{long}"]"#)).await;
    polling.check(r#"435["ok"]"#).await;
    tokio::time::advance(3 * SECOND).await;
    polling.send(r#"426["note","small"]"#).await;
    let refused = polling.packet().await;
    assert!(
        refused.starts_with(r#"436[{"message":"too many events""#),
        "{refused}"
    );
    tokio::time::advance(SECOND / 10).await;
    polling.send(r#"427["note","small"]"#).await;
    polling.check(r#"437["ok"]"#).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_reaches_neither_middlewares_nor_handlers_for_everything() {
    let stage = Stage::new();
    let spy = async |EventName(name): EventName, State(log): State<Log>| log.say(name.as_str());
    stage
        .io
        .of("/")
        .event_limit(events(1))
        .on_any(spy)
        .event_middleware(async |State(log): State<Log>| {
            log.say("middleware");
            Ok::<_, Refusal>(())
        });
    let mut polling = client(&stage, &["/"]).await;
    polling.send("42[\"a\"]\x1e421[\"b\"]").await;
    polling.check(&too_many("431", 1000)).await;
    stage.check_heard("a").await;
    stage.check_heard("middleware").await;
    stage.check_silence().await;
}

#[tokio::test(start_paused = true)]
async fn leaving_and_joining_begins_no_new_budget() {
    let stage = Stage::new();
    stage.io.of("/").event_limit(events(1)).on("note", note);
    let mut polling = client(&stage, &["/"]).await;
    polling.send(r#"421["note","1"]"#).await;
    polling.check(r#"431["ok"]"#).await;
    for _ in 0..3 {
        polling.send("41\x1e40").await;
        assert!(polling.packet().await.starts_with("40{"));
        polling.send(r#"422["note","2"]"#).await;
        polling.check(&too_many("432", 1000)).await;
    }
    // Another connection has its own.
    let mut other = client(&stage, &["/"]).await;
    other.send(r#"421["note","1"]"#).await;
    other.check(r#"431["ok"]"#).await;
}

#[tokio::test(start_paused = true)]
async fn the_namespaces_of_a_family_share_a_budget_unless_one_has_its_own() {
    let stage = Stage::new();
    let io = &stage.io;
    io.of_path("/room/{id}")
        .event_limit(events(2))
        .on("note", note);
    io.of("/room/own").event_limit(events(1));
    let mut polling = client(&stage, &["/room/1", "/room/2", "/room/own"]).await;
    polling
        .send("42/room/1,1[\"note\",\"1\"]\x1e42/room/2,2[\"note\",\"2\"]")
        .await;
    polling.check(r#"43/room/1,1["ok"]"#).await;
    polling.check(r#"43/room/2,2["ok"]"#).await;
    polling.send(r#"42/room/1,3["note","3"]"#).await;
    polling.check(&too_many("43/room/1,3", 500)).await;
    polling.send(r#"42/room/own,4["note","4"]"#).await;
    polling.check(r#"43/room/own,4["ok"]"#).await;
    polling.send(r#"42/room/own,5["note","5"]"#).await;
    polling.check(&too_many("43/room/own,5", 1000)).await;
}

#[tokio::test(start_paused = true)]
async fn a_limit_for_the_server_counts_everything_that_has_no_other() {
    let stage = Stage::with(|builder| builder.event_limit(events(4)));
    let io = &stage.io;
    for name in ["/", "/a"] {
        io.of(name).on("note", note);
    }
    io.of("/free")
        .event_limit(EventLimit::default())
        .on("note", note);
    // Three wishes to join, and one event.
    let mut polling = client(&stage, &["/", "/a", "/free"]).await;
    polling.send(r#"421["note","1"]"#).await;
    polling.check(r#"431["ok"]"#).await;
    polling.send(r#"42/a,2["note","2"]"#).await;
    polling.check(&too_many("43/a,2", 250)).await;
    polling.send(r#"42/free,3["note","3"]"#).await;
    polling.check(r#"43/free,3["ok"]"#).await;
    // A client that comes and goes, with a new password each time, is slowed down.
    polling.send("41/a,\x1e40/a,").await;
    polling
        .check(r#"44/a,{"message":"too many events","data":{"retryAfter":250}}"#)
        .await;
    tokio::time::advance(SECOND / 4).await;
    polling.send("40/a,").await;
    assert!(polling.packet().await.starts_with("40/a,{"));
    assert_eq!(io.stats().limited, 2);
}

#[tokio::test(start_paused = true)]
async fn the_last_limit_given_counts() {
    let stage = Stage::new();
    let root = stage.io.of("/").event_limit(events(1)).on("note", note);
    let mut polling = client(&stage, &["/"]).await;
    polling.send(r#"421["note","1"]"#).await;
    polling.check(r#"431["ok"]"#).await;
    root.event_limit(events(2));
    for (id, answer) in [
        (2, r#"432["ok"]"#.to_owned()),
        (3, r#"433["ok"]"#.to_owned()),
        (4, too_many("434", 500)),
    ] {
        polling.send(&format!(r#"42{id}["note","{id}"]"#)).await;
        polling.check(&answer).await;
    }
}

#[tokio::test]
async fn clients_of_one_address_may_connect_so_often() {
    let limit = ConnectLimit::new(Rate::new(1, 3600 * SECOND).burst(2));
    let host = Stage::with(|builder| builder.connect_limit(limit))
        .listen()
        .await;
    let (mut client, _) = host.member().await;
    let _other = host.client().await;
    let mut stream = TcpStream::connect(host.address).await.unwrap();
    let request = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
    assert!(answer.ends_with(r#"{"code":4,"message":"Too many requests"}"#));
    // Those who are in stay in.
    host.io.of("/").on("note", note);
    client
        .ask(r#"421["note","still here"]"#, r#"431["ok"]"#)
        .await;
}
