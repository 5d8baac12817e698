//! Slow clients: what happens at the limit of the outbox, what each policy leaves, and that the others do not notice.

use std::time::Duration;

use socket_io::{
    AckError, Binary, DisconnectReason, EmitError, Outcome, OverflowPolicy, Socket,
    SocketIoBuilder, State,
};

use crate::support::{Client, Frame, Host, Log, Stage, soon, until};

const LIMIT: usize = 200;

/// A server with a small outbox, which tells why sockets leave.
fn stage(options: impl FnOnce(SocketIoBuilder) -> SocketIoBuilder) -> Stage {
    let stage = Stage::with(|builder| options(builder.outbox_limit(LIMIT)));
    for name in ["/", "/other"] {
        stage.io.of(name).on_disconnect(
            async |socket: Socket, reason: DisconnectReason, State(log): State<Log>| {
                log.say(format!("{} {reason}", socket.namespace().name()));
            },
        );
    }
    stage
}

/// Fills an outbox to the last byte with events of the name `fill`, whose number is returned.
fn fill(socket: &Socket) -> usize {
    /// Bytes of the frame but for the text.
    const EMPTY: usize = 2 + r#"42["fill",""]"#.len();
    let mut filled = 0;
    while socket.buffered() < LIMIT {
        let room = LIMIT - socket.buffered();
        let size = if room > 120 { 60 } else { room };
        socket.emit("fill", &"x".repeat(size - EMPTY)).unwrap();
        filled += 1;
    }
    assert_eq!(socket.buffered(), LIMIT);
    filled
}

