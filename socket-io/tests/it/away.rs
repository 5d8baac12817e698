//! Connection state recovery beside other features, and at its edges.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use socket_io::{
    Drain, MemorySessionStore, Namespace, RecoveryConfig, SessionStore, StoreFuture, StoredSession,
};
use tokio::sync::Semaphore;

use crate::recovery::{Ids, check, check_recovered, come_back, cut, join, recovering, stage};
use crate::support::{Client, Host, Stage, until};

/// A client in a namespace that has got an event; its ids and the offset.
async fn informed(host: &Host, namespace: &str) -> (Client, Ids, String) {
    let mut client = host.client().await;
    client.send(&format!("40{namespace},")).await;
    let ids = Ids::read(&client.text().await);
    let known = host.io.namespaces();
    let known = known.iter().find(|known| *known.name() == *namespace);
    known.unwrap().emit("first", &()).unwrap();
    let offset = check(&mut client, serde_json::json!(["first"])).await;
    (client, ids, offset)
}

async fn come_back_to(host: &Host, namespace: &str, pid: &str, offset: &str) -> Client {
    let mut client = host.client().await;
    client
        .send(&format!(
            r#"40{namespace},{{"pid":"{pid}","offset":"{offset}"}}"#
        ))
        .await;
    client
}

#[tokio::test]
async fn what_a_parent_has_sent_while_nobody_was_in_a_child_is_caught_up_on() {
    let stage = recovering();
    let parent = stage.io.of_path("/p/{n}");
    let host = stage.listen().await;
    let (client, ids, offset) = informed(&host, "/p/1").await;
    drop(client);
    until(|| parent.is_empty()).await;
    parent.emit("second", &()).unwrap();
    parent.to(&*ids.sid).emit("third", &()).unwrap();
    parent.to("elsewhere").emit("not for you", &()).unwrap();
    let mut client = come_back_to(&host, "/p/1", &ids.pid, &offset).await;
    check(&mut client, serde_json::json!(["second"])).await;
    check(&mut client, serde_json::json!(["third"])).await;
    check_recovered(&mut client, &ids).await;
    parent.emit("fourth", &()).unwrap();
    check(&mut client, serde_json::json!(["fourth"])).await;
}

#[tokio::test(start_paused = true)]
async fn a_namespace_of_a_family_goes_when_nobody_may_come_back_any_more() {
    const AWAY: Duration = Duration::from_secs(60);
    let stage = stage(RecoveryConfig::default().max_disconnection(AWAY));
    let parent = stage.io.of_path("/p/{n}");
    let (removed, told) = mpsc::channel();
    stage.io.on_namespace_removed(move |namespace| {
        let _ = removed.send(namespace.name().to_string());
    });
    for (packet, lingers) in [("1", true), ("41/p/1,", false)] {
        let mut client = stage.polling().await;
        client.send("40/p/1,").await;
        Ids::read(&client.packet().await);
        client.send(packet).await;
        until(|| parent.is_empty()).await;
        if lingers {
            tokio::time::sleep(AWAY - Duration::from_secs(1)).await;
            assert_eq!(parent.children().len(), 1);
            assert!(told.try_recv().is_err());
            tokio::time::sleep(Duration::from_secs(35)).await;
        }
        until(|| parent.children().is_empty()).await;
        assert_eq!(told.try_recv().as_deref(), Ok("/p/1"));
        client.leave().await;
    }
}

#[tokio::test]
async fn a_handle_from_before_means_nothing_to_the_socket_that_came_back() {
    let host = recovering().listen().await;
    let (mut client, ids) = join(&host).await;
    let old = host.io.of("/").socket(&ids.sid).unwrap();
    old.join("room");
    host.io.emit("news", &1).unwrap();
    let offset = check(&mut client, serde_json::json!(["news", 1])).await;
    cut(&host, client, &ids.sid).await;
    assert!(old.rooms().is_empty());
    let mut client = come_back(&host, &ids.pid, &offset).await;
    check_recovered(&mut client, &ids).await;
    until(|| host.io.of("/").socket(&ids.sid).is_some()).await;
    let new = host.io.of("/").socket(&ids.sid).unwrap();
    assert!(old.rooms().is_empty());
    old.leave("room");
    old.join("other");
    assert_eq!(new.rooms()[1..], ["room".into()]);
}

