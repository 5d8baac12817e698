//! The way out for events and acknowledgements.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use socket_io::protocol::{AckId, Encoded, Outgoing};
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep};

use crate::core::{Emission, Emitted, Phase};
use crate::error::{AckError, EmitError};
use crate::extract::Question;
use crate::shared::{Completion, Locked, Waiter, now};
use crate::socket::Socket;

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It is sent, or waits to be.
    Queued,
    /// It was volatile and could not be sent at once, so it was dropped.
    Skipped,
}

/// How one event is sent; see [`Socket::volatile`], [`Socket::compress`] and [`Socket::timeout`]. Each step returns the changed choice; nothing happens
/// before the last one.
///
/// ```no_run
/// # fn example(socket: socket_io_client::Socket) -> Result<(), socket_io_client::EmitError> {
/// socket.volatile().compress(false).emit("position", &(12.5, 7.0))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing happens before `emit`"]
pub struct Emit {
    socket: Socket,
    volatile: bool,
    uncompressed: bool,
    timeout: Option<Duration>,
}

impl Emit {
    pub(crate) fn new(socket: Socket) -> Self {
        Self {
            timeout: socket.endpoint().ack_timeout,
            socket,
            volatile: false,
            uncompressed: false,
        }
    }

    /// Drops the event unless it can be sent at once: the socket has joined, and nothing waits to be written.
    pub fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    /// Whether the event may be compressed on its way (feature `deflate`). Default true.
    pub fn compress(mut self, compress: bool) -> Self {
        self.uncompressed = !compress;
        self
    }

    /// How long the acknowledgement may take, counted from when the event is emitted.
    pub fn timeout(mut self, time: Duration) -> Self {
        self.timeout = Some(time);
        self
    }

    /// Emits the event; see [`Socket::emit`].
    ///
    /// # Errors
    ///
    /// As [`Socket::emit`].
    pub fn emit(
        &self,
        event: &str,
        data: &(impl Serialize + ?Sized),
    ) -> Result<Outcome, EmitError> {
        // Where events are repeated, each has an id; otherwise only those that somebody waits for.
        let id = self.repeats().then(|| self.next_id());
        self.send(event, data, id, None)
    }

    /// Emits the event and waits for the acknowledgement; see [`Socket::emit_with_ack`]. Of a volatile event that was dropped the answer is
    /// [`AckError::Skipped`].
    pub fn emit_with_ack<R: DeserializeOwned>(
        &self,
        event: &str,
        data: &(impl Serialize + ?Sized),
    ) -> AckFuture<R> {
        let id = self.next_id();
        let (sender, answer) = oneshot::channel();
        let completion = Completion {
            id,
            endpoint: self.socket.endpoint().clone(),
            to: Waiter::Caller(sender),
        };
        let queued = match self.send(event, data, Some(id), Some(completion)) {
            Ok(Outcome::Queued) => Ok(()),
            Ok(Outcome::Skipped) => Err(AckError::Skipped),
            Err(error) => Err(error.into()),
        };
        let future = AckFuture {
            socket: self.socket.clone(),
            id,
            answer,
            queued,
            deadline: None,
            sleep: None,
            result: PhantomData,
        };
        match self.timeout {
            Some(time) => future.timeout(time),
            None => future,
        }
    }

    fn repeats(&self) -> bool {
        self.socket.endpoint().repeats && !self.volatile
    }

    fn next_id(&self) -> AckId {
        let key = self.socket.key();
        let shared = self.socket.manager().shared();
        shared.look(|locked| locked.core.next_ack_id(key))
    }

    fn send(
        &self,
        event: &str,
        data: &(impl Serialize + ?Sized),
        id: Option<AckId>,
        completion: Option<Completion>,
    ) -> Result<Outcome, EmitError> {
        let shared = self.socket.manager().shared();
        let emission = self.encode(event, data, id)?;
        let (result, wakes) = shared.look(|locked| {
            let result = match id.filter(|_| self.repeats()) {
                Some(id) => self.queue(locked, emission, id, completion),
                None => self.hand_over(locked, emission, id.zip(completion)),
            };
            (result, self.repeats() || locked.core.outputs() > 0)
        });
        if wakes {
            // The driver tells what was sent, and waits for acknowledgements.
            shared.input(|_| {});
        }
        result
    }

    fn encode(
        &self,
        event: &str,
        data: &(impl Serialize + ?Sized),
        id: Option<AckId>,
    ) -> Result<Emission, EmitError> {
        let endpoint = self.socket.endpoint();
        let config = &self.socket.manager().shared().config;
        let (parser, max) = (&config.parser, config.max_attachments);
        let compress = |packet: Encoded| {
            if self.uncompressed {
                packet.uncompressed()
            } else {
                packet
            }
        };
        if endpoint.watched.load(Ordering::Relaxed) {
            let outgoing = Outgoing::new_with(parser, event, data, max)?;
            return Ok(Emission {
                packet: compress(outgoing.encode(&endpoint.namespace, id)),
                event: Some(outgoing.event()),
            });
        }
        let packet = parser.encode_event(&endpoint.namespace, event, id, data, max)?;
        Ok(Emission {
            packet: compress(packet),
            event: None,
        })
    }

