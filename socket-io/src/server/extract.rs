//! What handlers take as arguments.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use engine_io::Text;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{EmitError, Failure};
use super::socket::Socket;
use super::{Handshake, SocketIo};
use crate::common::{Data, EventName, State};
use crate::protocol::{AckId, DisconnectReason, Event, RawArgs};

/// What a handler is called with.
#[derive(Clone, Debug)]
pub struct Context {
    pub(crate) socket: Socket,
    pub(crate) event: Text,
    pub(crate) args: RawArgs,
    pub(crate) ack: Option<Question>,
    pub(crate) reason: Option<DisconnectReason>,
    /// Bytes of the messages that it came in, which its arguments keep.
    pub(crate) size: usize,
}

impl Context {
    /// For an event of a client's.
    pub(crate) fn new(socket: Socket, event: Event, ack: Option<AckId>, size: usize) -> Self {
        Self {
            socket,
            event: event.name,
            args: event.args,
            ack: ack.map(Question::new),
            reason: None,
            size,
        }
    }

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
/// | [`Auth<T>`] | what the client sent when it joined the namespace |
/// | [`Handshake`] | the request that opened the connection |
/// | [`Params<T>`](crate::Params) | the parameters of the namespace |
/// | [`State<T>`] | state shared by all handlers, given to the builder |
/// | [`SocketData<T>`] | data of the socket, such as what a middleware returned |
/// | [`DisconnectReason`] | why the socket left, in `on_disconnect` |
/// | [`SocketIo`] | the server |
///
/// Each can be wrapped in an `Option`, which is `None` where it would be refused.
pub trait FromContext: Sized {
    /// Whether [`from_context`](Self::from_context) checks the syntax of the event's arguments by reading them all. Where no argument of a handler does, they
    /// are checked before the handler is called, since a client that sends what is no JSON is to be disconnected.
    const READS_ARGS: bool = false;

    /// Takes the value out of the context.
    ///
    /// # Errors
    ///
    /// When it is not there, or of another type; the handler is not called then.
    fn from_context(context: &Context) -> Result<Self, Failure>;
}

/// What breaks the protocol is refused all the same.
impl<T: FromContext> FromContext for Option<T> {
    const READS_ARGS: bool = T::READS_ARGS;

    fn from_context(context: &Context) -> Result<Self, Failure> {
        match T::from_context(context) {
            Ok(value) => Ok(Some(value)),
            Err(failure) if failure.is_violation() => Err(failure),
            Err(_) => Ok(None),
        }
    }
}

impl FromContext for Socket {
    fn from_context(context: &Context) -> Result<Self, Failure> {
        Ok(context.socket.clone())
    }
}

impl FromContext for SocketIo {
    fn from_context(context: &Context) -> Result<Self, Failure> {
        Ok(context.socket.io())
    }
}

impl<T: DeserializeOwned> FromContext for Data<T> {
    const READS_ARGS: bool = true;

    fn from_context(context: &Context) -> Result<Self, Failure> {
        context.args.parse_data().map(Self).map_err(Failure::Args)
    }
}

impl FromContext for RawArgs {
    const READS_ARGS: bool = true;

    fn from_context(context: &Context) -> Result<Self, Failure> {
        context.args.validate().map_err(Failure::Args)?;
        Ok(context.args.clone())
    }
}

impl FromContext for EventName {
    fn from_context(context: &Context) -> Result<Self, Failure> {
        Ok(Self(context.event.clone()))
    }
}

/// What the client sent when it joined the namespace: an object, `{}` when it sent nothing.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs)] // to be taken apart in the argument list
pub struct Auth<T>(pub T);

impl<T: DeserializeOwned> FromContext for Auth<T> {
    fn from_context(context: &Context) -> Result<Self, Failure> {
        context.socket.auth().map(Self).map_err(Failure::Args)
    }
}

impl FromContext for Handshake {
    fn from_context(context: &Context) -> Result<Self, Failure> {
        Ok(context.socket.handshake())
    }
}

impl<T: Send + Sync + 'static> State<T> {
    pub(crate) fn of(io: &SocketIo) -> Result<Self, Failure> {
        let missing = || {
            let name = std::any::type_name::<T>();
            Failure::Missing(format!(
                "no shared state of type {name}: give it to `SocketIo::builder().state(…)`"
            ))
        };
        io.state().map(Self).ok_or_else(missing)
    }
}

impl<T: Send + Sync + 'static> FromContext for State<T> {
    fn from_context(context: &Context) -> Result<Self, Failure> {
        Self::of(&context.socket.connection().io)
    }
}

/// Data of the socket: what a middleware returned or [`Socket::insert_data`] put there.
#[derive(Debug)]
#[allow(clippy::exhaustive_structs)] // to be taken apart in the argument list
pub struct SocketData<T>(pub Arc<T>);

impl<T: Send + Sync + 'static> FromContext for SocketData<T> {
    fn from_context(context: &Context) -> Result<Self, Failure> {
        let missing = || {
            let name = std::any::type_name::<T>();
            Failure::Missing(format!(
                "the socket has no data of type {name}: return it from a middleware, or use `Socket::insert_data`"
            ))
        };
        context.socket.data().map(Self).ok_or_else(missing)
    }
}

impl FromContext for DisconnectReason {
    fn from_context(context: &Context) -> Result<Self, Failure> {
        let missing =
            || Failure::Missing("there is a disconnect reason in `on_disconnect` only".into());
        context.reason.ok_or_else(missing)
    }
}

/// An event that waits for an acknowledgement, which is sent once, whoever of its handlers is first.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) id: AckId,
    answered: Arc<AtomicBool>,
}

impl Question {
    pub(crate) fn new(id: AckId) -> Self {
        Self {
            id,
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
#[derive(Debug)]
pub struct Ack {
    socket: Socket,
    question: Option<Question>,
}

impl Ack {
    /// Whether the client waits for an acknowledgement.
    pub fn is_wanted(&self) -> bool {
        self.question.is_some()
    }

    /// Sends the acknowledgement; nothing happens if none is wanted. As when emitting, a tuple is several arguments and `()` is none.
    ///
    /// # Errors
    ///
    /// As [`Socket::emit`].
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
