//! What is kept has limits; beyond them a client starts anew.

use socket_io::{Namespace, RecoveryConfig, Refusal, Socket};

use super::{Ids, check, check_new, check_recovered, come_back, cut, event, join, stage};
use crate::support::{Stage, until};

#[tokio::test]
async fn the_log_is_bounded_and_a_client_that_missed_too_much_starts_anew() {
    let small = RecoveryConfig::default().max_events(5);
    let short = RecoveryConfig::default().max_bytes(2000);
    for (config, count, size, comes_back) in [
        (small.clone(), 5, 1, true),
        (small, 6, 1, false),
        (short.clone(), 2, 100, true),
        (short, 2, 2000, false),
    ] {
        let host = stage(config).listen().await;
        let (mut client, ids) = join(&host).await;
        host.io.emit("news", &0).unwrap();
        let offset = check(&mut client, serde_json::json!(["news", 0])).await;
        // What others get while it is there counts for nothing.
        for _ in 0..20 {
            host.io.to("others").emit("news", "x").unwrap();
        }
        cut(&host, client, &ids.sid).await;
        let text = "x".repeat(size);
        for _ in 0..count {
            host.io.emit("missed", &text).unwrap();
        }
        let mut client = come_back(&host, &ids.pid, &offset).await;
        if comes_back {
            for _ in 0..count {
                check(&mut client, serde_json::json!(["missed", text])).await;
            }
            check_recovered(&mut client, &ids).await;
        } else {
            check_new(&mut client, &ids).await;
        }
    }
}

#[tokio::test]
async fn a_client_whose_outbox_has_no_room_for_what_it_missed_starts_anew() {
    let config = RecoveryConfig::default();
    let stage = Stage::with(|builder| builder.recovery(config).outbox_limit(10_000));
    let namespaces = ["/", "/other"].map(|name| {
        stage
            .io
            .of(name)
            .on_connect(async |socket: Socket| socket.emit("hello", &()).map_err(Refusal::from))
    });
    let mut client = stage.polling().await;
    client.send("40\x1e40/other,").await;
    let mut away = Vec::new();
    for _ in &namespaces {
        let ids = Ids::read(&client.packet().await);
        away.push((ids, event(&client.packet().await).1));
    }
    client.send("1").await;
    until(|| namespaces.iter().all(Namespace::is_empty)).await;
    for namespace in &namespaces {
        namespace.emit("missed", &"x".repeat(6000)).unwrap();
    }
    let mut client = stage.polling().await;
    let claim = |n: usize| format!(r#"{{"pid":"{}","offset":"{}"}}"#, away[n].0.pid, away[n].1);
    // Both at once, and nothing is fetched in between.
    client
        .send(&format!("40{}\x1e40/other,{}", claim(0), claim(1)))
        .await;
    assert_eq!(event(&client.packet().await).0[0], "missed");
    assert_eq!(Ids::read(&client.packet().await), away[0].0);
    assert_eq!(event(&client.packet().await).0, ["hello"]);
    assert_ne!(Ids::read(&client.packet().await), away[1].0);
}

#[tokio::test]
async fn the_oldest_session_goes_when_there_are_too_many() {
    let host = stage(RecoveryConfig::default().max_sessions(2))
        .listen()
        .await;
    let mut away = Vec::new();
    for _ in 0..3 {
        let (mut client, ids) = join(&host).await;
        host.io.to(&*ids.sid).emit("news", &()).unwrap();
        let offset = check(&mut client, serde_json::json!(["news"])).await;
        cut(&host, client, &ids.sid).await;
        away.push((ids, offset));
    }
    let mut clients = Vec::new();
    for (n, (ids, offset)) in away.iter().enumerate() {
        let mut client = come_back(&host, &ids.pid, offset).await;
        if n == 0 {
            check_new(&mut client, ids).await;
        } else {
            check_recovered(&mut client, ids).await;
        }
        clients.push(client);
    }
}
