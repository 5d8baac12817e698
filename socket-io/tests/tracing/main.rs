//! What the server tells `tracing`: what the documentation says, and no session id.
//!
//! A program of its own with a single test: who listens is remembered for all threads, so that tests beside this one would get in its way.

mod recorder;
#[allow(dead_code, unused_imports)] // one test needs little of it
#[path = "../it/support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket_io::limit::ConnectLimit;
use socket_io::{
    Data, Parser, RecoveryConfig, RemoteSocket, SessionStore, SocketIo, SocketIoBuilder,
    StoreFuture, StoredSession, Value,
};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use recorder::Recorder;
use support::{Client, OneWay, Polling, respond, until};

const DOCUMENTATION: &str = include_str!("../../../docs/OBSERVABILITY.md");
/// What only a system out of resources brings about, or a race.
const RARE: [&str; 7] = [
    "accept_failed",
    "id_generation_failed",
    "websocket_lost",
    "websocket_refused",
    // With a listener that encrypts, and with one on a Unix socket whose folder is made read-only.
    "tls_failed",
    // With a load balancer.
    "proxy_protocol_failed",
    "socket_not_removed",
];

/// Target, name, level and fields of each documented event.
fn documented() -> BTreeSet<[String; 4]> {
    let rows = DOCUMENTATION
        .lines()
        .filter(|line| line.starts_with("| `engine_io`") || line.starts_with("| `socket_io`"));
    rows.map(|row| {
        let cells: Vec<_> = row
            .split(" | ")
            .map(|cell| cell.replace(['`', '|'], ""))
            .collect();
        [0, 1, 2, 3].map(|index| cells[index].trim().to_owned())
    })
    .collect()
}

/// A server without an error hook that listens.
async fn host(options: impl FnOnce(SocketIoBuilder) -> SocketIoBuilder) -> (SocketIo, SocketAddr) {
    let io = options(SocketIo::builder()).build();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = io.clone();
    tokio::spawn(async move { server.serve(listener).await });
    (io, address)
}

async fn get(io: &SocketIo, target: &str) {
    let request = http::Request::get(target).body(String::new().into());
    respond(io, request.unwrap()).await;
}

