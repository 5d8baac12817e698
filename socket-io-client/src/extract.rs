//! What handlers take as arguments.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use engine_io::Text;
use serde::Serialize;
use serde::de::DeserializeOwned;
use socket_io::protocol::AckId;
use socket_io::{Data, DisconnectReason, EventName, RawArgs, State};

use crate::error::{ConnectError, EmitError, Failure};
use crate::socket::Socket;

/// What a handler is called with.
#[derive(Clone, Debug)]
pub struct Context {
    pub(crate) socket: Socket,
    pub(crate) event: Text,
    pub(crate) args: RawArgs,
    pub(crate) ack: Option<Question>,
    pub(crate) reason: Option<DisconnectReason>,
    pub(crate) error: Option<ConnectError>,
}

impl Context {
    /// The socket.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// The name of the event.
    pub fn event(&self) -> &Text {
        &self.event
    }

    /// The arguments of the event.
    pub fn args(&self) -> &RawArgs {
        &self.args
    }
}

/// A type that handlers can take as an argument.
///
/// | argument | what it is |
/// |---|---|
/// | [`Socket`] | the socket |
/// | [`Data<T>`] | the arguments of the event: several for a tuple, none for `()`, one for every other type |
/// | [`RawArgs`] | the arguments unparsed, to be passed on |
/// | [`EventName`] | the name of the event |
/// | [`Ack`] | the acknowledgement, to be sent by hand |
/// | [`State<T>`] | state shared by all handlers, given to the builder of the manager |
/// | [`DisconnectReason`] | why the socket left, in `on_disconnect` |
/// | [`ConnectError`] | why it has not joined, in `on_connect_error` |
///
/// Each can be wrapped in an `Option`, which is `None` where it would be refused.
pub trait FromContext: Sized {
    /// Takes the value out of the context.
    ///
    /// # Errors
    ///
    /// When it is not there, or of another type; the handler is not called then.
    fn from_context(context: &Context) -> Result<Self, Failure>;
}

impl<T: FromContext> FromContext for Option<T> {
    fn from_context(context: &Context) -> Result<Self, Failure> {
        Ok(T::from_context(context).ok())
    }
}

impl FromContext for Socket {
    fn from_context(context: &Context) -> Result<Self, Failure> {
        Ok(context.socket.clone())
    }
}

impl<T: DeserializeOwned> FromContext for Data<T> {
    fn from_context(context: &Context) -> Result<Self, Failure> {
        context.args.parse_data().map(Self).map_err(Failure::Args)
    }
}

impl FromContext for RawArgs {
    fn from_context(context: &Context) -> Result<Self, Failure> {
        Ok(context.args.clone())
    }
}

impl FromContext for EventName {
    fn from_context(context: &Context) -> Result<Self, Failure> {
        Ok(Self(context.event.clone()))
    }
}

impl<T: Send + Sync + 'static> FromContext for State<T> {
    fn from_context(context: &Context) -> Result<Self, Failure> {
        let missing = || {
            let name = std::any::type_name::<T>();
            Failure::Missing(format!(
                "no shared state of type {name}: give it to `ManagerBuilder::state`"
            ))
        };
        context.socket.state().map(Self).ok_or_else(missing)
    }
}

impl FromContext for DisconnectReason {
    fn from_context(context: &Context) -> Result<Self, Failure> {
        let missing =
            || Failure::Missing("there is a disconnect reason in `on_disconnect` only".into());
        context.reason.ok_or_else(missing)
    }
}

impl FromContext for ConnectError {
    fn from_context(context: &Context) -> Result<Self, Failure> {
        let missing =
            || Failure::Missing("there is a connect error in `on_connect_error` only".into());
        context.error.clone().ok_or_else(missing)
    }
}

/// An event that waits for an acknowledgement, which is sent once, whoever of its handlers is first, and over the connection that the event came over.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) id: AckId,
    pub(crate) epoch: u64,
    answered: Arc<AtomicBool>,
}

impl Question {
    pub(crate) fn new(id: AckId, epoch: u64) -> Self {
        Self {
            id,
            epoch,
            answered: Arc::default(),
        }
    }

    /// True for the one who may answer.
    pub(crate) fn take(&self) -> bool {
        !self.answered.swap(true, Ordering::AcqRel)
    }
}

/// The acknowledgement of an event, for handlers that send it themselves: later, from elsewhere, or never. Such a handler returns nothing.
///
/// An event is acknowledged once: if another handler of the same event was first, nothing is sent.
#[derive(Clone, Debug)]
pub struct Ack {
    pub(crate) socket: Socket,
    pub(crate) question: Option<Question>,
}

impl Ack {
    /// Whether the server waits for an acknowledgement.
    pub fn is_wanted(&self) -> bool {
        self.question.is_some()
    }

    /// Sends the acknowledgement; nothing happens if none is wanted. As when emitting, a tuple is several arguments and `()` is none.
    ///
    /// # Errors
    ///
    /// [`EmitError::Encode`], [`EmitError::Full`], and [`EmitError::Disconnected`] when the connection that the event came over has ended: the server
    /// does not wait any more, and on a new connection the same id would mean another event.
    pub fn send(self, data: &(impl Serialize + ?Sized)) -> Result<(), EmitError> {
        match &self.question {
            Some(question) => self.socket.acknowledge(question, data),
            None => Ok(()),
        }
    }
}

impl FromContext for Ack {
    fn from_context(context: &Context) -> Result<Self, Failure> {
        Ok(Self {
            socket: context.socket.clone(),
            question: context.ack.clone(),
        })
    }
}
