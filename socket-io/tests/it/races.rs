//! Everything at once, on several threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use socket_io::{AckError, Data, Refusal, Socket, State};

use crate::support::{Host, Stage, soon, until};

#[derive(Default)]
struct Counts {
    connected: AtomicUsize,
    disconnecting: AtomicUsize,
    disconnected: AtomicUsize,
}

fn counting() -> Stage {
    let stage = Stage::with(|builder| builder.state(Counts::default()));
    stage
        .io
        .of("/")
        .middleware(async |socket: Socket| {
            socket.join("early");
            tokio::task::yield_now().await;
            Ok::<_, Refusal>(())
        })
        .on_connect(async |socket: Socket, State(counts): State<Counts>| {
            counts.connected.fetch_add(1, Ordering::SeqCst);
            socket.join("room");
            tokio::task::yield_now().await;
            socket.join("late");
        })
        .on("echo", async |Data(n): Data<u64>| n)
        .on_disconnecting(async |State(counts): State<Counts>| {
            counts.disconnecting.fetch_add(1, Ordering::SeqCst);
        })
        .on_disconnect(async |State(counts): State<Counts>| {
            counts.disconnected.fetch_add(1, Ordering::SeqCst);
        });
    stage
}

fn is_empty(host: &Host) -> bool {
    format!("{:?}", host.io.of("/")).contains("sockets: 0, rooms: 0")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn joining_leaving_asking_broadcasting_and_closing_get_along() {
    let host = Arc::new(counting().listen().await);
    let mut tasks = Vec::new();
    for n in 0..16_u64 {
        let host = host.clone();
        tasks.push(tokio::spawn(async move {
            for round in 0..20 {
                let mut client = host.client().await;
                client.send("40").await;
                client.send(&format!(r#"42["echo",{n}]"#)).await;
                match (n + round) % 3 {
                    0 => client.send("41").await,
                    1 => drop(client.rest().await),
                    _ => {}
                }
            }
        }));
    }
    let io = host.io.clone();
    let driver = tokio::spawn(async move {
        loop {
            let all = io.of("/").all();
            let asked = all
                .timeout(Duration::from_millis(5))
                .emit_with_ack::<u64>("ask", &1);
            for socket in io.to(["room", "early"]).sockets() {
                let other = socket.clone();
                let ask = tokio::spawn(socket.emit_with_ack::<u64>("one", &1));
                other.leave("room");
                other.join("again");
                other.disconnect_all();
                let answer = soon(ask).await.unwrap();
                assert!(
                    matches!(answer, Err(AckError::Disconnected | AckError::Emit(_))),
                    "{answer:?}"
                );
            }
            let answers = asked.await.unwrap();
            assert!(answers.answers.is_empty());
            tokio::task::yield_now().await;
        }
    });
    for task in tasks {
        soon(task).await.unwrap();
    }
    until(|| host.io.connections() == 0).await;
    driver.abort();
    assert!(soon(driver).await.unwrap_err().is_cancelled());
    until(|| is_empty(&host)).await;
    // Every socket that came has gone, once.
    host.io
        .of("/")
        .on("counts", async |State(counts): State<Counts>| {
            [
                &counts.connected,
                &counts.disconnecting,
                &counts.disconnected,
            ]
            .map(|count| count.load(Ordering::SeqCst))
        });
    let (mut client, _) = host.member().await;
    client.send(r#"4277["counts"]"#).await;
    let answer = client.text().await;
    let counts: Vec<usize> = answer[5..answer.len() - 1]
        .split(',')
        .map(|count| count.parse().unwrap())
        .collect();
    assert_eq!((counts[1], counts[2]), (counts[0] - 1, counts[0] - 1));
    host.check_no_error().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_closes_while_clients_join_keeps_none_of_them() {
    for _ in 0..10 {
        let host = Arc::new(counting().listen().await);
        let mut tasks = Vec::new();
        for _ in 0..16 {
            let mut client = host.client().await;
            tasks.push(tokio::spawn(async move {
                client.send("40").await;
                client.rest().await;
            }));
        }
        until(|| host.io.of("/").len() > 4).await;
        host.io.close();
        for task in tasks {
            soon(task).await.unwrap();
        }
        until(|| host.io.connections() == 0).await;
        until(|| is_empty(&host)).await;
    }
}
