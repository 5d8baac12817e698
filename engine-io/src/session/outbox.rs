//! What waits to be sent: one queue for all transports, so order survives the switch between them.

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;

use crate::frame::Frame;
use crate::wire::Wire;

/// An emptied queue keeps room for this many frames; a longer one gives its memory back.
const KEPT_CAPACITY: usize = 8;

/// Frames in order, bounded in bytes.
#[derive(Debug)]
pub(crate) struct Outbox {
    frames: VecDeque<Queued>,
    /// Bytes of `frames`.
    queued: usize,
    /// Bytes handed to a streaming transport that it has not reported as written.
    in_flight: usize,
    limit: usize,
}

/// What transports need of a frame; what else it has serves those who send it.
#[derive(Debug, PartialEq, Eq)]
struct Queued {
    bytes: Bytes,
    compressible: bool,
}

impl Queued {
    fn new(frame: &Frame) -> Self {
        Self {
            bytes: frame.websocket().clone(),
            compressible: frame.is_compressible(),
        }
    }

    fn into_frame(self) -> Frame {
        let frame = Frame::from_bytes(self.bytes);
        if self.compressible {
            frame
        } else {
            frame.uncompressed()
        }
    }
}

impl Outbox {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            frames: VecDeque::new(),
            queued: 0,
            in_flight: 0,
            limit,
        }
    }

    /// Queues all frames or none. An empty outbox takes any size: a single message is bounded by other means.
    pub(crate) fn push<'a>(
        &mut self,
        frames: impl Iterator<Item = &'a Frame>,
        size: usize,
    ) -> Result<(), SendError> {
        let buffered = self.buffered();
        if buffered > 0 && buffered + size > self.limit {
            return Err(SendError::Full {
                buffered,
                limit: self.limit,
            });
        }
        self.queued += size;
        self.frames.extend(frames.map(Queued::new));
        Ok(())
    }

    /// Queues a packet of the protocol itself, which no limit may hold back. Two in a row say no more than one, so a flood of pings adds nothing.
    pub(crate) fn push_control(&mut self, frame: &Frame) {
        let queued = Queued::new(frame);
        if self.frames.back() == Some(&queued) {
            return;
        }
        self.queued += frame.len();
        self.frames.push_back(queued);
    }

    /// The next frame in the peer's form, for a transport that reports later what it has written.
    pub(crate) fn pop(&mut self, wire: Wire) -> Option<Frame> {
        let frame = self.frames.pop_front()?.into_frame();
        self.queued -= frame.len();
        let frame = wire.frame(frame);
        self.in_flight += frame.len();
        if self.frames.is_empty() && self.frames.capacity() > KEPT_CAPACITY {
            self.frames = VecDeque::new();
        }
        Some(frame)
    }

    /// The streaming transport has written so many bytes of frames that it had popped.
    pub(crate) fn written(&mut self, bytes: usize) {
        self.in_flight = self.in_flight.saturating_sub(bytes);
    }

    /// Everything queued up to `limit` payload bytes (but at least one frame), for a transport that sends it as one body.
    pub(crate) fn take_batch(&mut self, limit: usize) -> Vec<Frame> {
        let mut size = 0;
        let mut batch = Vec::with_capacity(self.frames.len());
        while let Some(queued) = self.frames.pop_front() {
            let frame = queued.into_frame();
            size += crate::payload::payload_len(&frame) + usize::from(!batch.is_empty());
            if !batch.is_empty() && size > limit {
                self.frames.push_front(Queued::new(&frame));
                break;
            }
            self.queued -= frame.len();
            batch.push(frame);
        }
        if self.frames.is_empty() && self.frames.capacity() > KEPT_CAPACITY {
            self.frames = VecDeque::new();
        }
        batch
    }

    pub(crate) fn has_frames(&self) -> bool {
        !self.frames.is_empty()
    }

    /// Whether everything was handed over and reported as written.
    pub(crate) fn is_drained(&self) -> bool {
        self.buffered() == 0
    }

    /// Bytes not yet written.
    pub(crate) fn buffered(&self) -> usize {
        self.queued + self.in_flight
    }

    pub(crate) fn clear(&mut self) {
        self.frames = VecDeque::new();
        self.queued = 0;
        self.in_flight = 0;
    }
}

/// Why a message was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The session is closing or closed.
    Closed,
    /// The peer reads too slowly: so many bytes wait already. Nothing of the message was queued.
    Full {
        /// Bytes that wait.
        buffered: usize,
        /// The configured limit.
        limit: usize,
    },
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("session is closed"),
            Self::Full { buffered, limit } => write!(
                f,
                "outbox is full: {buffered} bytes wait, the limit is {limit}"
            ),
        }
    }
}

impl std::error::Error for SendError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(outbox: &mut Outbox, size: usize) -> Result<(), SendError> {
        let frame = Frame::binary(&vec![0; size - 2]);
        outbox.push([&frame].into_iter(), frame.len())
    }

    #[test]
    fn the_limit_counts_what_is_queued_and_what_is_being_written() {
        let mut outbox = Outbox::new(100);
        push(&mut outbox, 60).unwrap();
        outbox.pop(Wire::default()).unwrap();
        push(&mut outbox, 40).unwrap();
        assert_eq!(
            push(&mut outbox, 3),
            Err(SendError::Full {
                buffered: 100,
                limit: 100
            })
        );
        outbox.written(60);
        assert_eq!(push(&mut outbox, 60), Ok(()));
    }

    #[test]
    fn an_empty_outbox_takes_a_message_of_any_size() {
        let mut outbox = Outbox::new(10);
        assert_eq!(push(&mut outbox, 50), Ok(()));
        assert!(push(&mut outbox, 2).is_err());
    }

    #[test]
    fn a_batch_holds_what_fits_but_at_least_one_frame() {
        let mut outbox = Outbox::new(1000);
        for text in ["aa", "bb", "cc"] {
            let frame = Frame::message(text);
            outbox.push([&frame].into_iter(), frame.len()).unwrap();
        }
        assert_eq!(
            outbox.take_batch(7).len(),
            2,
            "two packets of three bytes and a separator"
        );
        assert_eq!(outbox.take_batch(1).len(), 1);
        assert!(outbox.is_drained());
    }

    #[test]
    fn frames_leave_as_compressible_as_they_came() {
        let mut outbox = Outbox::new(1000);
        let frames = [Frame::message("a"), Frame::message("b").uncompressed()];
        for _ in 0..2 {
            outbox.push(frames.iter(), 8).unwrap();
        }
        // The last of them does not fit and goes back.
        assert_eq!(outbox.take_batch(8), [&frames[..], &frames[..1]].concat());
        assert_eq!(outbox.pop(Wire::default()).as_ref(), Some(&frames[1]));
    }

    #[test]
    fn a_drained_queue_gives_its_memory_back() {
        let mut outbox = Outbox::new(usize::MAX);
        for _ in 0..1000 {
            push(&mut outbox, 2).unwrap();
        }
        while outbox.pop(Wire::default()).is_some() {}
        assert!(outbox.frames.capacity() <= KEPT_CAPACITY);
    }
}
