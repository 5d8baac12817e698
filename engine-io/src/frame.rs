//! A finished outgoing packet with its wire forms.
//!
//! A frame is built once and then shared by every connection that sends it. Its bytes begin with the header of an unmasked WebSocket frame, so a
//! server writes them to a WebSocket as they are; a polling payload takes the packet behind the header:
//!
//! | packet | bytes of the frame |
//! |---|---|
//! | text message `hi` | `81 03 '4' 'h' 'i'` |
//! | binary message `01 02` | `82 02 01 02` |
//! | ping | `81 01 '2'` |

use std::cell::Cell;
use std::fmt;

use bytes::{Buf, Bytes};

use crate::deflate::Deflated;

/// The longest header of an unmasked WebSocket frame: two bytes and a length of eight.
pub(crate) const HEADROOM: usize = 10;
/// Frames up to this size are copied out of the buffer that they were written in, which the thread keeps for the next one. So they take no more memory than they
/// are long, whoever writes them needs not know how long they will be, and growing buffers are rare.
const SHORT: usize = 4096;
/// What such a buffer may have grown to.
const KEPT: usize = 4 * SHORT;
/// FIN and the opcode of a text frame.
const TEXT: u8 = 0x81;
/// FIN and the opcode of a binary frame.
const BINARY: u8 = 0x82;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// One encoded Engine.IO packet, header of its WebSocket frame included. Clones share the bytes.
#[derive(Clone)]
pub struct Frame {
    bytes: Bytes,
    /// Transports are not to compress it.
    incompressible: bool,
    /// The compressed form, once somebody has sent it.
    pub(crate) deflated: Deflated,
}

impl Frame {
    /// Starts a text packet of the given type (`'4'` for a message).
    #[inline]
    pub fn text(packet_type: u8, capacity: usize) -> FrameBuilder {
        let mut buffer = begin(1 + capacity);
        buffer.push(packet_type);
        FrameBuilder {
            buffer,
            first: TEXT,
        }
    }

    /// Starts a binary message, for those who write it in place instead of copying it.
    pub fn binary_builder(capacity: usize) -> FrameBuilder {
        FrameBuilder {
            buffer: begin(capacity),
            first: BINARY,
        }
    }

    /// A text message.
    pub fn message(text: &str) -> Self {
        let mut builder = Self::text(b'4', text.len());
        builder.buffer().extend_from_slice(text.as_bytes());
        builder.finish()
    }

    /// A binary message. Copies the data once, behind the header.
    pub fn binary(data: &[u8]) -> Self {
        let mut builder = Self::binary_builder(data.len());
        builder.buffer().extend_from_slice(data);
        builder.finish()
    }

    /// A binary message of revision 3, whose type is its first byte.
    pub(crate) fn typed_binary(packet_type: u8, data: &[u8]) -> Self {
        let mut buffer = begin(1 + data.len());
        buffer.push(packet_type);
        buffer.extend_from_slice(data);
        finish(buffer, BINARY)
    }

    /// The same frame, which transports leave uncompressed, be it by permessage-deflate or in the answer of a poll: data that is compressed already is not
    /// worth the effort, and secrets beside text of a stranger's are better not compressed together.
    #[must_use]
    pub fn uncompressed(mut self) -> Self {
        self.incompressible = true;
        self.deflated = Deflated::default();
        self
    }

    /// Whether a transport that compresses may do so with this frame.
    pub fn is_compressible(&self) -> bool {
        !self.incompressible
    }

    /// The frame as a server writes it to a WebSocket: header and payload.
    pub fn websocket(&self) -> &Bytes {
        &self.bytes
    }

    /// The same, without a share of its own.
    pub fn into_websocket(self) -> Bytes {
        self.bytes
    }

    /// The packet without the header: `4hi` for text, the raw data for binary.
    pub fn packet(&self) -> &[u8] {
        &self.bytes[self.header_len()..]
    }

    fn header_len(&self) -> usize {
        match self.bytes[1] {
            126 => 4,
            127 => HEADROOM,
            _ => 2,
        }
    }

    /// Whether this is a binary message.
    pub fn is_binary(&self) -> bool {
        self.bytes[0] == BINARY
    }

