//! The two HTTP requests of long-polling: at most one GET and one POST at a time.

use std::fmt;

use super::{CloseReason, ReadyState, Session, Side};
use crate::frame::Frame;
use crate::packet::Packet;
use crate::transport::Transport;

/// Which requests are under way. On a server a busy GET is parked, waiting for something to send; on a client it is outstanding.
#[derive(Debug, Default)]
pub(crate) struct Polling {
    pub(crate) get: bool,
    pub(crate) post: bool,
    /// The parked GET came when the session was closing already.
    pub(crate) late: bool,
    /// A client's last POST, the close packet, is under way: its answer ends the session.
    pub(crate) goodbye: bool,
}

impl Polling {
    pub(crate) fn is_idle(&self) -> bool {
        !self.get && !self.post
    }
}

/// A second GET or POST arrived while one was under way; the session is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlap;

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a request of that kind is under way already")
    }
}

impl std::error::Error for Overlap {}

impl Session {
    /// A GET begins: it arrived (server) or was sent (client).
    ///
    /// # Errors
    ///
    /// [`Overlap`] when one is under way; the session is closed.
    pub fn handle_get(&mut self) -> Result<(), Overlap> {
        if self.polling.get {
            self.finish(CloseReason::TransportError);
            return Err(Overlap);
        }
        self.polling.get = true;
        self.polling.late = self.state == ReadyState::Closing;
        Ok(())
    }

    /// The GET ended without the help of [`poll_payload`](Self::poll_payload): a client got its answer, or the client of a server went away.
    pub fn handle_get_done(&mut self) {
        self.polling.get = false;
        if self.side == Side::Server && self.transport == Transport::Polling {
            self.finish(CloseReason::TransportError);
        }
    }

    /// A POST begins.
    ///
    /// # Errors
    ///
    /// [`Overlap`] when one is under way; the session is closed.
    pub fn handle_post(&mut self) -> Result<(), Overlap> {
        if self.polling.post {
            self.finish(CloseReason::TransportError);
            return Err(Overlap);
        }
        self.polling.post = true;
        Ok(())
    }

    /// The POST was answered.
    pub fn handle_post_done(&mut self) {
        self.polling.post = false;
        if self.side == Side::Client {
            // Clients do not move to a WebSocket before.
            self.outbox.written(usize::MAX);
        }
        if self.state == ReadyState::Closing && self.polling.goodbye {
            self.finish(CloseReason::ForcedClose);
        }
    }

    /// Whether a client should send a GET now.
    pub fn poll_get(&self) -> bool {
        self.side == Side::Client
            && self.transport == Transport::Polling
            && !self.polling.get
            && !self.upgrade.is_pausing()
            && matches!(self.state, ReadyState::Opening | ReadyState::Open)
    }

    /// What the parked GET is answered with, or the body of a client's next POST; at most `limit` bytes unless a single packet is larger.
    ///
    /// The GET is free afterwards; the POST is under way until [`handle_post_done`](Self::handle_post_done).
    pub fn poll_payload(&mut self, limit: usize) -> Option<Vec<Frame>> {
        let batch = match self.side {
            Side::Server => self.answer(limit),
            Side::Client => self.request(limit),
        }?;
        match self.side {
            Side::Server => self.polling.get = false,
            Side::Client => self.polling.post = true,
        }
        batch
            .iter()
            .for_each(|frame| self.counters.sent_frame(frame));
        Some(batch)
    }

    /// Whether a GET is under way.
    pub fn has_get(&self) -> bool {
        self.polling.get
    }

    /// Whether a GET is parked for which there is an answer.
    pub fn has_payload(&self) -> bool {
        let due = match self.state {
            ReadyState::Closed(_) => true,
            ReadyState::Closing if self.polling.late => true,
            ReadyState::Open if self.upgrade.is_pausing() => true,
            _ => self.outbox.has_frames() || self.transport != Transport::Polling,
        };
        due && self.polling.get && self.side == Side::Server
    }

    fn answer(&mut self, limit: usize) -> Option<Vec<Frame>> {
        if !self.has_payload() {
            return None;
        }
        let noop = || Packet::Noop.to_frame();
        let close = || Packet::Close.to_frame();
        Some(match self.state {
            ReadyState::Closed(_) if self.outbox.has_frames() => self.outbox.take_batch(limit),
            ReadyState::Closed(_) if self.peer_closed => vec![noop()],
            ReadyState::Closed(_) => vec![close()],
            _ if self.transport != Transport::Polling => vec![close()],
            _ if self.outbox.has_frames() => self.outbox.take_batch(limit),
            ReadyState::Closing => {
                self.finish(CloseReason::ForcedClose);
                vec![noop(), close()]
            }
            ReadyState::Opening | ReadyState::Open => vec![noop()],
        })
    }

    fn request(&mut self, limit: usize) -> Option<Vec<Frame>> {
        let pausing = self.upgrade.is_pausing();
        if self.transport != Transport::Polling || self.polling.post || pausing {
            return None;
        }
        match self.state {
            ReadyState::Open | ReadyState::Closing if self.outbox.has_frames() => {
                let batch = self.outbox.take_batch(limit);
                self.outbox.hand_over(&batch);
                Some(batch)
            }
            ReadyState::Closing => {
                self.polling.goodbye = true;
                Some(vec![Packet::Close.to_frame()])
            }
            _ => None,
        }
    }
}
