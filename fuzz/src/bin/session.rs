//! One session of either side that gets packets, payloads, requests, candidates and time in any order.
#![no_main]

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use engine_io::{
    BinaryForm, CloseReason, Frame, Handshake, LatestKey, Packet, ReadyState, Revision, SendError,
    Session, SessionConfig, Side, Transport, Wire, decode_payload, decode_payload_v3,
};
use fuzz::Input;
use libfuzzer_sys::fuzz_target;

const OUTBOX_LIMIT: usize = 300;
/// What the outbox may hold beyond that: the reserve, and control packets.
const BEYOND: usize = 64 * 1024 + 4096;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

struct Run<'a> {
    session: Session,
    side: Side,
    wire: Wire,
    now: Instant,
    input: Input<'a>,
}

fn rank(state: ReadyState) -> u8 {
    match state {
        ReadyState::Opening => 0,
        ReadyState::Open => 1,
        ReadyState::Closing => 2,
        ReadyState::Closed(_) => 3,
    }
}

fn binary(input: &mut Input<'_>) -> BinaryForm {
    [BinaryForm::Raw, BinaryForm::Base64][usize::from(input.flag())]
}

fn transport(input: &mut Input<'_>) -> Transport {
    [Transport::Polling, Transport::WebSocket][usize::from(input.flag())]
}

impl<'a> Run<'a> {
    fn new(mut input: Input<'a>) -> Self {
        let now = *START;
        let mut config = SessionConfig::default();
        config.outbox_limit = OUTBOX_LIMIT;
        let handshake = Handshake {
            sid: "sid".into(),
            upgrades: vec![Transport::WebSocket],
            ping_interval: config.ping_interval,
            ping_timeout: config.ping_timeout,
            max_payload: 1000,
        };
        let transport = transport(&mut input);
        let (side, wire, session) = if input.flag() {
            let revision = [Revision::V4, Revision::V3][usize::from(input.flag())];
            let binary = binary(&mut input);
            let wire = Wire { revision, binary };
            let session = Session::server(now, &config.into(), wire, transport, &handshake);
            (Side::Server, wire, session)
        } else {
            let mut session = Session::client(&config, transport);
            if input.flag() {
                session.handle_packet(now, transport, handshake.to_packet());
            }
            (Side::Client, Wire::default(), session)
        };
        Self {
            session,
            side,
            wire,
            now,
            input,
        }
    }

    fn step(&mut self) {
        let Self {
            session,
            input,
            now,
            ..
        } = self;
        let (now, closed) = (*now, rank(session.state()) == 3);
        match input.below(20) {
            0 | 1 => {
                let transport = match input.below(8) {
                    0 => transport(input),
                    _ => session.transport(),
                };
                let wanted = !closed && transport == session.transport();
                match self.wire.revision.decode(input.text().as_str().into()) {
                    Ok(packet) => {
                        let message = session.handle_packet(now, transport, packet);
                        assert!(message.is_none() || wanted);
                    }
                    Err(_) => {
                        let deaf = self.side == Side::Server && rank(session.state()) == 2;
                        session.handle_garbage(transport);
                        assert!(!wanted || deaf || rank(session.state()) == 3);
                    }
                }
            }
            2 => {
                if session.handle_post().is_ok() {
                    let body = input.text();
                    let packets: Vec<_> = match self.wire.revision {
                        Revision::V4 => decode_payload(&body, 100).collect(),
                        Revision::V3 => decode_payload_v3(&body, 100).collect(),
                    };
                    for packet in packets {
                        match packet {
                            Ok(packet) => {
                                drop(session.handle_packet(now, Transport::Polling, packet))
                            }
                            Err(_) => session.handle_garbage(Transport::Polling),
                        }
                    }
                    session.handle_post_done();
                }
            }
            3 => drop(session.handle_get()),
            // An answer that was not taken would be kept for the next GET.
            4 if !closed => session.handle_get_done(),
            5 => drop(session.handle_post()),
            6 => session.handle_post_done(),
            7 => {
                let frames = session
                    .poll_payload(usize::from(input.byte()))
                    .unwrap_or_default();
                assert!(frames.len() <= 1024 + 64);
            }
            8 => {
                if let Some(frame) = session.poll_frame() {
                    assert!(!closed, "a frame after the end");
                    session.handle_written(frame.len().saturating_sub(input.below(3).into()));
                }
            }
            9 | 10 => self.pass_time(),
            11 => {
                let binary = binary(input);
                if session.handle_candidate(now) {
                    assert!(!closed);
                    session.set_candidate_binary(binary);
                }
            }
            12 => {
                if let Ok(packet) = self.wire.revision.decode(input.text().as_str().into()) {
                    session.handle_candidate_packet(now, &packet);
                }
            }
            13 => session.handle_candidate_closed(),
            14 => {
                let packet = session.poll_candidate();
                assert!(packet.is_none() || !closed, "a packet after the end");
                if session.poll_get() {
                    session.handle_get().expect("none is under way");
                }
            }
            15 | 16 => self.send(),
            17 => session.handle_traffic(now),
            18 => session.handle_written(input.byte().into()),
            _ => match input.below(16) {
                0 => session.close(now),
                1 => session.abort(),
                2 => session.handle_transport_closed(CloseReason::TransportClose),
                _ => {}
            },
        }
    }

