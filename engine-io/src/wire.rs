//! What one peer's packets look like: its revision of the protocol, and whether it takes binary as it is.
//!
//! | message `01 02` | WebSocket | the same with `b64=1` |
//! |---|---|---|
//! | revision 4 | binary `01 02` | text `bAQI=` |
//! | revision 3 | binary `04 01 02` | text `b4AQI=` |
//!
//! Text packets are the same everywhere. Frames are shared by all their recipients in the form of the first column and the first row; for the others they are
//! rewritten when they leave.
//!
//! Source: Engine.IO protocol, revisions 3 and 4, "Packet encoding".

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;

use crate::frame::Frame;
use crate::packet::{DecodeError, Message, Packet, decode_base64};

/// The revision of the Engine.IO protocol that a session speaks, told by `EIO` in the query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums)] // the revisions in use; a third one would concern every user
pub enum Revision {
    /// `EIO=3`, or none told: clients of Socket.IO 1 and 2. The client pings, payloads have lengths.
    V3,
    /// `EIO=4`: clients of Socket.IO 3 and 4. The server pings, payloads have separators.
    #[default]
    V4,
}

impl Revision {
    /// 3 or 4.
    pub fn number(self) -> u8 {
        match self {
            Self::V3 => 3,
            Self::V4 => 4,
        }
    }

