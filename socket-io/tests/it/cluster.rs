//! Several servers that are one: what the `Adapter` trait lets an adapter do.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use socket_io::protocol::EncodeError;
use socket_io::{
    AckError, Binary, BroadcastAnswers, Data, EmitError, Failure, OverflowPolicy, Socket,
    SocketIoBuilder, Value,
};

use crate::support::{Bus, Client, Host, Polling, Stage, soon, until};

fn on(bus: &Arc<Bus>) -> impl FnOnce(SocketIoBuilder) -> SocketIoBuilder {
    let bus = bus.clone();
    move |builder| {
        let name = |socket: &Socket| socket.data::<String>().map(|name| name.to_string());
        builder
            .adapter(move |_| bus.adapter())
            .remote_data(name)
            .server_timeout(Duration::from_secs(3))
    }
}

/// Servers of one cluster.
async fn servers<const N: usize>() -> [Host; N] {
    let bus = Arc::new(Bus::default());
    let mut hosts = Vec::new();
    for _ in 0..N {
        let stage = Stage::with(on(&bus));
        stage
            .io
            .of("/")
            .on("join", async |socket: Socket, Data(room): Data<String>| {
                socket.join(room);
                true
            })
            .on("nothing", async || true);
        hosts.push(stage.listen().await);
    }
    hosts.try_into().ok().expect("there are as many")
}

