//! Parsers that other people write.
//!
//! | packet | kind, namespace, id, data |
//! |---|---|
//! | connect | `0`, `"/adm"`, –, `{"token":"x"}` or nothing |
//! | disconnect | `1`, `"/adm"`, –, – |
//! | event | `2`, `"/adm"`, `12` or nothing, `["e",1]` |
//! | acknowledgement | `3`, `"/adm"`, `12`, `["ok"]` |
//! | connect error | `4`, `"/nope"`, –, `{"message":"Invalid namespace"}` |
//!
//! Between types and such values stands JSON, which is simple and costs time: numbers that it does not have, NaN and the infinities, become null.
//!
//! Source: docs "Custom parser" of Socket.IO; `isPacketValid` of socket.io-parser, lib/index.ts.

use std::fmt;
use std::sync::Arc;

use engine_io::{Frame, Message, Text};
use serde::Serialize;

use super::encode::check_name;
use super::values::{to_args, to_values};
use super::{
    AckId, Args, DecodeError, EncodeError, Encoded, Event, Number, Packet, RawArgs, RawJson, Value,
};

/// A format of your own: `SocketIo::builder().parser(Parser::custom(…))`. The clients need its counterpart, see the option `parser` of the JavaScript client.
///
/// ```
/// use socket_io::protocol::{CustomParser, DecodeError, PacketDecoder, PacketValue};
/// use socket_io::Message;
///
/// #[derive(Debug)]
/// struct Nothing;
///
/// impl CustomParser for Nothing {
///     fn encode(&self, packet: &PacketValue) -> Vec<Message> {
///         vec![format!("{packet:?}").as_str().into()]
///     }
///
///     fn decoder(&self) -> Box<dyn PacketDecoder> {
///         Box::new(Nothing)
///     }
/// }
///
/// impl PacketDecoder for Nothing {
///     fn handle(&mut self, _: Message) -> Result<Option<PacketValue>, DecodeError> {
///         Err(DecodeError::Refused("I understand nothing".into()))
///     }
/// }
/// ```
pub trait CustomParser: Send + Sync + 'static {
    /// The messages of a packet, in their order; at least one. A broadcast is encoded once.
    fn encode(&self, packet: &PacketValue) -> Vec<Message>;

    /// For a new connection: what puts its packets together.
    fn decoder(&self) -> Box<dyn PacketDecoder>;
}

/// Puts the packets of one connection together.
pub trait PacketDecoder: Send {
    /// Takes in a message and hands out the packet that it completes, if any. It must bear everything that a peer may send, and hold no more than it has to.
    ///
    /// # Errors
    ///
    /// When the message breaks the format, for which the connection is closed: [`DecodeError::Refused`] says why.
    fn handle(&mut self, message: Message) -> Result<Option<PacketValue>, DecodeError>;

    /// Whether a packet has been begun. If it stays so for longer than the server allows, the connection is closed.
    fn awaiting(&self) -> bool {
        false
    }
}

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums)] // complete by definition of the protocol
pub enum PacketKind {
    /// A client joins a namespace, or a server confirms it.
    Connect,
    /// Either side leaves a namespace.
    Disconnect,
    /// A named message.
    Event,
    /// The answer to an event.
    Ack,
    /// A server refuses a namespace.
    ConnectError,
}

impl PacketKind {
    /// The number that stands for it in every format, from 0 to 4.
    pub const fn number(self) -> u8 {
        match self {
            Self::Connect => 0,
            Self::Disconnect => 1,
            Self::Event => 2,
            Self::Ack => 3,
            Self::ConnectError => 4,
        }
    }

    /// What the number stands for.
    pub const fn from_number(number: u64) -> Option<Self> {
        Some(match number {
            0 => Self::Connect,
            1 => Self::Disconnect,
            2 => Self::Event,
            3 => Self::Ack,
            4 => Self::ConnectError,
            _ => return None,
        })
    }
}

/// A packet as a [`CustomParser`] sees it.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::exhaustive_structs)] // complete by definition of the protocol
pub struct PacketValue {
    /// What it is.
    pub kind: PacketKind,
    /// Name of the namespace, with its leading `/`.
    pub namespace: Text,
    /// Ties an acknowledgement to its event.
    pub id: Option<AckId>,
    /// An array for events, the name first, and acknowledgements; an object or nothing to connect; an object or a string when that is refused, to a
    /// client of Socket.IO 2 anything; nothing to
    /// disconnect. Binary data lies where it belongs.
    pub data: Option<Value>,
}

/// Checks a packet that came from a peer.
impl TryFrom<PacketValue> for Packet {
    type Error = DecodeError;

    fn try_from(packet: PacketValue) -> Result<Self, DecodeError> {
        let PacketValue {
            kind,
            namespace,
            id,
            data,
        } = packet;
        Ok(match (kind, data) {
            (PacketKind::Connect, None) => Self::Connect {
                namespace,
                auth: None,
            },
            (PacketKind::Connect, Some(auth @ Value::Object(_))) => Self::Connect {
                namespace,
                auth: Some(to_json(&auth)?),
            },
            (PacketKind::Disconnect, None) => Self::Disconnect { namespace },
            (PacketKind::Event, Some(Value::Array(mut data))) if !data.is_empty() => {
                let (name, numeric) = match data.remove(0) {
                    Value::String(name) => (name, false),
                    Value::Number(number) => (format!("{number:?}"), true),
                    _ => return Err(DecodeError::InvalidPayload),
                };
                Self::Event {
                    namespace,
                    ack: id,
                    event: Event {
                        name: name.into(),
                        numeric,
                        args: from_values(data)?,
                    },
                }
            }
            (PacketKind::Ack, Some(Value::Array(data))) => match id {
                Some(id) => Self::Ack {
                    namespace,
                    id,
                    args: from_values(data)?,
                },
                None => Self::Ignored { namespace },
            },
            (PacketKind::ConnectError, Some(data @ (Value::Object(_) | Value::String(_)))) => {
                Self::ConnectError {
                    namespace,
                    data: to_json(&data)?,
                }
            }
            _ => return Err(DecodeError::InvalidPayload),
        })
    }
}

