//! What is queued: writability, batches and the limit of the outbox.

use super::*;

#[test]
fn a_polling_server_is_writable_while_an_unused_get_is_parked() {
    let mut session = server(Transport::Polling);
    assert!(!session.is_writable(), "no GET is parked");
    session.handle_get().unwrap();
    assert!(session.is_writable());
    send(&mut session, "first").unwrap();
    assert!(!session.is_writable(), "the GET is taken");
    payload(&mut session);
    assert!(!session.is_writable(), "the GET is answered");
}

#[test]
fn a_polling_client_is_writable_while_no_post_is_under_way() {
    let mut session = client(Transport::Polling);
    assert!(session.is_writable());
    send(&mut session, "first").unwrap();
    assert!(!session.is_writable(), "the next POST is taken");
    payload(&mut session);
    assert!(!session.is_writable(), "the POST is under way");
    session.handle_post_done();
    assert!(session.is_writable());
}

#[test]
fn a_websocket_is_writable_when_the_last_byte_has_left() {
    for session in &mut both(Transport::WebSocket) {
        assert!(session.is_writable());
        send(session, "first").unwrap();
        assert!(!session.is_writable());
        let size = session.buffered();
        frames(session);
        assert!(!session.is_writable(), "handed over is not written");
        session.handle_written(size - 1);
        assert!(!session.is_writable());
        session.handle_written(1);
        assert!(session.is_writable());
    }
}

#[test]
fn only_an_open_session_is_writable() {
    let opening = Session::client(&SessionConfig::default(), Transport::WebSocket);
    assert!(!opening.is_writable());

    let mut session = server(Transport::Polling);
    session.close(at(0));
    session.handle_get().unwrap();
    assert_eq!(session.state(), ReadyState::Closing);
    assert!(!session.is_writable());

    for session in &mut both(Transport::WebSocket) {
        session.abort();
        assert!(!session.is_writable());
    }
}

/// Three packets of four bytes are 4, 9 and 14 bytes with their separators.
#[test]
fn a_client_posts_what_fits_the_server_s_limit() {
    for (limit, bodies) in [
        (14, &["4aaa|4bbb|4ccc"][..]),
        (13, &["4aaa|4bbb", "4ccc"]),
        (9, &["4aaa|4bbb", "4ccc"]),
        (8, &["4aaa", "4bbb", "4ccc"]),
        (4, &["4aaa", "4bbb", "4ccc"]),
        (0, &["4aaa", "4bbb", "4ccc"]),
    ] {
        let mut session = client(Transport::Polling);
        for text in ["aaa", "bbb", "ccc"] {
            send(&mut session, text).unwrap();
        }
        for &body in bodies {
            assert_eq!(limited_payload(&mut session, limit).as_deref(), Some(body));
            session.handle_post_done();
        }
        assert_eq!(limited_payload(&mut session, limit), None);
        assert_eq!(session.buffered(), 0);
    }
}

#[test]
fn binary_counts_as_its_base64_in_a_batch() {
    // Each of `bAAAA` and `bAAAAAA==` with its separator.
    for (limit, count) in [(15, 2), (14, 1), (5, 1)] {
        let mut session = client(Transport::Polling);
        let pair = [Frame::binary(&[0; 3]), Frame::binary(&[0; 4])];
        session.send(pair.iter()).unwrap();
        assert_eq!(session.poll_payload(limit).map(|it| it.len()), Some(count));
    }
}

#[test]
fn a_packet_larger_than_the_limit_goes_alone() {
    let mut session = client(Transport::Polling);
    for text in ["a", "this one is long", "b"] {
        send(&mut session, text).unwrap();
    }
    for body in ["4a", "4this one is long", "4b"] {
        assert_eq!(limited_payload(&mut session, 5), Some(body.into()));
        session.handle_post_done();
    }
}

#[test]
fn a_full_outbox_refuses_and_recovers() {
    // A frame of a short message is its text, the packet type and two bytes of header.
    for (limit, expected) in [(9, 5), (10, 10), (11, 10)] {
        let mut session = limited_server(Transport::WebSocket, limit);
        send(&mut session, "ab").unwrap();
        assert_eq!(send(&mut session, "cd").is_ok(), expected == 10);
        assert_eq!(session.buffered(), expected);
    }
    let mut session = limited_server(Transport::WebSocket, 10);
    send(&mut session, "ab").unwrap();
    send(&mut session, "cd").unwrap();
    let full = SendError::Full {
        buffered: 10,
        limit: 10,
    };
    assert_eq!(send(&mut session, ""), Err(full));
    assert_eq!(
        full.to_string(),
        "outbox is full: 10 bytes wait, the limit is 10"
    );
    assert_eq!(frames(&mut session), ["4ab", "4cd"]);
    assert_eq!(send(&mut session, ""), Err(full), "still being written");
    session.handle_written(5);
    send(&mut session, "ef").unwrap();
    assert_eq!(frames(&mut session), ["4ef"]);
    assert_eq!(session.state(), ReadyState::Open);
}

#[test]
fn a_full_outbox_recovers_when_a_get_takes_it() {
    let mut session = limited_server(Transport::Polling, 10);
    send(&mut session, "abcdefg").unwrap();
    assert!(send(&mut session, "x").is_err());
    session.handle_get().unwrap();
    assert_eq!(payload(&mut session), Some("4abcdefg".into()));
    send(&mut session, "x").unwrap();
}

#[test]
fn an_empty_outbox_takes_one_message_of_any_size() {
    let mut session = limited_server(Transport::WebSocket, 10);
    send(&mut session, "longer than the limit").unwrap();
    assert!(send(&mut session, "").is_err());
}

