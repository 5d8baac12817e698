//! A parser of the program's own that works in one direction.

use socket_io::Message;
use socket_io::protocol::{CustomParser, DecodeError, PacketDecoder, PacketKind, PacketValue};

/// Writes what it cannot read.
#[derive(Debug)]
pub(crate) struct OneWay;

impl CustomParser for OneWay {
    fn encode(&self, packet: &PacketValue) -> Vec<Message> {
        vec![format!("{:?}", packet.kind).as_str().into()]
    }

    fn decoder(&self) -> Box<dyn PacketDecoder> {
        Box::new(Self)
    }
}

impl PacketDecoder for OneWay {
    fn handle(&mut self, message: Message) -> Result<Option<PacketValue>, DecodeError> {
        match message {
            Message::Text(text) if &*text == "join" => Ok(Some(PacketValue {
                kind: PacketKind::Connect,
                namespace: "/".into(),
                id: None,
                data: None,
            })),
            other => Err(DecodeError::Refused(format!("{other:?}"))),
        }
    }
}
