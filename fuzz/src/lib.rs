//! What the targets share: decisions out of bytes, and what a decoded packet has to stand.

use bytes::Bytes;
use engine_io::{Message, Text};
use serde::Deserialize;
use socket_io::protocol::{
    Args, ArgsError, Binary, Date, Encoded, Packet, RawArgs, Value, encode_packet,
    is_reserved_event,
};

/// Decisions, each taken off the front of the data. Behind its end all of them are 0.
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        let (&byte, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        byte
    }

    pub fn below(&mut self, limit: u8) -> u8 {
        self.byte() % limit
    }

    pub fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// So many bytes as the next byte says.
    pub fn slice(&mut self) -> &'a [u8] {
        let len = usize::from(self.byte()).min(self.0.len());
        let (slice, rest) = self.0.split_at(len);
        self.0 = rest;
        slice
    }

    pub fn text(&mut self) -> Text {
        lossy(self.slice())
    }

    /// All that is left, in pieces whose lengths the next bytes say.
    pub fn pieces(&mut self) -> Vec<&'a [u8]> {
        let lengths = [self.byte(), self.byte(), self.byte()];
        let mut rest = self.0;
        self.0 = &[];
        let mut pieces = Vec::new();
        for length in lengths {
            let (piece, behind) = rest.split_at(usize::from(length).min(rest.len()));
            pieces.push(piece);
            rest = behind;
        }
        pieces.push(rest);
        pieces
    }
}

pub fn lossy(bytes: &[u8]) -> Text {
    Text::lossy(&Bytes::copy_from_slice(bytes))
}

/// Separates what a text and its attachments are made of: no UTF-8 has this byte.
pub const SEPARATOR: u8 = 0xff;

/// A text, and the attachments behind it.
pub fn text_and_attachments(data: &[u8]) -> (Text, Vec<Bytes>) {
    let mut parts = data.split(|&byte| byte == SEPARATOR);
    let text = lossy(parts.next().unwrap_or_default());
    (text, parts.map(Bytes::copy_from_slice).collect())
}

/// The frames of a packet as the other side's decoder gets them.
pub fn messages(encoded: &Encoded) -> Vec<Message> {
    let messages = encoded.frames().map(|frame| {
        let data = frame.websocket().slice_ref(frame.packet());
        if frame.is_binary() {
            return Message::Binary(data);
        }
        let text = Text::try_from(data).expect("a text frame is UTF-8");
        let text = text.strip_prefix('4').expect("a packet is a message");
        text.into()
    });
    messages.collect()
}

/// A type with everything that types are made of.
#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "only its shape matters")]
pub struct Typed<'a> {
    name: String,
    #[serde(borrow, default)]
    borrowed: Option<&'a str>,
    #[serde(default)]
    data: Binary,
    #[serde(default)]
    kind: Option<Kind>,
    #[serde(default)]
    numbers: Vec<i32>,
    #[serde(default)]
    nested: std::collections::BTreeMap<String, (f64, Option<char>)>,
    #[serde(flatten)]
    others: std::collections::HashMap<String, Value>,
}

#[derive(Debug, Deserialize)]
pub enum Kind {
    Unit,
    Newtype(Binary),
    Tuple(u8, bool),
    Struct { at: Date },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Untagged {
    Data(Binary),
    Number(u64),
    Text(String),
    List(Vec<Untagged>),
}

/// Reads arguments as all sorts of types. What fails has to fail with an error.
pub fn read_as_types(args: &RawArgs) {
    let _ = args.parse::<(String, Option<Binary>, f64)>();
    let _ = args.parse::<Typed<'_>>();
    let _ = args.parse_first::<Typed<'_>>();
    let _ = args.parse_first::<Kind>();
    let _ = args.parse_first::<Untagged>();
    let _ = args.parse_first::<Date>();
    let _ = args.parse_first::<&str>();
    let _ = args.parse_first::<Result<Value, ()>>();
    let _ = args.parse_first::<std::collections::HashMap<u8, Value>>();
    let _ = args.parse_first::<serde_json::Value>();
    let _ = args.parse_first::<Box<serde_json::value::RawValue>>();
    let _ = args.parse_first::<Vec<u8>>();
    let _ = args.parse_data::<()>();
    let _ = args.parse_data::<Args<Value>>();
    let _ = args.parse_data::<[Option<i8>; 3]>();
}

/// The arguments of a packet that has any, and whether users may send it on.
pub fn args_of(packet: &Packet) -> Option<(&RawArgs, bool)> {
    match packet {
        Packet::Event { event, .. } => Some((&event.args, !is_reserved_event(&event.name))),
        Packet::Ack { args, .. } => Some((args, true)),
        _ => None,
    }
}

/// What holds for JSON arguments of a peer, whatever they are.
pub fn check_args(args: &RawArgs) {
    read_as_types(args);
    let valid = args.validate();
    let values = args.parse::<Args<Value>>();
    assert!(!matches!(values, Err(ArgsError::Mismatch(_))), "{args:?}");
    match (&valid, &values) {
        (Ok(()), Ok(_)) | (Err(_), Err(_)) => {}
        // What is too deep for values can be passed on unread.
        (Ok(()), Err(ArgsError::Syntax(_))) if args.attachments().is_empty() => {}
        _ => panic!("{valid:?} but {values:?}: {args:?}"),
    }
    if let Ok(values) = values {
        // Written anew it means the same, except for what JSON cannot express.
        let again = RawArgs::from_data(&values).expect("values are data");
        if values.0.iter().all(is_exact) {
            assert_eq!(again.parse::<Args<Value>>(), Ok(values));
        }
    }
}

/// Whether a value is the same after it was written as JSON: infinity is not.
pub fn is_exact(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_f64().is_finite(),
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(object) => object.iter().all(|(_, value)| is_exact(value)),
        _ => true,
    }
}

/// Sends a JSON packet on as it came, and returns it as it arrives.
pub fn pass_on(packet: &Packet, max_attachments: usize) -> Option<Encoded> {
    let encoded = encode_packet(packet, max_attachments);
    let legal = match args_of(packet) {
        Some((args, legal)) => legal && args.validate().is_ok(),
        None => true,
    };
    assert_eq!(encoded.is_ok(), legal, "{packet:?}");
    encoded.ok().flatten()
}
