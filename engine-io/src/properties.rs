//! What is encoded is decoded the same: random packets of every type, in every form of both revisions.

use bytes::Bytes;

use crate::frame::Frame;
use crate::packet::{Message, Packet};
use crate::payload::{decode_payload, encode_payload, payload_len};
use crate::payload_v3::{
    PayloadV3, decode_binary_payload_v3, decode_payload_v3, encode_payload_v3,
};
use crate::random::Random;
use crate::text::Text;
use crate::wire::{BinaryForm, Revision, Wire};

const ROUNDS: u32 = 20_000;

impl Random {
    /// Anything but the separator of payloads, which no packet may hold.
    fn text(&mut self) -> Text {
        const PARTS: [&str; 12] = [
            "", "a", "é", "€", "😀", "1:", "4", "b", "\0", "\u{7f}", "\n", "\"",
        ];
        let count = self.below(6) * self.below(6);
        let parts = (0..count).map(|_| PARTS[self.size(PARTS.len() as u64)]);
        Text::from(parts.collect::<String>())
    }

    fn packet(&mut self) -> Packet {
        match self.below(9) {
            0 => Packet::Open(self.text()),
            1 => Packet::Close,
            2 => Packet::Ping(self.text()),
            3 => Packet::Pong(self.text()),
            4 => Packet::Upgrade,
            5 => Packet::Noop,
            6 | 7 => {
                let count = self.below(20) * self.below(20);
                let data: Vec<u8> = (0..count).map(|_| self.below(256) as u8).collect();
                Packet::Message(Message::Binary(data.into()))
            }
            _ => Packet::Message(Message::Text(self.text())),
        }
    }
}

fn message(frame: &Frame) -> Message {
    let data = Bytes::copy_from_slice(frame.packet());
    if frame.is_binary() {
        Message::Binary(data)
    } else {
        Message::Text(Text::try_from(data).unwrap())
    }
}

#[test]
fn packets_survive_every_form_of_a_websocket_message() {
    let mut random = Random::new(1);
    for _ in 0..ROUNDS {
        let packet = random.packet();
        for revision in [Revision::V3, Revision::V4] {
            for binary in [BinaryForm::Raw, BinaryForm::Base64] {
                let frame = Wire { revision, binary }.frame(packet.to_frame());
                assert_eq!(revision.decode(message(&frame)).as_ref(), Ok(&packet));
            }
        }
    }
}

#[test]
fn packets_survive_every_form_of_a_payload() {
    let mut random = Random::new(2);
    for _ in 0..ROUNDS {
        let packets: Vec<_> = (0..=random.below(5)).map(|_| random.packet()).collect();
        let frames: Vec<_> = packets.iter().map(Packet::to_frame).collect();
        let limit = packets.len();

        let body = encode_payload(&frames);
        let sum: usize = frames.iter().map(payload_len).sum();
        assert_eq!(body.len(), sum + limit - 1);
        let body = Text::try_from(body).unwrap();
        let decoded = decode_payload(&body, limit).collect::<Result<Vec<_>, _>>();
        assert_eq!(decoded.as_ref(), Ok(&packets));

        for binary in [BinaryForm::Raw, BinaryForm::Base64] {
            let decoded: Result<Vec<_>, _> = match encode_payload_v3(&frames, binary) {
                PayloadV3::Text(body) => {
                    let body = Text::try_from(body).unwrap();
                    decode_payload_v3(&body, limit).collect()
                }
                PayloadV3::Binary(body) => decode_binary_payload_v3(body, limit).collect(),
            };
            assert_eq!(decoded.as_ref(), Ok(&packets));
        }
    }
}