    /// To be sent until it is acknowledged.
    fn queue(
        &self,
        locked: &mut Locked,
        emission: Emission,
        id: AckId,
        completion: Option<Completion>,
    ) -> Result<Outcome, EmitError> {
        let key = self.socket.key();
        let core = &mut locked.core;
        core.emit_repeatedly(now(), key, emission, id, completion)?;
        locked.flush();
        Ok(Outcome::Queued)
    }

    /// To be sent once: now, or when the socket has joined.
    fn hand_over(
        &self,
        locked: &mut Locked,
        emission: Emission,
        ack: Option<(AckId, Completion)>,
    ) -> Result<Outcome, EmitError> {
        let key = self.socket.key();
        let is_connected = locked.core.phase(key) == Phase::Connected;
        if self.volatile && !(is_connected && locked.is_writable()) {
            return Ok(Outcome::Skipped);
        }
        // A machine that was asleep has not noticed yet that its connection is dead.
        let engine = locked.engine.as_ref();
        let is_ready = engine.is_some_and(|engine| !engine.heartbeat_expired());
        if self.volatile && !is_ready {
            return Ok(Outcome::Skipped);
        }
        let id = ack.as_ref().map(|(id, _)| *id);
        let emitted = locked.core.emit(key, is_ready, emission, ack)?;
        if let Emitted::Now(emission) = emitted {
            if let Err(error) = locked.send(&emission.packet) {
                // Nobody can be waiting for it yet, so that no waker runs here.
                drop(id.and_then(|id| locked.core.forget(key, id)));
                return Err(error);
            }
        }
        Ok(Outcome::Queued)
    }
}

impl Socket {
    pub(crate) fn acknowledge(
        &self,
        question: &Question,
        data: &(impl Serialize + ?Sized),
    ) -> Result<(), EmitError> {
        if !question.take() {
            return Ok(());
        }
        let shared = self.manager().shared();
        let config = &shared.config;
        let packet = config.parser.encode_ack(
            self.namespace(),
            question.id,
            data,
            config.max_attachments,
        )?;
        shared.look(|locked| {
            if !locked.core.is_current(self.key(), question.epoch) {
                return Err(EmitError::Disconnected);
            }
            locked.send(&packet)
        })
    }
}

/// Resolves to the server's acknowledgement. See [`Socket::emit_with_ack`].
///
/// # Panics
///
/// May panic when it is polled again after it was ready, as most futures do.
#[must_use = "the acknowledgement arrives in this future"]
pub struct AckFuture<R> {
    socket: Socket,
    id: AckId,
    answer: oneshot::Receiver<Result<socket_io::RawArgs, crate::core::NoAnswer>>,
    queued: Result<(), AckError>,
    deadline: Option<(Duration, Instant)>,
    sleep: Option<Pin<Box<Sleep>>>,
    result: PhantomData<fn() -> R>,
}

impl<R> AckFuture<R> {
    /// The id that the event was sent with: unique to its socket, across connections.
    pub fn id(&self) -> AckId {
        self.id
    }

    /// Waits so long at the most, counted from now. An event that was not sent by then is not sent.
    pub fn timeout(mut self, time: Duration) -> Self {
        self.deadline = Instant::now().checked_add(time).map(|until| (time, until));
        self.sleep = None;
        self
    }
}

impl<R: DeserializeOwned> Future for AckFuture<R> {
    type Output = Result<R, AckError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Err(error) = &self.queued {
            return Poll::Ready(Err(error.clone()));
        }
        if let Poll::Ready(answer) = Pin::new(&mut self.answer).poll(cx) {
            return Poll::Ready(match answer {
                Ok(Ok(args)) => args.parse_data().map_err(AckError::Args),
                Ok(Err(error)) => Err(error.into()),
                Err(_) => Err(AckError::Disconnected),
            });
        }
        let Some((time, until)) = self.deadline else {
            return Poll::Pending;
        };
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(Err(AckError::Timeout(time)))
    }
}

impl<R> Drop for AckFuture<R> {
    fn drop(&mut self) {
        if self.queued.is_ok() {
            let (key, id) = (self.socket.key(), self.id);
            let shared = self.socket.manager().shared();
            drop(shared.look(|locked| locked.core.forget(key, id)));
        }
    }
}

impl<R> fmt::Debug for AckFuture<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AckFuture")
            .field("id", &self.id)
            .field("queued", &self.queued)
            .finish_non_exhaustive()
    }
}
