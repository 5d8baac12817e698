//! Messages become packets: one text message, and a binary message for each attachment.
//!
//! | bytes | packet |
//! |---|---|
//! | `0`, `0/adm,{"token":"x"}` | connect |
//! | `1`, `1/adm,` | disconnect |
//! | `2["e",1]`, `2/adm,12["e"]` | event |
//! | `312["ok"]` | acknowledgement |
//! | `4/nope,{"message":"Invalid namespace"}` | connect error |
//! | `51-["e",{"_placeholder":true,"num":0}]`, then 1 binary | event with an attachment |
//! | `61-12[{"_placeholder":true,"num":0}]`, then 1 binary | acknowledgement with an attachment |
//!
//! What is refused follows the reference, except that an ack id is made of digits only, where the reference also takes white space for such.
//!
//! Source: `Decoder` of socket.io-parser, lib/index.ts.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use engine_io::{Message, Text};

use super::custom::PacketDecoder;
use super::json_reader::JsonReader;
use super::msgpack;
use super::{AckId, Event, Packet, RawArgs, RawJson, is_reserved_event};

/// What a peer may make us hold for one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecoderLimits {
    pub(crate) attachments: usize,
    pub(crate) attachment_bytes: usize,
}

impl Default for DecoderLimits {
    fn default() -> Self {
        Self {
            attachments: super::MAX_ATTACHMENTS,
            attachment_bytes: 10_000_000,
        }
    }
}

impl DecoderLimits {
    /// The reference's limit on attachments, 10, and a limit of 10 MB on their size.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many attachments a packet may have (default: 10, as in the reference).
    pub fn max_attachments(mut self, count: usize) -> Self {
        self.attachments = count;
        self
    }

    /// How many bytes the attachments of a packet may have together (default: 10 MB, which is ten messages of Engine.IO's default size; the
    /// reference has no limit).
    pub fn max_attachment_bytes(mut self, bytes: usize) -> Self {
        self.attachment_bytes = bytes;
        self
    }
}

/// Puts the packets of one connection together. [`Parser::decoder`](super::Parser::decoder) makes those for other formats than JSON.
#[derive(Debug)]
pub struct Decoder(State);

enum State {
    Json(Json),
    MessagePack(msgpack::Format),
    Custom(Box<dyn PacketDecoder>),
}

#[derive(Debug, Default)]
struct Json {
    limits: DecoderLimits,
    pending: Option<Box<Pending>>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(DecoderLimits::default())
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(json) => json.fmt(f),
            Self::MessagePack(_) => f.write_str("MessagePack"),
            Self::Custom(_) => f.write_str("Custom"),
        }
    }
}

/// A packet whose attachments have not all arrived.
#[derive(Debug)]
struct Pending {
    packet: Packet,
    expected: usize,
    attachments: Vec<Bytes>,
    bytes: usize,
}

impl Decoder {
    /// Waits for the first packet, as JSON.
    pub fn new(limits: DecoderLimits) -> Self {
        Self(State::Json(Json {
            limits,
            pending: None,
        }))
    }

    pub(super) fn message_pack(format: msgpack::Format) -> Self {
        Self(State::MessagePack(format))
    }

    pub(super) fn custom(decoder: Box<dyn PacketDecoder>) -> Self {
        Self(State::Custom(decoder))
    }

    /// Whether attachments are missing. How long they may take is up to the connection.
    pub fn awaiting(&self) -> bool {
        match &self.0 {
            State::Json(json) => json.pending.is_some(),
            State::MessagePack(_) => false,
            State::Custom(decoder) => decoder.awaiting(),
        }
    }

    /// Takes in a message and hands out the packet that it completes; `None` while attachments are missing.
    ///
    /// Payloads of connect, disconnect and connect error are checked at once. Of events and acknowledgements only the shape is: the syntax of
    /// arguments in JSON is checked by whoever reads them or passes them on.
    ///
    /// # Errors
    ///
    /// [`DecodeError`]; every one is a violation of the protocol, for which the reference closes the connection.
    pub fn handle(&mut self, message: Message) -> Result<Option<Packet>, DecodeError> {
        match &mut self.0 {
            State::Json(json) => json.handle(message),
            State::MessagePack(format) => format.decode(message).map(Some),
            State::Custom(decoder) => {
                let packet = decoder.handle(message)?;
                packet.map(Packet::try_from).transpose()
            }
        }
    }
}

impl Json {
    fn handle(&mut self, message: Message) -> Result<Option<Packet>, DecodeError> {
        match (message, self.pending.take()) {
            (Message::Text(text), None) => self.handle_text(&text),
            (Message::Binary(data), Some(pending)) => self.handle_attachment(data, pending),
            (Message::Text(_), Some(_)) => Err(DecodeError::UnexpectedText),
            (Message::Binary(_), None) => Err(DecodeError::UnexpectedBinary),
        }
    }

