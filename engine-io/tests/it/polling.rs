//! Sessions over polling.

use std::fmt::Write;

use engine_io::{CloseReason, Message, ServerConfig};

use crate::support::{Host, Http, check_end, drive, not_yet, soon, until};

#[tokio::test]
async fn text_and_binary_come_back_over_polling() {
    let host = Host::echo(ServerConfig::default()).await;
    let mut polling = host.polling().await;
    polling.say("4héllo\x1ebAQIDBA==\x1e4").await;
    let packets = polling.packets(3).await;
    assert_eq!(packets, ["4héllo", "bAQIDBA==", "4"]);
}

#[tokio::test]
async fn the_answers_to_get_and_post_have_the_reference_s_headers() {
    let host = Host::echo(ServerConfig::default()).await;
    let mut polling = host.polling().await;
    let reply = polling.post("4a").await;
    reply.check(200, "ok");
    assert_eq!(reply.header("content-type"), Some("text/html"));
    assert_eq!(reply.header("content-length"), Some("2"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let reply = polling.poll().await;
    reply.check(200, "4a");
    assert_eq!(
        reply.header("content-type"),
        Some("text/plain; charset=UTF-8")
    );
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn a_parked_get_is_answered_by_a_message() {
    let host = Host::new(ServerConfig::default()).await;
    let (mut polling, socket) = host.polling_pair().await;
    let (sender, _driven) = drive(socket);
    for text in ["one", "two"] {
        polling.park().await;
        until(|| sender.is_writable()).await;
        sender.send(text).unwrap();
        polling.parked().await.check(200, &format!("4{text}"));
        assert!(!sender.is_writable(), "no GET is parked");
    }
    sender.send("three").unwrap();
    sender.send(vec![1, 2, 3, 4]).unwrap();
    polling.poll().await.check(200, "4three\x1ebAQIDBA==");
}

#[tokio::test]
async fn jsonp_wraps_answers_and_reads_forms() {
    let host = Host::echo(ServerConfig::default()).await;
    let mut polling = host.polling().await;
    let target = format!("{}&j=a1b2", polling.target());
    let post = polling
        .post
        .request(
            "POST",
            &target,
            "Content-Type: application/x-www-form-urlencoded\r\n",
            b"d=4a%5Cn%E2%80%A8%22",
        )
        .await;
    post.check(200, "ok");
    let reply = polling.get.get(&target).await;
    reply.check(200, r#"___eio[12]("4a\n\u2028\"");"#);
    let reply = polling
        .post
        .request("POST", &target, "", b"other=field")
        .await;
    reply.check(200, "ok");
}

#[tokio::test]
async fn invalid_utf8_in_a_body_is_replaced() {
    let host = Host::echo(ServerConfig::default()).await;
    let mut polling = host.polling().await;
    polling.say(b"4a\xffb").await;
    polling.poll().await.check(200, "4a\u{fffd}b");
}

#[tokio::test]
async fn large_messages_travel_both_ways_over_polling() {
    let host = Host::echo(ServerConfig::default()).await;
    let mut polling = host.polling().await;
    let text = format!("4{}", "é".repeat(450_000));
    polling.say(&text).await;
    assert_eq!(polling.poll().await.text(), text);
}

#[tokio::test]
async fn bodies_may_be_chunked_and_clients_may_ask_first() {
    let host = Host::echo(ServerConfig::default()).await;
    let mut polling = host.polling().await;
    let target = polling.target();
    let head = |more: &str| format!("POST {target} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n\r\n");
    polling.post.write(head("Transfer-Encoding: chunked")).await;
    polling.post.write("3\r\n4a\x1e\r\n").await;
    polling.post.write("2\r\n4b\r\n0\r\n\r\n").await;
    polling.post.reply(false).await.check(200, "ok");
    assert_eq!(polling.packets(2).await, ["4a", "4b"]);
    let asking = head("Content-Length: 2\r\nExpect: 100-continue");
    polling.post.write(asking).await;
    polling.post.reply(false).await.check(100, "");
    polling.post.write("4c").await;
    polling.post.reply(false).await.check(200, "ok");
    polling.poll().await.check(200, "4c");
}

#[tokio::test]
async fn a_body_of_many_small_chunks_arrives_whole() {
    let host = Host::echo(ServerConfig::default()).await;
    let mut polling = host.polling().await;
    let text = format!("4{}", "0123456789".repeat(5000));
    let mut request = format!(
        "POST {} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
        polling.target()
    );
    for character in text.chars() {
        write!(request, "1\r\n{character}\r\n").unwrap();
    }
    request.push_str("0\r\n\r\n");
    polling.post.write(request).await;
    polling.post.reply(false).await.check(200, "ok");
    polling.poll().await.check(200, &text);
}

#[tokio::test]
async fn connections_that_end_with_each_answer_do_not_end_the_session() {
    let host = Host::echo(ServerConfig::default()).await;
    let mut polling = host.polling().await;
    for version in ["1.0", "1.1"] {
        polling.post = host.http().await;
        let head = format!(
            "POST {} HTTP/{version}\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\n4a",
            polling.target()
        );
        polling.post.write(head).await;
        polling.post.reply(false).await.check(200, "ok");
        assert!(polling.post.is_ended().await);
        polling.get = host.http().await;
        let head = format!(
            "GET {} HTTP/{version}\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            polling.target()
        );
        polling.get.write(head).await;
        polling.parked().await.check(200, "4a");
        assert!(polling.get.is_ended().await);
    }
}

#[tokio::test]
async fn a_post_is_answered_when_the_owner_has_taken_its_messages() {
    let host = Host::new(ServerConfig::default()).await;
    let (mut polling, mut socket) = host.polling_pair().await;
    let reply = {
        let mut post = Box::pin(polling.post("4a\x1e4b"));
        not_yet(&mut post).await;
        assert_eq!(soon(socket.recv()).await, Some("a".into()));
        post.await
    };
    reply.check(200, "ok");
    assert_eq!(soon(socket.recv()).await, Some("b".into()));
}

#[tokio::test]
async fn a_second_get_closes_the_session() {
    let host = Host::new(ServerConfig::default()).await;
    let (mut polling, socket) = host.polling_pair().await;
    let (sender, driven) = drive(socket);
    polling.park().await;
    until(|| sender.is_writable()).await;
    let target = polling.target();
    host.http().await.get(&target).await.check(400, "");
    polling.parked().await.check(200, "1");
    check_end(driven, &[], CloseReason::TransportError).await;
    assert_eq!(host.server.sessions(), 0);
    let gone = r#"{"code":1,"message":"Session ID unknown"}"#;
    polling.poll().await.check(400, gone);
}

#[tokio::test]
async fn a_second_post_closes_the_session() {
    let host = Host::new(ServerConfig::default()).await;
    let (mut polling, socket) = host.polling_pair().await;
    let (sender, driven) = drive(socket);
    polling.park().await;
    until(|| sender.is_writable()).await;
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n",
        polling.target()
    );
    let mut first = host.http().await;
    first.write(format!("{head}4half")).await;
    let mut second = host.http().await;
    second.write(&head).await;
    // Whichever the server saw first is cut off, the other one is refused.
    let replies = tokio::join!(first.reply(false), second.reply(false));
    assert_eq!((replies.0.status, replies.1.status), (400, 400));
    polling.parked().await.check(200, "1");
    check_end(driven, &[], CloseReason::TransportError).await;
}

#[tokio::test]
async fn binary_bodies_close_the_session() {
    let host = Host::new(ServerConfig::default()).await;
    let (mut polling, socket) = host.polling_pair().await;
    let (sender, driven) = drive(socket);
    polling.park().await;
    until(|| sender.is_writable()).await;
    let headers = "Content-Type: application/octet-stream\r\n";
    polling.post_with(headers, "4a").await.check(400, "");
    polling.parked().await.check(200, "1");
    check_end(driven, &[], CloseReason::TransportError).await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_and_the_session_lives_on() {
    let host = Host::echo(ServerConfig::default().max_payload(1000)).await;
    let mut polling = host.polling().await;
    for length in [999, 1000] {
        polling.say(format!("4{}", "x".repeat(length - 1))).await;
        assert_eq!(polling.poll().await.body.len(), length);
    }
    let large = format!("4{}", "x".repeat(1000));
    polling.post(&large).await.check(413, "");
    let target = polling.target();
    let chunked =
        format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    polling.post.write(chunked).await;
    polling
        .post
        .write(format!("3e9\r\n{large}\r\n0\r\n\r\n"))
        .await;
    polling.post.reply(false).await.check(413, "");
    // Far too large: not read to its end, so the connection does not live on, but the session does.
    let mut endless = Http::connect(host.address).await;
    let head =
        format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n");
    endless.write(head).await;
    endless.write("x".repeat(8001)).await;
    endless.reply(false).await.check(413, "");
    polling.say("4a").await;
    polling.poll().await.check(200, "4a");
}

#[tokio::test]
async fn a_get_that_is_abandoned_closes_the_session() {
    let host = Host::new(ServerConfig::default()).await;
    for reset in [false, true] {
        let (mut polling, socket) = host.polling_pair().await;
        let (sender, driven) = drive(socket);
        polling.park().await;
        until(|| sender.is_writable()).await;
        if reset {
            polling.get.reset();
        } else {
            drop(polling.get);
        }
        check_end(driven, &[], CloseReason::TransportError).await;
    }
}

#[tokio::test]
async fn a_post_that_is_cut_midway_closes_the_session() {
    let host = Host::new(ServerConfig::default()).await;
    let (mut polling, socket) = host.polling_pair().await;
    let (_sender, driven) = drive(socket);
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n4only the beg",
        polling.target()
    );
    polling.post.write(head).await;
    drop(polling.post);
    check_end(driven, &[], CloseReason::TransportError).await;
}

#[tokio::test]
async fn what_is_no_packet_ends_the_session_after_the_messages_before_it() {
    let host = Host::new(ServerConfig::default().max_payload_packets(3)).await;
    let (mut polling, socket) = host.polling_pair().await;
    let (_sender, driven) = drive(socket);
    for body in ["4a\x1e4b", "4c\x1e4d\x1e4e", "1"] {
        polling.say(body).await;
    }
    let messages = ["a", "b", "c", "d", "e"];
    check_end(driven, &messages, CloseReason::TransportClose).await;
    for (body, messages) in [
        ("", &[][..]),
        ("4a\x1e", &["a"]),
        ("4a\x1e\x1e4b", &["a"]),
        ("4a\x1e4b\x1e7\x1e4c", &["a", "b"]),
        ("4a\x1e4b\x1e4c\x1e4d", &["a", "b", "c"]),
    ] {
        let (mut polling, socket) = host.polling_pair().await;
        let (sender, driven) = drive(socket);
        polling.park().await;
        until(|| sender.is_writable()).await;
        polling.say(body).await;
        polling.parked().await.check(200, "1");
        check_end(driven, messages, CloseReason::ParseError).await;
    }
}

#[tokio::test]
async fn a_close_packet_releases_the_get_with_a_noop() {
    let host = Host::new(ServerConfig::default()).await;
    let (mut polling, socket) = host.polling_pair().await;
    let (sender, driven) = drive(socket);
    polling.park().await;
    until(|| sender.is_writable()).await;
    polling.say("4a\x1e1\x1e4b").await;
    polling.parked().await.check(200, "6");
    check_end(driven, &["a"], CloseReason::TransportClose).await;
}

#[tokio::test]
async fn the_last_messages_are_delivered_to_an_owner_that_is_late() {
    let host = Host::new(ServerConfig::default()).await;
    let (mut polling, mut socket) = host.polling_pair().await;
    polling.say("4a\x1e4b\x1e1").await;
    assert_eq!(soon(socket.recv()).await, Some("a".into()));
    assert_eq!(soon(socket.recv()).await, Some("b".into()));
    assert_eq!(soon(socket.recv()).await, None);
    assert_eq!(socket.close_reason(), Some(CloseReason::TransportClose));
}

#[tokio::test]
async fn a_ping_from_a_client_is_an_error_and_other_packets_mean_nothing() {
    let host = Host::new(ServerConfig::default()).await;
    let (mut polling, socket) = host.polling_pair().await;
    let (_sender, driven) = drive(socket);
    polling.say("3\x1e3\x1e0\x1e5\x1e6\x1e4a").await;
    polling.say("2\x1e4b").await;
    check_end(driven, &["a"], CloseReason::TransportError).await;
}

#[tokio::test]
async fn other_methods_leave_the_session_alone() {
    let host = Host::echo(ServerConfig::default()).await;
    let mut polling = host.polling().await;
    let target = polling.target();
    for method in ["PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"] {
        let reply = host.http().await.request(method, &target, "", b"").await;
        reply.check(500, "");
    }
    polling.say("4a").await;
    polling.poll().await.check(200, "4a");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn order_is_kept_over_polling_while_both_sides_send() {
    const COUNT: usize = 2000;
    let host = Host::new(ServerConfig::default()).await;
    let (mut polling, socket) = host.polling_pair().await;
    let (sender, driven) = drive(socket);
    let sending = tokio::spawn(async move {
        for number in 0..COUNT {
            sender.send(number.to_string()).unwrap();
            if number % 7 == 0 {
                tokio::task::yield_now().await;
            }
        }
    });
    let (mut get, mut post) = (polling.get, polling.post);
    let target = format!("/engine.io/?EIO=4&transport=polling&sid={}", polling.sid);
    let posting = async {
        for chunk in (0..COUNT).collect::<Vec<_>>().chunks(13) {
            let packets: Vec<_> = chunk.iter().map(|number| format!("4{number}")).collect();
            let body = packets.join("\x1e");
            let reply = post.request("POST", &target, "", body.as_bytes()).await;
            reply.check(200, "ok");
        }
        post
    };
    let polled = async {
        let mut numbers: Vec<usize> = Vec::new();
        while numbers.len() < COUNT {
            let reply = get.get(&target).await;
            assert_eq!(reply.status, 200);
            numbers.extend(reply.text().split('\x1e').map(|packet| {
                let number = packet.strip_prefix('4').unwrap();
                number.parse::<usize>().unwrap()
            }));
        }
        numbers
    };
    let (post, numbers) = tokio::join!(posting, polled);
    assert!(numbers.into_iter().eq(0..COUNT));
    soon(sending).await.unwrap();
    polling.post = post;
    polling
        .post
        .request("POST", &target, "", b"1")
        .await
        .check(200, "ok");
    let (messages, _) = soon(driven).await.unwrap();
    assert!(
        messages
            .into_iter()
            .eq((0..COUNT).map(|number| Message::from(number.to_string())))
    );
}
