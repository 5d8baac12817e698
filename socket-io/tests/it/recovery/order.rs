//! Nothing is lost, doubled or out of order, whatever happens at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use socket_io::{EmitError, RecoveryConfig, Refusal, Socket, State};

use super::{Ids, check, check_recovered, come_back, event, join, number_of, recovering, stage};
use crate::support::{Host, Log, Shelf, Stage, soon};

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
