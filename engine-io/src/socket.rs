//! The handle of a session for its one owner.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::time::Sleep;

use crate::client::Requests;
use crate::connection::{BATCH, End, Shared, WebSocket, direct, now};
use crate::packet::Message;
use crate::registry::Alive;
use crate::request::Request;
use crate::sender::Sender;
use crate::session::{CloseReason, Counters, ReadyState, SendError};
use crate::sid::Sid;
use crate::transport::Transport;
use crate::wire::Revision;

/// A session, driven by its owner: whoever holds it reads, writes and keeps time by calling [`recv`](Self::recv) in a loop.
///
/// Nothing moves while `recv` is not being polled: no message leaves over a WebSocket, no heartbeat. An owner that has other things to wait for
/// does so in another task, or beside `recv` in a `select!`, or with [`poll_drive`](Self::poll_drive).
///
/// Dropping it ends the session at once.
pub struct Socket {
    pub(crate) shared: Arc<Shared>,
    /// A server's.
    pub(crate) registry: Option<Alive>,
    pub(crate) websocket: Option<Box<WebSocket>>,
    pub(crate) extra: Option<Box<Extra>>,
    inbox: VecDeque<Message>,
    sleep: Option<Pin<Box<Sleep>>>,
}

/// What sessions have for a while only, or on clients only.
#[derive(Default)]
pub(crate) struct Extra {
    /// The WebSocket of an upgrade that is under way.
    candidate: Option<Box<WebSocket>>,
    pub(crate) requests: Option<Requests>,
}

impl Socket {
    pub(crate) fn new(shared: Arc<Shared>, websocket: Option<Box<WebSocket>>) -> Self {
        shared
            .agreement
            .set(websocket.as_ref().and_then(|websocket| websocket.agreed));
        if let Some(websocket) = &websocket {
            shared.lock().direct.begin(websocket);
        }
        Self {
            shared,
            registry: None,
            websocket,
            extra: None,
            inbox: VecDeque::new(),
            sleep: None,
        }
    }

