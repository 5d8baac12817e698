//! Flows between both sides, packet by packet. Everything takes 10 ms one way.

use super::net::Net;
use super::pair::{CLIENT, Pair, SERVER};
use super::*;

fn pair(transport: Transport) -> Pair {
    Pair::new(transport, &SessionConfig::default(), Net::steady())
}

/// A pair after the handshake, at 100 ms; the wire is empty.
fn open_pair(transport: Transport) -> Pair {
    let mut pair = pair(transport);
    pair.run_until(100);
    pair.wire.clear();
    pair
}

#[track_caller]
fn check_open(pair: &mut Pair, transport: Transport) {
    for side in [SERVER, CLIENT] {
        let session = pair.session(side);
        assert_eq!(session.state(), ReadyState::Open, "{side:?}");
        assert_eq!(session.transport(), transport, "{side:?}");
        assert!(!session.is_upgrading(), "{side:?}");
    }
}

/// Both sides are over, and whatever is still under way does not change that.
#[track_caller]
fn check_ended(pair: &mut Pair, server: CloseReason, client: CloseReason) {
    pair.run_until(pair.now + 1_000);
    check_closed(pair.session(SERVER), server);
    check_closed(pair.session(CLIENT), client);
}

#[test]
fn a_session_begins_over_polling() {
    let mut pair = pair(Transport::Polling);
    pair.run_until(30);
    pair.send(CLIENT, 0).unwrap();
    pair.run_until(55);
    pair.send(SERVER, 0).unwrap();
    pair.run_until(75);
    let wire = [
        "0 client GET",
        "10 server 200 0",
        "20 client GET",
        "30 client POST 40:",
        "55 server 200 40:",
        "65 client GET",
    ];
    assert_eq!(pair.wire, wire);
    pair.check_all_arrived();
}

#[test]
fn a_session_begins_over_websocket() {
    let mut pair = pair(Transport::WebSocket);
    pair.run_until(10);
    pair.send(CLIENT, 0).unwrap();
    pair.send(SERVER, 0).unwrap();
    pair.run_until(20);
    let wire = ["0 server 0", "10 client 40:", "10 server 40:"];
    assert_eq!(pair.wire, wire);
    pair.check_all_arrived();
}

#[test]
fn the_heartbeat_keeps_an_idle_session_open() {
    for transport in [Transport::Polling, Transport::WebSocket] {
        let mut pair = open_pair(transport);
        pair.run_until(1_000_000);
        check_open(&mut pair, transport);
        let pings = pair.wire.iter().filter(|it| it.ends_with(" 2"));
        assert_eq!(pings.count(), 39, "one every 25 s and a round trip");
    }
}

#[test]
fn an_upgrade_goes_step_by_step() {
    let mut pair = open_pair(Transport::Polling);
    pair.dial();
    pair.run_until(1_000);
    let wire = [
        "120 client 2probe",
        "130 server 3probe",
        "130 server 200 6",
        "140 client 5",
    ];
    assert_eq!(pair.wire, wire);
    check_open(&mut pair, Transport::WebSocket);
    assert_eq!(pair.end(SERVER).link, Some(0));
    assert_eq!(pair.end(CLIENT).link, Some(0));
}

#[test]
fn order_survives_the_switch() {
    let mut pair = open_pair(Transport::Polling);
    pair.dial();
    for step in 0..60 {
        pair.run_until(100 + 2 * step);
        pair.send(SERVER, 0).unwrap();
        pair.send(CLIENT, 0).unwrap();
    }
    pair.run_until(1_000);
    check_open(&mut pair, Transport::WebSocket);
    pair.check_all_arrived();
    let carried = |text: &str| pair.wire.iter().filter(|it| it.contains(text)).count();
    assert!(
        carried("POST 4") > 0 && carried("200 4") > 0,
        "some by polling"
    );
    assert!(
        carried("client 4") > 0 && carried("server 4") > 0,
        "some by WebSocket"
    );
}

#[test]
fn messages_wait_for_the_switch_while_the_client_pauses() {
    let mut pair = open_pair(Transport::Polling);
    pair.dial();
    pair.run_until(145);
    assert_eq!(pair.session(CLIENT).transport(), Transport::WebSocket);
    assert_eq!(pair.session(SERVER).transport(), Transport::Polling);
    pair.send(SERVER, 0).unwrap();
    assert_eq!(pair.session(SERVER).buffered(), 5, "no GET takes it");
    pair.run_until(1_000);
    pair.check_all_arrived();
}

#[test]
fn the_heartbeat_goes_on_after_the_upgrade() {
    let mut pair = open_pair(Transport::Polling);
    pair.run_until(24_970);
    let link = pair.dial();
    pair.run_until(24_995);
    assert!(
        pair.session(SERVER).is_upgrading(),
        "at the time of the ping"
    );
    pair.run_until(300_000);
    check_open(&mut pair, Transport::WebSocket);
    pair.links[link].faulty = true;
    pair.run_until(400_000);
    check_ended(
        &mut pair,
        CloseReason::PingTimeout,
        CloseReason::PingTimeout,
    );
}

