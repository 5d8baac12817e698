//! Rules of the protocol as tables of bytes.

use bytes::Bytes;
use engine_io::Message;

use super::*;

mod custom;
mod encoding;
mod leniency;
pub(super) mod random;
mod reading;
mod refusals;
mod wire;

/// What the decoder makes of a text and binary messages behind it; the last result counts.
fn decode(text: &str, attachments: &[&[u8]]) -> Result<Option<Packet>, DecodeError> {
    let mut decoder = Decoder::default();
    let mut result = decoder.handle(text.into());
    for data in attachments {
        result.clone()?;
        result = decoder.handle(Message::Binary(Bytes::copy_from_slice(data)));
    }
    result
}

/// The only packet in the messages.
#[track_caller]
fn packet(text: &str, attachments: &[&[u8]]) -> Packet {
    decode(text, attachments)
        .expect("a packet should be legal")
        .expect("a packet should be complete")
}

/// The arguments of an event or acknowledgement.
#[track_caller]
fn args(text: &str, attachments: &[&[u8]]) -> RawArgs {
    match packet(text, attachments) {
        Packet::Event { event, .. } => event.args,
        Packet::Ack { args, .. } => args,
        other => panic!("{other:?} has no arguments"),
    }
}

/// The frames of a packet as the decoder of the other side gets them.
fn messages(encoded: &Encoded) -> Vec<Message> {
    let messages = encoded.frames().map(|frame| {
        let packet = frame.packet();
        if frame.is_binary() {
            return Message::Binary(Bytes::copy_from_slice(packet));
        }
        let text = std::str::from_utf8(packet).expect("a text frame should be UTF-8");
        let text = text
            .strip_prefix('4')
            .expect("a packet should be a message");
        text.into()
    });
    messages.collect()
}

/// The text of a packet, `4` included.
fn text(encoded: &Encoded) -> String {
    String::from_utf8(encoded.header().packet().to_vec()).expect("a text frame should be UTF-8")
}

/// The packet as it comes out of the other side's decoder.
#[track_caller]
fn transfer(encoded: &Encoded) -> Packet {
    let mut decoder = Decoder::new(DecoderLimits::new().max_attachments(1000));
    let mut last = None;
    for message in messages(encoded) {
        assert_eq!(last, None, "a packet should be complete only once");
        last = decoder.handle(message).expect("our packet should be legal");
    }
    assert!(!decoder.awaiting());
    last.expect("our packet should be complete")
}
