//! What remains when nobody is interested any more: nothing.

use std::sync::Arc;
use std::task::{Context, Waker};

use socket_io::{Data as PeerData, DisconnectReason, RawArgs, Socket as Peer};
use socket_io_client::{ManagerState, Socket, Transport};
use tokio::runtime::{Builder, Runtime};

use crate::support::{Host, Line, log, nowhere, soon, until};

fn client_runtime() -> Runtime {
    let builder = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    builder.expect("there are threads")
}

/// Waits until no task of the client is left.
async fn idle(runtime: &Runtime) {
    until(|| runtime.metrics().num_alive_tasks() == 0).await;
}

#[tokio::test]
async fn dropping_the_last_handle_sends_everything_and_leaves() {
    for transport in [Transport::Polling, Transport::WebSocket] {
        let (log, mut heard) = log();
        let host = Host::start(|io| {
            let other = log.clone();
            io.of("/")
                .on("last", move |PeerData(text): PeerData<String>| {
                    log.say(text);
                    async {}
                })
                .on_disconnect(move |_: Peer, reason: DisconnectReason| {
                    other.say(reason.as_str());
                    async {}
                });
        })
        .await;
        let runtime = client_runtime();
        let builder = host
            .manager()
            .engine(|engine| engine.transports([transport]))
            .socket();
        let socket = runtime.spawn(builder.connect());
        let socket = soon(socket).await.expect("no panic").expect("it joins");
        let manager = socket.manager().clone();
        socket.emit("last", "words").expect("it is sent");
        let copy = socket.clone();
        drop(socket);
        assert!(copy.is_connected());
        drop(copy);
        heard.check(&["words", "client namespace disconnect"]).await;
        until(|| host.io.connections() == 0).await;
        assert_eq!(manager.state(), ManagerState::Closed);
        idle(&runtime).await;
        runtime.shutdown_background();
    }
}

#[tokio::test]
async fn a_client_that_reconnects_ends_with_its_handles_too() {
    let address = nowhere().await;
    let runtime = client_runtime();
    let entered = runtime.enter();
    let socket = crate::support::manager(address).socket().connect_lazy();
    drop(entered);
    let socket = socket.expect("nothing is wrong");
    until(|| runtime.metrics().num_alive_tasks() == 1).await;
    drop(socket);
    idle(&runtime).await;

    // The same while a connection is being made that nobody answers.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("there is a port");
    let address = listener.local_addr().expect("it is bound");
    let entered = runtime.enter();
    let socket = crate::support::manager(address).socket().connect_lazy();
    drop(entered);
    let socket = socket.expect("nothing is wrong");
    soon(listener.accept()).await.expect("it connects");
    drop(socket);
    idle(&runtime).await;
    runtime.shutdown_background();
}

#[tokio::test]
async fn a_handler_keeps_no_socket_alive_unless_it_holds_one() {
    let host = Host::start(|io| drop(io.of("/"))).await;
    let witness = Arc::new(());
    let held = witness.clone();
    let socket = host.manager().socket().on("x", move |_: Socket| {
        let _held = &held;
        async {}
    });
    let socket = soon(socket.connect()).await.expect("it joins");
    let mut stream = socket.stream::<u8>("x");
    drop(socket);
    assert_eq!(Arc::strong_count(&witness), 2);
    // The stream was the last one to be interested.
    let mut waiting = Box::pin(stream.recv());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(waiting.as_mut().poll(&mut cx).is_pending());
    drop(waiting);
    drop(stream);
    assert_eq!(Arc::strong_count(&witness), 1);
    until(|| host.io.connections() == 0).await;
}

#[tokio::test]
async fn an_opened_manager_ends_with_its_last_handle() {
    let host = Host::start(|io| drop(io.of("/"))).await;
    let manager = host.manager().build().expect("the url is right");
    soon(manager.open()).await.expect("it opens");
    soon(manager.open()).await.expect("it is open");
    assert_eq!(
        (manager.state(), host.io.connections()),
        (ManagerState::Open, 1)
    );
    drop(manager);
    until(|| host.io.connections() == 0).await;
}

#[tokio::test]
async fn disconnecting_while_connecting_ends_the_wait() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("there is a port");
    let address = listener.local_addr().expect("it is bound");
    let socket = crate::support::manager(address)
        .socket()
        .build()
        .expect("nothing is wrong");
    let waiting = tokio::spawn({
        let socket = socket.clone();
        async move { socket.connect().await }
    });
    soon(listener.accept()).await.expect("it connects");
    socket.disconnect();
    let result = soon(waiting).await.expect("no panic");
    assert!(
        matches!(result, Err(socket_io_client::ConnectError::Disconnected)),
        "{result:?}"
    );
}

#[tokio::test]
async fn leaving_and_joining_at_once_ends_up_joined() {
    let host = Host::start(|io| {
        io.of("/").on("echo", async |args: RawArgs| args);
    })
    .await;
    let line = Line::to(host.address).await;
    let socket = soon(line.manager().socket().connect())
        .await
        .expect("it joins");
    for n in 0..20_u32 {
        socket.disconnect();
        socket.connect_lazy();
        if n % 3 == 0 {
            line.cut();
        }
        soon(socket.connect()).await.ok();
        socket.connect_lazy();
        assert_eq!(soon(socket.emit_with_ack("echo", &n)).await.unwrap_or(n), n);
    }
    until(|| socket.is_connected()).await;
    drop(socket);
    until(|| host.io.connections() == 0).await;
}

#[tokio::test]
async fn a_runtime_that_ends_leaves_nobody_waiting() {
    let host = Host::start(|io| {
        io.of("/").on("silence", async || {});
    })
    .await;
    let runtime = client_runtime();
    let socket = runtime.spawn(host.manager().socket().connect());
    let socket = soon(socket).await.expect("no panic").expect("it joins");
    let answer = socket.emit_with_ack::<()>("silence", &());
    runtime.shutdown_background();
    let answer = soon(answer).await;
    assert_eq!(answer, Err(socket_io_client::AckError::Disconnected));
}