#[tokio::test]
async fn every_event_is_documented_and_none_has_a_session_id() {
    let (recorder, _guard) = Recorder::listen();
    traffic_makes_no_events(&recorder).await;
    let (io, address) = host(|builder| {
        builder
            .allow_eio3(true)
            .outbox_limit(1000)
            .max_payload(2000)
            .serve_client("/nowhere")
            // Of which clients within the process have no address.
            .connect_limit(ConnectLimit::default())
            // JSON has no such keys.
            .remote_data(|_| BTreeMap::from([((1, 2), 3)]))
            .on_refusal(|_, _| panic!("on purpose"))
    })
    .await;
    io.on_new_namespace(|_| panic!("on\npurpose"));
    io.of("/new");
    io.of("/")
        .on("fail", async || -> u8 { panic!("on\npurpose") })
        .on("number", async |Data(number): Data<u8>| number);

    get(&io, "/socket.io/?EIO=4").await;
    get(&io, "/socket.io/socket.io.js").await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"this is no HTTP\r\n\r\n").await.unwrap();

    let mut client = Client::open(address).await;
    let id = client.join("/").await;
    let socket = io.of("/").socket(&id).unwrap();
    assert_eq!(RemoteSocket::from(socket).details().data, Value::Null);
    client
        .ask(r#"420["fail"]"#, r#"430[{"message":"internal error"}]"#)
        .await;
    client.send(r#"421["number","x"]"#).await;
    assert!(
        client
            .text()
            .await
            .starts_with(r#"431[{"message":"unexpected arguments"#)
    );
    client
        .ask("40/x,", r#"44/x,{"message":"Invalid namespace"}"#)
        .await;
    client.send("42{").await;
    client.check_end().await;

    let mut old = Client::open_with(address, "&EIO=3", "").await;
    old.check("40").await;
    old.ask(r#"420["fail"]"#, r#"430[{"message":"internal error"}]"#)
        .await;

    let mut loud = Client::open(address).await;
    loud.send(&"4".repeat(2001)).await;
    loud.check_end().await;

    let mut slow = Polling::open(&io).await;
    let slow_id = slow.join().await;
    let slow_sid = slow.sid.clone();
    for overflowed in [0, 1] {
        let delivery = io.to(&slow_id).emit("x", &"x".repeat(800)).unwrap();
        assert_eq!(delivery.overflowed, overflowed);
    }

    let upgrading = Polling::open(&io).await;
    let query = format!("&sid={}", upgrading.sid);
    let mut candidate = Client::connect(address, &query, "").await;
    candidate.send("4no probe").await;
    candidate.check_end().await;
    let mut candidate = Client::connect(address, &query, "").await;
    candidate.ask("2probe", "3probe").await;
    candidate.send("5").await;

    let (one_way, address) = host(|builder| builder.parser(Parser::custom(OneWay))).await;
    one_way.of("/").on_any_outgoing(async || ());
    let mut obscure = Client::open(address).await;
    obscure.ask("4join", "4Connect").await;
    one_way.emit("x", &()).unwrap();

    let burnt = RecoveryConfig::default().store(Arc::new(Burnt));
    let (_, address) = host(|builder| builder.recovery(burnt)).await;
    let mut lost = Client::open(address).await;
    lost.send("40").await;
    let ids = lost.text().await;
    let pid = ids.split('"').nth(7).unwrap().to_owned();
    let lost_sid = lost.sid.clone();
    drop(lost);
    let mut back = Client::open(address).await;
    back.send(&format!(r#"40{{"pid":"{pid}","offset":"x"}}"#))
        .await;
    assert!(!back.text().await.contains(&pid));

    let (drained, hasty) = host(|builder| builder.connect_timeout(Duration::from_millis(1))).await;
    let mut idle = Client::open(hasty).await;
    idle.check_end().await;
    drained.drain(Duration::ZERO).await;

    let documented = documented();
    let expected: BTreeSet<_> = documented
        .iter()
        .filter(|[_, name, ..]| !RARE.contains(&name.as_str()))
        .collect();
    let seen = || -> BTreeSet<_> {
        let lines = recorder.lines().into_iter();
        let events = lines.filter(|line| line.name != "handler");
        events
            .map(|line| {
                let fields: Vec<_> = line.fields.iter().map(|(name, _)| *name).collect();
                [
                    line.target.to_owned(),
                    line.name.to_owned(),
                    line.level.to_string(),
                    fields.join(" "),
                ]
            })
            .collect()
    };
    until(|| seen().len() >= expected.len()).await;
    assert_eq!(seen().iter().collect::<BTreeSet<_>>(), expected);

    let secrets = [
        client.sid,
        old.sid.clone(),
        loud.sid,
        slow_sid,
        upgrading.sid,
        idle.sid,
        lost_sid,
        pid,
        back.sid,
    ];
    for line in recorder.lines() {
        for (name, value) in &line.fields {
            assert!(secrets.iter().all(|sid| !value.contains(sid)), "{line:?}");
            assert!(!value.contains('\n'), "{name} of {line:?}");
        }
    }

    let failed = recorder.named("handler_failed");
    let told: Vec<_> = failed
        .iter()
        .map(|line| {
            (
                line.level,
                line.field("socket").unwrap(),
                line.field("reason").unwrap(),
            )
        })
        .collect();
    let panicked = "handler panicked: on\\npurpose";
    assert_eq!(told[0], (tracing::Level::ERROR, &*id, panicked));
    assert_eq!((told[1].0, told[1].1), (tracing::Level::WARN, &*id));
    assert_eq!(
        told[2],
        (tracing::Level::ERROR, "", panicked),
        "ids of old clients are secret"
    );
    let spans = recorder.named("handler");
    assert_eq!(spans.len(), 3, "one for each event");
    assert_eq!(
        (spans[0].field("event"), spans[0].field("socket")),
        (Some("fail"), Some(&*id))
    );
    // What belongs together has one number.
    let number = failed[0].field("connection");
    let numbered = |name| {
        recorder.named(name)[0]
            .field("connection")
            .map(str::to_owned)
    };
    for name in [
        "connected",
        "namespace_refused",
        "violation",
        "disconnected",
    ] {
        assert_eq!(numbered(name).as_deref(), number, "{name}");
    }
    assert_eq!(
        recorder.named("websocket_violation")[0].field("code"),
        Some("1009")
    );
}

/// Keeps nothing, and says so.
struct Burnt;

impl SessionStore for Burnt {
    fn save(&self, _: StoredSession, _: Duration) -> StoreFuture<'_, ()> {
        Box::pin(ready(Err("the archive has burnt".into())))
    }

    fn take<'a>(&'a self, _: &'a str, _: &'a str) -> StoreFuture<'a, Option<StoredSession>> {
        Box::pin(ready(Err("the archive has burnt".into())))
    }
}

async fn traffic_makes_no_events(recorder: &Recorder) {
    let (io, address) = host(|builder| builder).await;
    io.of("/").on("echo", async |Data(text): Data<String>| {
        tokio::task::yield_now().await;
        text
    });
    let mut client = Client::open(address).await;
    client.join("/").await;
    let events = || -> Vec<_> {
        let lines = recorder.lines().into_iter();
        let names = lines.map(|line| line.name);
        names.filter(|name| *name != "handler").collect()
    };
    let before = ["connection_opened", "connected"];
    assert_eq!(events(), before);
    for _ in 0..100 {
        client.ask(r#"421["echo","a"]"#, r#"431["a"]"#).await;
        io.emit("news", &1).unwrap();
        client.check(r#"42["news",1]"#).await;
    }
    assert_eq!(events(), before);
    assert_eq!(recorder.named("handler").len(), 100);
    drop(client);
    until(|| recorder.named("disconnected").len() == 1 && io.connections() == 0).await;
    recorder.forget();
}