    fn handle_text(&mut self, text: &Text) -> Result<Option<Packet>, DecodeError> {
        let first = text.chars().next();
        let kind = match first {
            Some('0') => Kind::Connect,
            Some('1') => Kind::Disconnect,
            Some('2' | '5') => Kind::Event,
            Some('3' | '6') => Kind::Ack,
            Some('4') => Kind::ConnectError,
            found => return Err(DecodeError::UnknownType { found }),
        };
        // The type is one byte.
        let mut rest = text.get(1..).unwrap_or_default();
        let mut expected = 0;
        if matches!(first, Some('5' | '6')) {
            expected = self.read_count(&mut rest)?;
        }
        let namespace = read_namespace(text, &mut rest);
        let id = read_id(&mut rest)?;
        let payload = rest.trim_matches([' ', '\n', '\r', '\t']);
        let packet = kind.read(text, namespace, id, payload)?;
        if expected == 0 {
            return Ok(Some(packet));
        }
        self.pending = Some(Box::new(Pending {
            packet,
            expected,
            attachments: Vec::new(),
            bytes: 0,
        }));
        Ok(None)
    }

    /// Reads `<attachments>-`.
    fn read_count(&self, rest: &mut &str) -> Result<usize, DecodeError> {
        let digits = digits(rest);
        let behind = rest.get(digits.len()..).unwrap_or_default();
        let behind = behind
            .strip_prefix('-')
            .filter(|_| digits.bytes().any(|digit| digit != b'0'))
            .ok_or(DecodeError::IllegalCount)?;
        *rest = behind;
        match digits.parse() {
            Ok(count) if count <= self.limits.attachments => Ok(count),
            count => Err(DecodeError::TooManyAttachments {
                count: count.unwrap_or(usize::MAX),
                limit: self.limits.attachments,
            }),
        }
    }

    fn handle_attachment(
        &mut self,
        data: Bytes,
        mut pending: Box<Pending>,
    ) -> Result<Option<Packet>, DecodeError> {
        pending.bytes = pending.bytes.saturating_add(data.len());
        if pending.bytes > self.limits.attachment_bytes {
            return Err(DecodeError::AttachmentsTooLarge {
                bytes: pending.bytes,
                limit: self.limits.attachment_bytes,
            });
        }
        pending.attachments.push(data);
        if pending.attachments.len() < pending.expected {
            self.pending = Some(pending);
            return Ok(None);
        }
        let Pending {
            mut packet,
            attachments,
            ..
        } = *pending;
        match &mut packet {
            Packet::Event { event, .. } => event.args.attach(attachments),
            Packet::Ack { args, .. } => args.attach(attachments),
            Packet::Connect { .. }
            | Packet::Disconnect { .. }
            | Packet::ConnectError { .. }
            | Packet::Ignored { .. } => {}
        }
        Ok(Some(packet))
    }
}

/// The five packets behind the seven digits.
enum Kind {
    Connect,
    Disconnect,
    Event,
    Ack,
    ConnectError,
}

impl Kind {
    /// Reads what stands behind the prefix.
    fn read(
        self,
        text: &Text,
        namespace: Text,
        id: Option<AckId>,
        payload: &str,
    ) -> Result<Packet, DecodeError> {
        match self {
            Self::Connect if payload.is_empty() => Ok(Packet::Connect {
                namespace,
                auth: None,
            }),
            Self::Connect => Ok(Packet::Connect {
                namespace,
                auth: Some(read_json(text, payload, &['{'])?),
            }),
            Self::Disconnect if payload.is_empty() => Ok(Packet::Disconnect { namespace }),
            Self::Disconnect => Err(DecodeError::InvalidPayload),
            Self::Event if payload.is_empty() => Ok(Packet::Ignored { namespace }),
            Self::Event => Ok(Packet::Event {
                namespace,
                ack: id,
                event: read_event(text, payload)?,
            }),
            Self::Ack => {
                let args = read_args(text, payload)?;
                Ok(match id {
                    Some(id) => Packet::Ack {
                        namespace,
                        id,
                        args,
                    },
                    // Nobody will read the arguments, so whether they are some is found out now.
                    None => {
                        args.validate().map_err(|_| DecodeError::InvalidPayload)?;
                        Packet::Ignored { namespace }
                    }
                })
            }
            Self::ConnectError => Ok(Packet::ConnectError {
                namespace,
                data: read_json(text, payload, &['{', '"'])?,
            }),
        }
    }
}

/// Reads `<namespace>,`, whose comma may be missing at the end of the text.
fn read_namespace(text: &Text, rest: &mut &str) -> Text {
    if !rest.starts_with('/') {
        return Text::from_static("/");
    }
    let (namespace, behind) = rest.split_once(',').unwrap_or((rest, ""));
    *rest = behind;
    text.slice_ref(namespace)
}

