//! Handlers: when they are called, what they may do, and what happens when they do not behave.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use socket_io::{Data as PeerData, Socket as Peer, SocketIo};
use socket_io_client::{
    Args, ConnectError, Data, DisconnectReason, EmitError, EventName, Failure, HandlerError,
    RawArgs, Refusal, Socket, State, Value,
};
use tokio::sync::Semaphore;

use crate::support::{Host, Log, log, nowhere, soon, until};

/// `send` emits what the arguments say: a list of names, each an event with its position.
fn sender(io: &SocketIo) {
    io.of("/")
        .on(
            "send",
            async |peer: Peer, PeerData(names): PeerData<Vec<String>>| {
                for (n, name) in names.iter().enumerate() {
                    peer.emit(name, &n)?;
                }
                Ok::<_, Refusal>("sent")
            },
        )
        .on("ask", async |peer: Peer, args: RawArgs| {
            let answer: Args<Value> = peer.emit_with_ack("question", &args).await?;
            Ok::<_, Refusal>(answer)
        })
        .on("echo", async |args: RawArgs| args)
        .on("leave", async |peer: Peer| peer.disconnect());
}

fn say(
    log: &Log,
    what: &'static str,
) -> impl Fn(EventName, Data<u32>) -> std::future::Ready<()> + use<> {
    let log = log.clone();
    move |EventName(name), Data(n)| {
        log.say(format!("{what} {name} {n}"));
        std::future::ready(())
    }
}

#[tokio::test]
async fn handlers_are_called_in_order_and_can_be_taken_away() {
    let host = Host::start(sender).await;
    let (log, mut heard) = log();
    let socket = host
        .manager()
        .socket()
        .on("a", say(&log, "first"))
        .on_any(say(&log, "any"));
    let socket = soon(socket.connect()).await.expect("it joins");
    let second = socket.on("a", say(&log, "second"));
    socket.once("a", say(&log, "once"));
    socket.emit("send", &[["a", "b", "a"]]).expect("it is sent");
    heard
        .check(&[
            "any a 0",
            "first a 0",
            "second a 0",
            "once a 0",
            "any b 1",
            "any a 2",
            "first a 2",
            "second a 2",
        ])
        .await;
    assert!(socket.off(second));
    assert!(!socket.off(second));
    socket.emit("send", &[["a"]]).expect("it is sent");
    heard.check(&["any a 0", "first a 0"]).await;
    socket.off_all("a");
    socket.emit("send", &[["a", "c"]]).expect("it is sent");
    heard.check(&["any a 0", "any c 1"]).await;
    heard.check_silence();
}

#[tokio::test]
async fn a_handler_that_waits_goes_on_beside_the_others() {
    let host = Host::start(sender).await;
    let (log, mut heard) = log();
    let gate = Arc::new(Semaphore::new(0));
    let builder = host
        .manager()
        .state(gate.clone())
        .state(log.clone())
        .socket()
        .on(
            "slow",
            async |State(gate): State<Arc<Semaphore>>, State(log): State<Log>| {
                log.say("begins");
                gate.acquire().await.expect("it is never closed").forget();
                log.say("ends");
            },
        );
    let socket = soon(builder.on("quick", say(&log, "handler")).connect())
        .await
        .expect("it joins");
    socket
        .emit("send", &[["slow", "quick"]])
        .expect("it is sent");
    heard.check(&["begins", "handler quick 1"]).await;
    gate.add_permits(1);
    heard.check(&["ends"]).await;
}

#[tokio::test]
async fn no_more_handlers_run_than_allowed() {
    let host = Host::start(sender).await;
    for limit in [1, 2, 3, 4] {
        let (log, mut heard) = log();
        let gate = Arc::new(Semaphore::new(0));
        let manager = host
            .manager()
            .max_handlers(limit)
            .state(gate.clone())
            .state(log);
        let socket = manager.socket().on(
            "slow",
            async |State(gate): State<Arc<Semaphore>>, State(log): State<Log>| {
                log.say("begins");
                gate.acquire().await.expect("it is never closed").forget();
                log.say("ends");
            },
        );
        let socket = soon(socket.connect()).await.expect("it joins");
        let sent = socket.emit_with_ack::<String>("send", &[["slow"; 3]]);
        assert_eq!(soon(sent).await.as_deref(), Ok("sent"));
        heard.check(&["begins"; 3][..limit.min(3)]).await;
        // All of them are here, and whoever may run has its turn.
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
        heard.check_silence();
        for _ in limit..3 {
            gate.add_permits(1);
            heard.check(&["ends", "begins"]).await;
        }
        gate.add_permits(limit.min(3));
        heard.check(&["ends"; 3][..limit.min(3)]).await;
    }
}

