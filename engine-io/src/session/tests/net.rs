//! What lies between the sessions of a [`Pair`](super::pair::Pair): latencies, and links that carry frames in chunks.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use super::*;

/// How long things take and in which pieces they travel.
pub(super) struct Net {
    pub(super) random: Random,
    pub(super) latency: RangeInclusive<u64>,
    /// Bytes that a link takes at once.
    pub(super) chunk: RangeInclusive<u64>,
    /// Bytes of a POST.
    pub(super) max_payload: usize,
}

impl Net {
    /// Everything takes 10 ms one way, and links take whole queues at once.
    pub(super) fn steady() -> Self {
        Self {
            random: Random::new(0),
            latency: 10..=10,
            chunk: u64::MAX..=u64::MAX,
            max_payload: MAX,
        }
    }

    pub(super) fn within(&mut self, range: &RangeInclusive<u64>) -> u64 {
        let span = (range.end() - range.start()).saturating_add(1);
        range.start() + self.random.below(span)
    }

    pub(super) fn latency(&mut self) -> u64 {
        self.within(&self.latency.clone())
    }
}

/// One session and what its driver would know.
pub(super) struct End {
    pub(super) session: Session,
    pub(super) candidate: Option<usize>,
    pub(super) link: Option<usize>,
    /// Messages taken by `send`.
    pub(super) sent: u32,
    /// Messages that arrived from the peer.
    pub(super) received: u32,
}

impl End {
    pub(super) fn new(session: Session) -> Self {
        Self {
            session,
            candidate: None,
            link: None,
            sent: 0,
            received: 0,
        }
    }

    pub(super) fn take(&mut self, message: &Message) {
        let bytes = match message {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(data) => data,
        };
        let text = std::str::from_utf8(bytes).unwrap();
        let number = text.split(':').next().unwrap().parse();
        assert_eq!(number, Ok(self.received), "lost, doubled or reordered");
        self.received += 1;
    }

    /// The candidate has become the transport.
    pub(super) fn promote(&mut self) {
        if self.session.transport() == Transport::WebSocket && self.candidate.is_some() {
            self.link = self.candidate.take();
        }
    }
}

#[derive(Default)]
pub(super) struct Link {
    pub(super) ends: [LinkEnd; 2],
    /// Nothing arrives any more.
    pub(super) faulty: bool,
}

#[derive(Default)]
pub(super) struct LinkEnd {
    pub(super) open: bool,
    pub(super) egress: VecDeque<Frame>,
    /// Bytes of the first frame that were written.
    pub(super) offset: u64,
    /// When the last thing sent arrives at the other end.
    pub(super) arrival: u64,
}

impl LinkEnd {
    /// Takes up to `room` bytes off the queue: how many there were, and the frames that they complete.
    pub(super) fn write(&mut self, mut room: u64) -> (u64, Vec<Frame>) {
        let mut written = 0;
        let mut finished = Vec::new();
        while let Some(frame) = self.egress.front() {
            let rest = frame.len() as u64 - self.offset;
            if rest > room {
                self.offset += room;
                return (written + room, finished);
            }
            room -= rest;
            written += rest;
            self.offset = 0;
            finished.extend(self.egress.pop_front());
        }
        (written, finished)
    }
}

/// What a receiver makes of a frame on a WebSocket.
pub(super) fn to_packet(frame: &Frame) -> Packet {
    let data = frame.packet();
    if frame.is_binary() {
        return Packet::Message(Message::Binary(data.to_vec().into()));
    }
    let text = std::str::from_utf8(data).unwrap();
    Packet::decode(&text.into()).unwrap()
}
