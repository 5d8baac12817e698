//! The ways a session ends, and what the peer and the user are told.

use super::*;

#[test]
fn a_closing_server_answers_the_parked_get_with_a_close_packet() {
    let mut session = parked_server();
    session.close(at(0));
    check_closed(&mut session, CloseReason::ForcedClose);
    assert_eq!(payload(&mut session), Some("1".into()));
    assert_eq!(payload(&mut session), None);
}

#[test]
fn a_closing_server_waits_for_a_get_to_say_so() {
    let mut session = server(Transport::Polling);
    session.close(at(0));
    assert_eq!(session.state(), ReadyState::Closing);
    session.handle_get().unwrap();
    assert_eq!(payload(&mut session), Some("6|1".into()));
    check_closed(&mut session, CloseReason::ForcedClose);
}

#[test]
fn a_closing_server_sends_what_is_queued_first() {
    let mut session = server(Transport::Polling);
    send(&mut session, "last").unwrap();
    session.close(at(0));
    assert_eq!(send(&mut session, "more"), Err(SendError::Closed));
    session.handle_get().unwrap();
    assert_eq!(payload(&mut session), Some("4last".into()));
    assert_eq!(session.state(), ReadyState::Closing);
    session.handle_get().unwrap();
    assert_eq!(payload(&mut session), Some("6|1".into()));
    check_closed(&mut session, CloseReason::ForcedClose);
}

#[test]
fn a_parked_get_takes_what_is_queued_before_the_close() {
    let mut session = parked_server();
    send(&mut session, "last").unwrap();
    session.close(at(0));
    assert_eq!(payload(&mut session), Some("4last".into()));
    assert_eq!(session.state(), ReadyState::Closing);
    session.handle_get().unwrap();
    assert_eq!(payload(&mut session), Some("6|1".into()));
}

#[test]
fn a_closing_server_pings_no_more() {
    for transport in [Transport::Polling, Transport::WebSocket] {
        let mut session = server(transport);
        send(&mut session, "last").unwrap();
        session.close(at(24_000));
        session.handle_timeout(at(25_000));
        assert_eq!(session.state(), ReadyState::Closing);
        assert_eq!(session.poll_timeout(), Some(at(45_000)), "the ping timeout");
        match transport {
            Transport::Polling => {
                session.handle_get().unwrap();
                assert_eq!(payload(&mut session), Some("4last".into()));
            }
            Transport::WebSocket => assert_eq!(frames(&mut session), ["4last"]),
        }
    }
}

#[test]
fn a_closing_websocket_ends_with_its_last_byte() {
    for session in &mut both(Transport::WebSocket) {
        send(session, "last").unwrap();
        session.close(at(0));
        assert_eq!(frames(session), ["4last"], "and no close packet");
        session.handle_written(session.buffered() - 1);
        assert_eq!(session.state(), ReadyState::Closing);
        session.handle_written(1);
        check_closed(session, CloseReason::ForcedClose);
    }
}

#[test]
fn an_idle_websocket_closes_at_once() {
    for session in &mut both(Transport::WebSocket) {
        session.close(at(0));
        check_closed(session, CloseReason::ForcedClose);
        assert_eq!(frames(session), [""; 0]);
    }
}

#[test]
fn a_websocket_with_bytes_under_way_waits_for_them() {
    for session in &mut both(Transport::WebSocket) {
        send(session, "last").unwrap();
        frames(session);
        session.close(at(0));
        assert_eq!(session.state(), ReadyState::Closing);
        session.handle_written(session.buffered());
        check_closed(session, CloseReason::ForcedClose);
    }
}

#[test]
fn a_peer_that_does_not_take_the_rest_is_given_thirty_seconds() {
    let [stalled, client] = both(Transport::WebSocket);
    for mut session in [server(Transport::Polling), stalled, client] {
        send(&mut session, "last").unwrap();
        session.close(at(1_000));
        session.handle_timeout(at(30_999));
        assert_eq!(session.state(), ReadyState::Closing);
        assert!(session.poll_timeout() <= Some(at(31_000)));
        session.handle_timeout(at(31_000));
        check_closed(&mut session, CloseReason::ForcedClose);
    }
}

