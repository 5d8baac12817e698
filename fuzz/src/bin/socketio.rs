//! Packets of Socket.IO in JSON: a text, and attachments behind it.
#![no_main]

use engine_io::Message;
use fuzz::{Input, args_of, check_args, messages, pass_on, text_and_attachments};
use libfuzzer_sys::fuzz_target;
use socket_io::protocol::{Decoder, DecoderLimits, Packet};

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let kind = input.byte();
    let max_attachments = usize::from(kind & 15);
    let max_bytes = usize::from(kind >> 4) * 8;
    let limits = DecoderLimits::new()
        .max_attachments(max_attachments)
        .max_attachment_bytes(max_bytes);
    let mut decoder = Decoder::new(limits);
    let (text, attachments) = text_and_attachments(input.0);
    let binary = attachments.into_iter().map(Message::Binary);
    let mut held = 0;
    let mut packet = None;
    for message in [Message::Text(text)].into_iter().chain(binary) {
        if matches!(message, Message::Binary(_)) {
            held += message.len();
        }
        match decoder.handle(message) {
            Ok(Some(whole)) => {
                packet = Some(whole);
                break;
            }
            Ok(None) => assert!(decoder.awaiting()),
            Err(_) => return assert!(!decoder.awaiting()),
        }
    }
    let Some(packet) = packet else { return };
    assert!(!decoder.awaiting());
    assert!(held <= max_bytes);
    if let Some((args, _)) = args_of(&packet) {
        assert!(args.attachments().len() <= max_attachments);
        check_args(args);
    }
    if let Packet::Connect {
        auth: Some(json), ..
    }
    | Packet::ConnectError { data: json, .. } = &packet
    {
        let _ = json.parse::<socket_io::Value>();
        let _ = json.parse::<(String,)>();
    }
    let Some(encoded) = pass_on(&packet, max_attachments) else {
        return;
    };
    let mut again = None;
    for message in messages(&encoded) {
        assert_eq!(again, None, "a packet is complete only once");
        again = decoder.handle(message).expect("our packet is legal");
    }
    assert_eq!(again, Some(packet));
});
