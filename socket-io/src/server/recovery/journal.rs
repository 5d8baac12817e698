//! A namespace's part in recovery: its log, and who is there under which private id.
//!
//! **Sending.** An event gets its number, is put into the log and goes to its recipients under one lock, so clients get events in the order of their
//! offsets, and a client that comes back gets each either from the log or with the others.
//!
//! **Leaving.** Where the log ends is noted first, then the socket leaves its rooms; so whatever is sent from then on is behind that place. The private id is
//! free again when the session is kept.
//!
//! **Coming back.** A client that claims its session pushes out the socket which still has it, waits until it is kept, and takes it out of the store.
//! When it may join, what it has missed, the confirmation and its entry into its rooms are again one step under the lock of the log.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context as TaskContext, Waker};
use std::time::Duration;

use engine_io::{SendError, Text};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::event::LoggedEvent;
use super::identity::{Identity, Wanted};
use super::log::Log;
use super::offset::Offset;
use super::round::Round;
use super::store::{SessionStore, StoreError, StoredSession, end_of};
use crate::adapter::{Flags, HoldBack, SocketId, Target};
use crate::panic::{CatchPanic, Panic, caught};
use crate::protocol::{DisconnectReason, Encoded, Outgoing};
use crate::server::connection::Connection;
use crate::server::emit::{Outcome, flagged, push, report_overflow};
use crate::server::packet::EventPacket;
use crate::server::{EmitError, Namespace, Socket};

pub(crate) struct Journal {
    namespace: Text,
    log: Mutex<Log>,
    /// By private id: who has it, or leaves and has not let go of it yet.
    present: Mutex<HashMap<Arc<str>, Present>>,
    /// Until when somebody may come back.
    awaited: Mutex<Option<Instant>>,
    store: Arc<dyn SessionStore>,
    max_disconnection: Duration,
}

struct Present {
    socket: Socket,
    /// Dropped when the private id is free.
    waiting: Vec<oneshot::Sender<()>>,
}

impl Journal {
    pub(super) fn new(
        namespace: Text,
        log: Log,
        store: Arc<dyn SessionStore>,
        max_disconnection: Duration,
    ) -> Self {
        Self {
            namespace,
            log: Mutex::new(log),
            present: Mutex::default(),
            awaited: Mutex::default(),
            store,
            max_disconnection,
        }
    }

    pub(super) fn last(&self) -> Offset {
        self.log.lock().last()
    }

    /// Whether a client may come back that has left.
    pub(crate) fn is_awaiting(&self) -> bool {
        let awaited = *self.awaited.lock();
        awaited.is_some_and(|end| end > Instant::now())
    }

    pub(super) fn expire(&self) {
        self.log.lock().expire(Instant::now().into_std());
    }

    // Sending.

    /// Sends an event to one client. What is in the log was queued, as far as anybody knows.
    pub(super) fn send_to_one(
        &self,
        socket: &Socket,
        identity: &Identity,
        outgoing: Outgoing,
        flags: Flags,
    ) -> Result<Outcome, EmitError> {
        let (log, encoded) = self.number(&outgoing, flags);
        let round = Round::new(outgoing, log.next().number());
        let packet = EventPacket::numbered(socket.namespace(), encoded, round);
        socket.check_sending()?;
        // A client that is coming back gets everything in order when it has joined.
        if !(identity.is_recovered && socket.is_joining()) {
            let policy = socket.namespace().config().emit_overflow;
            match push(socket, packet.encoded(), flags.overflow.unwrap_or(policy)) {
                // What a connection that has just broken takes no more is in the log.
                Ok(Outcome::Queued) | Err(EmitError::Disconnected) => {}
                Ok(Outcome::Overflowed) => {
                    drop(log);
                    report_overflow(socket);
                    return Err(EmitError::Disconnected);
                }
                result => return result,
            }
        }
        identity.sent.store(log.next().number(), Ordering::Relaxed);
        let target = Target {
            rooms: vec![socket.id().room().clone()],
            except: Vec::new(),
        };
        self.append(log, target, packet.encoded().clone());
        if socket.watches_outgoing() {
            socket.tell_outgoing(&packet);
        }
        Ok(Outcome::Queued)
    }

    /// Sends an event to the sockets that match.
    pub(crate) fn send_to_many(
        &self,
        namespace: &Namespace,
        outgoing: Outgoing,
        target: &Target,
        flags: Flags,
        told: &mut dyn FnMut(&SocketId, Outcome),
    ) {
        let (log, encoded) = self.number(&outgoing, flags);
        let round = Round::new(outgoing, log.next().number());
        let packet = EventPacket::numbered(namespace, encoded, round);
        namespace.adapter().broadcast(&packet, target, flags, told);
        self.append(log, target.clone(), packet.encoded().clone());
        Round::finish(&packet);
    }

