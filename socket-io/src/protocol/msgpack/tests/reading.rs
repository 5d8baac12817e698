//! Arguments become types.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::*;
use crate::protocol::{Args, ArgsError, Binary, Date, MAX_DEPTH, RawJson};

#[track_caller]
fn check<T: DeserializeOwned + PartialEq + std::fmt::Debug>(value: &[u8], expected: T) {
    let args = args(1, value);
    assert_eq!(args.parse_first(), Ok(expected), "{}", value.escape_ascii());
}

#[test]
fn integers_of_every_width() {
    for (bytes, number) in [
        (b"\x00".as_slice(), 0_i128),
        (b"\x7f", 127),
        (b"\xcc\x80", 128),
        (b"\xcc\xff", 255),
        (b"\xcd\x01\x00", 256),
        (b"\xcd\xff\xff", 65_535),
        (b"\xce\x00\x01\x00\x00", 65_536),
        (b"\xce\xff\xff\xff\xff", 4_294_967_295),
        (b"\xcf\x00\x00\x00\x01\x00\x00\x00\x00", 4_294_967_296),
        (
            b"\xcf\x00\x1f\xff\xff\xff\xff\xff\xff",
            9_007_199_254_740_991,
        ),
        (b"\xff", -1),
        (b"\xe0", -32),
        (b"\xd0\xdf", -33),
        (b"\xd0\x80", -128),
        (b"\xd1\xff\x7f", -129),
        (b"\xd1\x80\x00", -32_768),
        (b"\xd2\xff\xff\x7f\xff", -32_769),
        (b"\xd2\x80\x00\x00\x00", -2_147_483_648),
        (b"\xd3\xff\xff\xff\xff\x7f\xff\xff\xff", -2_147_483_649),
        (
            b"\xd3\xff\xe0\x00\x00\x00\x00\x00\x01",
            -9_007_199_254_740_991,
        ),
    ] {
        check(bytes, number);
        check(bytes, number as f64);
        let number = i64::try_from(number).unwrap();
        check(bytes, number);
        check(bytes, Value::from(number));
        // And back, in the same form.
        assert_eq!(written(&number), (1, bytes.to_vec()));
        assert_eq!(written(&i128::from(number)), (1, bytes.to_vec()));
    }
    // Forms that are longer than they need to be.
    check(b"\xd3\x00\x00\x00\x00\x00\x00\x00\x01", 1_u8);
    check(b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", u64::MAX);
}

#[test]
fn floats() {
    check(b"\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a", 0.1);
    check(b"\xca\x3f\x00\x00\x00", 0.5);
    check(b"\xcb\x7f\xf0\0\0\0\0\0\0", f64::INFINITY);
    let nan: f64 = args(1, b"\xcb\x7f\xf8\0\0\0\0\0\0").parse_first().unwrap();
    assert!(nan.is_nan());
}

#[test]
fn undefined_is_what_is_not_there() {
    check(b"\xd4\x00\x00", None::<u32>);
    check(b"\xd4\x00\x00", ());
    check(b"\xd4\x00\x00", Value::Null);
    check(b"\xc0", None::<u32>);

    #[derive(Debug, Deserialize, PartialEq)]
    struct Wanted {
        #[serde(default)]
        a: u32,
        b: u32,
    }
    let object = b"\x83\xa1a\xd4\x00\x00\xa1b\x01\xa1c\xd4\x00\x00";
    check(object, Wanted { a: 0, b: 1 });
    check(object, BTreeMap::from([("b".to_owned(), 1)]));
    let args = args(2, b"\xd4\x00\x00\x05");
    assert_eq!(args.parse(), Ok((None::<u8>, 5)));
}

#[test]
fn a_date_is_a_date_or_its_text() {
    let bytes = b"\xd7\x00\x00\x00\x00\xdf\xb7\x62\x9c\x00";
    check(bytes, Date::from_millis(960_854_400_000));
    check(bytes, "2000-06-13T00:00:00.000Z".to_owned());
    check(bytes, Value::from("2000-06-13T00:00:00.000Z"));
    check(bytes, Some(Date::from_millis(960_854_400_000)));
    check(
        b"\xd7\x00\xff\xff\xff\xff\xff\xff\xff\xff",
        Date::from_millis(-1),
    );
    // Far outside of what JavaScript has, where an invalid date is null in JSON.
    let bytes = b"\xd7\x00\x7f\xff\xff\xff\xff\xff\xff\xff";
    check(bytes, Date::from_millis(i64::MAX));
    check(bytes, Value::Null);
    check(b"\x01", Date::from_millis(1));
    check(b"\xb81969-12-31T23:59:59.999Z", Date::from_millis(-1));
}

#[test]
fn binary_data_is_a_buffer_or_an_array_buffer() {
    for bytes in [
        b"\xc4\x03\x01\x02\x03".as_slice(),
        b"\xc5\x00\x03\x01\x02\x03",
        b"\xc6\x00\x00\x00\x03\x01\x02\x03",
        b"\xc7\x03\x00\x01\x02\x03",
        b"\xc8\x00\x03\x00\x01\x02\x03",
        b"\xc9\x00\x00\x00\x03\x00\x01\x02\x03",
    ] {
        check(bytes, Binary::from(&[1, 2, 3][..]));
        check(bytes, Value::Binary(Bytes::from_static(&[1, 2, 3])));
    }
    // One and eight bytes are not taken for undefined or a date.
    check(b"\xc7\x01\x00\x00", Binary::from(&[0][..]));
    check(b"\xc7\x08\x00\0\0\0\0\0\0\0\0", Binary::from(&[0; 8][..]));
}

#[test]
fn much_binary_data_is_not_copied() {
    let packed = args(1, &[b"\xc5\x01\x00".as_slice(), &[7; 256]].concat());
    let (one, other) = (
        packed.parse_first::<Binary>(),
        packed.parse_first::<Value>(),
    );
    let (Ok(one), Ok(Value::Binary(other))) = (one, other) else {
        panic!("binary data should be read");
    };
    assert_eq!(one.as_ptr(), other.as_ptr());
    // A little is, so that it does not keep the whole message.
    let packed = args(
        2,
        &[b"\xc4\x01\x07\xc5\x01\x00".as_slice(), &[7; 256]].concat(),
    );
    let (one, other) = (
        packed.parse_first::<Binary>(),
        packed.parse_first::<Binary>(),
    );
    assert_ne!(one.unwrap().as_ptr(), other.unwrap().as_ptr());
}

#[test]
fn other_extensions_are_pairs() {
    for (bytes, kind, length) in [
        (b"\xd4\x01\x07".as_slice(), 1, 1),
        (b"\xd5\x00\x07\x07", 0, 2),
        (b"\xd6\xff\x07\x07\x07\x07", -1, 4),
        (b"\xd7\x05\x07\x07\x07\x07\x07\x07\x07\x07", 5, 8),
        (
            b"\xd8\x00\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07",
            0,
            16,
        ),
        (b"\xc7\x03\x01\x07\x07\x07", 1, 3),
        (b"\xc7\x00\x01", 1, 0),
    ] {
        check(bytes, (kind, Binary::from(vec![7; length])));
        let pair = vec![Value::from(kind), Value::Binary(vec![7; length].into())];
        check(bytes, Value::Array(pair));
    }
}

#[test]
fn text_that_is_no_utf8_is_mended() {
    check(b"\xa3a\xffb", "a\u{fffd}b".to_owned());
    check(
        b"\x81\xa1\xff\x01",
        BTreeMap::from([("\u{fffd}".to_owned(), 1)]),
    );
    // What notepack makes of half a surrogate pair.
    check(b"\xa5a\xf0\x9f\x90\x80", "a\u{1f400}".to_owned());
}

#[test]
fn keys_are_strings_whatever_they_were() {
    let bytes = b"\x86\xa1a\x01\x05\x02\xff\x03\xc3\x04\xc0\x05\xcb\x3f\xe0\0\0\0\0\0\0\x06";
    let keys = ["a", "5", "-1", "true", "null", "0.5"];
    let expected = keys
        .iter()
        .zip(1..)
        .map(|(key, value)| (key.to_string(), value));
    check(bytes, expected.collect::<BTreeMap<_, u8>>());
    check(
        b"\x82\x05\x01\xa17\x02",
        BTreeMap::from([(5_u32, 1), (7, 2)]),
    );
    let error = args(1, b"\x81\x90\x01").parse::<Vec<Value>>().unwrap_err();
    assert!(matches!(error, ArgsError::Syntax(_)), "{error:?}");
}

#[test]
fn enums_are_read_as_from_json() {
    #[derive(Debug, Deserialize, PartialEq)]
    enum Shape {
        Empty,
        Circle(f64),
        Rectangle(u8, u8),
        Named { name: String },
    }
    check(b"\xa5Empty", Shape::Empty);
    check(b"\x81\xa6Circle\x02", Shape::Circle(2.0));
    check(b"\x81\xa9Rectangle\x92\x01\x02", Shape::Rectangle(1, 2));
    check(
        b"\x81\xa5Named\x81\xa4name\xa1a",
        Shape::Named { name: "a".into() },
    );
    for wrong in [
        b"\x80".as_slice(),
        b"\x82\xa5Empty\xc0\xa5Empty\xc0",
        b"\x01",
        b"\xa5Never",
    ] {
        let error = args(1, wrong).parse_first::<Shape>().unwrap_err();
        assert!(matches!(error, ArgsError::Mismatch(_)), "{error:?}");
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(untagged)]
    enum Any {
        Binary(Binary),
        Text(String),
        Many(Vec<Self>),
    }
    check(
        b"\x92\xc4\x01a\xa1a",
        Any::Many(vec![
            Any::Binary(Binary::from(&b"a"[..])),
            Any::Text("a".into()),
        ]),
    );
}

#[test]
fn the_wrong_type_is_the_caller_s_fault() {
    let args = args(2, b"\x01\x92\x02\x03");
    assert!(matches!(
        args.parse_first::<String>(),
        Err(ArgsError::Mismatch(_))
    ));
    assert!(matches!(
        args.parse::<(u8, (u8,))>(),
        Err(ArgsError::Mismatch(_))
    ));
    assert_eq!(args.parse(), Ok((1, (2, 3), None::<u8>)));
    assert_eq!(args.parse_data(), Ok(1));
    assert_eq!(args.parse_data(), Ok(()));
    let Args(list) = args.parse_data::<Args<Value>>().unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!(
        (args.is_empty(), args.json(), args.validate()),
        (false, None, Ok(()))
    );
}

#[test]
fn json_can_be_asked_for() {
    let args = args(1, b"\x82\xa1a\x92\x01\xc0\xa1b\xd4\x00\x00");
    let json: RawJson = args.parse_first().unwrap();
    assert_eq!(json.as_str(), r#"{"a":[1,null]}"#);
    let value: serde_json::Value = args.parse_first().unwrap();
    assert_eq!(value, serde_json::json!({"a": [1, null]}));
}

#[test]
fn depth_is_limited_where_it_counts() {
    let deepest = usize::from(MAX_DEPTH) - 1;
    for (depth, legal) in [(deepest, true), (deepest + 1, false), (100_000, false)] {
        let nested = [vec![0x91; depth], vec![0x01]].concat();
        let args = args(1, &nested);
        let value = args.parse_first::<Value>();
        assert_eq!(value.is_ok(), legal, "{depth}");
        assert!(legal || matches!(value, Err(ArgsError::Syntax(_))));
        // Ignored or passed on, it does no harm.
        assert_eq!(args.parse_data(), Ok(()));
        assert_eq!(written(&args), (1, nested));
    }
    let auth = [
        b"\x83\xa4type\x00\xa4data\x81\xa1a".as_slice(),
        &[0x91; 100_000],
        b"\x01\xa3nsp\xa1/",
    ];
    assert_eq!(decode(&auth.concat()), Err(DecodeError::InvalidPayload));
}
