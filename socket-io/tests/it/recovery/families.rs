//! Namespaces of a family, which may come and go while a client is away.

use serde_json::Value as Json;
use socket_io::{Namespace, NamespaceName, RecoveryConfig, Refusal, Socket};

use super::{Ids, check, check_recovered, event, recovering, stage};
use crate::support::until;

#[tokio::test]
async fn a_namespace_of_a_pattern_is_remembered_while_somebody_may_come_back() {
    for (max, expected) in [
        (1000, [true, true]),
        (1, [true, false]),
        (0, [false, false]),
    ] {
        let stage = stage(RecoveryConfig::default().max_empty_namespaces(max));
        stage
            .io
            .of_matching(|name| name.starts_with("/dyn-"))
            .on_connect(async |socket: Socket| socket.emit("hello", &()).map_err(Refusal::from));
        let host = stage.listen().await;
        let mut away = Vec::new();
        for name in ["/dyn-1", "/dyn-2"] {
            let mut client = host.client().await;
            client.send(&format!("40{name},")).await;
            let ids = Ids::read(&client.text().await);
            let offset = event(&client.text().await).1;
            drop(client);
            away.push((name, ids, offset));
            let kept = 1 + max.min(away.len());
            until(|| {
                let namespaces = host.io.namespaces();
                namespaces.len() == kept && namespaces.iter().all(Namespace::is_empty)
            })
            .await;
        }
        for ((name, ids, offset), comes_back) in away.into_iter().rev().zip(expected) {
            let mut client = host.client().await;
            client
                .send(&format!(
                    r#"40{name},{{"pid":"{}","offset":"{offset}"}}"#,
                    ids.pid
                ))
                .await;
            let new = Ids::read(&client.text().await);
            assert_eq!(new == ids, comes_back, "{name}, at most {max}");
            drop(client);
            until(|| host.io.namespaces().iter().all(Namespace::is_empty)).await;
        }
    }
}

#[tokio::test]
async fn what_the_parent_of_a_family_has_sent_is_caught_up_on_in_each_child() {
    let stage = recovering();
    let parent = stage.io.of_path("/p/{n}");
    let host = stage.listen().await;
    let mut witness = host.client().await;
    let mut lost = Vec::new();
    for name in ["/p/1", "/p/2"] {
        witness.send(&format!("40{name},")).await;
        let kept = Ids::read(&witness.text().await);
        let mut client = host.client().await;
        client.send(&format!("40{name},")).await;
        let ids = Ids::read(&client.text().await);
        parent.to(ids.sid.as_str()).emit("first", &name).unwrap();
        let offset = check(&mut client, serde_json::json!(["first", name])).await;
        drop(client);
        until(|| host.io.of(name).socket(&ids.sid).is_none()).await;
        assert!(host.io.of(name).socket(&kept.sid).is_some());
        lost.push((name, ids, offset));
    }
    assert_eq!(parent.emit("second", &()).unwrap().sent, 2);
    for (name, ids, offset) in lost {
        let mut client = host.client().await;
        let pid = &ids.pid;
        client
            .send(&format!(
                r#"40{name},{{"pid":"{pid}","offset":"{offset}"}}"#
            ))
            .await;
        let missed = client.text().await;
        assert!(missed.starts_with(&format!("42{name},")), "{missed}");
        assert_eq!(event(&missed).0, [Json::from("second")]);
        check_recovered(&mut client, &ids).await;
    }
}

#[tokio::test]
async fn a_client_comes_back_to_a_child_that_an_asynchronous_function_has_accepted() {
    let stage = recovering();
    stage
        .io
        .of_async(async |NamespaceName(name): NamespaceName| {
            tokio::task::yield_now().await;
            name.starts_with("/p")
        });
    let host = stage.listen().await;
    let mut client = host.client().await;
    client.send("40/p,").await;
    let ids = Ids::read(&client.text().await);
    let socket = host.io.namespaces();
    let socket = socket.iter().find_map(|known| known.socket(&ids.sid));
    socket.unwrap().emit("x", &1).unwrap();
    let offset = check(&mut client, serde_json::json!(["x", 1])).await;
    drop(client);
    until(|| host.io.namespaces().iter().all(Namespace::is_empty)).await;
    let mut client = host.client().await;
    let pid = &ids.pid;
    client
        .send(&format!(r#"40/p,{{"pid":"{pid}","offset":"{offset}"}}"#))
        .await;
    check_recovered(&mut client, &ids).await;
}
