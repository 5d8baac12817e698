//! MessagePack as tables of bytes, recorded from socket.io-msgpack-parser 3.0.2 with notepack.io 2.2.0.

use engine_io::Message;

use super::*;
use crate::protocol::{Decoder, DecoderLimits, Value};

mod packets;
mod random;
mod reading;
mod refusals;
mod translation;
mod writing;

fn parser() -> Parser {
    Parser::message_pack()
}

fn decoder() -> Decoder {
    parser().decoder(DecoderLimits::default())
}

/// What the decoder makes of a message.
fn decode(message: &[u8]) -> Result<Packet, DecodeError> {
    let packet = decoder().handle(Message::Binary(Bytes::copy_from_slice(message)))?;
    Ok(packet.expect("a packet is one message"))
}

#[track_caller]
fn packet(message: &[u8]) -> Packet {
    decode(message).expect("a packet should be legal")
}

/// An event called `e` with these arguments, so many.
#[track_caller]
fn args(count: u8, values: &[u8]) -> RawArgs {
    assert!(count < 15);
    let message = [
        b"\x83\xa4type\x02\xa4data".as_slice(),
        &[0x91 + count],
        b"\xa1e",
        values,
        b"\xa3nsp\xa1/",
    ];
    match packet(&message.concat()) {
        Packet::Event { event, .. } => event.args,
        other => panic!("{other:?} has no arguments"),
    }
}

/// The message of a packet.
#[track_caller]
fn message(encoded: &Encoded) -> &[u8] {
    assert!(encoded.header().is_binary() && encoded.attachments().is_empty());
    encoded.header().packet()
}

/// What stands behind the name of the event `e` that carries `data`.
#[track_caller]
fn written<T: Serialize + ?Sized>(data: &T) -> (u8, Vec<u8>) {
    let encoded = parser().encode_event("/", "e", None, data, 0).unwrap();
    let rest = message(&encoded)
        .strip_prefix(b"\x83\xa4type\x02\xa4data")
        .and_then(|rest| rest.strip_suffix(b"\xa3nsp\xa1/"))
        .expect("an event should have its frame");
    let (header, rest) = rest.split_first().expect("an event should have a header");
    let args = rest.strip_prefix(b"\xa1e").expect("an event has a name");
    (header - 0x91, args.to_vec())
}
