//! Connection state recovery.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value as Json;
use socket_io::protocol::{CustomParser, DecodeError, PacketDecoder, PacketKind, PacketValue};
use socket_io::{
    Args, Auth, Binary, Data, DisconnectReason, EmitError, EventName, Grant, Handshake,
    LoggedEvent, Message, Namespace, NamespaceName, Offset, Outcome, OverflowPolicy, Parser,
    RawArgs, RecoveryConfig, Refusal, Room, SessionStore, Socket, SocketIo, State, StoreFuture,
    StoredSession, Value,
};

use crate::support::{Client, Frame, Gate, Host, Log, Shelf, Stage, soon, until};

pub(crate) fn stage(config: RecoveryConfig) -> Stage {
    Stage::with(|builder| builder.recovery(config))
}

pub(crate) fn recovering() -> Stage {
    stage(RecoveryConfig::default())
}

/// What a client of the original remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ids {
    pub(crate) sid: String,
    pub(crate) pid: String,
}

impl Ids {
    pub(crate) fn read(confirmation: &str) -> Self {
        let json = confirmation.trim_start_matches(|c| c != '{');
        let json: Json = serde_json::from_str(json).unwrap_or_else(|_| panic!("{confirmation}"));
        let text = |key: &str| json[key].as_str().expect(confirmation).to_owned();
        Self {
            sid: text("sid"),
            pid: text("pid"),
        }
    }
}

/// The arguments of an event and its offset.
pub(crate) fn event(packet: &str) -> (Vec<Json>, String) {
    let json = packet.trim_start_matches(|c| c != '[');
    let mut args: Vec<Json> = serde_json::from_str(json).unwrap_or_else(|_| panic!("{packet}"));
    let offset = args
        .pop()
        .and_then(|offset| offset.as_str().map(Into::into));
    (
        args,
        offset.unwrap_or_else(|| panic!("no offset: {packet}")),
    )
}

pub(crate) async fn join(host: &Host) -> (Client, Ids) {
    let mut client = host.client().await;
    client.send("40").await;
    let ids = Ids::read(&client.text().await);
    (client, ids)
}

/// The next packet is that event; its offset.
pub(crate) async fn check(client: &mut Client, expected: Json) -> String {
    let (args, offset) = event(&client.text().await);
    assert_eq!(Json::Array(args), expected);
    offset
}

