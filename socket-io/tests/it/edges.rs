//! Limits at their edges: one below, at the limit, and one above.

use std::time::Duration;

use socket_io::{RawArgs, Refusal, SocketIoBuilder, State};

use crate::support::{Gate, Log, Polling, Stage, not_yet, settled, soon};

/// A server whose handlers wait for the gate, whatever the event, and a client of it.
async fn patient(options: impl FnOnce(SocketIoBuilder) -> SocketIoBuilder) -> (Stage, Polling) {
    let stage = Stage::with(options);
    stage.io.of("/").on_any(
        async |args: RawArgs, State(log): State<Log>, State(gate): State<Gate>| {
            log.say("start");
            gate.pass().await;
            drop(args);
        },
    );
    let mut polling = stage.polling().await;
    polling.join().await;
    (stage, polling)
}

#[tokio::test]
async fn all_of_an_event_counts_while_its_handler_waits() {
    let text = "x".repeat(300);
    let space = " ".repeat(300);
    // What is long: the argument, the name, the namespace's id of an acknowledgement and the white space, an attachment.
    for (payload, size) in [
        (format!(r#"42["a","{text}"]"#), 309),
        (format!(r#"42["{text}"]"#), 305),
        (format!(r#"4212345["a"{space},1]"#), 313),
        (format!(r#"42[{space}"a"]"#), 306),
        (
            format!(
                "451-[\"a\",{{\"_placeholder\":true,\"num\":0}}]\u{1e}b{}",
                "AAAA".repeat(100)
            ),
            38 + 300,
        ),
    ] {
        // While it is reached, nothing more is begun.
        for (limit, begun) in [(2 * size - 1, 2), (2 * size, 2), (2 * size + 1, 3)] {
            let options = |builder: SocketIoBuilder| builder.max_handler_bytes(limit);
            let (stage, polling) = patient(options).await;
            for _ in 0..3 {
                polling.send(&payload).await;
            }
            for _ in 0..begun {
                stage.check_heard("start").await;
            }
            settled().await;
            stage.check_silence().await;
            stage.open_gate(1);
            if begun == 2 {
                stage.check_heard("start").await;
            }
            stage.open_gate(2);
        }
    }
}

#[tokio::test]
async fn so_many_handlers_wait() {
    for limit in [1, 2, 3, 4] {
        let (stage, polling) = patient(|builder| builder.max_handlers(limit)).await;
        for _ in 0..3 {
            polling.send(r#"42["a"]"#).await;
        }
        for _ in 0..limit.min(3) {
            stage.check_heard("start").await;
        }
        settled().await;
        stage.check_silence().await;
        stage.open_gate(3);
        for _ in limit..3 {
            stage.check_heard("start").await;
        }
    }
}

#[tokio::test]
async fn events_of_so_many_bytes_wait_before_nothing_more_is_read() {
    let payload = format!(r#"42["a","{}"]"#, "x".repeat(100));
    // Each of them counts with 256 bytes beside its own, and the type of the message does not.
    let waiting = 2 * (payload.len() - 1 + 256);
    for (limit, reads) in [(waiting - 1, false), (waiting, false), (waiting + 1, true)] {
        let options = |builder: SocketIoBuilder| builder.max_handlers(1).inbox_limit(limit);
        let (stage, polling) = patient(options).await;
        for _ in 0..3 {
            polling.send(&payload).await;
        }
        stage.check_heard("start").await;
        let mut fourth = Box::pin(polling.send(&payload));
        if !reads {
            not_yet(&mut fourth).await;
            stage.open_gate(1);
        }
        soon(fourth).await;
        stage.open_gate(4);
    }
}

#[tokio::test(start_paused = true)]
async fn time_is_up_when_it_is_over_and_not_before() {
    let never = Duration::from_secs(3600);
    for what in ["to join", "for a middleware", "for attachments"] {
        let stage = Stage::with(|builder| builder.ping_interval(never));
        stage.io.of("/slow").middleware(async || {
            std::future::pending::<()>().await;
            Ok::<_, Refusal>(())
        });
        let mut polling = stage.polling().await;
        let seconds = match what {
            "to join" => 45,
            "for a middleware" => {
                polling.send("40/slow,").await;
                45
            }
            _ => {
                polling.join().await;
                let packet = r#"451-["x",{"_placeholder":true,"num":0}]"#;
                polling.send(packet).await;
                30
            }
        };
        let start = tokio::time::Instant::now();
        assert_eq!(polling.poll().await, "1", "{what}");
        let time = Duration::from_secs(seconds);
        let range = time - Duration::from_millis(1)..=time + Duration::from_millis(2);
        assert!(range.contains(&start.elapsed()), "{what}");
    }
}
