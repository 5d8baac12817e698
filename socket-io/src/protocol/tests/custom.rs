//! A parser of one's own, with two messages for each packet: `<type> <id> <namespace>`, and the data as JSON bytes.

use engine_io::{Frame, Text};

use super::*;

#[derive(Debug)]
struct TwoParts;

#[derive(Debug, Default)]
struct TwoPartsDecoder(Option<(u64, Option<AckId>, Text)>);

impl CustomParser for TwoParts {
    fn encode(&self, packet: &PacketValue) -> Vec<Message> {
        let id = packet
            .id
            .map_or_else(|| "-".to_owned(), |id| id.to_string());
        let head = format!("{} {id} {}", packet.kind.number(), packet.namespace);
        let data = packet
            .data
            .as_ref()
            .map(|data| serde_json::to_vec(data).unwrap());
        vec![
            head.into(),
            Message::Binary(data.unwrap_or_default().into()),
        ]
    }

    fn decoder(&self) -> Box<dyn PacketDecoder> {
        Box::<TwoPartsDecoder>::default()
    }
}

impl PacketDecoder for TwoPartsDecoder {
    fn handle(&mut self, message: Message) -> Result<Option<PacketValue>, DecodeError> {
        match (message, self.0.take()) {
            (Message::Text(text), None) => {
                let mut parts = text.split(' ');
                let mut part = || parts.next().unwrap_or_default();
                let kind = part().parse().map_err(|_| DecodeError::InvalidType)?;
                let id = part().parse().ok().map(AckId::new);
                self.0 = Some((kind, id, part().into()));
                Ok(None)
            }
            (Message::Binary(data), Some((kind, id, namespace))) => Ok(Some(PacketValue {
                kind: PacketKind::from_number(kind).ok_or(DecodeError::InvalidType)?,
                namespace,
                id,
                data: match data.len() {
                    0 => None,
                    _ => Some(
                        serde_json::from_slice(&data)
                            .map_err(|error| DecodeError::Refused(error.to_string()))?,
                    ),
                },
            })),
            _ => Err(DecodeError::Refused("out of order".into())),
        }
    }

    fn awaiting(&self) -> bool {
        self.0.is_some()
    }
}

fn parser() -> Parser {
    Parser::custom(TwoParts)
}

/// What the decoder makes of the messages of one packet.
fn decode_parts(head: &str, data: &str) -> Result<Option<Packet>, DecodeError> {
    let mut decoder = parser().decoder(DecoderLimits::default());
    assert_eq!(decoder.handle(head.into())?, None);
    assert!(decoder.awaiting());
    let packet = decoder.handle(data.as_bytes().to_vec().into());
    assert!(!decoder.awaiting());
    packet
}

/// The packet becomes these messages, and comes out of them.
#[track_caller]
fn check(packet: &Packet, head: &str, data: &str) {
    let encoded = parser().encode_packet(packet, 0).unwrap().unwrap();
    let frames: Vec<_> = encoded.frames().map(Frame::packet).collect();
    assert_eq!(frames, [format!("4{head}").as_bytes(), data.as_bytes()]);
    assert_eq!(decode_parts(head, data).as_ref(), Ok(&Some(packet.clone())));
}