#[test]
fn a_dead_peer_on_polling_is_noticed() {
    let mut pair = open_pair(Transport::Polling);
    pair.session(CLIENT).abort();
    pair.run_until(25_000);
    assert_eq!(pair.session(SERVER).state(), ReadyState::Open);
    pair.run_until(45_000);
    check_ended(
        &mut pair,
        CloseReason::PingTimeout,
        CloseReason::ForcedClose,
    );
}

#[test]
fn a_candidate_that_breaks_leaves_both_on_polling_and_the_next_one_succeeds() {
    // From the arrival at the server to the upgrade packet, which moves the client for good.
    for moment in (110..140).step_by(5) {
        let mut pair = open_pair(Transport::Polling);
        let link = pair.dial();
        pair.run_until(moment);
        pair.cut(link);
        pair.run_until(500);
        check_open(&mut pair, Transport::Polling);
        pair.send(SERVER, 0).unwrap();
        pair.send(CLIENT, 0).unwrap();
        pair.dial();
        pair.run_until(1_000);
        check_open(&mut pair, Transport::WebSocket);
        pair.check_all_arrived();
    }
}

#[test]
fn a_candidate_that_falls_silent_is_given_up_and_the_next_one_succeeds() {
    for moment in [100, 115, 125, 135] {
        let mut pair = open_pair(Transport::Polling);
        let link = pair.dial();
        pair.run_until(moment);
        pair.links[link].faulty = true;
        pair.run_until(10_100);
        pair.send(SERVER, 0).unwrap();
        pair.send(CLIENT, 0).unwrap();
        pair.run_until(10_200);
        check_open(&mut pair, Transport::Polling);
        pair.check_all_arrived();
        pair.dial();
        pair.run_until(11_000);
        check_open(&mut pair, Transport::WebSocket);
    }
}

#[test]
fn a_second_candidate_is_hung_up_on() {
    for moment in [100, 115, 500] {
        let mut pair = open_pair(Transport::Polling);
        let first = pair.dial();
        pair.run_until(moment);
        pair.dial();
        pair.run_until(1_000);
        check_open(&mut pair, Transport::WebSocket);
        assert_eq!(pair.end(SERVER).link, Some(first));
        assert_eq!(pair.end(CLIENT).link, Some(first));
    }
}

#[test]
fn a_server_s_close_reaches_the_client_with_all_that_was_sent() {
    for transport in [Transport::Polling, Transport::WebSocket] {
        let mut pair = open_pair(transport);
        pair.send(SERVER, 0).unwrap();
        pair.send(SERVER, 0).unwrap();
        pair.close(SERVER);
        check_ended(
            &mut pair,
            CloseReason::ForcedClose,
            CloseReason::TransportClose,
        );
        pair.check_all_arrived();
    }
}

#[test]
fn a_client_s_close_reaches_the_server_with_all_that_was_sent() {
    for transport in [Transport::Polling, Transport::WebSocket] {
        let mut pair = open_pair(transport);
        pair.send(CLIENT, 0).unwrap();
        pair.send(CLIENT, 0).unwrap();
        pair.close(CLIENT);
        check_ended(
            &mut pair,
            CloseReason::TransportClose,
            CloseReason::ForcedClose,
        );
        pair.check_all_arrived();
    }
}

#[track_caller]
fn check_close_during_the_upgrade(moment: u64, side: Side, messages: u32) {
    let mut pair = open_pair(Transport::Polling);
    pair.dial();
    pair.run_until(moment);
    for _ in 0..messages {
        pair.send(side, 0).unwrap();
    }
    pair.close(side);
    let [server, client] = match side {
        Side::Server => [CloseReason::ForcedClose, CloseReason::TransportClose],
        Side::Client => [CloseReason::TransportClose, CloseReason::ForcedClose],
    };
    check_ended(&mut pair, server, client);
    pair.check_all_arrived();
}

#[test]
fn a_close_at_any_moment_of_the_upgrade_reaches_the_peer_with_all_that_was_sent() {
    for moment in 100..180 {
        for messages in [0, 2] {
            check_close_during_the_upgrade(moment, SERVER, messages);
            check_close_during_the_upgrade(moment, CLIENT, messages);
        }
    }
}

#[test]
fn a_request_that_fails_ends_both() {
    let mut pair = open_pair(Transport::Polling);
    pair.cut_polling();
    let reason = CloseReason::TransportError;
    check_ended(&mut pair, reason, reason);
}

#[test]
fn a_websocket_that_breaks_ends_both() {
    let mut pair = open_pair(Transport::WebSocket);
    pair.cut(0);
    check_ended(
        &mut pair,
        CloseReason::TransportClose,
        CloseReason::TransportClose,
    );
}
