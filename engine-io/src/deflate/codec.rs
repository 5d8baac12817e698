//! Compressing and inflating whole messages, with codecs that belong to the thread.

use std::cell::Cell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::frame::{Frame, HEADROOM, finish};

/// FIN, RSV1 and the opcode of a text frame.
const TEXT: u8 = 0xc1;
/// FIN, RSV1 and the opcode of a binary frame.
const BINARY: u8 = 0xc2;
/// How a flushed compressor ends; senders leave it out.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
/// An empty last block: behind the tail it shows that the data was complete.
const LAST_BLOCK: [u8; 2] = [3, 0];
/// What is allocated at first to inflate into.
const FIRST_CAPACITY: usize = 1024;

thread_local! {
    /// The compressor of the thread and its level, taken out while it works.
    static COMPRESSOR: Cell<Option<(u8, Compress)>> = const { Cell::new(None) };
    static DECOMPRESSOR: Cell<Option<Decompress>> = const { Cell::new(None) };
}

/// The frame that carries a packet compressed; `None` when that is no shorter.
pub(super) fn deflate_frame(packet: &[u8], binary: bool, level: u8) -> Option<Frame> {
    let kept = COMPRESSOR.try_with(Cell::take).ok().flatten();
    let mut compressor = match kept {
        Some((found, compressor)) if found == level => compressor,
        _ => Compress::new(Compression::new(level.into()), false),
    };
    // Room for whatever comes out, although what does not shrink is of no use: one that was stopped halfway is not as good as new after a reset. At level 1,
    // zlib-rs 0.6.8 takes the block along that is open.
    let bound = packet.len() + packet.len() / 8 + packet.len() / 64 + 64;
    let mut buffer = Vec::with_capacity(HEADROOM + bound);
    buffer.resize(HEADROOM, 0);
    let result = compressor.compress_vec(packet, &mut buffer, FlushCompress::Sync);
    let complete = result.is_ok()
        && compressor.total_in() == packet.len() as u64
        && buffer.len() < buffer.capacity()
        && buffer.ends_with(&TAIL);
    if !complete {
        return None;
    }
    compressor.reset();
    let _ = COMPRESSOR.try_with(|kept| kept.set(Some((level, compressor))));
    buffer.truncate(buffer.len() - TAIL.len());
    if buffer.len() >= HEADROOM + packet.len() {
        return None;
    }
    buffer.shrink_to_fit();
    Some(finish(buffer, if binary { BINARY } else { TEXT }))
}

/// Why data could not be inflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InflateError {
    /// More than the limit.
    TooLong,
    /// Not compressed data, or not all of it.
    Invalid,
}

/// Inflates the data of one message, to at most `limit` bytes, and allocates not much more than that.
pub(super) fn inflate(data: &[u8], limit: usize) -> Result<Vec<u8>, InflateError> {
    let kept = DECOMPRESSOR.try_with(Cell::take).ok().flatten();
    let mut decompressor = kept.unwrap_or_else(|| Decompress::new(false));
    let mut output = Output {
        data: Vec::new(),
        limit,
    };
    let result = output.inflate_message(&mut decompressor, data);
    decompressor.reset(false);
    let _ = DECOMPRESSOR.try_with(|kept| kept.set(Some(decompressor)));
    result.map(|()| output.data)
}

struct Output {
    data: Vec<u8>,
    limit: usize,
}

impl Output {
    fn inflate_message(
        &mut self,
        decompressor: &mut Decompress,
        data: &[u8],
    ) -> Result<(), InflateError> {
        // Some senders leave out nothing, or everything of an empty message; the reference takes that, too.
        let tail = match data {
            [] => return Ok(()),
            [.., 0xff] if data.ends_with(&TAIL) => &[][..],
            _ => &TAIL,
        };
        if let Some(rest) = self.inflate(decompressor, data)? {
            // The sender ended the stream, and maybe added the header of the block whose rest is the tail.
            return match rest {
                [] | [0] => Ok(()),
                _ => Err(InflateError::Invalid),
            };
        }
        if self.inflate(decompressor, tail)?.is_some() {
            return Err(InflateError::Invalid);
        }
        match self.inflate(decompressor, &LAST_BLOCK)? {
            Some([]) => Ok(()),
            _ => Err(InflateError::Invalid),
        }
    }

