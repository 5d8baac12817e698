//! Arguments that came through one parser and leave through another.

use super::*;
use crate::protocol::{Binary, encode_event};

/// `1`, data, a date and an object.
const PACKED: &[u8] = b"\x01\xc4\x02\x07\x08\xd7\0\0\0\0\0\0\0\0\0\x81\xa1a\x92\xc4\x01\x09\xc0";

fn json() -> RawArgs {
    let text = r#"[1,{"_placeholder":true,"num":1},{"a":[{"_placeholder":true,"num":0},null]}]"#;
    let attachments = vec![Bytes::from_static(&[9]), Bytes::from_static(&[7, 8])];
    RawArgs::new(text, attachments).unwrap()
}

#[test]
fn within_messagepack_the_bytes_stay() {
    let args = args(4, PACKED);
    assert_eq!(written(&args), (4, PACKED.to_vec()));
    assert_eq!(written(&(0, &args)), (2, [b"\x00\x94", PACKED].concat()));
    assert_eq!(written(&Some(&args)), (1, [b"\x94", PACKED].concat()));
    let answer = parser().encode_ack("/", AckId::new(1), &args, 0).unwrap();
    let Packet::Ack { args: again, .. } = packet(message(&answer)) else {
        panic!("an answer should stay one");
    };
    assert_eq!(again, args);
    assert_eq!(written(&RawArgs::empty()), (0, Vec::new()));
}

#[test]
fn messagepack_becomes_json() {
    let args = args(4, PACKED);
    let encoded = encode_event("/", "e", None, &args, 10).unwrap();
    assert_eq!(
        encoded.header().packet().escape_ascii().to_string(),
        br#"452-["e",1,{"_placeholder":true,"num":0},"1970-01-01T00:00:00.000Z",{"a":[{"_placeholder":true,"num":1},null]}]"#
            .escape_ascii()
            .to_string()
    );
    assert_eq!(encoded.attachments()[0].packet(), [7, 8]);
    assert_eq!(encoded.attachments()[1].packet(), [9]);
    // As one value among others, it is an array.
    let data = (Binary::default(), Some(&args));
    let encoded = encode_event("/", "e", None, &data, 10).unwrap();
    assert_eq!(
        encoded.header().packet().escape_ascii().to_string(),
        br#"453-["e",{"_placeholder":true,"num":0},[1,{"_placeholder":true,"num":1},"1970-01-01T00:00:00.000Z",{"a":[{"_placeholder":true,"num":2},null]}]]"#
            .escape_ascii()
            .to_string()
    );
}

#[test]
fn json_becomes_messagepack() {
    let expected = b"\x01\xc4\x02\x07\x08\x81\xa1a\x92\xc4\x01\x09\xc0";
    assert_eq!(written(&json()), (3, expected.to_vec()));
    assert_eq!(
        written(&(0, json())),
        (2, [b"\x00\x93", &expected[..]].concat())
    );
    let malformed = match Decoder::default().handle(Message::from("2[\"e\",tru]")) {
        Ok(Some(Packet::Event { event, .. })) => event.args,
        other => panic!("{other:?} is no event"),
    };
    assert!(
        parser()
            .encode_event("/", "e", None, &malformed, 0)
            .is_err()
    );
}

#[test]
fn elsewhere_it_is_bytes() {
    let shown = serde_json::to_string(&args(1, b"\x01")).unwrap();
    assert_eq!(shown, "[1,[1]]");
}