    /// Locks the log, and writes the packet with the offset that is next.
    fn number(&self, outgoing: &Outgoing, flags: Flags) -> (MutexGuard<'_, Log>, Encoded) {
        let mut log = self.log.lock();
        loop {
            let offset = log.next();
            let encode = || outgoing.encode_with_offset(&self.namespace, &offset.to_string());
            let packet = if outgoing.is_custom() {
                // The parser is the user's. Somebody else may have been faster meanwhile.
                MutexGuard::unlocked(&mut log, encode)
            } else {
                encode()
            };
            if offset == log.next() {
                return (log, flagged(packet, flags));
            }
        }
    }

    /// Puts the event into the log, and lets go of that.
    fn append(&self, mut log: MutexGuard<'_, Log>, target: Target, packet: Encoded) {
        let event = LoggedEvent::sent(self.namespace.clone(), log.next(), target, packet);
        let event = Arc::new(event);
        log.append(Instant::now().into_std(), event.clone());
        drop(log);
        if let Err(Panic(message)) = caught(|| self.store.append(&event)) {
            tracing::error!(name: "hook_panicked", target: "socket_io", hook = "session store", reason = message);
        }
    }

    // Leaving.

    /// The private id is taken from now on. Called before anybody else knows the socket.
    pub(crate) fn register(&self, pid: &Arc<str>, socket: &Socket) {
        let present = Present {
            socket: socket.clone(),
            waiting: Vec::new(),
        };
        let previous = self.present.lock().insert(pid.clone(), present);
        drop(previous);
    }

    /// Somebody may come back from now on.
    pub(super) fn expect_return(&self) {
        *self.awaited.lock() = Some(end_of(self.max_disconnection));
    }

    /// The socket has left. Its session, if it has one, is kept, and only then the private id is free.
    pub(super) fn leave(
        self: &Arc<Self>,
        connection: &Arc<Connection>,
        pid: &Arc<str>,
        session: Option<StoredSession>,
    ) {
        let (journal, pid) = (self.clone(), pid.clone());
        run(connection, async move {
            if let Some(session) = session {
                journal.keep(session).await;
            }
            let present = journal.present.lock().remove(&pid);
            // Whoever waits is told by this.
            drop(present);
        });
    }

    async fn keep(&self, session: StoredSession) {
        let (store, time) = (self.store.clone(), self.max_disconnection);
        self.expect_return();
        guarded(async move { store.save(session, time).await }).await;
    }

    // Coming back.

    /// What a client has a right to that wants its session back; `None` if it has to start anew. Safe to cancel: a session that was taken out is put back.
    pub(crate) async fn claim(
        self: Arc<Self>,
        connection: Arc<Connection>,
        wanted: Wanted,
    ) -> Option<Claim> {
        let Wanted { pid, offset } = wanted;
        self.displace(&pid).await;
        let (store, namespace) = (self.store.clone(), self.namespace.clone());
        let session = guarded(async move { store.take(&namespace, &pid).await }).await??;
        if session.grant.remaining() == Some(Duration::ZERO) {
            return None;
        }
        let end = self.last();
        if offset.is_of_log_of(end) && offset.number() > end.number() {
            return None;
        }
        let after = start(&session, offset);
        if after.is_of_log_of(end) {
            return Some(Claim {
                journal: self,
                session,
                after: after.number(),
                earlier: Vec::new(),
            });
        }
        let mut waiting = PutBack {
            connection,
            journal: self.clone(),
            session: Some(session),
        };
        let (store, namespace) = (self.store.clone(), self.namespace.clone());
        let earlier = guarded(async move { store.events(&namespace, after).await }).await;
        let session = waiting.session.take()?;
        let mut earlier = earlier??;
        earlier.retain(|event| !event.offset().is_of_log_of(end));
        Some(Claim {
            journal: self,
            session,
            after: 0,
            earlier,
        })
    }

    /// Pushes out the socket that has the private id, and waits until its session is kept. Its connection is one that the client has given up already.
    async fn displace(&self, pid: &str) {
        let (waiting, free) = oneshot::channel();
        let socket = match self.present.lock().get_mut(pid) {
            None => return,
            Some(present) => {
                present.waiting.push(waiting);
                present.socket.clone()
            }
        };
        socket.connection().sender.abort();
        socket.leave_namespace(DisconnectReason::ForcedClose);
        drop(socket);
        // The other end is dropped, never used.
        let _ = free.await;
    }

    /// Confirms that the client has joined, behind what it has missed, and lets the socket in; all in one step.
    pub(crate) fn admit(
        &self,
        socket: &Socket,
        identity: &Identity,
        confirmation: &Encoded,
    ) -> Result<(), Obstacle> {
        // Both come after the lock, since hooks and data are the user's.
        let hooks = HoldBack::new();
        let mut claim;
        let log = self.log.lock();
        claim = identity.claim.lock().take();
        let missed = match &claim {
            Some(claim) => claim.missed(&log, socket),
            None => Some(Vec::new()),
        };
        let outcome = match missed {
            None => Err(Obstacle::Lost),
            Some(missed) => deliver(socket, &missed, confirmation, claim.is_some()),
        };
        match outcome {
            Ok(last) => {
                let last = last.filter(|offset| offset.is_of_log_of(log.last()));
                let number = last.map_or(0, Offset::number);
                identity.sent.store(number, Ordering::Relaxed);
            }
            // Whoever makes it leave finds the claim here.
            Err(Obstacle::Closed | Obstacle::Left) => *identity.claim.lock() = claim.take(),
            Err(Obstacle::Lost) => {}
        }
        drop(log);
        drop(hooks);
        outcome.map(drop)
    }
}

