//! One Engine.IO session: its packets find their namespaces, in the connection's one task.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker, ready};
use std::time::Duration;

use engine_io::{CloseReason, Message, Revision, Sender, Text};
use parking_lot::Mutex;
use serde::Serialize;
use smallvec::SmallVec;
use tokio::time::{Instant, Sleep};

use super::SocketIo;
use super::candidate::Candidate;
use super::eio3;
use super::error::Failure;
use super::extract::{Context, Question};
use super::handler::{self, CatchPanic, ErasedMiddleware, Panic, caught};
use super::namespace::Namespace;
use super::refusal::Refusal;
use super::socket::Socket;
use crate::protocol::{
    AckId, Decoder, DisconnectReason, EncodeError, Encoded, Event, Packet, RawArgs, RawJson,
};

/// For how long packets for a namespace are ignored after leaving it: they were under way.
const LEFT_GRACE: Duration = Duration::from_secs(10);
/// How many left namespaces are remembered.
const LEFT_LIMIT: usize = 32;

/// What sockets of a connection share.
pub(crate) struct Connection {
    pub(crate) io: SocketIo,
    pub(crate) sender: Sender,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Those that have joined.
    sockets: SmallVec<[Socket; 1]>,
    /// Namespaces that were left a short while ago.
    left: Vec<(Text, Instant)>,
    /// Handlers that wait for something.
    running: usize,
    /// The connection's task, when it waits for one of them to end.
    waker: Option<Waker>,
}

impl State {
    /// A namespace was left in this moment.
    fn remember(&mut self, namespace: &Text) {
        if self.left.len() == LEFT_LIMIT {
            self.left.remove(0);
        }
        self.left.push((namespace.clone(), Instant::now()));
    }
}

impl Connection {
    pub(crate) fn new(io: SocketIo, sender: Sender) -> Self {
        Self {
            io,
            sender,
            state: Mutex::default(),
        }
    }

    pub(crate) fn sockets(&self) -> SmallVec<[Socket; 1]> {
        self.state.lock().sockets.clone()
    }

    pub(crate) fn remove(&self, socket: &Socket) {
        let mut state = self.state.lock();
        let Some(index) = state.sockets.iter().position(|known| known.is(socket)) else {
            return;
        };
        let removed = state.sockets.remove(index);
        state.remember(socket.namespace().name());
        drop(state);
        drop(removed);
    }

    /// Takes the socket in, unless it was told to leave meanwhile. Who tells it afterwards finds it here.
    pub(crate) fn admit(&self, socket: &Socket) -> bool {
        let mut state = self.state.lock();
        let admitted = socket.set_connected();
        if admitted {
            state.sockets.push(socket.clone());
        } else {
            state.remember(socket.namespace().name());
        }
        admitted
    }

    fn socket(&self, namespace: &str) -> Option<Socket> {
        let state = self.state.lock();
        state
            .sockets
            .iter()
            .find(|socket| **socket.namespace().name() == *namespace)
            .cloned()
    }

    fn has_left(&self, namespace: &str) -> bool {
        let mut state = self.state.lock();
        state.left.retain(|(_, left)| left.elapsed() < LEFT_GRACE);
        state.left.iter().any(|(name, _)| **name == *namespace)
    }

    /// Counts a handler until the guard is dropped.
    pub(crate) fn start_handler(self: &Arc<Self>) -> RunningHandler {
        self.state.lock().running += 1;
        RunningHandler(self.clone())
    }

    /// Whether too many handlers are running; if so, the task is woken when one ends.
    fn is_busy(&self, limit: usize, cx: &TaskContext<'_>) -> bool {
        let mut state = self.state.lock();
        let busy = state.running >= limit;
        state.waker = busy.then(|| cx.waker().clone());
        busy
    }
}

pub(crate) struct RunningHandler(Arc<Connection>);

impl Drop for RunningHandler {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.running -= 1;
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The task of a connection.
pub(crate) struct Driver {
    engine: engine_io::Socket,
    connection: Arc<Connection>,
    decoder: Decoder,
    joining: Vec<Joining>,
    /// No namespace was joined yet.
    is_new: bool,
    /// Limits the time to the first namespace, and later that of attachments.
    timer: Option<Pin<Box<Sleep>>>,
    /// The peer broke the protocol; nothing more is taken from it.
    violated: bool,
}

type Pending<T> = Pin<Box<dyn Future<Output = Result<T, Refusal>> + Send>>;

/// A namespace that was asked for.
enum Joining {
    /// It is being looked for, or made.
    Namespace(Candidate, Pending<Namespace>),
    /// Its middlewares run.
    Middlewares(Socket, Pending<()>),
}

impl Joining {
    fn name(&self) -> &Text {
        match self {
            Self::Namespace(candidate, _) => candidate.name(),
            Self::Middlewares(socket, _) => socket.namespace().name(),
        }
    }

    fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<Step> {
        match self {
            Self::Namespace(candidate, found) => {
                let found = ready!(found.as_mut().poll(cx));
                Poll::Ready(Step::Found(candidate.clone(), found))
            }
            Self::Middlewares(socket, passed) => {
                let passed = ready!(passed.as_mut().poll(cx));
                Poll::Ready(Step::Joined(socket.clone(), passed))
            }
        }
    }
}

enum Step {
    Message(Message),
    Found(Candidate, Result<Namespace, Refusal>),
    Joined(Socket, Result<(), Refusal>),
    TimeUp,
    Closed,
}

impl Driver {
    pub(crate) fn new(io: SocketIo, engine: engine_io::Socket) -> Self {
        let timer = Box::pin(tokio::time::sleep(io.config().connect_timeout));
        let decoder = io.config().parser.decoder(io.config().decoder);
        let connection = Connection::new(io, engine.sender());
        Self {
            engine,
            connection: Arc::new(connection),
            decoder,
            joining: Vec::new(),
            is_new: true,
            timer: Some(timer),
            violated: false,
        }
    }

    pub(crate) async fn run(mut self) {
        if self.is_eio3() {
            self.join(&Text::from_static("/"), None);
        }
        loop {
            match poll_fn(|cx| self.poll_step(cx)).await {
                Step::Message(message) => self.handle_message(message),
                Step::Found(candidate, Ok(namespace)) => self.enter(candidate, namespace),
                Step::Found(candidate, Err(refusal)) => self.refuse(candidate.name(), &refusal),
                Step::Joined(socket, result) => self.finish_join(&socket, result),
                Step::TimeUp => self.handle_time_up(),
                Step::Closed => break,
            }
        }
        let reason = match self.engine.close_reason() {
            Some(CloseReason::ParseError) => DisconnectReason::ParseError,
            Some(CloseReason::PingTimeout) => DisconnectReason::PingTimeout,
            Some(CloseReason::TransportClose) => DisconnectReason::TransportClose,
            Some(CloseReason::TransportError) => DisconnectReason::TransportError,
            // It joined while the others were told.
            _ if self.connection.io.is_closed() => DisconnectReason::ServerShuttingDown,
            _ => DisconnectReason::ForcedClose,
        };
        self.leave_all(reason);
    }

    fn is_eio3(&self) -> bool {
        self.engine.revision() == Revision::V3
    }

    fn poll_step(&mut self, cx: &mut TaskContext<'_>) -> Poll<Step> {
        for index in 0..self.joining.len() {
            if let Poll::Ready(step) = self.joining[index].poll(cx) {
                self.joining.remove(index);
                return Poll::Ready(step);
            }
        }
        if let Some(timer) = &mut self.timer {
            if timer.as_mut().poll(cx).is_ready() {
                self.timer = None;
                return Poll::Ready(Step::TimeUp);
            }
        }
        if self
            .connection
            .is_busy(self.connection.io.config().max_handlers, cx)
        {
            ready!(self.engine.poll_drive(cx));
            return Poll::Ready(Step::Closed);
        }
        Poll::Ready(match ready!(self.engine.poll_recv(cx)) {
            Some(message) => Step::Message(message),
            None => Step::Closed,
        })
    }

    fn handle_message(&mut self, message: Message) {
        if self.violated {
            return;
        }
        match self.decoder.handle(message) {
            Ok(Some(packet)) => self.handle_packet(packet),
            Ok(None) => {}
            Err(error) => self.violate(&error.to_string()),
        }
        if self.is_new {
            return;
        }
        match (self.decoder.awaiting(), &self.timer) {
            (true, None) => {
                let time = self.connection.io.config().attachment_timeout;
                self.timer = Some(Box::pin(tokio::time::sleep(time)));
            }
            (false, Some(_)) => self.timer = None,
            _ => {}
        }
    }