    /// Bytes of the frame, header included: what it counts in an outbox.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Always false: a frame has a header.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// A finished frame.
    pub(crate) fn from_bytes(bytes: Bytes) -> Self {
        Self {
            bytes,
            incompressible: false,
            deflated: Deflated::default(),
        }
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("bytes", &self.bytes)
            .field("incompressible", &self.incompressible)
            .finish()
    }
}

impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes && self.incompressible == other.incompressible
    }
}

impl Eq for Frame {}

/// Collects a packet behind room for the WebSocket header, so that nothing is copied at the end.
#[derive(Debug)]
pub struct FrameBuilder {
    buffer: Vec<u8>,
    first: u8,
}

impl FrameBuilder {
    /// Where the packet's bytes are appended: UTF-8, if it is text.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Writes the header and hands the frame out.
    #[inline]
    pub fn finish(self) -> Frame {
        finish(self.buffer, self.first)
    }
}

/// A buffer with room for the longest header in front, and for that many bytes behind it.
fn begin(capacity: usize) -> Vec<u8> {
    let mut buffer = if capacity <= SHORT {
        // A thread that comes to its end has none.
        BUFFER.try_with(Cell::take).unwrap_or_default()
    } else {
        Vec::new()
    };
    buffer.clear();
    buffer.reserve(HEADROOM + capacity);
    buffer.extend_from_slice(&[0; HEADROOM]);
    buffer
}

/// Puts the shortest header right before the payload, which begins behind [`HEADROOM`], and drops the unused room in front of it.
pub(crate) fn finish(mut buffer: Vec<u8>, first: u8) -> Frame {
    let length = buffer.len() - HEADROOM;
    let (header, code) = match length {
        0..=125 => (2, length as u8),
        126..=0xffff => (4, 126),
        _ => (10, 127),
    };
    let start = HEADROOM - header;
    buffer[start] = first;
    buffer[start + 1] = code;
    match header {
        4 => buffer[start + 2..HEADROOM].copy_from_slice(&(length as u16).to_be_bytes()),
        10 => buffer[start + 2..HEADROOM].copy_from_slice(&(length as u64).to_be_bytes()),
        _ => {}
    }
    // The rest of a buffer that is much longer would be kept as long as the frame.
    if length > SHORT && buffer.capacity() <= 2 * buffer.len() {
        let mut bytes = Bytes::from(buffer);
        bytes.advance(start);
        return Frame::from_bytes(bytes);
    }
    let bytes = Bytes::copy_from_slice(&buffer[start..]);
    if buffer.capacity() <= KEPT {
        let _ = BUFFER.try_with(|kept| kept.set(buffer));
    }
    Frame::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_has_the_shortest_length_form() {
        for (size, header) in [
            (0, vec![0x82, 0]),
            (125, vec![0x82, 125]),
            (126, vec![0x82, 126, 0, 126]),
            (65_535, vec![0x82, 126, 0xff, 0xff]),
            (65_536, vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let frame = Frame::binary(&vec![7; size]);
            assert_eq!(&frame.websocket()[..header.len()], header, "{size} bytes");
            assert_eq!(frame.packet(), vec![7; size]);
            assert!(frame.is_binary());
        }
    }

    #[test]
    fn a_text_message_carries_its_type() {
        let frame = Frame::message("hi");
        assert_eq!(frame.websocket().as_ref(), b"\x81\x034hi");
        assert_eq!(frame.packet(), b"4hi");
        assert!(!frame.is_binary());
    }

    #[test]
    fn no_frame_keeps_a_buffer_of_more_than_twice_its_length() {
        for length in [1, SHORT, SHORT + 1, 100_000] {
            let taken = HEADROOM + length;
            for (capacity, is_kept) in [
                (taken, length > SHORT),
                (2 * taken, length > SHORT),
                (2 * taken + 1, false),
                (100 * taken, false),
            ] {
                let mut buffer = Vec::with_capacity(capacity);
                buffer.resize(taken, 7);
                let start = buffer.as_ptr();
                let frame = finish(buffer, BINARY);
                let is_inside = (start..=start.wrapping_add(taken)).contains(&frame.bytes.as_ptr());
                assert_eq!(is_inside, is_kept, "{length} of {capacity}");
                assert_eq!(frame.packet(), vec![7; length]);
                let bytes = frame.into_websocket().try_into_mut().unwrap();
                assert!(bytes.capacity() <= 2 * taken, "{length} of {capacity}");
            }
        }
    }
}
