//! Events that wait for the socket to join.

use std::collections::VecDeque;

use socket_io::protocol::{AckId, Encoded, Event};

/// An event that is ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Emission {
    pub(crate) packet: Encoded,
    /// For those who watch what is sent; only present if there are any.
    pub(crate) event: Option<Event>,
}

impl Emission {
    pub(crate) fn len(&self) -> usize {
        self.packet.frames().map(|frame| frame.len()).sum()
    }
}

/// Emitted while there was no connection; bounded in bytes.
#[derive(Debug)]
pub(crate) struct SendBuffer {
    limit: usize,
    bytes: usize,
    entries: VecDeque<(Option<AckId>, Emission)>,
}

/// So many bytes wait already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full {
    pub(crate) buffered: usize,
    pub(crate) limit: usize,
}

impl SendBuffer {
    pub(crate) const fn new(limit: usize) -> Self {
        Self {
            limit,
            bytes: 0,
            entries: VecDeque::new(),
        }
    }

    /// The first event is always taken, however large.
    pub(crate) fn push(&mut self, ack: Option<AckId>, emission: Emission) -> Result<(), Full> {
        let bytes = self.bytes + emission.len();
        if bytes > self.limit && !self.entries.is_empty() {
            return Err(Full {
                buffered: self.bytes,
                limit: self.limit,
            });
        }
        self.bytes = bytes;
        self.entries.push_back((ack, emission));
        Ok(())
    }

    pub(crate) fn pop(&mut self) -> Option<Emission> {
        let (_, emission) = self.entries.pop_front()?;
        self.bytes -= emission.len();
        if self.entries.is_empty() {
            self.entries = VecDeque::new();
        }
        Some(emission)
    }

    /// The event that asked for this acknowledgement is not sent any more, if it waits here.
    pub(crate) fn remove(&mut self, id: AckId) {
        let found = self.entries.iter().position(|(ack, _)| *ack == Some(id));
        if let Some((_, emission)) = found.and_then(|index| self.entries.remove(index)) {
            self.bytes -= emission.len();
        }
    }

    pub(crate) fn contains(&self, id: AckId) -> bool {
        self.entries.iter().any(|(ack, _)| *ack == Some(id))
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}
