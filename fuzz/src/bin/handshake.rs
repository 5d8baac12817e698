//! What a server tells a client at the opening.
#![no_main]

use std::time::Instant;

use engine_io::{Handshake, Packet, ReadyState, Session, SessionConfig, Transport};
use fuzz::lossy;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let json = lossy(data);
    let parsed = Handshake::parse(&json);
    if let Ok(handshake) = &parsed {
        let Packet::Open(json) = handshake.to_packet() else {
            panic!("a handshake is an open packet");
        };
        assert_eq!(Handshake::parse(&json).as_ref(), Ok(handshake));
    }
    let now = Instant::now();
    let mut session = Session::client(&SessionConfig::default(), Transport::WebSocket);
    session.handle_packet(now, Transport::WebSocket, Packet::Open(json));
    match parsed {
        Ok(handshake) => {
            assert_eq!(session.state(), ReadyState::Open);
            assert_eq!(session.handshake(), Some(&handshake));
            // However long the times are, the clock can say them.
            let deadline = session
                .poll_timeout()
                .expect("an open session has a deadline");
            session.handle_timeout(deadline);
        }
        Err(_) => assert!(matches!(session.state(), ReadyState::Closed(_))),
    }
});
