//! The body of a request or answer of long-polling, revision 3: text or binary.
#![no_main]

use bytes::Bytes;
use engine_io::{
    BinaryForm, DecodeError, Packet, PayloadV3, decode_binary_payload_v3, decode_payload_v3,
    encode_payload_v3,
};
use fuzz::Input;
use libfuzzer_sys::fuzz_target;

fn decode(payload: PayloadV3, limit: usize) -> Vec<Result<Packet, DecodeError>> {
    match payload {
        PayloadV3::Text(body) => {
            let body = engine_io::Text::lossy(&body);
            decode_payload_v3(&body, limit).collect()
        }
        PayloadV3::Binary(body) => decode_binary_payload_v3(body, limit).collect(),
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let kind = input.byte();
    let limit = usize::from(kind >> 1);
    let body = Bytes::copy_from_slice(input.0);
    let payload = match kind & 1 {
        0 => PayloadV3::Text(body),
        _ => PayloadV3::Binary(body),
    };
    let decoded = decode(payload, limit);
    assert!(decoded.len() <= limit + 1);
    let errors = decoded.iter().filter(|packet| packet.is_err()).count();
    let ended = decoded.last().is_some_and(Result::is_err);
    assert_eq!(errors, usize::from(ended), "an error ends a payload");
    let packets: Vec<&Packet> = decoded.iter().flatten().collect();
    if packets.is_empty() {
        return;
    }
    let frames: Vec<_> = packets.iter().map(|packet| packet.to_frame()).collect();
    for binary in [BinaryForm::Raw, BinaryForm::Base64] {
        let again = decode(encode_payload_v3(&frames, binary), limit);
        let again: Vec<&Packet> = again.iter().flatten().collect();
        assert_eq!(again, packets);
    }
});
