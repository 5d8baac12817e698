//! One binary message becomes a packet.
//!
//! | what | must be | else |
//! |---|---|---|
//! | `type` | an integer from 0 to 4 | invalid packet type |
//! | `nsp` | a string | invalid namespace |
//! | `data` of a connect packet | `undefined` or a map | invalid payload |
//! | `data` of a disconnect packet | `undefined` | invalid payload |
//! | `data` of a connect error | a string or a map | invalid payload |
//! | `data` of events and acknowledgements | an array | invalid payload |
//! | `id` | `undefined` or an integer | invalid packet id |
//!
//! A key that is missing is `undefined`, one that comes twice counts the last time, others are ignored. Names of events are free, reserved ones
//! included; an event whose name is neither a string nor a number is nobody's.
//!
//! Source: `Decoder` of socket.io-msgpack-parser 3.0.2. It takes negative ids, too, which no client sends.

use bytes::Bytes;
use engine_io::Text;
use serde::de::Deserialize;

use super::args::Packed;
use super::reader::{Reader, Token};
use crate::protocol::json_reader::ReadError;
use crate::protocol::{AckId, DecodeError, Event, Packet, RawArgs, RawJson, Value};

/// The values under the keys that matter.
#[derive(Default)]
struct Fields<'a> {
    kind: Field<'a>,
    namespace: Field<'a>,
    data: Field<'a>,
    id: Field<'a>,
}

/// The bytes of a value, and whether there is binary data in them; no bytes when there is no value.
#[derive(Clone, Copy, Default)]
struct Field<'a> {
    bytes: &'a [u8],
    binary: bool,
}

impl<'a> Field<'a> {
    /// The value, or the start of it, and what follows.
    fn token(self) -> (Token<'a>, Reader<'a>) {
        let mut reader = Reader::new(self.bytes, 0);
        let token = reader.token().unwrap_or(Token::Undefined);
        (token, reader)
    }
}

pub(super) fn decode(message: &Bytes) -> Result<Packet, DecodeError> {
    let fields = read_fields(message)?;
    let (kind, _) = fields.kind.token();
    let kind = integer(kind).filter(|kind| *kind <= 4);
    let kind = kind.ok_or(DecodeError::InvalidType)?;
    let (Token::Str(namespace), _) = fields.namespace.token() else {
        return Err(DecodeError::InvalidNamespace);
    };
    let namespace = match namespace {
        b"/" => Text::from_static("/"),
        other => text(message, other),
    };
    let (data, mut rest) = fields.data.token();
    let shape_is_legal = match kind {
        0 => matches!(data, Token::Undefined | Token::Map(_)),
        1 => data == Token::Undefined,
        4 => matches!(data, Token::Str(_) | Token::Map(_)),
        _ => matches!(data, Token::Array(_)),
    };
    if !shape_is_legal {
        return Err(DecodeError::InvalidPayload);
    }
    let id = match fields.id.token() {
        (Token::Undefined, _) => None,
        (token, _) => Some(integer(token).ok_or(DecodeError::InvalidId)?),
    };
    let id = id.map(AckId::new);
    let args = |bytes, count| {
        let bytes = message.slice_ref(bytes);
        RawArgs::from(Packed::new(bytes, count, fields.data.binary))
    };
    Ok(match (kind, data) {
        (0, Token::Undefined) => Packet::Connect {
            namespace,
            auth: None,
        },
        (0, _) => Packet::Connect {
            namespace,
            auth: Some(to_json(fields.data.bytes)?),
        },
        (1, _) => Packet::Disconnect { namespace },
        (2, Token::Array(count)) => {
            let (name, numeric) = match rest.token() {
                Ok(Token::Str(name)) if count > 0 => (text(message, name), false),
                Ok(Token::Unsigned(number)) if count > 0 => (number.to_string().into(), true),
                Ok(Token::Signed(number)) if count > 0 => (number.to_string().into(), true),
                // What no digits can say is text.
                Ok(Token::Float(number)) if count > 0 => {
                    (number.to_string().into(), number.is_finite())
                }
                _ => return Ok(Packet::Ignored { namespace }),
            };
            Packet::Event {
                namespace,
                ack: id,
                event: Event {
                    name,
                    numeric,
                    args: args(rest.rest(), count - 1),
                },
            }
        }
        (3, Token::Array(count)) => match id {
            Some(id) => Packet::Ack {
                namespace,
                id,
                args: args(rest.rest(), count),
            },
            None => Packet::Ignored { namespace },
        },
        _ => Packet::ConnectError {
            namespace,
            data: to_json(fields.data.bytes)?,
        },
    })
}

/// Walks over the whole packet, so that what is kept of it is known to be well-formed.
fn read_fields(message: &[u8]) -> Result<Fields<'_>, DecodeError> {
    let mut reader = Reader::new(message, 0);
    let mut fields = Fields::default();
    let top = reader.token()?;
    let count = match top {
        Token::Map(count) => count,
        _ => {
            Reader::new(message, 0).skip()?;
            0
        }
    };
    for _ in 0..count {
        let (key, _) = read_field(&mut reader)?.token();
        let value = read_field(&mut reader)?;
        match key {
            Token::Str(b"type") => fields.kind = value,
            Token::Str(b"nsp") => fields.namespace = value,
            Token::Str(b"data") => fields.data = value,
            Token::Str(b"id") => fields.id = value,
            _ => {}
        }
    }
    match (top, reader.rest().len()) {
        (Token::Map(_), 1..) => Err(DecodeError::TrailingBytes {
            count: reader.rest().len(),
        }),
        _ => Ok(fields),
    }
}

fn read_field<'a>(reader: &mut Reader<'a>) -> Result<Field<'a>, ReadError> {
    let start = reader.rest();
    let binary = reader.skip()?;
    let bytes = &start[..start.len() - reader.rest().len()];
    Ok(Field { bytes, binary })
}

/// A number that is an integer to JavaScript, and not negative.
fn integer(token: Token<'_>) -> Option<u64> {
    match token {
        Token::Unsigned(number) => Some(number),
        Token::Signed(number) => number.try_into().ok(),
        // Below 2^64, so that the conversion is exact.
        Token::Float(number) if number.fract() == 0.0 && (0.0..1.8e19).contains(&number) => {
            Some(number as u64)
        }
        _ => None,
    }
}

/// A string of the message, without copying it if it is UTF-8.
fn text(message: &Bytes, bytes: &[u8]) -> Text {
    match std::str::from_utf8(bytes) {
        Ok(_) => Text::try_from(message.slice_ref(bytes)).unwrap_or_default(),
        Err(_) => String::from_utf8_lossy(bytes).into_owned().into(),
    }
}

/// The payload of a connect packet or a connect error as the rest of the library knows it.
fn to_json(bytes: &[u8]) -> Result<RawJson, DecodeError> {
    let value = Value::deserialize(&mut Reader::new(bytes, 0));
    value
        .ok()
        .and_then(|value| RawJson::from_data(&value).ok())
        .ok_or(DecodeError::InvalidPayload)
}

impl From<ReadError> for DecodeError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Syntax { what, offset } => Self::Malformed { what, offset },
            ReadError::IllegalAttachment | ReadError::Mismatch(_) | ReadError::TooDeep => {
                Self::InvalidPayload
            }
        }
    }
}
