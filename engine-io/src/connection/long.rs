//! A message of a client that came in one frame, but not at once. What is missing is read to where it belongs, without tungstenite.

use std::io;
use std::task::{Context, Poll};

use super::stream::Stream;
use super::whole::{Head, NotUtf8};
use crate::packet::Message;

/// So much memory is taken for what a peer has announced, and so many times what is there of it; more only as it comes.
const AT_ONCE: usize = 256 * 1024;
const AHEAD: usize = 16;
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
        let at_once = head.length.min(AT_ONCE).min(AHEAD * head.rest.len());
        let mut payload = Vec::with_capacity(at_once + BEYOND);
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

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    const MAX: usize = 1 << 20;

    /// The beginning of a binary message: a header of 14 bytes, and what is there of the payload.
    fn begin(length: usize, there: usize) -> Long {
        let mut input = vec![0x82, 0xff];
        input.extend((length as u64).to_be_bytes());
        input.extend(vec![0; 4 + there]);
        Long::begin(&input, MAX).unwrap()
    }

    #[test]
    fn what_is_announced_and_does_not_come_takes_no_memory() {
        for length in [70_000, AT_ONCE, MAX] {
            let mut long = begin(length, 1);
            assert!(long.payload.capacity() <= 2 * BEYOND);
            while !long.is_complete() {
                long.extend(&[0; 1000]);
                let (there, capacity) = (long.payload.len(), long.payload.capacity());
                assert!(capacity <= 2 * there + BEYOND, "{capacity} for {there}");
            }
            // When as much is there as a read takes, there is room for all of it at once, or a part of that.
            let long = begin(length, 16 * 1024);
            let room = length.min(AT_ONCE)..=AT_ONCE + BEYOND;
            assert!(room.contains(&long.payload.capacity()));
        }
        assert!(Long::begin(&[0x82, 0xfe, 0xff, 0xff, 0, 0, 0, 0], 65_534).is_none());
    }

    #[tokio::test]
    async fn waiting_takes_no_more_memory_than_is_there() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connecting = TcpStream::connect(listener.local_addr().unwrap());
        let (accepted, _peer) = tokio::join!(listener.accept(), connecting);
        let stream = Stream::tcp(accepted.unwrap().0);
        let mut cx = Context::from_waker(Waker::noop());
        for there in [1, WORTHWHILE - 1, WORTHWHILE, 3 * WORTHWHILE] {
            let mut long = begin(MAX, 1);
            long.extend(&vec![0; there - 1]);
            let read = long.poll_read(&stream, &mut cx);
            match there {
                ..WORTHWHILE => assert!(read.is_none()),
                WORTHWHILE.. => assert!(matches!(read, Some(Poll::Pending))),
            }
            let capacity = long.payload.capacity();
            assert!(capacity <= 3 * there + 2 * BEYOND, "{capacity} for {there}");
        }
    }
}
