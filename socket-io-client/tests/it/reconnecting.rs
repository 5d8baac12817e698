//! Lost connections, and what comes of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use socket_io::{Data as PeerData, RecoveryConfig, Socket as Peer};
use socket_io_client::{ManagerEvents, ManagerState, RawArgs, Reconnect, SocketEvent, Transport};

use crate::pulling::describe;
use crate::support::{Host, Line, nowhere, quickly, soon, until};

async fn seen(events: &mut ManagerEvents, count: usize) -> Vec<String> {
    let mut seen = Vec::new();
    while seen.len() < count {
        seen.push(describe(soon(events.recv()).await));
    }
    seen
}

#[tokio::test]
async fn a_lost_connection_comes_back_with_all_its_sockets() {
    let host = Host::start(|io| {
        io.of("/").on("echo", async |args: RawArgs| args);
        io.of("/foo");
    })
    .await;
    let line = Line::to(host.address).await;
    let manager = line.manager().build().expect("the url is right");
    let socket = soon(manager.socket("/").connect()).await.expect("it joins");
    let foo = soon(manager.socket("/foo").connect())
        .await
        .expect("it joins");
    let ids = [socket.id(), foo.id()];
    let mut events = manager.all_events();
    line.cut();
    let lost = seen(&mut events, 3).await;
    assert_eq!(
        lost,
        [
            "/ disconnect:transport close",
            "/foo disconnect:transport close",
            "close:transport close"
        ]
    );
    assert!(socket.is_active() && !socket.is_connected() && socket.id().is_none());
    let buffered = socket.emit_with_ack::<u8>("echo", &1);
    let back = seen(&mut events, 5).await;
    assert_eq!(
        back,
        [
            "reconnect_attempt:1",
            "open",
            "reconnect:1",
            "/ connect",
            "/foo connect"
        ]
    );
    assert_eq!(soon(buffered).await, Ok(1));
    assert!(![socket.id(), foo.id()].iter().any(|id| ids.contains(id)));
}

#[tokio::test]
async fn attempts_fail_in_the_order_of_the_official_client() {
    let address = nowhere().await;
    let manager = crate::support::manager(address)
        .reconnect(quickly().attempts(2))
        .build();
    let manager = manager.expect("the url is right");
    let mut events = manager.all_events();
    let socket = manager
        .socket("/")
        .connect_lazy()
        .expect("nothing is wrong");
    let first = ["/ connect_error", "error"];
    let second = [
        "reconnect_attempt:1",
        "/ connect_error",
        "error",
        "reconnect_error",
    ];
    let last = [
        "reconnect_attempt:2",
        "/ connect_error",
        "error",
        "reconnect_failed",
        "reconnect_error",
    ];
    let expected = [&first[..], &second, &last].concat();
    assert_eq!(seen(&mut events, expected.len()).await, expected);
    assert_eq!(manager.state(), ManagerState::Closed);
    // Asked for again, it begins anew.
    assert!(socket.is_active());
    let host = Host::at(address, |builder| builder, |io| drop(io.of("/"))).await;
    soon(socket.connect()).await.expect("it joins");
    assert_eq!(seen(&mut events, 2).await, ["open", "/ connect"]);
    drop(host);
}

#[tokio::test]
async fn what_is_ended_on_purpose_does_not_come_back() {
    let host = Host::start(|io| {
        io.of("/").on("leave", async |peer: Peer| peer.disconnect());
    })
    .await;
    let manager = host.manager().build().expect("the url is right");
    let socket = soon(manager.socket("/").connect()).await.expect("it joins");
    let mut events = manager.all_events();
    socket.emit("leave", &()).expect("it is sent");
    let kicked = ["close:forced close", "/ disconnect:io server disconnect"];
    assert_eq!(seen(&mut events, 2).await, kicked);
    assert_eq!(manager.state(), ManagerState::Closed);
    soon(socket.connect()).await.expect("it joins");
    assert_eq!(seen(&mut events, 2).await, ["open", "/ connect"]);
    soon(manager.close()).await;
    let closed = ["/ disconnect:forced close", "close:forced close"];
    assert_eq!(seen(&mut events, 2).await, closed);
    assert!(!socket.is_active());
    until(|| host.io.connections() == 0).await;
}

#[tokio::test]
async fn reconnecting_can_be_switched_off_during_a_wait_and_asked_for_by_hand() {
    let host = Host::start(|io| drop(io.of("/"))).await;
    let line = Line::to(host.address).await;
    let forever = Reconnect::default()
        .delay(Duration::from_secs(3600))
        .delay_max(Duration::from_secs(3600));
    let manager = line
        .manager()
        .reconnect(forever)
        .build()
        .expect("the url is right");
    let socket = soon(manager.socket("/").connect()).await.expect("it joins");
    line.cut();
    until(|| manager.state() == ManagerState::Waiting).await;
    manager.set_reconnect(manager.reconnect().enabled(false));
    assert_eq!(manager.state(), ManagerState::Closed);
    soon(socket.connect()).await.expect("it joins");
    assert!(socket.is_connected());
}

