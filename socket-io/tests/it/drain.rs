//! Draining. The clock is paused where time matters.

use std::time::Duration;

use http::{Method, Request};
use http_body_util::Full;
use socket_io::{DisconnectReason, Drain, ServerState, State};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::support::{Gate, Log, Polling, Stage, not_yet, respond, soon, until};

const OVER: Duration = Duration::from_secs(10);

/// A server that tells why sockets leave.
fn telling() -> Stage {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .on("say", async |State(log): State<Log>| log.say("said"))
        .on_disconnect(async |reason: DisconnectReason, State(log): State<Log>| {
            log.say(reason.as_str());
        });
    stage
}

/// Reads to the end, and returns what came before.
async fn rest(client: &mut Polling) -> Vec<String> {
    let mut packets = Vec::new();
    loop {
        match &*client.packet().await {
            "1" => return packets,
            // Clients that poll late get this in front of the end.
            "6" => {}
            packet => packets.push(packet.to_owned()),
        }
    }
}

/// Clients that wait for the end, and tell when it came, and what before.
async fn waiting<const N: usize>(stage: &Stage) -> [JoinHandle<(Instant, Vec<String>)>; N] {
    let mut clients = Vec::new();
    for _ in 0..N {
        let mut client = stage.polling().await;
        client.join().await;
        clients.push(tokio::spawn(async move {
            let packets = rest(&mut client).await;
            (Instant::now(), packets)
        }));
    }
    clients.try_into().unwrap()
}

async fn handshake(stage: &Stage) -> u16 {
    let request = Request::builder()
        .method(Method::GET)
        .uri("/socket.io/?EIO=4&transport=polling");
    let response = respond(&stage.io, request.body(Full::default()).unwrap()).await;
    response.status().as_u16()
}

#[tokio::test(start_paused = true)]
async fn clients_are_sent_away_one_after_the_other() {
    let stage = telling();
    let clients = waiting::<5>(&stage).await;
    let begin = Instant::now();
    let report = stage.io.drain(OVER).await;
    let mut times = Vec::new();
    for client in clients {
        times.push((client.await.unwrap().0 - begin).as_secs());
        stage.check_heard("server shutting down").await;
    }
    times.sort_unstable();
    assert_eq!(times, [0, 2, 4, 6, 8]);
    assert_eq!((report.closed, report.left, report.cut_off), (5, 0, 0));
    assert_eq!(report.unfinished_handlers, 0);
    assert_eq!(report.elapsed.as_secs(), 8);
    assert_eq!(stage.io.health().state, ServerState::Closed);
    stage.check_silence().await;
}

