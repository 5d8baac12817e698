//! What the decoder does not take, with the reference's words for it.

use super::*;

#[track_caller]
fn check(text: &str, error: DecodeError, words: &str) {
    assert_eq!(error.to_string(), words);
    assert_eq!(decode(text, &[]), Err(error), "{text}");
}

#[test]
fn the_type_is_a_digit_up_to_six() {
    for found in ['7', '9', 'a', ' ', 'é', '٣'] {
        let error = DecodeError::UnknownType { found: Some(found) };
        let words = format!("unknown packet type {}", found.escape_default());
        check(&format!("{found}[\"e\"]"), error, &words);
    }
    check(
        "",
        DecodeError::UnknownType { found: None },
        "unknown packet type",
    );
}

#[test]
fn a_binary_packet_says_how_many_attachments_it_has() {
    for text in [
        "5",
        "5[\"e\"]",
        "5-[\"e\"]",
        "51[\"e\"]",
        "51",
        "5a-[\"e\"]",
        "5 1-[\"e\"]",
        "5+1-[\"e\"]",
        "51.5-[\"e\"]",
        "5-1-[\"e\"]",
        "50-[\"e\"]",
        "500-[\"e\"]",
        "60-1[]",
        "6/adm,1-[]",
    ] {
        check(text, DecodeError::IllegalCount, "Illegal attachments");
    }
}

#[test]
fn ten_attachments_are_the_limit() {
    assert_eq!(decode("510-[\"e\"]", &[]), Ok(None));
    assert_eq!(decode("5010-[\"e\"]", &[]), Ok(None));
    for (digits, count) in [
        ("11", 11),
        ("4294967297", 4_294_967_297),
        ("99999999999999999999999", usize::MAX),
    ] {
        check(
            &format!("5{digits}-[\"e\"]"),
            DecodeError::TooManyAttachments { count, limit: 10 },
            "too many attachments",
        );
    }
    let mut generous = Decoder::new(DecoderLimits::new().max_attachments(11));
    assert_eq!(generous.handle("511-[\"e\"]".into()), Ok(None));
}

#[test]
fn the_size_of_attachments_is_limited() {
    let limits = DecoderLimits::new().max_attachment_bytes(3);
    let mut decoder = Decoder::new(limits);
    assert_eq!(decoder.handle("52-[\"e\"]".into()), Ok(None));
    assert_eq!(decoder.handle(vec![0; 2].into()), Ok(None));
    assert_eq!(
        decoder.handle(vec![0; 2].into()),
        Err(DecodeError::AttachmentsTooLarge { bytes: 4, limit: 3 })
    );
    assert!(!decoder.awaiting());
}

#[test]
fn payloads_have_the_shape_of_their_packet() {
    for text in [
        // connect
        "0[]",
        "0\"a\"",
        "0null",
        "01.5",
        "0{",
        "0{\"a\":1}}",
        "0{a:1}",
        "0{\"a\":1}2",
        "0,{}",
        "0/adm,[]",
        // disconnect
        "1{}",
        "1[]",
        "1/adm,null",
        "1x",
        // event
        "2[]",
        "2[ ]",
        "2[null]",
        "2[true,1]",
        "2[[\"e\"]]",
        "2[{}]",
        "2{}",
        "2\"e\"",
        "2e",
        "2[",
        "2]",
        "2[\"e\"",
        "2\"e\"]",
        "2[\"e]",
        "2[\"]",
        "2[\"e\\\"]",
        "2[\"e\\x\"]",
        "2[\"e\\u12\"]",
        "2[\"e\\u+123\"]",
        "2[\"e\n\"]",
        "2[\"e\" 1]",
        "2[\"e\"]]",
        "2[\"e\"],1]",
        "2[01]",
        "2[1.]",
        "2[.5]",
        "2[1e]",
        "2[-]",
        "2[+1]",
        "2[1 2]",
        "2[,1]",
        "2-1[\"e\"]",
        "21-[\"e\"]",
        "2 1[\"e\"]",
        "2,[\"e\"]",
        "2adm,[\"e\"]",
        // acknowledgement
        "31{}",
        "31\"a\"",
        "31null",
        "31[",
        "31]",
        "3{}",
        // without an id, for which nobody waits
        "3[x]",
        "3/adm,[1,]",
        // connect error
        "4",
        "4/adm,",
        "41",
        "4[]",
        "4null",
        "4{\"message\":}",
        "4\"a",
        // an ack id of more than 64 bits
        "218446744073709551616[\"e\"]",
        "399999999999999999999999[]",
    ] {
        check(text, DecodeError::InvalidPayload, "invalid payload");
    }
}

#[test]
fn reserved_names_are_refused_in_any_spelling() {
    for name in [
        "connect",
        "connect_error",
        "disconnect",
        "disconnecting",
        "newListener",
        "removeListener",
        "\\u0063onnect",
    ] {
        check(
            &format!("2[\"{name}\",1]"),
            DecodeError::InvalidPayload,
            "invalid payload",
        );
    }
    for name in ["error", "connection", "new_namespace", "Connect"] {
        assert!(decode(&format!("2[\"{name}\"]"), &[]).is_ok(), "{name}");
    }
}

#[test]
fn text_and_binary_come_in_their_turn() {
    let mut decoder = Decoder::default();
    let error = decoder.handle(vec![1].into()).unwrap_err();
    assert_eq!(error, DecodeError::UnexpectedBinary);
    assert_eq!(
        error.to_string(),
        "got binary data when not reconstructing a packet"
    );
    assert_eq!(decoder.handle("51-[\"e\"]".into()), Ok(None));
    let error = decoder.handle("2[\"e\"]".into()).unwrap_err();
    assert_eq!(error, DecodeError::UnexpectedText);
    assert_eq!(
        error.to_string(),
        "got plaintext data when reconstructing a packet"
    );
}
