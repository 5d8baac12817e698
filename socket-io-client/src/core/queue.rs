//! Packets that are sent again until they are acknowledged, one after the other.
//!
//! Only the first packet of the queue is on its way, so the order is kept whatever has to be repeated.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use engine_io::later;
use socket_io::protocol::AckId;

use super::buffer::{Emission, Full};

/// The queue of one socket; `C` is what completes a packet.
#[derive(Debug)]
pub(crate) struct RetryQueue<C> {
    ack_timeout: Duration,
    limit: usize,
    /// Of packets that are given up one day. Whoever keeps the others counts them.
    bytes: usize,
    entries: VecDeque<Entry<C>>,
    /// The first packet is on its way, until then.
    deadline: Option<Instant>,
}

#[derive(Debug)]
struct Entry<C> {
    id: AckId,
    emission: Emission,
    completion: Option<C>,
    tries: u32,
    /// How many tries may follow the first one; without a limit if `None`.
    retries: Option<u32>,
}

impl<C> Entry<C> {
    fn counted(&self) -> usize {
        self.retries.map_or(0, |_| self.emission.len())
    }
}

impl<C> RetryQueue<C> {
    /// At most `limit` bytes wait.
    pub(crate) const fn new(ack_timeout: Duration, limit: usize) -> Self {
        Self {
            ack_timeout,
            limit,
            bytes: 0,
            entries: VecDeque::new(),
            deadline: None,
        }
    }

    pub(crate) const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The first packet is always taken, however large.
    pub(crate) fn push(
        &mut self,
        id: AckId,
        emission: Emission,
        completion: Option<C>,
        retries: u32,
    ) -> Result<(), Full> {
        let bytes = self.bytes + emission.len();
        if bytes > self.limit && self.bytes > 0 {
            return Err(Full {
                buffered: self.bytes,
                limit: self.limit,
            });
        }
        self.bytes = bytes;
        self.entries.push_back(Entry {
            id,
            emission,
            completion,
            tries: 0,
            retries: Some(retries),
        });
        Ok(())
    }

    /// Adds a packet that is never given up.
    pub(crate) fn keep(&mut self, id: AckId, emission: Emission, completion: C) {
        self.entries.push_back(Entry {
            id,
            emission,
            completion: Some(completion),
            tries: 0,
            retries: None,
        });
    }

    /// How often the packet was sent.
    pub(crate) fn tries(&self, id: AckId) -> u32 {
        let mut entries = self.entries.iter();
        entries
            .find(|entry| entry.id == id)
            .map_or(0, |entry| entry.tries)
    }

    /// Takes a packet out, be it on its way or not.
    pub(crate) fn remove(&mut self, id: AckId) -> Option<C> {
        let index = self.entries.iter().position(|entry| entry.id == id)?;
        if index == 0 {
            return self.pop()?;
        }
        let entry = self.entries.remove(index)?;
        self.bytes -= entry.counted();
        entry.completion
    }

    /// The packet to send now, if the first one is not on its way already. Called when the socket is connected.
    pub(crate) fn poll_send(&mut self, now: Instant) -> Option<Emission> {
        if self.deadline.is_some() {
            return None;
        }
        let first = self.entries.front_mut()?;
        first.tries = first.tries.saturating_add(1);
        self.deadline = Some(later(now, self.ack_timeout));
        Some(first.emission.clone())
    }

    /// The acknowledgement of a packet; what completes it, if it was the first one. One of an earlier try is as good.
    pub(crate) fn handle_ack(&mut self, id: AckId) -> Option<Option<C>> {
        if self.entries.front()?.id != id {
            return None;
        }
        self.pop()
    }

    /// The try has failed: its time is up, or the socket has left. What completes the packet, if it was the last try.
    pub(crate) fn handle_failure(&mut self) -> Option<Option<C>> {
        self.deadline.take()?;
        let first = self.entries.front()?;
        if first.retries.is_none_or(|retries| first.tries <= retries) {
            return None;
        }
        self.pop()
    }

    fn pop(&mut self) -> Option<Option<C>> {
        self.deadline = None;
        let first = self.entries.pop_front()?;
        self.bytes -= first.counted();
        Some(first.completion)
    }

    /// Nobody waits for this packet any more. It is sent all the same.
    pub(crate) fn forget(&mut self, id: AckId) -> Option<C> {
        let mut entries = self.entries.iter_mut();
        entries.find(|entry| entry.id == id)?.completion.take()
    }

    /// The socket will never be used again.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = C> + use<C> {
        (self.deadline, self.bytes) = (None, 0);
        std::mem::take(&mut self.entries)
            .into_iter()
            .filter_map(|entry| entry.completion)
    }
}
