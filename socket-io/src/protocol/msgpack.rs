//! The packets of socket.io-msgpack-parser: a packet is one binary message, attachments included.
//!
//! | packet | MessagePack, as JSON |
//! |---|---|
//! | connect | `{"type":0,"nsp":"/"}`, `{"type":0,"data":{"token":"x"},"nsp":"/adm"}` |
//! | disconnect | `{"type":1,"nsp":"/adm"}` |
//! | event | `{"type":2,"data":["e",1],"nsp":"/"}`, `{"type":2,"data":["e"],"id":12,"nsp":"/adm"}` |
//! | acknowledgement | `{"id":12,"type":3,"data":["ok"],"nsp":"/adm"}` |
//! | connect error | `{"type":4,"data":{"message":"Invalid namespace"},"nsp":"/nope"}` |
//!
//! The first event is `83 a4"type" 02 a4"data" 92 a1"e" 01 a3"nsp" a1"/"`.
//!
//! Source: index.js of socket.io-msgpack-parser 3.0.2, notepack.io 2.2.0.

use bytes::Bytes;
use engine_io::{Frame, Message};
use serde::Serialize;

mod args;
mod decode;
mod items;
mod primitives;
mod reader;
mod serde_impl;
mod writer;

#[cfg(test)]
mod tests;

pub(super) use args::{PACKED_ARGS, Packed};

use super::encode::{CAPACITY, check_name};
use super::{AckId, DecodeError, EncodeError, Encoded, Number, Packet, Parser, RawArgs};
use primitives::{Kind, correct_header, write_header, write_str, write_unsigned};
use writer::{write_args, write_value};

/// The format, where there is a choice of several.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format;

impl Parser {
    /// MessagePack, for clients that use the npm package `socket.io-msgpack-parser`. Every packet is one binary message, with its binary data in place,
    /// so that there is no limit on attachments.
    ///
    /// Handlers notice no difference: data is read from MessagePack straight into their types, a JavaScript `Date` as the string that JSON makes of it or as
    /// a [`Date`](super::Date), and `undefined` as what is not there. Binary data in the payload of a connect packet reads as a list of numbers.
    pub fn message_pack() -> Self {
        Format.into()
    }
}

impl Format {
    pub(super) fn decode(self, message: Message) -> Result<Packet, DecodeError> {
        match message {
            Message::Binary(data) => decode::decode(&data),
            Message::Text(_) => Err(DecodeError::InvalidType),
        }
    }

    pub(super) fn encode_event<T: Serialize + ?Sized>(
        self,
        namespace: &str,
        name: &str,
        ack: Option<AckId>,
        data: &T,
    ) -> Result<Encoded, EncodeError> {
        check_name(name)?;
        encode(2, namespace, ack, |output| {
            write_str(output, name);
            Ok(1 + write_args(output, data)?)
        })
    }

    pub(super) fn encode_ack<T: Serialize + ?Sized>(
        self,
        namespace: &str,
        id: AckId,
        data: &T,
    ) -> Result<Encoded, EncodeError> {
        encode(3, namespace, Some(id), |output| write_args(output, data))
    }

    pub(super) fn encode_connect<T: Serialize + ?Sized>(
        self,
        namespace: &str,
        auth: Option<&T>,
    ) -> Result<Encoded, EncodeError> {
        match auth {
            Some(auth) => encode_payload(0, namespace, auth),
            None => Ok(encode_bare(0, namespace)),
        }
    }

    pub(super) fn encode_disconnect(self, namespace: &str) -> Encoded {
        encode_bare(1, namespace)
    }

    pub(super) fn encode_connect_error<T: Serialize + ?Sized>(
        self,
        namespace: &str,
        data: &T,
    ) -> Result<Encoded, EncodeError> {
        encode_payload(4, namespace, data)
    }

    pub(super) fn encode_error_eio3<T: Serialize + ?Sized>(
        self,
        namespace: &str,
        data: &T,
    ) -> Result<Encoded, EncodeError> {
        encode_any_payload(4, namespace, data, |_| true)
    }
}

/// An event whose name and arguments are written already.
#[derive(Clone, Debug)]
pub(super) struct Body {
    data: Bytes,
    count: usize,
    /// Where the first argument starts.
    start: usize,
}

