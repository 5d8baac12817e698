//! One Engine.IO session: its packets find their namespaces, in the connection's one task.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker, ready};

use engine_io::{CloseReason, Message, Revision, Text};
use tokio::time::{Instant, Sleep};

use super::SocketIo;
use super::connection::{Connection, earlier};
use super::eio3;
use super::error::Failure;
use super::extract::Context;
use super::handler;
use super::handlers::{Callee, EventCallees, Handlers};
use super::inbox::{Inbox, Screening, Turn};
use super::joining::{Joining, Progress};
use super::limit::Budgets;
use super::log::Brief;
use super::socket::Socket;
use crate::protocol::{Decoder, DisconnectReason, Packet};

/// Messages that a connection handles at a time, before others have their turn.
const TURN: usize = 1024;

/// The task of a connection. It is a future by itself, and not an `async fn`, which would keep room for it twice.
pub(crate) struct Driver {
    pub(super) engine: engine_io::Socket,
    pub(super) connection: Arc<Connection>,
    decoder: Decoder,
    pub(super) joining: Vec<Joining>,
    /// Events that wait.
    inbox: Option<Box<Inbox>>,
    /// What is left of the limits on what it may send.
    pub(super) budgets: Option<Box<Budgets>>,
    /// Bytes of the messages of the packet that is arriving.
    arrived: usize,
    /// The one that the last event was for, so that it need not be looked for.
    current: Option<Socket>,
    /// It was polled before.
    has_begun: bool,
    /// What the connection's state and the clock say is to be asked anew.
    pub(super) looks: bool,
    /// No namespace was joined yet.
    pub(super) is_new: bool,
    /// Too many handlers are running.
    is_busy: bool,
    /// Limits the time to the first namespace, and later that of attachments.
    pub(super) deadline: Option<Instant>,
    /// Fires at the deadline or when an authorization ends, whichever comes first.
    timer: Option<Pin<Box<Sleep>>>,
    /// The peer broke the protocol; nothing more is taken from it.
    violated: bool,
}

impl Driver {
    pub(crate) fn new(io: SocketIo, engine: engine_io::Socket) -> Self {
        let deadline = Instant::now().checked_add(io.config().connect_timeout);
        let decoder = io.config().parser.decoder(io.config().decoder);
        let connection = Connection::new(io, engine.sender());
        Self {
            engine,
            connection: Arc::new(connection),
            decoder,
            joining: Vec::new(),
            inbox: None,
            budgets: None,
            arrived: 0,
            current: None,
            has_begun: false,
            looks: true,
            is_new: true,
            is_busy: false,
            deadline,
            timer: None,
            violated: false,
        }
    }

    /// Why its sockets leave, now that the engine's is closed.
    fn reason(&self) -> DisconnectReason {
        match self.engine.close_reason() {
            Some(CloseReason::ParseError) => DisconnectReason::ParseError,
            Some(CloseReason::PingTimeout) => DisconnectReason::PingTimeout,
            Some(CloseReason::TransportClose) => DisconnectReason::TransportClose,
            Some(CloseReason::TransportError) => DisconnectReason::TransportError,
            // The server drains, or the socket joined while the others were told.
            _ if self.connection.io.is_shutting_down() => DisconnectReason::ServerShuttingDown,
            _ => DisconnectReason::ForcedClose,
        }
    }

    pub(super) fn is_eio3(&self) -> bool {
        self.engine.revision() == Revision::V3
    }

    /// The next message, with everything done that comes before it; `None` when the connection is closed.
    fn poll_message(
        &mut self,
        cx: &mut TaskContext<'_>,
        handlers: &mut Option<Arc<Handlers>>,
    ) -> Poll<Option<Message>> {
        loop {
            if let Some(progress) = self.poll_joining(cx) {
                self.go_on(progress);
                self.looks = true;
                continue;
            }
            // Once for all messages that have arrived together, unless something changes meanwhile.
            if self.looks || self.connection.has_changed() {
                let (is_busy, expiry) = self.connection.poll_state(cx);
                self.is_busy = is_busy;
                let deadline = earlier(self.deadline, expiry);
                if poll_timer(&mut self.timer, deadline, cx).is_ready() {
                    self.handle_time_up();
                    self.looks = true;
                    continue;
                }
                self.looks = false;
            }
            if let Some(inbox) = &mut self.inbox {
                if let Some(turn) = inbox.poll(cx, self.is_busy) {
                    self.handle_turn(turn, handlers);
                    self.looks = true;
                    continue;
                }
                if inbox.is_full(self.connection.io.config().inbox_limit) {
                    ready!(self.engine.poll_drive(cx));
                    return Poll::Ready(None);
                }
                if inbox.is_empty() {
                    self.inbox = None;
                }
            }
            return self.engine.poll_recv(cx);
        }
    }