#[tokio::test(start_paused = true)]
async fn until_their_turn_clients_are_served_and_no_others_come() {
    let stage = telling();
    let clients = waiting::<3>(&stage).await;
    let (io, begin) = (stage.io.clone(), Instant::now());
    let draining = tokio::spawn(async move { io.drain(OVER).await });
    until(|| stage.io.health().state == ServerState::Draining).await;
    assert_eq!(handshake(&stage).await, 503);
    // Of three clients one is there for another second.
    tokio::time::sleep_until(begin + OVER / 2).await;
    assert_eq!(stage.io.connections(), 1);
    assert_eq!(stage.io.emit("news", &1).unwrap().sent, 1);
    let report = soon(draining).await.unwrap();
    assert_eq!(report.closed, 3);
    let mut packets = Vec::new();
    for client in clients {
        packets.extend(client.await.unwrap().1);
    }
    assert_eq!(packets, [r#"42["news",1]"#]);
}

#[tokio::test(start_paused = true)]
async fn what_is_queued_leaves_before_the_end() {
    let stage = telling();
    let mut client = stage.polling().await;
    let id = client.join().await;
    let socket = stage.io.of("/").socket(&id).unwrap();
    for n in 0..3 {
        socket.emit("n", &n).unwrap();
    }
    let io = stage.io.clone();
    let draining = tokio::spawn(async move { io.drain(Duration::ZERO).await });
    until(|| stage.io.health().state == ServerState::Draining).await;
    let expected = [0, 1, 2].map(|n| format!(r#"42["n",{n}]"#));
    assert_eq!(rest(&mut client).await, expected);
    assert_eq!(soon(draining).await.unwrap().closed, 1);
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_when_all_have_left() {
    let stage = telling();
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = stage.polling().await;
        client.join().await;
        clients.push(client);
    }
    let (io, begin) = (stage.io.clone(), Instant::now());
    let draining = tokio::spawn(async move { io.drain(OVER).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    // One of them was told to go already; that it posts is nobody's concern.
    for client in &clients {
        client.leave().await;
    }
    let report = soon(draining).await.unwrap();
    assert_eq!((report.closed, report.left), (1, 2));
    assert!(begin.elapsed() < OVER / 3, "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_server_without_clients_is_drained_at_once() {
    let stage = telling();
    let begin = Instant::now();
    let report = stage.io.drain(OVER).await;
    assert_eq!((report.closed, begin.elapsed()), (0, Duration::ZERO));
    // Again, which does nothing.
    assert_eq!(stage.io.drain(OVER).await.closed, 0);
    soon(stage.io.closed()).await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_was_cut_short_says_so_although_nobody_is_left() {
    for _ in 0..10 {
        let stage = telling();
        let clients = waiting::<3>(&stage).await;
        let mut draining = Box::pin(stage.io.drain(OVER));
        not_yet(&mut draining).await;
        stage.io.close();
        // It has had no turn since.
        until(|| stage.io.connections() == 0).await;
        let report = soon(draining).await;
        assert_eq!((report.closed, report.left, report.cut_off), (1, 0, 2));
        drop(clients);
    }
}

#[tokio::test(start_paused = true)]
async fn closing_cuts_a_drain_short() {
    let stage = telling();
    let clients = waiting::<5>(&stage).await;
    let (io, begin) = (stage.io.clone(), Instant::now());
    let draining = tokio::spawn(async move { io.drain(OVER).await });
    tokio::time::sleep(Duration::from_secs(3)).await;
    stage.io.close();
    let report = soon(draining).await.unwrap();
    assert_eq!((report.closed, report.left, report.cut_off), (2, 0, 3));
    assert_eq!(begin.elapsed().as_secs(), 3);
    for client in clients {
        client.await.unwrap();
        stage.check_heard("server shutting down").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_is_dropped_can_be_taken_up_again() {
    let stage = telling();
    let clients = waiting::<5>(&stage).await;
    let dropped = tokio::time::timeout(Duration::from_secs(3), stage.io.drain(OVER));
    assert!(dropped.await.is_err());
    tokio::time::sleep(OVER).await;
    assert_eq!(stage.io.connections(), 3);
    assert_eq!(stage.io.health().state, ServerState::Draining);
    assert_eq!(handshake(&stage).await, 503);
    let both = async { tokio::join!(stage.io.drain(OVER), stage.io.drain(OVER)) };
    let (one, other) = both.await;
    assert_eq!(one.closed + other.closed, 3);
    for client in clients {
        client.await.unwrap();
    }
}

/// A server whose handlers wait at the gate, and clients that have called one each.
async fn busy(clients: usize) -> (Stage, Vec<Polling>) {
    let stage = Stage::new();
    stage.io.of("/").on(
        "work",
        async |State(gate): State<Gate>, State(log): State<Log>| {
            log.say("begun");
            gate.pass().await;
            log.say("done");
        },
    );
    let mut all = Vec::new();
    for _ in 0..clients {
        let mut client = stage.polling().await;
        client.join().await;
        client.send(r#"42["work"]"#).await;
        stage.check_heard("begun").await;
        all.push(client);
    }
    (stage, all)
}

#[tokio::test(start_paused = true)]
async fn handlers_may_end_before_the_server_does() {
    let (stage, clients) = busy(3).await;
    // One has left before, and its handler goes on.
    clients[0].leave().await;
    until(|| stage.io.connections() == 2).await;
    until(|| stage.io.health().unfinished_handlers == 1).await;
    let io = stage.io.clone();
    let draining = tokio::spawn(async move { io.drain(Duration::ZERO).await });
    for mut client in clients.into_iter().skip(1) {
        assert_eq!(rest(&mut client).await, [""; 0]);
    }
    until(|| stage.io.health().unfinished_handlers == 3).await;
    assert_eq!(stage.io.health().state, ServerState::Draining);
    tokio::time::sleep(Duration::from_secs(5)).await;
    stage.open_gate(3);
    let report = soon(draining).await.unwrap();
    assert_eq!(
        (report.unfinished_handlers, report.elapsed.as_secs()),
        (0, 5)
    );
    for _ in 0..3 {
        stage.check_heard("done").await;
    }
}

#[tokio::test(start_paused = true)]
async fn handlers_that_do_not_end_are_reported() {
    let (stage, mut clients) = busy(1).await;
    let io = stage.io.clone();
    let drain = Drain::over(OVER).wait_for_handlers(Duration::from_secs(7));
    let draining = tokio::spawn(async move { io.drain(drain).await });
    assert_eq!(rest(&mut clients[0]).await, [""; 0]);
    let report = soon(draining).await.unwrap();
    assert_eq!(
        (report.unfinished_handlers, report.elapsed.as_secs()),
        (1, 7)
    );
    stage.open_gate(1);
    stage.check_heard("done").await;
    until(|| stage.io.health().unfinished_handlers == 0).await;
}

#[tokio::test]
async fn a_drain_ends_websockets_and_the_serving() {
    let host = telling().listen().await;
    let ([mut one, mut other], _) = host.members().await;
    let drained = host.io.drain(Duration::from_millis(50));
    let (report, (), ()) = tokio::join!(drained, one.check_end(), other.check_end());
    assert_eq!(report.closed, 2);
    for _ in 0..2 {
        host.check_heard("server shutting down").await;
    }
    soon(async {
        while tokio::net::TcpStream::connect(host.address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_holds_a_drain_up_for_so_long() {
    let stage = Stage::with(|builder| {
        builder.engine(|engine| engine.close_timeout(Duration::from_secs(7)))
    });
    let mut client = stage.polling().await;
    client.join().await;
    let report = stage.io.drain(Duration::MAX).await;
    assert_eq!((report.closed, report.elapsed.as_secs()), (1, 7));
}
