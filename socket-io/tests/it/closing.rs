//! The end: of a socket, of a connection, of the server.

use std::time::Duration;

use socket_io::{DisconnectReason, EmitError, Socket, SocketIo, SocketIoBuilder, State};
use tokio::net::TcpListener;

use crate::support::{Client, Gate, Log, Stage, soon, until};

/// A server that tells why sockets of `/` leave.
fn telling() -> Stage {
    telling_with(|builder| builder)
}

fn telling_with(options: impl FnOnce(SocketIoBuilder) -> SocketIoBuilder) -> Stage {
    let stage = Stage::with(options);
    stage
        .io
        .of("/")
        .on_connect(async |State(log): State<Log>| log.say("connected"))
        .on("leave", async |socket: Socket| socket.disconnect())
        .on("close", async |socket: Socket| socket.disconnect_all())
        .on_disconnecting(
            async |socket: Socket, reason: DisconnectReason, State(log): State<Log>| {
                log.say(format!("disconnecting {reason} {}", socket.rooms().len()));
            },
        )
        .on_disconnect(
            async |socket: Socket, reason: DisconnectReason, State(log): State<Log>| {
                log.say(format!("disconnect {reason} {}", socket.is_connected()));
            },
        );
    stage.io.of("/other");
    stage
}

async fn check_left(stage: &Stage, reason: &str) {
    stage
        .check_heard(&format!("disconnecting {reason} 1"))
        .await;
    stage
        .check_heard(&format!("disconnect {reason} false"))
        .await;
    stage.check_silence().await;
}

#[tokio::test]
async fn a_client_that_leaves_the_namespace_keeps_its_connection() {
    let host = telling().listen().await;
    let (mut client, _) = host.member().await;
    host.check_heard("connected").await;
    client.send("41").await;
    check_left(&host, "client namespace disconnect").await;
    client.join("/other").await;
    client.join("/").await;
}

