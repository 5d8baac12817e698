//! Messages of a client that came whole and in one frame each, as nearly all do. They are taken out of what was read without tungstenite, which gets
//! everything else: fragments, control frames, what is incomplete, and what breaks the rules.
//!
//! | bytes | message |
//! |---|---|
//! | `81 82 00 00 00 00 '4' 'a'` | text `4a` |
//! | `82 81 01 01 01 01 06` | binary `07` |

use std::collections::VecDeque;

use bytes::Bytes;

use super::boundary::payload_len;
use super::mask::apply_mask;
use crate::packet::Message;
use crate::text::Text;

/// FIN and the opcode of a text or binary frame.
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
/// In the second byte: a mask comes before the payload.
const MASKED: u8 = 0x80;
const MASK: usize = 4;

/// The header of a frame that is a message.
pub(super) struct Head<'a> {
    kind: u8,
    mask: [u8; MASK],
    pub(super) length: usize,
    /// What comes behind it.
    pub(super) rest: &'a [u8],
}

/// Such a frame.
struct Whole<'a> {
    kind: u8,
    mask: [u8; MASK],
    payload: &'a [u8],
    /// What comes behind it.
    rest: &'a [u8],
}

impl<'a> Head<'a> {
    /// That at the start of the input, if its frame is a message by itself and not too long.
    #[inline]
    pub(super) fn first(input: &'a [u8], max: usize) -> Option<Self> {
        let [kind @ (TEXT | BINARY), second, ..] = *input else {
            return None;
        };
        if second & MASKED == 0 {
            return None;
        }
        let length = usize::try_from(payload_len(input)?).ok()?;
        let header = match second & !MASKED {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        let (mask, rest) = input.get(header..)?.split_first_chunk()?;
        (length <= max).then_some(Self {
            kind,
            mask: *mask,
            length,
            rest,
        })
    }

    /// Without what comes behind it.
    pub(super) fn alone(self) -> Head<'static> {
        Head {
            kind: self.kind,
            mask: self.mask,
            length: self.length,
            rest: &[],
        }
    }

    /// The message, from all of its payload, which is masked.
    pub(super) fn message(&self, mut payload: Vec<u8>) -> Result<Message, NotUtf8> {
        apply_mask(&mut payload, self.mask);
        message(self.kind, payload.into())
    }
}

impl<'a> Whole<'a> {
    /// The frame at the start of the input, if it is a message by itself that is all there and not too long.
    #[inline]
    fn first(input: &'a [u8], max: usize) -> Option<Self> {
        let head = Head::first(input, max)?;
        let (payload, rest) = head.rest.split_at_checked(head.length)?;
        Some(Self {
            kind: head.kind,
            mask: head.mask,
            payload,
            rest,
        })
    }
}

fn message(kind: u8, payload: Bytes) -> Result<Message, NotUtf8> {
    match kind {
        TEXT => Ok(Message::Text(Text::try_from(payload).map_err(|_| NotUtf8)?)),
        _ => Ok(Message::Binary(payload)),
    }
}

/// Text of a peer's is no UTF-8.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotUtf8;

/// Appends the whole messages at the start of `input`, which begins with a frame, to `inbox`. All of them share one buffer. Returns what is left of the input.
pub(super) fn take<'a>(
    input: &'a [u8],
    max: usize,
    inbox: &mut VecDeque<Message>,
) -> Result<&'a [u8], NotUtf8> {
    let (mut size, mut count, mut binary) = (0, 0, false);
    let mut rest = input;
    while let Some(frame) = Whole::first(rest, max) {
        size += frame.payload.len();
        count += 1;
        binary |= frame.kind == BINARY;
        rest = frame.rest;
    }
    let behind = rest;
    if count == 0 {
        return Ok(behind);
    }
    inbox.reserve(count);
    let frames = || {
        let mut input = input;
        std::iter::from_fn(move || {
            let frame = Whole::first(input, max)?;
            input = frame.rest;
            Some(frame)
        })
    };
    let mut buffer = Vec::with_capacity(size);
    for frame in frames() {
        let start = buffer.len();
        buffer.extend_from_slice(frame.payload);
        apply_mask(&mut buffer[start..], frame.mask);
    }
    let mut buffer = Bytes::from(buffer);
    if count > 1 && !binary {
        // All texts at once, unless what is wrong with one of them has to be found, or a character that two of them share.
        if let Ok(texts) = Text::try_from(buffer.clone()) {
            let before = inbox.len();
            let mut rest = &*texts;
            inbox.extend(frames().map_while(|frame| {
                let (text, others) = rest.split_at_checked(frame.payload.len())?;
                rest = others;
                Some(Message::Text(texts.slice_ref(text)))
            }));
            if rest.is_empty() {
                return Ok(behind);
            }
            inbox.truncate(before);
        }
    }
    for frame in frames() {
        let payload = buffer.split_to(frame.payload.len());
        inbox.push_back(message(frame.kind, payload)?);
    }
    Ok(behind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::mask::masked;
    use crate::frame::Frame;

    #[test]
    fn whole_messages_are_taken_and_the_rest_is_left() {
        let [text, binary] =
            [Frame::message("hé"), Frame::binary(&[7; 200])].map(|frame| masked(frame.websocket()));
        for rest in [
            &b""[..],
            b"\x81",
            b"\x81\x85\x01",
            b"\x81\x85\x01\x02\x03\x04four",
            // A ping, a fragment, a compressed message, one without a mask, one of a reserved kind, one that is too long.
            b"\x89\x80\0\0\0\0",
            b"\x01\x81\0\0\0\0a",
            b"\xc1\x81\0\0\0\0a",
            b"\x81\x01a",
            b"\x83\x81\0\0\0\0a",
            b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0",
        ] {
            let input = [&text, &binary, &text, rest].concat();
            let mut inbox = VecDeque::new();
            assert_eq!(take(&input, 200, &mut inbox), Ok(rest));
            let expected = ["4hé".into(), vec![7; 200].into(), "4hé".into()];
            assert_eq!(inbox, expected);
            let mut inbox = VecDeque::new();
            let left = take(&input, 199, &mut inbox).unwrap();
            assert_eq!((left, inbox.len()), (&input[text.len()..], 1));
        }
    }

    #[test]
    fn length_forms_may_be_longer_than_needed() {
        for header in [&b"\x81\xfe\0\x02"[..], b"\x81\xff\0\0\0\0\0\0\0\x02"] {
            let input = [header, b"\0\0\0\0", b"4a"].concat();
            let mut inbox = VecDeque::new();
            assert_eq!(take(&input, 10, &mut inbox), Ok(&b""[..]));
            assert_eq!(inbox, ["4a".into()]);
        }
    }

    #[test]
    fn text_is_utf8() {
        let mut inbox = VecDeque::new();
        let input = b"\x81\x81\0\0\0\0a\x81\x81\0\0\0\0\xff";
        assert_eq!(take(input, 10, &mut inbox), Err(NotUtf8));
        assert_eq!(inbox, ["a".into()]);
    }

    #[test]
    fn no_character_may_lie_across_two_messages() {
        let texts = [&b"4a"[..], b"\xc3", b"\xa9", b"b"];
        let frames =
            texts.map(|text| [&[0x81, 0x80 | text.len() as u8, 0, 0, 0, 0], text].concat());
        let mut inbox = VecDeque::from(["before".into()]);
        assert_eq!(take(&frames.concat(), 10, &mut inbox), Err(NotUtf8));
        assert_eq!(inbox, ["before".into(), "4a".into()]);
    }
}