    /// The one match over the packets of a client.
    fn handle_packet(&mut self, packet: Packet) {
        match packet {
            Packet::Connect { namespace, .. } if self.is_eio3() => {
                let name = namespace.slice_ref(eio3::namespace(&namespace));
                self.join(&name, eio3::auth(&namespace));
            }
            Packet::Connect { namespace, auth } => self.join(&namespace, auth),
            Packet::Disconnect { namespace } => {
                if let Some(socket) = self.member(&namespace) {
                    socket.leave_namespace(DisconnectReason::ClientNamespaceDisconnect);
                }
            }
            Packet::Event {
                namespace,
                ack,
                event,
            } => {
                if let Some(socket) = self.member(&namespace) {
                    self.dispatch(&socket, event, ack);
                }
            }
            Packet::Ack {
                namespace,
                id,
                args,
            } => {
                if let Err(error) = args.validate() {
                    self.violate(&error.to_string());
                } else if let Some(socket) = self.member(&namespace) {
                    socket.handle_ack(id, args);
                }
            }
            Packet::Ignored { namespace } => drop(self.member(&namespace)),
            Packet::ConnectError { .. } => self.violate("connect error from a client"),
        }
    }

    /// The socket that a packet is for. It is a violation to send one without having joined, but not shortly after leaving.
    fn member(&mut self, namespace: &str) -> Option<Socket> {
        let namespace = if self.is_eio3() {
            eio3::namespace(namespace)
        } else {
            namespace
        };
        let socket = self.connection.socket(namespace);
        if socket.is_none() && !self.connection.has_left(namespace) {
            self.violate("packet for a namespace that was not joined");
        }
        socket
    }

    fn dispatch(&mut self, socket: &Socket, event: Event, ack: Option<AckId>) {
        let (any, named) = socket.namespace().event_handlers(&event.name);
        let named = named.unwrap_or_default();
        if any.is_empty() && named.is_empty() {
            // Nobody reads the arguments, but what is no JSON still ends the connection.
            if let Err(error) = event.args.validate() {
                self.violate(&error.to_string());
            }
            return;
        }
        let context = Context {
            socket: socket.clone(),
            event: event.name,
            args: event.args,
            ack: ack.map(Question::new),
            reason: None,
        };
        for handler in any.iter().chain(named.iter()) {
            if !socket.is_connected() {
                return;
            }
            if let Err(failure) = handler::run(handler, context.clone()) {
                let message = match failure {
                    Failure::Args(error) => error.to_string(),
                    other => format!("{other:?}"),
                };
                return self.violate(&message);
            }
        }
    }

    // Joining.

    fn join(&mut self, name: &Text, auth: Option<RawJson>) {
        let pending = self.joining.iter().any(|joining| joining.name() == name);
        if pending || self.connection.socket(name).is_some() {
            return self.violate("namespace joined twice");
        }
        let io = &self.connection.io;
        let config = io.config();
        let joined = self.connection.state.lock().sockets.len();
        if joined + self.joining.len() >= config.max_namespaces
            || self.joining.len() >= config.max_joining
        {
            return self.refuse(name, &Refusal::new("too many namespaces"));
        }
        let id = if self.is_eio3() {
            Ok(eio3::socket_id(name, self.engine.sid()))
        } else {
            io.next_id()
        };
        let id = match id {
            Ok(id) => id,
            Err(refusal) => return self.refuse(name, &refusal),
        };
        // Slices of the message would keep all of it in memory.
        let auth = auth.and_then(|auth| RawJson::new(auth.as_str().into()).ok());
        let mut candidate = Candidate {
            name: name.clone(),
            id,
            auth,
            connection: self.connection.clone(),
        };
        match io.enter(name) {
            Some(namespace) => self.enter(candidate, namespace),
            None => {
                candidate.name = Text::from(&**name);
                let found = Box::pin(io.clone().settle(candidate.clone()));
                self.joining.push(Joining::Namespace(candidate, found));
            }
        }
    }

    fn enter(&mut self, candidate: Candidate, namespace: Namespace) {
        let middlewares = namespace.middlewares();
        let socket = Socket::new(
            candidate.id,
            namespace,
            candidate.connection,
            candidate.auth,
            self.connection.io.config().max_acks,
        );
        if middlewares.is_empty() {
            return self.finish_join(&socket, Ok(()));
        }
        let context = Context {
            socket: socket.clone(),
            event: Text::from_static("connection"),
            args: RawArgs::empty(),
            ack: None,
            reason: None,
        };
        let passed = Box::pin(run_middlewares(middlewares, context));
        self.joining.push(Joining::Middlewares(socket, passed));
    }

