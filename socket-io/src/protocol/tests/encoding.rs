//! Data becomes arguments.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::ser::Serializer;

use super::*;

#[track_caller]
fn check<T: Serialize + ?Sized>(data: &T, json: &str) {
    let event = encode_event("/", "e", None, data, 10).unwrap();
    let comma = if json.is_empty() { "" } else { "," };
    let count = match event.attachments().len() {
        0 => "42".to_owned(),
        count => format!("45{count}-"),
    };
    assert_eq!(text(&event), format!("{count}[\"e\"{comma}{json}]"));
    let ack = encode_ack("/", AckId::new(7), data, 10).unwrap();
    let count = match ack.attachments().len() {
        0 => "43".to_owned(),
        count => format!("46{count}-"),
    };
    assert_eq!(text(&ack), format!("{count}7[{json}]"));
    assert_eq!(event.attachments(), ack.attachments());
    let outgoing = Outgoing::new("e", data, 10).unwrap();
    assert_eq!(outgoing.encode("/", None), event);
    assert_eq!(outgoing.event().args.json(), Some(json));
    assert_eq!(
        transfer(&event),
        Packet::Event {
            namespace: "/".into(),
            ack: None,
            event: outgoing.event(),
        }
    );
}

struct Data(&'static [u8]);

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

const P0: &str = r#"{"_placeholder":true,"num":0}"#;
const P1: &str = r#"{"_placeholder":true,"num":1}"#;

#[test]
fn a_tuple_is_several_arguments() {
    check(&(), "");
    check(&(1, "a"), r#"1,"a""#);
    check(&&&(1, ("a", [2])), r#"1,["a",[2]]"#);
    check(&[1, 2], "1,2");
    check(&[0; 0], "");
    check(&((),), "null");
    check(&("",), r#""""#);
}

#[test]
fn everything_else_is_one_argument() {
    #[derive(Serialize)]
    struct Unit;
    #[derive(Serialize)]
    struct Newtype<T>(T);
    #[derive(Serialize)]
    struct Pair(i32, i32);
    #[derive(Serialize)]
    struct Fields {
        a: (i32, i32),
        b: Option<()>,
        #[serde(skip_serializing_if = "Option::is_none")]
        c: Option<i32>,
    }
    #[derive(Serialize)]
    enum Enum {
        Nothing,
        One((i32, i32)),
        Two(i32, i32),
        Named { a: i32 },
        Empty {},
    }
    check("a", r#""a""#);
    check(&"a\"\n\u{1}é😀", r#""a\"\n\u0001é😀""#);
    check(&vec![1, 2], "[1,2]");
    check(&Vec::<i32>::new(), "[]");
    check(&[1, 2][..], "[1,2]");
    check(&Some((1, 2)), "[1,2]");
    check(&None::<i32>, "null");
    check(&true, "true");
    check(&'a', r#""a""#);
    check(&1.5f32, "1.5");
    check(&i64::MIN, "-9223372036854775808");
    check(&u128::MAX, "340282366920938463463374607431768211455");
    check(&Unit, "null");
    check(&Newtype((1, 2)), "[1,2]");
    check(&Newtype(()), "null");
    check(&Pair(1, 2), "[1,2]");
    let fields = Fields {
        a: (1, 2),
        b: None,
        c: None,
    };
    check(&fields, r#"{"a":[1,2],"b":null}"#);
    check(&Enum::Nothing, r#""Nothing""#);
    check(&Enum::One((1, 2)), r#"{"One":[1,2]}"#);
    check(&Enum::Two(1, 2), r#"{"Two":[1,2]}"#);
    check(&Enum::Named { a: 1 }, r#"{"Named":{"a":1}}"#);
    check(&Enum::Empty {}, r#"{"Empty":{}}"#);
    check(&Value::Null, "null");
    check(&serde_json::json!({"a": [1, null]}), r#"{"a":[1,null]}"#);
    check(&std::net::Ipv4Addr::LOCALHOST, r#""127.0.0.1""#);
    check(&format_args!("{}-{}", 1, 2), r#""1-2""#);
}

#[test]
fn what_json_lacks_becomes_null_or_an_error() {
    check(
        &(f64::NAN, f64::INFINITY, f32::NEG_INFINITY),
        "null,null,null",
    );
    check(&BTreeMap::from([(1, true)]), r#"{"1":true}"#);
    check(&BTreeMap::from([(-1, true)]), r#"{"-1":true}"#);
    check(
        &BTreeMap::from([(true, 1), (false, 2)]),
        r#"{"false":2,"true":1}"#,
    );
    check(&BTreeMap::from([('a', 1)]), r#"{"a":1}"#);
    let wrong = BTreeMap::from([(vec![1], 1)]);
    assert_eq!(
        encode_event("/", "e", None, &wrong, 10),
        Err(EncodeError::Data("key must be a string".into()))
    );
    let wrong = BTreeMap::from([((), 1)]);
    assert!(encode_event("/", "e", None, &wrong, 10).is_err());
}

#[test]
fn binary_becomes_attachments_in_order() {
    #[derive(Serialize)]
    struct Fields {
        inner: Vec<Option<Data>>,
    }
    check(&Data(&[1]), P0);
    check(&Binary::from(vec![1, 2]), P0);
    check(serde_bytes::Bytes::new(&[1]), P0);
    check(&(Data(&[1]), "x", Data(&[2])), &format!(r#"{P0},"x",{P1}"#));
    let deep = Fields {
        inner: vec![Some(Data(&[1])), None, Some(Data(&[2]))],
    };
    let event = encode_event("/", "e", None, &deep, 10).unwrap();
    check(&deep, &format!(r#"{{"inner":[{P0},null,{P1}]}}"#));
    let sent: Vec<_> = event
        .attachments()
        .iter()
        .map(engine_io::Frame::packet)
        .collect();
    assert_eq!(sent, [[1], [2]]);
    assert_eq!(event.frames().count(), 3);
    assert_eq!(
        event.size(),
        event
            .frames()
            .map(|frame| frame.websocket().len())
            .sum::<usize>()
    );
}

#[test]
fn prefixes_stand_before_the_arguments() {
    let (data, id) = (Data(&[1]), Some(AckId::new(12)));
    for (namespace, ack, expected) in [
        ("/", None, "451-"),
        ("/", id, "451-12"),
        ("/adm", None, "451-/adm,"),
        ("/adm", id, "451-/adm,12"),
    ] {
        let encoded = encode_event(namespace, "e", ack, &data, 10).unwrap();
        assert_eq!(text(&encoded), format!(r#"{expected}["e",{P0}]"#));
    }
    let ten: Vec<_> = (0..10).map(|_| Data(&[1])).collect();
    let encoded = encode_event("/", "e", id, &ten, 10).unwrap();
    assert!(text(&encoded).starts_with("4510-12[\"e\",[{"));
}

#[test]
fn more_attachments_than_the_peer_takes_are_refused() {
    let data: Vec<_> = (0..11).map(|_| Data(&[1])).collect();
    let error = EncodeError::TooManyAttachments {
        count: 11,
        limit: 10,
    };
    assert_eq!(encode_event("/", "e", None, &data, 10), Err(error.clone()));
    assert_eq!(
        encode_ack("/", AckId::new(1), &data, 10),
        Err(error.clone())
    );
    assert_eq!(error.to_string(), "too many attachments: 11 > 10");
    assert!(encode_event("/", "e", None, &data, 11).is_ok());
}

#[test]
fn reserved_names_cannot_be_emitted() {
    for name in [
        "connect",
        "connect_error",
        "disconnect",
        "disconnecting",
        "newListener",
        "removeListener",
    ] {
        let error = EncodeError::ReservedEvent { name: name.into() };
        assert_eq!(encode_event("/", name, None, &(), 10), Err(error.clone()));
        assert_eq!(Outgoing::new(name, &(), 10).err(), Some(error));
    }
    assert!(encode_event("/", "error", None, &(), 10).is_ok());
}

#[test]
fn payloads_of_connect_are_objects() {
    #[derive(Serialize)]
    struct Sid {
        sid: &'static str,
    }
    let encoded = encode_connect("/", Some(&Sid { sid: "x" })).unwrap();
    assert_eq!(text(&encoded), r#"40{"sid":"x"}"#);
    let encoded = encode_connect("/adm", None::<&Sid>).unwrap();
    assert_eq!(text(&encoded), "40/adm,");
    assert!(encode_connect("/", Some(&[1])).is_err());
    assert!(encode_connect("/", Some("a")).is_err());
    assert!(encode_connect_error("/", &Some(1)).is_err());
    let encoded = encode_connect_error("/nope", "bad").unwrap();
    assert_eq!(text(&encoded), r#"44/nope,"bad""#);
    assert_eq!(text(&encode_disconnect("/")), "41");
    assert_eq!(text(&encode_disconnect("/adm")), "41/adm,");
}

#[test]
fn old_clients_are_refused_with_whatever_there_is_to_say() {
    for json in [
        r#"{"code":401}"#,
        "[1]",
        "-1",
        "5.5",
        "true",
        "false",
        "null",
        r#""no""#,
    ] {
        let data = RawJson::new(json.into()).unwrap();
        let encoded = encode_error_eio3("/adm", &data).unwrap();
        assert_eq!(text(&encoded), format!("44/adm,{json}"));
    }
    assert_eq!(text(&encode_error_eio3("/", "no").unwrap()), r#"44"no""#);
}

#[test]
fn raw_arguments_pass_through() {
    let received = args(
        &format!(r#"52-["in",{P1},{{"a":"\ud83d"}} ,{P0}]"#),
        &[&[1], &[2]],
    );
    let json = format!(r#"{P1},{{"a":"\ud83d"}} ,{P0}"#);
    check(&received, &json);
    let encoded = encode_event("/", "out", None, &received, 10).unwrap();
    let sent: Vec<_> = encoded
        .attachments()
        .iter()
        .map(engine_io::Frame::packet)
        .collect();
    assert_eq!(sent, [[1], [2]]);
    check(&RawArgs::empty(), "");
    check(&args("2[\"e\"]", &[]), "");
    check(&args("2[\"e\", 1 , 2 ]", &[]), "1 , 2");
    // Among other data they are one value.
    check(&(1, &received), &format!("1,[{json}]"));
    check(&(1, RawArgs::empty()), "1,[]");
    check(&vec![args("2[\"e\",1,2]", &[])], "[[1,2]]");
}

#[test]
fn raw_arguments_behind_other_attachments_are_renumbered() {
    let received = args(&format!(r#"52-["in",{P1},{{"a":{P0}}}]"#), &[&[1], &[2]]);
    let encoded = encode_event("/", "e", None, &(Data(&[9]), &received, Data(&[8])), 10).unwrap();
    let placeholder = |num: i32| format!(r#"{{"_placeholder":true,"num":{num}}}"#);
    let (one, two, three) = (placeholder(1), placeholder(2), placeholder(3));
    let expected = format!(r#"454-["e",{P0},[{one},{{"a":{two}}}],{three}]"#);
    assert_eq!(text(&encoded), expected);
    let sent: Vec<_> = encoded
        .attachments()
        .iter()
        .map(engine_io::Frame::packet)
        .collect();
    assert_eq!(sent, [[9], [2], [1], [8]]);
}

#[test]
fn malformed_arguments_are_not_passed_on() {
    let missing = r#"{"_placeholder":true,"num":1}"#;
    for received in [
        args("2[\"e\",nope]", &[]),
        args("2[\"e\",1,]", &[]),
        args("2[\"e\",]", &[]),
        args("2[\"e\",1],[2]", &[]),
        args("31[1],[2]", &[]),
        args(&format!("51-[\"e\",{missing}]"), &[&[1]]),
    ] {
        for data in [
            encode_event("/", "e", None, &received, 10),
            encode_ack("/", AckId::new(0), &(1, &received), 10),
        ] {
            assert!(matches!(data, Err(EncodeError::Data(_))), "{received:?}");
        }
    }
    assert!(RawArgs::new("[1", Vec::new()).is_err());
    assert!(RawArgs::new("{}", Vec::new()).is_err());
    assert!(RawArgs::new("[", Vec::new()).is_err());
    assert!(RawArgs::new(" [1] ", Vec::new()).is_ok());
}

#[test]
fn text_that_is_json_already_is_written_as_it_is() {
    let raw = serde_json::value::RawValue::from_string("{\"a\" : 1}".into()).unwrap();
    check(&raw, "{\"a\" : 1}");
    check(&(1, &raw, 2), "1,{\"a\" : 1},2");
    check(&vec![&raw], "[{\"a\" : 1}]");
    let raw = RawJson::new("{\"a\" : 1}".into()).unwrap();
    check(&BTreeMap::from([("k", &raw)]), "{\"k\":{\"a\" : 1}}");
    let encoded = encode_connect("/", Some(&raw)).unwrap();
    assert_eq!(text(&encoded), "40{\"a\" : 1}");
}

#[test]
fn a_broadcast_is_serialised_once() {
    let outgoing = Outgoing::new("e", &("a", Data(&[1])), 10).unwrap();
    let one = outgoing.encode("/adm", Some(AckId::new(1)));
    let other = outgoing.encode("/adm", None);
    assert_eq!(text(&one), format!(r#"451-/adm,1["e","a",{P0}]"#));
    assert_eq!(text(&other), format!(r#"451-/adm,["e","a",{P0}]"#));
    assert_eq!(
        one.attachments()[0].websocket().as_ptr(),
        other.attachments()[0].websocket().as_ptr()
    );
    let numbered = outgoing.encode_with_offset("/", "Q81\"");
    assert_eq!(text(&numbered), format!(r#"451-["e","a",{P0},"Q81\""]"#));
    let empty = Outgoing::new("e", &(), 10).unwrap();
    assert_eq!(text(&empty.encode_with_offset("/", "x")), r#"42["e","x"]"#);
    assert!(empty.event().args.is_empty());
}
