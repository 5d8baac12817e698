//! Packets and payloads, in and out.
//!
//! `cargo bench --package engine-io --bench packets`

use bytes::Bytes;
use divan::{Bencher, black_box, counter::BytesCount};
use engine_io::{Frame, Message, Packet, Text, decode_payload, encode_payload};

/// Sizes of messages.
const SIZES: [usize; 3] = [42, 1024, 65_536];
/// Packets in a payload.
const PACKETS: [usize; 2] = [1, 64];

fn main() {
    divan::main();
}

fn text(size: usize) -> String {
    "abcdefgh".chars().cycle().take(size).collect()
}

fn bytes(size: usize) -> Bytes {
    (0..=255).cycle().take(size).collect()
}

#[divan::bench(args = SIZES)]
fn decode_text(bencher: Bencher<'_, '_>, size: usize) {
    let packet = Text::from(format!("4{}", text(size)));
    bencher
        .counter(BytesCount::new(size))
        .bench_local(|| Packet::decode(black_box(&packet)));
}

#[divan::bench(args = SIZES)]
fn decode_base64(bencher: Bencher<'_, '_>, size: usize) {
    let payload = encode_payload(&[Frame::binary(&bytes(size))]);
    let packet = Text::try_from(payload).unwrap();
    bencher
        .counter(BytesCount::new(size))
        .bench_local(|| Packet::decode(black_box(&packet)));
}

#[divan::bench(args = SIZES)]
fn encode_text(bencher: Bencher<'_, '_>, size: usize) {
    let message = Message::from(text(size));
    bencher
        .counter(BytesCount::new(size))
        .bench_local(|| black_box(&message).to_frame());
}

#[divan::bench(args = SIZES)]
fn encode_binary(bencher: Bencher<'_, '_>, size: usize) {
    let message = Message::from(bytes(size));
    bencher
        .counter(BytesCount::new(size))
        .bench_local(|| black_box(&message).to_frame());
}

#[divan::bench(args = PACKETS)]
fn decode_text_payload(bencher: Bencher<'_, '_>, packets: usize) {
    decode_all(bencher, &vec![Frame::message(&text(42)); packets]);
}

#[divan::bench(args = PACKETS)]
fn decode_binary_payload(bencher: Bencher<'_, '_>, packets: usize) {
    decode_all(bencher, &vec![Frame::binary(&bytes(42)); packets]);
}

fn decode_all(bencher: Bencher<'_, '_>, frames: &[Frame]) {
    let payload = Text::try_from(encode_payload(frames)).unwrap();
    bencher.counter(frames.len()).bench_local(|| {
        decode_payload(black_box(&payload), frames.len())
            .map(Result::unwrap)
            .for_each(|packet| drop(black_box(packet)));
    });
}

#[divan::bench(args = PACKETS)]
fn encode_text_payload(bencher: Bencher<'_, '_>, packets: usize) {
    let frames = vec![Frame::message(&text(42)); packets];
    bencher
        .counter(packets)
        .bench_local(|| encode_payload(black_box(&frames)));
}

#[divan::bench(args = PACKETS)]
fn encode_binary_payload(bencher: Bencher<'_, '_>, packets: usize) {
    let frames = vec![Frame::binary(&bytes(42)); packets];
    bencher
        .counter(packets)
        .bench_local(|| encode_payload(black_box(&frames)));
}
