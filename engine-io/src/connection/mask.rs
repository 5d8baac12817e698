//! A client's frames are masked, each with four bytes that nobody can foresee (RFC 6455, section 5.3).

use std::cell::RefCell;

use bytes::Bytes;

/// Random bytes that the system is asked for at a time.
const POOL: usize = 256;
/// In the second byte: a mask comes before the payload.
const MASKED: u8 = 0x80;

thread_local! {
    /// Random bytes, and how many of them have been used.
    static RANDOM: RefCell<([u8; POOL], usize)> = const { RefCell::new(([0; POOL], POOL)) };
}

/// The masked form of a finished frame.
pub(crate) fn masked(frame: &[u8]) -> Bytes {
    let header = match frame[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    let mask = next_mask();
    let mut output = Vec::with_capacity(frame.len() + mask.len());
    output.extend_from_slice(&frame[..header]);
    output[1] |= MASKED;
    output.extend_from_slice(&mask);
    let start = output.len();
    output.extend_from_slice(&frame[header..]);
    apply_mask(&mut output[start..], mask);
    output.into()
}

/// Masks a payload, or takes the mask off.
pub(super) fn apply_mask(payload: &mut [u8], mask: [u8; 4]) {
    // Eight bytes at a time, which the compiler makes more of.
    let wide = u64::from_ne_bytes([
        mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3],
    ]);
    let mut chunks = payload.chunks_exact_mut(8);
    for chunk in &mut chunks {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(chunk);
        chunk.copy_from_slice(&(u64::from_ne_bytes(bytes) ^ wide).to_ne_bytes());
    }
    for (index, byte) in chunks.into_remainder().iter_mut().enumerate() {
        *byte ^= mask[index % mask.len()];
    }
}

fn next_mask() -> [u8; 4] {
    RANDOM.with_borrow_mut(|(pool, used)| {
        if *used == POOL {
            // Without randomness a mask can be foreseen, which matters only where others choose what is sent and a cache in between mistakes it for HTTP.
            let _ = getrandom::fill(pool);
            *used = 0;
        }
        let mask = [
            pool[*used],
            pool[*used + 1],
            pool[*used + 2],
            pool[*used + 3],
        ];
        *used += mask.len();
        mask
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::boundary::payload_len;
    use crate::frame::Frame;

    #[test]
    fn unmasking_gives_the_frame_back() {
        for size in [0, 1, 7, 8, 9, 125, 126, 1000, 65_535, 65_536] {
            let data: Vec<_> = (0..size).map(|index| index as u8).collect();
            let frame = Frame::binary(&data);
            let masked = masked(frame.websocket());
            let header = frame.len() - size;
            assert_eq!(masked[0], frame.websocket()[0]);
            assert_eq!(masked[1], frame.websocket()[1] | MASKED);
            assert_eq!(payload_len(&masked), Some(size as u64));
            let mask = masked[header..header + 4].try_into().unwrap();
            let mut payload = masked[header + 4..].to_vec();
            apply_mask(&mut payload, mask);
            assert_eq!(payload, data);
        }
    }

    #[test]
    fn masks_differ() {
        let masks: std::collections::HashSet<_> = (0..1000).map(|_| next_mask()).collect();
        assert!(masks.len() > 990);
    }
}
