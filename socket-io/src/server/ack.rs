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

/// What is heard of the recipients of a broadcast.
#[derive(Debug)]
pub(crate) enum Answer {
    Local(SocketId, Result<RawArgs, AckError>),
    /// So many other servers were asked.
    Servers(usize),
    /// One of them has asked so many clients.
    Reached(usize),
    /// One of those clients has answered.
    Remote(RawArgs),
    /// One of them will not answer any more.
    RemoteLost,
    /// One of the servers will not say whom it has asked.
    ServerLost,
}

/// Where an adapter tells what it hears from other servers about a question; see [`Adapter::broadcast_with_ack`](crate::Adapter::broadcast_with_ack) and
/// [`Adapter::server_side_emit`](crate::Adapter::server_side_emit). When all clones are dropped, what is unanswered is missing at once.
#[derive(Clone, Debug)]
pub struct RemoteAnswers {
    sender: mpsc::UnboundedSender<Answer>,
    time: Duration,
}

impl RemoteAnswers {
    pub(crate) fn new(sender: mpsc::UnboundedSender<Answer>, time: Duration) -> Self {
        Self { sender, time }
    }

    /// How long the answers are waited for.
    pub fn time(&self) -> Duration {
        self.time
    }

    /// Whether nobody waits any more.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// So many servers are asked. To be called before the method of the adapter returns; otherwise there is nobody to wait for.
    pub fn expect_servers(&self, servers: usize) {
        self.tell(Answer::Servers(servers));
    }

    /// One of the servers says how many clients it has sent the event to.
    pub fn reached(&self, clients: usize) {
        self.tell(Answer::Reached(clients));
    }

    /// A client has answered; of the arguments the first counts.
    pub fn answer(&self, args: RawArgs) {
        self.tell(Answer::Remote(args));
    }

    /// A client has left without an answer. If nobody says so, it is waited for.
    pub fn client_lost(&self) {
        self.tell(Answer::RemoteLost);
    }

    /// One of the servers is gone and has not said how many clients it has sent the event to.
    pub fn server_lost(&self) {
        self.tell(Answer::ServerLost);
    }

    /// What a socket of this process is to complete.
    pub(crate) fn completion(&self) -> Completion {
        Completion::Many(self.sender.clone())
    }

    /// A socket of this process will not answer.
    pub(crate) fn local(&self, id: &SocketId, error: AckError) {
        self.tell(Answer::Local(id.clone(), Err(error)));
    }

    /// Nobody may be waiting any more, which is no error.
    fn tell(&self, answer: Answer) {
        let _ = self.sender.send(answer);
    }
}

impl Completion {
    pub(crate) fn single() -> (Self, oneshot::Receiver<RawArgs>) {
        let (sender, receiver) = oneshot::channel();
        (Self::One(sender), receiver)
    }

    /// Nobody may be waiting any more, which is no error.
    pub(crate) fn complete(self, id: &SocketId, args: RawArgs) {
        match self {
            Self::One(sender) => drop(sender.send(args)),
            Self::Many(sender) => drop(sender.send(Answer::Local(id.clone(), Ok(args)))),
        }
    }