fn from_values(values: Vec<Value>) -> Result<RawArgs, DecodeError> {
    to_args(&Args(values)).map_err(|_| DecodeError::InvalidPayload)
}

fn to_json(value: &Value) -> Result<RawJson, DecodeError> {
    RawJson::from_data(value).map_err(|_| DecodeError::InvalidPayload)
}

// The other way.

#[inline(never)]
pub(super) fn encode_event<T: Serialize + ?Sized>(
    parser: &dyn CustomParser,
    namespace: &str,
    name: &str,
    ack: Option<AckId>,
    data: &T,
) -> Result<Encoded, EncodeError> {
    check_name(name)?;
    let mut values = vec![Value::from(name)];
    values.append(&mut to_values(data)?);
    let data = Some(Value::Array(values));
    Ok(encode(parser, PacketKind::Event, namespace, ack, data))
}

#[inline(never)]
pub(super) fn encode_ack<T: Serialize + ?Sized>(
    parser: &dyn CustomParser,
    namespace: &str,
    id: AckId,
    data: &T,
) -> Result<Encoded, EncodeError> {
    let data = Some(Value::Array(to_values(data)?));
    Ok(encode(parser, PacketKind::Ack, namespace, Some(id), data))
}

pub(super) fn encode_connect<T: Serialize + ?Sized>(
    parser: &dyn CustomParser,
    namespace: &str,
    auth: Option<&T>,
) -> Result<Encoded, EncodeError> {
    let auth = auth.map(payload).transpose()?;
    if !auth.as_ref().is_none_or(is_object) {
        return Err(EncodeError::Data("payload must be an object".into()));
    }
    Ok(encode(parser, PacketKind::Connect, namespace, None, auth))
}

pub(super) fn encode_disconnect(parser: &dyn CustomParser, namespace: &str) -> Encoded {
    encode(parser, PacketKind::Disconnect, namespace, None, None)
}

pub(super) fn encode_connect_error<T: Serialize + ?Sized>(
    parser: &dyn CustomParser,
    namespace: &str,
    data: &T,
) -> Result<Encoded, EncodeError> {
    let data = payload(data)?;
    if !is_object(&data) && data.as_str().is_none() {
        return Err(EncodeError::Data("payload must be an object".into()));
    }
    let kind = PacketKind::ConnectError;
    Ok(encode(parser, kind, namespace, None, Some(data)))
}

pub(super) fn encode_error_eio3<T: Serialize + ?Sized>(
    parser: &dyn CustomParser,
    namespace: &str,
    data: &T,
) -> Result<Encoded, EncodeError> {
    let data = Some(payload(data)?);
    Ok(encode(
        parser,
        PacketKind::ConnectError,
        namespace,
        None,
        data,
    ))
}

fn payload<T: Serialize + ?Sized>(data: &T) -> Result<Value, EncodeError> {
    let value = RawJson::from_data(data).and_then(|json| json.parse());
    value.map_err(|error| EncodeError::Data(error.to_string()))
}

fn is_object(value: &Value) -> bool {
    value.as_object().is_some()
}

fn encode(
    parser: &dyn CustomParser,
    kind: PacketKind,
    namespace: &str,
    id: Option<AckId>,
    data: Option<Value>,
) -> Encoded {
    let messages = parser.encode(&PacketValue {
        kind,
        namespace: namespace.into(),
        id,
        data,
    });
    let frames = messages.into_iter().map(|message| match message {
        Message::Text(text) => Frame::message(&text),
        Message::Binary(data) => Frame::binary(&data),
    });
    // At least one message was asked for.
    Encoded::from_frames(frames).unwrap_or_else(|| Encoded::single(Frame::binary(&[])))
}

/// An event whose name and arguments are values already.
#[derive(Clone)]
pub(super) struct Body {
    parser: Arc<dyn CustomParser>,
    /// The name, and the arguments.
    values: Arc<[Value]>,
}

impl Body {
    pub(super) fn new<T: Serialize + ?Sized>(
        parser: Arc<dyn CustomParser>,
        name: &str,
        number: Option<Number>,
        data: &T,
    ) -> Result<Self, EncodeError> {
        let mut values = vec![number.map_or_else(|| name.into(), Value::Number)];
        values.append(&mut to_values(data)?);
        Ok(Self {
            parser,
            values: values.into(),
        })
    }

    pub(super) fn encode(
        &self,
        namespace: &str,
        ack: Option<AckId>,
        offset: Option<&str>,
    ) -> Encoded {
        let values = self.values.iter().cloned().chain(offset.map(Value::from));
        let data = Some(Value::Array(values.collect()));
        encode(&*self.parser, PacketKind::Event, namespace, ack, data)
    }

    pub(super) fn args(&self) -> RawArgs {
        let args = self.values.get(1..).unwrap_or_default().to_vec();
        // They were JSON before they were values.
        to_args(&Args(args)).unwrap_or_default()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.values.fmt(f)
    }
}
