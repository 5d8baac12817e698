//! Deterministic noise: what is encoded is decoded the same, and nothing a peer sends does harm.

use std::collections::HashMap;

use super::*;
use crate::protocol::tests::random::{Random, check_every_kind};
use crate::protocol::{Args, Binary, Date, encode_event};

#[test]
fn values_survive_the_round_trip() {
    let mut random = Random(3);
    for round in 0..5_000 {
        let values: Vec<Value> = (0..random.below(20)).map(|_| random.value(4)).collect();
        let name = format!("{}!", random.string());
        let ack = (random.below(2) == 0).then(|| AckId::new(random.below(100_000) as u64));
        let sent = Args(values);
        let encoded = parser().encode_event("/a", &name, ack, &sent, 0).unwrap();
        let packet = packet(message(&encoded));
        let Packet::Event { ack: id, event, .. } = &packet else {
            panic!("{packet:?} is no event");
        };
        assert_eq!((*id, &*event.name), (ack, &*name), "{round}");
        assert_eq!(event.args.parse::<Vec<Value>>(), Ok(sent.0), "{round}");
        // Passed on unparsed, it is the same packet; through JSON, it has the same values.
        let again = parser().encode_packet(&packet, 0).unwrap();
        assert_eq!(again.as_ref(), Some(&encoded), "{round}");
        let json = encode_event("/a", &name, ack, &event.args, 1000).unwrap();
        let direct = event.args.parse::<Args<Value>>().unwrap();
        let direct = encode_event("/a", &name, ack, &direct, 1000).unwrap();
        assert_eq!(json, direct, "{round}");
    }
}

#[test]
fn every_kind_of_packet_survives_the_round_trip() {
    check_every_kind(&parser());
}

/// Does with a packet everything that a server might.
fn exercise(packet: &Packet) {
    let reencoded = parser().encode_packet(packet, 0);
    let (args, legal) = match packet {
        Packet::Event { event, .. } => (
            &event.args,
            !crate::protocol::is_reserved_event(&event.name),
        ),
        Packet::Ack { args, .. } => (args, true),
        _ => return,
    };
    assert_eq!(reencoded.is_ok(), legal, "{packet:?}");
    if let Ok(Some(encoded)) = reencoded {
        assert_eq!(decode(message(&encoded)).as_ref(), Ok(packet));
    }
    assert_eq!(args.validate(), Ok(()));
    let _ = args.parse::<(String, Option<Binary>, f64)>();
    let _ = args.parse_first::<HashMap<u8, Value>>();
    let _ = args.parse_first::<Date>();
    let _ = args.parse_first::<Result<Value, ()>>();
    let _ = args.parse_data::<()>();
    let values = args.parse::<Vec<Value>>();
    let json = encode_event("/", "e", None, args, 1000);
    assert_eq!(values.is_ok(), json.is_ok(), "{packet:?}");
    if let Ok(values) = values {
        let encoded = parser().encode_event("/", "e", None, &values, 0).unwrap();
        let Packet::Event { event, .. } = self::packet(message(&encoded)) else {
            panic!("an event should stay one");
        };
        let again = event.args.parse::<(Vec<Value>,)>();
        let nan = format!("{values:?}").contains("NaN");
        assert!(nan || again == Ok((values,)), "{packet:?}");
    }
}

#[test]
fn garbage_does_no_harm() {
    const SEEDS: [&[u8]; 6] = [
        b"\x84\xa4type\x02\xa4data\x96\xa1e\x81\xa1a\x92\xc3\xc0\xcb\x3f\xe0\0\0\0\0\0\0\xd7\0\0\0\0\0\0\0\0\0\xc4\x02ab\xd4\0\0\xa2id\x0c\xa3nsp\xa4/adm",
        b"\x85\xa4type\x02\xa4data\x92\xa1q\xdc\x00\x03\x01\xd9\x02ab\xce\0\x01\0\0\xa7options\x81\xa8compress\xc3\xa2id\xd4\x00\x00\xa3nsp\xa1/",
        b"\x84\xa2id\x07\xa4type\x03\xa4data\x93\xc7\x02\x00ab\xde\0\x01\xa1a\xff\xd5\x01ab\xa3nsp\xa1/",
        b"\x83\xa4type\x00\xa4data\x82\xa5token\xa1x\xa1n\x01\xa3nsp\xa4/adm",
        b"\x83\xa4type\x04\xa4data\x81\xa7message\xa2no\xa3nsp\xa5/nope",
        b"\x82\xa4type\x01\xa3nsp\xa1/",
    ];
    let mut random = Random(11);
    let mut legal = 0;
    for _ in 0..60_000 {
        let mut bytes = SEEDS[random.below(SEEDS.len())].to_vec();
        for _ in 0..random.below(4) {
            let at = random.below(bytes.len());
            let byte = random.below(256) as u8;
            match random.below(4) {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => bytes.truncate(at + 1),
                _ => drop(bytes.remove(at)),
            }
            if bytes.is_empty() {
                bytes.push(byte);
            }
        }
        if let Ok(packet) = decode(&bytes) {
            legal += 1;
            exercise(&packet);
        }
    }
    assert!(legal > 10_000, "only {legal} packets were legal");
    for _ in 0..60_000 {
        let noise: Vec<u8> = (0..random.below(40))
            .map(|_| random.below(256) as u8)
            .collect();
        let message = [b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x93\xa1e", &noise[..]].concat();
        for bytes in [&noise, &message] {
            if let Ok(packet) = decode(bytes) {
                exercise(&packet);
            }
        }
    }
}
