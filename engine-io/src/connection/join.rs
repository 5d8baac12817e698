//! Frames that leave together. Short ones are joined, since the system takes one buffer for less than as many slices.

use bytes::Bytes;

use super::websocket::WebSocket;
use crate::session::Session;

/// Frames taken out of the outbox at a time.
pub(crate) const BATCH: usize = 64;
/// Longer frames are not worth copying.
const SHORT: usize = 4096;
/// How long a buffer gets.
const JOINED: usize = 16 * 1024;
/// How much of one connection's is copied at a time; what is shared with others stays so until then.
const COPIED: usize = 4 * JOINED;

impl WebSocket {
    /// Takes what is next out of the outbox, of which nothing waits to be written any more. If that is little, it is written at once.
    pub(crate) fn fill(&mut self, session: &mut Session) {
        let mut room = session.buffered();
        let Some(first) = session.poll_frame() else {
            return;
        };
        if first.len() == room && room <= JOINED {
            let bytes = self.outgoing(first.into_websocket());
            return self.write(bytes, session);
        }
        let frames = std::iter::once(first).chain(std::iter::from_fn(|| session.poll_frame()));
        let mut joined: Vec<u8> = Vec::new();
        let mut alone = true;
        let mut copied = 0;
        for frame in frames.take(BATCH) {
            let bytes = self.outgoing(frame.into_websocket());
            let is_long = bytes.len() > SHORT;
            if !joined.is_empty() && (is_long || joined.len() + bytes.len() > joined.capacity()) {
                alone = false;
                self.queue(std::mem::take(&mut joined).into());
            }
            if is_long {
                alone = false;
                room = room.saturating_sub(bytes.len());
                self.queue(bytes);
                continue;
            }
            if joined.is_empty() {
                joined.reserve_exact(room.clamp(bytes.len(), JOINED));
            }
            room = room.saturating_sub(bytes.len());
            joined.extend_from_slice(&bytes);
            copied += bytes.len();
            if copied > COPIED {
                break;
            }
        }
        match joined.is_empty() {
            true => {}
            false if alone => self.write(joined.into(), session),
            false => self.queue(joined.into()),
        }
    }

    /// Writes as much as the system takes, and queues the rest.
    fn write(&mut self, bytes: Bytes, session: &mut Session) {
        let length = bytes.len();
        let rest = self.try_write(bytes);
        session.handle_written(length - rest.len());
        if !rest.is_empty() {
            self.queue(rest);
        }
    }
}
