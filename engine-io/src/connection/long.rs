//! A message of a client that came in one frame, but not at once. What is missing is read to where it belongs, without tungstenite.

use std::io;
use std::task::{Context, Poll};

use super::stream::Stream;
use super::whole::{Head, NotUtf8};
use crate::packet::Message;

/// So much memory is taken for what a peer has announced; more only as it comes.
const AT_ONCE: usize = 256 * 1024;
/// If less is missing, or there, it is read as everything else.
const WORTHWHILE: usize = 16 * 1024;
/// What one read takes at most.
const READ_SIZE: usize = 64 * 1024;
/// What is read beyond the end of the message: if there is less, the stream is known to be empty.
const BEYOND: usize = 1024;

pub(super) struct Long {
    head: Head<'static>,
    /// As far as it is there, and maybe what comes behind it.
    payload: Vec<u8>,
}

impl Long {
    /// Begins with the frame at the start of the input, of which something is missing, if it is a message by itself and not too long.
    pub(super) fn begin(input: &[u8], max: usize) -> Option<Self> {
        let head = Head::first(input, max)?;
        let mut payload = Vec::with_capacity(head.length.min(AT_ONCE) + BEYOND);
        payload.extend_from_slice(head.rest);
        let head = head.alone();
        Some(Self { head, payload })
    }

    /// Takes what comes next.
    pub(super) fn extend(&mut self, input: &[u8]) {
        self.payload.extend_from_slice(input);
    }

    /// Reads what comes next: how much, or `None` if it is to be read otherwise.
    pub(super) fn poll_read(
        &mut self,
        stream: &Stream,
        cx: &mut Context<'_>,
    ) -> Option<Poll<io::Result<usize>>> {
        let there = self.payload.len();
        let missing = self.head.length.saturating_sub(there);
        if missing.min(there) < WORTHWHILE {
            return None;
        }
        // Memory is touched only as fast as the message comes.
        let room = missing.min(there).min(READ_SIZE) + BEYOND;
        self.payload.reserve(room);
        stream.poll_read_into(cx, &mut self.payload, room)
    }

    pub(super) fn is_complete(&self) -> bool {
        self.payload.len() >= self.head.length
    }

    /// The message, and what comes behind it.
    pub(super) fn finish(mut self) -> Result<(Message, Vec<u8>), NotUtf8> {
        let rest = self.payload.split_off(self.head.length);
        Ok((self.head.message(self.payload)?, rest))
    }
}
