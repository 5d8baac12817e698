//! A packet of Engine.IO in one WebSocket message, of either revision and in every form.
#![no_main]

use bytes::Bytes;
use engine_io::{BinaryForm, Message, Revision, Wire};
use fuzz::{Input, lossy};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let kind = input.byte();
    let revision = [Revision::V4, Revision::V3][usize::from(kind & 1)];
    let message = match kind & 2 {
        0 => Message::Text(lossy(input.0)),
        _ => Message::Binary(Bytes::copy_from_slice(input.0)),
    };
    let Ok(packet) = revision.decode(message) else {
        return;
    };
    for binary in [BinaryForm::Raw, BinaryForm::Base64] {
        let frame = Wire { revision, binary }.frame(packet.to_frame());
        let data = Bytes::copy_from_slice(frame.packet());
        let message = match frame.is_binary() {
            true => Message::Binary(data),
            false => Message::Text(data.try_into().expect("a text frame is UTF-8")),
        };
        assert_eq!(revision.decode(message).as_ref(), Ok(&packet));
    }
});
