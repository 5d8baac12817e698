//! What a session has carried, and what it could not.

use serde::Serialize;

use crate::frame::Frame;
use crate::packet::{Message, Packet};

/// What one session has carried so far. The numbers lie beside the session's state and are changed under its lock, so counting costs next to nothing.
///
/// Packets are those of Engine.IO, pings and the rest included. Their bytes are counted without what a transport adds (headers of frames and requests,
/// lengths, base64): received ones after they were inflated, sent ones as compressed as they leave over a WebSocket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Counters {
    /// Packets received.
    pub packets_in: u64,
    /// Bytes of the packets received.
    pub bytes_in: u64,
    /// Packets that have left the outbox.
    pub packets_out: u64,
    /// Bytes of the packets that have left the outbox.
    pub bytes_out: u64,
    /// Messages that were not queued because the outbox was full.
    pub full: u32,
    /// Volatile messages that were not queued because something else was waiting.
    pub skipped: u32,
    /// Messages that never left because a newer one of the same key took their place.
    pub replaced: u32,
    /// Upgrades that came to nothing.
    pub upgrades_failed: u32,
}

impl Counters {
    pub(crate) fn received(&mut self, packet: &Packet) {
        self.packets_in += 1;
        self.bytes_in += size(packet);
    }

    pub(crate) fn sent(&mut self, packet: &Packet) {
        self.packets_out += 1;
        self.bytes_out += size(packet);
    }

    pub(crate) fn full(&mut self) {
        self.full = self.full.saturating_add(1);
    }

    pub(crate) fn sent_frame(&mut self, frame: &Frame) {
        self.packets_out += 1;
        self.bytes_out += frame.packet().len() as u64;
    }
}

/// Bytes of a packet of revision 4; the type of a binary message takes none.
fn size(packet: &Packet) -> u64 {
    let size = match packet {
        Packet::Message(Message::Binary(data)) => data.len(),
        Packet::Message(Message::Text(text)) => 1 + text.len(),
        Packet::Open(data) | Packet::Ping(data) | Packet::Pong(data) => 1 + data.len(),
        Packet::Close | Packet::Upgrade | Packet::Noop => 1,
    };
    size as u64
}