    /// A namespace that need not be waited for any longer.
    fn poll_joining(&mut self, cx: &mut TaskContext<'_>) -> Option<Progress> {
        for index in 0..self.joining.len() {
            if let Poll::Ready(progress) = self.joining[index].poll(cx) {
                self.joining.remove(index);
                if self.joining.is_empty() {
                    // Most connections do not join another namespace.
                    self.joining = Vec::new();
                }
                return Some(progress);
            }
        }
        None
    }

    fn handle_message(&mut self, message: Message, handlers: &mut Option<Arc<Handlers>>) {
        if self.violated {
            return;
        }
        self.arrived += message.len();
        match self.decoder.handle(message) {
            Ok(Some(packet)) => {
                let size = std::mem::take(&mut self.arrived);
                self.handle_packet(packet, size, handlers);
            }
            Ok(None) => {}
            Err(error) => self.violate(&error.to_string()),
        }
        self.limit_attachments();
    }

    /// Attachments that are awaited have so much time from now on, if they had no limit yet. Before the first namespace there is another one.
    pub(super) fn limit_attachments(&mut self) {
        if self.is_new || self.decoder.awaiting() == self.deadline.is_some() {
            return;
        }
        self.looks = true;
        self.deadline = if self.deadline.is_some() {
            None
        } else {
            Instant::now().checked_add(self.connection.io.config().attachment_timeout)
        };
    }

    /// The one match over the packets of a client; this one came in messages of `size` bytes together.
    fn handle_packet(&mut self, packet: Packet, size: usize, handlers: &mut Option<Arc<Handlers>>) {
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
                let Some(socket) = self.member(&namespace) else {
                    return;
                };
                let context = Context::new(socket, event, ack, size);
                if !self.admits(&context) {
                    return;
                }
                let inbox = self.inbox.as_ref();
                if self.is_busy || inbox.is_some_and(|inbox| inbox.holds(&context.socket)) {
                    self.inbox.get_or_insert_default().push(context);
                } else {
                    self.dispatch(context, handlers);
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
        let current = self.current.take();
        let current = current
            .filter(|socket| **socket.namespace().name() == *namespace && socket.is_connected());
        let socket = current.or_else(|| self.connection.socket(namespace));
        if socket.is_none() && !self.connection.has_left(namespace) {
            self.violate("packet for a namespace that was not joined");
        }
        socket.filter(is_heard)
    }

    fn handle_turn(&mut self, turn: Turn, handlers: &mut Option<Arc<Handlers>>) {
        match turn {
            Turn::Next(context) => {
                if is_heard(&context.socket) {
                    self.dispatch(context, handlers);
                }
            }
            Turn::Screened(screening, result) => self.finish_screening(screening, result),
        }
    }

    fn dispatch(&mut self, context: Context, handlers: &mut Option<Arc<Handlers>>) {
        if context.socket.registry().is_none() {
            let registry = context.socket.namespace().registry();
            let known = handlers.take().filter(|handlers| registry.has(handlers));
            let known = &**handlers.insert(known.unwrap_or_else(|| registry.handlers()));
            let callees = known.callees(registry, &context.event);
            let called = callees.map(|callees| self.run_all(callees, &context));
            if called.is_some() {
                self.current = Some(context.socket).filter(Socket::is_connected);
                return;
            }
        }
        let EventCallees {
            any,
            middlewares,
            named,
        } = context.socket.event_callees(&context.event);
        if any.is_empty() && named.is_empty() && middlewares.is_none() {
            // Nobody reads the arguments, but what is no JSON still ends the connection.
            if let Err(error) = context.args.validate() {
                self.violate(&error.to_string());
            }
            return;
        }
        self.run_all(any.iter(&context.socket), &context);
        let Some(middlewares) = middlewares else {
            return self.run_all(named.iter(&context.socket), &context);
        };
        if !is_heard(&context.socket) {
            return;
        }
        let mut screening = Screening::new(context, middlewares, named);
        match screening.poll(&mut TaskContext::from_waker(Waker::noop())) {
            Poll::Ready(result) => self.finish_screening(screening, result),
            Poll::Pending => {
                let inbox = self.inbox.get_or_insert_default();
                inbox.screen(screening);
            }
        }
    }

    /// The middlewares are done with an event.
    fn finish_screening(&mut self, screening: Screening, result: Result<(), Failure>) {
        let context = screening.context;
        match result {
            Ok(()) => self.run_all(screening.handlers.iter(&context.socket), &context),
            Err(failure) if failure.is_violation() => self.violate_by(&failure),
            Err(failure) => {
                handler::fail(&context, failure);
            }
        }
    }

    fn run_all<'a>(&mut self, callees: impl Iterator<Item = Callee<'a>>, context: &Context) {
        for callee in callees {
            if !is_heard(&context.socket) {
                return;
            }
            let Some(handler) = callee.claim() else {
                continue;
            };
            if let Err(failure) = handler::run(handler, context) {
                return self.violate_by(&failure);
            }
        }
    }