    fn finish_join(&mut self, socket: &Socket, result: Result<(), Refusal>) {
        if let Err(refusal) = result {
            socket.leave_namespace(DisconnectReason::ServerNamespaceDisconnect);
            let name = socket.namespace().name();
            return if self.is_eio3() {
                let parser = &self.connection.io.config().parser;
                let packet = parser.encode_error_eio3(name, &eio3::payload(&refusal));
                self.send_refusal(name, &refusal, packet)
            } else {
                self.refuse(name, &refusal)
            };
        }
        #[derive(Serialize)]
        struct Joined<'a> {
            sid: &'a str,
        }
        // Old clients know their ids.
        let joined = (!self.is_eio3()).then(|| Joined { sid: socket.id() });
        let parser = &self.connection.io.config().parser;
        let packet = parser.encode_connect(socket.namespace().name(), joined.as_ref());
        let sent = packet.is_ok_and(|packet| socket.send(&packet).is_ok());
        if !sent {
            // The connection is closing, or a middleware has disconnected the socket.
            return socket.leave_namespace(DisconnectReason::ForcedClose);
        }
        if !self.connection.admit(socket) {
            // Somebody has disconnected it in this moment, and what told the client may have left before the confirmation.
            return socket.say_goodbye();
        }
        self.is_new = false;
        self.timer = None;
        socket.enter_namespace();
        tracing::debug!(socket = %socket.id(), namespace = %socket.namespace().name(), "connected");
        let context = || Context {
            socket: socket.clone(),
            event: Text::from_static("connection"),
            args: RawArgs::empty(),
            ack: None,
            reason: None,
        };
        socket.run_handlers(&socket.namespace().connect_handlers(), context);
    }

    fn refuse(&mut self, namespace: &str, refusal: &Refusal) {
        let parser = &self.connection.io.config().parser;
        let packet = parser.encode_connect_error(namespace, refusal);
        self.send_refusal(namespace, refusal, packet);
    }

    fn send_refusal(
        &mut self,
        namespace: &str,
        refusal: &Refusal,
        packet: Result<Encoded, EncodeError>,
    ) {
        tracing::debug!(%namespace, %refusal, "namespace refused");
        match packet {
            // A full outbox or a closing connection: the peer has other worries.
            Ok(packet) => drop(self.connection.sender.send_frames(packet.frames())),
            Err(error) => self.violate(&error.to_string()),
        }
    }

    // The end.

    fn handle_time_up(&mut self) {
        if self.is_new {
            tracing::debug!("no namespace joined in time");
            self.violated = true;
            self.connection.sender.close();
        } else {
            self.violate("attachments did not arrive in time");
        }
    }

    /// The peer broke the protocol: its connection is closed, with all its namespaces.
    fn violate(&mut self, message: &str) {
        if std::mem::replace(&mut self.violated, true) {
            return;
        }
        tracing::debug!(message, "protocol violation");
        for socket in self.connection.sockets() {
            socket.report(
                Text::from_static("error"),
                Failure::Protocol(message.to_owned()),
            );
        }
        self.connection.sender.close();
        self.leave_all(DisconnectReason::ForcedClose);
    }

    fn leave_all(&mut self, reason: DisconnectReason) {
        let joining = std::mem::take(&mut self.joining);
        let joining = joining.into_iter().filter_map(|joining| match joining {
            Joining::Middlewares(socket, _) => Some(socket),
            Joining::Namespace(..) => None,
        });
        for socket in self.connection.sockets().into_iter().chain(joining) {
            socket.leave_namespace(reason);
        }
    }
}

/// A driver that is dropped, as when the runtime ends, still tells its sockets.
impl Drop for Driver {
    fn drop(&mut self) {
        self.leave_all(DisconnectReason::ForcedClose);
    }
}

async fn run_middlewares(
    middlewares: Arc<[ErasedMiddleware]>,
    context: Context,
) -> Result<(), Refusal> {
    // The peer learns nothing of what is no fault of its own but that it happened.
    let internal = |failure| {
        context.socket.report(context.event.clone(), failure);
        Refusal::new("internal error")
    };
    let panicked = |panic: Panic| internal(panic.into());
    for middleware in middlewares.iter() {
        let future = match caught(|| middleware(context.clone())).map_err(panicked)? {
            Ok(future) => future,
            Err(Failure::Args(error)) => return Err(Refusal::new(error.to_string())),
            Err(Failure::Params(error)) if error.is_clients() => return Err(error.into()),
            Err(failure) => return Err(internal(failure)),
        };
        CatchPanic(future).await.map_err(panicked)??;
    }
    Ok(())
}
