//! One Engine.IO session: its packets find their namespaces, in the connection's one task.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker, ready};
use std::time::Duration;

use engine_io::{CloseReason, Message, Revision, Sender, Text};
use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::time::{Instant, Sleep};

use super::SocketIo;
use super::eio3;
use super::error::Failure;
use super::extract::{Context, Question};
use super::handler;
use super::joining::{Joining, Progress};
use super::socket::Socket;
use crate::protocol::{AckId, Decoder, DisconnectReason, Event, Packet};

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

    pub(super) fn socket(&self, namespace: &str) -> Option<Socket> {
        let state = self.state.lock();
        state
            .sockets
            .iter()
            .find(|socket| **socket.namespace().name() == *namespace)
            .cloned()
    }

    /// How many namespaces it has joined.
    pub(super) fn joined(&self) -> usize {
        self.state.lock().sockets.len()
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
    pub(super) engine: engine_io::Socket,
    pub(super) connection: Arc<Connection>,
    decoder: Decoder,
    pub(super) joining: Vec<Joining>,
    /// No namespace was joined yet.
    pub(super) is_new: bool,
    /// Limits the time to the first namespace, and later that of attachments.
    pub(super) timer: Option<Pin<Box<Sleep>>>,
    /// The peer broke the protocol; nothing more is taken from it.
    violated: bool,
}

enum Step {
    Message(Message),
    Progress(Progress),
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
                Step::Progress(progress) => self.go_on(progress),
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

    pub(super) fn is_eio3(&self) -> bool {
        self.engine.revision() == Revision::V3
    }

    fn poll_step(&mut self, cx: &mut TaskContext<'_>) -> Poll<Step> {
        for index in 0..self.joining.len() {
            if let Poll::Ready(progress) = self.joining[index].poll(cx) {
                self.joining.remove(index);
                return Poll::Ready(Step::Progress(progress));
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
    pub(super) fn violate(&mut self, message: &str) {
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
        for socket in self.connection.sockets() {
            socket.leave_namespace(reason);
        }
        for joining in std::mem::take(&mut self.joining) {
            joining.abandon(&self.connection.io, reason);
        }
    }
}

/// A driver that is dropped, as when the runtime ends, still tells its sockets.
impl Drop for Driver {
    fn drop(&mut self) {
        self.leave_all(DisconnectReason::ForcedClose);
    }
}
