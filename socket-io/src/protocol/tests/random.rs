//! Deterministic noise: what is encoded is decoded the same, and nothing a peer sends does harm.

use engine_io::Text;

use super::*;

/// A linear congruential generator; good enough to choose shapes.
pub(in crate::protocol) struct Random(pub(in crate::protocol) u64);

impl Random {
    pub(in crate::protocol) fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    pub(in crate::protocol) fn string(&mut self) -> String {
        const PARTS: [&str; 12] = [
            "a",
            "\"",
            "\\",
            "\n",
            "\u{0}",
            "é",
            "😀",
            "/",
            "_placeholder",
            "num",
            "{}",
            ",",
        ];
        (0..self.below(4))
            .map(|_| PARTS[self.below(PARTS.len())])
            .collect()
    }

    /// A value without binary data.
    fn plain(&mut self, depth: usize) -> Value {
        match self.value(depth) {
            Value::Array(items) => Value::Array(items.iter().map(|_| self.plain(0)).collect()),
            Value::Binary(_) | Value::Object(_) => self.string().into(),
            other => other,
        }
    }

    pub(in crate::protocol) fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 7 } else { 9 }) {
            0 => Value::Null,
            1 => Value::Bool(self.below(2) == 0),
            2 => Value::from(self.below(1000) as i64 - 500),
            3 => Value::from(u64::MAX - self.below(3) as u64),
            4 => Value::from((self.below(1000) as f64 - 500.0) / 8.0),
            5 => self.string().into(),
            6 => Value::Binary((0..self.below(5)).map(|byte| byte as u8).collect()),
            7 => Value::Array((0..self.below(4)).map(|_| self.value(depth - 1)).collect()),
            _ => {
                let entries = (0..self.below(4)).map(|_| (self.string(), self.value(depth - 1)));
                Value::Object(entries.collect::<Vec<_>>().into_iter().collect())
            }
        }
    }
}

#[test]
fn values_survive_the_round_trip() {
    let mut random = Random(1);
    for round in 0..5_000 {
        let values: Vec<Value> = (0..random.below(4)).map(|_| random.value(4)).collect();
        let name = format!("{}!", random.string());
        let ack = (random.below(2) == 0).then(|| AckId::new(random.below(100) as u64));
        let sent = RawArgsOf(&values);
        let encoded = encode_event("/a", &name, ack, &sent, 1000).unwrap();
        let packet = transfer(&encoded);
        let Packet::Event { ack: id, event, .. } = &packet else {
            panic!("{packet:?} is no event");
        };
        assert_eq!((*id, &*event.name), (ack, &*name), "{round}");
        assert_eq!(event.args.validate(), Ok(()), "{round}");
        assert_eq!(
            event.args.parse::<Vec<Value>>().as_ref(),
            Ok(&values),
            "{round}"
        );
        // Passed on unparsed, it is the same packet.
        let again = encode_packet(&packet, 1000).unwrap();
        assert_eq!(again.as_ref(), Some(&encoded), "{round}");
    }
}

/// Packets of every kind come out of the other side's decoder as they went in.
pub(in crate::protocol) fn check_every_kind(parser: &Parser) {
    let mut random = Random(5);
    let mut kinds = [0; 5];
    for round in 0..5_000 {
        let namespace = Text::from(["/", "/a", "/é", "/a/b?c=d"][random.below(4)]);
        let id = AckId::new([0, 1, 1 << 40, u64::MAX][random.below(4)]);
        let data = Value::Object([("message", random.plain(3))].into_iter().collect());
        let data = RawJson::from_data(&data).unwrap();
        let values = Args((0..random.below(4)).map(|_| random.value(3)).collect());
        let args = RawArgs::from_data(&values).unwrap();
        let kind = random.below(5);
        kinds[kind] += 1;
        let packet = match kind {
            0 => Packet::Connect {
                namespace,
                auth: Some(data).filter(|_| random.below(2) == 0),
            },
            1 => Packet::Disconnect { namespace },
            2 => Packet::ConnectError { namespace, data },
            3 => Packet::Ack {
                namespace,
                id,
                args,
            },
            _ => Packet::Event {
                namespace,
                ack: Some(id).filter(|_| random.below(2) == 0),
                event: Event {
                    name: format!("{}!", random.string()).into(),
                    numeric: false,
                    args,
                },
            },
        };
        let encoded = parser.encode_packet(&packet, 1000).unwrap().unwrap();
        let mut decoder = parser.decoder(DecoderLimits::new().max_attachments(1000));
        let mut arrived = None;
        for message in messages(&encoded) {
            assert_eq!(arrived, None, "complete only once");
            arrived = decoder.handle(message).unwrap();
        }
        let arrived = arrived.unwrap();
        // Another parser writes the same arguments in another way.
        match (&packet, &arrived) {
            (
                Packet::Event { event, .. },
                Packet::Event {
                    event: arrived_event,
                    ..
                },
            ) => {
                assert_eq!(event.name, arrived_event.name);
                assert_eq!(arrived_event.args.parse(), Ok(values), "{round}");
            }
            (Packet::Ack { .. }, Packet::Ack { args, .. }) => {
                assert_eq!(args.parse(), Ok(values), "{round}");
            }
            _ => assert_eq!(packet, arrived, "{round}"),
        }
        let head = |packet: &Packet| {
            let id = match packet {
                Packet::Event { ack, .. } => *ack,
                Packet::Ack { id, .. } => Some(*id),
                _ => None,
            };
            (packet.namespace().clone(), id)
        };
        assert_eq!(head(&packet), head(&arrived), "{round}");
    }
    assert!(kinds.iter().all(|&count| count > 500), "{kinds:?}");
}

