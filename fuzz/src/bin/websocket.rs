//! What a peer sends over a WebSocket: messages are the same in whatever pieces they come, and the same as tungstenite alone finds.
#![no_main]

use std::io::{self, Read, Write};

use bytes::Bytes;
use engine_io::{Message, Side};
use fuzz::Input;
use libfuzzer_sys::fuzz_target;
use tungstenite::protocol::{Role, WebSocket, WebSocketConfig};

/// Bytes in memory; what is written is of no interest.
struct Memory<'a>(&'a [u8]);

impl Read for Memory<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.0.read(buffer)
    }
}

impl Write for Memory<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The messages, and whether the connection ended.
fn reference(side: Side, max_message: usize, data: &[u8]) -> (Vec<Message>, bool) {
    let role = match side {
        Side::Server => Role::Server,
        Side::Client => Role::Client,
    };
    let config = WebSocketConfig::default()
        .max_message_size(Some(max_message))
        .max_frame_size(Some(max_message));
    let mut websocket = WebSocket::from_raw_socket(Memory(data), role, Some(config));
    let mut messages = Vec::new();
    loop {
        match websocket.read() {
            Ok(tungstenite::Message::Text(text)) => messages.push(Message::from(text.as_str())),
            Ok(tungstenite::Message::Binary(data)) => messages.push(Message::Binary(data)),
            // What comes behind it does not count.
            Ok(tungstenite::Message::Close(_)) => return (messages, true),
            Ok(_) => {}
            Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                return (messages, false);
            }
            Err(_) => return (messages, true),
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let kind = input.byte();
    let side = [Side::Server, Side::Client][usize::from(kind & 1)];
    let max_message = 1 + usize::from(kind >> 1) * 16;
    let pieces = input.pieces();
    let whole = Bytes::from(pieces.concat());
    let (messages, end) = engine_io::fuzzing::read_websocket(side, false, max_message, &[&whole]);
    assert!(messages.iter().all(|message| message.len() <= max_message));
    let in_pieces = engine_io::fuzzing::read_websocket(side, false, max_message, &pieces);
    assert_eq!(in_pieces, (messages.clone(), end.clone()));
    assert_eq!(
        reference(side, max_message, &whole),
        (messages, end.is_some()),
        "{end:?}"
    );
});