#[test]
fn a_late_report_of_written_bytes_does_not_end_a_closing_session_on_polling() {
    for session in &mut both(Transport::Polling) {
        session.close(at(0));
        session.handle_written(10);
        assert_eq!(session.state(), ReadyState::Closing);
    }
}

#[test]
fn closing_twice_does_not_prolong_the_end() {
    let mut session = server(Transport::Polling);
    session.close(at(1_000));
    session.close(at(20_000));
    session.handle_timeout(at(31_000));
    check_closed(&mut session, CloseReason::ForcedClose);
}

#[test]
fn messages_that_arrive_while_closing_are_dropped() {
    for transport in [Transport::Polling, Transport::WebSocket] {
        for session in &mut both(transport) {
            send(session, "last").unwrap();
            session.close(at(0));
            assert_eq!(receive(session, 1, "4hi"), None);
            assert_eq!(session.state(), ReadyState::Closing);
            assert_eq!(session.buffered(), Frame::message("last").len());
        }
    }
}

#[test]
fn a_closing_server_ignores_what_is_no_packet() {
    let mut session = server(Transport::Polling);
    session.close(at(0));
    session.handle_garbage(Transport::Polling);
    assert_eq!(session.state(), ReadyState::Closing);
    session.handle_get().unwrap();
    assert_eq!(payload(&mut session), Some("6|1".into()));
    check_closed(&mut session, CloseReason::ForcedClose);
}

#[test]
fn messages_after_the_end_are_refused_and_dropped() {
    for transport in [Transport::Polling, Transport::WebSocket] {
        for session in &mut both(transport) {
            session.abort();
            assert_eq!(send(session, "hi"), Err(SendError::Closed));
            assert_eq!(receive(session, 1, "4hi"), None);
        }
    }
}

#[test]
fn a_close_packet_ends_the_session_and_the_parked_get_gets_a_noop() {
    let mut session = parked_server();
    session.handle_post().unwrap();
    assert_eq!(receive(&mut session, 1, "4a"), Some("a".into()));
    assert_eq!(receive(&mut session, 1, "1"), None);
    assert_eq!(receive(&mut session, 1, "4b"), None, "behind the close");
    session.handle_post_done();
    assert!(session.peer_closed());
    check_closed(&mut session, CloseReason::TransportClose);
    assert_eq!(payload(&mut session), Some("6".into()));
}

#[test]
fn a_close_packet_ends_a_client() {
    let mut session = client(Transport::Polling);
    session.handle_get().unwrap();
    assert_eq!(receive(&mut session, 1, "6"), None);
    assert_eq!(receive(&mut session, 1, "1"), None);
    session.handle_get_done();
    assert!(session.peer_closed());
    check_closed(&mut session, CloseReason::TransportClose);
    assert_eq!(payload(&mut session), None, "the server knows");
}

#[test]
fn a_close_packet_ends_a_session_that_is_closing() {
    for session in &mut both(Transport::Polling) {
        send(session, "last").unwrap();
        session.close(at(0));
        receive(session, 1, "1");
        assert!(session.peer_closed());
        check_closed(session, CloseReason::TransportClose);
    }
}

#[test]
fn a_close_packet_on_a_websocket_is_ignored() {
    for session in &mut both(Transport::WebSocket) {
        receive(session, 1, "1");
        assert_eq!(session.state(), ReadyState::Open);
        assert!(!session.peer_closed());
        assert_eq!(receive(session, 1, "4hi"), Some("hi".into()));
    }
}

