//! Authorization that ends, and is renewed.

use std::time::{Duration, SystemTime};

use serde::Deserialize;
use socket_io::{
    AckError, Auth, AuthorizeError, Data, DisconnectReason, EmitError, Failure, Grant, Refusal,
    Socket, SocketData, State,
};
use tokio::time::Instant;

use crate::support::{Gate, Log, Shelf, Stage, soon};

#[derive(Deserialize)]
struct Token {
    /// For how many seconds it is good.
    seconds: u32,
}

const SECOND: Duration = Duration::from_secs(1);

/// A server whose clients say for how long they are authorized, when they join and with `renew`; their last event is `expired`.
fn office(stage: &Stage) {
    stage
        .io
        .of("/")
        .middleware(async |Auth(token): Auth<Token>| Ok::<_, Refusal>(token))
        .middleware(async |SocketData(token): SocketData<Token>| {
            Ok::<_, Refusal>(Grant::until(SystemTime::now() + token.seconds * SECOND))
        })
        .on("renew", async |socket: Socket, Data(token): Data<Token>| {
            let grant = Grant::lasting(token.seconds * SECOND);
            socket.authorize(grant)?;
            Ok::<_, Refusal>(grant.remaining().map(|time| time.as_secs()))
        })
        .on("x", async |State(log): State<Log>| log.say("x"))
        .farewell("expired", |socket| socket.namespace().name().to_string())
        .on_disconnect(async |reason: DisconnectReason, State(log): State<Log>| {
            log.say(reason.to_string());
        });
    stage.io.of("/open").on("y", async || "y");
}