/// Queues what was missed and the confirmation, all or nothing, and lets the socket in. Returns where the last one stood.
fn deliver(
    socket: &Socket,
    missed: &[Arc<LoggedEvent>],
    confirmation: &Encoded,
    is_recovery: bool,
) -> Result<Option<Offset>, Obstacle> {
    if socket.has_left() {
        return Err(Obstacle::Closed);
    }
    let frames = missed.iter().flat_map(|event| event.packet().frames());
    let mut frames = frames.chain(confirmation.frames()).cloned();
    let sender = &socket.connection().sender;
    let first = frames.next().ok_or(Obstacle::Closed)?;
    match sender.send_frames(&first, &frames.collect::<Vec<_>>()) {
        Ok(()) => {}
        Err(SendError::Full { .. }) if is_recovery => return Err(Obstacle::Lost),
        Err(SendError::Full { .. }) => {
            // Nothing else would tell the client that it has not joined.
            sender.abort();
            return Err(Obstacle::Closed);
        }
        Err(_) => return Err(Obstacle::Closed),
    }
    if !socket.connection().admit(socket) {
        return Err(Obstacle::Left);
    }
    socket.enter_namespace();
    Ok(missed.last().map(|event| event.offset()))
}

/// Why a socket could not be let in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Obstacle {
    /// The connection is closing, or a middleware has disconnected the socket.
    Closed,
    /// Somebody has disconnected it in this moment.
    Left,
    /// Events that it may have missed are gone: it has to start anew.
    Lost,
}

/// Behind which event the client may have missed something.
fn start(session: &StoredSession, offset: Offset) -> Offset {
    let StoredSession {
        joined, sent, left, ..
    } = session;
    let after = if offset.is_of_log_of(*left) && offset.number() >= sent.number() {
        // It has got everything, so what was forgotten while it was there does not matter.
        left.at(left.number().max(offset.number()))
    } else {
        offset
    };
    if after.is_of_log_of(*joined) {
        // JavaScript clients keep the offset of a former session until they get a new one.
        after.at(after.number().max(joined.number()))
    } else {
        after
    }
}

/// A session that was taken out of the store for a client, and what it has missed.
pub(crate) struct Claim {
    pub(super) journal: Arc<Journal>,
    pub(crate) session: StoredSession,
    /// Behind which event of this log the client may have missed something.
    after: u64,
    /// What it may have missed of former logs.
    earlier: Vec<Arc<LoggedEvent>>,
}

impl Claim {
    /// What was for the client in the rooms that it was in and still is. `None` if something was forgotten.
    fn missed(&self, log: &Log, socket: &Socket) -> Option<Vec<Arc<LoggedEvent>>> {
        let now = socket.rooms();
        let still = self.session.rooms.iter();
        let still = still.filter(|room| now.contains(room));
        let mut rooms: HashSet<&str> = still.map(|room| &**room).collect();
        rooms.insert(&self.session.sid);
        let own = log.missed(self.after, &rooms)?;
        let earlier = self.earlier.iter().filter(|event| event.is_for(&rooms));
        Some(earlier.cloned().chain(own).collect())
    }
}

/// Puts a session back if nobody waits for it any more.
struct PutBack {
    connection: Arc<Connection>,
    journal: Arc<Journal>,
    session: Option<StoredSession>,
}

impl Drop for PutBack {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            let journal = self.journal.clone();
            run(&self.connection, async move { journal.keep(session).await });
        }
    }
}

/// Runs a future that keeps a session to its first wait, and lets it go on in a task of its own from there. That counts as a handler, so that a server which
/// is drained waits for it.
fn run(connection: &Arc<Connection>, future: impl Future<Output = ()> + Send + 'static) {
    // Whoever makes a socket leave may be a thread outside the runtime.
    let _runtime = connection.io.enter_runtime();
    let mut future: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(future);
    let now = &mut TaskContext::from_waker(Waker::noop());
    if future.as_mut().poll(now).is_pending() {
        let running = connection.start_handler(0);
        connection.io.spawn(async move {
            future.await;
            drop(running);
        });
    }
}

/// What the user's store returns, unless it fails or panics.
async fn guarded<T>(
    call: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Option<T> {
    match CatchPanic(Box::pin(call)).await {
        Ok(Ok(value)) => Some(value),
        Ok(Err(error)) => {
            tracing::error!(name: "session_store_failed", target: "socket_io", %error);
            None
        }
        Err(Panic(message)) => {
            tracing::error!(name: "hook_panicked", target: "socket_io", hook = "session store", reason = message);
            None
        }
    }
}