#[test]
fn every_kind_of_packet_passes_through() {
    for (text, head, data) in [
        ("0", "0 - /", ""),
        (r#"0/adm,{"token":"x"}"#, "0 - /adm", r#"{"token":"x"}"#),
        ("1/adm", "1 - /adm", ""),
        (r#"2["e",1,"a",[null]]"#, "2 - /", r#"["e",1,"a",[null]]"#),
        (r#"2/adm,12["e"]"#, "2 12 /adm", r#"["e"]"#),
        (r#"2[5,6]"#, "2 - /", "[5,6]"),
        (r#"37["ok"]"#, "3 7 /", r#"["ok"]"#),
        (r#"4/no,{"message":"m"}"#, "4 - /no", r#"{"message":"m"}"#),
        (r#"4/no,"m""#, "4 - /no", r#""m""#),
    ] {
        check(&packet(text, &[]), head, data);
    }
}

#[test]
fn shapes_are_checked_for_the_parser() {
    for (head, data) in [
        ("0 - /", "[]"),
        ("0 - /", r#""a""#),
        ("1 - /", "{}"),
        ("2 - /", ""),
        ("2 - /", "[]"),
        ("2 - /", "[null]"),
        ("2 - /", "{}"),
        ("3 1 /", ""),
        ("3 1 /", "{}"),
        ("4 - /", ""),
        ("4 - /", "[]"),
    ] {
        let result = decode_parts(head, data);
        assert_eq!(result, Err(DecodeError::InvalidPayload), "{head} {data}");
    }
    assert_eq!(decode_parts("5 - /", ""), Err(DecodeError::InvalidType));
    assert_eq!(
        decode_parts("3 - /", "[]"),
        Ok(Some(Packet::Ignored {
            namespace: "/".into()
        }))
    );
    assert!(matches!(
        decode_parts("2 - /", "[\"e\""),
        Err(DecodeError::Refused(_))
    ));
}

#[test]
fn data_becomes_values() {
    #[derive(serde::Serialize)]
    struct Item {
        name: &'static str,
        data: Binary,
    }

    #[derive(Debug)]
    struct Seen(std::sync::Mutex<Vec<PacketValue>>);

    impl CustomParser for std::sync::Arc<Seen> {
        fn encode(&self, packet: &PacketValue) -> Vec<Message> {
            self.0.lock().unwrap().push(packet.clone());
            Vec::new()
        }

        fn decoder(&self) -> Box<dyn PacketDecoder> {
            Box::<TwoPartsDecoder>::default()
        }
    }

    let seen = std::sync::Arc::new(Seen(std::sync::Mutex::default()));
    let parser = Parser::custom(seen.clone());
    // More than JavaScript clients accept as attachments.
    let items: Vec<Item> = (0..20)
        .map(|byte| Item {
            name: "n",
            data: vec![byte].into(),
        })
        .collect();
    let encoded = parser
        .encode_event("/a", "e", Some(AckId::new(3)), &(1, items), 10)
        .unwrap();
    assert_eq!(
        encoded.header().packet(),
        b"",
        "a parser that writes nothing sends nothing"
    );
    let seen = seen.0.lock().unwrap().pop().unwrap();
    assert_eq!(
        (seen.kind, &*seen.namespace, seen.id),
        (PacketKind::Event, "/a", Some(AckId::new(3)))
    );
    let Some(Value::Array(data)) = seen.data else {
        panic!("an event has an array");
    };
    assert_eq!(data[..2], [Value::from("e"), Value::from(1)]);
    let items = data[2].as_array().unwrap();
    assert_eq!(items.len(), 20);
    assert_eq!(
        items[19]
            .get("data")
            .and_then(Value::as_bytes)
            .map(|data| &data[..]),
        Some(&[19][..])
    );
}

#[test]
fn binary_data_of_a_peer_reaches_the_types() {
    let data = Value::Array(vec![
        "e".into(),
        Value::Binary(Bytes::from_static(&[1, 2])),
        f64::NAN.into(),
    ]);
    let packet = Packet::try_from(PacketValue {
        kind: PacketKind::Event,
        namespace: "/".into(),
        id: None,
        data: Some(data),
    });
    let Ok(Packet::Event { event, .. }) = packet else {
        panic!("{packet:?} is no event");
    };
    assert_eq!(
        event.args.parse(),
        Ok((Binary::from(&[1, 2][..]), None::<f64>))
    );
}

#[test]
fn an_outgoing_event_is_the_same_packet_each_time() {
    let outgoing = Outgoing::new_with(&parser(), "e", &(1, "a"), 0).unwrap();
    for (namespace, ack) in [("/", None), ("/adm", Some(AckId::new(300)))] {
        let direct = parser()
            .encode_event(namespace, "e", ack, &(1, "a"), 0)
            .unwrap();
        assert_eq!(outgoing.encode(namespace, ack), direct);
    }
    let recoverable = outgoing.encode_with_offset("/", "Q81");
    assert_eq!(
        recoverable.attachments()[0].packet(),
        br#"["e",1,"a","Q81"]"#
    );
    assert_eq!(outgoing.event().args.parse(), Ok((1, "a".to_owned())));
    assert!(parser().encode_event("/", "connect", None, &(), 0).is_err());
    assert!(parser().encode_connect("/", Some(&1)).is_err());
    assert!(parser().encode_connect_error("/", &1).is_err());
    let refusal = parser().encode_error_eio3("/", &1).unwrap();
    assert_eq!(refusal.attachments()[0].packet(), b"1");
}
