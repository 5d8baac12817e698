//! Connection state recovery: who gets a session back, and who does not.

mod events;
mod families;
mod limits;
mod middlewares;
mod order;
mod store;

use std::time::Duration;

use serde_json::Value as Json;
use socket_io::{
    Auth, Binary, DisconnectReason, Grant, Handshake, Offset, RecoveryConfig, Refusal, Socket,
    State, Value,
};

use crate::support::{Client, Frame, Host, Log, Stage, until};

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