/// On a runtime of several threads a handler may even block one.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_handler_that_blocks_its_thread_delays_neither_acknowledgements_nor_heartbeats() {
    let host = Host::with(
        |builder| {
            builder
                .ping_interval(Duration::from_millis(50))
                .ping_timeout(Duration::from_secs(20))
        },
        |io| {
            sender(io);
            io.of("/other").on("echo", async |args: RawArgs| args);
        },
    )
    .await;
    let manager = host.manager().build().expect("the url is right");
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    let blocked = std::sync::Mutex::new(blocked);
    let (log, mut heard) = log();
    let socket = manager.socket("/").on("block", move || {
        log.say("blocks");
        let blocked = blocked.lock().expect("no panic");
        let _ = blocked.recv_timeout(Duration::from_secs(20));
        log.say("goes on");
        async {}
    });
    let socket = soon(socket.connect()).await.expect("it joins");
    let id = socket.id();
    let other = soon(manager.socket("/other").connect())
        .await
        .expect("it joins");
    socket.emit("send", &[["block"]]).expect("it is sent");
    heard.check(&["blocks"]).await;
    assert_eq!(soon(socket.emit_with_ack("echo", &1)).await, Ok(1));
    assert_eq!(soon(other.emit_with_ack("echo", &2)).await, Ok(2));
    // Several heartbeats pass: what arrives beside the questions are answers to pings, without which there are no further pings.
    let peer = host
        .io
        .of("/")
        .socket(id.as_deref().expect("it has joined"));
    let peer = peer.expect("it has joined");
    let before = peer.counters().packets_in;
    until(|| peer.counters().packets_in >= before + 10).await;
    assert_eq!(soon(socket.emit_with_ack("echo", &3)).await, Ok(3));
    heard.check_silence();
    release.send(()).expect("it waits");
    heard.check(&["goes on"]).await;
    assert_eq!(socket.id(), id);
}

#[tokio::test]
async fn a_handler_may_wait_for_an_acknowledgement() {
    let host = Host::start(sender).await;
    let socket =
        host.manager()
            .socket()
            .on("question", async |socket: Socket, Data(n): Data<u32>| {
                let back: u32 = socket.emit_with_ack("echo", &(n + 1)).await?;
                Ok::<_, Refusal>(back * 2)
            });
    let socket = soon(socket.connect()).await.expect("it joins");
    assert_eq!(soon(socket.emit_with_ack("ask", &20)).await, Ok(42));
}

#[tokio::test]
async fn what_goes_wrong_in_a_handler_is_told() {
    let host = Host::start(sender).await;
    let (report, mut reported) = tokio::sync::mpsc::unbounded_channel();
    let manager = host.manager().on_error(move |error: &HandlerError| {
        let _ = report.send(error.clone());
        panic!("the hook is no better");
    });
    let socket = soon(manager.socket().connect()).await.expect("it joins");
    let mut known = HashMap::new();
    for kind in ["panics", "panics later", "fails", "arguments", "missing"] {
        let id = match kind {
            "panics" => socket.on("question", || -> std::future::Ready<()> {
                panic!("at once")
            }),
            "panics later" => socket.on("question", async || -> u8 {
                tokio::task::yield_now().await;
                panic!("later");
            }),
            "fails" => socket.on("question", async || Err::<(), _>(Refusal::new("no"))),
            "arguments" => socket.on("question", async |_: Data<HashMap<String, u8>>| {}),
            _ => socket.on("question", async |_: State<String>| {}),
        };
        let answer: Value = soon(socket.emit_with_ack("ask", &1))
            .await
            .expect("it is answered");
        let told = answer
            .get("message")
            .and_then(Value::as_str)
            .map(str::to_owned);
        let error = soon(reported.recv()).await.expect("it is reported");
        assert_eq!((&*error.namespace, &*error.event), ("/", "question"));
        known.insert(kind, (told.unwrap_or_default(), error.failure));
        assert!(socket.off(id));
    }
    let internal = |failure| ("internal error".to_owned(), failure);
    assert_eq!(
        known["panics"],
        internal(Failure::Panicked("at once".into()))
    );
    assert_eq!(
        known["panics later"],
        internal(Failure::Panicked("later".into()))
    );
    assert_eq!(
        known["fails"],
        ("no".to_owned(), Failure::Returned(Refusal::new("no")))
    );
    assert!(matches!(&known["arguments"].1, Failure::Args(_)));
    assert!(matches!(&known["missing"].1, Failure::Missing(what) if what.contains("String")));
    assert!(socket.is_connected());
}

