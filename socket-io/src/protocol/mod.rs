//! The Socket.IO protocol, revision 5: packets, their encoding, and the arguments they carry.
//!
//! Pure: bytes in, bytes out. Nothing here reads a clock, waits, or knows a runtime.
//!
//! A packet is one text message of Engine.IO, `<type>[<attachments>-][<namespace>,][<ack id>][<json>]`, followed by one binary message for each
//! attachment. The namespace `/` is left out. With the `4` that Engine.IO puts in front of a message:
//!
//! | bytes | meaning |
//! |---|---|
//! | `40`, `40{"token":"x"}`, `40/adm,`, `40/adm,{"t":1}` | connect |
//! | `41`, `41/adm,` | disconnect |
//! | `42["e",1]`, `42/adm,12["e"]` | event; event with the ack id 12 |
//! | `4312["ok"]`, `43/adm,12[]` | acknowledgement |
//! | `44/nope,{"message":"Invalid namespace"}` | connect error |
//! | `451-["e",{"_placeholder":true,"num":0}]` and 1 binary | event with an attachment |
//! | `461-7[{"_placeholder":true,"num":0}]` and 1 binary | acknowledgement with an attachment |
//!
//! In: [`Decoder`] turns messages into [`Packet`]s, whose arguments stay unparsed text ([`RawArgs`]) until somebody knows their type.
//! Out: [`encode_event`] and its siblings write a packet into finished frames ([`Encoded`]); [`Outgoing`] serialises the arguments once when the
//! same event is sent with different ids.
//!
//! That is the default. A [`Parser`] chooses another form, for both sides alike: MessagePack, or one of your own, a [`CustomParser`].
//!
//! Source: Socket.IO protocol, revision 5, "Packet encoding"; what it leaves open follows the reference's `socket.io-parser`.

mod ack;
mod args;
mod attachments;
mod binary;
mod custom;
mod decode;
mod encode;
mod items;
mod javascript;
mod json_reader;
mod json_writer;
#[cfg(feature = "msgpack")]
mod msgpack;
#[cfg(not(feature = "msgpack"))]
#[path = "no_msgpack.rs"]
mod msgpack;
mod outgoing;
mod packet;
mod parser;
mod raw_json;
mod reason;
mod returned;
mod value;
mod values;

#[cfg(test)]
mod tests;

pub use ack::{AckError, PendingAcks};
pub use args::{Args, ArgsError, RawArgs};
pub use binary::Binary;
pub use custom::{CustomParser, PacketDecoder, PacketKind, PacketValue};
pub use decode::{DecodeError, Decoder, DecoderLimits};
pub use encode::{
    EncodeError, Encoded, MAX_ATTACHMENTS, encode_ack, encode_connect, encode_connect_error,
    encode_disconnect, encode_error_eio3, encode_event, encode_packet,
};
pub use javascript::{ArrayBuffer, Date, InvalidDate, Undefined};
pub use json_reader::MAX_DEPTH;
pub use outgoing::Outgoing;
pub use packet::{AckId, Event, Packet, is_reserved_event};
pub use parser::Parser;
pub use raw_json::RawJson;
pub use reason::{DisconnectReason, UnknownReason};
pub use returned::{Answer, answer_with};
pub use value::{Number, Object, Value};