/// A client that says it was here before.
pub(crate) async fn come_back(host: &Host, pid: &str, offset: &str) -> Client {
    let mut client = host.client().await;
    client
        .send(&format!(r#"40{{"pid":"{pid}","offset":"{offset}"}}"#))
        .await;
    client
}

/// The next packet confirms that the client has what it had.
pub(crate) async fn check_recovered(client: &mut Client, ids: &Ids) {
    assert_eq!(Ids::read(&client.text().await), *ids);
}

/// The next packet confirms that the client is new.
pub(crate) async fn check_new(client: &mut Client, ids: &Ids) -> Ids {
    let new = Ids::read(&client.text().await);
    assert_ne!(new.sid, ids.sid);
    assert_ne!(new.pid, ids.pid);
    new
}

/// Cuts a connection without a word, and waits until the server has noticed.
pub(crate) async fn cut(host: &Host, client: Client, sid: &str) {
    drop(client);
    until(|| host.io.of("/").socket(sid).is_none()).await;
}

#[tokio::test]
async fn the_handshake_of_a_socket_that_is_back_is_the_new_one() {
    let stage = recovering();
    stage.io.of("/").on_connect(
        async |socket: Socket, handshake: Handshake, Auth(auth): Auth<Value>| {
            let offset = auth.get("offset").is_some();
            socket
                .emit("hello", &(handshake.query("n"), offset))
                .map_err(Refusal::from)
        },
    );
    let host = stage.listen().await;
    let mut client = Client::open_with(host.address, "&n=first", "").await;
    client.send("40").await;
    let ids = Ids::read(&client.text().await);
    let offset = check(&mut client, serde_json::json!(["hello", "first", false])).await;
    cut(&host, client, &ids.sid).await;
    let mut client = Client::open_with(host.address, "&n=second", "").await;
    let auth = serde_json::json!({"pid": ids.pid, "offset": offset});
    client.send(&format!("40{auth}")).await;
    check_recovered(&mut client, &ids).await;
    check(&mut client, serde_json::json!(["hello", "second", true])).await;
}

#[tokio::test]
async fn a_client_gets_id_rooms_data_and_missed_events_back_in_order() {
    struct Name(&'static str);
    let stage = recovering();
    stage
        .io
        .of("/")
        .on_connect(async |socket: Socket| {
            if !socket.recovered() {
                socket.join(["a", "b"]);
                socket.insert_data(Name("first"));
            }
            let name = socket.data::<Name>().map(|name| name.0);
            socket
                .emit("hello", &(socket.recovered(), name))
                .map_err(Refusal::from)
        })
        .on("rooms", async |socket: Socket| {
            let rooms = socket.rooms();
            rooms
                .iter()
                .map(|room| room.to_string())
                .collect::<Vec<_>>()
        });
    let host = stage.listen().await;
    let (mut client, ids) = join(&host).await;
    assert!(ids.pid.len() >= 20 && ids.pid != ids.sid);
    check(&mut client, serde_json::json!(["hello", false, "first"])).await;
    let (mut witness, _) = join(&host).await;
    check(&mut witness, serde_json::json!(["hello", false, "first"])).await;
    host.io.to("a").emit("before", &1).unwrap();
    let offset = check(&mut client, serde_json::json!(["before", 1])).await;
    cut(&host, client, &ids.sid).await;

    let io = &host.io;
    io.emit("all", &()).unwrap();
    io.to(["a", "b"]).emit("room", &("x", 2)).unwrap();
    io.to("elsewhere").emit("not for you", &()).unwrap();
    io.to("a").except("b").emit("not for you", &()).unwrap();
    io.except(&*ids.sid).emit("not for you", &()).unwrap();
    io.to("a").volatile().emit("volatile", &()).unwrap();
    let asked = io.to("a").emit_with_ack::<()>("asked", &());
    io.to(&*ids.sid)
        .emit("direct", &Binary::from(&b"\x01"[..]))
        .unwrap();
    drop(asked);

    let mut client = come_back(&host, &ids.pid, &offset).await;
    check(&mut client, serde_json::json!(["all"])).await;
    check(&mut client, serde_json::json!(["room", "x", 2])).await;
    let packet = client.text().await;
    assert!(packet.starts_with("451-"), "{packet}");
    let placeholder = serde_json::json!({"_placeholder": true, "num": 0});
    assert_eq!(event(&packet).0, [Json::from("direct"), placeholder]);
    client.check_binary(&[1]).await;
    check_recovered(&mut client, &ids).await;
    check(&mut client, serde_json::json!(["hello", true, "first"])).await;
    client
        .ask(
            r#"421["rooms"]"#,
            &format!(r#"431[["{}","a","b"]]"#, ids.sid),
        )
        .await;
    // The others got everything as it was sent, offsets included.
    check(&mut witness, serde_json::json!(["before", 1])).await;
    let (all, first) = event(&witness.text().await);
    assert_eq!(all, ["all"]);
    let (_, second) = event(&witness.text().await);
    assert_ne!(first, second);
    assert_eq!(first.parse::<Offset>().unwrap().to_string(), first);
}

#[tokio::test]
async fn without_recovery_there_is_neither_private_id_nor_offset() {
    let host = Stage::new().listen().await;
    let mut client = come_back(&host, "pid", "offset").await;
    let confirmation = client.text().await;
    assert!(!confirmation.contains("pid"), "{confirmation}");
    host.io.emit("news", &1).unwrap();
    client.check(r#"42["news",1]"#).await;
    assert!(!host.io.of("/").all().sockets()[0].recovered());
}

#[tokio::test]
async fn volatile_events_and_questions_have_no_offset() {
    let stage = recovering();
    stage.io.of("/").on("all", async |socket: Socket| {
        socket.volatile().emit("a", &1)?;
        drop(socket.emit_with_ack::<()>("b", &2));
        socket.emit("c", &3)?;
        Ok::<_, Refusal>(())
    });
    let host = stage.listen().await;
    let (mut client, _) = join(&host).await;
    client.ask(r#"42["all"]"#, r#"42["a",1]"#).await;
    client.check(r#"420["b",2]"#).await;
    check(&mut client, serde_json::json!(["c", 3])).await;
    host.io.of("/").all().volatile().emit("d", &4).unwrap();
    client.check(r#"42["d",4]"#).await;
    drop(host.io.of("/").all().emit_with_ack::<()>("e", &5));
    client.check(r#"421["e",5]"#).await;
}

#[tokio::test]
async fn a_session_is_given_back_once() {
    let host = recovering().listen().await;
    let (mut client, ids) = join(&host).await;
    host.io.emit("news", &1).unwrap();
    let offset = check(&mut client, serde_json::json!(["news", 1])).await;
    for _ in 0..3 {
        cut(&host, client, &ids.sid).await;
        client = come_back(&host, &ids.pid, &offset).await;
        check_recovered(&mut client, &ids).await;
    }
    client.send("41").await;
    until(|| host.io.of("/").is_empty()).await;
    let mut client = come_back(&host, &ids.pid, &offset).await;
    check_new(&mut client, &ids).await;
}

#[tokio::test]
async fn a_client_that_comes_back_pushes_out_its_old_connection() {
    let stage = recovering();
    stage
        .io
        .of("/")
        .on_connect(async |socket: Socket| socket.join("room"))
        .on_disconnect(async |State(log): State<Log>, reason: DisconnectReason| {
            log.say(reason.as_str());
        });
    stage.io.of("/other").on_disconnect(
        async |State(log): State<Log>, reason: DisconnectReason| {
            log.say(format!("other: {reason}"));
        },
    );
    let host = stage.listen().await;
    let (mut old, ids) = join(&host).await;
    old.send("40/other,").await;
    let other = Ids::read(&old.text().await);
    host.io.of("/other").emit("news", &0).unwrap();
    let other_offset = check(&mut old, serde_json::json!(["news", 0])).await;
    host.io.emit("news", &1).unwrap();
    let offset = check(&mut old, serde_json::json!(["news", 1])).await;
    // Sent and not received.
    host.io.to("room").emit("news", &2).unwrap();
    let mut new = come_back(&host, &ids.pid, &offset).await;
    check(&mut new, serde_json::json!(["news", 2])).await;
    check_recovered(&mut new, &ids).await;
    host.check_heard("forced close").await;
    check(&mut old, serde_json::json!(["news", 2])).await;
    old.check_end().await;
    assert_eq!(host.io.of("/").len(), 1);
    host.io.to("room").emit("news", &3).unwrap();
    check(&mut new, serde_json::json!(["news", 3])).await;
    // The rest of the old connection is saved by its end.
    host.check_heard("other: forced close").await;
    let claim = format!(
        r#"40/other,{{"pid":"{}","offset":"{other_offset}"}}"#,
        other.pid
    );
    new.send(&claim).await;
    check_recovered(&mut new, &other).await;
}

#[tokio::test]
async fn what_is_unknown_gives_a_new_session() {
    let stage = recovering();
    stage.io.of("/other");
    let host = stage.listen().await;
    host.io.of("/other").emit("nobody hears it", &()).unwrap();
    for n in 0..8 {
        let (mut client, ids) = join(&host).await;
        let mut other = host.client().await;
        other.send("40/other,").await;
        other.text().await;
        host.io.of("/other").emit("news", &0).unwrap();
        let other_offset = event(&other.text().await).1;
        host.io.emit("news", &1).unwrap();
        let offset = check(&mut client, serde_json::json!(["news", 1])).await;
        cut(&host, client, &ids.sid).await;
        let log = &offset[..8];
        let pid = &ids.pid;
        let claim = match n {
            0 => format!(r#"{{"pid":"unknown","offset":"{offset}"}}"#),
            1 => format!(r#"{{"pid":"{pid}","offset":"unknown"}}"#),
            2 => format!(r#"{{"pid":"{pid}","offset":"{other_offset}"}}"#),
            3 => format!(r#"{{"pid":"{pid}","offset":"{log}zz"}}"#),
            4 => format!(r#"{{"pid":"{pid}"}}"#),
            5 => format!(r#"{{"offset":"{offset}"}}"#),
            6 => format!(r#"{{"pid":1,"offset":["{offset}"]}}"#),
            _ => format!(r#"{{"pid":"{}","offset":"{offset}"}}"#, ids.sid),
        };
        let mut client = host.client().await;
        client.send(&format!("40{claim}")).await;
        let new = check_new(&mut client, &ids).await;
        cut(&host, client, &new.sid).await;
    }
}

#[tokio::test]
async fn who_left_on_purpose_or_was_made_to_leave_does_not_come_back() {
    let stage = recovering();
    stage
        .io
        .of("/")
        .on("leave", async |socket: Socket| socket.disconnect())
        .on("close", async |socket: Socket| socket.disconnect_all());
    let host = stage.listen().await;
    for (packet, comes_back) in [
        ("41", false),
        (r#"42["leave"]"#, false),
        (r#"42["close"]"#, false),
        // A packet that is none closes the connection, and that is all.
        ("4garbage", true),
        // So is what is no packet of Engine.IO, in the original's view not worth a session.
        ("garbage", false),
    ] {
        let (mut client, ids) = join(&host).await;
        host.io.emit("news", &1).unwrap();
        let offset = check(&mut client, serde_json::json!(["news", 1])).await;
        client.send(packet).await;
        until(|| host.io.of("/").is_empty()).await;
        let mut client = come_back(&host, &ids.pid, &offset).await;
        if comes_back {
            check_recovered(&mut client, &ids).await;
        } else {
            check_new(&mut client, &ids).await;
        }
        client.send("41").await;
        until(|| host.io.of("/").is_empty()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_is_kept_for_a_while() {
    for (away, comes_back) in [(119, true), (121, false)] {
        let config = RecoveryConfig::default();
        let time = Duration::from_secs(5);
        let stage = Stage::with(|builder| builder.recovery(config).ping_timeout(time));
        stage
            .io
            .of("/")
            .on_connect(async |socket: Socket| socket.emit("hello", &()).map_err(Refusal::from))
            .on_disconnect(async |State(log): State<Log>, reason: DisconnectReason| {
                log.say(reason.as_str());
            });
        let mut client = stage.polling().await;
        client.send("40").await;
        let ids = Ids::read(&client.packet().await);
        let offset = event(&client.packet().await).1;
        // A long time without an event is no obstacle.
        for _ in 0..20 {
            assert_eq!(client.poll().await, "2");
            client.send("3").await;
        }
        assert_eq!(client.poll().await, "2");
        stage.check_heard("ping timeout").await;
        tokio::time::sleep(Duration::from_secs(away)).await;
        let mut client = stage.polling().await;
        client
            .send(&format!(r#"40{{"pid":"{}","offset":"{offset}"}}"#, ids.pid))
            .await;
        let new = Ids::read(&client.packet().await);
        assert_eq!(new == ids, comes_back, "after {away} s");
    }
}

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
async fn what_is_emitted_around_the_leaving_is_either_refused_or_recovered() {
    let stage = Stage::with(|builder| {
        builder
            .recovery(RecoveryConfig::default())
            .state(Shelf::<EmitError>::default())
    });
    stage
        .io
        .of("/")
        .on_connect(async |socket: Socket| {
            socket.join("room");
            socket.emit("hello", &()).map_err(Refusal::from)
        })
        .on_disconnecting(
            async |socket: Socket, State(shelf): State<Shelf<EmitError>>| {
                if let Err(error) = socket.emit("refused", &()) {
                    shelf.put(error);
                }
                let io = socket.io();
                io.to("room").emit("recovered", &1)?;
                io.to(socket.id())
                    .emit("recovered", &2)
                    .map(drop)
                    .map_err(Refusal::from)
            },
        )
        .on_disconnect(
            async |socket: Socket,
                   State(shelf): State<Shelf<EmitError>>,
                   State(log): State<Log>| {
                let error = socket.emit("refused", &()).unwrap_err();
                assert_eq!(shelf.take(), Some(error.clone()));
                assert_eq!(error, EmitError::Disconnected);
                socket.insert_data("kept in the last moment");
                log.say("left");
                socket
                    .io()
                    .to("room")
                    .emit("recovered", &3)
                    .map(drop)
                    .map_err(Refusal::from)
            },
        );
    let host = stage.listen().await;
    let (mut client, ids) = join(&host).await;
    let offset = check(&mut client, serde_json::json!(["hello"])).await;
    drop(client);
    host.check_heard("left").await;
    let mut client = come_back(&host, &ids.pid, &offset).await;
    for n in 1..=3 {
        check(&mut client, serde_json::json!(["recovered", n])).await;
    }
    check_recovered(&mut client, &ids).await;
    let socket = host.io.of("/").socket(&ids.sid).unwrap();
    assert_eq!(
        socket.data::<&str>().as_deref(),
        Some(&"kept in the last moment")
    );
    host.check_no_error().await;
}

#[tokio::test]
async fn a_room_that_a_middleware_took_away_is_not_caught_up_with() {
    let stage = stage(RecoveryConfig::default().skip_middlewares(false));
    stage
        .io
        .of("/")
        .middleware(async |socket: Socket| {
            if socket.recovered() {
                socket.leave("secret");
                socket.join("new");
            }
            Ok::<_, Refusal>(())
        })
        .on_connect(async |socket: Socket| {
            if !socket.recovered() {
                socket.join(["secret", "open"]);
            }
            socket.emit("hello", &()).map_err(Refusal::from)
        });
    let host = stage.listen().await;
    let (mut client, ids) = join(&host).await;
    let offset = check(&mut client, serde_json::json!(["hello"])).await;
    cut(&host, client, &ids.sid).await;
    for room in ["secret", "new", "open"] {
        host.io.to(room).emit("news", room).unwrap();
    }
    let mut client = come_back(&host, &ids.pid, &offset).await;
    check(&mut client, serde_json::json!(["news", "open"])).await;
    check_recovered(&mut client, &ids).await;
    let rooms = host.io.of("/").socket(&ids.sid).unwrap().rooms();
    assert_eq!(rooms[1..], ["open", "new"].map(Room::from));
}

#[tokio::test]
async fn old_clients_see_offsets_only_in_what_others_get_too() {
    let stage = Stage::with(|builder| builder.recovery(RecoveryConfig::default()).allow_eio3(true));
    stage
        .io
        .of("/")
        .on_connect(async |socket: Socket| socket.emit("hello", &1).map_err(Refusal::from));
    let host = stage.listen().await;
    let mut old = Client::open_with(host.address, "&EIO=3", "").await;
    old.check("40").await;
    old.check(r#"42["hello",1]"#).await;
    host.io.emit("news", &2).unwrap();
    check(&mut old, serde_json::json!(["news", 2])).await;
}

/// Breaks its connection again and again, in the middle of a stream of events, and counts.
async fn follow(host: &Host, kept_open: bool) {
    let (mut client, ids) = join(host).await;
    let mut offset = String::new();
    let mut next = None;
    let mut old = Vec::new();
    for round in 0..30 {
        let mut confirmed = round == 0;
        for _ in 0..round % 7 + 3 {
            let packet = client.text().await;
            if packet.starts_with("40") {
                assert_eq!(Ids::read(&packet), ids);
                confirmed = true;
                continue;
            }
            let (args, at) = event(&packet);
            let n = args[1].as_u64().unwrap();
            assert_eq!(n, next.unwrap_or(n), "in round {round}");
            next = Some(n + 1);
            offset = at;
        }
        assert!(round % 7 == 0 || confirmed || next.is_some());
        if kept_open {
            old.push(client);
        } else {
            drop(client);
        }
        client = come_back(host, &ids.pid, &offset).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_doubled_or_out_of_order_in_a_stream_of_events() {
    for skip in [true, false] {
        let stage = stage(RecoveryConfig::default().skip_middlewares(skip));
        stage
            .io
            .of("/")
            .middleware(async || {
                tokio::task::yield_now().await;
                Ok::<_, Refusal>(())
            })
            .on_connect(async |socket: Socket| socket.join("room"));
        let host = Arc::new(stage.listen().await);
        let over = Arc::new(AtomicBool::new(false));
        let emitter = std::thread::spawn({
            let (io, over) = (host.io.clone(), over.clone());
            move || {
                let mut n = 0_u64;
                while !over.load(Ordering::Relaxed) {
                    // Everybody is in one of the two, and nobody gets it twice.
                    io.to("room").emit("n", &n).unwrap();
                    n += 1;
                    std::thread::sleep(Duration::from_micros(200));
                }
            }
        });
        let mut tasks = Vec::new();
        for n in 0..8 {
            let host = host.clone();
            tasks.push(tokio::spawn(async move { follow(&host, n % 2 == 0).await }));
        }
        for task in tasks {
            soon(task).await.unwrap();
        }
        over.store(true, Ordering::Relaxed);
        emitter.join().unwrap();
        host.check_no_error().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_threads_that_emit_keep_everybody_in_the_order_of_offsets() {
    let host = Arc::new(recovering().listen().await);
    let (mut client, ids) = join(&host).await;
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let (io, sid) = (host.io.clone(), ids.sid.clone());
            std::thread::spawn(move || {
                let socket = io.of("/").socket(&sid).unwrap();
                for n in 0..250 {
                    if thread % 2 == 0 {
                        io.emit("n", &n).unwrap();
                    } else {
                        socket.emit("n", &n).unwrap();
                    }
                }
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    let mut previous = 0;
    for _ in 0..1000 {
        let offset = event(&client.text().await).1;
        let number = number_of(&offset);
        assert!(number > previous, "{number} after {previous}");
        previous = number;
    }
}

/// The number in an offset.
fn number_of(offset: &str) -> u64 {
    const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digits = offset[8..].chars();
    digits.fold(0, |number, digit| {
        number * 64 + DIGITS.find(digit).unwrap() as u64
    })
}

#[tokio::test]
async fn of_two_who_claim_a_session_at_once_the_last_one_has_it() {
    let host = recovering().listen().await;
    let (mut client, ids) = join(&host).await;
    host.io.emit("news", &()).unwrap();
    let offset = check(&mut client, serde_json::json!(["news"])).await;
    for _ in 0..20 {
        let claims = (
            come_back(&host, &ids.pid, &offset),
            come_back(&host, &ids.pid, &offset),
        );
        let (mut a, mut b) = tokio::join!(claims.0, claims.1);
        let (first, second) = tokio::join!(a.frame(), b.frame());
        // The other one was pushed out, before or after it was told.
        let confirmed = [&first, &second]
            .iter()
            .filter(|frame| matches!(frame, Frame::Text(text) if text.contains(&ids.pid)))
            .count();
        assert!(confirmed >= 1, "{first:?} {second:?}");
        until(|| host.io.connections() == 1).await;
        assert_eq!(host.io.of("/").len(), 1);
        assert!(host.io.of("/").socket(&ids.sid).is_some());
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn an_authorization_ends_for_those_who_are_away_and_for_those_who_came_back() {
    let stage = recovering();
    stage
        .io
        .of("/")
        .middleware(async || Ok::<_, Refusal>(Grant::lasting(MINUTE)))
        .on_connect(async |socket: Socket| socket.emit("hello", &()).map_err(Refusal::from));
    for (away, comes_back) in [(MINUTE / 2, true), (MINUTE, false)] {
        let mut client = stage.polling().await;
        client.send("40").await;
        let ids = Ids::read(&client.packet().await);
        let offset = event(&client.packet().await).1;
        client.send("1").await;
        until(|| stage.io.of("/").is_empty()).await;
        stage.io.emit("secret", &()).unwrap();
        tokio::time::advance(away).await;
        let mut client = stage.polling().await;
        client
            .send(&format!(r#"40{{"pid":"{}","offset":"{offset}"}}"#, ids.pid))
            .await;
        if comes_back {
            assert_eq!(event(&client.packet().await).0, ["secret"]);
            assert_eq!(Ids::read(&client.packet().await), ids);
            let socket = stage.io.of("/").socket(&ids.sid).unwrap();
            assert!(socket.grant().remaining().unwrap() <= MINUTE / 2);
            tokio::time::advance(MINUTE / 2).await;
            until(|| stage.io.of("/").is_empty()).await;
        } else {
            assert_ne!(Ids::read(&client.packet().await), ids);
        }
    }
}

/// A store that outlives the server, and takes its time.
#[derive(Default)]
struct Archive {
    sessions: Mutex<HashMap<String, StoredSession>>,
    events: Mutex<Vec<Arc<LoggedEvent>>>,
    fails: AtomicBool,
    panics: AtomicBool,
    saved: AtomicU64,
}

impl Archive {
    async fn work(&self) -> Result<(), socket_io::StoreError> {
        for _ in 0..5 {
            tokio::task::yield_now().await;
        }
        assert!(!self.panics.load(Ordering::Relaxed), "the archive burns");
        if self.fails.load(Ordering::Relaxed) {
            return Err("the archive is closed".into());
        }
        Ok(())
    }
}

#[derive(Debug, PartialEq)]
struct Account(String);

impl SessionStore for Archive {
    fn save(&self, session: StoredSession, _: Duration) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            self.work().await?;
            // As a store would that writes to a disk.
            let mut read = StoredSession::new(
                &session.namespace,
                &session.pid,
                &session.sid,
                session.joined.to_string().parse()?,
                session.sent.to_string().parse()?,
                session.left.to_string().parse()?,
            );
            read.rooms.clone_from(&session.rooms);
            if let Some(account) = session.data::<Account>() {
                read.insert_data(Account(account.0.clone()));
            }
            let mut sessions = self.sessions.lock().unwrap();
            sessions.insert(session.pid.to_string(), read);
            self.saved.fetch_add(1, Ordering::Relaxed);
            Ok(())
        })
    }

    fn take<'a>(
        &'a self,
        namespace: &'a str,
        pid: &'a str,
    ) -> StoreFuture<'a, Option<StoredSession>> {
        Box::pin(async move {
            self.work().await?;
            let session = self.sessions.lock().unwrap().remove(pid);
            Ok(session.filter(|session| session.namespace == *namespace))
        })
    }

    fn append(&self, event: &Arc<LoggedEvent>) {
        assert!(!self.panics.load(Ordering::Relaxed), "the archive burns");
        let stored = LoggedEvent::new(
            event.namespace(),
            event.offset(),
            event.target().clone(),
            &event.messages(),
        );
        self.events.lock().unwrap().extend(stored.map(Arc::new));
    }

    fn events<'a>(
        &'a self,
        namespace: &'a str,
        after: Offset,
    ) -> StoreFuture<'a, Option<Vec<Arc<LoggedEvent>>>> {
        Box::pin(async move {
            self.work().await?;
            let events = self.events.lock().unwrap();
            let mut events = events
                .iter()
                .filter(|event| event.namespace() == namespace)
                .cloned();
            Ok(events
                .find(|event| event.offset() == after)
                .map(|_| events.collect()))
        })
    }
}

fn with_archive(archive: &Arc<Archive>) -> Stage {
    let stage = stage(RecoveryConfig::default().store(archive.clone()));
    stage
        .io
        .of("/")
        .on_connect(async |socket: Socket| {
            if !socket.recovered() {
                socket.join("room");
                socket.insert_data(Account("of mine".into()));
            }
            let account = socket.data::<Account>();
            socket
                .emit("hello", &account.map(|account| account.0.clone()))
                .map_err(Refusal::from)
        })
        .on("data", async |Data(()): Data<()>| ());
    stage
}

#[tokio::test]
async fn a_store_of_ones_own_brings_sessions_and_events_across_a_restart() {
    let archive = Arc::new(Archive::default());
    let host = with_archive(&archive).listen().await;
    let (mut client, ids) = join(&host).await;
    check(&mut client, serde_json::json!(["hello", "of mine"])).await;
    host.io.to("room").emit("news", &1).unwrap();
    let offset = check(&mut client, serde_json::json!(["news", 1])).await;
    cut(&host, client, &ids.sid).await;
    host.io.to("room").emit("news", &2).unwrap();
    host.io.to("elsewhere").emit("not for you", &()).unwrap();
    let mut client = come_back(&host, &ids.pid, &offset).await;
    check(&mut client, serde_json::json!(["news", 2])).await;
    check_recovered(&mut client, &ids).await;
    let offset = check(&mut client, serde_json::json!(["hello", "of mine"])).await;
    // This one is under way when the server goes.
    host.io
        .to("room")
        .emit("news", &Binary::from(&b"\x03"[..]))
        .unwrap();
    host.io.close();
    until(|| archive.saved.load(Ordering::Relaxed) == 2).await;

    for round in 0..3 {
        let host = with_archive(&archive).listen().await;
        host.io.to("room").emit("news", &round).unwrap();
        let mut client = come_back(&host, &ids.pid, &offset).await;
        let (args, _) = event(&client.text().await);
        assert_eq!(args[0], "news");
        client.check_binary(&[3]).await;
        // From the second round on there are three logs.
        for earlier in 0..=round {
            check(&mut client, serde_json::json!(["news", earlier])).await;
            if earlier < round {
                check(&mut client, serde_json::json!(["hello", "of mine"])).await;
            }
        }
        check_recovered(&mut client, &ids).await;
        assert_eq!(host.io.of("/").socket(&ids.sid).unwrap().rooms().len(), 2);
        check(&mut client, serde_json::json!(["hello", "of mine"])).await;
        host.io.close();
        until(|| archive.saved.load(Ordering::Relaxed) == 3 + round).await;
    }
}

#[tokio::test]
async fn a_store_that_fails_or_panics_means_new_sessions() {
    for panics in [false, true] {
        let archive = Arc::new(Archive::default());
        let host = with_archive(&archive).listen().await;
        let flag = if panics {
            &archive.panics
        } else {
            &archive.fails
        };
        let (mut client, mut ids) = join(&host).await;
        for is_broken in [true, false] {
            let offset = check(&mut client, serde_json::json!(["hello", "of mine"])).await;
            flag.store(is_broken, Ordering::Relaxed);
            cut(&host, client, &ids.sid).await;
            client = come_back(&host, &ids.pid, &offset).await;
            if is_broken {
                ids = check_new(&mut client, &ids).await;
            } else {
                check_recovered(&mut client, &ids).await;
            }
        }
    }
}

/// Text like that of JSON, from a parser that has something to say itself.
struct Chatty(Shelf<SocketIo>);

impl CustomParser for Chatty {
    fn encode(&self, packet: &PacketValue) -> Vec<Message> {
        if let Some(io) = self.0.take() {
            io.emit("meanwhile", &()).unwrap();
        }
        let payload = packet
            .data
            .as_ref()
            .map(|data| serde_json::to_string(data).unwrap());
        let text = format!("{}{}", packet.kind.number(), payload.unwrap_or_default());
        vec![text.as_str().into()]
    }

    fn decoder(&self) -> Box<dyn PacketDecoder> {
        Box::new(Connects)
    }
}

struct Connects;

impl PacketDecoder for Connects {
    fn handle(&mut self, message: Message) -> Result<Option<PacketValue>, DecodeError> {
        let Message::Text(text) = message else {
            return Err(DecodeError::InvalidType);
        };
        Ok(Some(PacketValue {
            kind: PacketKind::Connect,
            namespace: "/".into(),
            id: None,
            data: serde_json::from_str(&text[1..]).ok(),
        }))
    }
}

#[tokio::test]
async fn a_parser_of_ones_own_is_asked_without_a_lock() {
    let chatty = Arc::new(Chatty(Shelf::default()));
    struct Shared(Arc<Chatty>);
    impl CustomParser for Shared {
        fn encode(&self, packet: &PacketValue) -> Vec<Message> {
            self.0.encode(packet)
        }
        fn decoder(&self) -> Box<dyn PacketDecoder> {
            self.0.decoder()
        }
    }
    let parser = Parser::custom(Shared(chatty.clone()));
    let config = RecoveryConfig::default();
    let stage = Stage::with(|builder| builder.recovery(config).parser(parser));
    let host = stage.listen().await;
    let (mut client, ids) = join(&host).await;
    chatty.0.put(host.io.clone());
    host.io.emit("news", &1).unwrap();
    check(&mut client, serde_json::json!(["meanwhile"])).await;
    let offset = check(&mut client, serde_json::json!(["news", 1])).await;
    assert_eq!(number_of(&offset), 2);
    cut(&host, client, &ids.sid).await;
    host.io.emit("news", &2).unwrap();
    let mut client = come_back(&host, &ids.pid, &offset).await;
    check(&mut client, serde_json::json!(["news", 2])).await;
    check_recovered(&mut client, &ids).await;
}

#[tokio::test]
async fn handlers_for_outgoing_events_run_without_a_lock_and_see_no_offset() {
    let stage = recovering();
    stage.io.of("/").on_any_outgoing(
        async |socket: Socket,
               EventName(name): EventName,
               args: RawArgs,
               State(log): State<Log>| {
            let args: Args<Value> = args.parse()?;
            log.say(format!("{name} {}", args.0.len()));
            if &*name != "echo" {
                socket.emit("echo", &*name)?;
                socket.namespace().to("nobody").emit("echo", &())?;
            }
            Ok::<_, Refusal>(())
        },
    );
    let host = stage.listen().await;
    let (mut client, ids) = join(&host).await;
    host.io.emit("all", &(1, 2)).unwrap();
    host.io
        .of("/")
        .socket(&ids.sid)
        .unwrap()
        .emit("one", &())
        .unwrap();
    for heard in ["all 2", "echo 1", "one 0", "echo 1"] {
        host.check_heard(heard).await;
    }
    for expected in [
        serde_json::json!(["all", 1, 2]),
        serde_json::json!(["echo", "all"]),
        serde_json::json!(["one"]),
        serde_json::json!(["echo", "one"]),
    ] {
        check(&mut client, expected).await;
    }
    host.check_silence().await;
    host.check_no_error().await;
}

#[tokio::test]
async fn events_of_which_only_the_newest_is_wanted_are_not_recovered() {
    let host = recovering().listen().await;
    let (mut client, ids) = join(&host).await;
    host.io.emit("news", &1).unwrap();
    let offset = check(&mut client, serde_json::json!(["news", 1])).await;
    let socket = host.io.of("/").socket(&ids.sid).unwrap();
    socket.latest("key").emit("position", &1).unwrap();
    client.check(r#"42["position",1]"#).await;
    cut(&host, client, &ids.sid).await;
    let all = host.io.of("/").all();
    all.clone().latest("key").emit("position", &2).unwrap();
    all.emit("news", &2).unwrap();
    let mut client = come_back(&host, &ids.pid, &offset).await;
    check(&mut client, serde_json::json!(["news", 2])).await;
    check_recovered(&mut client, &ids).await;
}

#[tokio::test]
async fn what_found_no_room_in_the_outbox_is_recovered_unless_it_was_to_be_dropped() {
    let config = RecoveryConfig::default();
    let stage = Stage::with(|builder| builder.recovery(config).outbox_limit(1000));
    stage
        .io
        .of("/")
        .on_connect(async |socket: Socket| socket.emit("hello", &()).map_err(Refusal::from));
    let mut client = stage.polling().await;
    client.send("40").await;
    let ids = Ids::read(&client.packet().await);
    let offset = event(&client.packet().await).1;
    let socket = stage.io.of("/").socket(&ids.sid).unwrap();
    let text = "x".repeat(800);
    socket.emit("first", &text).unwrap();
    let rejected = socket.emit("rejected", &text).unwrap_err();
    assert!(matches!(rejected, EmitError::Full { .. }), "{rejected:?}");
    let dropping = socket.clone().overflow(OverflowPolicy::DropNewest);
    assert_eq!(dropping.emit("dropped", &text), Ok(Outcome::Dropped));
    let delivery = stage.io.emit("second", &text).unwrap();
    assert_eq!((delivery.sent, delivery.overflowed), (0, 1));
    until(|| stage.io.of("/").is_empty()).await;
    assert_eq!(stage.io.stats().overflowed, 1);

    let mut client = stage.polling().await;
    let claim = format!(r#"40{{"pid":"{}","offset":"{offset}"}}"#, ids.pid);
    client.send(&claim).await;
    for name in ["first", "second"] {
        assert_eq!(event(&client.packet().await).0[0], name);
    }
    assert_eq!(Ids::read(&client.packet().await), ids);
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
