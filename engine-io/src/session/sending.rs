//! What this side sends, on its way into the outbox, and whether it has left.

use super::{CloseReason, LatestKey, ReadyState, SendError, Session, Side};
use crate::frame::Frame;
use crate::transport::Transport;

impl Session {
    /// Bytes that wait to be written.
    pub fn buffered(&self) -> usize {
        self.outbox.buffered()
    }

    /// Whether a message sent now would leave at once. Volatile messages are dropped otherwise.
    pub fn is_writable(&self) -> bool {
        let free = match (self.transport, self.side) {
            (Transport::WebSocket, _) => self.outbox.is_drained(),
            (Transport::Polling, Side::Server) => self.polling.get && !self.outbox.has_frames(),
            (Transport::Polling, Side::Client) => !self.polling.post && !self.outbox.has_frames(),
        };
        free && self.state == ReadyState::Open
    }

    /// Queues the frames of one message, all of them or none.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] when the session is closing or closed, [`SendError::Full`] when the peer is too slow.
    pub fn send<'a>(
        &mut self,
        frames: impl Iterator<Item = &'a Frame> + Clone,
    ) -> Result<(), SendError> {
        self.check_sending()?;
        let size = frames.clone().map(Frame::len).sum();
        let queued = self.outbox.push(frames, size);
        queued.inspect_err(|_| self.counters.full())
    }

    /// Queues a message of one frame, without another share of its bytes.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    #[inline]
    pub fn send_frame(&mut self, frame: Frame) -> Result<(), SendError> {
        self.check_sending()?;
        let queued = self.outbox.push_frame(frame);
        queued.inspect_err(|_| self.counters.full())
    }

    /// The same for what has to be said however slow the peer is: it may go beyond the limit by 64 KiB.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send); [`SendError::Full`] when that is used up, too.
    pub fn send_reserved<'a>(
        &mut self,
        frames: impl Iterator<Item = &'a Frame> + Clone,
    ) -> Result<(), SendError> {
        self.check_sending()?;
        let size = frames.clone().map(Frame::len).sum();
        let queued = self.outbox.push_reserved(frames, size);
        queued.inspect_err(|_| self.counters.full())
    }

    /// The same for a message that replaces the one of the same key, if that still waits whole; true when it did. It gets the other one's place in the queue.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send); the older message is still queued then. One that is no longer than the older one always fits.
    pub fn send_latest<'a>(
        &mut self,
        key: &LatestKey,
        frames: impl Iterator<Item = &'a Frame> + Clone,
    ) -> Result<bool, SendError> {
        self.check_sending()?;
        let size = frames.clone().map(Frame::len).sum();
        let replaced = self.outbox.push_latest(key, frames, size);
        let replaced = replaced.inspect_err(|_| self.counters.full())?;
        self.counters.replaced = self.counters.replaced.saturating_add(replaced.into());
        Ok(replaced)
    }

    /// Whether a volatile message is to be dropped now: the session is open, and a message would not leave at once. One that is dropped is counted.
    pub fn skip_volatile(&mut self) -> bool {
        let skip = self.state == ReadyState::Open && !self.is_writable();
        self.counters.skipped = self.counters.skipped.saturating_add(skip.into());
        skip
    }

    fn check_sending(&self) -> Result<(), SendError> {
        match self.state {
            ReadyState::Opening | ReadyState::Open => Ok(()),
            ReadyState::Closing | ReadyState::Closed(_) => Err(SendError::Closed),
        }
    }

    /// `None` while something waits to be written. Otherwise everything that was sent has left, or the session ended before that, for this reason.
    pub fn drained(&self) -> Option<Result<(), CloseReason>> {
        match self.state {
            ReadyState::Closed(reason) if self.lost => Some(Err(reason)),
            ReadyState::Closed(_) => Some(Ok(())),
            _ => self.outbox.is_drained().then_some(Ok(())),
        }
    }
}
