//! What our decoders make of inputs, and what our encoders make of that, for the suite `differential.test.js`.
//!
//! | line of standard input | line of standard output |
//! |---|---|
//! | `packet4-text NGhp` (kind and parts in base64) | `{"out":[["message","hi"]],"again":[["NGhp"]]}` |
//!
//! Kinds are `packet4-text`, `packet4-binary`, `packet3-text`, `packet3-binary`, `payload4`, `payload3-text`, `payload3-binary`, `json` (a text, and binary
//! messages) and `msgpack`. `out` is what was decoded, up to a `null` where something was refused; `again` is the same encoded, in each form that there is.

use std::error::Error;
use std::io::{self, BufRead, Write};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use engine_io::{
    BinaryForm, DecodeError, Frame, Packet, PayloadV3, Revision, Wire, decode_binary_payload_v3,
    decode_payload, decode_payload_v3, encode_payload, encode_payload_v3,
};
use serde_json::{Value as Json, json};
use socket_io::protocol::{AckId, ArgsError, Decoder, DecoderLimits, Encoded, Packet as SioPacket};
use socket_io::{Args, Message, Parser, RawArgs, Text, Value};

type Parts = Vec<Bytes>;

/// Packets that a payload may have: more than any input has.
const LIMIT: usize = 10_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut output = io::BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let line = line?;
        let mut words = line.split(' ');
        let kind = words.next().unwrap_or_default();
        let parts = words.map(|word| BASE64_STANDARD.decode(word).map(Bytes::from));
        let answer = answer(kind, parts.collect::<Result<_, _>>()?)?;
        writeln!(output, "{answer}")?;
    }
    Ok(output.flush()?)
}

fn answer(kind: &str, mut parts: Parts) -> Result<Json, Box<dyn Error>> {
    if kind == "json" || kind == "msgpack" {
        return Ok(socket_io(kind, parts));
    }
    let body = parts.pop().ok_or("a part is missing")?;
    let (decoded, forms) = match kind {
        "packet4-text" => (
            vec![Revision::V4.decode(text(&body))],
            packet_forms as Forms,
        ),
        "packet4-binary" => (
            vec![Revision::V4.decode(body.into())],
            packet_forms as Forms,
        ),
        "packet3-text" => (
            vec![Revision::V3.decode(text(&body))],
            packet3_forms as Forms,
        ),
        "packet3-binary" => (
            vec![Revision::V3.decode(body.into())],
            packet3_forms as Forms,
        ),
        "payload4" => {
            let decoded = decode_payload(&Text::lossy(&body), LIMIT).collect();
            (decoded, payload_forms as Forms)
        }
        "payload3-text" => {
            let decoded = decode_payload_v3(&Text::lossy(&body), LIMIT).collect();
            (decoded, payload3_forms as Forms)
        }
        "payload3-binary" => {
            let decoded = decode_binary_payload_v3(body, LIMIT).collect();
            (decoded, payload3_forms as Forms)
        }
        other => return Err(format!("unknown kind: {other}").into()),
    };
    let frames: Vec<_> = decoded.iter().flatten().map(Packet::to_frame).collect();
    let again = if frames.is_empty() {
        Vec::new()
    } else {
        forms(&frames)
    };
    let again: Vec<Json> = again.iter().map(|form| to_json(form)).collect();
    let out: Vec<Json> = decoded.iter().map(engine_packet).collect();
    Ok(json!({ "out": out, "again": again }))
}

fn text(body: &Bytes) -> Message {
    Message::Text(Text::lossy(body))
}

/// The wire forms of packets, each as its messages or its body.
type Forms = fn(&[Frame]) -> Vec<Vec<Message>>;

fn message(frame: &Frame) -> Message {
    let data = Bytes::copy_from_slice(frame.packet());
    if frame.is_binary() {
        Message::Binary(data)
    } else {
        text(&data)
    }
}

fn packet_forms(frames: &[Frame]) -> Vec<Vec<Message>> {
    vec![frames.iter().map(message).collect()]
}

fn packet3_forms(frames: &[Frame]) -> Vec<Vec<Message>> {
    let revision = Revision::V3;
    let forms = [BinaryForm::Raw, BinaryForm::Base64].map(|binary| Wire { revision, binary });
    let messages = |wire: Wire| {
        let frames = frames.iter().cloned();
        frames.map(|frame| message(&wire.frame(frame))).collect()
    };
    forms.map(messages).into()
}

fn payload_forms(frames: &[Frame]) -> Vec<Vec<Message>> {
    vec![vec![text(&encode_payload(frames))]]
}

fn payload3_forms(frames: &[Frame]) -> Vec<Vec<Message>> {
    let forms = [BinaryForm::Raw, BinaryForm::Base64];
    let bodies = forms.map(|binary| match encode_payload_v3(frames, binary) {
        PayloadV3::Text(body) => vec![text(&body)],
        PayloadV3::Binary(body) => vec![Message::Binary(body)],
    });
    bodies.into()
}

