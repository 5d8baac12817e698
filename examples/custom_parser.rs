//! Packets in a format of one's own: CBOR, which is compact and holds binary data in place.
//!
//! A parser is two things: what makes messages of a packet, and what makes packets of messages. Clients need the same one; its counterpart in JavaScript
//! is `interop-tests/node/lib/cbor-parser.js`, fifty lines around the npm package `cborg`.
//!
//! Run it:
//!
//! ```text
//! cargo run --release --example custom_parser
//! ```
//!
//! and talk to it from Node.js, in the folder `interop-tests/node`, where `npm ci` was run:
//!
//! ```text
//! > const { io } = await import("socket.io-client");
//! > const parser = await import("./lib/cbor-parser.js");
//! > const socket = io("http://127.0.0.1:3000", { parser });
//! > socket.onAny((...event) => console.log(...event));
//! > socket.emit("echo", { temperature: 21.5, picture: Buffer.from([1, 2, 3]) });
//! echo { picture: <Buffer 01 02 03>, temperature: 21.5 }
//! > await socket.emitWithAck("sum", Buffer.from([1, 2, 3]))
//! 6
//! ```

use ciborium::Value as Cbor;
use socket_io::protocol::{
    AckId, CustomParser, DecodeError, Number, PacketDecoder, PacketKind, PacketValue,
};
use socket_io::{Auth, Binary, Data, Message, Parser, RawArgs, Refusal, Socket, SocketIo, Value};

/// How deep a client may nest its data, so that it cannot exhaust the stack.
const MAX_DEPTH: usize = 64;

struct CborParser;

impl CustomParser for CborParser {
    /// `{"type":2,"nsp":"/","data":["echo",1],"id":7}`, in one binary message.
    fn encode(&self, packet: &PacketValue) -> Vec<Message> {
        let mut entries = vec![
            (Cbor::from("type"), Cbor::from(packet.kind.number())),
            (Cbor::from("nsp"), Cbor::from(packet.namespace.as_str())),
        ];
        if let Some(data) = &packet.data {
            entries.push((Cbor::from("data"), to_cbor(data)));
        }
        if let Some(id) = packet.id {
            entries.push((Cbor::from("id"), Cbor::from(id.get())));
        }
        let mut message = Vec::new();
        ciborium::into_writer(&Cbor::Map(entries), &mut message)
            .expect("a vector takes everything");
        vec![message.into()]
    }

    fn decoder(&self) -> Box<dyn PacketDecoder> {
        Box::new(CborDecoder)
    }
}

/// A packet is one message, so that there is nothing to remember.
struct CborDecoder;

impl PacketDecoder for CborDecoder {
    fn handle(&mut self, message: Message) -> Result<Option<PacketValue>, DecodeError> {
        let Message::Binary(message) = message else {
            return Err(DecodeError::Refused("text is no CBOR".into()));
        };
        let mut rest = &message[..];
        let packet: Cbor = ciborium::de::from_reader_with_recursion_limit(&mut rest, MAX_DEPTH)
            .map_err(|error| DecodeError::Refused(error.to_string()))?;
        if !rest.is_empty() {
            return Err(DecodeError::TrailingBytes { count: rest.len() });
        }
        let Cbor::Map(entries) = packet else {
            return Err(DecodeError::InvalidType);
        };
        let (mut kind, mut namespace, mut data, mut id) = (None, None, None, None);
        for (key, value) in entries {
            match key.as_text() {
                Some("type") => kind = from_cbor(value).as_u64(),
                Some("nsp") => namespace = value.into_text().ok(),
                // `undefined` and null are the same here.
                Some("data") => data = Some(from_cbor(value)).filter(|data| !data.is_null()),
                Some("id") => id = from_cbor(value).as_u64(),
                _ => {}
            }
        }
        let kind = kind.and_then(PacketKind::from_number);
        Ok(Some(PacketValue {
            kind: kind.ok_or(DecodeError::InvalidType)?,
            namespace: namespace.ok_or(DecodeError::InvalidNamespace)?.into(),
            id: id.map(AckId::new),
            data,
        }))
    }
}

fn to_cbor(value: &Value) -> Cbor {
    match value {
        Value::Null => Cbor::Null,
        Value::Bool(value) => Cbor::Bool(*value),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => Cbor::from(number),
            (None, Some(number)) => Cbor::from(number),
            (None, None) => Cbor::Float(number.as_f64()),
        },
        Value::String(text) => Cbor::Text(text.clone()),
        Value::Binary(data) => Cbor::Bytes(data.to_vec()),
        Value::Array(items) => Cbor::Array(items.iter().map(to_cbor).collect()),
        Value::Object(object) => {
            let entries = object.iter();
            let entries = entries.map(|(key, value)| (Cbor::from(key), to_cbor(value)));
            Cbor::Map(entries.collect())
        }
    }
}

fn from_cbor(value: Cbor) -> Value {
    match value {
        Cbor::Bool(value) => Value::Bool(value),
        Cbor::Integer(number) => number_from(number.into()),
        // JavaScript writes integers above 32 bits as floats.
        Cbor::Float(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
            number_from(number as i128)
        }
        Cbor::Float(number) => Value::from(number),
        Cbor::Text(text) => Value::String(text),
        Cbor::Bytes(data) => Value::Binary(data.into()),
        Cbor::Array(items) => Value::Array(items.into_iter().map(from_cbor).collect()),
        Cbor::Map(entries) => {
            let entries = entries.into_iter().map(|(key, value)| {
                let key = match key {
                    Cbor::Text(key) => key,
                    Cbor::Integer(key) => i128::from(key).to_string(),
                    other => format!("{other:?}"),
                };
                (key, from_cbor(value))
            });
            Value::Object(entries.collect())
        }
        // Such as the one of a date, which is its seconds then.
        Cbor::Tag(_, value) => from_cbor(*value),
        _ => Value::Null,
    }
}

fn number_from(number: i128) -> Value {
    let number = match (u64::try_from(number), i64::try_from(number)) {
        (Ok(number), _) => Number::from(number),
        (_, Ok(number)) => Number::from(number),
        _ => Number::from(number as f64),
    };
    number.into()
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let io = SocketIo::builder()
        .parser(Parser::custom(CborParser))
        .build();
    serve(io.of("/"));
    serve(io.of("/private").middleware(authenticate));

    let port = std::env::var("PORT")
        .ok()
        .and_then(|port| port.parse().ok());
    let port: u16 = port.unwrap_or(3000);
    println!("CBOR server on http://127.0.0.1:{port}");
    io.listen(("127.0.0.1", port)).await
}

/// Handlers do not know what the packets look like.
fn serve(namespace: socket_io::Namespace) {
    namespace
        .on("echo", async |socket: Socket, args: RawArgs| {
            socket.emit("echo", &args).map_err(Refusal::from)
        })
        .on("ask", async |args: RawArgs| args)
        .on("sum", async |Data(data): Data<Binary>| {
            data.iter().map(|byte| u64::from(*byte)).sum::<u64>()
        })
        .on("all", async |socket: Socket, args: RawArgs| {
            let sent = socket.namespace().emit("news", &args);
            sent.map(|_| ()).map_err(Refusal::from)
        })
        .on("question", async |socket: Socket, args: RawArgs| {
            let answer: Value = socket.emit_with_ack("question", &args).await?;
            Ok::<_, Refusal>(answer)
        });
}

async fn authenticate(Auth(auth): Auth<Value>) -> Result<(), Refusal> {
    match auth.get("token").and_then(Value::as_str) {
        Some("secret") => Ok(()),
        _ => Err(Refusal::new("unauthorized").with_data(&401)?),
    }
}