#[tokio::test]
async fn a_socket_can_be_made_to_leave_the_namespace() {
    let host = telling().listen().await;
    let (mut client, id) = host.member().await;
    let socket = host.io.of("/").socket(&id).unwrap();
    host.check_heard("connected").await;
    client.ask(r#"42["leave"]"#, "41").await;
    check_left(&host, "server namespace disconnect").await;
    assert_eq!(socket.emit("x", &()), Err(EmitError::Disconnected));
    assert_eq!(
        socket.volatile().emit("x", &()),
        Err(EmitError::Disconnected)
    );
    // Again, which does nothing.
    socket.disconnect();
    client.join("/other").await;
}

#[tokio::test]
async fn a_connection_can_be_closed_with_all_its_namespaces() {
    let host = telling().listen().await;
    let (mut client, _) = host.member().await;
    host.check_heard("connected").await;
    client.join("/other").await;
    client.send(r#"42["close"]"#).await;
    client.check("41").await;
    client.check("41/other,").await;
    client.check_end().await;
    check_left(&host, "server namespace disconnect").await;
    until(|| host.io.connections() == 0).await;
}

#[tokio::test]
async fn what_was_emitted_before_still_arrives() {
    let stage = Stage::new();
    stage.io.of("/").on("go", async |socket: Socket| {
        for n in 0..100 {
            socket.emit("n", &n)?;
        }
        socket.disconnect_all();
        Ok::<_, socket_io::Refusal>(())
    });
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    client.send(r#"42["go"]"#).await;
    for n in 0..100 {
        client.check(&format!(r#"42["n",{n}]"#)).await;
    }
    client.check("41").await;
    client.check_end().await;
}

#[tokio::test]
async fn a_connection_that_is_lost_or_closed_is_a_transport_close() {
    let host = telling().listen().await;
    let (client, _) = host.member().await;
    host.check_heard("connected").await;
    drop::<Client>(client);
    check_left(&host, "transport close").await;
    let mut polling = host.polling().await;
    polling.join().await;
    host.check_heard("connected").await;
    polling.send("1").await;
    check_left(&host, "transport close").await;
}

#[tokio::test]
async fn a_client_that_falls_silent_is_a_ping_timeout() {
    let quick = Duration::from_millis(300);
    let host = telling_with(|builder| builder.ping_interval(quick).ping_timeout(quick));
    let host = host.listen().await;
    // It answers no ping, since nobody reads.
    let (_client, _) = host.member().await;
    host.check_heard("connected").await;
    check_left(&host, "ping timeout").await;
}

#[tokio::test]
async fn garbage_is_a_parse_error_and_a_broken_rule_a_forced_close() {
    let host = telling().listen().await;
    let (mut client, _) = host.member().await;
    host.check_heard("connected").await;
    client.send("garbage").await;
    client.rest().await;
    check_left(&host, "parse error").await;
    let (mut client, _) = host.member().await;
    host.check_heard("connected").await;
    client.send("4garbage").await;
    client.rest().await;
    check_left(&host, "forced close").await;
}

#[tokio::test]
async fn closing_the_server_tells_the_sockets_and_sends_no_disconnect() {
    let host = telling().listen().await;
    let (mut client, _) = host.member().await;
    host.check_heard("connected").await;
    host.io.close();
    check_left(&host, "server shutting down").await;
    client.check_end().await;
    soon(host.io.closed()).await;
    until(|| host.io.connections() == 0).await;
    // Once is enough.
    host.io.close();
    assert!(host.io.of("/").is_empty());
}

#[tokio::test]
async fn serving_ends_when_the_server_is_closed() {
    let io = SocketIo::builder().build();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn({
        let io = io.clone();
        async move { io.serve(listener).await }
    });
    let mut client = Client::open(address).await;
    client.join("/").await;
    io.close();
    client.check_end().await;
    soon(serving).await.unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_server_that_nobody_holds_ends_with_its_last_connection() {
    struct Told(Log);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.say("server dropped");
        }
    }
    let (log, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let io = SocketIo::builder().state(Told(Log::new(log))).build();
    io.of("/").on_connect(async |socket: Socket| {
        socket.join("room");
        socket.insert_data(1);
    });
    let mut polling = crate::support::Polling::open(&io).await;
    polling.join().await;
    drop(io);
    assert!(heard.try_recv().is_err());
    polling.send("1").await;
    drop(polling);
    assert_eq!(soon(heard.recv()).await.as_deref(), Some("server dropped"));
}

#[tokio::test]
async fn handlers_of_the_end_run_in_the_runtime_whoever_calls() {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .on_disconnect(async |State(log): State<Log>, State(gate): State<Gate>| {
            tokio::time::sleep(Duration::from_millis(1)).await;
            gate.pass().await;
            tokio::spawn(async {}).await.unwrap();
            log.say("disconnected");
        });
    let host = stage.listen().await;
    host.open_gate(2);
    let (_a, id) = host.member().await;
    let (_b, _) = host.member().await;
    let socket = host.io.of("/").socket(&id).unwrap();
    let io = host.io.clone();
    std::thread::spawn(move || {
        socket.disconnect();
        io.of("/").all().disconnect_all();
    })
    .join()
    .unwrap();
    host.check_heard("disconnected").await;
    host.check_heard("disconnected").await;
    host.check_no_error().await;
}

#[test]
fn a_runtime_that_ends_takes_its_connections_along() {
    let stage = telling();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let (host, client) = runtime.block_on(async {
        let host = stage.listen().await;
        let (client, _) = host.member().await;
        host.check_heard("connected").await;
        (host, client)
    });
    runtime.shutdown_timeout(Duration::from_secs(10));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(check_left(&host, "forced close"));
    assert!(host.io.of("/").is_empty());
    drop((client, host));
}

#[tokio::test]
async fn a_panic_in_a_handler_of_the_end_is_reported() {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .on_disconnecting(async || assert!(std::hint::black_box(false), "first"))
        .on_disconnect(async || assert!(std::hint::black_box(false), "second"));
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    client.send("41").await;
    host.check_error(
        "disconnecting",
        socket_io::Failure::Panicked("first".into()),
    )
    .await;
    host.check_error("disconnect", socket_io::Failure::Panicked("second".into()))
        .await;
    client.join("/").await;
}

#[tokio::test]
async fn sockets_whose_leaving_makes_the_others_leave_do_not_pile_up() {
    const SOCKETS: usize = 2000;
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .on_connect(async |socket: Socket| socket.join("game"))
        .on_disconnect(async |io: SocketIo, State(log): State<Log>| {
            io.to("game").disconnect();
            log.say("left");
        });
    let mut clients = Vec::new();
    for _ in 0..SOCKETS {
        let client = stage.polling().await;
        client.send("40").await;
        clients.push(client);
    }
    clients[0].send("41").await;
    for _ in 0..SOCKETS {
        stage.check_heard("left").await;
    }
    stage.check_silence().await;
}
