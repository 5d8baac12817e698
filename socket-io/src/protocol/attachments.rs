//! Binary data on its way out: one binary message each, behind the text of its packet.

use bytes::Bytes;
use engine_io::Frame;

use super::encode::EncodeError;

/// The attachments of a packet that is being written.
#[derive(Debug)]
pub(super) struct Attachments {
    frames: Vec<Frame>,
    count: usize,
    limit: usize,
}

impl Attachments {
    /// None yet, and at most `limit`.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            frames: Vec::new(),
            count: 0,
            limit,
        }
    }

    /// How many there are, those beyond the limit included.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Keeps the data, unless there is too much already, and hands out its number.
    pub(super) fn push(&mut self, data: &[u8]) -> usize {
        let number = self.count;
        self.count += 1;
        if self.count <= self.limit {
            self.frames.push(Frame::binary(data));
        }
        number
    }

    /// Takes those from `number` on out again.
    pub(super) fn take_from(&mut self, number: usize) -> Result<Vec<Bytes>, EncodeError> {
        self.check()?;
        let frames = self.frames.split_off(number);
        self.count = number;
        Ok(frames.iter().map(frame_data).collect())
    }

    /// The frames that follow the packet.
    pub(super) fn finish(self) -> Result<Vec<Frame>, EncodeError> {
        self.check()?;
        Ok(self.frames)
    }

    fn check(&self) -> Result<(), EncodeError> {
        if self.count > self.limit {
            return Err(EncodeError::TooManyAttachments {
                count: self.count,
                limit: self.limit,
            });
        }
        Ok(())
    }
}

/// The data in a binary frame, without copying it.
pub(super) fn frame_data(frame: &Frame) -> Bytes {
    frame.websocket().slice_ref(frame.packet())
}
