//! The body of a request or answer of long-polling, revision 4.
#![no_main]

use engine_io::{Packet, Text, decode_payload, encode_payload, payload_len};
use fuzz::{Input, lossy};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let limit = usize::from(input.byte());
    let body = lossy(input.0);
    let decoded: Vec<_> = decode_payload(&body, limit).collect();
    assert!(decoded.len() <= limit + 1);
    let (last, before) = decoded.split_last().expect("a payload is never nothing");
    assert!(before.iter().all(Result::is_ok), "an error ends a payload");
    let packets: Vec<&Packet> = before.iter().chain([last]).flatten().collect();
    if packets.is_empty() {
        return;
    }
    let frames: Vec<_> = packets.iter().map(|packet| packet.to_frame()).collect();
    let body = encode_payload(&frames);
    let sum: usize = frames.iter().map(payload_len).sum();
    assert_eq!(body.len(), sum + frames.len() - 1);
    let body = Text::try_from(body).expect("a payload is text");
    let again: Vec<_> = decode_payload(&body, limit).flatten().collect();
    assert_eq!(again.iter().collect::<Vec<_>>(), packets);
});
