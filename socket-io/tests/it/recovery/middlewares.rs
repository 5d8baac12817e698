//! Middlewares that are asked again about a client that comes back.

use socket_io::{Auth, RecoveryConfig, Refusal, Socket, State, Value};

use super::{check, check_new, check_recovered, come_back, cut, join, stage};
use crate::support::{Gate, Log, Stage};

/// Middlewares run again. They wait at the gate, and refuse whoever says `no`.
fn asking() -> Stage {
    let stage = stage(RecoveryConfig::default().skip_middlewares(false));
    stage
        .io
        .of("/")
        .middleware(
            async |socket: Socket, State(gate): State<Gate>, Auth(auth): Auth<Value>| {
                socket.join("room");
                if socket.recovered() {
                    socket.emit("in the middleware", &())?;
                }
                gate.pass().await;
                match auth.get("no") {
                    Some(_) => Err(Refusal::new("no")),
                    None => Ok(()),
                }
            },
        )
        .on_connect(async |socket: Socket| {
            socket
                .emit("hello", &socket.recovered())
                .map_err(Refusal::from)
        });
    stage
}

#[tokio::test]
async fn middlewares_can_be_asked_again_before_anything_is_sent() {
    let host = asking().listen().await;
    host.open_gate(1);
    let (mut client, ids) = join(&host).await;
    let offset = check(&mut client, serde_json::json!(["hello", false])).await;
    cut(&host, client, &ids.sid).await;
    host.io.to("room").emit("news", &1).unwrap();

    let mut client = come_back(&host, &ids.pid, &offset).await;
    // The answer to another namespace proves that nothing was sent before.
    client
        .ask("40/nope,", r#"44/nope,{"message":"Invalid namespace"}"#)
        .await;
    host.io.to("room").emit("news", &2).unwrap();
    host.io.to(&*ids.sid).emit("news", &3).unwrap();
    assert!(host.io.of("/").is_empty());
    host.open_gate(1);
    check(&mut client, serde_json::json!(["news", 1])).await;
    check(&mut client, serde_json::json!(["in the middleware"])).await;
    check(&mut client, serde_json::json!(["news", 2])).await;
    check(&mut client, serde_json::json!(["news", 3])).await;
    check_recovered(&mut client, &ids).await;
    let offset = check(&mut client, serde_json::json!(["hello", true])).await;

    // And nothing is sent twice.
    cut(&host, client, &ids.sid).await;
    host.open_gate(1);
    let mut client = come_back(&host, &ids.pid, &offset).await;
    check(&mut client, serde_json::json!(["in the middleware"])).await;
    check_recovered(&mut client, &ids).await;
}

#[tokio::test]
async fn a_client_that_is_refused_gets_nothing_and_may_try_again() {
    let host = asking().listen().await;
    host.open_gate(3);
    let (mut client, ids) = join(&host).await;
    let offset = check(&mut client, serde_json::json!(["hello", false])).await;
    cut(&host, client, &ids.sid).await;
    host.io.to("room").emit("secret", &()).unwrap();
    let mut client = host.client().await;
    let claim = format!(r#"{{"pid":"{}","offset":"{offset}","no":1}}"#, ids.pid);
    client
        .ask(&format!("40{claim}"), r#"44{"message":"no"}"#)
        .await;
    let mut client = come_back(&host, &ids.pid, &offset).await;
    check(&mut client, serde_json::json!(["secret"])).await;
    check(&mut client, serde_json::json!(["in the middleware"])).await;
    check(&mut client, serde_json::json!(["in the middleware"])).await;
    check_recovered(&mut client, &ids).await;
}

#[tokio::test]
async fn a_connection_that_breaks_while_the_middlewares_run_costs_no_session() {
    let host = asking().listen().await;
    host.open_gate(1);
    let (mut client, ids) = join(&host).await;
    let offset = check(&mut client, serde_json::json!(["hello", false])).await;
    cut(&host, client, &ids.sid).await;
    for _ in 0..2 {
        // One is cut, the other one is pushed out while it waits.
        let mut client = come_back(&host, &ids.pid, &offset).await;
        client
            .ask("40/nope,", r#"44/nope,{"message":"Invalid namespace"}"#)
            .await;
        drop(client);
    }
    let mut client = come_back(&host, &ids.pid, &offset).await;
    client
        .ask("40/nope,", r#"44/nope,{"message":"Invalid namespace"}"#)
        .await;
    let mut last = come_back(&host, &ids.pid, &offset).await;
    client.check_end().await;
    host.open_gate(4);
    for _ in 0..4 {
        check(&mut last, serde_json::json!(["in the middleware"])).await;
    }
    check_recovered(&mut last, &ids).await;
}

#[tokio::test]
async fn events_that_went_out_of_the_log_while_the_middlewares_ran_make_it_a_new_session() {
    let config = RecoveryConfig::default().skip_middlewares(false);
    let stage = stage(config.max_events(3));
    stage
        .io
        .of("/")
        .middleware(
            async |socket: Socket, State(gate): State<Gate>, State(log): State<Log>| {
                log.say(format!("{}", socket.recovered()));
                gate.pass().await;
                Ok::<_, Refusal>(())
            },
        )
        .on_connect(async |socket: Socket| {
            socket.emit("hello", &socket.rooms().len())?;
            socket.join("room");
            Ok::<_, Refusal>(())
        });
    let host = stage.listen().await;
    host.open_gate(1);
    let (mut client, ids) = join(&host).await;
    host.check_heard("false").await;
    let offset = check(&mut client, serde_json::json!(["hello", 1])).await;
    cut(&host, client, &ids.sid).await;
    let mut client = come_back(&host, &ids.pid, &offset).await;
    host.check_heard("true").await;
    for n in 0..4 {
        host.io.emit("news", &n).unwrap();
    }
    host.open_gate(2);
    check_new(&mut client, &ids).await;
    host.check_heard("false").await;
    check(&mut client, serde_json::json!(["hello", 1])).await;
}
