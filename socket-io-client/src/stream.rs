//! Events that are pulled instead of handled.

use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use engine_io::Text;
use futures_core::Stream;
use serde::de::DeserializeOwned;
use socket_io::protocol::AckId;
use socket_io::{DisconnectReason, RawArgs};

use crate::endpoint::Told;
use crate::error::{AckError, ConnectError, RecvError};
use crate::extract::{Ack, Question};
use crate::inbox::{Limit, Queue, Taken};
use crate::socket::Socket;

/// What happens to a socket; see [`Socket::events`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SocketEvent {
    /// It has joined its namespace.
    Connect {
        /// The id that the server has given it.
        id: Text,
        /// Whether the server has recovered the connection: id and rooms are the same, and what was missed came before this.
        recovered: bool,
    },
    /// It has not joined. [`Socket::is_active`] tells whether it tries again.
    ConnectError(ConnectError),
    /// It has left. [`Socket::is_active`] tells whether it comes back by itself.
    Disconnect(DisconnectReason),
    /// The server has emitted an event.
    Event(Incoming),
    /// An acknowledgement has come, or will not come; of [`Manager::all_events`](crate::Manager::all_events) only. One that is not waited for any more,
    /// because its time is up, is not told.
    Ack {
        /// That of [`AckFuture::id`](crate::AckFuture::id).
        id: AckId,
        /// What the future resolves to, unparsed.
        answer: Result<RawArgs, AckError>,
    },
}

/// An event of the server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Incoming {
    /// Its name.
    pub name: Text,
    /// Its arguments, unparsed. A server that recovers connections puts its offset behind them, a string that is in here, too.
    pub args: RawArgs,
    /// Answers the event, if the server wants that.
    pub ack: Ack,
    /// What a server that recovers connections numbers its events with.
    pub offset: Option<String>,
}

impl Incoming {
    /// The arguments as a type: several for a tuple, none for `()`, the first for every other type.
    ///
    /// # Errors
    ///
    /// When they are of another type.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, RecvError> {
        self.args.parse_data().map_err(RecvError::Args)
    }
}

impl SocketEvent {
    /// `None` for what is no event of its own.
    pub(crate) fn new(socket: &Socket, told: Told) -> Option<Self> {
        Some(match told {
            Told::Connect { id, recovered, .. } => Self::Connect { id, recovered },
            Told::ConnectError(error) => Self::ConnectError(error),
            Told::Disconnect(reason) => Self::Disconnect(reason),
            Told::Event(incoming) => {
                let epoch = incoming.epoch;
                Self::Event(Incoming {
                    name: incoming.event.name,
                    args: incoming.event.args,
                    ack: Ack {
                        socket: socket.clone(),
                        question: incoming.ack.map(|id| Question::new(id, epoch)),
                    },
                    offset: incoming.offset,
                })
            }
            Told::Answer(id, answer) => Self::Ack {
                id,
                answer: answer.map_err(AckError::from),
            },
            Told::Sent(_) | Told::End => return None,
        })
    }
}

/// One reader of a socket.
pub(crate) struct Subscription {
    pub(crate) socket: Socket,
    event: Option<Text>,
    queue: Arc<Queue<Told>>,
}

impl Subscription {
    pub(crate) fn new(socket: Socket, event: Option<Text>, limit: Limit) -> Self {
        let bytes = socket.manager().shared().config.inbox;
        let queue = Arc::new(Queue::new(bytes, limit));
        socket.endpoint().subscribe(event.as_ref(), queue.clone());
        Self {
            socket,
            event,
            queue,
        }
    }

    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Taken<Told>> {
        self.queue.poll_pop(cx)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let endpoint = self.socket.endpoint();
        endpoint.unsubscribe(self.event.as_ref(), &self.queue);
    }
}

/// Everything that happens to a socket, from [`Socket::events`]: a [`Stream`]. Dropping it ends the subscription; it keeps the socket alive.
#[must_use = "a stream has to be read"]
pub struct Events(pub(crate) Subscription);

impl Events {
    /// Waits for the next event. `None` when the socket does not come back by itself: it was disconnected by hand or by the server, it was refused, or
    /// reconnecting was given up. When it is connected again by hand, further events follow.
    ///
    /// # Cancel safety
    ///
    /// No event is lost when the future is dropped.
    pub async fn recv(&mut self) -> Option<SocketEvent> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    fn poll_recv(&self, cx: &Context<'_>) -> Poll<Option<SocketEvent>> {
        loop {
            let told = match ready!(self.0.poll(cx)) {
                Taken::Item(Told::End) => return Poll::Ready(None),
                Taken::Item(told) => told,
                // It never drops anything.
                Taken::Lagged(_) => continue,
            };
            if let Some(event) = SocketEvent::new(&self.0.socket, told) {
                return Poll::Ready(Some(event));
            }
        }
    }
}

impl Stream for Events {
    type Item = SocketEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<SocketEvent>> {
        self.get_mut().poll_recv(cx)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

/// The events of one name, from [`Socket::stream`]: a [`Stream`]. Dropping it ends the subscription; it keeps the socket alive.
#[must_use = "a stream has to be read"]
pub struct EventStream<T> {
    subscription: Subscription,
    data: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> EventStream<T> {
    pub(crate) fn new(socket: Socket, event: &str) -> Self {
        Self {
            subscription: Subscription::new(socket, Some(event.into()), Limit::Drop),
            data: PhantomData,
        }
    }

    /// Waits for the next event. `None` when the socket does not come back by itself, as with [`Events::recv`].
    ///
    /// # Errors
    ///
    /// [`RecvError::Args`] when an event has other arguments than a `T`; [`RecvError::Lagged`] when events were dropped because nobody read them. The
    /// next call goes on with the next event.
    ///
    /// # Cancel safety
    ///
    /// No event is lost when the future is dropped.
    pub async fn recv(&mut self) -> Option<Result<T, RecvError>> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    fn poll_recv(&self, cx: &Context<'_>) -> Poll<Option<Result<T, RecvError>>> {
        loop {
            match ready!(self.subscription.poll(cx)) {
                Taken::Item(Told::Event(incoming)) => {
                    let data = incoming.event.args.parse_data();
                    return Poll::Ready(Some(data.map_err(RecvError::Args)));
                }
                Taken::Item(Told::End) => return Poll::Ready(None),
                Taken::Item(_) => {}
                Taken::Lagged(count) => return Poll::Ready(Some(Err(RecvError::Lagged(count)))),
            }
        }
    }
}

impl<T: DeserializeOwned> Stream for EventStream<T> {
    type Item = Result<T, RecvError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_recv(cx)
    }
}

impl<T> fmt::Debug for EventStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("event", &self.subscription.event)
            .finish_non_exhaustive()
    }
}