    // The end.

    fn handle_time_up(&mut self) {
        for socket in self.connection.expired() {
            socket.expire();
        }
        if self
            .deadline
            .is_none_or(|deadline| Instant::now() < deadline)
        {
            return;
        }
        self.deadline = None;
        if self.is_new {
            tracing::debug!(name: "connect_timeout", target: "socket_io", connection = self.engine.number());
            self.violated = true;
            self.connection.sender.close();
        } else {
            self.violate("attachments did not arrive in time");
        }
    }

    /// The arguments of an event are none.
    fn violate_by(&mut self, failure: &Failure) {
        match failure {
            Failure::Args(error) => self.violate(&error.to_string()),
            other => self.violate(&format!("{other:?}")),
        }
    }

    /// The peer broke the protocol: its connection is closed, with all its namespaces.
    pub(super) fn violate(&mut self, message: &str) {
        if std::mem::replace(&mut self.violated, true) {
            return;
        }
        tracing::debug!(
            name: "violation",
            target: "socket_io",
            connection = self.engine.number(),
            reason = %Brief(message),
        );
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

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let this = self.get_mut();
        if !std::mem::replace(&mut this.has_begun, true) && this.is_eio3() {
            this.join(&Text::from_static("/"), None);
        }
        if this
            .current
            .as_ref()
            .is_some_and(|socket| !socket.is_connected())
        {
            this.current = None;
        }
        this.looks = true;
        // Those of the namespace that the last event was for, as long as events come one upon the other.
        let mut handlers = None;
        let mut left = TURN;
        loop {
            if left == 0 {
                // Others have waited for long enough.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let Some(message) = ready!(this.poll_message(cx, &mut handlers)) else {
                break;
            };
            left -= 1;
            this.handle_message(message, &mut handlers);
        }
        this.leave_all(this.reason());
        Poll::Ready(())
    }
}

/// A driver that is dropped, as when the runtime ends, still tells its sockets.
impl Drop for Driver {
    fn drop(&mut self) {
        self.leave_all(DisconnectReason::ForcedClose);
        // Before the engine hears of it, so that nobody who waits for the last connection misses its handlers.
        self.connection.finish();
        self.connection.forget_task();
    }
}

/// Whether packets of the socket still count. One whose authorization has expired leaves here.
fn is_heard(socket: &Socket) -> bool {
    if socket.has_expired() {
        socket.expire();
    }
    socket.is_connected()
}

/// Ready when the deadline has passed. Without one there is no timer.
fn poll_timer(
    timer: &mut Option<Pin<Box<Sleep>>>,
    deadline: Option<Instant>,
    cx: &mut TaskContext<'_>,
) -> Poll<()> {
    let Some(deadline) = deadline else {
        *timer = None;
        return Poll::Pending;
    };
    let timer = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
    if timer.deadline() != deadline {
        timer.as_mut().reset(deadline);
    }
    timer.as_mut().poll(cx)
}
