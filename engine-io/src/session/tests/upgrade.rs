//! The rules of the upgrade, one side at a time.

use super::*;

/// A server whose candidate has probed, and whose answer has left.
fn probed_server() -> Session {
    let mut session = server(Transport::Polling);
    assert!(session.handle_candidate(at(0)));
    receive_on_candidate(&mut session, 0, "2probe");
    assert_eq!(candidate_packet(&mut session), Some("3probe".into()));
    session
}

/// A client whose probe has left.
fn probing_client() -> Session {
    let mut session = client(Transport::Polling);
    assert!(session.handle_candidate(at(0)));
    assert_eq!(candidate_packet(&mut session), Some("2probe".into()));
    session
}

/// The session goes on over polling as if there had been no candidate, and takes another one.
#[track_caller]
fn check_still_polling(session: &mut Session) {
    assert_eq!(session.state(), ReadyState::Open);
    assert_eq!(session.transport(), Transport::Polling);
    assert!(!session.is_upgrading());
    assert_eq!(candidate_packet(session), None);
    if session.side == Side::Server {
        session.handle_get().unwrap();
        assert_eq!(payload(session), None, "the GET is parked again");
        send(session, "hi").unwrap();
        assert_eq!(payload(session), Some("4hi".into()));
    } else {
        assert!(session.poll_get());
        send(session, "hi").unwrap();
        assert_eq!(payload(session), Some("4hi".into()));
        session.handle_post_done();
    }
    assert!(session.handle_candidate(at(20_000)), "another candidate");
    assert!(session.is_upgrading());
}

#[test]
fn a_server_answers_the_probe_and_switches_on_the_upgrade_packet() {
    let mut session = probed_server();
    assert_eq!(session.transport(), Transport::Polling);
    assert_eq!(candidate_packet(&mut session), None, "one answer");
    receive_on_candidate(&mut session, 1, "5");
    assert_eq!(session.transport(), Transport::WebSocket);
    assert!(!session.is_upgrading());
    assert_eq!(candidate_packet(&mut session), None);
    assert_eq!(frames(&mut session), [""; 0], "no answer to the upgrade");
    assert_eq!(session.poll_timeout(), Some(at(25_000)), "the ping only");
}

#[test]
fn an_upgrade_packet_without_a_probe_is_accepted() {
    let mut session = server(Transport::Polling);
    assert!(session.handle_candidate(at(0)));
    receive_on_candidate(&mut session, 0, "5");
    assert_eq!(session.transport(), Transport::WebSocket);
}

#[test]
fn the_probe_releases_the_parked_get() {
    let mut session = parked_server();
    assert!(session.handle_candidate(at(0)));
    assert_eq!(payload(&mut session), None, "not before the probe");
    receive_on_candidate(&mut session, 0, "2probe");
    assert_eq!(payload(&mut session), Some("6".into()));
    session.handle_get().unwrap();
    assert_eq!(
        payload(&mut session),
        Some("6".into()),
        "nor is a later one parked"
    );
}

#[test]
fn a_get_that_is_parked_at_the_switch_gets_a_close_packet() {
    let mut session = parked_server();
    assert!(session.handle_candidate(at(0)));
    receive_on_candidate(&mut session, 0, "5");
    assert_eq!(payload(&mut session), Some("1".into()));
    assert_eq!(session.state(), ReadyState::Open);
}

#[test]
fn a_get_after_the_switch_gets_a_close_packet_and_no_message() {
    let mut session = probed_server();
    receive_on_candidate(&mut session, 0, "5");
    send(&mut session, "hi").unwrap();
    session.handle_get().unwrap();
    assert_eq!(payload(&mut session), Some("1".into()));
    assert_eq!(frames(&mut session), ["4hi"]);
    assert_eq!(session.state(), ReadyState::Open);
}

#[test]
fn a_get_aborted_after_the_switch_changes_nothing() {
    let mut session = parked_server();
    assert!(session.handle_candidate(at(0)));
    receive_on_candidate(&mut session, 0, "5");
    session.handle_get_done();
    assert_eq!(session.state(), ReadyState::Open);
}

#[test]
fn messages_leave_by_the_get_while_upgrading_and_by_websocket_after_it() {
    let mut session = probed_server();
    session.handle_get().unwrap();
    send(&mut session, "a").unwrap();
    assert_eq!(payload(&mut session), Some("4a".into()));
    send(&mut session, "b").unwrap();
    assert_eq!(frames(&mut session), [""; 0]);
    receive_on_candidate(&mut session, 0, "5");
    send(&mut session, "c").unwrap();
    assert_eq!(frames(&mut session), ["4b", "4c"]);
}

