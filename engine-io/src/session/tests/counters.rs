//! What a session counts.

use super::*;

#[test]
fn packets_count_when_they_arrive_and_when_they_leave() {
    let mut session = new_server(Transport::WebSocket);
    assert_eq!(session.counters(), Counters::default());
    frames(&mut session);
    let open = OPEN_PACKET.len() as u64;
    send(&mut session, "héllo").unwrap();
    assert_eq!(session.counters().packets_out, 1, "the second one waits");
    frames(&mut session);
    session.send([Frame::binary(&[1, 2, 3])].iter()).unwrap();
    frames(&mut session);
    receive(&mut session, 0, "4hi");
    receive(&mut session, 0, "bAQID");
    receive_over(&mut session, 0, Transport::Polling, "4of another transport");
    session.handle_timeout(at(25_000));
    assert_eq!(frames(&mut session), ["2"]);
    receive(&mut session, 25_001, "3");
    let expected = Counters {
        packets_in: 3,
        bytes_in: 3 + 3 + 1,
        packets_out: 4,
        bytes_out: open + 7 + 3 + 1,
        ..Counters::default()
    };
    assert_eq!(session.counters(), expected);
}

#[test]
fn a_payload_counts_packet_by_packet() {
    for mut session in both(Transport::Polling) {
        let before = session.counters();
        send(&mut session, "a").unwrap();
        session.send([Frame::binary(&[1, 2])].iter()).unwrap();
        if session.side == Side::Server {
            session.handle_get().unwrap();
        }
        assert_eq!(payload(&mut session), Some("4a|bAQI=".into()));
        let after = session.counters();
        assert_eq!(after.packets_out - before.packets_out, 2);
        assert_eq!(after.bytes_out - before.bytes_out, 2 + 2);
    }
}

#[test]
fn an_upgrade_is_done_or_has_failed() {
    let mut session = server(Transport::Polling);
    for (packets, failed) in [(&["4no probe"][..], 1), (&["2probe", "2probe"], 2)] {
        assert!(session.handle_candidate(at(0)));
        for packet in packets {
            receive_on_candidate(&mut session, 0, packet);
        }
        // That it is closed afterwards is no other failure.
        session.handle_candidate_closed();
        assert_eq!(session.counters().upgrades_failed, failed);
    }
    assert!(session.handle_candidate(at(0)));
    session.handle_timeout(at(10_000));
    assert_eq!(session.counters().upgrades_failed, 3, "too slow");
    assert!(!session.is_upgraded());
    let before = session.counters();
    assert!(session.handle_candidate(at(0)));
    receive_on_candidate(&mut session, 0, "2probe");
    assert_eq!(candidate_packet(&mut session), Some("3probe".into()));
    receive_on_candidate(&mut session, 0, "5");
    assert!(session.is_upgraded());
    let expected = Counters {
        packets_in: before.packets_in + 2,
        bytes_in: before.bytes_in + 6 + 1,
        packets_out: before.packets_out + 1,
        bytes_out: before.bytes_out + 6,
        ..before
    };
    assert_eq!(session.counters(), expected);
}

#[test]
fn what_is_not_queued_is_counted_by_reason() {
    let mut session = limited_server(Transport::WebSocket, 10);
    assert!(!session.skip_volatile(), "it would leave at once");
    send(&mut session, "1234567").unwrap();
    assert!(send(&mut session, "1").is_err());
    assert!(session.skip_volatile());
    assert!(session.skip_volatile());
    let counters = session.counters();
    assert_eq!((counters.full, counters.skipped), (1, 2));
    session.abort();
    assert!(!session.skip_volatile(), "nothing is sent, volatile or not");
    assert!(send(&mut session, "late").is_err());
    assert_eq!(session.counters(), counters);
}
