//! One session under arbitrary inputs, sensible or not. What must hold after each of them is in [`Fuzz::check`].

use super::*;

const SEEDS: u64 = 3_000;
const STEPS: u64 = 200;
const OUTBOX_LIMIT: usize = 300;
/// A ping or a pong.
const CONTROL_FRAME: usize = 3;

const PACKETS: [&str; 16] = [
    OPEN_PACKET,
    "0{}",
    "1",
    "2",
    "2probe",
    "2x",
    "3",
    "3probe",
    "3x",
    "4hi",
    "4",
    "bAQID",
    "5",
    "5x",
    "6",
    "6x",
];

/// What is compared before and after an input.
#[derive(Clone, Copy, Debug)]
struct Snapshot {
    state: ReadyState,
    transport: Transport,
    buffered: usize,
}

struct Fuzz {
    session: Session,
    random: Random,
    now: u64,
}

fn rank(state: ReadyState) -> u8 {
    match state {
        ReadyState::Opening => 0,
        ReadyState::Open => 1,
        ReadyState::Closing => 2,
        ReadyState::Closed(_) => 3,
    }
}

/// Mostly the usual one.
fn random_wire(random: &mut Random) -> Wire {
    Wire {
        revision: if random.chance(30) {
            Revision::V3
        } else {
            Revision::V4
        },
        binary: if random.chance(30) {
            BinaryForm::Base64
        } else {
            BinaryForm::Raw
        },
    }
}

