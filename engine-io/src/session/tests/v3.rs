//! Sessions of revision 3: the client pings, and binary has forms of its own.

use super::*;
use crate::payload_v3::{PayloadV3, encode_payload_v3};

const V3: Wire = Wire {
    revision: Revision::V3,
    binary: BinaryForm::Raw,
};

/// A server's session of revision 3, opened at 0, whose open packet has left.
fn old_server(transport: Transport, wire: Wire) -> Session {
    let config = Arc::default();
    let mut session = Session::server(at(0), &config, wire, transport, &handshake());
    match transport {
        Transport::Polling => {
            session.handle_get().unwrap();
            let open = old_payload(&mut session).unwrap();
            assert_eq!(open, format!("{}:{OPEN_PACKET}", OPEN_PACKET.len()));
        }
        Transport::WebSocket => {
            assert_eq!(frames(&mut session), [OPEN_PACKET]);
            session.handle_written(session.buffered());
        }
    }
    session
}

/// What the parked GET is answered with.
fn old_payload(session: &mut Session) -> Option<String> {
    let batch = session.poll_payload(MAX)?;
    match encode_payload_v3(&batch, BinaryForm::Base64) {
        PayloadV3::Text(body) => Some(String::from_utf8(body.to_vec()).unwrap()),
        PayloadV3::Binary(_) => panic!("not asked for"),
    }
}

/// Moves the session to a WebSocket.
fn upgrade(session: &mut Session, now: u64) {
    assert!(session.handle_candidate(at(now)));
    receive_on_candidate(session, now, "2probe");
    assert_eq!(candidate_packet(session), Some("3probe".into()));
    receive_on_candidate(session, now, "5");
    assert_eq!(session.transport(), Transport::WebSocket);
}

#[test]
fn each_ping_is_answered_without_its_data() {
    let mut session = old_server(Transport::WebSocket, V3);
    for ping in ["2", "2probe", "2data"] {
        receive(&mut session, 1_000, ping);
        assert_eq!(frames(&mut session), ["3"]);
    }

    let mut session = old_server(Transport::Polling, V3);
    session.handle_get().unwrap();
    receive(&mut session, 1_000, "2");
    assert_eq!(old_payload(&mut session), Some("1:3".into()));
}

#[test]
fn the_server_never_pings() {
    let mut session = old_server(Transport::WebSocket, V3);
    for now in [25_000, 44_999] {
        session.handle_timeout(at(now));
        assert_eq!(frames(&mut session), [""; 0]);
    }
}

#[test]
fn a_client_that_does_not_ping_is_given_up_after_interval_and_timeout() {
    for transport in [Transport::Polling, Transport::WebSocket] {
        check_ping_timeout(&mut old_server(transport, V3), 45_000);
    }
}

#[test]
fn each_ping_starts_the_wait_anew() {
    let mut session = old_server(Transport::WebSocket, V3);
    receive(&mut session, 25_000, "2");
    receive(&mut session, 50_000, "2");
    check_ping_timeout(&mut session, 95_000);
}

#[test]
fn any_byte_prolongs_the_wait_but_never_shortens_it() {
    let mut session = old_server(Transport::WebSocket, V3);
    session.handle_traffic(at(10_000));
    assert_eq!(session.poll_timeout(), Some(at(45_000)));
    receive(&mut session, 44_000, "4hi");
    check_ping_timeout(&mut session, 64_000);
}

#[test]
fn the_deadline_survives_the_upgrade_of_an_old_client() {
    let mut session = old_server(Transport::Polling, V3);
    receive(&mut session, 10_000, "2");
    upgrade(&mut session, 11_000);
    check_ping_timeout(&mut session, 55_000);

    let mut session = old_server(Transport::Polling, V3);
    upgrade(&mut session, 1_000);
    receive(&mut session, 30_000, "2");
    assert_eq!(frames(&mut session), ["3"]);
    check_ping_timeout(&mut session, 75_000);
}