#[test]
fn every_kind_of_packet_survives_the_round_trip() {
    check_every_kind(&Parser::json());
}

/// A list of values as so many arguments.
struct RawArgsOf<'a>(&'a [Value]);

impl serde::Serialize for RawArgsOf<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeTuple;
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        for value in self.0 {
            tuple.serialize_element(value)?;
        }
        tuple.end()
    }
}

/// Does with a packet everything that a server might.
fn exercise(packet: &Packet) {
    let reencoded = encode_packet(packet, 10);
    let args = match packet {
        Packet::Event { event, .. } => &event.args,
        Packet::Ack { args, .. } => args,
        _ => return,
    };
    let valid = args.validate();
    assert_eq!(valid.is_ok(), reencoded.is_ok(), "{packet:?}");
    let values = args.parse::<Vec<Value>>();
    assert_eq!(valid.is_ok(), values.is_ok(), "{packet:?}");
    assert!(!matches!(values, Err(ArgsError::Mismatch(_))), "{packet:?}");
    let _ = args.parse::<(String, Option<Binary>, f64)>();
    let _ = args.parse_first::<std::collections::HashMap<u8, Value>>();
    let _ = args.parse_data::<()>();
    if let Ok(values) = values {
        // What was understood means the same on the other side.
        let again = transfer(&encode_event("/", "e", None, &(values.clone(),), 1000).unwrap());
        let Packet::Event { event, .. } = again else {
            panic!("an event should stay one");
        };
        // Infinity becomes null, and serde_json may miss a fraction by the last bit.
        let shown = format!("{values:?}");
        let inexact = shown.contains("inf") || shown.contains('.');
        assert!(inexact || event.args.parse() == Ok((values,)), "{packet:?}");
    }
}

#[test]
fn garbage_does_no_harm() {
    const SEEDS: [&str; 8] = [
        r#"2/adm,12["e",1,{"a":[true,null,"x\ud83d\n"]},-1.5e300]"#,
        r#"52-["e",{"_placeholder":true,"num":0},{"num":1,"_placeholder":true}]"#,
        r#"61-7[[[{"_placeholder":true,"num":0}]],{"a":"b"}]"#,
        r#"0/adm,{"token":"x"}"#,
        r#"4{"message":"no","data":{}}"#,
        r#"2["\u0065\\\"",99999999999999999999]"#,
        "1/adm,",
        "3999[\"ok\"]",
    ];
    const BYTES: &[u8] = b"0123456789-/,[]{}:\"\\_tnufalse. eE+\x01\xc3\xa9";
    let mut random = Random(7);
    for _ in 0..60_000 {
        let mut bytes = SEEDS[random.below(SEEDS.len())].as_bytes().to_vec();
        for _ in 0..random.below(4) {
            let at = random.below(bytes.len());
            match random.below(4) {
                0 => bytes[at] = BYTES[random.below(BYTES.len())],
                1 => bytes.insert(at, BYTES[random.below(BYTES.len())]),
                2 => bytes.truncate(at + 1),
                _ => drop(bytes.remove(at)),
            }
            if bytes.is_empty() {
                bytes.push(b'2');
            }
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let mut decoder = Decoder::default();
        let mut result = decoder.handle(text.into());
        while result == Ok(None) {
            assert!(decoder.awaiting());
            result = decoder.handle(vec![random.below(256) as u8].into());
        }
        if let Ok(Some(packet)) = result {
            exercise(&packet);
        }
    }
}