#[test]
fn a_client_posts_what_is_queued_and_then_a_close_packet() {
    let mut session = client(Transport::Polling);
    session.handle_get().unwrap();
    send(&mut session, "last").unwrap();
    session.close(at(0));
    assert_eq!(payload(&mut session), Some("4last".into()));
    assert_eq!(payload(&mut session), None, "one POST at a time");
    session.handle_post_done();
    assert_eq!(session.state(), ReadyState::Closing);
    assert_eq!(payload(&mut session), Some("1".into()));
    assert_eq!(session.state(), ReadyState::Closing);
    session.handle_post_done();
    check_closed(&mut session, CloseReason::ForcedClose);
    assert!(!session.peer_closed(), "it was this side");
}

#[test]
fn a_closing_client_waits_for_the_post_that_is_under_way() {
    let mut session = client(Transport::Polling);
    send(&mut session, "first").unwrap();
    payload(&mut session).unwrap();
    session.close(at(0));
    assert_eq!(payload(&mut session), None);
    session.handle_post_done();
    assert_eq!(session.state(), ReadyState::Closing);
    assert_eq!(payload(&mut session), Some("1".into()));
}

#[test]
fn a_closing_client_polls_no_more() {
    let mut session = client(Transport::Polling);
    session.close(at(0));
    assert!(!session.poll_get());
}

#[test]
fn the_loss_of_the_transport_ends_the_session_with_its_reason() {
    for reason in [CloseReason::TransportClose, CloseReason::TransportError] {
        for session in &mut both(Transport::WebSocket) {
            send(session, "never sent").unwrap();
            session.handle_transport_closed(reason);
            assert_eq!(session.peer_closed(), reason == CloseReason::TransportClose);
            check_closed(session, reason);
            assert_eq!(frames(session), [""; 0]);
        }
    }
}

#[test]
fn an_abort_discards_what_is_queued() {
    for transport in [Transport::Polling, Transport::WebSocket] {
        for session in &mut both(transport) {
            send(session, "never sent").unwrap();
            session.abort();
            check_closed(session, CloseReason::ForcedClose);
            assert_eq!(frames(session), [""; 0]);
        }
    }
}

#[test]
fn a_parked_get_takes_what_was_queued_before_an_abort() {
    let mut session = parked_server();
    send(&mut session, "last").unwrap();
    session.abort();
    check_closed(&mut session, CloseReason::ForcedClose);
    assert_eq!(payload(&mut session), Some("4last".into()));
    check_closed(&mut session, CloseReason::ForcedClose);
}

#[test]
fn a_get_that_is_of_no_use_keeps_nothing_of_an_aborted_session() {
    let mut client = client(Transport::Polling);
    client.handle_get().unwrap();
    let mut upgraded = server(Transport::Polling);
    assert!(upgraded.handle_candidate(at(0)));
    receive_on_candidate(&mut upgraded, 0, "5");
    upgraded.handle_get().unwrap();
    for mut session in [client, upgraded] {
        send(&mut session, "never sent").unwrap();
        session.abort();
        assert_eq!(session.buffered(), 0);
        assert_eq!(frames(&mut session), [""; 0]);
    }
}

#[test]
fn the_first_reason_stays() {
    let mut session = server(Transport::WebSocket);
    session.handle_transport_closed(CloseReason::TransportClose);
    session.abort();
    session.handle_garbage(Transport::WebSocket);
    session.handle_transport_closed(CloseReason::TransportError);
    check_closed(&mut session, CloseReason::TransportClose);
}

#[test]
fn a_late_get_of_a_closed_session_learns_it() {
    let mut session = server(Transport::Polling);
    session.abort();
    session.handle_get().unwrap();
    assert_eq!(payload(&mut session), Some("1".into()));
}

#[test]
fn reasons_have_the_reference_s_words() {
    for (reason, words) in [
        (CloseReason::ForcedClose, "forced close"),
        (CloseReason::ParseError, "parse error"),
        (CloseReason::PingTimeout, "ping timeout"),
        (CloseReason::TransportClose, "transport close"),
        (CloseReason::TransportError, "transport error"),
    ] {
        assert_eq!(reason.to_string(), words);
    }
}