    pub(crate) fn disconnected(self, id: &SocketId) {
        match self {
            Self::One(sender) => drop(sender),
            Self::Many(sender) => {
                let error = Err(AckError::Disconnected);
                drop(sender.send(Answer::Local(id.clone(), error)));
            }
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
/// recipient's answer, in the order in which they arrive, and at last one [`AckError::Timeout`] for each that is missing; see [`sent`](Self::sent). Clients of
/// other servers have no id here.
#[must_use = "the acknowledgements arrive in this future or stream"]
pub struct BroadcastAcks<R> {
    /// What the recipients of this process answer with.
    id: Option<AckId>,
    /// Recipients of this process that have not answered.
    missing: HashMap<SocketId, Socket>,
    /// Other servers that have not said whom they have reached.
    servers: usize,
    /// Clients that they have reached, and those of them that have answered.
    clients: usize,
    answered: usize,
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
    /// Recipients without an answer, and why. Those of other servers have no id; a server that does not even say whom it has reached is one
    /// [`AckError::NoServer`].
    pub missing: Vec<(Option<SocketId>, AckError)>,
}

impl<R> BroadcastAnswers<R> {
    /// Whether every recipient answered.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }
}

impl<R> BroadcastAcks<R> {
    pub(crate) fn new(
        id: Option<AckId>,
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
            servers: 0,
            clients: 0,
            answered: 0,
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

    pub(crate) fn failed(error: EmitError) -> Self {
        let (_, answers) = mpsc::unbounded_channel();
        let mut failed = Self::new(None, Vec::new(), answers, Duration::ZERO);
        failed.queued = Err(error);
        failed
    }

    /// How many clients of this process have not answered yet. Before the first poll these are all that were asked.
    pub fn pending(&self) -> usize {
        self.missing.len()
    }

    /// What went wrong when sending, the first time it is asked for.
    pub(crate) fn check(&mut self) -> Result<(), EmitError> {
        std::mem::replace(&mut self.queued, Ok(()))
    }

    pub(crate) fn wait_for(&mut self, time: Duration) {
        self.time = time;
    }
}

/// An answer, and whose it is if that is known.
type Item<R> = (Option<SocketId>, Result<R, AckError>);

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

    pub(crate) fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item<R>>> {
        let parse = |args: RawArgs| args.parse_first().map_err(AckError::Args);
        let is_over = loop {
            match self.answers.poll_recv(cx) {
                Poll::Ready(Some(Answer::Local(id, answer))) => {
                    if self.missing.remove(&id).is_some() {
                        return Poll::Ready(Some((Some(id), answer.and_then(parse))));
                    }
                }
                Poll::Ready(Some(Answer::Servers(count))) => self.servers += count,
                Poll::Ready(Some(Answer::Reached(count))) => {
                    self.servers = self.servers.saturating_sub(1);
                    self.clients += count;
                }
                Poll::Ready(Some(Answer::Remote(args))) => {
                    self.answered += 1;
                    return Poll::Ready(Some((None, parse(args))));
                }
                Poll::Ready(Some(Answer::RemoteLost)) => {
                    self.answered += 1;
                    return Poll::Ready(Some((None, Err(AckError::Disconnected))));
                }
                Poll::Ready(Some(Answer::ServerLost)) => {
                    self.servers = self.servers.saturating_sub(1);
                    return Poll::Ready(Some((None, Err(AckError::NoServer))));
                }
                // Nothing can come any more.
                Poll::Ready(None) => break true,
                Poll::Pending => break false,
            }
        };
        let remote = self.servers > 0 || self.answered < self.clients;
        if self.missing.is_empty() && !remote {
            return Poll::Ready(None);
        }
        let time = self.time;
        if !is_over {
            let sleep = self
                .sleep
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(time)));
            ready!(sleep.as_mut().poll(cx));
        }
        let error = if is_over {
            AckError::Disconnected
        } else {
            AckError::Timeout(time)
        };
        let next = self.missing.keys().next().cloned();
        if let Some((id, socket)) = next.and_then(|id| self.missing.remove_entry(&id)) {
            if let Some(ack) = self.id {
                socket.forget_ack(ack);
            }
            return Poll::Ready(Some((Some(id), Err(error))));
        }
        if self.servers > 0 {
            self.servers -= 1;
            return Poll::Ready(Some((None, Err(AckError::NoServer))));
        }
        self.answered += 1;
        Poll::Ready(Some((None, Err(error))))
    }
}

impl<R: DeserializeOwned + Unpin> Stream for BroadcastAcks<R> {
    type Item = (Option<SocketId>, Result<R, AckError>);

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_answer(cx)
    }
}

impl<R: DeserializeOwned + Unpin> Future for BroadcastAcks<R> {
    type Output = Result<BroadcastAnswers<R>, EmitError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        this.check()?;
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
        for (socket, id) in self.missing.values().zip(self.id.iter().cycle()) {
            socket.forget_ack(*id);
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
