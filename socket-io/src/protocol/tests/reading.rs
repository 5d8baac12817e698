//! Arguments become types.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::*;

const P0: &str = r#"{"_placeholder":true,"num":0}"#;
const P1: &str = r#"{"_placeholder":true,"num":1}"#;

/// Arguments of a plain event.
fn plain(json: &str) -> RawArgs {
    args(&format!("2[\"e\",{json}]"), &[])
}

/// Arguments of an event with the attachments `[1, 2, 3]` and `[4]`.
fn binary(json: &str) -> RawArgs {
    args(&format!("52-[\"e\",{json}]"), &[&[1, 2, 3], &[4]])
}

fn data(data: &[u8]) -> Binary {
    data.into()
}

#[test]
fn a_tuple_takes_what_it_wants() {
    let args = plain(r#"1,"a",[true]"#);
    assert_eq!(args.parse(), Ok((1, "a", [true])));
    assert_eq!(args.parse(), Ok((1, "a".to_owned())));
    assert_eq!(args.parse(), Ok((1,)));
    assert_eq!(args.parse(), Ok(()));
    assert_eq!(args.parse(), Ok((1, "a", [true], None::<i32>, Value::Null)));
    assert_eq!(
        args.parse(),
        Ok(vec![Value::from(1), "a".into(), vec![true].into()])
    );
    assert_eq!(args.parse_first(), Ok(1));
    assert_eq!(args.parse_first(), Ok(Some(1)));
}

#[test]
fn an_acknowledgement_has_no_name_to_skip() {
    let args = args(r#"31["a",2]"#, &[]);
    assert_eq!(args.json(), Some(r#""a",2"#));
    assert_eq!(args.parse(), Ok(("a", 2)));
    assert_eq!(args.parse_first(), Ok("a"));
}

#[test]
fn missing_arguments_read_as_null() {
    for args in [args("2[\"e\"]", &[]), args("2[1]", &[]), args("31[]", &[])] {
        assert!(args.is_empty());
        assert_eq!(args.parse(), Ok(()));
        assert_eq!(args.parse(), Ok((None::<i32>, Value::Null)));
        assert_eq!(args.parse(), Ok(Vec::<Value>::new()));
        assert_eq!(args.parse_first(), Ok(None::<i32>));
        assert_eq!(args.parse_first(), Ok(Value::Null));
        assert_eq!(args.parse_first(), Ok(()));
        assert!(matches!(
            args.parse_first::<i32>(),
            Err(ArgsError::Mismatch(_))
        ));
        assert!(matches!(
            args.parse::<(i32,)>(),
            Err(ArgsError::Mismatch(_))
        ));
    }
}

#[test]
fn a_struct_takes_arguments_as_its_fields() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Fields {
        number: i32,
        text: Option<String>,
    }
    let expected = |text: Option<&str>| Fields {
        number: 1,
        text: text.map(Into::into),
    };
    assert_eq!(plain("1,\"a\",2").parse(), Ok(expected(Some("a"))));
    assert_eq!(plain("1").parse(), Ok(expected(None)));
    let object = r#"{"text":"a","number":1}"#;
    assert_eq!(plain(object).parse_first(), Ok(expected(Some("a"))));
    assert_eq!(plain(object).parse_data(), Ok(expected(Some("a"))));
}

#[test]
fn data_reads_as_it_is_written() {
    let args = plain(r#"[1,2],"b""#);
    assert_eq!(args.parse_data(), Ok(vec![1, 2]));
    assert_eq!(args.parse_data(), Ok(([1, 2], "b")));
    assert_eq!(args.parse_data(), Ok(()));
    assert_eq!(args.parse_data(), Ok(Value::from(vec![1, 2])));
    assert_eq!(args.parse_data(), Ok(Some(vec![1, 2])));
    assert_eq!(plain("1,2,3").parse_data(), Ok([1, 2, 3]));
}

#[test]
fn errors_tell_whose_fault_it_is() {
    let mismatch = plain("1,2");
    assert!(matches!(
        mismatch.parse::<(String,)>(),
        Err(ArgsError::Mismatch(_))
    ));
    // An inner tuple has its exact length.
    assert!(matches!(
        plain("[1,2,3]").parse_first::<(i32, i32)>(),
        Err(ArgsError::Mismatch(_))
    ));
    assert!(matches!(
        binary("[1,2,3]").parse_first::<(i32, i32)>(),
        Err(ArgsError::Mismatch(_))
    ));
    for json in [
        "1,", ",1", "1 2", "[", "]", "{\"a\"}", "\"", "01", "nul", "1]", "[1,]",
    ] {
        for args in [plain(json), binary(json)] {
            let syntax = |result| matches!(result, Err(ArgsError::Syntax(_)));
            assert!(syntax(args.parse::<()>()), "{json}");
            assert!(syntax(args.parse::<(String,)>().map(drop)), "{json}");
            assert!(syntax(args.parse::<Vec<Value>>().map(drop)), "{json}");
            assert!(syntax(args.parse_first::<i32>().map(drop)), "{json}");
            assert!(syntax(args.validate()), "{json}");
        }
    }
}

#[test]
fn attachments_are_found_at_any_depth() {
    let args = binary(&format!(r#"{P0},[[{{"a":{{"b":{P1}}}}}]],{P0}"#));
    type Deep = Vec<Vec<HashMap<String, HashMap<String, Binary>>>>;
    let (one, deep, again): (Binary, Deep, serde_bytes::ByteBuf) = args.parse().unwrap();
    assert_eq!(one, data(&[1, 2, 3]));
    assert_eq!(deep[0][0]["a"]["b"], data(&[4]));
    assert_eq!(again.as_ref(), [1, 2, 3]);
    let (value, deep, _): (Value, Value, &serde_bytes::Bytes) = args.parse().unwrap();
    assert_eq!(value.as_bytes().map(|data| &data[..]), Some(&[1, 2, 3][..]));
    let inner = deep.as_array().unwrap()[0].as_array().unwrap()[0].get("a");
    assert_eq!(
        inner.and_then(|inner| inner.get("b")?.as_bytes()),
        Some(&data(&[4]).0)
    );
    assert_eq!(args.validate(), Ok(()));
}

#[test]
fn placeholders_are_recognised_in_any_order_and_with_white_space() {
    for json in [
        r#"{"num":1,"_placeholder":true}"#,
        r#" { "_placeholder" : true , "num" : 1 } "#,
        r#"{"_placeholder":true,"x":[{"y":1}],"num":1,"z":null}"#,
        r#"{"_placeholder":true,"num":1.0}"#,
        r#"{"\u005fplaceholder":true,"num":1e0}"#,
    ] {
        assert_eq!(binary(json).parse_first(), Ok(data(&[4])), "{json}");
        assert_eq!(binary(json).validate(), Ok(()), "{json}");
    }
    for json in [
        r#"{"_placeholder":false,"num":1}"#,
        r#"{"_placeholder":1,"num":1}"#,
        r#"{"num":1}"#,
        r#"{"num":1,"num":2,"a":3}"#,
        r#"{"a":{"num":1,"b":[]}}"#,
        "{}",
    ] {
        let value: Value = binary(json).parse_first().unwrap();
        let expected: Value = serde_json::from_str(json).unwrap();
        assert_eq!(value, expected, "{json}");
    }
}

#[test]
fn placeholders_name_an_attachment() {
    for num in ["2", "-1", "0.5", "1e400", "\"0\"", "null", "[]"] {
        let args = binary(&format!(r#"1,{{"_placeholder":true,"num":{num}}}"#));
        let error = Some(ArgsError::IllegalAttachment);
        assert_eq!(args.validate().err(), error, "{num}");
        assert_eq!(args.parse::<(i32, Value)>().err(), error, "{num}");
        assert_eq!(args.parse::<(i32, Binary)>().err(), error, "{num}");
    }
    let missing = binary(r#"{"_placeholder":true}"#);
    assert_eq!(missing.validate(), Err(ArgsError::IllegalAttachment));
}

#[test]
fn placeholders_name_an_attachment_where_nobody_reads_them_too() {
    #[derive(Debug, Deserialize)]
    struct Known {}

    let wrong = r#"{"_placeholder":true,"num":2}"#;
    let error = Some(ArgsError::IllegalAttachment);
    for json in [
        format!("1,{wrong}"),
        format!(r#"1,[{{"a":[{wrong}]}}]"#),
        format!(r#"1,{{"_placeholder":true,"num":0}},{{"a":{wrong}}}"#),
    ] {
        let args = binary(&json);
        assert_eq!(args.parse_first::<i32>().err(), error, "{json}");
        assert_eq!(args.parse::<()>().err(), error, "{json}");
        // Behind an argument of another type.
        assert_eq!(args.parse_first::<bool>().err(), error, "{json}");
    }
    let member = binary(&format!(r#"{{"a":{wrong}}}"#));
    assert_eq!(member.parse_first::<Known>().err(), error);
    assert_eq!(member.parse_first::<RawJson>().err(), error);
    let fine = binary(r#"1,[{"_placeholder":true,"num":1}],{"a":[]}"#);
    assert_eq!(fine.parse_first::<i32>(), Ok(1));
    assert_eq!(fine.parse::<()>(), Ok(()));
    let mismatch = fine.parse_first::<bool>();
    assert!(
        matches!(mismatch, Err(ArgsError::Mismatch(_))),
        "{mismatch:?}"
    );
}

#[test]
fn placeholders_of_a_plain_packet_are_ordinary_objects() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Lookalike {
        _placeholder: bool,
        num: i32,
    }
    let args = plain(P0);
    let expected = Lookalike {
        _placeholder: true,
        num: 0,
    };
    assert_eq!(args.parse_first(), Ok(expected));
    assert_eq!(
        args.parse_first::<Value>().unwrap().get("num"),
        Some(&0.into())
    );
    assert!(matches!(
        args.parse_first::<Binary>(),
        Err(ArgsError::Mismatch(_))
    ));
}

#[test]
fn received_data_is_not_copied() {
    let message = Bytes::from(vec![7; 100]);
    let mut decoder = Decoder::default();
    let header = format!("51-[\"e\",{P0},{{\"Data\":{P0}}},{{\"a\":{P0}}},[{P0}]]");
    assert_eq!(decoder.handle(header.as_str().into()), Ok(None));
    let Ok(Some(Packet::Event { event, .. })) = decoder.handle(message.clone().into()) else {
        panic!("an event should be decoded");
    };
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Object { a: Binary },
    }
    #[derive(Deserialize)]
    enum Tagged {
        Data(Binary),
    }
    type All = (Binary, Tagged, Untagged, Value);
    let (one, Tagged::Data(two), Untagged::Object { a: three }, four): All =
        event.args.parse().unwrap();
    let four = four.as_array().unwrap()[0].as_bytes().unwrap().clone();
    for data in [one.0, two.0, three.0, four] {
        assert_eq!(data.as_ptr(), message.as_ptr());
    }
}

#[test]
fn every_kind_of_type_can_hold_an_attachment() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        // Serde lets a string be made of bytes, so it has to be tried last.
        Data(Binary),
        Text(String),
        Both { text: String, data: Binary },
    }
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "type")]
    enum Internal {
        File { data: Binary },
    }
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "type", content = "content")]
    enum Adjacent {
        File(Binary),
    }
    #[derive(Debug, PartialEq, Deserialize)]
    enum External {
        Nothing,
        One(Binary),
        Two(Binary, i32),
        Named { data: Binary },
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Flat {
        name: String,
        #[serde(flatten)]
        rest: BTreeMap<String, Value>,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Newtype(Option<Binary>);

    let one = || data(&[4]);
    for (json, expected) in [
        ("\"a\"".to_owned(), Untagged::Text("a".into())),
        (P1.to_owned(), Untagged::Data(one())),
        (
            format!(r#"{{"text":"a","data":{P1}}}"#),
            Untagged::Both {
                text: "a".into(),
                data: one(),
            },
        ),
    ] {
        assert_eq!(binary(&json).parse_first(), Ok(expected), "{json}");
    }
    assert_eq!(
        binary(&format!(r#"{{"data":{P1},"type":"File"}}"#)).parse_first(),
        Ok(Internal::File { data: one() })
    );
    assert_eq!(
        binary(&format!(r#"{{"content":{P1},"type":"File"}}"#)).parse_first(),
        Ok(Adjacent::File(one()))
    );
    for (json, expected) in [
        ("\"Nothing\"".to_owned(), External::Nothing),
        ("{\"Nothing\":null}".to_owned(), External::Nothing),
        (format!(r#"{{"One":{P1}}}"#), External::One(one())),
        (format!(r#"{{"Two":[{P1},2]}}"#), External::Two(one(), 2)),
        (
            format!(r#"{{"Named":{{"data":{P1}}}}}"#),
            External::Named { data: one() },
        ),
    ] {
        assert_eq!(binary(&json).parse_first(), Ok(expected), "{json}");
    }
    for json in ["{}", "5", "{\"One\":1,\"Two\":2}", "[]", P0] {
        let result = binary(json).parse_first::<External>();
        assert!(matches!(result, Err(ArgsError::Mismatch(_))), "{json}");
    }
    let flat: Flat = binary(&format!(r#"{{"a":{P1},"name":"n","b":1}}"#))
        .parse_first()
        .unwrap();
    assert_eq!(flat.name, "n");
    assert_eq!(flat.rest["a"], Value::Binary(one().0));
    assert_eq!(flat.rest["b"], 1.into());
    assert_eq!(binary(P1).parse_first(), Ok(Newtype(Some(one()))));
    assert_eq!(binary("null").parse_first(), Ok(Newtype(None)));
    assert_eq!(
        binary(P1).parse_first(),
        Ok(serde_bytes::ByteBuf::from([4]))
    );
}

#[test]
fn a_binary_packet_reads_like_a_plain_one() {
    for json in [
        r#"{"1":true,"-2":false}"#,
        r#"[1,-1,1.5,true,null,"a\n\"\\\/\b\f\r\té€😀\u00e9\ud83d\ude00"]"#,
        "18446744073709551615",
        "-9223372036854775808",
        "18446744073709551616",
        "-0",
        "1E+2",
        " [ 1 , { } , [ ] ] ",
    ] {
        let one: Value = plain(json).parse_first().unwrap();
        let other: Value = binary(json).parse_first().unwrap();
        assert_eq!(one, other, "{json}");
    }
    let keys: HashMap<i32, bool> = binary(r#"{"1":true,"-2":false}"#).parse_first().unwrap();
    assert!(!keys[&-2]);
    let keys: HashMap<bool, u8> = binary(r#"{"true":1}"#).parse_first().unwrap();
    assert_eq!(keys[&true], 1);
    let text: (char, String) = binary(r#""é","a""#).parse().unwrap();
    assert_eq!(text, ('é', "a".into()));
    let raw: &RawValue = binary_raw();
    assert_eq!(raw.get(), r#"{"a": [1]}"#);
    let raw: RawJson = binary(r#" {"a": [1]} "#).parse_first().unwrap();
    assert_eq!(raw.as_str(), r#"{"a": [1]}"#);
}

fn binary_raw() -> &'static RawValue {
    let args = Box::leak(Box::new(binary(r#" {"a": [1]} ,2"#)));
    args.parse_first().unwrap()
}

#[test]
fn binary_is_not_read_from_text() {
    for args in [plain("\"abc\""), binary("\"abc\"")] {
        assert!(matches!(
            args.parse_first::<Binary>(),
            Err(ArgsError::Mismatch(_))
        ));
    }
    assert_eq!(plain("[1,2]").parse_first(), Ok(data(&[1, 2])));
}

#[test]
fn values_take_no_more_memory_than_their_items() {
    for count in 0..=8 {
        let numbers: Vec<String> = (0..count).map(|number| number.to_string()).collect();
        let Ok(Value::Array(array)) = plain(&format!("[{}]", numbers.join(","))).parse_first()
        else {
            panic!("{count} numbers are an array");
        };
        assert_eq!((array.len(), array.capacity()), (count, count));
    }
}