    /// The packet in a WebSocket message.
    ///
    /// As by the reference, binary of revision 3 whose type means nothing is ignored: it becomes a [`Packet::Noop`].
    ///
    /// # Errors
    ///
    /// As [`Packet::decode`].
    #[inline]
    pub fn decode(self, message: Message) -> Result<Packet, DecodeError> {
        match (self, message) {
            (_, Message::Text(text)) if text.starts_with('4') => {
                Ok(Packet::Message(Message::Text(text.skip_first())))
            }
            (Self::V4, Message::Text(text)) => Packet::decode(&text),
            (Self::V4, binary @ Message::Binary(_)) => Ok(Packet::Message(binary)),
            (Self::V3, Message::Text(text)) => match text.strip_prefix('b') {
                None => Packet::decode(&text),
                Some(rest) => {
                    let kind = rest.chars().next().filter(char::is_ascii_digit);
                    let data = kind.map_or("", |_| &rest[1..]);
                    let kind = kind.map(|kind| kind as u8 - b'0');
                    decode_base64(data).map(|data| binary_packet(kind, data.into()))
                }
            },
            (Self::V3, Message::Binary(mut data)) => {
                let kind = (!data.is_empty()).then(|| data.split_to(1)[0]);
                Ok(binary_packet(kind, data))
            }
        }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

/// In revision 3 every packet has a binary form, but only that of a message is of use.
fn binary_packet(kind: Option<u8>, data: Bytes) -> Packet {
    match kind {
        Some(0) => Packet::Open(Default::default()),
        Some(1) => Packet::Close,
        Some(2) => Packet::Ping(Default::default()),
        Some(3) => Packet::Pong(Default::default()),
        Some(4) => Packet::Message(Message::Binary(data)),
        Some(5) => Packet::Upgrade,
        _ => Packet::Noop,
    }
}

/// How a peer takes binary messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums)] // complete by definition of the protocol
pub enum BinaryForm {
    /// As bytes, where the transport has any.
    #[default]
    Raw,
    /// As text: the peer has put `b64=1` into the query.
    Base64,
}

/// The form of the packets for one peer, over one transport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_structs)] // complete by definition of the protocol
pub struct Wire {
    /// The revision of the session.
    pub revision: Revision,
    /// The form of binary messages.
    pub binary: BinaryForm,
}

impl Wire {
    /// The frame in this peer's form. Only binary is ever rewritten, and not for [`Wire::default`].
    pub fn frame(self, frame: Frame) -> Frame {
        if self == Self::default() || !frame.is_binary() {
            return frame;
        }
        let data = frame.packet();
        let rewritten = match self.binary {
            BinaryForm::Raw => Frame::typed_binary(MESSAGE, data),
            BinaryForm::Base64 => {
                let mut builder = Frame::text(b'b', 1 + base64_len(data.len()));
                self.push_base64(data, builder.buffer());
                builder.finish()
            }
        };
        if frame.is_compressible() {
            rewritten
        } else {
            rewritten.uncompressed()
        }
    }

    /// Appends what stands behind the `b` of a binary message in base64.
    pub(crate) fn push_base64(self, data: &[u8], output: &mut Vec<u8>) {
        if self.revision == Revision::V3 {
            output.push(b'4');
        }
        let start = output.len();
        output.resize(start + base64_len(data.len()), 0);
        BASE64_STANDARD
            .encode_slice(data, &mut output[start..])
            .expect("the room was computed exactly");
    }
}

/// The type of a message as the first byte of binary.
pub(crate) const MESSAGE: u8 = 4;

pub(crate) fn base64_len(len: usize) -> usize {
    len.div_ceil(3) * 4
}

#[cfg(test)]
mod tests {
    use super::*;
    use BinaryForm::{Base64, Raw};
    use Revision::{V3, V4};

    #[test]
    fn binary_is_rewritten_for_those_who_want_it_otherwise() {
        let frame = Frame::binary(&[1, 2]);
        for (revision, binary, expected) in [
            (V4, Raw, &b"\x82\x02\x01\x02"[..]),
            (V4, Base64, b"\x81\x05bAQI="),
            (V3, Raw, b"\x82\x03\x04\x01\x02"),
            (V3, Base64, b"\x81\x06b4AQI="),
        ] {
            let wire = Wire { revision, binary };
            let rewritten = wire.frame(frame.clone());
            assert_eq!(rewritten.websocket().as_ref(), expected, "{wire:?}");
            let shared = rewritten.websocket().as_ptr() == frame.websocket().as_ptr();
            assert_eq!(shared, wire == Wire::default());
            assert!(rewritten.is_compressible());
            let rewritten = wire.frame(frame.clone().uncompressed());
            assert!(!rewritten.is_compressible());
        }
    }

    #[test]
    fn text_is_shared_by_all() {
        let frame = Frame::message("b");
        for (revision, binary) in [(V3, Raw), (V3, Base64), (V4, Base64)] {
            let wire = Wire { revision, binary };
            let same = wire.frame(frame.clone());
            assert_eq!(same.websocket().as_ptr(), frame.websocket().as_ptr());
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        for len in [0, 1, 2, 3, 125, 70_000] {
            let data = vec![7; len];
            for (revision, binary) in [(V3, Raw), (V3, Base64), (V4, Raw), (V4, Base64)] {
                let frame = Wire { revision, binary }.frame(Frame::binary(&data));
                let message = if frame.is_binary() {
                    Message::Binary(frame.packet().to_vec().into())
                } else {
                    std::str::from_utf8(frame.packet()).unwrap().into()
                };
                let expected = Packet::Message(data.clone().into());
                assert_eq!(revision.decode(message), Ok(expected));
            }
        }
    }

    #[test]
    fn revision_3_has_a_type_before_binary() {
        for (data, expected) in [
            (&b"\x04\x01\x02"[..], Packet::Message(vec![1, 2].into())),
            (b"\x04", Packet::Message(Vec::new().into())),
            (b"\x02probe", Packet::Ping("".into())),
            (b"\x01", Packet::Close),
            (b"\x05", Packet::Upgrade),
            (b"\x07x", Packet::Noop),
            (b"4x", Packet::Noop),
            (b"", Packet::Noop),
        ] {
            let message = Message::Binary(data.to_vec().into());
            assert_eq!(V3.decode(message), Ok(expected), "{data:?}");
        }
        for (text, expected) in [
            ("b4AQI=", Packet::Message(vec![1, 2].into())),
            ("b4", Packet::Message(Vec::new().into())),
            ("b1", Packet::Close),
            ("b9AQI=", Packet::Noop),
            ("bé", Packet::Noop),
            ("b", Packet::Noop),
        ] {
            assert_eq!(V3.decode(text.into()), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn text_packets_are_those_of_revision_4() {
        for text in ["0{}", "1", "2probe", "3", "4hé", "5", "6", "7", ""] {
            assert_eq!(V3.decode(text.into()), V4.decode(text.into()), "{text:?}");
        }
    }
}