fn read_id(rest: &mut &str) -> Result<Option<AckId>, DecodeError> {
    let digits = digits(rest);
    *rest = rest.get(digits.len()..).unwrap_or_default();
    if digits.is_empty() {
        return Ok(None);
    }
    match digits.parse() {
        Ok(id) => Ok(Some(AckId::new(id))),
        Err(_) => Err(DecodeError::InvalidPayload),
    }
}

/// The digits at the start of the text.
fn digits<'a>(text: &&'a str) -> &'a str {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit());
    text.get(..end.unwrap_or(text.len())).unwrap_or_default()
}

/// A well-formed value that starts with one of these characters.
fn read_json(text: &Text, payload: &str, first: &[char]) -> Result<RawJson, DecodeError> {
    if !payload.starts_with(first) {
        return Err(DecodeError::InvalidPayload);
    }
    RawJson::new(text.slice_ref(payload)).map_err(|_| DecodeError::InvalidPayload)
}

/// `["name"`, then `,` and arguments or nothing, then `]`.
fn read_event(text: &Text, payload: &str) -> Result<Event, DecodeError> {
    let mut reader = JsonReader::new(payload, &[]);
    if !(reader.take(b'[') && payload.ends_with(']')) {
        return Err(DecodeError::InvalidPayload);
    }
    let numeric = reader.peek() != Some(b'"');
    let name = if numeric {
        reader.number().map(Cow::Borrowed)
    } else {
        reader.string()
    };
    let name = match name {
        Ok(name) if numeric || !is_reserved_event(&name) => name,
        _ => return Err(DecodeError::InvalidPayload),
    };
    if !reader.take(b',') && (reader.peek() != Some(b']') || reader.offset() + 1 != payload.len()) {
        return Err(DecodeError::InvalidPayload);
    }
    Ok(Event {
        name: match name {
            Cow::Borrowed(name) => text.slice_ref(name),
            Cow::Owned(name) => name.into(),
        },
        numeric,
        args: RawArgs::unchecked(text.slice_ref(payload), reader.offset()),
    })
}

/// `[`, arguments or nothing, `]`; or nothing at all.
fn read_args(text: &Text, payload: &str) -> Result<RawArgs, DecodeError> {
    if payload.is_empty() {
        return Ok(RawArgs::empty());
    }
    if payload.len() < 2 || !payload.starts_with('[') || !payload.ends_with(']') {
        return Err(DecodeError::InvalidPayload);
    }
    Ok(RawArgs::unchecked(text.slice_ref(payload), 1))
}

/// Why messages of a peer are no packet. Display gives the reference's words where it has any.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The attachments of a packet are larger together than allowed.
    AttachmentsTooLarge {
        /// Bytes that have arrived.
        bytes: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A binary packet does not say how many attachments it has, or has none.
    IllegalCount,
    /// The id of a packet is no integer.
    InvalidId,
    /// The namespace of a packet is no string.
    InvalidNamespace,
    /// The payload is no JSON, or not what its packet wants; or an ack id exceeds 64 bits.
    InvalidPayload,
    /// The type of a packet is none of 0 to 4.
    InvalidType,
    /// The message is not what the parser reads.
    Malformed {
        /// What is wrong.
        what: &'static str,
        /// Where reading stopped.
        offset: usize,
    },
    /// What a parser of your own refuses.
    Refused(String),
    /// A packet announces more attachments than allowed.
    TooManyAttachments {
        /// How many it announces.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Something follows the packet in its message.
    TrailingBytes {
        /// How much.
        count: usize,
    },
    /// An attachment came without a packet.
    UnexpectedBinary,
    /// A packet came where an attachment was due.
    UnexpectedText,
    /// The first character is none of `0`–`6`, or there is none.
    UnknownType {
        /// The character.
        found: Option<char>,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AttachmentsTooLarge { bytes, limit } => {
                write!(f, "attachments too large: {bytes} > {limit}")
            }
            Self::IllegalCount => f.write_str("Illegal attachments"),
            Self::InvalidId => f.write_str("invalid packet id"),
            Self::InvalidNamespace => f.write_str("invalid namespace"),
            Self::InvalidType => f.write_str("invalid packet type"),
            Self::Malformed { what, offset } => write!(f, "{what} at byte {offset}"),
            Self::Refused(message) => f.write_str(message),
            Self::TrailingBytes { count } => write!(f, "{count} trailing bytes"),
            Self::InvalidPayload => f.write_str("invalid payload"),
            Self::TooManyAttachments { .. } => f.write_str("too many attachments"),
            Self::UnexpectedBinary => {
                f.write_str("got binary data when not reconstructing a packet")
            }
            Self::UnexpectedText => f.write_str("got plaintext data when reconstructing a packet"),
            Self::UnknownType { found: Some(found) } => {
                write!(f, "unknown packet type {}", found.escape_default())
            }
            Self::UnknownType { found: None } => f.write_str("unknown packet type"),
        }
    }
}

impl std::error::Error for DecodeError {}