#[tokio::test]
async fn a_reply_to_a_server_that_is_gone_is_reported() {
    let host = Host::start(sender).await;
    let (report, mut reported) = tokio::sync::mpsc::unbounded_channel();
    let gate = Arc::new(Semaphore::new(0));
    let manager = host
        .manager()
        .state(gate.clone())
        .on_error(move |error: &HandlerError| {
            let _ = report.send(error.clone());
        });
    let socket = manager
        .socket()
        .on("question", async |State(gate): State<Arc<Semaphore>>| {
            gate.acquire().await.expect("it is never closed").forget();
            "late"
        });
    let socket = soon(socket.connect()).await.expect("it joins");
    let asked = socket.next::<Value>("question");
    socket.emit("ask", &()).expect("it is sent");
    soon(asked).await.expect("it is asked");
    socket.disconnect();
    gate.add_permits(1);
    let error = soon(reported.recv()).await.expect("it is reported");
    assert_eq!(error.failure, Failure::Reply(EmitError::Disconnected));
}

#[tokio::test]
async fn joining_and_leaving_have_handlers_as_well() {
    let host = Host::start(sender).await;
    let (log, mut heard) = log();
    let address = nowhere().await;
    let set_up = |builder: socket_io_client::SocketBuilder| {
        let [a, b, c] = [(); 3].map(|()| log.clone());
        builder
            .on_connect(move |socket: Socket| {
                a.say(format!("connected {}", socket.is_connected()));
                async {}
            })
            .on_disconnect(move |reason: DisconnectReason| {
                b.say(reason.as_str());
                async {}
            })
            .on_connect_error(move |error: ConnectError| {
                c.say(error.to_string());
                async {}
            })
    };
    let failed = set_up(crate::support::manager(address).socket())
        .build()
        .expect("it is right");
    assert!(soon(failed.connect()).await.is_err());
    heard.check(&["no connection to the server"]).await;
    let socket = soon(set_up(host.manager().socket()).connect())
        .await
        .expect("it joins");
    heard.check(&["connected true"]).await;
    socket.emit("leave", &()).expect("it is sent");
    heard.check(&["io server disconnect"]).await;
    assert!(!socket.is_active());
    soon(socket.connect()).await.expect("it joins again");
    heard.check(&["connected true"]).await;
    socket.disconnect();
    heard.check(&["io client disconnect"]).await;
    heard.check_silence();
}

#[tokio::test]
async fn what_waits_for_handlers_is_limited_and_the_server_is_slowed_down() {
    let host = Host::start(|io| {
        io.of("/").on("flood", async |peer: Peer| {
            let text = "x".repeat(10_000);
            // Until the server's own outbox is full, because nobody reads.
            let mut sent = 0_u32;
            while peer.emit("n", &(sent, &text)).is_ok() && sent < 5000 {
                sent += 1;
                tokio::task::yield_now().await;
            }
            sent
        });
    })
    .await;
    let gate = Arc::new(Semaphore::new(0));
    let manager = host
        .manager()
        .inbox_limit(100_000)
        .max_handlers(1)
        .state(gate.clone());
    let (sender, mut received) = tokio::sync::mpsc::unbounded_channel();
    let socket = manager.socket().on(
        "n",
        move |State(gate): State<Arc<Semaphore>>, Data((n, _)): Data<(u32, String)>| {
            let sender = sender.clone();
            async move {
                let _passed = gate.acquire().await.expect("it is never closed");
                let _ = sender.send(n);
            }
        },
    );
    let socket = soon(socket.connect()).await.expect("it joins");
    let sent = socket.emit_with_ack::<u32>("flood", &());
    let id = socket.id().expect("it has joined");
    let peer = host.io.of("/").socket(&id).expect("it has joined");
    // What the client does not read stays at the server.
    until(|| peer.buffered() > 1_000_000).await;
    gate.add_permits(1);
    let sent = soon(sent).await.expect("it is answered");
    for n in 0..sent {
        assert_eq!(soon(received.recv()).await, Some(n));
    }
    assert!(socket.is_connected());
}
