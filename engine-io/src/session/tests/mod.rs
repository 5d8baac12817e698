//! The session under a virtual clock.
//!
//! A rule of one side is tested on a single session, fed by hand with the helpers below. A flow between both sides is tested on a [`pair::Pair`]: a
//! server and a client with a simulated network between them. Packets are written as on the wire, packets of a payload with `|` between them.

mod arrival;
mod close;
mod counters;
mod flow;
mod fuzz;
mod heartbeat;
mod latest;
mod net;
mod opening;
mod pair;
mod polling;
mod random;
mod sending;
mod upgrade;
mod v3;

use std::sync::LazyLock;
use std::time::Duration;

use super::*;
use crate::payload::encode_payload;
use crate::random::Random;

/// Every limit a test does not care about.
const MAX: usize = usize::MAX;

static BASE: LazyLock<Instant> = LazyLock::new(Instant::now);

/// So many milliseconds after the beginning of virtual time.
fn at(milliseconds: u64) -> Instant {
    *BASE + Duration::from_millis(milliseconds)
}

/// The default times: a ping every 25 s, an answer within 20 s.
fn handshake() -> Handshake {
    Handshake {
        sid: "WLg4cEUyytlCwBTHAAAA".into(),
        upgrades: vec![Transport::WebSocket],
        ping_interval: Duration::from_secs(25),
        ping_timeout: Duration::from_secs(20),
        max_payload: 1_000_000,
    }
}

const OPEN_PACKET: &str = r#"0{"sid":"WLg4cEUyytlCwBTHAAAA","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;

/// A server's session whose open packet is still to be sent.
fn new_server(transport: Transport) -> Session {
    let config = Arc::default();
    Session::server(at(0), &config, Wire::default(), transport, &handshake())
}

/// A server's session, opened at 0, whose open packet has left.
fn server(transport: Transport) -> Session {
    limited_server(transport, MAX)
}

fn limited_server(transport: Transport, outbox_limit: usize) -> Session {
    let config = SessionConfig {
        outbox_limit,
        ..SessionConfig::default()
    };
    let mut session = Session::server(
        at(0),
        &config.into(),
        Wire::default(),
        transport,
        &handshake(),
    );
    if transport == Transport::Polling {
        session.handle_get().unwrap();
        payload(&mut session).unwrap();
    } else {
        frames(&mut session);
        session.handle_written(session.buffered());
    }
    session
}

/// A client's session that got its open packet at 0.
fn client(transport: Transport) -> Session {
    let mut session = Session::client(&SessionConfig::default(), transport);
    if transport == Transport::Polling {
        session.handle_get().unwrap();
    }
    receive(&mut session, 0, OPEN_PACKET);
    if transport == Transport::Polling {
        session.handle_get_done();
    }
    assert_eq!(session.state(), ReadyState::Open);
    session
}

/// Both sides, open over `transport`.
fn both(transport: Transport) -> [Session; 2] {
    [server(transport), client(transport)]
}

/// A server's session with a GET parked.
fn parked_server() -> Session {
    let mut session = server(Transport::Polling);
    session.handle_get().unwrap();
    assert_eq!(payload(&mut session), None);
    session
}

fn send(session: &mut Session, text: &str) -> Result<(), SendError> {
    session.send([Frame::message(text)].iter())
}

/// A packet arrives over the current transport; a message is returned as text.
fn receive(session: &mut Session, now: u64, packet: &str) -> Option<String> {
    receive_over(session, now, session.transport(), packet)
}

fn receive_over(
    session: &mut Session,
    now: u64,
    transport: Transport,
    packet: &str,
) -> Option<String> {
    let packet = Packet::decode(&packet.into()).unwrap();
    match session.handle_packet(at(now), transport, packet)? {
        Message::Text(text) => Some(text.to_string()),
        Message::Binary(data) => Some(format!("{data:?}")),
    }
}

/// A packet arrives over the candidate.
fn receive_on_candidate(session: &mut Session, now: u64, packet: &str) {
    session.handle_candidate_packet(at(now), &Packet::decode(&packet.into()).unwrap());
}

/// What a server's GET is answered with, or a client posts.
fn payload(session: &mut Session) -> Option<String> {
    limited_payload(session, MAX)
}

fn limited_payload(session: &mut Session, limit: usize) -> Option<String> {
    let batch = session.poll_payload(limit)?;
    let body = encode_payload(&batch);
    Some(std::str::from_utf8(&body).unwrap().replace('\x1e', "|"))
}

/// All that a WebSocket may write now; nothing is reported as written.
fn frames(session: &mut Session) -> Vec<String> {
    let frames: Vec<_> = std::iter::from_fn(|| session.poll_frame()).collect();
    frames
        .iter()
        .map(|frame| String::from_utf8_lossy(frame.packet()).into_owned())
        .collect()
}

/// The next packet for the candidate.
fn candidate_packet(session: &mut Session) -> Option<String> {
    let frame = session.poll_candidate()?.to_frame();
    Some(String::from_utf8_lossy(frame.packet()).into_owned())
}

#[track_caller]
fn check_closed(session: &mut Session, reason: CloseReason) {
    assert_eq!(session.state(), ReadyState::Closed(reason));
    assert_eq!(session.poll_timeout(), None, "a timer is left");
    assert!(session.buffered() == 0 || session.has_payload());
    assert_eq!(send(session, "late"), Err(SendError::Closed));
    assert!(!session.is_upgrading());
    assert!(!session.poll_get());
}

/// Nothing happens before the deadline, and the session is over at the deadline.
#[track_caller]
fn check_ping_timeout(session: &mut Session, deadline: u64) {
    assert_eq!(session.poll_timeout(), Some(at(deadline)));
    session.handle_timeout(at(deadline - 1));
    assert_eq!(session.state(), ReadyState::Open);
    session.handle_timeout(at(deadline));
    check_closed(session, CloseReason::PingTimeout);
}

/// Names the seed of a random run that fails.
struct OnFailure(u64);

impl Drop for OnFailure {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed with seed {}", self.0);
        }
    }
}
