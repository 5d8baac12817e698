//! Every sample of the specification, in both directions.

use engine_io::Frame;

use super::*;

fn event(namespace: &str, ack: Option<u64>, name: &str, json: &str, data: &[&[u8]]) -> Packet {
    Packet::Event {
        namespace: namespace.into(),
        ack: ack.map(AckId::new),
        event: Event {
            name: name.into(),
            numeric: false,
            args: raw(json, data),
        },
    }
}

fn ack(namespace: &str, id: u64, json: &str, data: &[&[u8]]) -> Packet {
    Packet::Ack {
        namespace: namespace.into(),
        id: AckId::new(id),
        args: raw(json, data),
    }
}

fn connect(namespace: &str, auth: Option<&str>) -> Packet {
    Packet::Connect {
        namespace: namespace.into(),
        auth: auth.map(json),
    }
}

fn json(text: &str) -> RawJson {
    RawJson::new(text.into()).unwrap()
}

fn raw(json: &str, data: &[&[u8]]) -> RawArgs {
    let data = data.iter().map(|data| Bytes::copy_from_slice(data));
    RawArgs::new(&format!("[{json}]"), data.collect()).unwrap()
}

#[test]
fn samples_survive_the_round_trip() {
    let placeholder = r#"{"_placeholder":true,"num":0}"#;
    let binary: &[&[u8]] = &[&[1, 2, 3, 4]];
    for (text, expected) in [
        ("0", connect("/", None)),
        (r#"0{"token":"x"}"#, connect("/", Some(r#"{"token":"x"}"#))),
        ("0/adm,", connect("/adm", None)),
        (r#"0/adm,{"t":1}"#, connect("/adm", Some(r#"{"t":1}"#))),
        (
            "1",
            Packet::Disconnect {
                namespace: "/".into(),
            },
        ),
        (
            "1/adm,",
            Packet::Disconnect {
                namespace: "/adm".into(),
            },
        ),
        (r#"2["e",1]"#, event("/", None, "e", "1", &[])),
        (r#"2/adm,12["e"]"#, event("/adm", Some(12), "e", "", &[])),
        (r#"2["a \" b",{}]"#, event("/", None, "a \" b", "{}", &[])),
        (r#"2["",[]]"#, event("/", None, "", "[]", &[])),
        (r#"312["ok"]"#, ack("/", 12, r#""ok""#, &[])),
        ("3/adm,12[]", ack("/adm", 12, "", &[])),
        (
            r#"318446744073709551615["ok"]"#,
            ack("/", u64::MAX, r#""ok""#, &[]),
        ),
        (
            r#"4/nope,{"message":"Invalid namespace"}"#,
            Packet::ConnectError {
                namespace: "/nope".into(),
                data: json(r#"{"message":"Invalid namespace"}"#),
            },
        ),
        (
            r#"4"no""#,
            Packet::ConnectError {
                namespace: "/".into(),
                data: json(r#""no""#),
            },
        ),
        (
            &format!(r#"51-["e",{placeholder}]"#),
            event("/", None, "e", placeholder, binary),
        ),
        (
            &format!(r#"51-7["echo",{placeholder}]"#),
            event("/", Some(7), "echo", placeholder, binary),
        ),
        (
            &format!(r#"51-/adm,7["echo",{placeholder}]"#),
            event("/adm", Some(7), "echo", placeholder, binary),
        ),
        (
            &format!("61-7[{placeholder}]"),
            ack("/", 7, placeholder, binary),
        ),
    ] {
        let data = if text.starts_with(['5', '6']) {
            binary
        } else {
            &[]
        };
        assert_eq!(decode(text, data), Ok(Some(expected.clone())), "{text}");
        let encoded = encode_packet(&expected, MAX_ATTACHMENTS).unwrap().unwrap();
        assert_eq!(self::text(&encoded), format!("4{text}"));
        let sent: Vec<_> = encoded.attachments().iter().map(Frame::packet).collect();
        assert_eq!(sent, data);
    }
}

#[test]
fn other_spellings_are_read_as_well() {
    for (text, expected) in [
        ("0/adm", connect("/adm", None)),
        (" 0", connect("/", None)),
        ("0/", connect("/", None)),
        ("0/a?token=b,{}", connect("/a?token=b", Some("{}"))),
        ("012{}", connect("/", Some("{}"))),
        ("0 {} ", connect("/", Some("{}"))),
        (
            "1/adm",
            Packet::Disconnect {
                namespace: "/adm".into(),
            },
        ),
        ("2 [ \"e\" , 1 ] ", event("/", None, "e", "1", &[])),
        ("2/é,[\"é\"]", event("/é", None, "é", "", &[])),
        (r#"2["\u0065"]"#, event("/", None, "e", "", &[])),
        (r#"2["a\ud83d"]"#, event("/", None, "a\u{fffd}", "", &[])),
        ("2007[\"e\"]", event("/", Some(7), "e", "", &[])),
        ("37", ack("/", 7, "", &[])),
        (
            "2",
            Packet::Ignored {
                namespace: "/".into(),
            },
        ),
        (
            "2/adm,12",
            Packet::Ignored {
                namespace: "/adm".into(),
            },
        ),
        (
            "3[1]",
            Packet::Ignored {
                namespace: "/".into(),
            },
        ),
        (
            "3",
            Packet::Ignored {
                namespace: "/".into(),
            },
        ),
    ] {
        let text = text.trim_start();
        assert_eq!(decode(text, &[]), Ok(Some(expected)), "{text}");
    }
}

#[test]
fn a_name_that_is_a_number_stays_one() {
    for text in ["2[1,2]", "2[-1.5e3]", "21[0,\"a\"]"] {
        let packet = packet(text, &[]);
        let Packet::Event { event, .. } = &packet else {
            panic!("{packet:?} is no event");
        };
        assert!(event.numeric);
        assert!(!event.name.is_empty());
        let encoded = encode_packet(&packet, 10).unwrap().unwrap();
        assert_eq!(self::text(&encoded), format!("4{text}"));
    }
    // A program may claim what is not so.
    let event = Event {
        name: "1,2".into(),
        numeric: true,
        args: RawArgs::empty(),
    };
    let encoded = Outgoing::from_event(&event, 10).unwrap().encode("/", None);
    assert_eq!(text(&encoded), r#"42["1,2"]"#);
}

#[test]
fn attachments_are_awaited() {
    let mut decoder = Decoder::default();
    let header = r#"52-["e",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]"#;
    assert_eq!(decoder.handle(header.into()), Ok(None));
    assert!(decoder.awaiting());
    assert_eq!(decoder.handle(vec![1].into()), Ok(None));
    assert!(decoder.awaiting());
    let Ok(Some(Packet::Event { event, .. })) = decoder.handle(vec![2].into()) else {
        panic!("the event should be complete");
    };
    assert!(!decoder.awaiting());
    let (one, other): (Binary, Binary) = event.args.parse().unwrap();
    assert_eq!((&one[..], &other[..]), (&[2][..], &[1][..]));
    // The decoder is ready for the next packet.
    assert!(decoder.handle("2[\"e\"]".into()).unwrap().is_some());
}

#[test]
fn a_binary_event_without_payload_still_takes_its_attachments() {
    let ignored = Packet::Ignored {
        namespace: "/".into(),
    };
    assert_eq!(decode("51-", &[]), Ok(None));
    assert_eq!(decode("51-", &[&[1]]), Ok(Some(ignored)));
}

#[test]
fn arguments_share_the_buffer_of_the_message() {
    // A short name is copied instead.
    let name = "name".repeat(20);
    let message = engine_io::Text::from(format!("2/adm,[\"{name}\",\"argument\"]"));
    let range = message.as_bytes().as_ptr_range();
    let Ok(Some(Packet::Event {
        namespace, event, ..
    })) = Decoder::default().handle(Message::Text(message))
    else {
        panic!("an event should be decoded");
    };
    for part in [&*namespace, &*event.name, event.args.json().unwrap()] {
        assert!(range.contains(&part.as_ptr()), "{part}");
    }
}
