//! Writing from whoever sends, past the owner's task, while a connection is idle.
//!
//! Waking a task costs more than the write that it is woken for. But frames that are queued together leave together, which is cheaper still, so a frame is
//! written at once only if nothing else waits for the connection, and if the sender is not likely to have another one for it at once:
//!
//! | the sender | the frame |
//! |---|---|
//! | handles the last message that its own connection has read | is written at once |
//! | has more messages to handle | is queued |
//! | sends to the same connection again within its turn | is queued |
//! | has written to [`BUDGET`] connections within its turn | is written [later](super::later), or queued, so that others have their turn |
//!
//! A turn begins whenever the thread turns to a connection.

use std::cell::Cell;
use std::sync::Arc;

use bytes::{Buf, Bytes};

use super::websocket::WebSocket;
use crate::session::Session;
use crate::sync::{TcpStream, thread_local};

/// How many frames are written at once within a turn.
const BUDGET: u32 = 1024;

thread_local! {
    static TURN: Cell<Turn> = const { Cell::new(Turn { number: 0, left: Some(BUDGET) }) };
}

#[derive(Clone, Copy)]
struct Turn {
    number: u32,
    /// None where further messages wait.
    left: Option<u32>,
}

/// The thread turns to a connection that has one message to handle, or none.
pub(crate) fn begin_turn() {
    let number = TURN.with(Cell::get).number.wrapping_add(1);
    let left = Some(BUDGET);
    TURN.with(|turn| turn.set(Turn { number, left }));
}

/// The same in the midst of a broadcast to many.
#[cfg(any(shuttle, test))]
pub(crate) fn begin_spent_turn() {
    let number = TURN.with(Cell::get).number.wrapping_add(1);
    let left = Some(0);
    TURN.with(|turn| turn.set(Turn { number, left }));
}

/// The same with further messages behind that one.
pub(crate) fn begin_batch() {
    let number = TURN.with(Cell::get).number.wrapping_add(1);
    TURN.with(|turn| turn.set(Turn { number, left: None }));
}

/// What senders need of an idle connection; it lies beside the session, under the same lock.
#[derive(Default)]
pub(crate) struct Direct {
    /// Of a server's WebSocket over TCP.
    stream: Option<Arc<TcpStream>>,
    /// What is left of a frame that did not fit; it goes before everything else.
    rest: Option<Box<Bytes>>,
    /// The turn in which it was last sent to.
    turn: u32,
    /// It is among those that are written to [later](super::later).
    pub(crate) listed: bool,
    /// The owner sleeps and has nothing to write, not even a pong.
    pub(crate) idle: bool,
}

impl Direct {
    /// The session has moved to this WebSocket.
    pub(crate) fn begin(&mut self, websocket: &WebSocket) {
        self.stream = websocket.shared_stream();
    }

    /// The session has lost its WebSocket, which gets what has to be written before anything else.
    pub(crate) fn end(&mut self, websocket: &mut WebSocket) {
        self.stream = None;
        self.give_back(websocket);
    }

    /// The owner writes what a sender could not.
    pub(crate) fn give_back(&mut self, websocket: &mut WebSocket) {
        self.idle = false;
        if let Some(rest) = self.rest.take() {
            websocket.push_rest(*rest);
        }
    }

    /// How many share the stream.
    pub(crate) fn shares(&self) -> usize {
        self.stream.as_ref().map_or(0, Arc::strong_count)
    }

    /// Writes the one frame that waits, if this is the time for it.
    pub(crate) fn write(&mut self, session: &mut Session) -> Written {
        if self.stream.is_none() || !self.idle {
            return Written::ByOwner;
        }
        let Turn { number, left } = TURN.with(Cell::get);
        let Some(left) = left else {
            return Written::ByOwner;
        };
        if std::mem::replace(&mut self.turn, number) == number {
            return Written::ByOwner;
        }
        let Some(left) = left.checked_sub(1) else {
            // A thread that has never driven a connection may not run tasks either. A connection that has been left to one before needs somebody else.
            let leave = number != 0 && !std::mem::replace(&mut self.listed, true);
            return if leave {
                Written::Later
            } else {
                Written::ByOwner
            };
        };
        let left = Some(left);
        TURN.with(|turn| turn.set(Turn { number, left }));
        self.write_now(session)
    }

    /// The same at any time.
    pub(crate) fn write_now(&mut self, session: &mut Session) -> Written {
        let Some(stream) = self.stream.as_ref().filter(|_| self.idle) else {
            return Written::ByOwner;
        };
        let Some(frame) = session.poll_frame() else {
            return Written::ByOwner;
        };
        let mut bytes = frame.into_websocket();
        // What stops it, the owner will find out.
        let written = stream.try_write(&bytes).unwrap_or_default();
        session.handle_written(written);
        bytes.advance(written);
        if bytes.is_empty() {
            return Written::Now;
        }
        self.rest = Some(Box::new(bytes));
        self.idle = false;
        Written::ByOwner
    }
}

/// What comes of a frame that waits.
#[must_use]
#[derive(PartialEq)]
pub(crate) enum Written {
    /// It is with the system.
    Now,
    /// It waits for [`later`](super::later).
    Later,
    /// The owner is to be woken.
    ByOwner,
}
