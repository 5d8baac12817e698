//! Frames in.

use super::*;

/// More than any bytes of a test.
const AT_ONCE: usize = usize::MAX;

fn check(frames: &[Vec<u8>], expected: Result<&[Message], u16>) {
    let bytes = frames.concat();
    for step in [1, 2, 3, 7, 100, AT_ONCE] {
        let mut server = Server::new(1000);
        let result = server.arrive(&bytes, step);
        match expected {
            Ok(messages) => {
                assert_eq!(result, Ok(()), "{frames:x?} by {step}");
                assert_eq!(server.messages, messages, "{frames:x?} by {step}");
            }
            Err(code) => assert_eq!(result, Err(End::Violation(code)), "{frames:x?} by {step}"),
        }
    }
}

const WHOLE: u8 = FIN | RSV1 | TEXT;
const FIRST: u8 = RSV1 | TEXT;
const LAST: u8 = FIN | CONTINUATION;
const REPETITIVE: &str = "4compressed compressed compressed";

#[test]
fn compressed_and_plain_messages_arrive_in_order() {
    let deflated = frame(WHOLE, &compressed(REPETITIVE.as_bytes(), 6));
    let plain = frame(FIN | TEXT, b"4plain");
    let ping = frame(FIN | PING, b"hello");
    let in_parts = [frame(TEXT, b"4in "), frame(LAST, b"parts")].concat();
    let frames = [
        deflated.clone(),
        deflated.clone(),
        plain.clone(),
        ping,
        deflated.clone(),
        in_parts,
        deflated,
        plain,
    ];
    let messages = [
        REPETITIVE,
        REPETITIVE,
        "4plain",
        REPETITIVE,
        "4in parts",
        REPETITIVE,
        "4plain",
    ];
    check(&frames, Ok(&messages.map(Message::from)));
}

#[test]
fn fragments_become_one_message_with_control_frames_between_them() {
    let data = compressed(REPETITIVE.as_bytes(), 6);
    let (start, end) = data.split_at(5);
    let ping = frame(FIN | PING, b"hello");
    let frames = [
        // Empty fragments, too.
        frame(FIRST, b""),
        ping.clone(),
        frame(CONTINUATION, b""),
        frame(CONTINUATION, start),
        ping.clone(),
        ping,
        frame(CONTINUATION, end),
        frame(LAST, b""),
        frame(FIRST, start),
        frame(LAST, end),
        frame(FIN | TEXT, b"4plain"),
    ];
    let messages = [REPETITIVE, REPETITIVE, "4plain"];
    check(&frames, Ok(&messages.map(Message::from)));
    // A character in two fragments.
    let data = compressed("4é".as_bytes(), 0);
    let (start, end) = data.split_at(data.len() - 2);
    check(&[frame(FIRST, start), frame(LAST, end)], Ok(&["4é".into()]));
}

#[test]
fn binary_and_empty_messages_arrive_as_such() {
    let data = vec![0xff; 900];
    let deflated = compressed(&data, 9);
    let whole = FIN | RSV1 | BINARY;
    check(
        &[
            frame(whole, &deflated),
            frame(whole, b""),
            frame(whole, &[0]),
        ],
        Ok(&[data, Vec::new(), Vec::new()].map(Message::from)),
    );
}

#[test]
fn broken_rules_are_named_by_close_codes() {
    let text = compressed(b"4some text", 6);
    let start = frame(FIRST, &text[..3]);
    let plain = frame(FIN | TEXT, b"4plain");
    let mut unmasked = frame(WHOLE, &text);
    unmasked[1] &= 0x7f;
    for frames in [
        // RSV1 where it has no meaning: on control frames, on later fragments, with unknown opcodes.
        vec![frame(FIN | RSV1 | PING, b"")],
        vec![frame(FIN | RSV1 | 8, b"")],
        vec![frame(FIN | RSV1 | 3, &text)],
        vec![frame(FIN | RSV1 | CONTINUATION, &text)],
        vec![start.clone(), frame(FIN | RSV1 | CONTINUATION, &text[3..])],
        vec![start.clone(), frame(FIN | RSV1 | PING, b"")],
        // Other reserved bits.
        vec![frame(WHOLE | 0x20, &text)],
        vec![frame(WHOLE | 0x10, &text)],
        vec![start.clone(), frame(FIN | 0x20, &text[3..])],
        vec![unmasked],
        // A message within a message.
        vec![start.clone(), plain.clone()],
        vec![start.clone(), frame(WHOLE, &text)],
        vec![start, frame(FIN | 3, &text)],
        vec![frame(TEXT, b"4a"), frame(WHOLE, &text)],
    ] {
        check(&frames, Err(1002));
    }
    for data in [
        &text[..text.len() - 2],
        b"\xff\xff",
        &[text.clone(), text.clone()].concat(),
        // Not UTF-8.
        &compressed(b"4\xff", 6),
    ] {
        check(&[plain.clone(), frame(WHOLE, data)], Err(1007));
    }
    // Compressed: too long as announced, in one frame or in several; inflated.
    let long = vec![0; 700];
    let header = [WHOLE, 0xff, 0, 0, 0, 1, 0, 0, 0, 0];
    for frames in [
        vec![header.to_vec()],
        vec![frame(FIRST, &long), frame(LAST, &long)],
        vec![frame(WHOLE, &compressed(&[b'4'; 1001], 6))],
        vec![frame(WHOLE, &compressed(&[b'4'; 1_000_000], 6))],
    ] {
        check(&frames, Err(1009));
    }
    check(
        &[frame(WHOLE, &compressed(&[b'4'; 1000], 6))],
        Ok(&["4".repeat(1000).into()]),
    );
}