/// Text as a string, binary as `{"b":"<base64>"}`.
fn to_json(messages: &[Message]) -> Json {
    let messages = messages.iter().map(|message| match message {
        Message::Text(text) => json!(text.as_str()),
        Message::Binary(data) => binary(data),
    });
    messages.collect()
}

fn binary(data: &[u8]) -> Json {
    json!({ "b": BASE64_STANDARD.encode(data) })
}

fn engine_packet(packet: &Result<Packet, DecodeError>) -> Json {
    match packet {
        Ok(Packet::Open(data)) => json!(["open", data.as_str()]),
        Ok(Packet::Close) => json!(["close"]),
        Ok(Packet::Ping(data)) => json!(["ping", data.as_str()]),
        Ok(Packet::Pong(data)) => json!(["pong", data.as_str()]),
        Ok(Packet::Message(Message::Text(text))) => json!(["message", text.as_str()]),
        Ok(Packet::Message(Message::Binary(data))) => json!(["message", binary(data)]),
        Ok(Packet::Upgrade) => json!(["upgrade"]),
        Ok(Packet::Noop) => json!(["noop"]),
        Err(_) => Json::Null,
    }
}

fn socket_io(kind: &str, parts: Parts) -> Json {
    let parser = if kind == "json" {
        Parser::json()
    } else {
        Parser::message_pack()
    };
    let mut decoder = parser.decoder(DecoderLimits::new());
    let mut out = Vec::new();
    let mut again = Vec::new();
    for (index, part) in parts.into_iter().enumerate() {
        let message = match index {
            0 if kind == "json" => text(&part),
            _ => Message::Binary(part),
        };
        let Some((packet, encoded)) = take(&parser, &mut decoder, message) else {
            out.push(Json::Null);
            break;
        };
        out.extend(packet);
        again.extend(encoded.map(|encoded| {
            let messages: Vec<_> = encoded.frames().map(self::message).collect();
            to_json(&messages)
        }));
    }
    json!({ "out": out, "again": again })
}

/// The packet that the message completes, and the same encoded; `None` if it is refused.
fn take(
    parser: &Parser,
    decoder: &mut Decoder,
    message: Message,
) -> Option<(Option<Json>, Option<Encoded>)> {
    let Some(packet) = decoder.handle(message).ok()? else {
        return Some((None, None));
    };
    let shown = socket_io_packet(&packet).ok()?;
    // Whoever may not send an event on is refused that, and nothing else.
    let encoded = parser.encode_packet(&packet, usize::MAX).ok().flatten();
    Some((Some(shown), encoded))
}

fn socket_io_packet(packet: &SioPacket) -> Result<Json, ArgsError> {
    let (kind, id, data) = match packet {
        SioPacket::Connect { auth: None, .. } => (0, None, None),
        SioPacket::Connect {
            auth: Some(auth), ..
        } => (0, None, Some(value(&auth.parse()?))),
        SioPacket::Disconnect { .. } => (1, None, None),
        SioPacket::Event { ack, event, .. } => {
            let name = if event.numeric {
                let name = RawArgs::new(&format!("[{}]", event.name), Vec::new())?;
                value(&name.parse_first()?)
            } else {
                json!(event.name.as_str())
            };
            (2, *ack, Some(list([name], &event.args)?))
        }
        SioPacket::Ack { id, args, .. } => (3, Some(*id), Some(list([], args)?)),
        SioPacket::ConnectError { data, .. } => (4, None, Some(value(&data.parse()?))),
        SioPacket::Ignored { namespace } => return Ok(json!({ "ignored": namespace.as_str() })),
    };
    let namespace = packet.namespace().as_str();
    let id = id.map(AckId::get).map(number);
    let data: Vec<Json> = data.into_iter().collect();
    Ok(json!({ "type": kind, "nsp": namespace, "id": id, "data": data }))
}

fn list<const N: usize>(name: [Json; N], args: &RawArgs) -> Result<Json, ArgsError> {
    args.validate()?;
    let Args(values) = args.parse::<Args<Value>>()?;
    let values = values.iter().map(value);
    Ok(name.into_iter().chain(values).collect())
}

/// A number as JavaScript has it, by its bits.
fn number(number: impl Into<socket_io::protocol::Number>) -> Json {
    json!({ "n": format!("{:016x}", number.into().as_f64().to_bits()) })
}

/// Numbers by their bits, binary as above, objects as a sorted list of their entries.
fn value(from: &Value) -> Json {
    match from {
        Value::Null => Json::Null,
        Value::Bool(truth) => json!(truth),
        Value::Number(from) => number(*from),
        Value::String(text) => json!(text),
        Value::Binary(data) => binary(data),
        Value::Array(items) => items.iter().map(value).collect(),
        Value::Object(object) => {
            let mut entries: Vec<_> = object.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            let entries = entries
                .iter()
                .map(|(key, entry)| json!([key, value(entry)]));
            json!({ "o": entries.collect::<Vec<_>>() })
        }
    }
}