#[test]
fn packets_of_the_left_transport_are_ignored() {
    let mut session = probed_server();
    receive_on_candidate(&mut session, 0, "5");
    for packet in ["4hi", "1", "2"] {
        assert_eq!(
            receive_over(&mut session, 1, Transport::Polling, packet),
            None
        );
    }
    session.handle_garbage(Transport::Polling);
    assert_eq!(session.state(), ReadyState::Open);
}

#[test]
fn packets_of_the_coming_transport_are_no_packets_of_the_session() {
    let mut session = probed_server();
    assert_eq!(
        receive_over(&mut session, 1, Transport::WebSocket, "4hi"),
        None
    );
    assert_eq!(session.state(), ReadyState::Open);
}

#[test]
fn another_packet_on_the_candidate_fails_the_upgrade_only() {
    for packet in ["0", "1", "2", "2other", "3probe", "4hi", "6"] {
        let mut session = server(Transport::Polling);
        assert!(session.handle_candidate(at(0)));
        receive_on_candidate(&mut session, 0, packet);
        check_still_polling(&mut session);
    }
    for packet in ["0", "1", "2probe", "3", "3other", "4hi", "5", "6"] {
        let mut session = probing_client();
        receive_on_candidate(&mut session, 0, packet);
        check_still_polling(&mut session);
    }
}

#[test]
fn a_wrong_packet_after_the_probe_fails_the_upgrade_only() {
    let mut session = probed_server();
    receive_on_candidate(&mut session, 0, "4hi");
    check_still_polling(&mut session);
}

#[test]
fn a_probe_that_is_repeated_is_answered_again() {
    let mut session = probed_server();
    receive_on_candidate(&mut session, 1, "2probe");
    assert_eq!(candidate_packet(&mut session), Some("3probe".into()));
    assert_eq!(candidate_packet(&mut session), None);
    // The deadline is that of the candidate, however often it probes.
    assert_eq!(session.poll_timeout(), Some(at(10_000)));
    receive_on_candidate(&mut session, 2, "5");
    assert_eq!(session.transport(), Transport::WebSocket);
}

#[test]
fn a_lost_candidate_fails_the_upgrade_only() {
    let mut session = server(Transport::Polling);
    assert!(session.handle_candidate(at(0)));
    for mut session in [session, probed_server(), probing_client()] {
        session.handle_candidate_closed();
        check_still_polling(&mut session);
    }
}

#[test]
fn a_slow_upgrade_is_given_up_at_its_deadline() {
    let mut session = server(Transport::Polling);
    assert!(session.handle_candidate(at(0)));
    for mut session in [session, probed_server(), probing_client()] {
        assert_eq!(session.poll_timeout(), Some(at(10_000)));
        session.handle_timeout(at(9_999));
        assert!(session.is_upgrading());
        session.handle_timeout(at(10_000));
        check_still_polling(&mut session);
    }
}

#[test]
fn a_failed_candidate_leaves_no_packet_for_the_next_one() {
    let mut session = server(Transport::Polling);
    assert!(session.handle_candidate(at(0)));
    receive_on_candidate(&mut session, 0, "2probe");
    session.handle_candidate_closed();
    assert!(session.handle_candidate(at(1)));
    assert_eq!(candidate_packet(&mut session), None, "it has not probed");
}

#[test]
fn a_second_candidate_is_refused() {
    for mut session in [probed_server(), probing_client()] {
        assert!(!session.handle_candidate(at(1)), "one is being tried");
        assert!(session.is_upgrading());
    }
    let mut session = probed_server();
    receive_on_candidate(&mut session, 1, "5");
    assert!(!session.handle_candidate(at(1)), "the upgrade is done");
    for session in &mut both(Transport::WebSocket) {
        assert!(!session.handle_candidate(at(1)), "no need");
    }
    for session in &mut both(Transport::Polling) {
        session.abort();
        assert!(!session.handle_candidate(at(1)), "too late");
    }
    let mut session = Session::client(&SessionConfig::default(), Transport::Polling);
    assert!(!session.handle_candidate(at(1)), "too early");
}

