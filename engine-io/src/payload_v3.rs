//! Payloads of revision 3: several packets in one HTTP body, each behind its length.
//!
//! | packets | form | body |
//! |---|---|---|
//! | `4hé😀`, `2` | text | `5:4hé😀` `1:2` |
//! | `4hi`, binary `01 02` | text, when the client has put `b64=1` into the query | `3:4hi` `6:b4AQI=` |
//! | the same | binary | `00 03 FF` `4hi` `01 03 FF` `04 01 02` |
//!
//! The length of the text form counts UTF-16 code units, as JavaScript does. In the binary form each packet has a byte that says whether it is text (0) or
//! binary (1), and the decimal digits of its length in bytes, each as a byte from 0 to 9, before `FF`.
//!
//! Source: Engine.IO protocol, revision 3, "Payload"; what it leaves open follows the reference's `parser-v3`.

use std::iter;

use bytes::{Buf, Bytes};

use crate::frame::Frame;
use crate::packet::{DecodeError, Message, Packet};
use crate::text::Text;
use crate::wire::{BinaryForm, MESSAGE, Revision, Wire, base64_len};

/// Ends the length of an item of the binary form.
const END_OF_LENGTH: u8 = 0xff;

/// A finished payload, whose form is told by the content type.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // complete by definition of the protocol
pub enum PayloadV3 {
    /// `text/plain; charset=UTF-8`.
    Text(Bytes),
    /// `application/octet-stream`.
    Binary(Bytes),
}

/// Joins packets to one payload: the binary form if any of them is binary and the peer takes that.
pub fn encode_payload_v3(frames: &[Frame], binary: BinaryForm) -> PayloadV3 {
    if binary == BinaryForm::Raw && frames.iter().any(Frame::is_binary) {
        PayloadV3::Binary(encode_binary(frames).into())
    } else {
        PayloadV3::Text(encode_text(frames).into())
    }
}

fn encode_text(frames: &[Frame]) -> Vec<u8> {
    let wire = Wire {
        revision: Revision::V3,
        binary: BinaryForm::Base64,
    };
    let mut body = Vec::with_capacity(frames.iter().map(room).sum());
    for frame in frames {
        let packet = frame.packet();
        if frame.is_binary() {
            push_length(&mut body, "b4".len() + base64_len(packet.len()), b'0');
            body.extend_from_slice(b":b");
            wire.push_base64(packet, &mut body);
        } else {
            push_length(&mut body, utf16_len(packet), b'0');
            body.push(b':');
            body.extend_from_slice(packet);
        }
    }
    body
}

fn encode_binary(frames: &[Frame]) -> Vec<u8> {
    let mut body = Vec::with_capacity(frames.iter().map(room).sum());
    for frame in frames {
        let packet = frame.packet();
        body.push(frame.is_binary().into());
        push_length(&mut body, packet.len() + usize::from(frame.is_binary()), 0);
        body.push(END_OF_LENGTH);
        if frame.is_binary() {
            body.push(MESSAGE);
        }
        body.extend_from_slice(packet);
    }
    body
}

/// What a packet takes at most, but for lengths that are absurd.
fn room(frame: &Frame) -> usize {
    let len = frame.packet().len();
    12 + if frame.is_binary() {
        base64_len(len)
    } else {
        len
    }
}