impl Fuzz {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let config = SessionConfig {
            outbox_limit: OUTBOX_LIMIT,
            ..SessionConfig::default()
        };
        let transport = if random.chance(70) {
            Transport::Polling
        } else {
            Transport::WebSocket
        };
        let session = if random.chance(50) {
            Session::server(
                at(0),
                &config.into(),
                random_wire(&mut random),
                transport,
                &handshake(),
            )
        } else {
            let mut session = Session::client(&config, transport);
            if random.chance(90) {
                receive(&mut session, 0, OPEN_PACKET);
            }
            session
        };
        Self {
            session,
            random,
            now: 0,
        }
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            state: self.session.state(),
            transport: self.session.transport(),
            buffered: self.session.buffered(),
        }
    }

    fn packet(&mut self) -> Packet {
        let text = PACKETS[self.random.below(16) as usize];
        Packet::decode(&text.into()).unwrap()
    }

    /// Inputs that end a session at once are rare, so that most runs get far.
    fn input(&mut self) {
        let now = at(self.now);
        let rarely = self.random.chance(5);
        match self.random.below(20) {
            0 | 1 => self.receive(rarely),
            2 => self.session.handle_traffic(now),
            3 if rarely => self.session.handle_garbage(self.session.transport()),
            4 if rarely || !self.session.polling.get => {
                let busy = self.session.polling.get;
                assert_eq!(self.session.handle_get().is_err(), busy);
            }
            // An answer that was not taken would be kept for the next GET.
            5 if rank(self.session.state()) == 3 => {}
            5 if rarely || self.session.side == Side::Client => self.session.handle_get_done(),
            6 if rarely || !self.session.polling.post => {
                let busy = self.session.polling.post;
                assert_eq!(self.session.handle_post().is_err(), busy);
            }
            7 => self.session.handle_post_done(),
            8 => {
                let binary = random_wire(&mut self.random).binary;
                if self.session.handle_candidate(now) {
                    self.session.set_candidate_binary(binary);
                }
            }
            9 => {
                let packet = self.packet();
                self.session.handle_candidate_packet(now, &packet);
            }
            10 if rarely => self.session.handle_candidate_closed(),
            11 if rarely => {
                let reason = CloseReason::TransportClose;
                self.session.handle_transport_closed(reason);
            }
            12 => self.session.handle_written(self.random.below(50) as usize),
            13 | 14 => self.send(),
            15 if rarely => self.session.close(now),
            16 | 17 => self.pass_time(),
            18 => self.send_latest(),
            _ => {}
        }
    }

    fn receive(&mut self, rarely: bool) {
        let packet = self.packet();
        let fatal = self.session.side == Side::Server && matches!(packet, Packet::Ping(_));
        if !rarely && (fatal || packet == Packet::Close) {
            return;
        }
        let transport = if self.random.chance(80) {
            self.session.transport()
        } else {
            Transport::WebSocket
        };
        let wanted = self.session.state() == ReadyState::Open
            && self.session.transport() == transport
            && matches!(packet, Packet::Message(_));
        let message = self.session.handle_packet(at(self.now), transport, packet);
        assert_eq!(message.is_some(), wanted);
    }

    fn send(&mut self) {
        let parts = [
            Frame::message(&"x".repeat(self.random.below(100) as usize)),
            Frame::binary(&vec![0; self.random.below(100) as usize]),
        ];
        let parts = &parts[..1 + self.random.below(2) as usize];
        let size: usize = parts.iter().map(Frame::len).sum();
        let before = self.session.buffered();
        match self.session.send(parts.iter()) {
            Ok(()) => {
                assert!(before == 0 || before + size <= OUTBOX_LIMIT);
                assert_eq!(self.session.buffered(), before + size);
            }
            Err(SendError::Full { buffered, limit }) => {
                assert!(before > 0 && before + size > OUTBOX_LIMIT);
                assert_eq!((buffered, limit), (before, OUTBOX_LIMIT));
                assert_eq!(self.session.buffered(), before);
            }
            Err(SendError::Closed) => assert!(rank(self.session.state()) > 1),
        }
    }

    fn send_latest(&mut self) {
        let key = LatestKey::new(self.random.below(3), "key");
        let frame = Frame::message(&"x".repeat(self.random.below(100) as usize));
        let before = self.session.buffered();
        match self.session.send_latest(&key, [&frame].into_iter()) {
            Ok(true) => assert!(before > 0),
            Ok(false) => assert_eq!(self.session.buffered(), before + frame.len()),
            Err(_) => assert_eq!(self.session.buffered(), before),
        }
        assert!(self.session.buffered() <= before.max(OUTBOX_LIMIT));
    }

    fn pass_time(&mut self) {
        self.now += self.random.below(8_000);
        // Also when nothing is due.
        self.session.handle_timeout(at(self.now));
        let next = self.session.poll_timeout();
        assert!(next.is_none_or(|next| next > at(self.now)), "still due");
    }

    fn output(&mut self) {
        let before = self.session.buffered();
        match self.random.below(5) {
            0 => drop(self.session.poll_frame()),
            1 => {
                // Only a client has a limit.
                let limit = match self.session.side {
                    Side::Server => MAX,
                    Side::Client => self.random.below(200) as usize,
                };
                let answer = self.session.has_payload();
                let payload = self.session.poll_payload(limit);
                if self.session.side == Side::Server {
                    assert_eq!(payload.is_some(), answer);
                }
            }
            2 => drop(self.session.poll_candidate()),
            3 if self.session.poll_get() => self.session.handle_get().unwrap(),
            _ => {}
        }
        assert!(self.session.buffered() <= before + self.growth(before));
    }

    /// By how much a frame may grow when it leaves: binary in another form is longer.
    fn growth(&self, buffered: usize) -> usize {
        if self.session.wire() == Wire::default() {
            0
        } else {
            buffered / 2 + 16
        }
    }

    /// What holds after any input, whatever came before.
    fn check(&mut self, before: Snapshot, sent: bool) {
        let after = self.snapshot();
        assert!(rank(before.state) <= rank(after.state), "states go forward");
        if let ReadyState::Closed(_) = before.state {
            assert_eq!(before.state, after.state, "the first reason stays");
        }
        if before.transport == Transport::WebSocket {
            assert_eq!(after.transport, Transport::WebSocket, "no way back");
        }
        if !sent {
            let allowed = before.buffered + CONTROL_FRAME + self.growth(before.buffered);
            assert!(after.buffered <= allowed, "{before:?} {after:?}");
        }
        let timer = self.session.poll_timeout();
        match after.state {
            ReadyState::Opening => assert_eq!(timer, None),
            ReadyState::Open | ReadyState::Closing => assert!(timer.is_some()),
            ReadyState::Closed(reason) => check_closed(&mut self.session, reason),
        }
        if self.session.is_upgrading() {
            assert_eq!(after.transport, Transport::Polling);
            assert!(timer <= Some(at(self.now + 10_000)));
        }
        let closed = matches!(after.state, ReadyState::Closed(_));
        assert_eq!(
            self.session.drained().is_some(),
            closed || after.buffered == 0
        );
        if self.session.is_writable() {
            assert_eq!((after.state, after.buffered), (ReadyState::Open, 0));
        }
    }

    /// Lets the clock end what the peer does not.
    fn check_end_by_the_clock(&mut self) {
        self.session.close(at(self.now));
        let mut timers = 0;
        while let Some(time) = self.session.poll_timeout() {
            assert!(time <= at(self.now + 30_000), "later than the limit");
            self.session.handle_timeout(time);
            timers += 1;
            assert!(timers < 10, "the clock does not end it");
        }
    }
}

#[test]
fn any_input_in_any_order_keeps_the_rules() {
    let mut steps = [0; 4];
    let mut upgraded = 0;
    for seed in 0..SEEDS {
        let _on_failure = OnFailure(seed);
        let mut fuzz = Fuzz::new(seed);
        for _ in 0..STEPS {
            let before = fuzz.snapshot();
            steps[usize::from(rank(before.state))] += 1;
            fuzz.input();
            let sent = fuzz.session.buffered() > before.buffered + CONTROL_FRAME;
            fuzz.check(before, sent);
            let before = fuzz.snapshot();
            fuzz.output();
            fuzz.check(before, false);
        }
        upgraded += u32::from(fuzz.session.transport() == Transport::WebSocket);
        if fuzz.random.chance(50) {
            fuzz.session.abort();
        } else {
            fuzz.check_end_by_the_clock();
        }
        let ReadyState::Closed(reason) = fuzz.session.state() else {
            panic!("it lives on: {:?}", fuzz.session);
        };
        check_closed(&mut fuzz.session, reason);
        assert_eq!(fuzz.session.poll_candidate(), None);
        assert_eq!(fuzz.session.poll_frame(), None);
    }
    assert!(steps.iter().all(|&steps| steps > 1_000), "{steps:?}");
    assert!(upgraded > 500, "{upgraded}");
}
