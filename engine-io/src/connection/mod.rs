//! What the two ends of a connection share: the session under one short lock, and who is to be woken.

pub(crate) mod boundary;
mod clock;
pub(crate) mod direct;
mod join;
mod later;
mod long;
mod mask;
mod stream;
pub(crate) mod websocket;
mod whole;

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use tokio::sync::Notify;

pub(crate) use clock::Clock;
pub(crate) use join::BATCH;
pub(crate) use stream::Stream;
pub(crate) use websocket::{Cause, End, WebSocket};

use direct::{Direct, Written};

use crate::deflate::Agreement;
use crate::frame::Frame;
use crate::packet::{DecodeError, Message, Packet};
use crate::request::Request;
use crate::session::{CloseReason, LatestKey, ReadyState, SendError, Session};
use crate::sid::Sid;
use crate::sync::{Mutex, MutexGuard};
use crate::transport::Transport;
use crate::wire::{Revision, Wire};

/// How many connections are looked at before the first of them is written to; see [`Shared::prefetch`].
pub(crate) const AHEAD: usize = 16;

/// One session, reachable from its owner's task, from HTTP requests and from everybody who sends.
pub(crate) struct Shared {
    /// Which connection of the server this is, for logs.
    pub(crate) number: u32,
    pub(crate) sid: Sid,
    pub(crate) request: Request,
    /// What the handshake asked for: the revision, and the form of binary messages over polling.
    pub(crate) wire: Wire,
    /// Whether frames are to be compressed.
    pub(crate) agreement: Agreement,
    /// A client's clock.
    pub(crate) clock: Option<Box<Clock>>,
    state: Mutex<State>,
}

/// Everything that changes.
pub(crate) struct State {
    pub(crate) session: Session,
    /// Messages of a POST that the owner has not taken.
    pub(crate) inbox: VecDeque<Message>,
    /// What came behind the messages of the inbox is no packet. It counts once they are taken, so that they can still be answered.
    pub(crate) garbage: bool,
    /// A WebSocket that arrived for this session and that the owner has not taken.
    pub(crate) candidate: Option<Box<WebSocket>>,
    /// The owner's task; present only while it sleeps, so a send from within the task costs no wake-up.
    pub(crate) driver: Option<Waker>,
    pub(crate) direct: Direct,
    /// Requests of long-polling that wait; sessions on a WebSocket have none.
    parked: Option<Box<Parked>>,
    /// Those who wait for everything to leave; present only if somebody does.
    draining: Option<Arc<Notify>>,
}

#[derive(Default)]
pub(crate) struct Parked {
    pub(crate) get: Option<Waker>,
    /// The POST that waits for its packets to be taken, or for its body.
    pub(crate) post: Option<Waker>,
}

/// How a message is queued.
#[derive(Clone, Copy)]
pub(crate) enum Queue<'a> {
    /// Behind everything else.
    Last,
    /// Behind everything else, and a little beyond the limit.
    Reserved,
    /// In the place of an older one.
    Latest(&'a LatestKey),
}

impl State {
    pub(crate) fn parked(&mut self) -> &mut Parked {
        self.parked.get_or_insert_default()
    }

    fn take_get(&mut self) -> Option<Waker> {
        self.parked.as_mut()?.get.take()
    }

    fn take_post(&mut self) -> Option<Waker> {
        self.parked.as_mut()?.post.take()
    }

    /// The tasks that have something to do after the session changed; `sooner` says that its next deadline is nearer than it was.
    fn woken(&mut self, sooner: bool) -> [Option<Waker>; 3] {
        let closed = self.is_closed();
        let get = if self.session.has_payload() {
            self.take_get()
        } else {
            None
        };
        let post = if closed || !self.has_input() {
            self.take_post()
        } else {
            None
        };
        if self.session.transport() == Transport::WebSocket
            && self
                .parked
                .as_ref()
                .is_some_and(|parked| parked.get.is_none() && parked.post.is_none())
        {
            self.parked = None;
        }
        let drive = sooner
            || self.has_input()
            || self.candidate.is_some()
            || self.session.state() != ReadyState::Open
            || self.session.has_turn();
        let driver = if drive { self.driver.take() } else { None };
        [driver, get, post]
    }

    /// Whether the owner has not taken everything that arrived.
    pub(crate) fn has_input(&self) -> bool {
        self.garbage || !self.inbox.is_empty()
    }

    /// Takes a packet of `transport`, or what should have been one. False when nothing more counts.
    pub(crate) fn handle_packet(
        &mut self,
        now: Instant,
        transport: Transport,
        packet: Result<Packet, DecodeError>,
    ) -> bool {
        match packet {
            Ok(packet) => self
                .inbox
                .extend(self.session.handle_packet(now, transport, packet)),
            Err(_) => self.garbage |= transport == self.session.transport(),
        }
        !self.garbage
    }

    /// The same for what a WebSocket has received, up to what is no packet. The queue is used on for the messages, so it is the only one that a read allocates.
    pub(crate) fn handle_messages(&mut self, now: Instant, mut queue: VecDeque<Message>) {
        let revision = self.session.wire().revision;
        let mut received = queue.len();
        while received > 0 && !self.garbage {
            let Some(message) = queue.pop_front() else {
                break;
            };
            received -= 1;
            match revision.decode(message) {
                Ok(packet) => queue.extend(self.session.handle_packet(
                    now,
                    Transport::WebSocket,
                    packet,
                )),
                Err(_) => self.garbage |= self.session.transport() == Transport::WebSocket,
            }
        }
        queue.drain(..received);
        if self.inbox.is_empty() && !queue.is_empty() {
            self.inbox = queue;
        } else {
            self.inbox.append(&mut queue);
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.session.state(), ReadyState::Closed(_))
    }
}

