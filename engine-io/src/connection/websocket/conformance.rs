//! The table of conformance, cut into reads at every place: whole frames, which are taken without tungstenite, and frames in pieces, which are not, have to come
//! to the same.

#[path = "../../../tests/it/conformance/cases.rs"]
mod cases;

use std::collections::VecDeque;
use std::pin::pin;
use std::task::{Context, Waker};

use tokio::io::AsyncWriteExt;

use super::{End, WebSocket};
use crate::connection::Stream;
use crate::connection::boundary::payload_len;
use crate::deflate::Agreed;
use crate::packet::Message;
use crate::session::Side;
use cases::{
    Arrived, BINARY, CONTINUATION, Case, FIN, NOT_UTF8, PING, RSV1, Raw, TEXT, UTF8, case, cases,
    fragments, text, whole,
};

/// What came of a case.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    messages: Vec<Arrived>,
    pongs: Vec<Vec<u8>>,
    end: cases::End,
}

/// Feeds a WebSocket with what its peer sends, cut in that way.
fn run<'a>(side: Side, agreed: Option<Agreed>, reads: impl Iterator<Item = &'a [u8]>) -> Outcome {
    let (stream, _peer) = tokio::io::duplex(1);
    let stream = Stream::Other(Box::new(stream));
    let mut websocket = match side {
        Side::Server => WebSocket::server(stream, &[], cases::MAX),
        Side::Client => WebSocket::client(stream, &[], cases::MAX, None),
    };
    websocket.agreed = agreed;
    let mut inbox = VecDeque::new();
    let end = reads
        .map(|read| websocket.feed(read, &mut inbox))
        .find_map(Result::err);
    let written: Vec<u8> = websocket.egress.iter().flatten().copied().collect();
    let mut pongs = answers(&written, side);
    let close = match pongs.last() {
        Some((first, _)) if *first == FIN | cases::CLOSE => pongs.pop(),
        _ => None,
    };
    let pongs = pongs.into_iter().map(|(first, payload)| {
        assert_eq!(first, FIN | cases::PONG);
        payload
    });
    Outcome {
        messages: inbox
            .into_iter()
            .map(|message| match message {
                Message::Text(text) => Arrived::Text(text.to_string()),
                Message::Binary(data) => Arrived::Binary(data.into()),
            })
            .collect(),
        pongs: pongs.collect(),
        end: match end {
            None => cases::End::Open,
            Some(End::Violation(code)) => cases::End::Violation(code),
            Some(End::Closed) => {
                let (_, payload) = close.expect("a close is answered");
                let code = payload.first_chunk().copied();
                cases::End::Answered(code.map(u16::from_be_bytes))
            }
            Some(other) => panic!("{other:?}"),
        },
    }
}

/// The control frames that were answered, masked if they come from a client.
fn answers(mut written: &[u8], side: Side) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let Some(length) = payload_len(written) {
        assert_eq!(written[1] & 0x80 != 0, side == Side::Client);
        let (header, rest) = written.split_at(2);
        let (mask, rest) = match side {
            Side::Server => (&[0; 4][..], rest),
            Side::Client => rest.split_at(4),
        };
        let (payload, rest) = rest.split_at(length as usize);
        let payload = payload.iter().zip(mask.iter().cycle());
        frames.push((header[0], payload.map(|(byte, mask)| byte ^ mask).collect()));
        written = rest;
    }
    frames
}

/// Checks a case in one read, in reads of a byte and of a few, and in two reads with every place between them; of long ones, the places around the first header.
fn check(case: &Case, agreed: Option<Agreed>) {
    let expected = Outcome {
        messages: case.messages.clone(),
        pongs: case.pongs.clone(),
        end: case.end,
    };
    for side in [Side::Server, Side::Client] {
        let bytes = case.bytes(side == Side::Server);
        let name = &case.name;
        let (steps, places): (&[usize], usize) = match bytes.len() {
            length @ ..2000 => (&[1, 2, 3, 7, usize::MAX], length),
            _ => (&[97, 4096, usize::MAX], 20),
        };
        for step in steps {
            let outcome = run(side, agreed, bytes.chunks(*step));
            let is_right = outcome == expected;
            assert!(is_right, "{name} ({side:?}, reads of {step}): {outcome:?}");
        }
        for place in 1..places {
            let (first, second) = bytes.split_at(place);
            let outcome = run(side, agreed, [first, second].into_iter());
            let is_right = outcome == expected;
            assert!(is_right, "{name} ({side:?}, cut at {place}): {outcome:?}");
        }
    }
}

