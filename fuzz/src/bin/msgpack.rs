//! Packets of Socket.IO in MessagePack.
#![no_main]

use bytes::Bytes;
use engine_io::Message;
use fuzz::{args_of, is_exact, messages, read_as_types};
use libfuzzer_sys::fuzz_target;
use socket_io::protocol::{Decoder, DecoderLimits, Packet, encode_packet};
use socket_io::{Args, Parser, Value};

fn decode(decoder: &mut Decoder, encoded: &socket_io::protocol::Encoded) -> Packet {
    let mut messages = messages(encoded);
    assert_eq!(messages.len(), 1);
    let packet = decoder.handle(messages.remove(0));
    packet
        .expect("our packet is legal")
        .expect("our packet is complete")
}

fuzz_target!(|data: &[u8]| {
    let parser = Parser::message_pack();
    let mut decoder = parser.decoder(DecoderLimits::new());
    let message = Message::Binary(Bytes::copy_from_slice(data));
    let Ok(Some(packet)) = decoder.handle(message) else {
        return;
    };
    let reencoded = parser.encode_packet(&packet, 0);
    let Some((args, legal)) = args_of(&packet) else {
        if let Ok(Some(encoded)) = reencoded {
            assert_eq!(decode(&mut decoder, &encoded), packet);
        }
        return;
    };
    assert_eq!(reencoded.is_ok(), legal, "{packet:?}");
    if let Ok(Some(encoded)) = reencoded {
        assert_eq!(decode(&mut decoder, &encoded), packet);
    }
    read_as_types(args);
    let values = args.parse::<Args<Value>>();
    // Translated to JSON, it has the same values. There, names of namespaces have a form; nobody has joined one of another.
    if !packet.namespace().starts_with('/') || packet.namespace().contains(',') {
        return;
    }
    let json = encode_packet(&packet, usize::MAX);
    assert_eq!(json.is_ok(), values.is_ok() && legal, "{packet:?}");
    let (Ok(Some(json)), Ok(values)) = (json, values) else {
        return;
    };
    let limits = DecoderLimits::new().max_attachments(usize::MAX);
    let mut decoder = Decoder::new(limits);
    let mut translated = None;
    for message in messages(&json) {
        translated = decoder.handle(message).expect("our packet is legal");
    }
    let translated = translated.expect("our packet is complete");
    let (args, _) = args_of(&translated).expect("an event stays one");
    if values.0.iter().all(is_exact) {
        assert_eq!(args.parse::<Args<Value>>(), Ok(values));
    }
});