async fn join(client: &mut Client, room: &str) {
    client
        .ask(&format!(r#"421["join","{room}"]"#), "431[true]")
        .await;
}

#[tokio::test]
async fn a_broadcast_reaches_the_sockets_of_all_servers() {
    let [one, two, three] = servers().await;
    let (mut a, id_a) = one.member().await;
    let (mut b, _) = two.member().await;
    let (mut c, id_c) = three.member().await;
    for client in [&mut a, &mut b] {
        join(client, "room").await;
    }
    let delivery = one.io.emit("all", &(1, "é")).unwrap();
    assert_eq!(delivery.sent, 1);
    one.io.to("room").emit("room", &()).unwrap();
    two.io.except("room").emit("others", &()).unwrap();
    three.io.to([&id_a, &id_c]).emit("two", &()).unwrap();
    three.io.all().local().emit("here", &()).unwrap();
    one.io
        .to("room")
        .except(&id_a)
        .emit("data", &Binary::from(vec![1, 2]))
        .unwrap();
    for (client, events) in [
        (&mut a, &["all", "room", "two"][..]),
        (&mut b, &["all", "room", "data"]),
        (&mut c, &["all", "others", "two", "here"]),
    ] {
        let mut expected: Vec<_> = events
            .iter()
            .map(|event| match *event {
                "all" => r#"42["all",1,"é"]"#.to_owned(),
                "data" => r#"451-["data",{"_placeholder":true,"num":0}]"#.to_owned(),
                event => format!(r#"42["{event}"]"#),
            })
            .collect();
        // Those of different servers keep no order.
        let mut found = Vec::new();
        for event in events {
            found.push(client.text().await);
            if found.last().unwrap().starts_with("45") {
                assert_eq!(*event, "data");
                client.check_binary(&[1, 2]).await;
            }
        }
        expected.sort();
        found.sort();
        assert_eq!(found, expected);
        client.ask(r#"429["nothing"]"#, "439[true]").await;
    }
}

#[tokio::test]
async fn namespaces_of_a_cluster_keep_apart() {
    let [one, two] = servers().await;
    let mut client = two.client().await;
    two.io.of("/x");
    client.join("/x").await;
    one.io.of("/y").emit("wrong", &()).unwrap();
    one.io.of("/x").emit("right", &()).unwrap();
    client.check(r#"42/x,["right"]"#).await;
}

#[tokio::test]
async fn sockets_of_other_servers_join_and_leave_rooms_and_are_disconnected() {
    let [one, two] = servers().await;
    let (mut a, _) = one.member().await;
    let (mut b, id) = two.member().await;
    one.io.all().join(["x", "y"]);
    until(|| two.io.of("/").room_size("y") == 1).await;
    one.io.to(&id).leave("x");
    until(|| two.io.of("/").room_size("x") == 0).await;
    assert_eq!(one.io.of("/").room_size("x"), 1);
    one.io.all().local().leave("y");
    one.io.to("y").emit("y", &()).unwrap();
    b.check(r#"42["y"]"#).await;
    one.io.to("y").disconnect();
    b.check("41").await;
    two.io.all().disconnect_all();
    a.check("41").await;
    a.check_end().await;
}

#[tokio::test]
async fn sockets_are_found_wherever_they_are() {
    let [one, two, three] = servers().await;
    let (mut a, id_a) = one.member().await;
    let (mut b, id_b) = two.member().await;
    let (_c, id_c) = three.member().await;
    for client in [&mut a, &mut b] {
        join(client, "room").await;
    }
    let socket = two.io.of("/").socket(&id_b).unwrap();
    socket.insert_data("b's name".to_owned());

    let mut found = soon(one.io.fetch_sockets()).await.unwrap();
    assert_eq!(found[0].id().as_str(), id_a);
    assert!(found[0].local().is_some());
    found.sort_by_key(|socket| socket.id().to_string());
    let mut ids = [&*id_a, &*id_b, &*id_c];
    ids.sort_unstable();
    let ids_found: Vec<_> = found.iter().map(|socket| socket.id().as_str()).collect();
    assert_eq!(ids_found, ids);
    assert_eq!(one.io.all().local().fetch_sockets().await.unwrap().len(), 1);

    let mut found = one
        .io
        .to("room")
        .except(&id_a)
        .fetch_sockets()
        .await
        .unwrap();
    let remote = found.pop().unwrap();
    assert!(found.is_empty() && remote.local().is_none());
    assert_eq!(remote.id().as_str(), id_b);
    assert_eq!(remote.data::<String>().unwrap(), "b's name");
    let mut rooms = remote.rooms();
    rooms.sort();
    let mut expected = [id_b.as_str().into(), "room".into()];
    expected.sort();
    assert_eq!(rooms, expected);
    let handshake = remote.handshake();
    let url = handshake.get("url").and_then(Value::as_str).unwrap();
    assert!(url.starts_with("/socket.io/?EIO=4"), "{url}");
    assert_eq!(
        serde_json::to_value(&handshake).unwrap(),
        serde_json::to_value(socket.handshake()).unwrap()
    );

    // What is done with it is done where it is.
    remote.emit("hello", &1).unwrap();
    b.check(r#"42["hello",1]"#).await;
    remote.join("new");
    until(|| two.io.of("/").room_size("new") == 1).await;
    remote.leave(["new", "room"]);
    until(|| socket.rooms().len() == 1).await;
    let answer = remote.emit_with_ack::<i64>("q", &());
    let question = b.text().await;
    b.send(&question.replacen("42", "43", 1).replace(r#""q""#, "7"))
        .await;
    assert_eq!(soon(answer).await, Ok(7));
    remote.disconnect();
    b.check("41").await;
    let late = remote.emit_with_ack::<i64>("q", &());
    assert_eq!(soon(late).await, Err(AckError::Disconnected));
}

#[tokio::test]
async fn without_other_servers_the_sockets_of_this_one_are_found_at_once() {
    let host = Stage::new().listen().await;
    let (mut client, id) = host.member().await;
    let found = host.io.fetch_sockets().await.unwrap();
    assert_eq!(found.len(), 1);
    let socket = found[0].local().unwrap();
    assert_eq!(socket.id().as_str(), id);
    assert_eq!(found[0].rooms(), socket.rooms());
    assert_eq!(
        serde_json::to_value(found[0].details()).unwrap()["data"],
        serde_json::json!({})
    );
    let answer = found[0]
        .emit_with_ack::<i64>("q", &())
        .timeout(Duration::from_secs(3600));
    client.ask("421[\"x\"]", r#"420["q"]"#).await;
    client.send("430[1]").await;
    assert_eq!(answer.await, Ok(1));
    found[0].disconnect_all();
    client.check("41").await;
    client.check_end().await;
}

/// Two servers with a client each, without a network; the second hears nothing.
async fn deaf() -> ([Stage; 2], [Polling; 2], [String; 2]) {
    let bus = Arc::new(Bus::default());
    let stages = [Stage::with(on(&bus)), Stage::with(on(&bus))];
    let mut clients = [stages[0].polling().await, stages[1].polling().await];
    let ids = [clients[0].join().await, clients[1].join().await];
    bus.deafen_last();
    (stages, clients, ids)
}

#[tokio::test]
async fn how_a_broadcast_is_sent_counts_on_all_servers() {
    let bus = Arc::new(Bus::default());
    let one = Stage::with(on(&bus));
    let two = Stage::with(|builder| on(&bus)(builder).outbox_limit(300));
    let mut client = two.polling().await;
    let id = client.join().await;
    let socket = two.io.of("/").socket(&id).unwrap();
    // Nobody polls, so volatile events are dropped, and of those with a key the newest waits.
    for n in 0..3 {
        one.io.all().volatile().emit("dropped", &n).unwrap();
        one.io.all().latest("key").emit("latest", &n).unwrap();
    }
    one.io
        .of("/")
        .server_side_emit_with_ack::<()>("flush", &())
        .await
        .unwrap();
    let long = "x".repeat(300);
    let gentle = one.io.all().overflow(OverflowPolicy::DropNewest);
    gentle.emit("long", &long).unwrap();
    one.io
        .of("/")
        .server_side_emit_with_ack::<()>("flush", &())
        .await
        .unwrap();
    client.check(r#"42["latest",2]"#).await;
    assert!(socket.is_connected());
}

#[tokio::test(start_paused = true)]
async fn who_is_found_before_the_time_is_up_is_in_the_error() {
    let ([one, two], _clients, ids) = deaf().await;
    let start = tokio::time::Instant::now();
    let error = one.io.fetch_sockets().await.unwrap_err();
    assert_eq!(start.elapsed().as_secs(), 3);
    assert_eq!(error.missing, 1);
    let found: Vec<_> = error.found.iter().map(|socket| &**socket.id()).collect();
    assert_eq!(found, [&*ids[0]]);
    assert_eq!(
        error.to_string(),
        "1 servers did not answer; 1 sockets were found"
    );
    // The other way it works.
    let own_time = two.io.all().timeout(Duration::from_millis(10));
    assert!(own_time.fetch_sockets().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_is_missing() {
    let ([one, _two], [mut client, _], [id, _]) = deaf().await;
    let all = one.io.all().timeout(Duration::from_secs(2));
    let asked = all.emit_with_ack::<i64>("q", &());
    client.check(r#"420["q"]"#).await;
    client.send("430[1]").await;
    let start = tokio::time::Instant::now();
    let answers = asked.await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 2);
    assert_eq!(answers.answers, [1]);
    assert_eq!(answers.missing, [(None, AckError::NoServer)]);

    let reply = one.io.server_side_emit_with_ack::<i64>("x", &());
    let answers = reply.await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 5);
    assert!(answers.answers.is_empty());
    assert_eq!(answers.missing, [(None, AckError::NoServer)]);

    // Of a single socket only what it says itself counts, and where it is nobody knows.
    let socket = one.io.fetch_sockets().await.unwrap_err().found.remove(0);
    let answer = socket.emit_with_ack::<i64>("q", &());
    client.check(r#"421["q"]"#).await;
    client.send("431[2]").await;
    assert_eq!(answer.await, Ok(2));
    one.io.to(&id).local().disconnect();
    let answer = socket
        .emit_with_ack::<i64>("q", &())
        .timeout(Duration::from_secs(1));
    assert_eq!(answer.await, Err(AckError::NoServer));
}

#[tokio::test]
async fn clients_of_other_servers_acknowledge_and_are_counted_out_when_they_leave() {
    let [one, two] = servers().await;
    let (mut a, id_a) = one.member().await;
    let (mut b, _) = two.member().await;
    let (mut c, _) = two.member().await;
    let long = Duration::from_secs(3600);
    let asked = one
        .io
        .all()
        .timeout(long)
        .emit_with_ack::<Value>("q", &(1, Binary::from(vec![3])));
    assert_eq!(asked.pending(), 1);
    for client in [&mut a, &mut b, &mut c] {
        client
            .check(r#"451-0["q",1,{"_placeholder":true,"num":0}]"#)
            .await;
        client.check_binary(&[3]).await;
    }
    c.send("41").await;
    b.send(r#"461-0[{"_placeholder":true,"num":0},"ignored"]"#)
        .await;
    b.send_binary(&[4]).await;
    a.send("430[]").await;
    let BroadcastAnswers {
        mut answers,
        missing,
        ..
    } = soon(asked).await.unwrap();
    answers.sort_by_key(|answer| answer.as_bytes().is_some());
    assert_eq!(answers, [Value::Null, Value::Binary(vec![4].into())]);
    assert_eq!(missing, [(None, AckError::Disconnected)]);

    // As a stream.
    let mut asked = two
        .io
        .to(&id_a)
        .timeout(long)
        .emit_with_ack::<i64>("q", &());
    a.check(r#"421["q"]"#).await;
    a.send("431[5]").await;
    assert_eq!(soon(asked.next()).await, Some((None, Ok(5))));
    assert_eq!(soon(asked.next()).await, None);
    let mut nobody = two
        .io
        .to("nobody")
        .timeout(long)
        .emit_with_ack::<i64>("q", &());
    assert_eq!(soon(nobody.next()).await, None);
    let local = one.io.to("nobody").local().emit_with_ack::<i64>("q", &());
    assert!(soon(local).await.unwrap().is_complete());
}

#[tokio::test]
async fn servers_answer_each_other() {
    let [one, two, three] = servers().await;
    let sum = async |(a, b): (i64, i64)| a + b;
    one.io.of("/").on_server_event("sum", sum);
    two.io
        .of("/")
        .on_server_event("sum", sum)
        .on_server_event("sum", async |_: Value| "nobody hears the second");
    three
        .io
        .of("/")
        .on_server_event("sum", async |(a, b): (i64, i64)| {
            assert!(b > 100, "too small");
            a * b
        });
    let answers = one.io.server_side_emit_with_ack::<i64>("sum", &(2, 3));
    let answers = soon(answers).await.unwrap();
    assert_eq!(answers.answers, [5]);
    assert_eq!(answers.missing, [(None, AckError::NoServer)]);
    let error = three.error().await;
    assert_eq!(
        error.to_string(),
        "event \"sum\" in /: handler panicked: too small"
    );
    let answers = one.io.server_side_emit_with_ack::<i64>("sum", &(2, 300));
    let mut answers = soon(answers).await.unwrap();
    answers.answers.sort_unstable();
    assert_eq!(answers.answers, [302, 600]);
    assert!(answers.is_complete());
    // What is of another type is not for the handler.
    let answers = one.io.server_side_emit_with_ack::<i64>("sum", "text");
    assert_eq!(soon(answers).await.unwrap().missing.len(), 2);
    assert!(matches!(three.error().await.failure, Failure::Args(_)));

    // Without an answer, and to the others only.
    two.io.server_side_emit("sum", &(1, 1)).unwrap();
    assert!(matches!(three.error().await.failure, Failure::Panicked(_)));
    // Only the text from before did not suit.
    assert!(matches!(two.error().await.failure, Failure::Args(_)));
    two.check_no_error().await;
}

#[tokio::test]
async fn without_other_servers_nobody_answers_and_reserved_names_are_refused() {
    let stage = Stage::new();
    let answers = stage.io.server_side_emit_with_ack::<i64>("x", &());
    let answers = answers.await.unwrap();
    assert!(answers.is_complete() && answers.answers.is_empty());
    assert_eq!(stage.io.server_side_emit("disconnect", &()), Ok(()));
    for name in ["connect", "connection", "new_namespace"] {
        let error = EmitError::Encode(EncodeError::ReservedEvent { name: name.into() });
        assert_eq!(stage.io.server_side_emit(name, &()), Err(error.clone()));
        let answers = stage.io.server_side_emit_with_ack::<i64>(name, &());
        assert_eq!(answers.await, Err(error));
    }
}

#[test]
#[should_panic(expected = "reserved event \"connection\"")]
fn a_reserved_event_of_servers_is_a_mistake() {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .on_server_event("connection", async |(): ()| ());
}

#[tokio::test]
async fn a_parent_reaches_its_children_on_other_servers() {
    let [one, two] = servers().await;
    let families = [&one, &two].map(|host| {
        host.io
            .of_path("/p/{n}")
            .on_server_event("double", async |n: u8| 2 * n)
    });
    let mut clients = [one.client().await, two.client().await];
    let mut ids = Vec::new();
    for client in &mut clients {
        ids.push(client.join("/p/1").await);
    }
    let [ours, _] = &families;
    assert_eq!(ours.emit("news", &1).unwrap().sent, 1);
    let votes = ours.all().emit_with_ack::<u8>("vote", &());
    for (n, client) in clients.iter_mut().enumerate() {
        client.check(r#"42/p/1,["news",1]"#).await;
        let question = client.text().await;
        let id = question.strip_prefix("42/p/1,").unwrap();
        let id = id.strip_suffix(r#"["vote"]"#).unwrap();
        client.send(&format!("43/p/1,{id}[{n}]")).await;
    }
    let mut votes = soon(votes).await.unwrap();
    votes.answers.sort_unstable();
    assert_eq!((votes.answers, votes.missing), (vec![0, 1], vec![]));

    let found = ours.fetch_sockets().await.unwrap();
    let found: Vec<_> = found.iter().map(|socket| socket.id().to_string()).collect();
    assert_eq!(found, ids);
    ours.all().join("room");
    until(|| two.io.of("/p/1").room_size("room") == 1).await;
    let doubled = ours.server_side_emit_with_ack::<u8>("double", &21).await;
    assert_eq!(doubled.unwrap().answers, [42]);
    ours.to("room").disconnect();
    for client in &mut clients {
        client.check("41/p/1,").await;
    }
}
