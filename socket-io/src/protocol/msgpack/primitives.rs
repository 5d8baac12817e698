//! Values become bytes, each in the shortest form.
//!
//! Source: lib/encode.js of notepack.io 2.2.0.

/// What a header announces.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Array,
    Map,
}

pub(super) fn write_nil(output: &mut Vec<u8>) {
    output.push(0xc0);
}

pub(super) fn write_bool(output: &mut Vec<u8>, value: bool) {
    output.push(0xc2 | u8::from(value));
}

pub(super) fn write_unsigned(output: &mut Vec<u8>, number: u64) {
    if number < 0x80 {
        return output.push(number as u8);
    }
    let bytes = number.to_be_bytes();
    let (marker, width) = match number {
        0..0x100 => (0xcc, 1),
        0x100..0x1_0000 => (0xcd, 2),
        0x1_0000..0x1_0000_0000 => (0xce, 4),
        _ => (0xcf, 8),
    };
    output.push(marker);
    output.extend_from_slice(&bytes[8 - width..]);
}

pub(super) fn write_signed(output: &mut Vec<u8>, number: i64) {
    if let Ok(number) = u64::try_from(number) {
        return write_unsigned(output, number);
    }
    let bytes = number.to_be_bytes();
    let (marker, width) = match number {
        -0x20.. => return output.push(bytes[7]),
        -0x80.. => (0xd0, 1),
        -0x8000.. => (0xd1, 2),
        -0x8000_0000.. => (0xd2, 4),
        _ => (0xd3, 8),
    };
    output.push(marker);
    output.extend_from_slice(&bytes[8 - width..]);
}

pub(super) fn write_f32(output: &mut Vec<u8>, number: f32) {
    output.push(0xca);
    output.extend_from_slice(&number.to_be_bytes());
}

pub(super) fn write_f64(output: &mut Vec<u8>, number: f64) {
    output.push(0xcb);
    output.extend_from_slice(&number.to_be_bytes());
}

pub(super) fn write_str(output: &mut Vec<u8>, text: &str) {
    match text.len() {
        length @ 0..=0x1f => output.push(0xa0 | length as u8),
        length => write_length(output, 0xd9, length),
    }
    output.extend_from_slice(text.as_bytes());
}

pub(super) fn write_bin(output: &mut Vec<u8>, data: &[u8]) {
    write_length(output, 0xc4, data.len());
    output.extend_from_slice(data);
}

/// As an `ArrayBuffer`.
pub(super) fn write_array_buffer(output: &mut Vec<u8>, data: &[u8]) {
    write_length(output, 0xc7, data.len());
    output.push(0);
    output.extend_from_slice(data);
}

pub(super) fn write_undefined(output: &mut Vec<u8>) {
    output.extend_from_slice(&[0xd4, 0, 0]);
}

pub(super) fn write_date(output: &mut Vec<u8>, millis: i64) {
    output.extend_from_slice(&[0xd7, 0]);
    output.extend_from_slice(&millis.to_be_bytes());
}

/// Announces so many values, or keys and values.
pub(super) fn write_header(output: &mut Vec<u8>, kind: Kind, count: usize) {
    let (bytes, length) = header(kind, count);
    output.extend_from_slice(&bytes[..length]);
}

/// Corrects a header that announced `announced` values, when there are `count`.
pub(super) fn correct_header(
    output: &mut Vec<u8>,
    at: usize,
    kind: Kind,
    announced: usize,
    count: usize,
) {
    let (_, old) = header(kind, announced);
    let (bytes, length) = header(kind, count);
    output.splice(at..at + old, bytes[..length].iter().copied());
}

fn header(kind: Kind, count: usize) -> ([u8; 5], usize) {
    let (few, many) = match kind {
        Kind::Array => (0x90, 0xdc),
        Kind::Map => (0x80, 0xde),
    };
    let bytes = wide(count).to_be_bytes();
    match count {
        0..0x10 => ([few | bytes[3], 0, 0, 0, 0], 1),
        0x10..0x1_0000 => ([many, bytes[2], bytes[3], 0, 0], 3),
        _ => ([many + 1, bytes[0], bytes[1], bytes[2], bytes[3]], 5),
    }
}

/// The marker `first` for lengths of one byte, and its successors for two and four.
fn write_length(output: &mut Vec<u8>, first: u8, length: usize) {
    let bytes = wide(length).to_be_bytes();
    let (marker, width) = match length {
        0..0x100 => (first, 1),
        0x100..0x1_0000 => (first + 1, 2),
        _ => (first + 2, 4),
    };
    output.push(marker);
    output.extend_from_slice(&bytes[4 - width..]);
}

/// No packet of 4 GiB leaves: an outbox is smaller, and so is what a frame of it could hold in memory.
fn wide(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