#[tokio::test]
async fn a_client_may_be_away_for_ever() {
    let host = stage(RecoveryConfig::default().max_disconnection(Duration::MAX));
    let host = host.listen().await;
    let (mut client, ids) = join(&host).await;
    host.io.emit("news", &1).unwrap();
    let offset = check(&mut client, serde_json::json!(["news", 1])).await;
    cut(&host, client, &ids.sid).await;
    host.io.emit("news", &2).unwrap();
    let mut client = come_back(&host, &ids.pid, &offset).await;
    check(&mut client, serde_json::json!(["news", 2])).await;
    check_recovered(&mut client, &ids).await;
}

/// A store that saves when it is let.
struct Slow {
    sessions: MemorySessionStore,
    gate: Semaphore,
}

impl SessionStore for Slow {
    fn save(&self, session: StoredSession, time: Duration) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            self.gate.acquire().await?.forget();
            self.sessions.save(session, time).await
        })
    }

    fn take<'a>(
        &'a self,
        namespace: &'a str,
        pid: &'a str,
    ) -> StoreFuture<'a, Option<StoredSession>> {
        self.sessions.take(namespace, pid)
    }
}

#[tokio::test]
async fn a_drain_waits_until_sessions_are_kept() {
    let store = Arc::new(Slow {
        sessions: MemorySessionStore::new(10),
        gate: Semaphore::new(0),
    });
    let host = stage(RecoveryConfig::default().store(store.clone()));
    let host = host.listen().await;
    let (mut client, _) = join(&host).await;
    let io = host.io.clone();
    let drain = Drain::over(Duration::ZERO).wait_for_handlers(Duration::from_secs(30));
    let drained = tokio::spawn(async move { io.drain(drain).await });
    client.check_end().await;
    until(|| host.io.health().unfinished_handlers == 1).await;
    assert!(!drained.is_finished());
    store.gate.add_permits(1);
    assert_eq!(drained.await.unwrap().unfinished_handlers, 0);
    assert_eq!(store.sessions.len(), 1);
}

#[tokio::test]
async fn namespaces_that_clients_are_away_from_are_bounded() {
    let stage = stage(RecoveryConfig::default().max_empty_namespaces(2));
    let parent = stage.io.of_path("/p/{n}");
    let host = stage.listen().await;
    let names = || {
        let children = parent.children();
        let mut names: Vec<_> = children.iter().map(Namespace::name).collect();
        names.sort_unstable();
        names
            .into_iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    // One that comes and goes counts once, and is the newest then.
    for name in ["/p/1", "/p/2", "/p/1", "/p/1", "/p/3"] {
        let mut client = host.client().await;
        client.send(&format!("40{name},")).await;
        Ids::read(&client.text().await);
        drop(client);
        until(|| parent.is_empty()).await;
    }
    until(|| names() == ["/p/1", "/p/3"]).await;
    // Nor does one that somebody is in.
    let mut inside = host.client().await;
    inside.send("40/p/1,").await;
    Ids::read(&inside.text().await);
    let (client, ..) = informed(&host, "/p/4").await;
    drop(client);
    until(|| names() == ["/p/1", "/p/3", "/p/4"] && parent.len() == 1).await;
}

#[tokio::test]
async fn namespaces_that_clients_are_away_from_make_room_for_others() {
    let stage = Stage::with(|builder| {
        builder
            .recovery(RecoveryConfig::default())
            .max_child_namespaces(2)
    });
    let parent = stage.io.of_path("/p/{n}");
    let host = stage.listen().await;
    let mut inside = host.client().await;
    inside.send("40/p/0,").await;
    Ids::read(&inside.text().await);
    for name in ["/p/1", "/p/2", "/p/3"] {
        let mut client = host.client().await;
        client.send(&format!("40{name},")).await;
        Ids::read(&client.text().await);
        let mut other = host.client().await;
        let refused = r#"44/p/x,{"message":"too many namespaces"}"#;
        other.ask("40/p/x,", refused).await;
        drop(client);
        until(|| parent.len() == 1).await;
    }
    assert_eq!(parent.children().len(), 2);
}
