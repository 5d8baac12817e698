//! Pings, pongs and silence.

use super::*;

/// The server's ping has just left.
fn pinged_server(transport: Transport) -> Session {
    let mut session = server(transport);
    session.handle_timeout(at(25_000));
    match transport {
        Transport::Polling => {
            session.handle_get().unwrap();
            assert_eq!(payload(&mut session), Some("2".into()));
        }
        Transport::WebSocket => {
            assert_eq!(frames(&mut session), ["2"]);
            session.handle_written(session.buffered());
        }
    }
    session
}

#[test]
fn a_server_pings_after_the_interval() {
    let mut session = server(Transport::WebSocket);
    assert_eq!(session.poll_timeout(), Some(at(25_000)));
    session.handle_timeout(at(24_999));
    assert_eq!(frames(&mut session), [""; 0]);
    session.handle_timeout(at(25_000));
    assert_eq!(frames(&mut session), ["2"]);
    session.handle_timeout(at(25_001));
    assert_eq!(frames(&mut session), [""; 0], "one ping at a time");
}

#[test]
fn a_ping_answers_the_parked_get() {
    let mut session = parked_server();
    session.handle_timeout(at(25_000));
    assert_eq!(payload(&mut session), Some("2".into()));
}

#[test]
fn a_pong_starts_the_next_interval() {
    let mut session = pinged_server(Transport::WebSocket);
    receive(&mut session, 25_100, "3");
    assert_eq!(session.poll_timeout(), Some(at(50_100)));
    session.handle_timeout(at(50_100));
    assert_eq!(frames(&mut session), ["2"]);
}

#[test]
fn silence_after_a_ping_ends_the_session_when_the_timeout_is_over() {
    for transport in [Transport::Polling, Transport::WebSocket] {
        check_ping_timeout(&mut pinged_server(transport), 45_000);
    }
}

#[test]
fn a_parked_get_learns_of_the_ping_timeout() {
    let mut session = pinged_server(Transport::Polling);
    session.handle_get().unwrap();
    session.handle_timeout(at(45_000));
    check_closed(&mut session, CloseReason::PingTimeout);
    assert_eq!(payload(&mut session), Some("1".into()));
}

#[test]
fn a_client_that_never_polls_is_given_up() {
    let mut session = server(Transport::Polling);
    session.handle_timeout(at(25_000));
    check_ping_timeout(&mut session, 45_000);
}

#[test]
fn any_packet_extends_the_deadline() {
    for packet in ["4hi", "6", "0"] {
        let mut session = pinged_server(Transport::WebSocket);
        receive(&mut session, 44_999, packet);
        check_ping_timeout(&mut session, 64_999);
    }
}

#[test]
fn any_byte_extends_the_deadline_again_and_again() {
    let mut session = pinged_server(Transport::WebSocket);
    session.handle_traffic(at(30_000));
    session.handle_traffic(at(49_000));
    check_ping_timeout(&mut session, 69_000);
}

#[test]
fn bytes_on_the_candidate_extend_the_deadline() {
    let mut session = pinged_server(Transport::Polling);
    assert!(session.handle_candidate(at(39_000)));
    receive_on_candidate(&mut session, 40_000, "2probe");
    session.handle_candidate_closed();
    check_ping_timeout(&mut session, 60_000);
}

#[test]
fn bytes_do_not_postpone_the_ping() {
    let mut session = server(Transport::WebSocket);
    receive(&mut session, 24_000, "4hi");
    session.handle_traffic(at(24_000));
    assert_eq!(session.poll_timeout(), Some(at(25_000)));
}

#[test]
fn pongs_that_nobody_asked_for_do_not_postpone_the_ping() {
    for transport in [Transport::Polling, Transport::WebSocket] {
        let mut session = server(transport);
        receive(&mut session, 24_000, "3");
        assert_eq!(session.poll_timeout(), Some(at(25_000)));
        assert_eq!(session.state(), ReadyState::Open);
    }
}

