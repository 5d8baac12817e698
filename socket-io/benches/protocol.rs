//! Events and acknowledgements: bytes to arguments and back.
//!
//! `cargo bench --package socket-io --bench protocol`, with `--features msgpack` for MessagePack, too. `small` is one record of 42 bytes, the others are
//! arrays of records, in JSON about as long as their names say.

use bytes::Bytes;
use divan::{Bencher, black_box, counter::BytesCount};
use serde::{Deserialize, Serialize};
use socket_io::protocol::{
    AckId, Decoder, Encoded, MAX_ATTACHMENTS, Outgoing, Packet, PendingAcks, encode_ack,
    encode_event,
};
use socket_io::{Binary, Message, RawArgs, Text, Value};

fn main() {
    divan::main();
}

#[derive(Clone, Deserialize, Serialize)]
struct Record {
    id: u64,
    ok: bool,
    user: String,
}

/// Names of payloads, and how many records they have.
const PAYLOADS: [(&str, usize); 3] = [("small", 1), ("1 KB", 24), ("64 KB", 1523)];
const NAMES: [&str; 3] = [PAYLOADS[0].0, PAYLOADS[1].0, PAYLOADS[2].0];

fn records(name: &str) -> Vec<Record> {
    let (_, count) = PAYLOADS.into_iter().find(|known| known.0 == name).unwrap();
    let record = |number| Record {
        id: 1_234_567 + number,
        ok: true,
        user: "alice-01".into(),
    };
    (0..count as u64).map(record).collect()
}

/// The messages of a packet as they come from a peer.
fn messages(encoded: &Encoded) -> Vec<Message> {
    let attachments = encoded.attachments().iter();
    let attachments =
        attachments.map(|frame| Message::Binary(Bytes::copy_from_slice(frame.packet())));
    let header = std::str::from_utf8(encoded.header().packet()).unwrap();
    std::iter::once(Message::Text(Text::from(&header[1..])))
        .chain(attachments)
        .collect()
}

fn event(data: &impl Serialize) -> Encoded {
    encode_event("/", "echo", None, &(data,), MAX_ATTACHMENTS).unwrap()
}

fn args(packet: Option<Packet>) -> RawArgs {
    match packet {
        Some(Packet::Event { event, .. }) => event.args,
        other => panic!("no event: {other:?}"),
    }
}

/// Decodes an event and does something with its arguments.
fn decode<T>(bencher: Bencher<'_, '_>, encoded: &Encoded, read: impl Fn(RawArgs) -> T) {
    let messages = messages(encoded);
    let mut decoder = Decoder::default();
    let size = BytesCount::new(encoded.size());
    bencher.counter(size).bench_local(|| {
        let mut packet = None;
        for message in &messages {
            packet = decoder.handle(black_box(message.clone())).unwrap();
        }
        read(args(packet))
    });
}

mod decode_event {
    use super::*;

    /// Passed on unread, which checks the syntax.
    #[divan::bench(args = NAMES)]
    fn raw(bencher: Bencher<'_, '_>, payload: &str) {
        decode(bencher, &event(&records(payload)), |args| {
            args.validate().unwrap();
        });
    }

    #[divan::bench(args = NAMES)]
    fn typed(bencher: Bencher<'_, '_>, payload: &str) {
        decode(bencher, &event(&records(payload)), |args| {
            args.parse_first::<Vec<Record>>().unwrap()
        });
    }

    #[divan::bench(args = NAMES)]
    fn value(bencher: Bencher<'_, '_>, payload: &str) {
        decode(bencher, &event(&records(payload)), |args| {
            args.parse_first::<Value>().unwrap()
        });
    }

    #[divan::bench(args = [42, 1024, 65_536])]
    fn binary(bencher: Bencher<'_, '_>, size: usize) {
        decode(bencher, &event(&Binary::from(vec![7; size])), |args| {
            args.parse_first::<Binary>().unwrap()
        });
    }
}

fn encode<T>(bencher: Bencher<'_, '_>, data: &T, encode: impl Fn(&T) -> Encoded) {
    let size = BytesCount::new(encode(data).size());
    bencher
        .counter(size)
        .bench_local(|| encode(black_box(data)));
}

