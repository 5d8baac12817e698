//! What is no packet, with the reference's words where it has any.

use super::*;

#[track_caller]
fn check(bytes: &[u8], error: &DecodeError, words: &str) {
    assert_eq!(
        decode(bytes),
        Err(error.clone()),
        "{}",
        bytes.escape_ascii()
    );
    assert_eq!(error.to_string(), words);
}

#[test]
fn the_type_must_be_known() {
    for bytes in [
        b"\x81\xa3nsp\xa1/".as_slice(),
        b"\x82\xa4type\x05\xa3nsp\xa1/",
        b"\x82\xa4type\xff\xa3nsp\xa1/",
        b"\x82\xa4type\xc0\xa3nsp\xa1/",
        b"\x82\xa4type\xa11\xa3nsp\xa1/",
        b"\x82\xa4type\xd4\x00\x00\xa3nsp\xa1/",
        b"\x82\xa4type\xca\x3f\0\0\0\xa3nsp\xa1/",
        b"\x80",
        // No map at all.
        b"\x02",
        b"\xc0",
        b"\x91\x02",
        b"\xa4type",
    ] {
        check(bytes, &DecodeError::InvalidType, "invalid packet type");
    }
    let text = decoder().handle(Message::from("2[\"e\"]"));
    assert_eq!(text, Err(DecodeError::InvalidType));
}

#[test]
fn the_namespace_must_be_a_string() {
    for bytes in [
        b"\x81\xa4type\x01".as_slice(),
        b"\x82\xa4type\x01\xa3nsp\xc0",
        b"\x82\xa4type\x01\xa3nsp\x01",
        b"\x82\xa4type\x01\xa3nsp\xc4\x01/",
    ] {
        check(bytes, &DecodeError::InvalidNamespace, "invalid namespace");
    }
}

#[test]
fn the_data_must_fit_the_type() {
    const UNDEFINED: &[u8] = b"\xd4\x00\x00";
    const NIL: &[u8] = b"\xc0";
    const NUMBER: &[u8] = b"\x01";
    const STRING: &[u8] = b"\xa1a";
    const MAP: &[u8] = b"\x80";
    const ARRAY: &[u8] = b"\x91\xa1e";
    const DATE: &[u8] = b"\xd7\0\0\0\0\0\0\0\0\0";
    for (kind, legal) in [
        (0, &[UNDEFINED, MAP][..]),
        (1, &[UNDEFINED]),
        (2, &[ARRAY]),
        (3, &[ARRAY]),
        (4, &[STRING, MAP]),
    ] {
        for data in [UNDEFINED, NIL, NUMBER, STRING, MAP, ARRAY, DATE] {
            let bytes = [
                b"\x83\xa4type",
                &[kind][..],
                b"\xa4data",
                data,
                b"\xa3nsp\xa1/",
            ]
            .concat();
            if legal.contains(&data) {
                assert!(decode(&bytes).is_ok(), "{}", bytes.escape_ascii());
            } else {
                check(&bytes, &DecodeError::InvalidPayload, "invalid payload");
            }
        }
    }
}

#[test]
fn the_id_must_be_an_integer() {
    for (id, legal) in [
        (b"\x00".as_slice(), true),
        (b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", true),
        (b"\xcb\x40\x14\0\0\0\0\0\0", true),
        (b"\xd4\x00\x00", true),
        (b"\xc0", false),
        (b"\xa11", false),
        (b"\xff", false),
        (b"\xcb\x3f\xe0\0\0\0\0\0\0", false),
        (b"\xcb\x7f\xf8\0\0\0\0\0\0", false),
        (b"\xcb\x7f\xf0\0\0\0\0\0\0", false),
    ] {
        let bytes = [
            b"\x84\xa4type\x02\xa4data\x91\xa1e\xa2id",
            id,
            b"\xa3nsp\xa1/",
        ]
        .concat();
        if legal {
            assert!(decode(&bytes).is_ok(), "{}", bytes.escape_ascii());
        } else {
            check(&bytes, &DecodeError::InvalidId, "invalid packet id");
        }
    }
}

#[test]
fn nothing_may_follow() {
    check(
        b"\x82\xa4type\x01\xa3nsp\xa1/\xc0\xc0",
        &DecodeError::TrailingBytes { count: 2 },
        "2 trailing bytes",
    );
}

#[test]
fn a_packet_may_end_nowhere_else() {
    let whole = b"\x85\xa4type\x02\xa4data\x99\xa1e\xca\0\0\0\0\xcb\0\0\0\0\0\0\0\0\xcd\0\0\xd7\0\0\0\0\0\0\0\0\0\xc4\x01a\xd9\x01a\xc8\0\x01\0a\x81\xa1a\x90\xa7options\xdf\0\0\0\0\xa2id\x01\xa3nsp\xa1/";
    assert!(decode(whole).is_ok());
    for end in 0..whole.len() {
        assert!(decode(&whole[..end]).is_err(), "{end}");
    }
    let cut = DecodeError::Malformed {
        what: "unexpected end",
        offset: 7,
    };
    check(b"\x82\xa4type\xce", &cut, "unexpected end at byte 7");
}

#[test]
fn lengths_beyond_the_message_cost_nothing() {
    for announced in [
        b"\xdd\xff\xff\xff\xff".as_slice(),
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xc9\xff\xff\xff\xff\x00",
    ] {
        for bytes in [
            announced.to_vec(),
            [b"\x83\xa4type\x02\xa4data", announced].concat(),
        ] {
            assert!(matches!(decode(&bytes), Err(DecodeError::Malformed { .. })));
        }
    }
}

#[test]
fn the_unused_byte_is_refused() {
    let unused = DecodeError::Malformed {
        what: "unused byte c1",
        offset: 1,
    };
    check(b"\xc1", &unused, "unused byte c1 at byte 1");
}