#[tokio::test]
async fn a_server_that_restarts_is_found_again_over_each_transport() {
    let choices: [&[Transport]; 3] = [
        &[Transport::Polling],
        &[Transport::WebSocket],
        &[Transport::Polling, Transport::WebSocket],
    ];
    for transports in choices {
        let set_up = |io: &socket_io::SocketIo| {
            io.of("/").on("echo", async |args: RawArgs| args);
        };
        let host = Host::start(set_up).await;
        let address = host.address;
        let manager = host
            .manager()
            .engine(|engine| engine.transports(transports.iter().copied()));
        let socket = soon(manager.socket().connect()).await.expect("it joins");
        assert_eq!(soon(socket.emit_with_ack("echo", &1)).await, Ok(1));
        host.stop().await;
        until(|| !socket.is_connected()).await;
        let answer = socket.emit_with_ack::<u8>("echo", &2);
        let host = Host::at(address, |builder| builder, set_up).await;
        assert_eq!(soon(answer).await, Ok(2));
        drop((socket, host));
    }
}

#[tokio::test]
async fn closing_the_engine_is_like_losing_it() {
    let host = Host::start(|io| drop(io.of("/"))).await;
    let manager = host.manager().build().expect("the url is right");
    let socket = soon(manager.socket("/").connect()).await.expect("it joins");
    let mut events = manager.all_events();
    manager.engine().expect("it is open").abort();
    let expected = [
        "/ disconnect:forced close",
        "close:forced close",
        "reconnect_attempt:1",
        "open",
        "reconnect:1",
        "/ connect",
    ];
    assert_eq!(seen(&mut events, expected.len()).await, expected);
    drop(socket);
}

#[tokio::test]
async fn a_recovered_connection_has_its_id_and_misses_nothing() {
    let host = Host::with(
        |builder| builder.recovery(RecoveryConfig::default()),
        |io| {
            io.of("/")
                .on("send", async |peer: Peer, PeerData(n): PeerData<u32>| {
                    peer.emit("news", &n).map_err(socket_io::Refusal::from)
                });
        },
    )
    .await;
    let line = Line::to(host.address).await;
    // Long enough to miss something.
    let reconnect = quickly()
        .delay(Duration::from_millis(1000))
        .delay_max(Duration::from_millis(1000));
    let manager = line
        .manager()
        .reconnect(reconnect)
        .build()
        .expect("the url is right");
    let socket = manager.socket("/").build().expect("nothing is wrong");
    let mut events = socket.events();
    soon(socket.connect()).await.expect("it joins");
    let id = socket.id();
    assert!(!socket.recovered());
    socket.emit("send", &1).expect("it is sent");
    assert!(matches!(
        soon(events.recv()).await,
        Some(SocketEvent::Connect { .. })
    ));
    let Some(SocketEvent::Event(news)) = soon(events.recv()).await else {
        panic!("there is news");
    };
    assert_eq!(news.data::<u32>(), Ok(1));
    assert!(news.offset.is_some());
    line.cut();
    until(|| host.io.of("/").is_empty()).await;
    host.io.of("/").emit("news", &2).expect("it is sent");
    let mut seen = Vec::new();
    while seen.len() < 3 {
        seen.push(match soon(events.recv()).await {
            Some(SocketEvent::Disconnect(reason)) => reason.to_string(),
            Some(SocketEvent::Connect { recovered, .. }) => format!("recovered {recovered}"),
            Some(SocketEvent::Event(news)) => format!("{:?}", news.data::<u32>()),
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(seen, ["transport close", "Ok(2)", "recovered true"]);
    assert!(socket.recovered());
    assert_eq!(socket.id(), id);
}

#[tokio::test]
async fn what_is_emitted_after_the_machine_slept_waits_for_the_next_connection() {
    let host = Host::start(|io| {
        io.of("/").on("echo", async |args: RawArgs| args);
    })
    .await;
    let asleep = Arc::new(AtomicU64::new(0));
    let clock = asleep.clone();
    let manager = host.manager().engine(|engine| {
        engine.wall_clock(move || {
            SystemTime::now() + Duration::from_secs(clock.load(Ordering::Relaxed))
        })
    });
    let manager = manager.build().expect("the url is right");
    let socket = soon(manager.socket("/").connect()).await.expect("it joins");
    let mut events = manager.all_events();
    asleep.store(3600, Ordering::Relaxed);
    let answer = socket.emit_with_ack::<u8>("echo", &1);
    assert!(socket.buffered() > 0);
    assert_eq!(seen(&mut events, 1).await, ["/ disconnect:ping timeout"]);
    assert_eq!(soon(answer).await, Ok(1));
}

#[tokio::test]
async fn what_is_no_socket_io_ends_the_connection_and_it_is_made_again() {
    let host = Host::start(|io| {
        io.of("/").on("many", async |peer: Peer| {
            // More attachments than clients take by default.
            let many = vec![socket_io::Binary::from(vec![1]); 11];
            peer.emit("many", &socket_io::Args(many))
                .map_err(socket_io::Refusal::from)
        });
    });
    let host = host.await;
    let manager = host
        .manager()
        .max_attachments(5)
        .build()
        .expect("the url is right");
    let socket = soon(manager.socket("/").connect()).await.expect("it joins");
    let mut events = manager.all_events();
    let one = vec![1_u8];
    let sent: Vec<_> = (0..6)
        .map(|_| socket_io_client::Binary::from(one.clone()))
        .collect();
    assert!(socket.emit("many", &socket_io_client::Args(sent)).is_err());
    host.io
        .of("/")
        .emit(
            "many",
            &socket_io::Args(vec![socket_io::Binary::from(vec![1]); 6]),
        )
        .expect("the server may");
    let expected = [
        "/ disconnect:parse error",
        "close:parse error",
        "reconnect_attempt:1",
    ];
    assert_eq!(seen(&mut events, 3).await, expected);
    until(|| socket.is_connected()).await;
}
