//! Which events are recovered, and who is told of them when.

use std::sync::Arc;

use socket_io::protocol::{CustomParser, DecodeError, PacketDecoder, PacketKind, PacketValue};
use socket_io::{
    Args, EmitError, EventName, Message, Outcome, OverflowPolicy, Parser, RawArgs, RecoveryConfig,
    Refusal, Room, Socket, SocketIo, State, Value,
};

use super::{
    Ids, check, check_recovered, come_back, cut, event, join, number_of, recovering, stage,
};
use crate::support::{Client, Log, Shelf, Stage, until};

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
