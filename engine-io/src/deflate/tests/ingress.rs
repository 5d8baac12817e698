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

#[test]
fn compressed_and_plain_messages_arrive_in_order() {
    let text = compressed(b"4compressed compressed compressed", 6);
    let message = Message::from("4compressed compressed compressed");
    let (start, end) = text.split_at(5);
    let (whole, first) = (FIN | RSV1 | TEXT, RSV1 | TEXT);
    let ping = frame(FIN | PING, b"hello");
    let plain = frame(FIN | TEXT, b"4plain");
    check(&[frame(whole, &text)], Ok(&[message.clone()]));
    check(
        &[
            plain.clone(),
            frame(whole, &text),
            plain.clone(),
            ping.clone(),
            frame(whole, &text),
            plain.clone(),
        ],
        Ok(&[
            "4plain".into(),
            message.clone(),
            "4plain".into(),
            message.clone(),
            "4plain".into(),
        ]),
    );
    // Fragments, with control frames between them; some are empty.
    check(
        &[
            frame(first, start),
            frame(FIN | CONTINUATION, end),
            plain.clone(),
        ],
        Ok(&[message.clone(), "4plain".into()]),
    );
    let empty = frame(CONTINUATION, b"");
    check(
        &[
            ping.clone(),
            frame(first, b""),
            ping.clone(),
            empty.clone(),
            frame(CONTINUATION, start),
            ping.clone(),
            ping,
            frame(CONTINUATION, end),
            frame(FIN, b""),
        ],
        Ok(&[message.clone()]),
    );
    // Plain fragments as before.
    check(
        &[
            frame(TEXT, b"4in "),
            frame(FIN, b"parts"),
            frame(whole, &text),
        ],
        Ok(&["4in parts".into(), message]),
    );
    // A character in two fragments; binary data; nothing at all.
    let text = compressed("4é".as_bytes(), 1);
    let (start, end) = text.split_at(text.len() / 2);
    check(&[frame(first, start), frame(FIN, end)], Ok(&["4é".into()]));
    let data = vec![0xff; 900];
    check(
        &[frame(FIN | RSV1 | BINARY, &compressed(&data, 9))],
        Ok(&[data.into()]),
    );
    check(
        &[
            frame(FIN | RSV1 | BINARY, b""),
            frame(FIN | RSV1 | BINARY, &[0]),
        ],
        Ok(&[Vec::new().into(), Vec::new().into()]),
    );
}

#[test]
fn broken_rules_are_named_by_close_codes() {
    let text = compressed(b"4some text", 6);
    let whole = FIN | RSV1 | TEXT;
    let start = frame(RSV1 | TEXT, &text[..3]);
    let plain = frame(FIN | TEXT, b"4plain");
    let mut unmasked = frame(whole, &text);
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
        vec![frame(whole | 0x20, &text)],
        vec![frame(whole | 0x10, &text)],
        vec![start.clone(), frame(FIN | 0x20, &text[3..])],
        vec![unmasked],
        // A message within a message.
        vec![start.clone(), plain.clone()],
        vec![start.clone(), frame(whole, &text)],
        vec![start, frame(FIN | 3, &text)],
        vec![frame(TEXT, b"4a"), frame(whole, &text)],
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
        check(&[plain.clone(), frame(whole, data)], Err(1007));
    }
    // Compressed: too long as announced, in one frame or in several; inflated.
    let long = vec![0; 700];
    let header = [whole, 0xff, 0, 0, 0, 1, 0, 0, 0, 0];
    for frames in [
        vec![header.to_vec()],
        vec![frame(RSV1 | TEXT, &long), frame(FIN, &long)],
        vec![frame(whole, &compressed(&[b'4'; 1001], 6))],
        vec![frame(whole, &compressed(&[b'4'; 1_000_000], 6))],
    ] {
        check(&frames, Err(1009));
    }
    check(
        &[frame(whole, &compressed(&[b'4'; 1000], 6))],
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
fn without_an_agreement_rsv1_breaks_the_rules() {
    let mut server = Server::new(1000);
    server.websocket.agreed = None;
    let bytes = frame(FIN | RSV1 | TEXT, &compressed(b"4hello hello", 6));
    assert_eq!(server.arrive(&bytes, AT_ONCE), Err(End::Violation(1002)));
}
