//! Handlers: asynchronous functions over whatever they need.

use std::any::Any;
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};

use serde::Serialize;
use tracing::Instrument;

use super::error::Failure;
use super::extract::{Context, FromContext};
use super::grant::Grant;
use super::log::Brief;
use super::refusal::Refusal;
use super::reply::reply;
use crate::panic::{CatchPanic, Panic, caught};
use crate::protocol::RawArgs;

pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// An asynchronous function whose arguments are up to eight types that implement [`FromContext`]: `async |socket: Socket, Data(text): Data<String>| { … }`.
///
/// What it returns is the acknowledgement, if the client wants one: `()` sends nothing; any other value that serializes is sent, a tuple as several
/// arguments; of a `Result`, the value or the error is sent, and the error goes to the error hook, too.
///
/// Handlers of one socket start in the order of the packets and run to their first wait in that order. One that has to wait goes on in a task of its own.
/// A panic is caught and reported; the connection lives on.
pub trait Handler<Arguments>: Send + Sync + 'static {
    /// Takes the arguments and starts; the future sends the acknowledgement.
    ///
    /// # Errors
    ///
    /// When an argument cannot be had.
    fn call(&self, context: &Context) -> Result<BoxFuture<Result<(), Failure>>, Failure>;
}

/// A middleware: like a [`Handler`], but it returns a `Result`. `Ok` lets the socket join, or its event pass; a [`Grant`] sets until when the socket is authorized,
/// and every other value but `()` becomes data of the socket. `Err` refuses the socket, or the event.
pub trait Middleware<Arguments>: Send + Sync + 'static {
    /// Takes the arguments and starts.
    ///
    /// # Errors
    ///
    /// When an argument cannot be had.
    fn call(&self, context: &Context) -> Result<BoxFuture<Result<(), Refusal>>, Failure>;
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
            fn call(&self, context: &Context) -> Result<BoxFuture<Result<(), Failure>>, Failure> {
                if !(false $(|| $argument::READS_ARGS)*) {
                    context.args.validate().map_err(Failure::Args)?;
                }
                let future = self($($argument::from_context(context)?),*);
                let question = context.ack.clone();
                let asked = question.map(|question| (context.socket.clone(), question));
                Ok(Box::pin(async move { reply(&future.await, asked.as_ref()) }))
            }
        }

        impl<F, Fut, T, E, $($argument,)*> Middleware<($($argument,)*)> for F
        where
            F: Fn($($argument),*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = Result<T, E>> + Send + 'static,
            T: Send + Sync + 'static,
            E: Into<Refusal>,
            $($argument: FromContext,)*
        {
            fn call(&self, context: &Context) -> Result<BoxFuture<Result<(), Refusal>>, Failure> {
                if !(false $(|| $argument::READS_ARGS)*) {
                    context.args.validate().map_err(Failure::Args)?;
                }
                let future = self($($argument::from_context(context)?),*);
                let socket = context.socket.clone();
                Ok(Box::pin(async move {
                    let value = future.await.map_err(Into::into)?;
                    match (&value as &dyn Any).downcast_ref::<Grant>() {
                        Some(grant) => socket.authorize(*grant)?,
                        None => socket.insert_data(value),
                    }
                    Ok(())
                }))
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
    Arc<dyn Fn(&Context) -> Result<BoxFuture<Result<(), Failure>>, Failure> + Send + Sync>;
/// A middleware whose types are forgotten.
pub(crate) type ErasedMiddleware =
    Arc<dyn Fn(&Context) -> Result<BoxFuture<Result<(), Refusal>>, Failure> + Send + Sync>;

pub(crate) fn erase<A>(handler: impl Handler<A>) -> ErasedHandler {
    Arc::new(move |context: &Context| handler.call(context))
}

pub(crate) fn erase_middleware<A>(middleware: impl Middleware<A>) -> ErasedMiddleware {
    Arc::new(move |context: &Context| middleware.call(context))
}

/// Runs a handler to its first wait, and lets it go on in a task of its own from there. Arguments that break the protocol are the caller's to deal with.
pub(crate) fn run(handler: &ErasedHandler, context: &Context) -> Result<(), Failure> {
    let socket = &context.socket;
    let Some(_level) = Level::enter() else {
        let (handler, context) = (handler.clone(), context.clone());
        socket.io().spawn(async move {
            if let Err(failure) = run(&handler, &context) {
                context.socket.report(context.event, failure);
            }
        });
        return Ok(());
    };
    let span = tracing::trace_span!(
        target: "socket_io",
        "handler",
        connection = socket.connection().sender.number(),
        namespace = %Brief(socket.namespace().name()),
        socket = socket.log_id(),
        event = %Brief(&context.event),
    );
    let waiting = span.in_scope(|| {
        caught(|| {
            let mut future = handler(context)?;
            let first = future.as_mut();
            match first.poll(&mut TaskContext::from_waker(Waker::noop())) {
                Poll::Ready(outcome) => outcome.map(|()| None),
                Poll::Pending => Ok(Some(future)),
            }
        })
    });
    match flatten(waiting) {
        Ok(None) => {}
        Err(failure) if failure.is_violation() => return Err(failure),
        Err(failure) => fail(context, failure),
        Ok(Some(future)) => {
            let running = socket.connection().start_handler(context.size);
            let context = Context {
                // Only the handler needs them.
                args: RawArgs::empty(),
                ..context.clone()
            };
            socket.io().spawn(async move {
                let outcome = CatchPanic(future).instrument(span).await;
                if let Err(failure) = flatten(outcome) {
                    fail(&context, failure);
                }
                drop(running);
            });
        }
    }
    Ok(())
}

/// Runs middlewares, one after the other, until one fails.
pub(crate) async fn run_middlewares(
    middlewares: Arc<[ErasedMiddleware]>,
    context: Context,
) -> Result<(), Failure> {
    for middleware in middlewares.iter() {
        let future = caught(|| middleware(&context))??;
        CatchPanic(future).await?.map_err(Failure::Returned)?;
    }
    Ok(())
}

/// An event came to nothing: a client that waits is told, and so is the hook.
pub(crate) fn fail(context: &Context, failure: Failure) {
    if let Some(question) = &context.ack {
        // That this could not be sent would be no news.
        let _ = context.socket.acknowledge(question, &refusal_of(&failure));
    }
    context.socket.report(context.event.clone(), failure);
}

/// What a client is told whose wish came to nothing. What happened inside the server is not its business.
pub(crate) fn refusal_of(failure: &Failure) -> Refusal {
    match failure {
        Failure::Args(error) => Refusal::new(error.to_string()),
        Failure::Params(error) if error.is_clients() => Refusal::new(error.to_string()),
        Failure::Returned(refusal) => refusal.clone(),
        _ => Refusal::new("internal error"),
    }
}

/// A handler that disconnects sockets runs their handlers within its own first steps, and so on. Stacks are finite, so what is nested deeper than this starts
/// in a task of its own.
const MAX_LEVELS: usize = 16;

thread_local! {
    static LEVELS: Cell<usize> = const { Cell::new(0) };
}

struct Level;

impl Level {
    fn enter() -> Option<Self> {
        let levels = LEVELS.get();
        (levels < MAX_LEVELS).then(|| {
            LEVELS.set(levels + 1);
            Self
        })
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        LEVELS.set(LEVELS.get() - 1);
    }
}

fn flatten<T>(outcome: Result<Result<T, Failure>, Panic>) -> Result<T, Failure> {
    outcome.unwrap_or_else(|panic| Err(panic.into()))
}

impl From<Panic> for Failure {
    fn from(panic: Panic) -> Self {
        Self::Panicked(panic.0)
    }
}
