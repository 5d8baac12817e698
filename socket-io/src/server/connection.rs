//! One Engine.IO session: its packets find their namespaces, in the connection's one task.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context as TaskContext, Poll, Waker, ready};
use std::time::Duration;

use engine_io::{CloseReason, Message, Revision, Sender, Text};
use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::time::{Instant, Sleep};

use super::SocketIo;
use super::eio3;
use super::error::Failure;
use super::extract::Context;
use super::handler;
use super::handlers::{Callee, EventCallees, Handlers};
use super::inbox::{Arrival, Inbox, Screening, Turn};
use super::joining::{Joining, Progress};
use super::limit::Budgets;
use super::log::Brief;
use super::socket::Socket;
use crate::protocol::{Decoder, DisconnectReason, Packet};

/// Messages that a connection handles at a time, before others have their turn.
const TURN: usize = 1024;
/// For how long packets for a namespace are ignored after leaving it: they were under way.
const LEFT_GRACE: Duration = Duration::from_secs(10);
/// How many left namespaces are remembered.
const LEFT_LIMIT: usize = 32;

/// What sockets of a connection share.
pub(crate) struct Connection {
    pub(crate) io: SocketIo,
    pub(crate) sender: Sender,
    /// A handler has begun to wait since the task looked at the state.
    has_changed: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Those that have joined.
    sockets: SmallVec<[Socket; 1]>,
    /// How many there were, those that did not join among them.
    places: u32,
    /// Namespaces that were left a short while ago.
    left: Vec<(Text, Instant)>,
    /// Handlers that wait for something.
    running: usize,
    /// Events in streams, which nobody has read.
    streamed: usize,
    /// Bytes of the events that handlers and streams have.
    held: usize,
    /// The connection has ended, and the server counts its handlers.
    is_over: bool,
    /// The task waits for one of them to end.
    is_busy: bool,
    /// Not later than the first end of an authorization.
    expiry: Option<Instant>,
    /// The connection's task.
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
            has_changed: AtomicBool::new(false),
            state: Mutex::default(),
        }
    }

    /// How many sockets there were before a new one.
    pub(crate) fn next_place(&self) -> u32 {
        let mut state = self.state.lock();
        let place = state.places;
        state.places = place.wrapping_add(1);
        place
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
        let waker = state.waker.clone();
        drop(state);
        drop(removed);
        // The task may hold events of the socket.
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes the socket in, unless it was told to leave meanwhile. Who tells it afterwards finds it here.
    pub(crate) fn admit(&self, socket: &Socket) -> bool {
        let mut state = self.state.lock();
        let admitted = socket.set_connected();
        if admitted {
            state.sockets.push(socket.clone());
            state.expiry = earlier(state.expiry, socket.expiry());
        } else {
            state.remember(socket.namespace().name());
        }
        admitted
    }

    /// What logs may call a socket: ids of old clients are made of the session's, which is a credential.
    pub(crate) fn log_id<'a>(&self, id: &'a str) -> &'a str {
        match self.sender.revision() {
            Revision::V3 => "",
            Revision::V4 => id,
        }
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

    /// Bytes of the `auth` that is kept for its sockets.
    pub(super) fn auth_bytes(&self) -> usize {
        let state = self.state.lock();
        state.sockets.iter().map(Socket::auth_bytes).sum()
    }

    fn has_left(&self, namespace: &str) -> bool {
        let mut state = self.state.lock();
        state.left.retain(|(_, left)| left.elapsed() < LEFT_GRACE);
        state.left.iter().any(|(name, _)| **name == *namespace)
    }

    /// Counts a handler, and the bytes of its event, until the guard is dropped.
    pub(crate) fn start_handler(self: &Arc<Self>, bytes: usize) -> Held {
        let mut state = self.state.lock();
        state.running += 1;
        state.held += bytes;
        self.has_changed.store(true, Ordering::Relaxed);
        let is_over = state.is_over;
        drop(state);
        if is_over {
            self.io.count_unfinished(1);
        }
        self.held(true, bytes)
    }

    /// The same for an event in a stream, which takes the place of a handler. The end of the server waits for handlers only.
    pub(crate) fn start_streaming(self: &Arc<Self>, bytes: usize) -> Held {
        let mut state = self.state.lock();
        state.streamed += 1;
        state.held += bytes;
        self.has_changed.store(true, Ordering::Relaxed);
        drop(state);
        self.held(false, bytes)
    }

    fn held(self: &Arc<Self>, is_handler: bool, bytes: usize) -> Held {
        Held {
            connection: self.clone(),
            is_handler,
            bytes,
        }
    }

    /// The connection has ended.
    fn finish(&self) {
        let mut state = self.state.lock();
        state.is_over = true;
        let running = state.running;
        drop(state);
        if running > 0 {
            self.io.count_unfinished(running as isize);
        }
    }

    /// How many handlers wait, told to one of its sockets only, so that a sum over sockets has each connection once.
    pub(crate) fn running_beside(&self, socket: &Socket) -> usize {
        let state = self.state.lock();
        let is_first = state.sockets.first().is_some_and(|first| first.is(socket));
        if is_first { state.running } else { 0 }
    }

    /// Whether too many handlers are running, or have too much, and when an authorization may end. The task is woken when a handler has ended, or when an
    /// authorization may end sooner.
    fn poll_state(&self, cx: &TaskContext<'_>) -> (bool, Option<Instant>) {
        let config = self.io.config();
        let mut state = self.state.lock();
        let crowded = state.running + state.streamed >= config.max_handlers;
        state.is_busy = crowded || state.held >= config.max_handler_bytes;
        self.has_changed.store(false, Ordering::Relaxed);
        let is_known = |waker: &Waker| waker.will_wake(cx.waker());
        let previous = if state.waker.as_ref().is_some_and(is_known) {
            None
        } else {
            state.waker.replace(cx.waker().clone())
        };
        let polled = (state.is_busy, state.expiry);
        drop(state);
        drop(previous);
        polled
    }

    /// An authorization ends at this time.
    pub(crate) fn expect_expiry(&self, end: Instant) {
        let mut state = self.state.lock();
        let sooner = state.expiry.is_none_or(|expiry| end < expiry);
        if sooner {
            state.expiry = Some(end);
        }
        let waker = state.waker.clone().filter(|_| sooner);
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Those whose authorization has ended.
    fn expired(&self) -> SmallVec<[Socket; 1]> {
        let mut state = self.state.lock();
        let (expired, others): (SmallVec<[&Socket; 1]>, SmallVec<[&Socket; 1]>) = state
            .sockets
            .iter()
            .partition(|socket| socket.has_expired());
        let expired = expired.into_iter().cloned().collect();
        let expiry = others.into_iter().filter_map(Socket::expiry).min();
        state.expiry = expiry;
        expired
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

/// What a connection's client has set going and is not done: a handler, or an event in a stream.
pub(crate) struct Held {
    connection: Arc<Connection>,
    is_handler: bool,
    bytes: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.connection.state.lock();
        if self.is_handler {
            state.running -= 1;
        } else {
            state.streamed -= 1;
        }
        state.held -= self.bytes;
        let was_busy = std::mem::take(&mut state.is_busy);
        let waker = was_busy.then(|| state.waker.clone()).flatten();
        let is_over = state.is_over;
        drop(state);
        if is_over && self.is_handler {
            self.connection.io.count_unfinished(-1);
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

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

enum Step {
    Message(Message),
    Progress(Progress),
    Turn(Turn),
    TimeUp,
    Closed,
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

    fn poll_step(&mut self, cx: &mut TaskContext<'_>) -> Poll<Step> {
        for index in 0..self.joining.len() {
            if let Poll::Ready(progress) = self.joining[index].poll(cx) {
                self.joining.remove(index);
                if self.joining.is_empty() {
                    // Most connections do not join another namespace.
                    self.joining = Vec::new();
                }
                return Poll::Ready(Step::Progress(progress));
            }
        }
        // Once for all messages that have arrived together, unless something changes meanwhile.
        if self.looks || self.connection.has_changed.load(Ordering::Relaxed) {
            let (is_busy, expiry) = self.connection.poll_state(cx);
            self.is_busy = is_busy;
            let deadline = earlier(self.deadline, expiry);
            if poll_timer(&mut self.timer, deadline, cx).is_ready() {
                return Poll::Ready(Step::TimeUp);
            }
            self.looks = false;
        }
        if let Some(inbox) = &mut self.inbox {
            if let Some(turn) = inbox.poll(cx, self.is_busy) {
                return Poll::Ready(Step::Turn(turn));
            }
            if inbox.is_full(self.connection.io.config().inbox_limit) {
                ready!(self.engine.poll_drive(cx));
                return Poll::Ready(Step::Closed);
            }
            if inbox.is_empty() {
                self.inbox = None;
            }
        }
        Poll::Ready(match ready!(self.engine.poll_recv(cx)) {
            Some(message) => Step::Message(message),
            None => Step::Closed,
        })
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
                let arrival = Arrival { event, ack, size };
                if let Some(socket) = self.member(&namespace) {
                    if !self.admits(&socket, &arrival) {
                        return;
                    }
                    let inbox = self.inbox.as_ref();
                    if self.is_busy || inbox.is_some_and(|inbox| inbox.holds(&socket)) {
                        let inbox = self.inbox.get_or_insert_default();
                        inbox.push(&socket, arrival);
                    } else {
                        self.dispatch(socket, arrival, handlers);
                    }
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
            Turn::Next(socket, arrival) => {
                if is_heard(&socket) {
                    self.dispatch(socket, arrival, handlers);
                }
            }
            Turn::Screened(screening, result) => self.finish_screening(screening, result),
        }
    }

    fn dispatch(&mut self, socket: Socket, arrival: Arrival, handlers: &mut Option<Arc<Handlers>>) {
        let context = Context::new(socket, arrival);
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
            let step = ready!(this.poll_step(cx));
            this.looks |= !matches!(step, Step::Message(_));
            match step {
                Step::Message(message) => {
                    left -= 1;
                    this.handle_message(message, &mut handlers);
                }
                Step::Progress(progress) => this.go_on(progress),
                Step::Turn(turn) => this.handle_turn(turn, &mut handlers),
                Step::TimeUp => this.handle_time_up(),
                Step::Closed => break,
            }
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
        // Whoever keeps a socket that has left keeps no task with it.
        let waker = self.connection.state.lock().waker.take();
        drop(waker);
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
