//! Data becomes arguments.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};
use serde_json::value::RawValue;

use super::*;
use crate::protocol::{Args, ArrayBuffer, Binary, Date, Undefined};

#[track_caller]
fn check<T: Serialize + ?Sized>(data: &T, count: u8, bytes: &[u8]) {
    assert_eq!(written(data), (count, bytes.to_vec()));
}

#[test]
fn a_tuple_is_several_arguments() {
    check(&(), 0, b"");
    check(&(1, "a"), 2, b"\x01\xa1a");
    check(&[1, 2], 2, b"\x01\x02");
    check(&[0; 0], 0, b"");
    check(&((),), 1, b"\xc0");
    check(&(1, (2, 3)), 2, b"\x01\x92\x02\x03");
    check(&Args(vec![1, 2]), 2, b"\x01\x02");
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
        #[serde(skip_serializing_if = "Option::is_none")]
        b: Option<i32>,
    }
    #[derive(Serialize)]
    enum Enum {
        Nothing,
        One((i32, i32)),
        Two(i32, i32),
        Fields { a: i32 },
    }
    check(&vec![1, 2], 1, b"\x92\x01\x02");
    check(&Some((1, 2)), 1, b"\x92\x01\x02");
    check(&None::<u8>, 1, b"\xc0");
    check(&Unit, 1, b"\xc0");
    check(&Newtype((1, 2)), 1, b"\x92\x01\x02");
    check(&Pair(1, 2), 1, b"\x92\x01\x02");
    check(&Fields { a: (1, 2), b: None }, 1, b"\x81\xa1a\x92\x01\x02");
    check(&Enum::Nothing, 1, b"\xa7Nothing");
    check(&Enum::One((1, 2)), 1, b"\x81\xa3One\x92\x01\x02");
    check(&Enum::Two(1, 2), 1, b"\x81\xa3Two\x92\x01\x02");
    check(&Enum::Fields { a: 1 }, 1, b"\x81\xa6Fields\x81\xa1a\x01");
    check(&(true, false, 'x'), 3, b"\xc3\xc2\xa1x");
    check(&0.1, 1, b"\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a");
    check(&f64::NAN, 1, b"\xcb\x7f\xf8\0\0\0\0\0\0");
    check(&0.5_f32, 1, b"\xca\x3f\x00\x00\x00");
    check(&u64::MAX, 1, b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff");
    check(&u128::MAX, 1, b"\xcb\x47\xf0\0\0\0\0\0\0");
}

#[test]
fn what_only_javascript_has() {
    check(&Undefined, 1, b"\xd4\x00\x00");
    check(&(Undefined, 1), 2, b"\xd4\x00\x00\x01");
    check(
        &Date::from_millis(1000),
        1,
        b"\xd7\x00\x00\x00\x00\x00\x00\x00\x03\xe8",
    );
    check(
        &Date::from_millis(-1),
        1,
        b"\xd7\x00\xff\xff\xff\xff\xff\xff\xff\xff",
    );
    check(&Binary::from(&[1, 2, 3][..]), 1, b"\xc4\x03\x01\x02\x03");
    check(
        &ArrayBuffer(Binary::from(&[1, 2][..])),
        1,
        b"\xc7\x02\x00\x01\x02",
    );
    check(&(ArrayBuffer::default(), "a"), 2, b"\xc7\x00\x00\xa1a");
    let dates = BTreeMap::from([(Date::from_millis(0), Date::from_millis(0))]);
    check(
        &dates,
        1,
        b"\x81\xb81970-01-01T00:00:00.000Z\xd7\0\0\0\0\0\0\0\0\0",
    );
}

