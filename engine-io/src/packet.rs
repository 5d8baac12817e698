//! Packets: one packet is one WebSocket message, or one item of a polling payload.
//!
//! | packet | WebSocket | polling |
//! |---|---|---|
//! | open | text `0{"sid":…}` | `0{"sid":…}` |
//! | close | text `1` | `1` |
//! | ping, pong | text `2`, `3`, with optional text behind | the same |
//! | message | text `4hello`, or a binary frame with the raw data | `4hello`, or `b` and the data in base64 |
//! | upgrade, noop | text `5`, `6` | the same |
//!
//! Source: Engine.IO protocol, revision 4, "Packet encoding".

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;

use crate::frame::Frame;
use crate::text::Text;

/// What users send and receive: text or binary.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // complete by definition of the protocol
pub enum Message {
    /// UTF-8 text.
    Text(Text),
    /// Raw bytes.
    Binary(Bytes),
}

impl Message {
    /// The message as a frame ready to be sent. Copies the data once.
    pub fn to_frame(&self) -> Frame {
        match self {
            Self::Text(text) => Frame::message(text),
            Self::Binary(data) => Frame::binary(data),
        }
    }

    /// Bytes of the text or data.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(data) => data.len(),
        }
    }

    /// Whether there is no text or data.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<Bytes> for Message {
    fn from(data: Bytes) -> Self {
        Self::Binary(data)
    }
}

impl From<Vec<u8>> for Message {
    fn from(data: Vec<u8>) -> Self {
        Self::Binary(data.into())
    }
}

/// A unit of the Engine.IO protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // complete by definition of the protocol
pub enum Packet {
    /// The handshake, as JSON; sent once by the server.
    Open(Text),
    /// Ends a session over polling.
    Close,
    /// Heartbeat; the text is `probe` while an upgrade is tried and empty otherwise.
    Ping(Text),
    /// Answer to a ping.
    Pong(Text),
    /// What users send.
    Message(Message),
    /// The client moves to the probed transport.
    Upgrade,
    /// Ends a poll that has nothing to say.
    Noop,
}

impl Packet {
    /// Decodes a WebSocket text message or an item of a polling payload, of revision 4; [`Revision::decode`](crate::Revision::decode) knows both.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when the first character is no packet type, or base64 is not decodable.
    pub fn decode(text: &Text) -> Result<Self, DecodeError> {
        Self::decode_in(text, text)
    }

    /// The same with a part of the text.
    pub(crate) fn decode_in(text: &Text, part: &str) -> Result<Self, DecodeError> {
        let mut characters = part.chars();
        let kind = characters.next().ok_or(DecodeError::Empty)?;
        let data = characters.as_str();
        match kind {
            '0' => Ok(Self::Open(text.slice_ref(data))),
            '1' => Ok(Self::Close),
            '2' => Ok(Self::Ping(text.slice_ref(data))),
            '3' => Ok(Self::Pong(text.slice_ref(data))),
            '4' => Ok(Self::Message(Message::Text(text.slice_ref(data)))),
            '5' => Ok(Self::Upgrade),
            '6' => Ok(Self::Noop),
            'b' => decode_base64(data).map(|data| Self::Message(Message::Binary(data.into()))),
            other => Err(DecodeError::UnknownType(other)),
        }
    }

    /// The packet as a frame ready to be sent.
    pub fn to_frame(&self) -> Frame {
        let (kind, data): (u8, &str) = match self {
            Self::Open(data) => (b'0', data),
            Self::Close => (b'1', ""),
            Self::Ping(data) => (b'2', data),
            Self::Pong(data) => (b'3', data),
            Self::Message(message) => return message.to_frame(),
            Self::Upgrade => (b'5', ""),
            Self::Noop => (b'6', ""),
        };
        let mut builder = Frame::text(kind, data.len());
        builder.buffer().extend_from_slice(data.as_bytes());
        builder.finish()
    }
}

/// Why bytes of a peer are no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// A packet has at least its type.
    Empty,
    /// The first character is none of `0`–`6` and `b`.
    UnknownType(char),
    /// The data behind `b` holds nothing that base64 could mean.
    Base64,
    /// An item of a payload of revision 3 has no length, or one that does not fit.
    Length,
    /// A payload has more packets than allowed.
    TooManyPackets {
        /// The limit.
        limit: usize,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("empty packet"),
            Self::UnknownType(kind) => write!(f, "unknown packet type {kind:?}"),
            Self::Base64 => f.write_str("undecodable base64"),
            Self::Length => f.write_str("wrong length of a packet"),
            Self::TooManyPackets { limit } => write!(f, "more than {limit} packets in a payload"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// The standard alphabet, as lenient about padding and trailing bits as the reference.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Decodes base64 as the reference's runtime does: either alphabet, padding optional, foreign characters skipped.
pub(crate) fn decode_base64(text: &str) -> Result<Vec<u8>, DecodeError> {
    if let Ok(data) = LENIENT.decode(text) {
        return Ok(data);
    }
    let end = text.find('=').unwrap_or(text.len());
    let mut cleaned: Vec<u8> = text[..end]
        .bytes()
        .filter_map(|byte| match byte {
            b'-' => Some(b'+'),
            b'_' => Some(b'/'),
            b'+' | b'/' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => Some(byte),
            _ => None,
        })
        .collect();
    if cleaned.len() % 4 == 1 {
        cleaned.pop();
    }
    LENIENT.decode(cleaned).map_err(|_| DecodeError::Base64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, packet: &Packet) {
        assert_eq!(Packet::decode(&text.into()).as_ref(), Ok(packet));
        assert_eq!(packet.to_frame().packet(), text.as_bytes());
    }

    #[test]
    fn text_packets_survive_the_round_trip() {
        check("0{}", &Packet::Open("{}".into()));
        check("1", &Packet::Close);
        check("2", &Packet::Ping("".into()));
        check("2probe", &Packet::Ping("probe".into()));
        check("3probe", &Packet::Pong("probe".into()));
        check("4", &Packet::Message("".into()));
        check("4h€", &Packet::Message("h€".into()));
        check("5", &Packet::Upgrade);
        check("6", &Packet::Noop);
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        assert_eq!(Packet::decode(&"".into()), Err(DecodeError::Empty));
        assert_eq!(
            Packet::decode(&"7".into()),
            Err(DecodeError::UnknownType('7'))
        );
        assert_eq!(
            Packet::decode(&"é".into()),
            Err(DecodeError::UnknownType('é'))
        );
    }

    #[test]
    fn base64_is_read_as_leniently_as_the_reference_does() {
        for (text, data) in [
            ("AQID", &[1, 2, 3][..]),
            ("AQIDBA==", &[1, 2, 3, 4]),
            ("AQIDBA", &[1, 2, 3, 4]),
            ("AQ ID\nBA", &[1, 2, 3, 4]),
            ("-_8=", &[0xfb, 0xff]),
            ("AQIDB", &[1, 2, 3]),
            ("!!", &[]),
            ("", &[]),
        ] {
            let packet = Packet::decode(&format!("b{text}").into());
            assert_eq!(
                packet,
                Ok(Packet::Message(Message::Binary(data.to_vec().into()))),
                "{text}"
            );
        }
    }
}
