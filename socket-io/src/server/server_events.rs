//! Events between the servers of a cluster, which no client sees.

use std::future::Future;
use std::sync::Arc;

use engine_io::Text;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use super::ack::{BroadcastAcks, RemoteAnswers};
use super::error::{EmitError, Failure, HandlerError};
use super::handler::BoxFuture;
use super::namespace::Namespace;
use crate::panic::{CatchPanic, Panic, caught};
use crate::protocol::{ArgsError, EncodeError, Event, RawArgs};

/// A handler whose types are forgotten.
pub(crate) type ErasedServerHandler = Arc<
    dyn Fn(&RawArgs) -> Result<BoxFuture<Result<RawArgs, EncodeError>>, ArgsError> + Send + Sync,
>;

pub(crate) fn erase<T, Fut>(
    handler: impl Fn(T) -> Fut + Send + Sync + 'static,
) -> ErasedServerHandler
where
    T: DeserializeOwned,
    Fut: Future + Send + 'static,
    Fut::Output: Serialize + Send,
{
    Arc::new(move |args| {
        let future = handler(args.parse_data()?);
        Ok(Box::pin(
            async move { RawArgs::from_data(&(future.await,)) },
        ))
    })
}

/// Whether servers may not send an event of that name, because the original gives it a meaning of its own.
fn is_reserved(event: &str) -> bool {
    matches!(event, "connect" | "connection" | "new_namespace")
}

impl Namespace {
    /// Called for each event of that name that another server of the cluster sends with [`server_side_emit`](Self::server_side_emit). The handler takes the
    /// arguments as one type, as [`Data`](crate::Data) does, and what it returns is the answer, if one is wanted. Several handlers run one after the other, and
    /// the answer is that of the first which does not fail.
    ///
    /// ```
    /// # let io = socket_io::SocketIo::builder().build();
    /// io.of("/").on_server_event("sum", async |(a, b): (i64, i64)| a + b);
    /// ```
    ///
    /// # Panics
    ///
    /// If the name is reserved: `connect`, `connection`, `new_namespace`.
    pub fn on_server_event<T, Fut>(
        self,
        event: &str,
        handler: impl Fn(T) -> Fut + Send + Sync + 'static,
    ) -> Self
    where
        T: DeserializeOwned,
        Fut: Future + Send + 'static,
        Fut::Output: Serialize + Send,
    {
        assert!(
            !is_reserved(event),
            "no server can send the reserved event {event:?}"
        );
        self.own_registry().add_server_event(event, erase(handler));
        self
    }

    /// Sends an event to the other servers of the cluster, whose handlers are those given to [`on_server_event`](Self::on_server_event). With the adapter in
    /// memory there are no others.
    ///
    /// ```
    /// # fn example(io: socket_io::SocketIo) -> Result<(), socket_io::EmitError> {
    /// io.of("/").server_side_emit("reload", "settings")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`EmitError::Encode`] when the data or the name cannot be sent.
    pub fn server_side_emit(
        &self,
        event: &str,
        data: &(impl Serialize + ?Sized),
    ) -> Result<(), EmitError> {
        let event = server_event(event, data)?;
        self.adapter().server_side_emit(&event, None);
        Ok(())
    }

    /// Sends an event to the other servers of the cluster and collects their answers as `R`, as [`Broadcast::emit_with_ack`](crate::Broadcast::emit_with_ack)
    /// does those of clients: each server is one that answers, and one that does not within [`server_timeout`](crate::SocketIoBuilder::server_timeout) is
    /// missing. Without other servers there is nothing to wait for.
    ///
    /// ```no_run
    /// # async fn example(io: socket_io::SocketIo) -> Result<(), socket_io::EmitError> {
    /// let loads = io.of("/").server_side_emit_with_ack::<f64>("load?", &()).await?;
    /// println!("{:?}, and {} servers without an answer", loads.answers, loads.missing.len());
    /// # Ok(())
    /// # }
    /// ```
    pub fn server_side_emit_with_ack<R: DeserializeOwned>(
        &self,
        event: &str,
        data: &(impl Serialize + ?Sized),
    ) -> BroadcastAcks<R> {
        let event = match server_event(event, data) {
            Ok(event) => event,
            Err(error) => return BroadcastAcks::failed(error.into()),
        };
        let (sender, answers) = mpsc::unbounded_channel();
        let time = self.config().server_timeout;
        let remote = RemoteAnswers::new(sender, time);
        self.adapter().server_side_emit(&event, Some(remote));
        BroadcastAcks::new(None, Vec::new(), answers, time)
    }

    /// For adapters: runs the handlers for an event that another server sent, and resolves to the answer, which is one argument; `None` if there is no handler
    /// or it failed. Nothing happens before the future is polled; dropping it stops the handlers.
    pub async fn receive_server_event(&self, event: &str, args: RawArgs) -> Option<RawArgs> {
        let handlers = self.registry().server_event(event)?;
        let mut answer = None;
        for handler in handlers.iter() {
            match run(handler, &args).await {
                Ok(reply) => {
                    answer.get_or_insert(reply);
                }
                Err(failure) => {
                    let error = HandlerError {
                        namespace: self.name().clone(),
                        socket: None,
                        event: Text::from(event),
                        failure,
                    };
                    self.config().report(None, &error);
                }
            }
        }
        answer
    }
}

async fn run(handler: &ErasedServerHandler, args: &RawArgs) -> Result<RawArgs, Failure> {
    let future = match caught(|| handler(args)) {
        Ok(started) => started.map_err(Failure::Args)?,
        Err(Panic(message)) => return Err(Failure::Panicked(message)),
    };
    match CatchPanic(future).await {
        Ok(reply) => reply.map_err(|error| Failure::Reply(error.into())),
        Err(Panic(message)) => Err(Failure::Panicked(message)),
    }
}

fn server_event(name: &str, data: &(impl Serialize + ?Sized)) -> Result<Event, EncodeError> {
    if is_reserved(name) {
        return Err(EncodeError::ReservedEvent { name: name.into() });
    }
    Ok(Event {
        name: name.into(),
        numeric: false,
        args: RawArgs::from_data(data)?,
    })
}