impl Shared {
    pub(crate) fn new(number: u32, sid: Sid, request: Request, session: Session) -> Self {
        let wire = session.wire();
        let state = State {
            session,
            inbox: VecDeque::new(),
            garbage: false,
            candidate: None,
            driver: None,
            direct: Direct::default(),
            parked: None,
            draining: None,
        };
        Self {
            number,
            sid,
            request,
            wire,
            agreement: Agreement::default(),
            clock: None,
            state: Mutex::new(state),
        }
    }

    /// A look, or a change that concerns nobody else.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Looks at what a send will need. Whoever sends to many connections does this to some before the first of them: the processor waits for their memory
    /// side by side then. Between system calls it would wait for each by itself.
    pub(crate) fn prefetch(&self) {
        let state = self.lock();
        black_box((state.session.buffered(), state.direct.shares()));
    }

    /// Changes the state and then wakes, without the lock, whoever has something to do.
    pub(crate) fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let deadline = state.session.poll_timeout();
        let value = change(&mut state);
        let sooner = match (state.session.poll_timeout(), deadline) {
            (Some(new), Some(old)) => new < old,
            (Some(_), None) => true,
            (None, _) => false,
        };
        wake(state, sooner);
        value
    }

    /// The same for the owner, which looks for itself when it has to wake up next, and needs not be woken; or for a change that is none of its business.
    pub(crate) fn turn<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let value = change(&mut state);
        if state.parked.is_some() || state.draining.is_some() {
            wake(state, false);
        }
        value
    }

    /// Queues the frames of one message and writes them, or wakes the one task that can send them. True when it replaced an older one.
    ///
    /// The iterator runs under the lock, so it must be one of ours.
    pub(crate) fn send<'a>(
        self: &Arc<Self>,
        frames: impl Iterator<Item = &'a Frame> + Clone,
        queue: Queue<'_>,
    ) -> Result<bool, SendError> {
        let Some(agreed) = self.agreement.get() else {
            return self.queue(frames, queue);
        };
        let revision = self.wire.revision;
        let frames = frames.map(|frame| match revision {
            // Rewritten for this peer when it leaves; the compressed form of others is of no use.
            Revision::V3 if frame.is_binary() => frame,
            Revision::V3 | Revision::V4 => frame.for_peer(agreed),
        });
        // Compresses what is not compressed yet, before the lock is taken.
        frames.clone().for_each(drop);
        self.queue(frames, queue)
    }

    /// The same for a message of one frame that nobody else sends; it goes behind everything else.
    pub(crate) fn send_frame(self: &Arc<Self>, frame: Frame) -> Result<(), SendError> {
        let frame = match self.agreement.get() {
            // As above.
            Some(agreed) if self.wire.revision == Revision::V4 || !frame.is_binary() => {
                frame.for_peer(agreed).clone()
            }
            _ => frame,
        };
        self.enqueue(true, |session| session.send_frame(frame))
    }

    fn queue<'a>(
        self: &Arc<Self>,
        frames: impl Iterator<Item = &'a Frame> + Clone,
        queue: Queue<'_>,
    ) -> Result<bool, SendError> {
        let single = frames.clone().nth(1).is_none();
        self.enqueue(single, |session| match queue {
            Queue::Last => session.send(frames).map(|()| false),
            Queue::Reserved => session.send_reserved(frames).map(|()| false),
            Queue::Latest(key) => session.send_latest(key, frames),
        })
    }

    fn enqueue<T>(
        self: &Arc<Self>,
        single: bool,
        queue: impl FnOnce(&mut Session) -> Result<T, SendError>,
    ) -> Result<T, SendError> {
        let mut guard = self.lock();
        let state = &mut *guard;
        let session = &mut state.session;
        let drained = single && session.buffered() == 0;
        let value = queue(session)?;
        // While something is being written, the task is woken by the connection.
        let waker = if !session.has_turn() {
            state.take_get()
        } else {
            let written = match drained {
                true => state.direct.write(session),
                false => Written::ByOwner,
            };
            match written {
                Written::Now => None,
                Written::Later => {
                    drop(guard);
                    later::add(self);
                    return Ok(value);
                }
                Written::ByOwner => state.driver.take(),
            }
        };
        drop(guard);
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(value)
    }

    /// Waits until everything that was sent has left, or the session is over; see [`Session::drained`].
    pub(crate) async fn drained(&self) -> Result<(), CloseReason> {
        let draining;
        let drained = {
            let mut state = self.lock();
            if let Some(result) = state.session.drained() {
                return result;
            }
            draining = state.draining.get_or_insert_default().clone();
            // Made under the lock, so that it misses nothing.
            draining.notified()
        };
        drained.await;
        // Somebody may have sent again, which is none of this wait's concern.
        self.lock().session.drained().unwrap_or(Ok(()))
    }

    pub(crate) fn close(&self) {
        self.update(|state| state.session.close(now()));
    }

    pub(crate) fn abort(&self) {
        self.update(|state| state.session.abort());
    }
}

/// Wakes, without the lock, whoever has something to do; `sooner` says that the session's next deadline is nearer than it was.
fn wake(mut state: MutexGuard<'_, State>, sooner: bool) {
    let wakers = state.woken(sooner);
    let drained = match state.session.drained() {
        Some(_) => state.draining.take(),
        None => None,
    };
    drop(state);
    wakers.into_iter().flatten().for_each(Waker::wake);
    if let Some(drained) = drained {
        drained.notify_waiters();
    }
}

/// The time by tokio's clock, which tests can pause.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
