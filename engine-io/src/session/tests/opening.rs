//! The open packet: what precedes and what follows it.

use super::*;

#[test]
fn a_server_writes_the_open_packet_first() {
    let mut session = new_server(Transport::WebSocket);
    assert_eq!(session.state(), ReadyState::Open);
    send(&mut session, "hi").unwrap();
    assert_eq!(frames(&mut session), [OPEN_PACKET, "4hi"]);
}

#[test]
fn the_answer_to_the_first_get_begins_with_the_open_packet() {
    let mut session = new_server(Transport::Polling);
    send(&mut session, "hi").unwrap();
    assert_eq!(payload(&mut session), None, "no GET is parked");
    session.handle_get().unwrap();
    assert_eq!(payload(&mut session), Some(format!("{OPEN_PACKET}|4hi")));
}

#[test]
fn the_open_packet_opens_a_client() {
    for transport in [Transport::Polling, Transport::WebSocket] {
        let mut session = Session::client(&SessionConfig::default(), transport);
        assert_eq!(session.state(), ReadyState::Opening);
        assert_eq!(session.poll_timeout(), None);
        assert_eq!(session.handshake(), None);
        receive(&mut session, 0, OPEN_PACKET);
        assert_eq!(session.state(), ReadyState::Open);
        assert_eq!(session.handshake(), Some(&handshake()));
    }
}

#[test]
fn a_client_polls_for_the_open_packet_and_posts_after_it() {
    let mut session = Session::client(&SessionConfig::default(), Transport::Polling);
    send(&mut session, "early").unwrap();
    assert_eq!(payload(&mut session), None);
    assert!(session.poll_get());
    session.handle_get().unwrap();
    assert!(!session.poll_get());
    receive(&mut session, 0, OPEN_PACKET);
    session.handle_get_done();
    assert_eq!(payload(&mut session), Some("4early".into()));
}

#[test]
fn messages_in_the_handshake_answer_count() {
    let mut session = Session::client(&SessionConfig::default(), Transport::Polling);
    receive(&mut session, 0, OPEN_PACKET);
    assert_eq!(receive(&mut session, 0, "4hi"), Some("hi".into()));
}

#[test]
fn any_other_first_packet_fails_the_opening() {
    for packet in ["1", "2", "3", "4hi", "5", "6"] {
        let mut session = Session::client(&SessionConfig::default(), Transport::WebSocket);
        assert_eq!(receive(&mut session, 0, packet), None);
        check_closed(&mut session, CloseReason::TransportError);
    }
}

#[test]
fn an_unreadable_handshake_fails_the_opening() {
    let mut session = Session::client(&SessionConfig::default(), Transport::Polling);
    receive(&mut session, 0, "0{}");
    check_closed(&mut session, CloseReason::ParseError);
    assert_eq!(session.handshake(), None);
}

#[test]
fn a_client_may_close_while_it_opens() {
    let mut session = Session::client(&SessionConfig::default(), Transport::Polling);
    send(&mut session, "early").unwrap();
    session.close(at(0));
    check_closed(&mut session, CloseReason::ForcedClose);
    receive(&mut session, 0, OPEN_PACKET);
    check_closed(&mut session, CloseReason::ForcedClose);
}

#[test]
fn packets_without_a_meaning_are_ignored_once_open() {
    for transport in [Transport::Polling, Transport::WebSocket] {
        for session in &mut both(transport) {
            for packet in [OPEN_PACKET, "0", "5", "6"] {
                assert_eq!(receive(session, 1, packet), None);
            }
            assert_eq!(session.state(), ReadyState::Open);
            assert_eq!(session.transport(), transport);
            assert_eq!(session.buffered(), 0);
        }
    }
}

#[test]
fn garbage_is_a_parse_error_of_servers_and_a_transport_error_of_clients() {
    for transport in [Transport::Polling, Transport::WebSocket] {
        for session in &mut both(transport) {
            session.handle_garbage(transport);
            check_closed(
                session,
                match session.side {
                    Side::Server => CloseReason::ParseError,
                    Side::Client => CloseReason::TransportError,
                },
            );
        }
    }
}

#[test]
fn messages_come_out_as_they_went_in() {
    for transport in [Transport::Polling, Transport::WebSocket] {
        for session in &mut both(transport) {
            assert_eq!(receive(session, 1, "4"), Some("".into()));
            assert_eq!(receive(session, 1, "4h€"), Some("h€".into()));
            assert_eq!(receive(session, 1, "baGk="), Some("b\"hi\"".into()));
        }
    }
}
