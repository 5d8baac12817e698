//! Panics of the user's code, caught for both roles.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

/// What a panic said.
#[derive(Debug)]
#[allow(clippy::exhaustive_structs)] // for the client, and nobody else
pub struct Panic(pub String);

/// Calls a function of the user's; a panic is an error.
///
/// # Errors
///
/// What the panic said.
pub fn caught<T>(call: impl FnOnce() -> T) -> Result<T, Panic> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| {
        let text = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        Panic(text.unwrap_or_else(|| "no message".into()))
    })
}

/// A future whose panic is an error.
#[allow(clippy::exhaustive_structs, missing_debug_implementations)] // for the client, and nobody else
pub struct CatchPanic<T>(pub Pin<Box<dyn Future<Output = T> + Send>>);

impl<T> Future for CatchPanic<T> {
    type Output = Result<T, Panic>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, Panic>> {
        match caught(|| self.0.as_mut().poll(cx)) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }
}
