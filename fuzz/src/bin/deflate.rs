//! The same where compression was agreed on.
#![no_main]

use bytes::Bytes;
use engine_io::Side;
use fuzz::Input;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let kind = input.byte();
    let side = [Side::Server, Side::Client][usize::from(kind & 1)];
    let max_message = 1 + usize::from(kind >> 1) * 64;
    let pieces = input.pieces();
    let whole = Bytes::from(pieces.concat());
    let (messages, end) = engine_io::fuzzing::read_websocket(side, true, max_message, &[&whole]);
    assert!(messages.iter().all(|message| message.len() <= max_message));
    let in_pieces = engine_io::fuzzing::read_websocket(side, true, max_message, &pieces);
    assert_eq!(in_pieces, (messages, end));
});