    /// Waits for the next message. `None` when the session is over; [`close_reason`](Self::close_reason) says why.
    ///
    /// # Cancel safety
    ///
    /// No message is lost when the future is dropped.
    pub async fn recv(&mut self) -> Option<Message> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// The same for hand-written futures.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        loop {
            if let Some(message) = self.inbox.pop_front() {
                if self.inbox.is_empty() {
                    direct::begin_turn();
                } else {
                    direct::begin_batch();
                }
                // In a long burst, answers need not wait for the last question.
                if self.inbox.len() % BATCH == BATCH - 1 {
                    let now = now();
                    self.take_turn(now, false);
                    self.poll_websocket(cx, now, false);
                }
                return Poll::Ready(Some(message));
            }
            keep_spare(std::mem::take(&mut self.inbox));
            if ready!(self.poll_step(cx, true)).is_some() {
                return Poll::Ready(None);
            }
        }
    }

    /// Writes what is queued, answers the clock, but reads nothing, so that the peer is slowed down. Ready when the session is over.
    pub fn poll_drive(&mut self, cx: &mut Context<'_>) -> Poll<CloseReason> {
        loop {
            if let Some(reason) = ready!(self.poll_step(cx, false)) {
                return Poll::Ready(reason);
            }
        }
    }

    /// Ends the session: what is queued still leaves, then the peer is told. Ready when that is done, at the latest after the close timeout.
    ///
    /// Messages that arrive meanwhile are lost.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the socket: the session ends at once, and what is still queued is lost.
    pub async fn close(mut self) {
        self.shared.close();
        while self.recv().await.is_some() {}
    }

    /// A handle that sends and closes from anywhere.
    pub fn sender(&self) -> Sender {
        Sender::new(self.shared.clone())
    }

    /// Queues a message; see [`Sender::send`].
    ///
    /// # Errors
    ///
    /// As [`Sender::send`].
    pub fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        self.shared.send_frame(message.into().to_frame())
    }

    /// The session's id: a credential, not to be shown to other users.
    pub fn sid(&self) -> &Sid {
        &self.shared.sid
    }

    /// The request that opened the session; on a client the one that it sent.
    pub fn request(&self) -> &Request {
        &self.shared.request
    }

    /// The transport that carries messages now. It changes once at the most, from polling to a WebSocket, and only while the socket is polled.
    pub fn transport(&self) -> Transport {
        self.shared.lock().session.transport()
    }

    /// The revision of the protocol that the client speaks.
    pub fn revision(&self) -> Revision {
        self.shared.wire.revision
    }

    /// Which connection of its server this is, counted from 1; see [`Sender::number`].
    pub fn number(&self) -> u32 {
        self.shared.number
    }

    /// What the session has carried so far.
    pub fn counters(&self) -> Counters {
        self.shared.lock().session.counters()
    }

    /// Why the session ended, once it has.
    pub fn close_reason(&self) -> Option<CloseReason> {
        close_reason(&self.shared)
    }

    /// Rounds of state, clock, writing and reading until nothing moves. Ready with the reason when the session is over, and with `None` when messages are
    /// in the inbox.
    fn poll_step(&mut self, cx: &mut Context<'_>, read: bool) -> Poll<Option<CloseReason>> {
        direct::begin_turn();
        loop {
            let now = now();
            if self.take_turn(now, read) {
                self.handle_timeout(cx, now);
            }
            let progress = self.poll_websocket(cx, now, read)
                | self.poll_candidate(cx)
                | self.poll_requests(cx, read);
            if read && !self.inbox.is_empty() {
                return Poll::Ready(None);
            }
            let mut state = self.shared.lock();
            let egress_free = self.websocket.as_ref().is_some_and(|ws| !ws.has_egress());
            let again = progress
                || (egress_free && state.session.buffered() > 0)
                || (read && state.has_input())
                || state.candidate.is_some();
            if let ReadyState::Closed(reason) = state.session.state() {
                if read && state.has_input() {
                    continue;
                }
                drop(state);
                self.end();
                return Poll::Ready(Some(reason));
            }
            if again {
                continue;
            }
            let deadline = state.session.poll_timeout();
            state.driver = Some(cx.waker().clone());
            state.direct.idle = egress_free;
            drop(state);
            if self.poll_clock(cx, deadline).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Moves everything between the shared state and this task. True when the clock asks for something.
    fn take_turn(&mut self, now: Instant, read: bool) -> bool {
        let Self {
            shared,
            websocket,
            extra,
            inbox,
            ..
        } = self;
        shared.turn(|state| {
            state.driver = None;
            if state.candidate.is_some() {
                extra.get_or_insert_default().candidate = state.candidate.take();
            }
            if let Some(websocket) = websocket {
                state.direct.give_back(websocket);
                if !websocket.has_egress() {
                    websocket.fill(&mut state.session);
                }
            }
            if read {
                if inbox.is_empty() {
                    // The other one holds no memory.
                    std::mem::swap(inbox, &mut state.inbox);
                } else {
                    inbox.append(&mut state.inbox);
                }
                if inbox.is_empty() && std::mem::take(&mut state.garbage) {
                    state.session.handle_garbage(state.session.transport());
                }
            }
            state
                .session
                .poll_timeout()
                .is_some_and(|deadline| now >= deadline)
        })
    }

    /// Does what the clock asks for. The owner may be late, so what the peer said meanwhile counts before its silence does.
    fn handle_timeout(&mut self, cx: &mut Context<'_>, now: Instant) {
        let unread = !self.inbox.is_empty() || self.shared.lock().has_input();
        if !unread {
            self.poll_websocket(cx, now, true);
            self.poll_candidate(cx);
            self.poll_requests(cx, true);
        }
        self.shared.update(|state| {
            if unread {
                // Over polling the POST with the pong may wait behind the one that is unread.
                state.session.handle_traffic(now);
            }
            state.session.handle_timeout(now);
        });
    }

    /// Writes what is queued, then reads once. True when something was read, or the end was found.
    fn poll_websocket(&mut self, cx: &mut Context<'_>, now: Instant, read: bool) -> bool {
        let Some(websocket) = &mut self.websocket else {
            return false;
        };
        let mut broken = false;
        if websocket.has_egress() {
            match websocket.poll_flush(cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(written)) => {
                    let written = if websocket.has_egress() {
                        written
                    } else {
                        usize::MAX
                    };
                    self.shared
                        .turn(|state| state.session.handle_written(written));
                }
                // What arrived before the connection broke still counts.
                Poll::Ready(Err(_)) => broken = true,
            }
        }
        if !broken && (!read || !self.inbox.is_empty()) {
            return false;
        }
        let mut arrived = spare();
        let result = match websocket.poll_read(cx, &mut arrived) {
            Poll::Ready(result) => result,
            Poll::Pending if broken => Err(End::Failed),
            Poll::Pending => {
                keep_spare(arrived);
                return false;
            }
        };
        let inbox = &mut self.inbox;
        self.shared.turn(|state| {
            state.session.handle_traffic(now);
            state.handle_messages(now, arrived);
            if read && inbox.is_empty() {
                // The other one holds no memory.
                std::mem::swap(inbox, &mut state.inbox);
            }
        });
        if let Err(end) = result {
            self.end_websocket(end);
        }
        true
    }

    pub(crate) fn end_websocket(&mut self, end: End) {
        if let End::Violation(code) = end {
            tracing::debug!(name: "websocket_violation", target: "engine_io", connection = self.shared.number, code);
        }
        let reason = match end {
            // As in the reference, a connection that breaks is one that the peer closed.
            End::Closed | End::Failed => CloseReason::TransportClose,
            End::Ours | End::Violation(_) => CloseReason::TransportError,
        };
        let mut websocket = self.websocket.take();
        self.shared.update(|state| {
            state.session.handle_transport_closed(reason);
            if let Some(websocket) = &mut websocket {
                state.direct.end(websocket);
            }
        });
        if let Some(mut websocket) = websocket {
            let extra = self.extra.as_mut();
            if let Some(requests) = extra.and_then(|extra| extra.requests.as_mut()) {
                requests.websocket_ended(end, websocket.take_cause());
            }
            end_stream(*websocket, end, &self.registry);
        }
    }

    /// The same for a client's HTTP requests.
    fn poll_requests(&mut self, cx: &mut Context<'_>, read: bool) -> bool {
        let extra = self.extra.as_mut();
        let requests = extra.and_then(|extra| extra.requests.as_mut());
        requests.is_some_and(|requests| requests.poll(cx, &self.shared, read))
    }

    /// The same for the candidate of an upgrade.
    fn poll_candidate(&mut self, cx: &mut Context<'_>) -> bool {
        let candidate = self.extra.as_mut().and_then(|extra| extra.candidate.take());
        let Some(mut candidate) = candidate else {
            return false;
        };
        let mut arrived = VecDeque::new();
        // Probes are answered as often as they come, so nothing is read while an answer waits.
        let read = if candidate.has_egress() {
            Poll::Pending
        } else {
            candidate.poll_read(cx, &mut arrived)
        };
        let (progress, end) = match read {
            Poll::Pending => (false, None),
            Poll::Ready(result) => (true, result.err()),
        };
        let now = now();
        let revision = self.shared.wire.revision;
        let mut packets = arrived.into_iter().map(|message| revision.decode(message));
        let (switched, upgrading) = self.shared.update(|state| {
            let session = &mut state.session;
            loop {
                // What is gone needs no packet, and a client does not move to it.
                if end.is_none() {
                    while let Some(packet) = session.poll_candidate() {
                        candidate.push(packet.to_frame().websocket().clone());
                    }
                }
                if !session.is_upgrading() {
                    break;
                }
                match packets.next() {
                    Some(Ok(packet)) => session.handle_candidate_packet(now, &packet),
                    Some(Err(_)) => session.handle_candidate_closed(),
                    None => break,
                }
            }
            let switched = session.transport() == Transport::WebSocket;
            if switched {
                self.shared.agreement.set(candidate.agreed);
                state.direct.begin(&candidate);
            }
            if end.is_some() && !switched {
                session.handle_candidate_closed();
            }
            let upgrading = session.is_upgrading();
            // What came right behind the upgrade packet belongs to the session already.
            while switched
                && packets
                    .next()
                    .is_some_and(|packet| state.handle_packet(now, Transport::WebSocket, packet))
            {
            }
            (switched, upgrading)
        });
        if switched {
            tracing::debug!(name: "upgraded", target: "engine_io", connection = self.shared.number);
            self.websocket = Some(candidate);
            if let Some(end) = end {
                self.end_websocket(end);
            }
            return true;
        }
        let flushed = candidate.poll_flush(cx);
        // Where nothing was read because too much waited to be written, there may be room now.
        let progress = progress || matches!(flushed, Poll::Ready(Ok(1..)));
        if upgrading && !matches!(flushed, Poll::Ready(Err(_))) {
            self.extra.get_or_insert_default().candidate = Some(candidate);
        } else {
            tracing::debug!(name: "upgrade_failed", target: "engine_io", connection = self.shared.number);
            self.shared
                .update(|state| state.session.handle_candidate_closed());
            end_stream(*candidate, end.unwrap_or(End::Ours), &self.registry);
        }
        progress
    }

    /// Tells the peer and forgets the session.
    fn end(&mut self) {
        let mut candidate = None;
        if let Some(extra) = &mut self.extra {
            candidate = extra.candidate.take();
            if let Some(requests) = &mut extra.requests {
                requests.end(&self.shared);
            }
        }
        let registry = self.registry.as_ref();
        if registry.is_some_and(|registry| registry.remove(&self.shared)) {
            let reason = self.close_reason().unwrap_or(CloseReason::ForcedClose);
            let transport = self.transport();
            tracing::debug!(name: "connection_closed", target: "engine_io", connection = self.shared.number, %reason, %transport);
        }
        let mut state = self.shared.lock();
        if let Some(websocket) = &mut self.websocket {
            state.direct.end(websocket);
        }
        let offered = state.candidate.take();
        drop(state);
        let websockets = [self.websocket.take(), candidate, offered];
        for websocket in websockets.into_iter().flatten() {
            end_stream(*websocket, End::Ours, &self.registry);
        }
    }

    /// Ready when the deadline has passed.
    fn poll_clock(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()> {
        let Some(deadline) = deadline else {
            return Poll::Pending;
        };
        let deadline = deadline.into();
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        // A later deadline need not move the timer: it looks again when it fires.
        if deadline < sleep.deadline() {
            sleep.as_mut().reset(deadline);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

thread_local! {
    /// An idle connection holds no queue, but the thread has one for the next that reads.
    static SPARE: Cell<VecDeque<Message>> = const { Cell::new(VecDeque::new()) };
}

/// An empty queue, with room if the thread has one.
pub(crate) fn spare() -> VecDeque<Message> {
    SPARE.take()
}

/// The queue has been emptied.
fn keep_spare(queue: VecDeque<Message>) {
    if (1..=BATCH).contains(&queue.capacity()) {
        SPARE.set(queue);
    }
}

/// Sends the close frame that the end calls for, and lets it arrive.
fn end_stream(mut websocket: WebSocket, end: End, registry: &Option<Alive>) {
    match end {
        End::Failed => return,
        // tungstenite has queued the answer, if there was a question.
        End::Closed if !websocket.has_egress() => return,
        End::Closed => {}
        End::Ours => websocket.push_close(None),
        End::Violation(code) => websocket.push_close(Some(code)),
    }
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        let alive = registry.clone();
        runtime.spawn(async move {
            let _alive = alive;
            websocket.linger().await;
        });
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.shared.abort();
        self.end();
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_shared("Socket", &self.shared, f)
    }
}

fn close_reason(shared: &Shared) -> Option<CloseReason> {
    match shared.lock().session.state() {
        ReadyState::Closed(reason) => Some(reason),
        ReadyState::Opening | ReadyState::Open | ReadyState::Closing => None,
    }
}

/// Prints no session id: it is a credential.
pub(crate) fn fmt_shared(name: &str, shared: &Shared, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let state = shared.lock();
    let session = &state.session;
    let (ready, transport, buffered) = (session.state(), session.transport(), session.buffered());
    drop(state);
    f.debug_struct(name)
        .field("state", &ready)
        .field("transport", &transport)
        .field("buffered", &buffered)
        .finish_non_exhaustive()
}

#[cfg(test)]
mod tests;