/// Appends a decimal number whose digit zero is this byte.
fn push_length(body: &mut Vec<u8>, length: usize, zero: u8) {
    let start = body.len();
    let mut rest = length;
    loop {
        body.push(zero + (rest % 10) as u8);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    body[start..].reverse();
}

/// Decodes the packets of a payload in the text form one after the other. The first error ends the payload: packets before it count, what follows does not.
///
/// At most `limit` packets are decoded; one more is an error. Items without a packet (`0:`) are skipped.
pub fn decode_payload_v3(
    body: &Text,
    limit: usize,
) -> impl Iterator<Item = Result<Packet, DecodeError>> {
    let mut rest = Some(&**body).filter(|body| !body.is_empty());
    let mut empty = rest.is_none();
    until_error(limit, move || {
        if std::mem::take(&mut empty) {
            return Some(Err(DecodeError::Empty));
        }
        loop {
            let (item, behind) = match split_item(rest.filter(|rest| !rest.is_empty())?) {
                Ok(split) => split,
                Err(error) => return Some(Err(error)),
            };
            rest = Some(behind);
            if !item.is_empty() {
                return Some(Revision::V3.decode(Message::Text(body.slice_ref(item))));
            }
        }
    })
}

/// The same for the binary form.
pub fn decode_binary_payload_v3(
    body: Bytes,
    limit: usize,
) -> impl Iterator<Item = Result<Packet, DecodeError>> {
    let mut rest = body;
    until_error(limit, move || {
        let is_text = *rest.first()? == 0;
        let Some(item) = take_item(&mut rest) else {
            return Some(Err(DecodeError::Length));
        };
        Some(Revision::V3.decode(if is_text {
            Message::Text(Text::lossy(&item))
        } else {
            Message::Binary(item)
        }))
    })
}

fn until_error(
    limit: usize,
    mut next: impl FnMut() -> Option<Result<Packet, DecodeError>>,
) -> impl Iterator<Item = Result<Packet, DecodeError>> {
    let mut count = 0;
    let mut failed = false;
    iter::from_fn(move || {
        if failed {
            return None;
        }
        let packet = match next()? {
            Ok(_) if count == limit => Err(DecodeError::TooManyPackets { limit }),
            packet => packet,
        };
        count += 1;
        failed = packet.is_err();
        Some(packet)
    })
}

/// The first item of a text payload, without its length, and what is behind it.
fn split_item(payload: &str) -> Result<(&str, &str), DecodeError> {
    let (length, behind) = payload.split_once(':').ok_or(DecodeError::Length)?;
    let units = Some(length)
        .filter(|length| length.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|length| length.parse().ok());
    units
        .and_then(|units| utf16_end(behind, units))
        .and_then(|end| behind.split_at_checked(end))
        .ok_or(DecodeError::Length)
}

/// Takes the first item off a binary payload, and its kind and length with it.
fn take_item(payload: &mut Bytes) -> Option<Bytes> {
    let digits = payload
        .get(1..)?
        .iter()
        .position(|&byte| byte == END_OF_LENGTH)?;
    let length = payload[1..=digits]
        .iter()
        .try_fold(0_usize, |length, &digit| {
            let digit = Some(digit).filter(|&digit| digit <= 9)?;
            length.checked_mul(10)?.checked_add(digit.into())
        })?;
    payload.advance(digits + 2);
    (digits > 0 && length <= payload.len()).then(|| payload.split_to(length))
}

/// How many UTF-16 code units a text has: one for each character, and one more for each that needs four bytes.
fn utf16_len(text: &[u8]) -> usize {
    text.iter()
        .map(|&byte| usize::from(byte & 0xc0 != 0x80) + usize::from(byte >= 0xf0))
        .sum()
}

/// Where so many code units end in bytes, if the text has them and they end between two characters.
fn utf16_end(text: &str, mut units: usize) -> Option<usize> {
    let mut end = 0_usize;
    while units > 0 {
        // No unit takes less than a byte, so this is never too far.
        let step = text.as_bytes().get(end..end.checked_add(units)?)?;
        units = units.checked_sub(utf16_len(step))?;
        end += step.len();
    }
    while !text.is_char_boundary(end) {
        end += 1;
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(body: &str) -> Vec<Result<Packet, DecodeError>> {
        decode_payload_v3(&body.into(), 100).collect()
    }

    fn decode_binary(body: &[u8]) -> Vec<Result<Packet, DecodeError>> {
        decode_binary_payload_v3(body.to_vec().into(), 100).collect()
    }

    fn message(text: &str) -> Result<Packet, DecodeError> {
        Ok(Packet::Message(text.into()))
    }

    fn binary(data: &[u8]) -> Result<Packet, DecodeError> {
        Ok(Packet::Message(data.to_vec().into()))
    }

    #[track_caller]
    fn check_text(packets: &[Packet], body: &str) {
        let frames: Vec<_> = packets.iter().map(Packet::to_frame).collect();
        let encoded = encode_payload_v3(&frames, BinaryForm::Base64);
        assert_eq!(encoded, PayloadV3::Text(body.to_owned().into()));
        let expected: Vec<_> = packets.iter().cloned().map(Ok).collect();
        assert_eq!(decode(body), expected);
    }

    #[track_caller]
    fn check_binary(packets: &[Packet], body: &[u8]) {
        let frames: Vec<_> = packets.iter().map(Packet::to_frame).collect();
        let encoded = encode_payload_v3(&frames, BinaryForm::Raw);
        assert_eq!(encoded, PayloadV3::Binary(body.to_vec().into()));
        let expected: Vec<_> = packets.iter().cloned().map(Ok).collect();
        assert_eq!(decode_binary(body), expected);
    }

    #[test]
    fn lengths_of_text_count_utf_16_code_units() {
        let text = |text: &str| Packet::Message(text.into());
        check_text(&[text(r#"30["hé😀"]"#)], r#"11:430["hé😀"]"#);
        check_text(&[text("hé😀"), Packet::Ping("".into())], "5:4hé😀1:2");
        check_text(&[text("€"), text("1:2"), text("")], "2:4€4:41:21:4");
        check_text(
            &[Packet::Ping("probe".into()), Packet::Close, Packet::Noop],
            "6:2probe1:11:6",
        );
        check_text(
            &[text(&"😀".repeat(50))],
            &format!("101:4{}", "😀".repeat(50)),
        );
    }

    #[test]
    fn binary_in_a_text_payload_is_base64_with_a_type() {
        check_text(
            &[
                Packet::Message("hi".into()),
                Packet::Message(vec![1, 2].into()),
                Packet::Message(Vec::new().into()),
            ],
            "3:4hi6:b4AQI=2:b4",
        );
    }

    #[test]
    fn binary_makes_the_payload_binary_if_the_peer_takes_it() {
        check_binary(
            &[
                Packet::Message("é".into()),
                Packet::Message(vec![1, 2].into()),
            ],
            b"\x00\x03\xff4\xc3\xa9\x01\x03\xff\x04\x01\x02",
        );
        check_binary(
            &[Packet::Message(vec![0xff; 11].into())],
            &[&b"\x01\x01\x02\xff\x04"[..], &[0xff; 11]].concat(),
        );
        let text = [Frame::message("a")];
        assert_eq!(
            encode_payload_v3(&text, BinaryForm::Raw),
            PayloadV3::Text("2:4a".into())
        );
    }

    #[test]
    fn items_without_a_packet_are_skipped() {
        assert_eq!(decode("0:2:4a0:000:02:4b"), [message("a"), message("b")]);
        assert_eq!(decode("0:"), []);
        assert_eq!(decode_binary(b""), []);
    }

    #[test]
    fn the_first_bad_item_ends_a_text_payload() {
        use DecodeError::{Empty, Length, UnknownType};
        for (body, good, error) in [
            ("", 0, Empty),
            (":", 0, Length),
            ("3:420[\"echo\"]", 1, Length),
            ("99:420[\"echo\"]", 0, Length),
            ("x:4", 0, Length),
            ("+1:4", 0, Length),
            ("-1:4", 0, Length),
            (" 1:4", 0, Length),
            ("4hi", 0, Length),
            ("2:4112", 1, Length),
            ("2:4a1", 1, Length),
            ("1:x", 0, UnknownType('x')),
            ("1:41:x1:4", 1, UnknownType('x')),
            // The first half of a surrogate pair.
            ("2:4😀", 0, Length),
            ("4:4😀", 0, Length),
            ("18446744073709551615:4", 0, Length),
            ("99999999999999999999:4", 0, Length),
            (&format!("{}:4", "9".repeat(400)), 0, Length),
        ] {
            let packets = decode(body);
            let (last, before) = packets.split_last().unwrap();
            assert_eq!(*last, Err(error), "{body:?}");
            assert_eq!(before.len(), good, "{body:?}");
            assert!(before.iter().all(Result::is_ok), "{body:?}");
        }
    }

    #[test]
    fn the_first_bad_item_ends_a_binary_payload() {
        let long = [&[0][..], &[9; 400], b"\xff4"].concat();
        for (body, good) in [
            (&b"\x00\x01\xff4\x00"[..], 1),
            (b"\x00\x02\xff4", 0),
            (b"\x00\xff4", 0),
            (b"\x00\x0a\xff4123456789", 0),
            (b"\x01\x03\x04", 0),
            (b"\xff", 0),
            (b"\x01\x02\xff\x04\x01\x00\x00\xff", 1),
            (&long, 0),
        ] {
            let packets = decode_binary(body);
            let (last, before) = packets.split_last().unwrap();
            assert!(last.is_err(), "{body:?}");
            assert_eq!(before.len(), good, "{body:?}");
        }
        assert_eq!(
            decode_binary(b"\x00\x01\xffx\x00\x01\xff4"),
            [Err(DecodeError::UnknownType('x'))]
        );
    }

    #[test]
    fn text_in_a_binary_payload_that_is_no_utf_8_is_replaced() {
        let packets = decode_binary(b"\x00\x03\xff4a\xff\x01\x02\xff\x04\x07");
        assert_eq!(packets, [message("a\u{fffd}"), binary(&[7])]);
    }

    #[test]
    fn a_payload_has_so_many_packets_at_most() {
        let error = Err(DecodeError::TooManyPackets { limit: 2 });
        let text: Vec<_> = decode_payload_v3(&"1:60:1:61:61:6".into(), 2).collect();
        assert_eq!(text, [Ok(Packet::Noop), Ok(Packet::Noop), error.clone()]);
        let item = [0, 1, 0xff, b'6'].repeat(4);
        let binary: Vec<_> = decode_binary_payload_v3(item.into(), 2).collect();
        assert_eq!(binary, [Ok(Packet::Noop), Ok(Packet::Noop), error]);
    }

    #[test]
    fn any_mixture_survives_the_round_trip() {
        let samples = ["", "a", "é", "€", "😀", "a😀é", "12:4", "\u{ffff}\u{10000}"];
        let mut packets = Vec::new();
        for (index, sample) in samples.iter().enumerate() {
            packets.push(Packet::Message(sample.repeat(index * 40 + 1).into()));
            packets.push(Packet::Message(vec![index as u8; index * 50].into()));
        }
        let frames: Vec<_> = packets.iter().map(Packet::to_frame).collect();
        let expected: Vec<_> = packets.into_iter().map(Ok).collect();
        let PayloadV3::Text(text) = encode_payload_v3(&frames, BinaryForm::Base64) else {
            panic!("not text");
        };
        assert_eq!(decode(std::str::from_utf8(&text).unwrap()), expected);
        let PayloadV3::Binary(data) = encode_payload_v3(&frames, BinaryForm::Raw) else {
            panic!("not binary");
        };
        assert_eq!(decode_binary(&data), expected);
    }

    /// Deterministic noise made of the characters that mean something.
    #[test]
    fn noise_is_decoded_or_refused() {
        let mut state = 1_u32;
        let mut random = move |below: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % below
        };
        let texts = [
            "0", "1", "2", "4", "9", ":", "b", "é", "😀", "1:6", "3:4hi", "6:b4AQI=",
        ];
        let bytes = [0, 1, 2, 3, 4, 9, 10, 0x34, 0x36, 0xc3, 0xa9, 0xff];
        for _ in 0..20_000 {
            let length = random(12);
            let text: String = (0..length).map(|_| texts[random(texts.len())]).collect();
            let data: Vec<u8> = (0..length).map(|_| bytes[random(bytes.len())]).collect();
            for packets in [decode(&text), decode_binary(&data)] {
                let errors = packets.iter().filter(|packet| packet.is_err()).count();
                let ended = packets.last().is_some_and(Result::is_err);
                assert_eq!(errors, usize::from(ended), "{text:?} {data:?}");
            }
        }
    }
}
