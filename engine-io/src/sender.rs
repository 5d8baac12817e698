//! The handle of a session for everybody.

use std::fmt;
use std::sync::Arc;

use crate::connection::{Queue, Shared};
use crate::frame::Frame;
use crate::packet::Message;
use crate::request::Request;
use crate::session::{CloseReason, Counters, LatestKey, ReadyState, SendError};
use crate::sid::Sid;
use crate::socket::fmt_shared;
use crate::transport::Transport;
use crate::wire::Revision;

/// Sends to a session and closes it, from anywhere and as often as wanted. Holding it does not keep the session open.
#[derive(Clone)]
pub struct Sender {
    pub(crate) shared: Arc<Shared>,
}

impl Sender {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Queues a message. Never waits.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] when the session is closing or closed; [`SendError::Full`] when more bytes wait than the outbox limit allows, and nothing
    /// of the message was queued.
    pub fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        self.send_frame(message.into().to_frame())
    }

    /// Queues a message that is one finished frame, without copying it.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_frame(&self, frame: Frame) -> Result<(), SendError> {
        self.shared.send_frame(frame)
    }

    /// Queues finished frames, the first and those that belong to it, all or none, without copying them.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_frames(&self, first: &Frame, rest: &[Frame]) -> Result<(), SendError> {
        self.queue(first, rest, Queue::Last).map(drop)
    }

    /// The same for what has to be said however slowly the peer reads, such as a goodbye: it may go beyond the outbox limit by 64 KiB.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send); [`SendError::Full`] when the reserve is used up, too.
    pub fn send_reserved(&self, first: &Frame, rest: &[Frame]) -> Result<(), SendError> {
        self.queue(first, rest, Queue::Reserved).map(drop)
    }

    /// Queues a message of which only the newest is wanted: if one of the same key still waits, it is replaced, whole and in its place; true when it was.
    ///
    /// So of each key no more than one message waits for a slow peer. It may overtake what was sent since the one that it replaces. A message that has begun to
    /// leave is not replaced.
    ///
    /// ```no_run
    /// # fn example(sender: engine_io::Sender) -> Result<(), engine_io::SendError> {
    /// use engine_io::{Frame, LatestKey};
    /// let key = LatestKey::new(0, "progress");
    /// for percent in 0..=100 {
    ///     sender.send_latest(&key, &Frame::message(&format!("{percent} %")), &[])?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send); the older message still waits then. One that is no longer than the older one always fits.
    pub fn send_latest(
        &self,
        key: &LatestKey,
        first: &Frame,
        rest: &[Frame],
    ) -> Result<bool, SendError> {
        self.queue(first, rest, Queue::Latest(key))
    }

    fn queue(&self, first: &Frame, rest: &[Frame], queue: Queue<'_>) -> Result<bool, SendError> {
        self.shared.send(std::iter::once(first).chain(rest), queue)
    }

    /// Waits until nothing waits for the peer any more: everything is in the hands of the system, or of the answer to a poll. Whether the peer has read it, only
    /// an answer of its own can tell.
    ///
    /// Any number of tasks may wait. What is sent after that moment, and before a waiting task runs again, does not keep it.
    ///
    /// # Errors
    ///
    /// The reason for the end of the session, if that came first: what waited is lost.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up waiting, and nothing else.
    pub async fn drained(&self) -> Result<(), CloseReason> {
        self.shared.drained().await
    }

    /// Queues finished frames, all or none, if they would leave at once. False when something else waits; then they are dropped, and counted as skipped.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_volatile(&self, first: &Frame, rest: &[Frame]) -> Result<bool, SendError> {
        if self.shared.lock().session.skip_volatile() {
            return Ok(false);
        }
        self.send_frames(first, rest).map(|()| true)
    }

    /// Whether a message sent now would leave at once: nothing waits, and over polling a GET is parked, or a client has no POST under way.
    pub fn is_writable(&self) -> bool {
        self.shared.lock().session.is_writable()
    }

    /// How many senders of a broadcast are to be [prefetched](Self::prefetch) at a time.
    #[doc(hidden)]
    pub const AHEAD: usize = crate::connection::AHEAD;

    /// Looks at what the next [`send_frames`](Self::send_frames) will need, so that the memory of several senders is waited for at once.
    #[doc(hidden)]
    pub fn prefetch(&self) {
        self.shared.prefetch();
    }

    /// Ends the session: what is queued still leaves, then the peer is told.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Ends the session at once; what is queued is lost.
    pub fn abort(&self) {
        self.shared.abort();
    }

    /// The transport that carries messages now.
    pub fn transport(&self) -> Transport {
        self.shared.lock().session.transport()
    }

    /// The revision of the protocol that the client speaks.
    pub fn revision(&self) -> Revision {
        self.shared.wire.revision
    }

    /// Where the session is in its life.
    pub fn state(&self) -> ReadyState {
        self.shared.lock().session.state()
    }

    /// Bytes that wait to be written.
    pub fn buffered(&self) -> usize {
        self.shared.lock().session.buffered()
    }

    /// What the session has carried so far.
    pub fn counters(&self) -> Counters {
        self.shared.lock().session.counters()
    }

    /// Which connection of its server this is, counted from 1. Unlike the session's id it is no secret: logs call the connection by it. After
    /// 2^32 connections it begins anew.
    pub fn number(&self) -> u32 {
        self.shared.number
    }

    /// The session's id: a credential, not to be shown to other users.
    pub fn sid(&self) -> &Sid {
        &self.shared.sid
    }

    /// The request that opened the session; on a client the one that it sent.
    pub fn request(&self) -> &Request {
        &self.shared.request
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_shared("Sender", &self.shared, f)
    }
}