#[test]
fn a_message_that_does_not_shrink_may_have_any_size_that_is_allowed() {
    for max_message in [10, 1000, 100_000] {
        let mut random = Random::new(max_message);
        let data: Vec<u8> = (0..max_message).map(|_| random.below(256) as u8).collect();
        for level in [0, 1, 6, 9] {
            let mut server = Server::new(data.len());
            let bytes = frame(FIN | RSV1 | BINARY, &compressed(&data, level));
            assert_eq!(server.arrive(&bytes, AT_ONCE), Ok(()), "level {level}");
            assert_eq!(server.messages, [Message::from(data.clone())]);
        }
    }
}

#[test]
fn many_bombs_in_one_read_come_out_one_after_the_other() {
    const MAX: usize = 1_000_000;
    let bomb = frame(FIN | RSV1 | BINARY, &compressed(&vec![0; MAX], 9));
    let plain = frame(FIN | TEXT, b"4plain");
    let mut bytes = Vec::new();
    for _ in 0..16 {
        bytes.extend_from_slice(&bomb);
        bytes.extend_from_slice(&plain);
    }
    assert!(bytes.len() < 20_000);
    let mut server = Server::new(MAX);
    assert_eq!(server.arrive(&bytes, AT_ONCE), Ok(()));
    assert_eq!(server.messages.len(), 32);
    assert!(server.peak <= 2 * MAX + 100, "{}", server.peak);
}

#[test]
fn so_many_bytes_and_a_message_more_come_out_of_one_read() {
    const MAX: usize = 1000;
    let message = |length| frame(FIN | RSV1 | BINARY, &compressed(&vec![0; length], 6));
    // While there are no more than the limit, another one is inflated.
    for (inflated, at_once) in [(MAX - 1, 3), (MAX, 3), (MAX + 1, 2)] {
        let lengths = [600, inflated - 600, MAX, 1];
        let mut server = Server::new(MAX);
        let mut inbox = VecDeque::new();
        let read = lengths.map(message).concat();
        server.websocket.feed(&read, &mut inbox).unwrap();
        let came: Vec<_> = inbox.iter().map(Message::len).collect();
        assert_eq!(came, lengths[..at_once]);
        // The rest waits, and comes when they have been taken.
        let mut cx = Context::from_waker(Waker::noop());
        let next = server.websocket.poll_read(&mut cx, &mut inbox);
        assert_eq!(next, Poll::Ready(Ok(())));
        assert_eq!(inbox.len(), 4);
    }
}

#[test]
fn without_an_agreement_rsv1_breaks_the_rules() {
    let mut server = Server::new(1000);
    server.websocket.agreed = None;
    let bytes = frame(FIN | RSV1 | TEXT, &compressed(b"4hello hello", 6));
    assert_eq!(server.arrive(&bytes, AT_ONCE), Err(End::Violation(1002)));
}

#[test]
fn what_is_not_compressed_follows_the_same_rules() {
    let agreed = agreed(DeflateConfig::default(), 15);
    crate::connection::websocket::conformance::check_all(Some(agreed));
}

#[test]
fn a_client_is_held_to_the_same_rules() {
    // A server masks nothing; all of these are short.
    let plain = |first: u8, payload: &[u8]| [&[first, payload.len() as u8], payload].concat();
    let text = compressed(REPETITIVE.as_bytes(), 6);
    let (start, end) = text.split_at(5);
    let message = Message::from(REPETITIVE);
    let cases = [
        (plain(WHOLE, &text), Ok(Some(&message))),
        (
            [plain(FIRST, start), plain(LAST, end)].concat(),
            Ok(Some(&message)),
        ),
        (frame(WHOLE, &text), Err(1002)),
        (plain(FIN | RSV1 | PING, b""), Err(1002)),
        (plain(FIN | RSV1 | CONTINUATION, &text), Err(1002)),
        (
            [plain(FIRST, start), plain(FIN | RSV1 | CONTINUATION, end)].concat(),
            Err(1002),
        ),
        (plain(WHOLE, &[0xff; 20]), Err(1007)),
        (plain(WHOLE, &compressed(b"4\xff", 6)), Err(1007)),
        (plain(WHOLE, &compressed(&[b'4'; 2000], 9)), Err(1009)),
    ];
    for (bytes, expected) in cases {
        for step in [1, 3, AT_ONCE] {
            let (stream, _peer) = tokio::io::duplex(1);
            let stream = Stream::Other(Box::new(stream));
            let mut client = WebSocket::client(stream, &[], 1000, None);
            client.agreed = Some(agreed(DeflateConfig::default(), 15));
            let mut inbox = VecDeque::new();
            let end = bytes
                .chunks(step)
                .map(|read| client.feed(read, &mut inbox))
                .find_map(Result::err);
            let result = match end {
                None => Ok(inbox.front()),
                Some(End::Violation(code)) => Err(code),
                Some(other) => panic!("{other:?}"),
            };
            assert_eq!(result, expected, "{bytes:x?} by {step}");
        }
    }
}

#[test]
fn nothing_counts_behind_a_close_frame() {
    const CLOSE: &[u8] = b"\x88\x02\x03\xe8";
    const MESSAGE: &[u8] = b"\xc1\x01\0";
    for bytes in [CLOSE, &[CLOSE, MESSAGE].concat()] {
        let stream = Stream::Other(Box::new(tokio::io::duplex(1).0));
        let mut client = WebSocket::client(stream, &[], 1000, None);
        client.agreed = Some(agreed(DeflateConfig::default(), 15));
        let mut inbox = VecDeque::new();
        assert_eq!(client.feed(bytes, &mut inbox), Err(End::Closed));
        assert!(inbox.is_empty());
    }
}
