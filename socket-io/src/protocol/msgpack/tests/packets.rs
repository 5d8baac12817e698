//! Packets, both ways.

use super::*;

fn json(text: &str) -> crate::protocol::RawJson {
    crate::protocol::RawJson::new(text.into()).unwrap()
}

fn event(namespace: &str, ack: Option<u64>, name: &str, args: RawArgs) -> Packet {
    Packet::Event {
        namespace: namespace.into(),
        ack: ack.map(AckId::new),
        event: crate::protocol::Event {
            name: name.into(),
            numeric: false,
            args,
        },
    }
}

/// The packet is written as these bytes, and read from them.
#[track_caller]
fn check(packet: &Packet, bytes: &[u8]) {
    assert_eq!(decode(bytes), Ok(packet.clone()));
    let encoded = parser().encode_packet(packet, 0).unwrap().unwrap();
    assert_eq!(
        message(&encoded).escape_ascii().to_string(),
        bytes.escape_ascii().to_string()
    );
}

#[test]
fn the_reference_s_packets() {
    check(
        &Packet::Connect {
            namespace: "/".into(),
            auth: Some(json(r#"{"sid":"abc"}"#)),
        },
        b"\x83\xa4type\x00\xa4data\x81\xa3sid\xa3abc\xa3nsp\xa1/",
    );
    check(
        &Packet::Connect {
            namespace: "/adm".into(),
            auth: Some(json(r#"{"token":"x","n":1}"#)),
        },
        b"\x83\xa4type\x00\xa4data\x82\xa5token\xa1x\xa1n\x01\xa3nsp\xa4/adm",
    );
    check(
        &Packet::Disconnect {
            namespace: "/".into(),
        },
        b"\x82\xa4type\x01\xa3nsp\xa1/",
    );
    check(
        &event("/", None, "e", args(2, b"\x01\xa1a")),
        b"\x83\xa4type\x02\xa4data\x93\xa1e\x01\xa1a\xa3nsp\xa1/",
    );
    check(
        &event("/", None, "e", args(0, b"")),
        b"\x83\xa4type\x02\xa4data\x91\xa1e\xa3nsp\xa1/",
    );
    check(
        &event("/adm", Some(12), "e", args(1, b"\x81\xa1a\x92\xc3\xc0")),
        b"\x84\xa4type\x02\xa4data\x92\xa1e\x81\xa1a\x92\xc3\xc0\xa2id\x0c\xa3nsp\xa4/adm",
    );
    check(
        &Packet::Ack {
            namespace: "/".into(),
            id: AckId::new(7),
            args: args(1, b"\xa2ok"),
        },
        b"\x84\xa2id\x07\xa4type\x03\xa4data\x91\xa2ok\xa3nsp\xa1/",
    );
    check(
        &Packet::Ack {
            namespace: "/adm".into(),
            id: AckId::new(7),
            args: args(0, b""),
        },
        b"\x84\xa2id\x07\xa4type\x03\xa4data\x90\xa3nsp\xa4/adm",
    );
    check(
        &Packet::ConnectError {
            namespace: "/nope".into(),
            data: json(r#"{"message":"denied","data":{"code":1}}"#),
        },
        b"\x83\xa4type\x04\xa4data\x82\xa7message\xa6denied\xa4data\x81\xa4code\x01\xa3nsp\xa5/nope",
    );
}

#[test]
fn what_the_javascript_client_adds_is_ignored() {
    let bare = Packet::Connect {
        namespace: "/".into(),
        auth: None,
    };
    for bytes in [
        b"\x83\xa4type\x00\xa4data\xd4\x00\x00\xa3nsp\xa1/".as_slice(),
        b"\x82\xa4type\x00\xa3nsp\xa1/",
        b"\x83\xa4type\x00\xa3nsp\xa1/\xa2id\xd4\x00\x00",
        b"\x83\x05\xc0\xa4type\x00\xa3nsp\xa1/",
        // The last of equal keys counts.
        b"\x84\xa4type\x02\xa3nsp\xa2/x\xa4type\x00\xa3nsp\xa1/",
        // Any form of a string or an integer will do.
        b"\xde\x00\x02\xd9\x04type\xcb\x00\x00\x00\x00\x00\x00\x00\x00\xda\x00\x03nsp\xdb\x00\x00\x00\x01/",
    ] {
        assert_eq!(decode(bytes), Ok(bare.clone()), "{}", bytes.escape_ascii());
    }
    assert_eq!(
        decode(b"\x85\xa4type\x02\xa4data\x92\xa1q\x01\xa7options\x81\xa8compress\xc3\xa2id\xd4\x00\x00\xa3nsp\xa1/"),
        Ok(event("/", None, "q", args(1, b"\x01")))
    );
    assert_eq!(
        decode(
            b"\x83\xa4type\x04\xa4data\x82\xa7message\xa2no\xa4data\xd4\x00\x00\xa3nsp\xa5/nope"
        ),
        Ok(Packet::ConnectError {
            namespace: "/nope".into(),
            data: json(r#"{"message":"no"}"#)
        })
    );
}

#[test]
fn a_name_may_be_a_number_and_stays_one() {
    for (bytes, name) in [
        (b"\x01".as_slice(), "1"),
        (b"\xd0\x80", "-128"),
        (b"\xcb\x3f\xe0\0\0\0\0\0\0", "0.5"),
        (
            b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
            "18446744073709551615",
        ),
    ] {
        let bytes = [b"\x83\xa4type\x02\xa4data\x92", bytes, b"\x05\xa3nsp\xa1/"].concat();
        let packet = packet(&bytes);
        let Packet::Event { event, .. } = &packet else {
            panic!("{packet:?} is no event");
        };
        assert_eq!((&*event.name, event.numeric), (name, true));
        let again = parser().encode_packet(&packet, 0).unwrap().unwrap();
        assert_eq!(message(&again), bytes);
    }
}

#[test]
fn events_and_answers_that_lead_nowhere_are_ignored() {
    let nothing = Packet::Ignored {
        namespace: "/".into(),
    };
    for data in [
        // No name, or one that nobody can ask for.
        b"\xa4type\x02\xa4data\x90".as_slice(),
        b"\xa4type\x02\xa4data\x91\xc0",
        b"\xa4type\x02\xa4data\x92\x91\x01\x02",
        // An answer to nothing.
        b"\xa4type\x03\xa4data\x91\x01",
    ] {
        let bytes = [b"\x83", data, b"\xa3nsp\xa1/"].concat();
        assert_eq!(
            decode(&bytes),
            Ok(nothing.clone()),
            "{}",
            bytes.escape_ascii()
        );
    }
}

#[test]
fn reserved_names_can_be_received_but_not_sent() {
    let received = packet(b"\x83\xa4type\x02\xa4data\x91\xaadisconnect\xa3nsp\xa1/");
    assert_eq!(received, event("/", None, "disconnect", args(0, b"")));
    let refused = EncodeError::ReservedEvent {
        name: "disconnect".into(),
    };
    assert_eq!(parser().encode_packet(&received, 0), Err(refused.clone()));
    assert_eq!(
        parser().encode_event("/", "disconnect", None, &(), 0),
        Err(refused)
    );
}

#[test]
fn an_outgoing_event_is_the_same_packet_each_time() {
    let outgoing = crate::protocol::Outgoing::new_with(&parser(), "e", &(1, "a"), 0).unwrap();
    for (namespace, ack) in [("/", None), ("/adm", Some(AckId::new(300)))] {
        let direct = parser()
            .encode_event(namespace, "e", ack, &(1, "a"), 0)
            .unwrap();
        assert_eq!(outgoing.encode(namespace, ack), direct);
    }
    let recoverable = outgoing.encode_with_offset("/", "Q81");
    assert_eq!(
        packet(message(&recoverable)),
        event("/", None, "e", args(3, b"\x01\xa1a\xa3Q81"))
    );
    let event = outgoing.event();
    assert_eq!(
        (&*event.name, event.args.parse()),
        ("e", Ok((1, "a".to_owned())))
    );
}

#[test]
fn payloads_that_are_no_objects_cannot_be_sent() {
    let parser = parser();
    assert!(parser.encode_connect("/", Some(&1)).is_err());
    assert!(parser.encode_connect("/", Some("a")).is_err());
    assert!(parser.encode_connect("/", Some(&[1])).is_err());
    assert!(parser.encode_connect_error("/", &1).is_err());
    assert!(parser.encode_connect_error("/", "no").is_ok());
    // But for old clients, which may be told anything.
    let refusal = parser.encode_error_eio3("/", &[1]).unwrap();
    assert_eq!(
        message(&refusal),
        b"\x83\xa4type\x04\xa4data\x91\x01\xa3nsp\xa1/"
    );
    let bare = parser.encode_connect::<()>("/", None).unwrap();
    assert_eq!(message(&bare), b"\x82\xa4type\x00\xa3nsp\xa1/");
}

#[test]
fn many_arguments_and_keys_have_longer_headers() {
    for count in [14, 15, 16, 20, 65_534, 65_535, 70_000] {
        let many = crate::protocol::Args((0..count).collect::<Vec<u32>>());
        let encoded = parser().encode_event("/", "e", None, &many, 0).unwrap();
        let Packet::Event { event, .. } = packet(message(&encoded)) else {
            panic!("an event should stay one");
        };
        assert_eq!(event.args.parse(), Ok(many.0), "{count}");
    }
}

#[test]
fn a_name_that_is_no_number_is_passed_on_as_text() {
    let nan = b"\x83\xa4type\x02\xa4data\x91\xcb\x7f\xf8\0\0\0\0\0\0\xa3nsp\xa1/";
    let packet = packet(nan);
    let encoded = parser().encode_packet(&packet, 0).unwrap().unwrap();
    assert_eq!(decode(message(&encoded)), Ok(packet));
}