#[test]
fn a_client_pauses_until_its_get_and_post_are_back() {
    let mut session = probing_client();
    session.handle_get().unwrap();
    send(&mut session, "a").unwrap();
    assert_eq!(
        payload(&mut session),
        Some("4a".into()),
        "probing stops nothing"
    );
    receive_on_candidate(&mut session, 1, "3probe");
    assert_eq!(candidate_packet(&mut session), None);

    send(&mut session, "b").unwrap();
    session.handle_post_done();
    assert_eq!(payload(&mut session), None, "no further POST");
    assert_eq!(candidate_packet(&mut session), None, "the GET is still out");
    assert_eq!(frames(&mut session), [""; 0]);

    assert_eq!(receive(&mut session, 1, "4hi"), Some("hi".into()));
    session.handle_get_done();
    assert!(!session.poll_get(), "no further GET");
    assert_eq!(session.transport(), Transport::Polling);
    assert_eq!(candidate_packet(&mut session), Some("5".into()));
    assert_eq!(session.transport(), Transport::WebSocket);
    assert!(!session.is_upgrading());
    assert_eq!(frames(&mut session), ["4b"]);
}

#[test]
fn a_client_waits_for_its_post_too() {
    let mut session = probing_client();
    send(&mut session, "a").unwrap();
    payload(&mut session).unwrap();
    receive_on_candidate(&mut session, 1, "3probe");
    assert_eq!(candidate_packet(&mut session), None);
    session.handle_post_done();
    assert_eq!(candidate_packet(&mut session), Some("5".into()));
}

#[test]
fn a_client_that_gives_up_while_pausing_polls_again() {
    for lost in [false, true] {
        let mut session = probing_client();
        session.handle_get().unwrap();
        receive_on_candidate(&mut session, 1, "3probe");
        if lost {
            session.handle_candidate_closed();
        } else {
            session.handle_timeout(at(10_000));
        }
        session.handle_get_done();
        check_still_polling(&mut session);
    }
}

#[test]
fn the_end_of_the_session_ends_the_upgrade() {
    for mut session in [probed_server(), probing_client()] {
        session.abort();
        check_closed(&mut session, CloseReason::ForcedClose);
        assert_eq!(candidate_packet(&mut session), None);
        receive_on_candidate(&mut session, 1, "5");
        check_closed(&mut session, CloseReason::ForcedClose);
    }
}

#[test]
fn a_server_that_closes_during_the_upgrade_tells_the_parked_get() {
    let mut session = parked_server();
    assert!(session.handle_candidate(at(0)));
    session.close(at(1));
    check_closed(&mut session, CloseReason::ForcedClose);
    assert_eq!(payload(&mut session), Some("1".into()));
}

#[test]
fn a_closing_server_flushes_to_the_new_transport() {
    let mut session = probed_server();
    send(&mut session, "last").unwrap();
    session.close(at(1));
    receive_on_candidate(&mut session, 2, "5");
    assert_eq!(session.state(), ReadyState::Closing);
    assert_eq!(frames(&mut session), ["4last"]);
    session.handle_written(session.buffered());
    check_closed(&mut session, CloseReason::ForcedClose);
}

#[test]
fn a_closing_client_with_an_empty_outbox_ends_at_the_switch() {
    let mut session = probing_client();
    session.handle_get().unwrap();
    receive_on_candidate(&mut session, 1, "3probe");
    session.close(at(1));
    assert_eq!(session.state(), ReadyState::Closing);
    session.handle_get_done();
    assert_eq!(
        candidate_packet(&mut session),
        Some("5".into()),
        "still said"
    );
    check_closed(&mut session, CloseReason::ForcedClose);
}

#[test]
fn a_closing_server_with_an_empty_outbox_ends_at_the_switch() {
    let mut session = probed_server();
    session.close(at(1));
    assert_eq!(session.state(), ReadyState::Closing);
    receive_on_candidate(&mut session, 2, "5");
    check_closed(&mut session, CloseReason::ForcedClose);
}

#[test]
fn a_closing_client_flushes_to_the_new_transport() {
    let mut session = probing_client();
    session.handle_get().unwrap();
    receive_on_candidate(&mut session, 1, "3probe");
    send(&mut session, "last").unwrap();
    session.close(at(1));
    assert_eq!(payload(&mut session), None);
    session.handle_get_done();
    assert_eq!(candidate_packet(&mut session), Some("5".into()));
    assert_eq!(frames(&mut session), ["4last"]);
    session.handle_written(session.buffered());
    check_closed(&mut session, CloseReason::ForcedClose);
}
