//! Where frames begin and end in what a peer sends, so that it is known when tungstenite holds nothing of it.

/// In the first byte: the last fragment of a message.
const FIN: u8 = 0x80;
/// In the first byte: a control frame, which may come between the fragments of a message.
const CONTROL: u8 = 0x08;
/// In the second byte: a mask comes before the payload.
const MASKED: u8 = 0x80;

/// Follows the frames of one direction without looking into them.
///
/// After a frame that breaks the rules it may be wrong; the connection ends then anyway.
#[derive(Default)]
pub(crate) struct Boundary {
    /// The beginning of a header, as far as it arrived.
    header: [u8; 10],
    header_len: u8,
    /// Bytes of mask and payload that are still to come.
    rest: u64,
    /// A message has begun whose last fragment has not.
    fragmented: bool,
}

impl Boundary {
    /// Takes the next bytes of the connection.
    pub(crate) fn advance(&mut self, mut input: &[u8]) {
        while !input.is_empty() {
            input = self.advance_frame(input);
        }
    }

    /// Takes the next bytes of the connection, to the end of the frame if it is among them. What is left of them.
    pub(crate) fn advance_frame<'a>(&mut self, mut input: &'a [u8]) -> &'a [u8] {
        while self.rest == 0 {
            let Some((&byte, behind)) = input.split_first() else {
                return input;
            };
            self.header[usize::from(self.header_len)] = byte;
            self.header_len += 1;
            input = behind;
            self.handle_header();
            if self.header_len == 0 && self.rest == 0 {
                return input;
            }
        }
        let skipped = usize::try_from(self.rest).map_or(input.len(), |rest| rest.min(input.len()));
        self.rest -= skipped as u64;
        &input[skipped..]
    }

    /// Whether everything so far makes up whole messages.
    pub(crate) fn is_clean(&self) -> bool {
        self.header_len == 0 && self.rest == 0 && !self.fragmented
    }

    fn handle_header(&mut self) {
        let [first, second, ..] = self.header;
        let Some(length) = payload_len(&self.header[..usize::from(self.header_len)]) else {
            return;
        };
        let mask = if second & MASKED == 0 { 0 } else { 4 };
        self.rest = length.saturating_add(mask);
        self.header_len = 0;
        if first & CONTROL == 0 {
            self.fragmented = first & FIN == 0;
        }
    }
}

/// The size of the payload, once the header has come so far.
pub(crate) fn payload_len(header: &[u8]) -> Option<u64> {
    let (second, extended) = header.get(1..)?.split_first()?;
    match second & !MASKED {
        126 => {
            let bytes = extended.first_chunk().copied();
            bytes.map(|bytes| u16::from_be_bytes(bytes).into())
        }
        127 => extended.first_chunk().copied().map(u64::from_be_bytes),
        short => Some(short.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The frame's first byte and the size of its payload, in the length form of that many bytes.
    fn frame(first: u8, size: usize, form: usize) -> Vec<u8> {
        let mut frame = vec![first];
        match form {
            0 => frame.push(MASKED | size as u8),
            2 => {
                frame.push(MASKED | 126);
                frame.extend((size as u16).to_be_bytes());
            }
            _ => {
                frame.push(MASKED | 127);
                frame.extend((size as u64).to_be_bytes());
            }
        }
        frame.resize(frame.len() + 4 + size, 0xff);
        frame
    }

    #[test]
    fn only_whole_messages_are_clean() {
        for (frames, clean) in [
            (vec![frame(0x81, 0, 0)], true),
            (vec![frame(0x82, 125, 0), frame(0x89, 3, 0)], true),
            // Length forms that are longer than they need to be.
            (vec![frame(0x81, 5, 2), frame(0x81, 5, 8)], true),
            (vec![frame(0x82, 300, 2), frame(0x82, 70_000, 8)], true),
            (vec![frame(0x01, 5, 0)], false),
            (vec![frame(0x01, 5, 0), frame(0x89, 5, 0)], false),
            (vec![frame(0x01, 5, 0), frame(0x00, 5, 0)], false),
            (
                vec![frame(0x01, 5, 0), frame(0x89, 5, 0), frame(0x80, 5, 0)],
                true,
            ),
        ] {
            let bytes = frames.concat();
            for step in [1, 3, 7, bytes.len()] {
                let mut boundary = Boundary::default();
                let (last, before) = bytes.split_last().unwrap();
                for chunk in before.chunks(step) {
                    boundary.advance(chunk);
                }
                assert!(!boundary.is_clean(), "a byte is missing");
                boundary.advance(&[*last]);
                assert_eq!(boundary.is_clean(), clean, "{frames:?} by {step}");
            }
        }
    }
}