#[test]
fn a_message_that_does_not_fit_leaves_none_of_its_frames() {
    let mut session = limited_server(Transport::WebSocket, 20);
    send(&mut session, "a").unwrap();
    let parts = [Frame::message("header"), Frame::binary(b"attachment")];
    assert!(session.send(parts.iter()).is_err());
    assert_eq!(frames(&mut session), ["4a"]);
}

#[test]
fn the_heartbeat_passes_a_full_outbox() {
    let mut session = limited_server(Transport::WebSocket, 10);
    send(&mut session, "abcdefg").unwrap();
    session.handle_timeout(at(25_000));
    assert_eq!(frames(&mut session), ["4abcdefg", "2"]);
}

#[test]
fn a_flood_of_pings_does_not_fill_the_outbox() {
    for transport in [Transport::Polling, Transport::WebSocket] {
        let mut session = client(transport);
        assert_eq!(session.buffered(), 0);
        for _ in 0..1_000 {
            receive(&mut session, 1, "2");
            assert_eq!(session.buffered(), Frame::text(b'3', 0).finish().len());
        }
    }
}

#[test]
fn what_must_be_said_goes_beyond_the_limit_but_not_far() {
    for transport in [Transport::Polling, Transport::WebSocket] {
        let mut session = limited_server(transport, 10);
        send(&mut session, "abcdefg").unwrap();
        assert!(send(&mut session, "x").is_err());
        let mut reserved = 0;
        let bye = Frame::message(&"bye".repeat(100));
        let full = loop {
            match session.send_reserved([&bye].into_iter()) {
                Ok(()) => reserved += bye.len(),
                Err(error) => break error,
            }
        };
        let limit = 10 + 64 * 1024;
        assert_eq!(reserved, (limit - 10) / bye.len() * bye.len());
        let buffered = 10 + reserved;
        assert_eq!(full, SendError::Full { buffered, limit });
        assert_eq!(session.buffered(), buffered);
    }
    for (size, fits) in [(65_535, true), (65_536, true), (65_537, false)] {
        let mut session = limited_server(Transport::WebSocket, 10);
        send(&mut session, "abcdefg").unwrap();
        let bye = Frame::message(&"x".repeat(size - 5));
        assert_eq!(bye.len(), size);
        assert_eq!(session.send_reserved([&bye].into_iter()).is_ok(), fits);
    }
    let mut session = limited_server(Transport::WebSocket, 10);
    session.abort();
    let sent = session.send_reserved([Frame::message("bye")].iter());
    assert_eq!(sent, Err(SendError::Closed));
}

#[test]
fn a_writer_has_its_turn_when_it_has_written() {
    for session in &mut both(Transport::WebSocket) {
        assert!(!session.has_turn(), "nothing is queued");
        send(session, "ab").unwrap();
        assert!(session.has_turn());
        frames(session);
        send(session, "cd").unwrap();
        assert!(!session.has_turn(), "it is still writing");
        session.handle_written(5);
        assert!(session.has_turn());
    }
    let mut session = server(Transport::Polling);
    send(&mut session, "ab").unwrap();
    assert!(!session.has_turn(), "a poll fetches it");
}

#[test]
fn a_session_is_drained_when_the_last_byte_has_left() {
    for session in &mut both(Transport::WebSocket) {
        assert_eq!(session.drained(), Some(Ok(())));
        send(session, "ab").unwrap();
        assert_eq!(session.drained(), None);
        frames(session);
        session.handle_written(4);
        assert_eq!(session.drained(), None);
        session.handle_written(1);
        assert_eq!(session.drained(), Some(Ok(())));
    }
    let mut session = server(Transport::Polling);
    send(&mut session, "ab").unwrap();
    assert_eq!(session.drained(), None);
    session.handle_get().unwrap();
    payload(&mut session).unwrap();
    assert_eq!(session.drained(), Some(Ok(())));
}

#[test]
fn an_end_says_whether_something_was_lost() {
    for session in &mut both(Transport::WebSocket) {
        send(session, "ab").unwrap();
        session.close(at(0));
        assert_eq!(session.drained(), None, "it may still leave");
        frames(session);
        session.handle_written(5);
        check_closed(session, CloseReason::ForcedClose);
        assert_eq!(session.drained(), Some(Ok(())));
    }
    for transport in [Transport::Polling, Transport::WebSocket] {
        for session in &mut both(transport) {
            send(session, "ab").unwrap();
            session.handle_transport_closed(CloseReason::TransportClose);
            assert_eq!(session.drained(), Some(Err(CloseReason::TransportClose)));
        }
        for session in &mut both(transport) {
            session.abort();
            assert_eq!(session.drained(), Some(Ok(())), "there was nothing to lose");
        }
    }
    // What a parked GET takes along is not lost.
    let mut session = parked_server();
    send(&mut session, "ab").unwrap();
    session.abort();
    assert_eq!(session.drained(), Some(Ok(())));
    assert_eq!(payload(&mut session), Some("4ab".into()));
}

#[test]
fn what_a_client_posts_waits_until_the_post_is_answered() {
    let mut session = client(Transport::Polling);
    send(&mut session, "a").unwrap();
    assert!(session.has_turn());
    assert_eq!(payload(&mut session).as_deref(), Some("4a"));
    send(&mut session, "b").unwrap();
    assert!(!session.has_turn() && !session.is_writable());
    assert_eq!(session.buffered(), 8);
    session.handle_post_done();
    assert_eq!(session.buffered(), 4);
    assert!(session.has_turn());
    assert_eq!(payload(&mut session).as_deref(), Some("4b"));
    session.handle_post_done();
    assert!(session.is_writable());
    assert_eq!(session.drained(), Some(Ok(())));
}
