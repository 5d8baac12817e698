//! Handlers: asynchronous functions over whatever they need.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};

use serde::Serialize;
use socket_io::Refusal;
use socket_io::panic::{CatchPanic, Panic, caught};
use socket_io::protocol::{Answer, answer_with};
use tokio::sync::OwnedSemaphorePermit;

use crate::config::BoxFuture;
use crate::error::Failure;
use crate::extract::{Context, FromContext};
use crate::store::Handling;

/// An asynchronous function whose arguments are up to eight types that implement [`FromContext`]: `async |socket: Socket, Data(text): Data<String>| { … }`.
///
/// What it returns is the acknowledgement, if the server wants one: `()` sends nothing; any other value that serializes is sent, a tuple as several
/// arguments; of a `Result`, the value or the error is sent, and the error goes to the error hook, too.
///
/// Handlers of one socket start in the order of the events and run to their first wait in that order. One that has to wait goes on in a task of its own, so
/// it may wait for acknowledgements and for other events. A panic is caught and reported; the connection lives on.
pub trait Handler<Arguments>: Send + Sync + 'static {
    /// Takes the arguments and starts; the future sends the acknowledgement.
    ///
    /// # Errors
    ///
    /// When an argument cannot be had.
    fn call(&self, context: Context) -> Result<BoxFuture<Result<(), Failure>>, Failure>;
}

macro_rules! handlers {
    ($($argument:ident),*) => {
        impl<F, Fut, $($argument,)*> Handler<($($argument,)*)> for F
        where
            F: Fn($($argument),*) -> Fut + Send + Sync + 'static,
            Fut: Future + Send + 'static,
            Fut::Output: Serialize + Send,
            $($argument: FromContext,)*
        {
            fn call(&self, context: Context) -> Result<BoxFuture<Result<(), Failure>>, Failure> {
                let future = self($($argument::from_context(&context)?),*);
                Ok(Box::pin(async move { answer_with(&future.await, Reply(&context)) }))
            }
        }
    };
}

handlers!();
handlers!(A);
handlers!(A, B);
handlers!(A, B, C);
handlers!(A, B, C, D);
handlers!(A, B, C, D, E1);
handlers!(A, B, C, D, E1, G);
handlers!(A, B, C, D, E1, G, H);
handlers!(A, B, C, D, E1, G, H, I);

/// A handler whose types are forgotten.
pub(crate) type ErasedHandler =
    Arc<dyn Fn(Context) -> Result<BoxFuture<Result<(), Failure>>, Failure> + Send + Sync>;

pub(crate) fn erase<A>(handler: impl Handler<A>) -> ErasedHandler {
    Arc::new(move |context| handler.call(context))
}

/// Acknowledges with what a handler returned, if the server wants that.
struct Reply<'a>(&'a Context);

impl Answer for Reply<'_> {
    type Outcome = Result<(), Failure>;

    fn nothing(self) -> Result<(), Failure> {
        Ok(())
    }

    fn value<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Failure> {
        match &self.0.ack {
            Some(question) => {
                let sent = self.0.socket.acknowledge(question, value);
                sent.map_err(Failure::Reply)
            }
            None => Ok(()),
        }
    }

    fn error<T: Serialize + ?Sized>(self, error: &T) -> Result<(), Failure> {
        self.value(error)?;
        Err(Failure::Returned(Refusal::of(error)))
    }
}

/// Runs a handler to its first wait, and lets it go on in a task of its own from there.
pub(crate) fn run(
    handler: &ErasedHandler,
    context: Context,
    running: OwnedSemaphorePermit,
    handling: Option<Arc<Handling>>,
) {
    let (socket, event, question) = (
        context.socket.clone(),
        context.event.clone(),
        context.ack.clone(),
    );
    let end = move |result: Result<(), Failure>| {
        if let Err(failure) = result {
            if let Some(question) = &question {
                // A server that waits is told; that this could not be sent would be no news.
                let _ = socket.acknowledge(question, &refusal_of(&failure));
            }
            socket.report(event, failure);
        }
        if let Some(handling) = handling {
            handling.end();
        }
    };
    let future = match caught(|| handler(context)).unwrap_or_else(|panic| Err(panic.into())) {
        Ok(future) => future,
        Err(failure) => return end(Err(failure)),
    };
    let mut future = CatchPanic(future);
    match Pin::new(&mut future).poll(&mut TaskContext::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => end(flatten(outcome)),
        Poll::Pending => {
            tokio::spawn(async move {
                end(flatten(future.await));
                drop(running);
            });
        }
    }
}

/// What a server is told whose event came to nothing. What happened inside this program is not its business.
fn refusal_of(failure: &Failure) -> Refusal {
    match failure {
        Failure::Args(error) => Refusal::new(error.to_string()),
        Failure::Returned(refusal) => refusal.clone(),
        Failure::Panicked(_) | Failure::Missing(_) | Failure::Reply(_) => {
            Refusal::new("internal error")
        }
    }
}

fn flatten(outcome: Result<Result<(), Failure>, Panic>) -> Result<(), Failure> {
    outcome.unwrap_or_else(|panic| Err(panic.into()))
}

impl From<Panic> for Failure {
    fn from(panic: Panic) -> Self {
        Self::Panicked(panic.0)
    }
}