    /// Inflates all of the input. If the stream ends before, what is left of the input.
    fn inflate<'a>(
        &mut self,
        decompressor: &mut Decompress,
        mut input: &'a [u8],
    ) -> Result<Option<&'a [u8]>, InflateError> {
        loop {
            self.reserve(input.len());
            let before = decompressor.total_in();
            let status = decompressor
                .decompress_vec(input, &mut self.data, FlushDecompress::Sync)
                .map_err(|_| InflateError::Invalid)?;
            let consumed = decompressor.total_in() - before;
            let consumed = usize::try_from(consumed).map_or(input.len(), |n| n.min(input.len()));
            input = &input[consumed..];
            if self.data.len() > self.limit {
                return Err(InflateError::TooLong);
            }
            if status == Status::StreamEnd {
                return Ok(Some(input));
            }
            // With room left, all that could be inflated was.
            if self.data.len() < self.data.capacity() {
                return if input.is_empty() {
                    Ok(None)
                } else {
                    Err(InflateError::Invalid)
                };
            }
        }
    }

    /// Makes room, if there is none: at most for one byte over the limit.
    fn reserve(&mut self, input: usize) {
        let length = self.data.len();
        if length == self.data.capacity() {
            let wanted = length.max(FIRST_CAPACITY).max(input.saturating_mul(4));
            let allowed = self.limit.saturating_add(1) - length;
            self.data.reserve_exact(wanted.min(allowed));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc_are_inflated() {
        // Section 7.2.3.
        for data in [
            &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..],
            // A block that is not compressed.
            &[
                0x00, 0x05, 0x00, 0xfa, 0xff, b'H', b'e', b'l', b'l', b'o', 0x00,
            ],
            // One that is the last.
            &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
            // Two blocks.
            &[
                0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00,
            ],
            // The last block, nothing added; the end of the flush not left out.
            &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
            &[
                0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00, 0x00, 0xff, 0xff,
            ],
        ] {
            assert_eq!(inflate(data, 5), Ok(b"Hello".into()), "{data:x?}");
            assert_eq!(inflate(data, 4), Err(InflateError::TooLong), "{data:x?}");
        }
        for empty in [&[][..], &[0], &[0, 0, 0, 0xff, 0xff], &[3, 0], &[3, 0, 0]] {
            assert_eq!(inflate(empty, 0), Ok(Vec::new()), "{empty:x?}");
        }
    }

    #[test]
    fn what_is_incomplete_or_invalid_is_refused() {
        let text = b"what was said once need not be said again, what was said once need not";
        let frame = deflate_frame(text, true, 6).unwrap();
        let whole = frame.packet();
        assert_eq!(inflate(whole, 1000), Ok(text.into()));
        for length in 1..whole.len() {
            let cut = &whole[..length];
            assert_eq!(inflate(cut, 1000), Err(InflateError::Invalid), "{length}");
        }
        for invalid in [
            // A type of block that does not exist, a wrong length, a distance before the beginning.
            &[0x07][..],
            &[0x00, 0x05, 0x00, 0x05, 0x00, b'H', b'e', b'l', b'l', b'o'],
            &[0x02, 0x02, 0x00],
            // More behind the last block.
            &[
                0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0xf2, 0x48, 0x05, 0x00,
            ],
            &[3, 0, 3, 0],
        ] {
            assert_eq!(
                inflate(invalid, 1000),
                Err(InflateError::Invalid),
                "{invalid:x?}"
            );
        }
        // None of them spoils the codec.
        assert_eq!(inflate(whole, 1000), Ok(text.into()));
    }

    #[test]
    fn a_bomb_is_inflated_no_further_than_to_the_limit() {
        let zeros = vec![0; 20_000_000];
        let bomb = deflate_frame(&zeros, true, 9).unwrap();
        assert!(bomb.len() < 20_100);
        for limit in [0, 1, 1000, 1_000_000] {
            let mut output = Output {
                data: Vec::new(),
                limit,
            };
            let mut decompressor = Decompress::new(false);
            let result = output.inflate_message(&mut decompressor, bomb.packet());
            assert_eq!(result, Err(InflateError::TooLong));
            assert!(
                output.data.capacity() <= limit + 1,
                "{} for {limit}",
                output.data.capacity()
            );
        }
        let less = inflate(bomb.packet(), zeros.len() - 1);
        assert_eq!(less, Err(InflateError::TooLong));
        let more = inflate(bomb.packet(), zeros.len() + 1);
        assert_eq!(more.map(|data| data.len()), Ok(zeros.len()));
        let most = inflate(bomb.packet(), zeros.len());
        assert!(most == Ok(zeros));
    }

    #[test]
    fn what_does_not_shrink_is_not_compressed() {
        assert_eq!(deflate_frame(b"", true, 6), None);
        assert_eq!(deflate_frame(b"4a", false, 6), None);
        let mut number = 1_u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (number >> 24) as u8
        })
        .take(100_000)
        .collect();
        let text = b"what was said once need not be said again, what was said once need not";
        for level in 1..=9 {
            for size in [100_000, 65_000, 1000] {
                let result = deflate_frame(&noise[..size], true, level);
                assert_eq!(result, None, "level {level}");
                // Nor does it spoil the compressor.
                let frame = deflate_frame(text, true, level).unwrap();
                assert_eq!(inflate(frame.packet(), 1000), Ok(text.into()));
            }
        }
    }
}
