//! Payloads: several packets in one HTTP body, separated by the character U+001E.
//!
//! `4hello` `1E` `bAQIDBA==` `1E` `2`: a text message, a binary message, a ping.
//!
//! Source: Engine.IO protocol, revision 4, "HTTP long-polling".

use bytes::Bytes;

use crate::frame::Frame;
use crate::packet::{DecodeError, Packet};
use crate::text::Text;
use crate::wire::{Wire, base64_len};

const SEPARATOR: u8 = 0x1e;

/// Decodes the packets of a payload one after the other. The first error ends the payload: packets before it count, what follows does not.
///
/// At most `limit` packets are decoded; one more is an error.
pub fn decode_payload(
    body: &Text,
    limit: usize,
) -> impl Iterator<Item = Result<Packet, DecodeError>> {
    let mut failed = false;
    body.split(char::from(SEPARATOR))
        .enumerate()
        .map_while(move |(index, item)| {
            if failed {
                return None;
            }
            let packet = if index < limit {
                Packet::decode_in(body, item)
            } else {
                Err(DecodeError::TooManyPackets { limit })
            };
            failed = packet.is_err();
            Some(packet)
        })
}

/// Joins packets to one payload. A single text packet is not copied.
pub fn encode_payload(frames: &[Frame]) -> Bytes {
    if let [frame] = frames {
        if !frame.is_binary() {
            return frame.websocket().slice_ref(frame.packet());
        }
    }
    let size = frames.iter().map(payload_len).sum::<usize>() + frames.len();
    let mut body = Vec::with_capacity(size);
    for frame in frames {
        if !body.is_empty() {
            body.push(SEPARATOR);
        }
        if frame.is_binary() {
            body.push(b'b');
            Wire::default().push_base64(frame.packet(), &mut body);
        } else {
            body.extend_from_slice(frame.packet());
        }
    }
    body.into()
}

/// Bytes that a packet takes in a payload, without its separator.
pub fn payload_len(frame: &Frame) -> usize {
    let len = frame.packet().len();
    if frame.is_binary() {
        1 + base64_len(len)
    } else {
        len
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Message;

    #[test]
    fn packets_are_joined_and_split_at_the_separator() {
        let frames = [
            Frame::message("héllo"),
            Frame::binary(&[1, 2, 3, 4]),
            Packet::Close.to_frame(),
        ];
        let body = encode_payload(&frames);
        assert_eq!(body, "4héllo\x1ebAQIDBA==\x1e1".as_bytes());
        let packets: Result<Vec<_>, _> =
            decode_payload(&Text::try_from(body).unwrap(), 3).collect();
        let expected = vec![
            Packet::Message("héllo".into()),
            Packet::Message(Message::Binary(vec![1, 2, 3, 4].into())),
            Packet::Close,
        ];
        assert_eq!(packets, Ok(expected));
    }

    #[test]
    fn a_single_text_packet_shares_the_frame_s_bytes() {
        let frame = Frame::message("hello");
        let body = encode_payload(std::slice::from_ref(&frame));
        assert_eq!(body.as_ptr(), frame.packet().as_ptr());
    }

    #[test]
    fn the_computed_length_is_the_encoded_one() {
        for len in 0..10 {
            let frames = [
                Frame::binary(&vec![1; len]),
                Frame::message(&"x".repeat(len)),
            ];
            let sum: usize = frames.iter().map(payload_len).sum();
            assert_eq!(encode_payload(&frames).len(), sum + 1);
        }
    }

    #[test]
    fn the_first_bad_packet_ends_the_payload() {
        for (body, error) in [
            ("", DecodeError::Empty),
            ("4a\x1e", DecodeError::Empty),
            ("4a\x1e\x1e4b", DecodeError::Empty),
            ("4a\x1ex\x1e4b", DecodeError::UnknownType('x')),
            ("4a\x1e4b\x1e4c", DecodeError::TooManyPackets { limit: 2 }),
        ] {
            let text = Text::from(body);
            let last = decode_payload(&text, 2).last();
            assert_eq!(last, Some(Err(error)), "{body:?}");
        }
    }
}