/// The cases of texts in two and three fragments, cut at every place, with a ping between them.
fn cut_texts() -> Vec<Case> {
    let good = UTF8.iter().map(|good| (good.as_bytes(), true));
    let bad = NOT_UTF8.iter().map(|(_, bad)| (*bad, false));
    let mut cases = Vec::new();
    for (bytes, is_utf8) in good.chain(bad) {
        let payload = [b"4", bytes].concat();
        let whole_text = String::from_utf8_lossy(&payload);
        let (messages, end) = match is_utf8 {
            true => (vec![text(whole_text), text("4")], cases::End::Open),
            false => (Vec::new(), cases::End::Violation(1007)),
        };
        for place in 1..payload.len() {
            let (first, second) = payload.split_at(place);
            let name = format!("{payload:x?} in fragments cut at {place}");
            let frames = [fragments(TEXT, &[first, second]), vec![whole("4")]].concat();
            cases.push(case(&name, frames, &messages, end));
            let frames = [fragments(TEXT, &[first, b"", second]), vec![whole("4")]].concat();
            cases.push(case(&name, frames, &messages, end));
        }
    }
    cases
}

/// Checks every case. Where compression was agreed on, a message that begins with RSV1 is a compressed one, which other tests are about.
pub(crate) fn check_all(agreed: Option<Agreed>) {
    let mut cases = cases();
    cases.extend(cut_texts());
    if agreed.is_some() {
        let is_compressed =
            |frame: &Raw| frame.first & RSV1 != 0 && matches!(frame.first & 15, TEXT | BINARY);
        cases.retain(|case| !case.frames.iter().any(is_compressed));
    }
    assert!(cases.len() > 500, "{}", cases.len());
    for case in &cases {
        check(case, agreed);
    }
}

#[test]
fn reads_cut_anywhere_come_to_the_same() {
    check_all(None);
}

#[test]
fn a_flood_of_empty_fragments_holds_no_memory() {
    let (stream, _peer) = tokio::io::duplex(1);
    let mut websocket = WebSocket::server(Stream::Other(Box::new(stream)), &[], 1000);
    let mut inbox = VecDeque::new();
    let empty = Raw::new(CONTINUATION, "").bytes(true);
    websocket
        .feed(&Raw::new(TEXT, "4").bytes(true), &mut inbox)
        .unwrap();
    for _ in 0..10 {
        websocket.feed(&empty.repeat(10_000), &mut inbox).unwrap();
    }
    assert!(inbox.is_empty() && websocket.egress.is_empty());
    // The message is not longer for it.
    websocket
        .feed(&Raw::new(FIN | CONTINUATION, "x").bytes(true), &mut inbox)
        .unwrap();
    assert_eq!(inbox, ["4x".into()]);
    assert!(websocket.partial.is_none());
}

#[test]
fn pongs_wait_up_to_a_limit_and_then_nothing_is_read() {
    let ping = |answer: usize| Raw::new(FIN | PING, vec![b'x'; answer - 2]).bytes(true);
    let mut cx = Context::from_waker(Waker::noop());
    for waiting in [16 * 1024 - 1, 16 * 1024, 16 * 1024 + 1] {
        let (stream, mut peer) = tokio::io::duplex(100);
        let mut websocket = WebSocket::server(Stream::Other(Box::new(stream)), &[], 1000);
        let mut inbox = VecDeque::new();
        // Something waits to be read.
        let message = whole("4a").bytes(true);
        assert!(pin!(peer.write(&message)).poll(&mut cx).is_ready());
        for _ in 0..128 {
            websocket.feed(&ping(127), &mut inbox).unwrap();
        }
        let rest = waiting - 128 * 127;
        for answer in [64, rest - 64] {
            websocket.feed(&ping(answer), &mut inbox).unwrap();
        }
        assert_eq!(websocket.pongs as usize, waiting);
        let read = websocket.poll_read(&mut cx, &mut inbox);
        assert_eq!(read.is_pending(), waiting > 16 * 1024);
        assert_eq!(inbox.is_empty(), waiting > 16 * 1024);
    }
}