#[test]
fn a_pong_to_a_client_changes_nothing_but_that_the_server_is_heard() {
    let mut session = client(Transport::WebSocket);
    receive(&mut session, 1_000, "3");
    assert_eq!(session.poll_timeout(), Some(at(45_000)));
    assert_eq!(frames(&mut session), [""; 0]);
}

#[test]
fn a_ping_from_a_client_is_an_error() {
    for transport in [Transport::Polling, Transport::WebSocket] {
        let mut session = server(transport);
        receive(&mut session, 1, "2");
        check_closed(&mut session, CloseReason::TransportError);
        assert!(!session.peer_closed());
    }
}

#[test]
fn a_client_answers_each_ping_without_its_data() {
    let mut session = client(Transport::WebSocket);
    receive(&mut session, 25_000, "2");
    assert_eq!(frames(&mut session), ["3"]);
    receive(&mut session, 50_000, "2data");
    assert_eq!(frames(&mut session), ["3"]);

    let mut session = client(Transport::Polling);
    receive(&mut session, 25_000, "2");
    assert_eq!(payload(&mut session), Some("3".into()));
}

#[test]
fn a_client_wants_the_next_ping_within_interval_and_timeout() {
    let mut session = client(Transport::WebSocket);
    receive(&mut session, 25_000, "2");
    check_ping_timeout(&mut session, 70_000);
}

#[test]
fn a_client_that_hears_nothing_gives_up() {
    for transport in [Transport::Polling, Transport::WebSocket] {
        check_ping_timeout(&mut client(transport), 45_000);
    }
}

#[test]
fn a_byte_extends_a_client_s_deadline_but_never_shortens_it() {
    let mut session = client(Transport::WebSocket);
    session.handle_traffic(at(10_000));
    assert_eq!(session.poll_timeout(), Some(at(45_000)));
    session.handle_traffic(at(30_000));
    check_ping_timeout(&mut session, 50_000);
}

#[test]
fn a_client_takes_the_times_from_the_handshake() {
    let mut session = Session::client(&SessionConfig::default(), Transport::WebSocket);
    let open = OPEN_PACKET.replace("25000", "300").replace("20000", "200");
    receive(&mut session, 100, &open);
    check_ping_timeout(&mut session, 600);
}

#[test]
fn the_deadline_survives_the_upgrade() {
    let mut session = pinged_server(Transport::Polling);
    assert!(session.handle_candidate(at(26_000)));
    receive_on_candidate(&mut session, 26_000, "5");
    assert_eq!(session.transport(), Transport::WebSocket);
    check_ping_timeout(&mut session, 46_000);

    let mut session = client(Transport::Polling);
    assert!(session.handle_candidate(at(1_000)));
    candidate_packet(&mut session);
    receive_on_candidate(&mut session, 1_000, "3probe");
    assert_eq!(candidate_packet(&mut session), Some("5".into()));
    check_ping_timeout(&mut session, 45_000);
}

#[test]
fn a_pong_after_the_upgrade_answers_the_ping_before_it() {
    let mut session = pinged_server(Transport::Polling);
    assert!(session.handle_candidate(at(26_000)));
    receive_on_candidate(&mut session, 26_000, "5");
    receive(&mut session, 26_000, "3");
    assert_eq!(session.poll_timeout(), Some(at(51_000)));
}

#[test]
fn times_beyond_the_clock_are_cut() {
    let open = OPEN_PACKET.replace("25000", &u64::MAX.to_string());
    let mut session = Session::client(&SessionConfig::default(), Transport::WebSocket);
    receive(&mut session, 0, &open);
    assert_eq!(session.state(), ReadyState::Open);
    assert!(session.poll_timeout() > Some(at(1_000_000_000)));

    let config = SessionConfig {
        ping_interval: Duration::MAX,
        upgrade_timeout: Duration::MAX,
        close_timeout: Duration::MAX,
        ..SessionConfig::default()
    };
    let mut session = Session::server(
        at(0),
        &config.into(),
        Wire::default(),
        Transport::Polling,
        &handshake(),
    );
    assert!(session.handle_candidate(at(1)));
    session.close(at(2));
    assert!(session.poll_timeout() > Some(at(1_000_000_000)));
}