    fn pass_time(&mut self) {
        let Self {
            session,
            input,
            now,
            ..
        } = self;
        *now += Duration::from_millis(1 << input.below(20));
        session.handle_timeout(*now);
        let next = session.poll_timeout();
        assert!(next.is_none_or(|next| next > *now), "still due");
    }

    fn send(&mut self) {
        let Self { session, input, .. } = self;
        let kind = input.byte();
        let frames = [Frame::message(&input.text()), Frame::binary(input.slice())];
        let frames = &frames[..1 + usize::from(kind & 1)];
        let before = session.buffered();
        let result = match kind >> 1 & 3 {
            0 => session.send_reserved(frames.iter()),
            1 => {
                let key = LatestKey::new(0, "key");
                session.send_latest(&key, frames.iter()).map(drop)
            }
            _ => session.send(frames.iter()),
        };
        match result {
            Ok(()) => assert!(rank(session.state()) < 2),
            Err(SendError::Closed) => assert!(rank(session.state()) >= 2),
            Err(_) => assert!(before > 0),
        }
        if result.is_err() {
            assert_eq!(session.buffered(), before);
        }
    }

    fn check(&mut self, before: ReadyState) {
        let session = &mut self.session;
        let after = session.state();
        assert!(rank(before) <= rank(after), "states go forward");
        assert!(
            session.buffered() <= OUTBOX_LIMIT + BEYOND,
            "the outbox is bounded"
        );
        if let ReadyState::Closed(_) = before {
            assert_eq!(before, after, "the first reason stays");
        }
        if let ReadyState::Closed(_) = after {
            assert_eq!(session.poll_timeout(), None);
            assert!(!session.is_upgrading() && !session.poll_get() && !session.is_writable());
            assert!(session.drained().is_some());
        } else if after != ReadyState::Opening {
            assert!(session.poll_timeout().is_some(), "nobody keeps the time");
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut run = Run::new(Input(data));
    while !run.input.is_empty() {
        let before = run.session.state();
        run.step();
        run.check(before);
    }
    // The clock ends what the peer does not.
    run.session.close(run.now);
    for _ in 0..10 {
        let Some(time) = run.session.poll_timeout() else {
            break;
        };
        run.session.handle_timeout(time);
    }
    assert_eq!(rank(run.session.state()), 3, "{:?}", run.session);
    let late = Packet::Message("late".into());
    let transport = run.session.transport();
    assert_eq!(run.session.handle_packet(run.now, transport, late), None);
    assert_eq!(run.session.poll_frame(), None);
    assert_eq!(run.session.poll_candidate(), None);
    if run.side == Side::Client {
        assert_eq!(run.session.poll_payload(usize::MAX), None);
    }
});
