//! Events as a stream, in place of a handler.

use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use futures_core::Stream;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use super::connection::Held;
use super::error::Failure;
use super::extract::Context;
use super::handlers::{HandlerId, On, Place, Times};
use super::socket::Socket;
use crate::protocol::{ArgsError, RawArgs};

/// The events of one name from one client; see [`Socket::stream`]. Dropping it unsubscribes.
#[must_use = "the events arrive in this stream"]
pub struct EventStream<T> {
    socket: Socket,
    handler: HandlerId,
    events: mpsc::UnboundedReceiver<Waiting>,
    result: PhantomData<fn() -> T>,
}

/// An event's data that nobody has read yet.
struct Waiting {
    args: RawArgs,
    /// So that a client cannot fill the memory with them.
    _held: Held,
}

impl Socket {
    /// The events of that name from this client, from now on, until the socket has left. They are acknowledged by handlers only.
    ///
    /// Nothing is lost, and the order is that of the packets: an event that nobody has read counts as a handler that has not ended, so that a client of whom too
    /// many wait, or too many bytes, is not read from any more; see [`max_handlers`](crate::SocketIoBuilder::max_handlers),
    /// [`max_handler_bytes`](crate::SocketIoBuilder::max_handler_bytes) and [`inbox_limit`](crate::SocketIoBuilder::inbox_limit). So read the stream, or drop it.
    ///
    /// ```
    /// # let io = socket_io::SocketIo::builder().build();
    /// use socket_io::Socket;
    ///
    /// io.of("/").on("upload", async |socket: Socket| {
    ///     let mut chunks = socket.stream::<String>("chunk");
    ///     while let Some(Ok(chunk)) = chunks.next().await {
    ///         println!("{} bytes", chunk.len());
    ///     }
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// If the name is reserved; see [`Namespace::on`](crate::Namespace::on).
    pub fn stream<T: DeserializeOwned>(&self, event: &str) -> EventStream<T> {
        // The connection's limits bound it.
        let (sender, events) = mpsc::unbounded_channel();
        let forward = Arc::new(move |context: &Context| {
            context.args.validate().map_err(Failure::Args)?;
            let held = context.socket.connection().start_streaming(context.size);
            // The stream may be gone in this moment, which is no failure.
            let _ = sender.send(Waiting {
                args: context.args.clone(),
                _held: held,
            });
            Ok(Box::pin(async { Ok(()) }) as _)
        });
        EventStream {
            handler: self.add_erased(On::event(event), Place::Last, Times::Always, forward),
            socket: self.clone(),
            events,
            result: PhantomData,
        }
    }
}

impl<T: DeserializeOwned> EventStream<T> {
    /// The next event's data, as [`Data`](crate::Data) would have it; `None` once the socket has left and everything was read.
    ///
    /// # Errors
    ///
    /// When the data is of another type; the stream goes on.
    ///
    /// # Cancel safety
    ///
    /// No event is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Result<T, ArgsError>> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    fn poll_event(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Result<T, ArgsError>>> {
        let event = self.events.poll_recv(cx);
        event.map(|waiting| waiting.map(|waiting| waiting.args.parse_data()))
    }
}

impl<T: DeserializeOwned> Stream for EventStream<T> {
    type Item = Result<T, ArgsError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_event(cx)
    }
}

impl<T> Drop for EventStream<T> {
    fn drop(&mut self) {
        self.socket.remove_handler(self.handler);
    }
}

impl<T> fmt::Debug for EventStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("socket", &self.socket)
            .field("waiting", &self.events.len())
            .finish_non_exhaustive()
    }
}
