//! Turns of a session, the state machine without I/O: a message in, a message out, and heartbeats.
//!
//! `cargo bench --package engine-io --bench session`

use std::iter::once;
use std::sync::Arc;
use std::time::Instant;

use divan::{Bencher, black_box};
use engine_io::{Frame, Handshake, Message, Packet, Session, SessionConfig, Text, Transport, Wire};

fn main() {
    divan::main();
}

const MESSAGE: &str = r#"2["echo",{"id":1234567,"ok":true,"user":"alice-01"}]"#;

/// A session whose open packet has left.
fn session(now: Instant, transport: Transport) -> Session {
    let handshake = r#"{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
    let mut session = Session::server(
        now,
        &Arc::new(SessionConfig::default()),
        Wire::default(),
        transport,
        &Handshake::parse(handshake).unwrap(),
    );
    match transport {
        Transport::Polling => {
            session.handle_get().unwrap();
            session.poll_payload(usize::MAX).unwrap();
        }
        _ => drain(&mut session),
    }
    session
}

fn drain(session: &mut Session) {
    while let Some(frame) = session.poll_frame() {
        session.handle_written(frame.len());
    }
}

/// A message in, its echo out, over a WebSocket.
#[divan::bench]
fn echo_over_websocket(bencher: Bencher<'_, '_>) {
    let now = Instant::now();
    let mut session = session(now, Transport::WebSocket);
    let message = Message::from(MESSAGE);
    let frame = message.to_frame();
    bencher.bench_local(|| {
        let packet = Packet::Message(message.clone());
        black_box(session.handle_packet(now, Transport::WebSocket, packet));
        session.send(once(&frame)).unwrap();
        drain(&mut session);
    });
}

/// The same with so many messages before anything leaves.
#[divan::bench(args = [16, 64])]
fn batch_over_websocket(bencher: Bencher<'_, '_>, messages: usize) {
    let now = Instant::now();
    let mut session = session(now, Transport::WebSocket);
    let frame = Frame::message(MESSAGE);
    bencher.counter(messages).bench_local(|| {
        for _ in 0..messages {
            session.send(once(&frame)).unwrap();
        }
        drain(&mut session);
    });
}

/// A POST with a message, and a GET that takes the echo.
#[divan::bench]
fn echo_over_polling(bencher: Bencher<'_, '_>) {
    let now = Instant::now();
    let mut session = session(now, Transport::Polling);
    let message = Message::from(MESSAGE);
    let frame = message.to_frame();
    bencher.bench_local(|| {
        session.handle_get().unwrap();
        session.handle_post().unwrap();
        let packet = Packet::Message(message.clone());
        black_box(session.handle_packet(now, Transport::Polling, packet));
        session.handle_post_done();
        session.send(once(&frame)).unwrap();
        black_box(session.poll_payload(1_000_000).unwrap());
    });
}

/// A ping becomes due, leaves, and is answered.
#[divan::bench]
fn heartbeat(bencher: Bencher<'_, '_>) {
    let mut now = Instant::now();
    let mut session = session(now, Transport::WebSocket);
    bencher.bench_local(|| {
        now = session.poll_timeout().unwrap();
        session.handle_timeout(now);
        drain(&mut session);
        let pong = Packet::Pong(Text::from_static(""));
        session.handle_packet(now, Transport::WebSocket, pong);
    });
}
