//! What the sockets of one Engine.IO session share: who they are, what their handlers hold, and how the session's task hears of changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context as TaskContext, Waker};
use std::time::Duration;

use engine_io::{Revision, Sender, Text};
use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::time::Instant;

use super::SocketIo;
use super::socket::Socket;

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

    pub(super) fn has_left(&self, namespace: &str) -> bool {
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
    pub(super) fn finish(&self) {
        let mut state = self.state.lock();
        state.is_over = true;
        let running = state.running;
        drop(state);
        if running > 0 {
            self.io.count_unfinished(running as isize);
        }
    }

    /// Whoever keeps a socket that has left keeps no task with it.
    pub(super) fn forget_task(&self) {
        let waker = self.state.lock().waker.take();
        drop(waker);
    }

    /// How many handlers wait, told to one of its sockets only, so that a sum over sockets has each connection once.
    pub(crate) fn running_beside(&self, socket: &Socket) -> usize {
        let state = self.state.lock();
        let is_first = state.sockets.first().is_some_and(|first| first.is(socket));
        if is_first { state.running } else { 0 }
    }

    /// Whether a handler has begun to wait since [`poll_state`](Self::poll_state).
    pub(super) fn has_changed(&self) -> bool {
        self.has_changed.load(Ordering::Relaxed)
    }

    /// Whether too many handlers are running, or have too much, and when an authorization may end. The task is woken when a handler has ended, or when an
    /// authorization may end sooner.
    pub(super) fn poll_state(&self, cx: &TaskContext<'_>) -> (bool, Option<Instant>) {
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
    pub(super) fn expired(&self) -> SmallVec<[Socket; 1]> {
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

pub(super) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
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