#[test]
fn a_pong_from_an_old_client_is_an_error() {
    for transport in [Transport::Polling, Transport::WebSocket] {
        let mut session = old_server(transport, V3);
        receive(&mut session, 1, "3");
        check_closed(&mut session, CloseReason::TransportError);
    }
}

#[test]
fn a_flood_of_pings_queues_one_answer() {
    let mut session = old_server(Transport::Polling, V3);
    for _ in 0..1000 {
        receive(&mut session, 1, "2");
    }
    session.handle_get().unwrap();
    assert_eq!(old_payload(&mut session), Some("1:3".into()));
}

#[test]
fn the_probe_of_an_upgrade_is_no_heartbeat() {
    let mut session = old_server(Transport::Polling, V3);
    assert!(session.handle_candidate(at(1_000)));
    session.handle_get().unwrap();
    receive_on_candidate(&mut session, 1_000, "2probe");
    assert_eq!(candidate_packet(&mut session), Some("3probe".into()));
    assert_eq!(old_payload(&mut session), Some("1:6".into()));
    session.handle_candidate_closed();
    check_ping_timeout(&mut session, 45_000);
}

#[test]
fn an_old_client_s_close_packet_ends_the_session() {
    let mut session = old_server(Transport::Polling, V3);
    session.handle_get().unwrap();
    receive(&mut session, 1, "1");
    check_closed(&mut session, CloseReason::TransportClose);
    assert_eq!(old_payload(&mut session), Some("1:6".into()));
}

#[test]
fn a_late_get_of_a_closing_session_gets_noop_and_close() {
    let mut session = old_server(Transport::Polling, V3);
    session.close(at(1));
    session.handle_get().unwrap();
    assert_eq!(old_payload(&mut session), Some("1:61:1".into()));
}

#[test]
fn a_websocket_gets_binary_in_its_peer_s_form() {
    let base64 = BinaryForm::Base64;
    for (wire, expected) in [
        (V3, &b"\x04\x01\x02"[..]),
        (
            Wire {
                binary: base64,
                ..V3
            },
            b"b4AQI=",
        ),
        (Wire::default(), b"\x01\x02"),
        (
            Wire {
                binary: base64,
                ..Wire::default()
            },
            b"bAQI=",
        ),
    ] {
        let mut session = old_server(Transport::WebSocket, wire);
        session.send([Frame::binary(&[1, 2])].iter()).unwrap();
        let frame = session.poll_frame().unwrap();
        assert_eq!(frame.packet(), expected, "{wire:?}");
        assert_eq!(session.buffered(), frame.len(), "what leaves is counted");
        session.handle_written(frame.len());
        assert_eq!(session.buffered(), 0);
    }
}

#[test]
fn the_candidate_s_form_counts_from_the_switch_on() {
    for (polling, websocket, expected) in [
        (BinaryForm::Base64, BinaryForm::Raw, &b"\x04\x07"[..]),
        (BinaryForm::Raw, BinaryForm::Base64, b"b4Bw=="),
    ] {
        let wire = Wire {
            binary: polling,
            ..V3
        };
        let mut session = old_server(Transport::Polling, wire);
        session.send([Frame::binary(&[7])].iter()).unwrap();
        assert!(session.handle_candidate(at(1)));
        session.set_candidate_binary(websocket);
        assert_eq!(session.wire(), wire);
        receive_on_candidate(&mut session, 1, "5");
        assert_eq!(
            session.wire(),
            Wire {
                binary: websocket,
                ..V3
            }
        );
        assert_eq!(session.poll_frame().unwrap().packet(), expected);
    }
}

#[test]
fn a_second_candidate_starts_from_the_raw_form() {
    let mut session = old_server(Transport::Polling, V3);
    assert!(session.handle_candidate(at(1)));
    session.set_candidate_binary(BinaryForm::Base64);
    session.handle_candidate_closed();
    upgrade(&mut session, 2);
    assert_eq!(session.wire(), V3);
}
