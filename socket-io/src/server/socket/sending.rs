//! What is sent to one client: events, questions and answers; and which answers of its own are awaited.

use engine_io::{LatestKey, SendError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Socket;
use crate::adapter::{Flags, OverflowPolicy};
use crate::protocol::{AckId, Encoded, Parser, RawArgs};
use crate::server::ack::{AckFuture, Completion};
use crate::server::emit::{self, Emit, Outcome};
use crate::server::error::{AckError, EmitError};
use crate::server::extract::Question;

impl Socket {
    /// Sends an event to this client. Never waits: the event is queued, or the error says why not.
    ///
    /// A tuple (or an array) is several arguments, `()` is none, everything else is one; [`RawArgs`] are passed on as they came.
    ///
    /// # Errors
    ///
    /// [`EmitError::Encode`] when the data or the name cannot be sent, [`EmitError::Disconnected`] when the socket has left, [`EmitError::Full`] when the
    /// client reads too slowly, [`EmitError::Expired`] when the socket's [`Grant`](crate::Grant) has ended; nothing was queued then. With another
    /// [`emit_overflow`](crate::SocketIoBuilder::emit_overflow) a full outbox is no error, or disconnects the client.
    pub fn emit(&self, event: &str, data: &(impl Serialize + ?Sized)) -> Result<(), EmitError> {
        emit::to_one(self, event, None, data, None, Flags::default()).map(drop)
    }

    /// The next event is dropped if anything still waits for the client: `socket.volatile().emit("position", &position)?`.
    pub fn volatile(&self) -> Emit {
        Emit::new(self.clone()).volatile()
    }

    /// Whether the next event may be compressed on its way: `socket.compress(false).emit("photo", &jpeg)?`; see [`Emit::compress`].
    pub fn compress(&self, compress: bool) -> Emit {
        Emit::new(self.clone()).compress(compress)
    }

    /// Of the next event only the newest is wanted: `socket.latest("player 7").emit("position", &position)?`; see [`Emit::latest`].
    pub fn latest(&self, key: &str) -> Emit {
        Emit::new(self.clone()).latest(key)
    }

    /// What happens to the next event if the client's outbox is full: `socket.overflow(OverflowPolicy::DropNewest).emit("tick", &())?`.
    pub fn overflow(&self, policy: OverflowPolicy) -> Emit {
        Emit::new(self.clone()).overflow(policy)
    }

    /// Sends an event and waits for the client's acknowledgement, as `R`: a tuple takes several arguments, `()` none, every other type the first.
    ///
    /// The event is queued at once, before the future is polled. Without [`AckFuture::timeout`] it waits for as long as the socket is connected.
    /// Dropping the future gives up waiting.
    ///
    /// ```no_run
    /// # async fn example(socket: socket_io::Socket) -> Result<(), socket_io::AckError> {
    /// use std::time::Duration;
    /// let sum: i64 = socket.emit_with_ack("add", &(1, 2)).timeout(Duration::from_secs(5)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn emit_with_ack<R: DeserializeOwned>(
        &self,
        event: &str,
        data: &(impl Serialize + ?Sized),
    ) -> AckFuture<R> {
        self.ask(event, data, Flags::default())
    }

    pub(crate) fn ask<R: DeserializeOwned>(
        &self,
        event: &str,
        data: &(impl Serialize + ?Sized),
        flags: Flags,
    ) -> AckFuture<R> {
        let (completion, answer) = Completion::single();
        let id = self.0.namespace.next_ack_id();
        let outcome = self
            .expect_ack(id, completion)
            .and_then(|()| emit::to_one(self, event, Some(id), data, None, flags));
        let queued = match outcome {
            Ok(Outcome::Skipped | Outcome::Dropped) => Err(AckError::Skipped),
            Ok(_) => Ok(()),
            Err(error) => Err(error.into()),
        };
        AckFuture::new(self.clone(), id, answer, queued)
    }

    pub(crate) fn send(&self, packet: &Encoded) -> Result<Outcome, EmitError> {
        self.check_sending()?;
        let sender = &self.0.connection.sender;
        let (first, rest) = (packet.header(), packet.attachments());
        let Some(name) = packet.latest() else {
            sender.send_frames(first, rest)?;
            return Ok(Outcome::Queued);
        };
        // One that a socket of the same namespace left behind must not be replaced: it is before the packet that this one has joined with.
        let key = LatestKey::new(self.0.place.into(), name.clone());
        Ok(match sender.send_latest(&key, first, rest)? {
            true => Outcome::Replaced,
            false => Outcome::Queued,
        })
    }

    /// The same for a packet that nobody else sends, and that has no key.
    pub(crate) fn send_once(&self, packet: Encoded) -> Result<Outcome, EmitError> {
        self.check_sending()?;
        self.queue(packet)?;
        Ok(Outcome::Queued)
    }

    fn queue(&self, packet: Encoded) -> Result<(), SendError> {
        let sender = &self.0.connection.sender;
        match packet.into_single() {
            Ok(frame) => sender.send_frame(frame),
            Err(packet) => sender.send_frames(packet.header(), packet.attachments()),
        }
    }

    /// The same, unless something else waits. There is nothing that it could replace, so its key means nothing.
    pub(crate) fn send_volatile(&self, packet: &Encoded) -> Result<Outcome, EmitError> {
        self.check_sending()?;
        let sender = &self.0.connection.sender;
        Ok(
            match sender.send_volatile(packet.header(), packet.attachments())? {
                true => Outcome::Queued,
                false => Outcome::Skipped,
            },
        )
    }

    pub(crate) fn check_sending(&self) -> Result<(), EmitError> {
        if self.has_left() {
            return Err(EmitError::Disconnected);
        }
        if self.has_expired() {
            return Err(EmitError::Expired);
        }
        Ok(())
    }

    /// Sends the answer to an event, the first time. It is sent even after the socket has left, for as long as the connection lives, unless its authorization
    /// has expired.
    pub(crate) fn acknowledge(
        &self,
        question: &Question,
        data: &(impl Serialize + ?Sized),
    ) -> Result<(), EmitError> {
        let packet = self.parser().encode_ack(
            self.0.namespace.name(),
            question.id,
            data,
            self.max_attachments(),
        )?;
        if self.has_expired() {
            return Err(EmitError::Expired);
        }
        if question.take() {
            self.queue(packet)?;
        }
        Ok(())
    }

    pub(super) fn parser(&self) -> &Parser {
        &self.0.namespace.config().parser
    }

    fn max_attachments(&self) -> usize {
        self.0.namespace.config().max_attachments
    }
    // Acknowledgements that are awaited.

    pub(crate) fn expect_ack(&self, id: AckId, completion: Completion) -> Result<(), EmitError> {
        let mut acks = self.0.acks.lock();
        // Checked under the lock, so that no one is left behind when the socket leaves.
        if self.has_left() {
            return Err(EmitError::Disconnected);
        }
        Ok(acks.insert_with_id(id, completion)?)
    }

    pub(crate) fn acks_pending(&self) -> usize {
        self.0.acks.lock().len()
    }

    pub(crate) fn forget_ack(&self, id: AckId) {
        let forgotten = self.0.acks.lock().remove(id);
        drop(forgotten);
    }

    pub(crate) fn handle_ack(&self, id: AckId, args: RawArgs) {
        let completion = self.0.acks.lock().complete(id);
        if let Some(completion) = completion {
            completion.complete(self.id(), args);
        }
    }
}