#[test]
fn strings_and_binary_of_every_width() {
    for (length, header) in [
        (0, b"\xa0".as_slice()),
        (31, b"\xbf"),
        (32, b"\xd9\x20"),
        (255, b"\xd9\xff"),
        (256, b"\xda\x01\x00"),
        (65_535, b"\xda\xff\xff"),
        (65_536, b"\xdb\x00\x01\x00\x00"),
    ] {
        let text = "x".repeat(length);
        check(&text, 1, &[header, text.as_bytes()].concat());
        assert_eq!(args(1, &written(&text).1).parse_first(), Ok(text));
    }
    for (length, header) in [
        (0, b"\xc4\x00".as_slice()),
        (255, b"\xc4\xff"),
        (256, b"\xc5\x01\x00"),
        (65_536, b"\xc6\x00\x01\x00\x00"),
    ] {
        let data = vec![7; length];
        check(&Binary::from(&data[..]), 1, &[header, &data].concat());
    }
}

#[test]
fn keys_become_strings() {
    check(&BTreeMap::from([(1, 2)]), 1, b"\x81\xa11\x02");
    check(&BTreeMap::from([(-1_i64, 2)]), 1, b"\x81\xa2-1\x02");
    check(
        &BTreeMap::from([(u32::MAX, 2)]),
        1,
        b"\x81\xaa4294967295\x02",
    );
    check(
        &BTreeMap::from([(u128::from(u64::MAX), 2)]),
        1,
        b"\x81\xb418446744073709551615\x02",
    );
    check(&BTreeMap::from([(true, 2)]), 1, b"\x81\xa4true\x02");
    check(&BTreeMap::from([('c', 2)]), 1, b"\x81\xa1c\x02");
    check(&BTreeMap::from([(Some("c"), 2)]), 1, b"\x81\xa1c\x02");
    for error in [
        parser().encode_event("/", "e", None, &BTreeMap::from([((), 1)]), 0),
        parser().encode_event("/", "e", None, &BTreeMap::from([((1, 2), 1)]), 0),
        parser().encode_event("/", "e", None, &BTreeMap::from([(vec![1], 1)]), 0),
        parser().encode_event("/", "e", None, &BTreeMap::from([(None::<u8>, 1)]), 0),
    ] {
        assert_eq!(error, Err(EncodeError::Data("key must be a string".into())));
    }
}

/// Announces another number of items than it has.
struct Liar(Option<usize>, usize);

impl Serialize for Liar {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut items = serializer.serialize_seq(self.0)?;
        for _ in 0..self.1 {
            items.serialize_element(&BTreeMap::<u8, u8>::new())?;
        }
        items.end()
    }
}

#[test]
fn a_header_tells_the_truth_in_the_end() {
    for announced in [None, Some(0), Some(15), Some(16), Some(65_536)] {
        for count in [0, 1, 15, 16, 300, 65_535, 65_536] {
            let (_, bytes) = written(&(Liar(announced, count), 5));
            let (items, five): (Vec<BTreeMap<u8, u8>>, u8) = args(2, &bytes).parse().unwrap();
            assert_eq!((items.len(), five), (count, 5), "{announced:?}");
        }
    }

    struct Flat;

    impl Serialize for Flat {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(None)?;
            for key in 0..20 {
                map.serialize_entry(&key, &key)?;
            }
            map.end()
        }
    }

    let (_, bytes) = written(&Flat);
    let map: BTreeMap<u8, u8> = args(1, &bytes).parse_first().unwrap();
    assert_eq!(map, (0..20).map(|key| (key, key)).collect());
}

#[test]
fn json_that_is_text_already_is_translated() {
    let raw = RawValue::from_string(r#"{"a":[1,null,"x"]}"#.into()).unwrap();
    check(&raw, 1, b"\x81\xa1a\x93\x01\xc0\xa1x");
    check(
        &serde_json::json!({"a": [1, -1, 0.5]}),
        1,
        b"\x81\xa1a\x93\x01\xff\xcb\x3f\xe0\0\0\0\0\0\0",
    );
    check(&serde_json::value::to_raw_value(&1).unwrap(), 1, b"\x01");
}

#[test]
fn there_is_no_limit_on_binary_data() {
    let many: Vec<Binary> = (0..40_u8).map(|byte| vec![byte].into()).collect();
    let (_, bytes) = written(&many);
    assert_eq!(args(1, &bytes).parse_first(), Ok(many));
}