mod encode_event_as {
    use super::*;

    #[divan::bench(args = NAMES)]
    fn raw(bencher: Bencher<'_, '_>, payload: &str) {
        let args = RawArgs::from_data(&(records(payload),)).unwrap();
        encode(bencher, &args, |args| {
            encode_event("/", "echo", None, args, MAX_ATTACHMENTS).unwrap()
        });
    }

    #[divan::bench(args = NAMES)]
    fn typed(bencher: Bencher<'_, '_>, payload: &str) {
        encode(bencher, &records(payload), event);
    }

    #[divan::bench(args = NAMES)]
    fn value(bencher: Bencher<'_, '_>, payload: &str) {
        let args = RawArgs::from_data(&(records(payload),)).unwrap();
        encode(bencher, &args.parse_first::<Value>().unwrap(), event);
    }

    #[divan::bench(args = [42, 1024, 65_536])]
    fn binary(bencher: Bencher<'_, '_>, size: usize) {
        encode(bencher, &Binary::from(vec![7; size]), event);
    }

    /// Another namespace for an event that was written once.
    #[divan::bench(args = NAMES)]
    fn outgoing(bencher: Bencher<'_, '_>, payload: &str) {
        let outgoing = Outgoing::new("echo", &(records(payload),), MAX_ATTACHMENTS).unwrap();
        encode(bencher, &outgoing, |outgoing| {
            outgoing.encode("/admin", Some(AckId::new(7)))
        });
    }
}

mod acknowledgement {
    use super::*;

    #[divan::bench(args = NAMES)]
    fn encode_typed(bencher: Bencher<'_, '_>, payload: &str) {
        encode(bencher, &records(payload), |data| {
            encode_ack("/", AckId::new(7), &(data,), MAX_ATTACHMENTS).unwrap()
        });
    }

    #[divan::bench(args = NAMES)]
    fn decode_typed(bencher: Bencher<'_, '_>, payload: &str) {
        let encoded =
            encode_ack("/", AckId::new(7), &(records(payload),), MAX_ATTACHMENTS).unwrap();
        let message = messages(&encoded).remove(0);
        let mut decoder = Decoder::default();
        let size = BytesCount::new(encoded.size());
        bencher.counter(size).bench_local(|| {
            match decoder.handle(black_box(message.clone())).unwrap() {
                Some(Packet::Ack { args, .. }) => args.parse_first::<Vec<Record>>().unwrap(),
                other => panic!("no acknowledgement: {other:?}"),
            }
        });
    }

    /// An id is given out and comes back while so many others are awaited.
    #[divan::bench(args = [0, 1000])]
    fn issue_and_complete(bencher: Bencher<'_, '_>, others: u64) {
        let mut acks = PendingAcks::new(10_000);
        for other in 0..others {
            acks.insert(other).unwrap();
        }
        bencher.bench_local(|| {
            let id = acks.insert(7).unwrap();
            acks.complete(id)
        });
    }
}

#[cfg(feature = "msgpack")]
mod message_pack {
    use socket_io::Parser;
    use socket_io::protocol::DecoderLimits;

    use super::*;

    #[divan::bench(args = NAMES)]
    fn encode_typed(bencher: Bencher<'_, '_>, payload: &str) {
        let parser = Parser::message_pack();
        encode(bencher, &records(payload), |data| {
            parser
                .encode_event("/", "echo", None, &(data,), MAX_ATTACHMENTS)
                .unwrap()
        });
    }

    #[divan::bench(args = NAMES)]
    fn decode_typed(bencher: Bencher<'_, '_>, payload: &str) {
        let parser = Parser::message_pack();
        let data = (records(payload),);
        let encoded = parser
            .encode_event("/", "echo", None, &data, MAX_ATTACHMENTS)
            .unwrap();
        let message = Message::Binary(Bytes::copy_from_slice(encoded.header().packet()));
        let mut decoder = parser.decoder(DecoderLimits::default());
        let size = BytesCount::new(encoded.size());
        bencher.counter(size).bench_local(|| {
            let packet = decoder.handle(black_box(message.clone())).unwrap();
            args(packet).parse_first::<Vec<Record>>().unwrap()
        });
    }
}