#[tokio::test]
async fn rejecting_says_full_and_leaves_a_gap_that_the_program_knows() {
    let stage = stage(|builder| builder.broadcast_overflow(OverflowPolicy::Reject));
    let mut polling = stage.polling().await;
    let id = polling.join().await;
    let socket = stage.io.of("/").socket(&id).unwrap();
    let filled = fill(&socket);
    let full = EmitError::Full {
        buffered: socket.buffered(),
        limit: LIMIT,
    };
    let text = "y".repeat(100);
    assert_eq!(socket.emit("gap", &text), Err(full.clone()));
    assert_eq!(socket.compress(false).emit("gap", &text), Err(full));
    let delivery = stage.io.emit("gap", &text).unwrap();
    assert_eq!(
        (delivery.sent, delivery.dropped, delivery.overflowed),
        (0, 1, 0)
    );
    for _ in 0..filled {
        assert!(polling.packet().await.starts_with(r#"42["fill""#));
    }
    socket.emit("after", &()).unwrap();
    polling.check(r#"42["after"]"#).await;
}

#[tokio::test]
async fn dropping_the_newest_keeps_what_waits_and_is_no_error() {
    let stage = stage(|builder| {
        builder
            .emit_overflow(OverflowPolicy::DropNewest)
            .broadcast_overflow(OverflowPolicy::DropNewest)
    });
    let mut polling = stage.polling().await;
    let id = polling.join().await;
    let socket = stage.io.of("/").socket(&id).unwrap();
    for n in 0..100 {
        socket.emit("n", &(n, "x".repeat(50))).unwrap();
    }
    let text = "y".repeat(100);
    assert_eq!(
        socket.compress(false).emit("gap", &text),
        Ok(Outcome::Dropped)
    );
    assert_eq!(
        socket.emit_with_ack::<()>("gap", &text).await,
        Err(AckError::Skipped)
    );
    assert_eq!(stage.io.emit("gap", &text).unwrap().dropped, 1);
    let asked = stage
        .io
        .of("/")
        .all()
        .emit_with_ack::<()>("gap", &text)
        .await
        .unwrap();
    assert_eq!(
        asked.missing,
        [(Some(socket.id().clone()), AckError::Skipped)]
    );
    // One event can have another policy.
    let rejected = socket.overflow(OverflowPolicy::Reject).emit("gap", &text);
    assert!(matches!(rejected, Err(EmitError::Full { .. })));
    for n in 0..3 {
        let packet = polling.packet().await;
        assert!(packet.starts_with(&format!(r#"42["n",{n},"x"#)), "{packet}");
    }
    socket.emit("after", &()).unwrap();
    polling.check(r#"42["after"]"#).await;
}

#[tokio::test]
async fn disconnecting_ends_the_connection_at_once_with_all_namespaces() {
    let stage = stage(|builder| builder.emit_overflow(OverflowPolicy::Disconnect));
    let mut polling = stage.polling().await;
    let id = polling.join().await;
    polling.send("40/other,").await;
    polling.packet().await;
    let socket = stage.io.of("/").socket(&id).unwrap();
    let text = "x".repeat(150);
    socket.emit("a", &text).unwrap();
    let waiting = tokio::spawn({
        let socket = socket.clone();
        async move { socket.drained().await }
    });
    assert_eq!(socket.emit("b", &text), Err(EmitError::Disconnected));
    assert_eq!(socket.emit("c", &()), Err(EmitError::Disconnected));
    let mut left = [stage.heard().await, stage.heard().await];
    left.sort();
    assert_eq!(left, ["/ forced close", "/other forced close"]);
    assert_eq!(soon(waiting).await.unwrap(), Err(EmitError::Disconnected));
    assert!(stage.io.of("/").is_empty());
    until(|| stage.io.connections() == 0).await;
}

#[tokio::test]
async fn the_outcome_for_each_recipient_is_told() {
    let stage = stage(|builder| builder);
    let mut ids = Vec::new();
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut polling = stage.polling().await;
        ids.push(polling.join().await);
        clients.push(polling);
    }
    let socket = |n: usize| stage.io.of("/").socket(&ids[n]).unwrap();
    fill(&socket(1));
    let leaves = socket(2);
    let text = "y".repeat(100);
    let outcomes = |mut outcomes: Vec<(socket_io::SocketId, Outcome)>| {
        let of = |id: &String| outcomes.iter().position(|(known, _)| **known == **id);
        let order: Vec<_> = ids.iter().map(of).collect();
        let list = order
            .into_iter()
            .map(|index| index.map(|index| outcomes[index].1))
            .collect::<Vec<_>>();
        outcomes.clear();
        list
    };
    let all = stage.io.of("/").all();
    let dropping = all.clone().overflow(OverflowPolicy::DropNewest);
    let first = dropping.emit_each("y", &text).unwrap();
    let queued = Some(Outcome::Queued);
    assert_eq!(outcomes(first), [queued, Some(Outcome::Dropped), queued]);
    let volatile = all.clone().volatile().emit_each("z", &()).unwrap();
    assert_eq!(outcomes(volatile), [Some(Outcome::Skipped); 3]);
    let keyed = || all.clone().latest("key").emit_each("k", &()).unwrap();
    clients[1].packet().await;
    assert_eq!(outcomes(keyed()), [queued; 3]);
    assert_eq!(outcomes(keyed()), [Some(Outcome::Replaced); 3]);
    fill(&socket(1));
    leaves.disconnect();
    let last = all.emit_each("y", &text).unwrap();
    assert_eq!(outcomes(last)[1..], [Some(Outcome::Overflowed), None]);
    assert!(all.emit_each("connect", &()).is_err());
}

#[tokio::test]
async fn of_a_changing_value_only_the_newest_waits() {
    let stage = stage(|builder| builder);
    let mut polling = stage.polling().await;
    let id = polling.join().await;
    polling.send("40/other,").await;
    polling.packet().await;
    let socket = stage.io.of("/").socket(&id).unwrap();
    let other = stage.io.of("/other").all().sockets().remove(0);
    for n in 100..1100 {
        for key in ["a", "b"] {
            let outcome = socket.latest(key).emit("p", &n).unwrap();
            assert_eq!(outcome == Outcome::Replaced, n > 100);
        }
        // Neither another event nor another namespace is concerned.
        socket
            .latest("a")
            .emit("q", &Binary::from(vec![1, 2, 3]))
            .unwrap();
        other.latest("a").emit("p", &n).unwrap();
        stage
            .io
            .of("/")
            .all()
            .latest("a")
            .emit("p", &(n, "to all"))
            .unwrap();
        assert!(socket.buffered() <= LIMIT);
    }
    polling.check(r#"42["p",1099,"to all"]"#).await;
    polling.check(r#"42["p",1099]"#).await;
    polling
        .check(r#"451-["q",{"_placeholder":true,"num":0}]"#)
        .await;
    polling.check("bAQID").await;
    polling.check(r#"42/other,["p",1099]"#).await;
    // Acknowledged events are questions; each is asked.
    let first = socket.latest("a").emit_with_ack::<()>("p", &1);
    let second = socket.latest("a").emit_with_ack::<()>("p", &2);
    assert!(polling.packet().await.ends_with(r#"["p",1]"#));
    assert!(polling.packet().await.ends_with(r#"["p",2]"#));
    drop((first, second));
}

#[tokio::test]
async fn what_a_socket_left_behind_is_not_replaced_by_its_successor() {
    let stage = stage(|builder| builder);
    let mut polling = stage.polling().await;
    let id = polling.join().await;
    let socket = stage.io.of("/").socket(&id).unwrap();
    socket.latest("a").emit("p", &1).unwrap();
    polling.send("41").await;
    polling.send("40").await;
    until(|| !stage.io.of("/").is_empty()).await;
    let successor = stage.io.of("/").all().sockets().remove(0);
    let outcome = successor.latest("a").emit("p", &2);
    assert_eq!(outcome, Ok(Outcome::Queued));
    polling.check(r#"42["p",1]"#).await;
    assert!(polling.packet().await.starts_with("40{"));
    polling.check(r#"42["p",2]"#).await;
}

#[tokio::test]
async fn a_disconnect_is_queued_behind_a_full_outbox_and_the_connection_lives_on() {
    let stage = stage(|builder| builder);
    let mut polling = stage.polling().await;
    let id = polling.join().await;
    polling.send("40/other,").await;
    polling.packet().await;
    let socket = stage.io.of("/").socket(&id).unwrap();
    let filled = fill(&socket);
    socket.disconnect();
    assert!(!socket.is_connected());
    assert!(stage.io.of("/").is_empty());
    stage.check_heard("/ server namespace disconnect").await;
    for _ in 0..filled {
        polling.packet().await;
    }
    polling.check("41").await;
    stage.io.of("/other").emit("x", &()).unwrap();
    polling.check(r#"42/other,["x"]"#).await;
    soon(socket.drained()).await.unwrap();
}

#[tokio::test]
async fn where_even_the_reserve_is_used_up_the_connection_ends() {
    let stage = stage(|builder| builder.max_payload(1_000_000));
    let long = format!("/long{}", "x".repeat(70_000));
    stage.io.of(&long);
    let mut polling = stage.polling().await;
    let id = polling.join().await;
    polling.send(&format!("40{long},")).await;
    polling.packet().await;
    let socket = stage.io.of("/").socket(&id).unwrap();
    fill(&socket);
    let long = stage.io.of(&long).all().sockets().remove(0);
    long.disconnect();
    assert!(!long.is_connected());
    stage.check_heard("/ forced close").await;
    assert_eq!(socket.emit("x", &()), Err(EmitError::Disconnected));
}

#[tokio::test]
async fn a_client_that_cannot_be_told_that_it_has_joined_is_disconnected() {
    let stage = stage(|builder| builder);
    let mut polling = stage.polling().await;
    let id = polling.join().await;
    fill(&stage.io.of("/").socket(&id).unwrap());
    polling.send("40/other,").await;
    stage.check_heard("/ forced close").await;
    assert!(stage.io.of("/other").is_empty());
}

/// A client in `/` that has room for little that it has not read.
async fn narrow(host: &Host) -> (Client, Socket) {
    let mut client = Client::open_narrow(host.address).await;
    let id = client.join("/").await;
    (client, host.io.of("/").socket(&id).unwrap())
}

/// One whose connection takes nothing more, and whose outbox is full.
async fn blocked(host: &Host) -> (Client, Socket) {
    // What the system acknowledges makes room once more. It may wait for 200 ms until it does so, and only reading makes room afterwards.
    const ACKNOWLEDGED: Duration = Duration::from_millis(400);
    let (client, socket) = narrow(host).await;
    let text = "x".repeat(50_000);
    loop {
        while socket.emit("fill", &text).is_ok() {
            tokio::task::yield_now().await;
        }
        let before = socket.buffered();
        tokio::time::sleep(ACKNOWLEDGED).await;
        if socket.buffered() == before {
            return (client, socket);
        }
    }
}

#[tokio::test]
async fn sockets_of_a_peer_that_never_reads_leave_at_once() {
    let stage = Stage::with(|builder| {
        let builder = builder.outbox_limit(300_000);
        builder.engine(|engine| engine.close_timeout(Duration::from_millis(300)))
    });
    stage
        .io
        .of("/")
        .on_disconnect(async |reason: DisconnectReason, State(log): State<Log>| {
            log.say(reason.to_string())
        });
    let host = stage.listen().await;
    type End = fn(&Socket);
    let ends: [(End, &str, bool); 3] = [
        (Socket::disconnect, "server namespace disconnect", false),
        (Socket::disconnect_all, "server namespace disconnect", true),
        (|socket| socket.io().close(), "server shutting down", true),
    ];
    for (end, reason, closing) in ends {
        let (client, socket) = blocked(&host).await;
        let (mut healthy, healthy_id) = host.member().await;
        end(&socket);
        // The handler has run up to its end already.
        assert!(!socket.is_connected());
        assert!(socket.buffered() < 300_000 + 65_536 + 100_100);
        host.check_heard(reason).await;
        if reason == "server shutting down" {
            host.check_heard(reason).await;
            healthy.check_end().await;
            soon(host.io.closed()).await;
        } else {
            host.io.emit("x", &()).unwrap();
            healthy.check(r#"42["x"]"#).await;
            host.io.of("/").socket(&healthy_id).unwrap().disconnect();
            host.check_heard(reason).await;
        }
        drop(healthy);
        // A connection that is being closed does not wait for its client for ever; the others end with theirs.
        let stays = usize::from(!closing);
        until(|| host.io.connections() == stays).await;
        drop(client);
        until(|| host.io.connections() == 0).await;
    }
}

#[tokio::test]
async fn a_client_that_reads_late_gets_everything_and_then_the_goodbye() {
    let stage = Stage::with(|builder| builder.outbox_limit(300_000));
    let host = stage.listen().await;
    let (mut client, socket) = blocked(&host).await;
    socket.disconnect();
    let drained = tokio::spawn(async move { socket.drained().await });
    loop {
        match client.frame().await {
            Frame::Text(text) if text.starts_with(r#"42["fill""#) => {}
            other => break assert_eq!(other, Frame::Text("41".into())),
        }
    }
    soon(drained).await.unwrap().unwrap();
    client.join("/").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_others_get_every_broadcast_while_one_client_does_not_read() {
    const OTHERS: usize = 100;
    const BUDGET: usize = 300_000;
    let stage = Stage::with(|builder| {
        builder
            .outbox_limit(BUDGET)
            .broadcast_overflow(OverflowPolicy::DropNewest)
    });
    let host = stage.listen().await;
    let (mut slow, slow_socket) = narrow(&host).await;
    let (progress, mut done) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..OTHERS {
        let (mut client, _) = host.member().await;
        let progress = progress.clone();
        tokio::spawn(async move {
            for n in 0.. {
                let text = client.text().await;
                let expected = format!(r#"42["tick",{n},"#);
                assert!(text.starts_with(&expected), "{n}: {}", &text[..40]);
                if progress.send(n).is_err() {
                    return;
                }
            }
        });
    }
    let text = "x".repeat(10_000);
    let mut dropped = 0;
    let mut events = 0;
    while dropped < 20 {
        let delivery = host.io.emit("tick", &(events, &text)).unwrap();
        assert_eq!(delivery.sent + delivery.dropped, OTHERS + 1);
        assert_eq!((delivery.skipped, delivery.overflowed), (0, 0));
        assert!(
            delivery.dropped <= 1,
            "only the slow one may miss something"
        );
        dropped += delivery.dropped;
        assert!(slow_socket.buffered() <= BUDGET);
        // All others have this event before there is another.
        for _ in 0..OTHERS {
            assert_eq!(soon(done.recv()).await, Some(events));
        }
        events += 1;
        assert!(events < 2000, "the system's buffers are not endless");
    }
    drop(done);
    // What waited arrives without a gap, as it was sent; the newest is missing.
    let slow_only = host.io.to(slow_socket.id());
    let draining = tokio::spawn(async move {
        slow_socket.drained().await?;
        slow_only.emit("end", &())
    });
    let mut read = 0;
    loop {
        let text = slow.text().await;
        if text == r#"42["end"]"# {
            break;
        }
        let [_, n, _] = text.splitn(3, ',').collect::<Vec<_>>()[..] else {
            panic!("no event: {text}");
        };
        assert!(n.parse::<i32>().unwrap() >= read, "out of order: {n}");
        read += 1;
    }
    assert_eq!(read as usize, events - dropped);
    soon(draining).await.unwrap().unwrap();
}
