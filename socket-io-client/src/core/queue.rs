//! Packets that are sent again until they are acknowledged, one after the other.
//!
//! Only the first packet of the queue is on its way, so the order is kept whatever has to be repeated.

use std::collections::VecDeque;
use std::time::Instant;

use socket_io::protocol::AckId;

use super::Retries;
use super::buffer::{Emission, Full};

/// The queue of one socket; `C` is what completes a packet.
#[derive(Debug)]
pub(crate) struct RetryQueue<C> {
    retries: Retries,
    limit: usize,
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
}

impl<C> RetryQueue<C> {
    /// At most `limit` bytes wait.
    pub(crate) const fn new(retries: Retries, limit: usize) -> Self {
        Self {
            retries,
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
    ) -> Result<(), Full> {
        let bytes = self.bytes + emission.len();
        if bytes > self.limit && !self.entries.is_empty() {
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
        });
        Ok(())
    }

    /// The packet to send now, if the first one is not on its way already. Called when the socket is connected.
    pub(crate) fn poll_send(&mut self, now: Instant) -> Option<Emission> {
        if self.deadline.is_some() {
            return None;
        }
        let first = self.entries.front_mut()?;
        first.tries += 1;
        self.deadline = Some(now + self.retries.ack_timeout);
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
        if self.entries.front()?.tries <= self.retries.retries {
            return None;
        }
        self.pop()
    }

    fn pop(&mut self) -> Option<Option<C>> {
        self.deadline = None;
        let first = self.entries.pop_front()?;
        self.bytes -= first.emission.len();
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
