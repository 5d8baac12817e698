//! Clients that mean harm, or behave as if they did: what they get, and that others are served meanwhile.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use socket_io::{Data, EventStream, RawArgs, Socket, State};

use crate::support::{Client, Gate, Host, Log, Polling, Shelf, Stage, not_yet, soon, until};

/// An event of a text of so many bytes.
fn event(name: &str, bytes: usize) -> String {
    format!(r#"42["{name}","{}"]"#, "x".repeat(bytes))
}

#[tokio::test]
async fn the_events_of_waiting_handlers_are_limited_in_bytes() {
    let stage = Stage::with(|builder| builder.max_handler_bytes(1000).inbox_limit(0));
    stage.io.of("/").on(
        "hold",
        async |args: RawArgs, State(log): State<Log>, State(gate): State<Gate>| {
            log.say("start");
            gate.pass().await;
            drop(args);
            log.say("end");
        },
    );
    // The answer to a POST shows that its packets were taken.
    let mut polling = stage.polling().await;
    polling.join().await;
    // With the third it is more than the limit, but not before.
    for _ in 0..3 {
        polling.send(&event("hold", 450)).await;
        stage.check_heard("start").await;
    }
    polling.send(&event("hold", 450)).await;
    let next = event("hold", 450);
    let mut held = Box::pin(polling.send(&next));
    not_yet(&mut held).await;
    stage.check_silence().await;
    stage.open_gate(1);
    stage.check_heard("end").await;
    soon(held).await;
    stage.check_heard("start").await;
    stage.check_silence().await;
    stage.open_gate(2);
    for said in ["end", "end", "start"] {
        stage.check_heard(said).await;
    }
    stage.open_gate(2);
    for said in ["end", "end"] {
        stage.check_heard(said).await;
    }
    // One that is larger by itself has its handler, alone.
    polling.send(&event("hold", 5000)).await;
    stage.check_heard("start").await;
    polling.send(&event("hold", 1)).await;
    stage.check_silence().await;
    stage.open_gate(2);
    for said in ["end", "start", "end"] {
        stage.check_heard(said).await;
    }
}

#[test]
#[should_panic(expected = "nothing would ever be read")]
fn a_limit_of_no_bytes_is_a_mistake() {
    let _ = socket_io::SocketIo::builder().max_handler_bytes(0);
}

#[tokio::test]
async fn what_waits_in_a_stream_is_limited_in_bytes() {
    let stage = Stage::with(|builder| builder.max_handler_bytes(1000).inbox_limit(0));
    let opened: Arc<Shelf<EventStream<String>>> = Arc::default();
    let shelf = opened.clone();
    stage.io.of("/").on_connect(move |socket: Socket| {
        shelf.put(socket.stream("chunk"));
        async {}
    });
    let mut polling = stage.polling().await;
    polling.join().await;
    for _ in 0..4 {
        polling.send(&event("chunk", 450)).await;
    }
    let next = event("chunk", 450);
    let mut held = Box::pin(polling.send(&next));
    not_yet(&mut held).await;
    let mut chunks = opened.take().unwrap();
    for _ in 0..5 {
        assert_eq!(soon(chunks.next()).await.unwrap().unwrap().len(), 450);
    }
    soon(held).await;
    // Dropping it gives everything back, too.
    for _ in 0..4 {
        polling.send(&event("chunk", 450)).await;
    }
    drop(chunks);
    for _ in 0..5 {
        soon(polling.send(&event("chunk", 450))).await;
    }
}

/// Some clients at work, and a check that they are served.
async fn check_served(host: &Host, client: &mut Client, polling: &mut Polling) {
    client.ask(r#"421["echo",1]"#, "431[1]").await;
    polling.send(r#"422["echo",2]"#).await;
    polling.check("432[2]").await;
    let (mut new, _) = host.member().await;
    new.ask(r#"423["echo",3]"#, "433[3]").await;
}

async fn stage_of_echo() -> (Host, Client, Polling) {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .on("echo", async |Data(value): Data<u64>| value)
        .on(
            "join",
            async |socket: Socket, Data(rooms): Data<Vec<String>>| {
                socket.join(rooms);
            },
        )
        .on(
            "leave",
            async |socket: Socket, Data(rooms): Data<Vec<String>>| {
                for room in rooms {
                    socket.leave(&room);
                }
            },
        );
    stage
        .io
        .of_regex(r"^/n-\d+$")
        .on_connect(async |socket: Socket| {
            socket.join("room");
        });
    let mut polling = stage.polling().await;
    polling.join().await;
    let host = stage.listen().await;
    let (client, _) = host.member().await;
    (host, client, polling)
}

#[tokio::test]
async fn namespaces_by_the_thousand_are_refused_one_by_one() {
    const NAMES: usize = 3000;
    let (host, mut client, mut polling) = stage_of_echo().await;
    let before = host.io.namespaces().len();
    let mut hostile = host.client().await;
    for number in 0..256 {
        hostile.join(&format!("/n-{number}")).await;
    }
    for number in 256..NAMES {
        hostile.send(&format!("40/n-{number},")).await;
        hostile.send(&format!("40/unknown-{number},")).await;
    }
    check_served(&host, &mut client, &mut polling).await;
    for number in 256..NAMES {
        for (name, why) in [
            ("n", "too many namespaces"),
            ("unknown", "Invalid namespace"),
        ] {
            let refusal = format!(r#"44/{name}-{number},{{"message":"{why}"}}"#);
            let found = hostile.text().await;
            // Which of the two limits comes first for a name that nobody knows is nobody's business.
            let other = format!(r#"44/{name}-{number},{{"message":"too many namespaces"}}"#);
            assert!(found == refusal || found == other, "{found}");
        }
    }
    assert_eq!(host.io.namespaces().len(), before + 256);
    drop(hostile);
    until(|| host.io.namespaces().len() == before).await;
    check_served(&host, &mut client, &mut polling).await;
}

#[tokio::test]
async fn coming_and_going_without_end_leaves_nothing() {
    let (host, mut client, mut polling) = stage_of_echo().await;
    let before = host.io.namespaces().len();
    let mut hostile = host.client().await;
    for round in 0..3 {
        for number in 0..500 {
            hostile.send(&format!("40/n-{number},")).await;
            hostile.send(&format!("41/n-{number},")).await;
        }
        for number in 0..500 {
            let joined = hostile.text().await;
            let expected = format!("40/n-{number},");
            assert!(joined.starts_with(&expected), "{round}: {joined}");
        }
        check_served(&host, &mut client, &mut polling).await;
    }
    until(|| host.io.namespaces().len() == before).await;
    drop(hostile);
    until(|| host.io.of("/").len() == 2).await;
}

#[tokio::test]
async fn rooms_by_the_ten_thousand_go_with_their_socket() {
    let (host, mut client, mut polling) = stage_of_echo().await;
    let before = host.io.of("/").rooms().len();
    let (mut hostile, _) = host.member().await;
    let names = |numbers: std::ops::Range<usize>| {
        let names: Vec<_> = numbers.map(|number| format!("\"r{number}\"")).collect();
        names.join(",")
    };
    for start in (0..20_000).step_by(2000) {
        let names = names(start..start + 2000);
        hostile.send(&format!(r#"42["join",[{names}]]"#)).await;
    }
    hostile.ask(r#"424["echo",4]"#, "434[4]").await;
    assert_eq!(host.io.of("/").rooms().len(), before + 20_000);
    check_served(&host, &mut client, &mut polling).await;
    let some = names(0..2000);
    for _ in 0..5 {
        hostile.send(&format!(r#"42["leave",[{some}]]"#)).await;
        hostile.send(&format!(r#"42["join",[{some}]]"#)).await;
    }
    hostile.ask(r#"424["echo",4]"#, "434[4]").await;
    assert_eq!(host.io.of("/").rooms().len(), before + 20_000);
    drop(hostile);
    until(|| host.io.of("/").rooms().len() == before).await;
}

#[tokio::test]
async fn acknowledgements_that_nobody_asked_for_mean_nothing() {
    let (host, mut client, mut polling) = stage_of_echo().await;
    let (mut hostile, id) = host.member().await;
    for id in [0_u64, 1, u64::MAX] {
        for _ in 0..3000 {
            hostile.send(&format!(r#"43{id}["x"]"#)).await;
        }
        check_served(&host, &mut client, &mut polling).await;
    }
    // Among them, a true one counts once.
    let socket = host.io.of("/").socket(&id).unwrap();
    let answer = socket.emit_with_ack::<String>("question", &());
    hostile.check(r#"420["question"]"#).await;
    hostile.send(r#"430["first"]"#).await;
    hostile.send(r#"430["second"]"#).await;
    assert_eq!(soon(answer).await.unwrap(), "first");
    host.check_no_error().await;
}

#[tokio::test]
async fn what_clients_say_about_themselves_is_limited_for_all_namespaces_together() {
    let stage = Stage::with(|builder| builder.max_auth_bytes(1000));
    stage.io.of_regex(r"^/n-\d+$");
    let host = stage.listen().await;
    let mut client = host.client().await;
    async fn join(client: &mut Client, number: usize, bytes: usize, taken: bool) {
        let token = "x".repeat(bytes);
        client
            .send(&format!(r#"40/n-{number},{{"token":"{token}"}}"#))
            .await;
        if taken {
            let reply = client.text().await;
            let joined = format!(r#"40/n-{number},{{"sid""#);
            assert!(reply.starts_with(&joined), "{reply}");
        } else {
            let refusal = format!(r#"44/n-{number},{{"message":"too much auth"}}"#);
            client.check(&refusal).await;
        }
    }
    // A single one may have any size, and then there is no room for others.
    join(&mut client, 0, 5000, true).await;
    join(&mut client, 1, 1, false).await;
    client.join("/n-1").await;
    client.send("41/n-0,").await;
    // Exactly the limit, with `{"token":""}` around each, and a byte more.
    for (second, taken) in [(500 - 12 + 1, false), (500 - 12, true)] {
        join(&mut client, 2, 500 - 12, true).await;
        join(&mut client, 3, second, taken).await;
        client.send("41/n-2,").await;
    }
    join(&mut client, 4, 500 - 12, true).await;
    join(&mut client, 5, 1, false).await;
}

#[tokio::test]
async fn a_flood_of_small_events_leaves_others_their_turn() {
    const EVENTS: usize = 95_000;
    let handled = Arc::<AtomicUsize>::default();
    let count = handled.clone();
    let stage = Stage::new();
    stage.io.of("/").on("n", move || {
        count.fetch_add(1, Ordering::Relaxed);
        async {}
    });
    let mut polling = stage.polling().await;
    polling.join().await;
    // Another task of the same thread, which has its turn whenever somebody else has had one.
    let (mut before, mut longest) = (0, 0);
    let watching = tokio::spawn(poll_fn(move |cx| {
        let now = handled.load(Ordering::Relaxed);
        longest = longest.max(now - before);
        before = now;
        if now == EVENTS {
            return Poll::Ready(longest);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }));
    let flood = vec![r#"42["n"]"#; EVENTS].join("\u{1e}");
    let posting = tokio::spawn(async move { polling.send(&flood).await });
    let longest = soon(watching).await.unwrap();
    assert!(longest <= 1024, "{longest} events in a row");
    soon(posting).await.unwrap();
}
