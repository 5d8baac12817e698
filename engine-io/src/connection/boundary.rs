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
        while let Some(&byte) = input.first() {
            if self.rest > 0 {
                let skipped =
                    usize::try_from(self.rest).map_or(input.len(), |rest| rest.min(input.len()));
                self.rest -= skipped as u64;
                input = &input[skipped..];
                continue;
            }
            self.header[usize::from(self.header_len)] = byte;
            self.header_len += 1;
            input = &input[1..];
            self.handle_header();
        }
    }

    /// Whether everything so far makes up whole messages.
    pub(crate) fn is_clean(&self) -> bool {
        self.header_len == 0 && self.rest == 0 && !self.fragmented
    }

    fn handle_header(&mut self) {
        let [first, second, extended @ ..] = self.header;
        let length = match (self.header_len, second & !MASKED) {
            (0..=1, _) => return,
            (4, 126) => u16::from_be_bytes([extended[0], extended[1]]).into(),
            (10, 127) => u64::from_be_bytes(extended),
            (_, 126 | 127) => return,
            (_, short) => short.into(),
        };
        let mask = if second & MASKED == 0 { 0 } else { 4 };
        self.rest = length.saturating_add(mask);
        self.header_len = 0;
        if first & CONTROL == 0 {
            self.fragmented = first & FIN == 0;
        }
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
