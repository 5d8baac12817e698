//! Waiting for acknowledgements: of one client, or of all that a broadcast reached.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Sleep;

use super::error::{AckError, EmitError};
use super::socket::Socket;
use crate::adapter::SocketId;
use crate::protocol::{AckId, RawArgs};

/// What an acknowledgement completes.
#[derive(Debug)]
pub(crate) enum Completion {
    One(oneshot::Sender<RawArgs>),
    Many(mpsc::UnboundedSender<Answer>),
}

/// Of one recipient of a broadcast.
pub(crate) type Answer = (SocketId, Result<RawArgs, AckError>);

impl Completion {
    pub(crate) fn single() -> (Self, oneshot::Receiver<RawArgs>) {
        let (sender, receiver) = oneshot::channel();
        (Self::One(sender), receiver)
    }

    /// Nobody may be waiting any more, which is no error.
    pub(crate) fn complete(self, id: &SocketId, args: RawArgs) {
        match self {
            Self::One(sender) => drop(sender.send(args)),
            Self::Many(sender) => drop(sender.send((id.clone(), Ok(args)))),
        }
    }

    pub(crate) fn disconnected(self, id: &SocketId) {
        match self {
            Self::One(sender) => drop(sender),
            Self::Many(sender) => drop(sender.send((id.clone(), Err(AckError::Disconnected)))),
        }
    }
}

/// Resolves to a client's acknowledgement. See [`Socket::emit_with_ack`].
///
/// # Panics
///
/// May panic when it is polled again after it was ready, as most futures do.
#[must_use = "the acknowledgement arrives in this future"]
pub struct AckFuture<R> {
    socket: Socket,
    id: AckId,
    answer: oneshot::Receiver<RawArgs>,
    queued: Result<(), AckError>,
    timeout: Option<(Duration, Pin<Box<Sleep>>)>,
    result: PhantomData<fn() -> R>,
}

impl<R> AckFuture<R> {
    pub(crate) fn new(
        socket: Socket,
        id: AckId,
        answer: oneshot::Receiver<RawArgs>,
        queued: Result<(), AckError>,
    ) -> Self {
        Self {
            socket,
            id,
            answer,
            queued,
            timeout: None,
            result: PhantomData,
        }
    }

    /// Waits so long at the most, counted from now.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, which has the clock.
    pub fn timeout(mut self, time: Duration) -> Self {
        self.timeout = Some((time, Box::pin(tokio::time::sleep(time))));
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
                Ok(args) => args.parse_data().map_err(AckError::Args),
                Err(_) => Err(AckError::Disconnected),
            });
        }
        if let Some((time, sleep)) = &mut self.timeout {
            ready!(sleep.as_mut().poll(cx));
            return Poll::Ready(Err(AckError::Timeout(*time)));
        }
        Poll::Pending
    }
}

impl<R> Drop for AckFuture<R> {
    fn drop(&mut self) {
        self.socket.forget_ack(self.id);
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

/// The acknowledgements of a broadcast: a future of all of them, or a stream of each as it comes.
///
/// As a future it resolves once every recipient has answered, has left, or the time is up, which counts from the first poll. As a [`Stream`] it yields each
/// recipient's answer, in the order in which they arrive, and at last one [`AckError::Timeout`] for each that is missing; see [`sent`](Self::sent).
#[must_use = "the acknowledgements arrive in this future or stream"]
pub struct BroadcastAcks<R> {
    id: AckId,
    /// Recipients that have not answered.
    missing: HashMap<SocketId, Socket>,
    answers: mpsc::UnboundedReceiver<Answer>,
    queued: Result<(), EmitError>,
    time: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    collected: BroadcastAnswers<R>,
}

/// What the recipients of a broadcast answered.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct BroadcastAnswers<R> {
    /// The answers, in the order in which they came.
    pub answers: Vec<R>,
    /// Recipients without an answer, and why.
    pub missing: Vec<(SocketId, AckError)>,
}

impl<R> BroadcastAnswers<R> {
    /// Whether every recipient answered.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }
}

impl<R> BroadcastAcks<R> {
    pub(crate) fn new(
        id: AckId,
        recipients: Vec<Socket>,
        answers: mpsc::UnboundedReceiver<Answer>,
        time: Duration,
    ) -> Self {
        Self {
            id,
            missing: recipients
                .into_iter()
                .map(|socket| (socket.id().clone(), socket))
                .collect(),
            answers,
            queued: Ok(()),
            time,
            sleep: None,
            collected: BroadcastAnswers {
                answers: Vec::new(),
                missing: Vec::new(),
            },
        }
    }

    pub(crate) fn failed(id: AckId, error: EmitError) -> Self {
        let (_, answers) = mpsc::unbounded_channel();
        let mut failed = Self::new(id, Vec::new(), answers, Duration::ZERO);
        failed.queued = Err(error);
        failed
    }
}

impl<R: DeserializeOwned> BroadcastAcks<R> {
    /// Whether the event was sent, for those who use the stream; the future says it itself.
    ///
    /// # Errors
    ///
    /// [`EmitError::Encode`] when the data or the name cannot be sent; nobody got anything then, and the stream is empty.
    pub fn sent(self) -> Result<Self, EmitError> {
        match &self.queued {
            Ok(()) => Ok(self),
            Err(error) => Err(error.clone()),
        }
    }

    fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<(SocketId, Result<R, AckError>)>> {
        while !self.missing.is_empty() {
            let time = self.time;
            if let Poll::Ready(Some((id, answer))) = self.answers.poll_recv(cx) {
                if self.missing.remove(&id).is_none() {
                    continue;
                }
                let answer = answer.and_then(|args| args.parse_first().map_err(AckError::Args));
                return Poll::Ready(Some((id, answer)));
            }
            let sleep = self
                .sleep
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(time)));
            ready!(sleep.as_mut().poll(cx));
            let next = self.missing.keys().next().cloned();
            if let Some((id, socket)) = next.and_then(|id| self.missing.remove_entry(&id)) {
                socket.forget_ack(self.id);
                return Poll::Ready(Some((id, Err(AckError::Timeout(time)))));
            }
        }
        Poll::Ready(None)
    }
}

impl<R: DeserializeOwned + Unpin> Stream for BroadcastAcks<R> {
    type Item = (SocketId, Result<R, AckError>);

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_answer(cx)
    }
}

impl<R: DeserializeOwned + Unpin> Future for BroadcastAcks<R> {
    type Output = Result<BroadcastAnswers<R>, EmitError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        std::mem::replace(&mut this.queued, Ok(()))?;
        while let Some((id, answer)) = ready!(this.poll_answer(cx)) {
            match answer {
                Ok(answer) => this.collected.answers.push(answer),
                Err(error) => this.collected.missing.push((id, error)),
            }
        }
        let empty = BroadcastAnswers {
            answers: Vec::new(),
            missing: Vec::new(),
        };
        Poll::Ready(Ok(std::mem::replace(&mut this.collected, empty)))
    }
}

impl<R> Drop for BroadcastAcks<R> {
    fn drop(&mut self) {
        for socket in self.missing.values() {
            socket.forget_ack(self.id);
        }
    }
}

impl<R> fmt::Debug for BroadcastAcks<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BroadcastAcks")
            .field("id", &self.id)
            .field("missing", &self.missing.len())
            .finish_non_exhaustive()
    }
}