#[tokio::test(start_paused = true)]
async fn when_the_time_has_come_the_socket_leaves_and_nothing_else_does() {
    let stage = Stage::new();
    office(&stage);
    let mut polling = stage.polling().await;
    polling.send("40/open,").await;
    assert!(polling.packet().await.starts_with("40/open,{"));
    let start = Instant::now();
    polling.send(r#"40{"seconds":10}"#).await;
    let id = polling.packet().await.split('"').nth(3).unwrap().to_owned();
    let socket = stage.io.of("/").socket(&id).unwrap();
    let asked = socket.emit_with_ack::<u64>("question", &());
    polling.check(r#"420["question"]"#).await;
    polling.send(r#"42["x"]"#).await;
    stage.check_heard("x").await;
    polling.check(r#"42["expired","/"]"#).await;
    let lasted = start.elapsed();
    assert!(lasted > 9 * SECOND && lasted < 11 * SECOND, "{lasted:?}");
    polling.check("41").await;
    stage.check_heard("authorization expired").await;
    assert_eq!(soon(asked).await, Err(AckError::Disconnected));
    assert!(!socket.is_connected());
    // What was under way is ignored, and the connection and its other namespaces stay.
    polling.send(r#"42["x"]"#).await;
    polling.send(r#"42/open,1["y"]"#).await;
    polling.check(r#"43/open,1["y"]"#).await;
    // With a new token the client comes back.
    polling.send(r#"40{"seconds":10}"#).await;
    assert!(polling.packet().await.starts_with("40{"));
    polling.send(r#"42["x"]"#).await;
    stage.check_heard("x").await;
    stage.check_silence().await;
    stage.check_no_error().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_renews_without_connecting_anew() {
    let stage = Stage::new();
    office(&stage);
    let mut polling = stage.polling().await;
    polling.send(r#"40{"seconds":10}"#).await;
    assert!(polling.packet().await.starts_with("40{"));
    for _ in 0..5 {
        tokio::time::sleep(8 * SECOND).await;
        polling.send(r#"421["renew",{"seconds":10}]"#).await;
        polling.check("431[10]").await;
    }
    let start = Instant::now();
    polling.check(r#"42["expired","/"]"#).await;
    polling.check("41").await;
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_shorter_grant_counts_too() {
    let stage = Stage::new();
    office(&stage);
    let mut polling = stage.polling().await;
    polling.send(r#"40{"seconds":1000}"#).await;
    assert!(polling.packet().await.starts_with("40{"));
    polling.send(r#"421["renew",{"seconds":5}]"#).await;
    polling.check("431[5]").await;
    let start = Instant::now();
    polling.check(r#"42["expired","/"]"#).await;
    assert_eq!(start.elapsed().as_secs(), 5);
}

#[tokio::test]
async fn a_grant_is_revoked_from_anywhere() {
    let stage = Stage::new();
    office(&stage);
    let host = stage.listen().await;
    let mut client = host.client().await;
    // One that had a grant before, and one that never had any.
    client.send(r#"40{"seconds":1000}"#).await;
    let id = client.text().await.split('"').nth(3).unwrap().to_owned();
    let open = client.join("/open").await;
    for (namespace, id) in [("/", id), ("/open", open)] {
        let socket = host.io.of(namespace).socket(&id).unwrap();
        tokio::task::spawn_blocking(move || {
            socket.authorize(Grant::lasting(Duration::ZERO)).unwrap();
            // The connection's task may have made it leave already.
            let refused = socket.emit("x", &());
            let over = [Err(EmitError::Expired), Err(EmitError::Disconnected)];
            assert!(over.contains(&refused), "{refused:?}");
        })
        .await
        .unwrap();
        assert_eq!(host.io.of(namespace).emit("x", &()).unwrap().sent, 0);
        if namespace == "/" {
            client.check(r#"42["expired","/"]"#).await;
            client.check("41").await;
        } else {
            client.check("41/open,").await;
        }
    }
    host.check_heard("authorization expired").await;
}

#[tokio::test]
async fn nothing_is_taken_or_sent_after_the_end_even_if_the_timer_is_late() {
    let stage = Stage::new();
    office(&stage);
    stage
        .io
        .of("/")
        .on("late", async |socket: Socket, State(log): State<Log>| {
            socket
                .authorize(Grant::lasting(Duration::from_millis(5)))
                .unwrap();
            // The connection's task is busy, so it cannot notice. The time is over then, however long this takes.
            std::thread::sleep(Duration::from_millis(20));
            assert_eq!(socket.emit("x", &()), Err(EmitError::Expired));
            assert_eq!(socket.volatile().emit("x", &()), Err(EmitError::Expired));
            assert_eq!(socket.namespace().emit("x", &()).unwrap().sent, 0);
            let asked = socket.emit_with_ack::<u64>("x", &()).await;
            assert_eq!(asked, Err(AckError::Emit(EmitError::Expired)));
            let renewed = socket.authorize(Grant::UNLIMITED);
            assert_eq!(renewed, Err(AuthorizeError::Expired));
            log.say("late");
            "not sent"
        });
    let host = stage.listen().await;
    let mut client = host.client().await;
    client.send(r#"40{"seconds":1000}"#).await;
    assert!(client.text().await.starts_with("40{"));
    client.send(r#"421["late"]"#).await;
    client.send(r#"422["x"]"#).await;
    client.check(r#"42["expired","/"]"#).await;
    client.check("41").await;
    host.check_heard("late").await;
    host.check_error("late", Failure::Reply(EmitError::Expired))
        .await;
    host.check_heard("authorization expired").await;
    client.send(r#"423["x"]"#).await;
    client.join("/open").await;
    host.check_silence().await;
}

#[tokio::test(start_paused = true)]
async fn who_comes_with_an_old_token_is_refused() {
    let stage = Stage::new();
    office(&stage);
    stage
        .io
        .of("/slow")
        .middleware(async || Ok::<_, Refusal>(Grant::lasting(SECOND)))
        .middleware(async || {
            tokio::time::sleep(2 * SECOND).await;
            Ok::<_, Refusal>(())
        })
        .on_connect(async |State(log): State<Log>| log.say("never"))
        .farewell("expired", |_| ());
    stage
        .io
        .of("/late")
        .middleware(async || Ok::<_, Refusal>(Grant::lasting(Duration::ZERO)))
        .middleware(async || Ok::<_, Refusal>(Grant::UNLIMITED));
    let mut polling = stage.polling().await;
    for (packet, refusal) in [
        (
            r#"40{"seconds":0}"#,
            r#"44{"message":"authorization expired"}"#,
        ),
        ("40/slow,", r#"44/slow,{"message":"authorization expired"}"#),
        ("40/late,", r#"44/late,{"message":"authorization expired"}"#),
    ] {
        polling.send(packet).await;
        polling.check(refusal).await;
    }
    stage.check_silence().await;
    stage.check_no_error().await;
}

#[tokio::test(start_paused = true)]
async fn events_that_wait_when_the_time_has_come_are_not_dispatched() {
    let stage = Stage::new();
    office(&stage);
    stage
        .io
        .of("/")
        .event_middleware(async |State(log): State<Log>, State(gate): State<Gate>| {
            log.say("door");
            gate.pass().await;
            Ok::<_, Refusal>(())
        });
    let mut polling = stage.polling().await;
    polling.send(r#"40{"seconds":10}"#).await;
    assert!(polling.packet().await.starts_with("40{"));
    polling.send("42[\"x\"]\x1e42[\"x\"]").await;
    stage.check_heard("door").await;
    polling.check(r#"42["expired","/"]"#).await;
    stage.open_gate(9);
    polling.check("41").await;
    stage.check_heard("authorization expired").await;
    polling.send("40/open,").await;
    assert!(polling.packet().await.starts_with("40/open,"));
    stage.check_silence().await;
}

#[tokio::test(start_paused = true)]
async fn a_middleware_for_events_may_renew_with_each_of_them() {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .event_middleware(async || Ok::<_, Refusal>(Grant::lasting(5 * SECOND)))
        .on("x", async || "x");
    let mut polling = stage.polling().await;
    polling.join().await;
    // Without a grant there is no end. One that never was is no late one.
    tokio::time::sleep(20 * SECOND).await;
    for _ in 0..4 {
        polling.send(r#"421["x"]"#).await;
        polling.check(r#"431["x"]"#).await;
        tokio::time::sleep(4 * SECOND).await;
    }
    let start = Instant::now();
    polling.check("41").await;
    assert_eq!(start.elapsed().as_secs(), 1);
}

#[tokio::test(start_paused = true)]
async fn each_socket_of_a_connection_has_its_own_end() {
    let stage = Stage::new();
    for (name, seconds) in [("/a", 3_u32), ("/b", 1), ("/c", 2)] {
        let namespace = stage.io.of(name);
        namespace
            .middleware(move || async move { Ok::<_, Refusal>(Grant::lasting(seconds * SECOND)) });
    }
    let mut polling = stage.polling().await;
    let start = Instant::now();
    for name in ["/a", "/b", "/c"] {
        polling.send(&format!("40{name},")).await;
        assert!(polling.packet().await.starts_with(&format!("40{name},")));
    }
    for (name, seconds) in [("/b", 1), ("/c", 2), ("/a", 3)] {
        polling.check(&format!("41{name},")).await;
        assert_eq!(start.elapsed().as_secs(), seconds);
    }
}

#[tokio::test(start_paused = true)]
async fn a_farewell_that_fails_is_reported_and_the_socket_leaves_all_the_same() {
    let stage = Stage::new();
    let panics = stage.io.of("/panics");
    panics.farewell("x", |_| -> () { panic!("no words") });
    // JSON has no such keys.
    let unsayable = stage.io.of("/unsayable");
    unsayable.farewell("x", |_| std::collections::HashMap::from([((1, 2), 3)]));
    let mut polling = stage.polling().await;
    for name in ["/panics", "/unsayable"] {
        polling.send(&format!("40{name},")).await;
        let joined = polling.packet().await;
        let id = joined.split('"').nth(3).unwrap();
        let socket = stage.io.of(name).socket(id).unwrap();
        socket.authorize(Grant::lasting(SECOND)).unwrap();
        polling.check(&format!("41{name},")).await;
    }
    stage
        .check_error("disconnect", Failure::Panicked("no words".into()))
        .await;
    let error = stage.error().await;
    assert!(
        matches!(error.failure, Failure::Farewell(EmitError::Encode(_))),
        "{error}"
    );
}

#[tokio::test]
async fn a_grant_survives_its_socket_for_whoever_comes_back() {
    let stage = Stage::with(|builder| builder.state(Shelf::<Grant>::default()));
    office(&stage);
    stage.io.of("/").on_disconnect(
        async |socket: Socket, State(shelf): State<Shelf<Grant>>, State(log): State<Log>| {
            shelf.put(socket.grant());
            log.say("kept");
        },
    );
    stage
        .io
        .of("/back")
        .middleware(async |State(shelf): State<Shelf<Grant>>| {
            shelf.take().ok_or_else(|| Refusal::new("nothing kept"))
        });
    let host = stage.listen().await;
    let mut client = host.client().await;
    client.send(r#"40{"seconds":1000}"#).await;
    assert!(client.text().await.starts_with("40{"));
    client.send("41").await;
    host.check_heard("client namespace disconnect").await;
    host.check_heard("kept").await;
    let id = client.join("/back").await;
    let back = host.io.of("/back").socket(&id).unwrap();
    let remaining = back.grant().remaining().unwrap();
    assert!(remaining > 900 * SECOND && remaining <= 1000 * SECOND);
}