impl Body {
    pub(super) fn new<T: Serialize + ?Sized>(
        _: Format,
        name: &str,
        number: Option<Number>,
        data: &T,
    ) -> Result<Self, EncodeError> {
        let mut output = Vec::with_capacity(CAPACITY);
        match number {
            Some(number) => write_value(&mut output, &number)?,
            None => write_str(&mut output, name),
        }
        let start = output.len();
        let count = 1 + write_args(&mut output, data)?;
        Ok(Self {
            data: output.into(),
            count,
            start,
        })
    }

    pub(super) fn encode(
        &self,
        namespace: &str,
        ack: Option<AckId>,
        offset: Option<&str>,
    ) -> Encoded {
        let encoded = encode(2, namespace, ack, |output| {
            output.extend_from_slice(&self.data);
            if let Some(offset) = offset {
                write_str(output, offset);
            }
            Ok(self.count + usize::from(offset.is_some()))
        });
        // Nothing is left that could fail.
        encoded.unwrap_or_else(|_| encode_bare(2, namespace))
    }

    pub(super) fn args(&self) -> RawArgs {
        let count = u32::try_from(self.count - 1).unwrap_or(u32::MAX);
        Packed::new(self.data.slice(self.start..), count, true).into()
    }
}

/// An event or acknowledgement; `write` appends what belongs into the array and tells how many values it is.
fn encode(
    kind: u8,
    namespace: &str,
    id: Option<AckId>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<usize, EncodeError>,
) -> Result<Encoded, EncodeError> {
    let mut frame = Frame::binary_builder(CAPACITY + namespace.len());
    let output = frame.buffer();
    write_header(output, Kind::Map, 3 + usize::from(id.is_some()));
    // In the reference's order.
    let write_id = |output: &mut Vec<u8>| {
        if let Some(id) = id {
            write_str(output, "id");
            write_unsigned(output, id.get());
        }
    };
    if kind == 3 {
        write_id(output);
    }
    write_kind(output, kind);
    write_str(output, "data");
    let start = output.len();
    write_header(output, Kind::Array, 0);
    let count = write(output)?;
    correct_header(output, start, Kind::Array, 0, count);
    if kind != 3 {
        write_id(output);
    }
    write_namespace(output, namespace);
    Ok(Encoded::single(frame.finish()))
}

fn encode_bare(kind: u8, namespace: &str) -> Encoded {
    let mut frame = Frame::binary_builder(CAPACITY + namespace.len());
    let output = frame.buffer();
    write_header(output, Kind::Map, 2);
    write_kind(output, kind);
    write_namespace(output, namespace);
    Encoded::single(frame.finish())
}

fn encode_payload<T: Serialize + ?Sized>(
    kind: u8,
    namespace: &str,
    data: &T,
) -> Result<Encoded, EncodeError> {
    encode_any_payload(kind, namespace, data, |first| match first {
        0x80..=0x8f | 0xde | 0xdf => true,
        0xa0..=0xbf | 0xd9..=0xdb => kind == 4,
        _ => false,
    })
}

/// A packet whose data may start with such a byte.
fn encode_any_payload<T: Serialize + ?Sized>(
    kind: u8,
    namespace: &str,
    data: &T,
    allowed: impl Fn(u8) -> bool,
) -> Result<Encoded, EncodeError> {
    let mut frame = Frame::binary_builder(CAPACITY + namespace.len());
    let output = frame.buffer();
    write_header(output, Kind::Map, 3);
    write_kind(output, kind);
    write_str(output, "data");
    let start = output.len();
    write_value(output, data)?;
    if !output.get(start).is_some_and(|first| allowed(*first)) {
        return Err(EncodeError::Data("payload must be an object".into()));
    }
    write_namespace(output, namespace);
    Ok(Encoded::single(frame.finish()))
}

fn write_kind(output: &mut Vec<u8>, kind: u8) {
    write_str(output, "type");
    write_unsigned(output, kind.into());
}

fn write_namespace(output: &mut Vec<u8>, namespace: &str) {
    write_str(output, "nsp");
    write_str(output, namespace);
}
