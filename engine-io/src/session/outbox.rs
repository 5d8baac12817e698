//! What waits to be sent: one queue for all transports, so order survives the switch between them.

use std::fmt;

use bytes::Bytes;

use super::latest::{Latest, LatestKey};
use super::queue::Queue;
use crate::frame::Frame;
use crate::wire::Wire;

/// How far what has to be said may go beyond the limit.
pub(super) const RESERVE: usize = 64 * 1024;
/// A waiting frame takes some 200 bytes of memory beside those on the wire, so no more frames wait than the limit would hold of this size.
const SMALL: usize = 128;
/// However low the limit, so many frames may wait.
const FEW: usize = 1024;

/// Frames in order, bounded in bytes.
#[derive(Debug)]
pub(crate) struct Outbox {
    places: Queue<Place>,
    /// The packets of the places that have a key.
    latest: Latest,
    /// Bytes of all frames in `places` and `latest`.
    queued: usize,
    /// Bytes handed to a streaming transport that it has not reported as written.
    in_flight: usize,
    limit: usize,
}

/// What stands in the queue.
#[derive(Debug)]
enum Place {
    Frame(Queued),
    /// All frames of the packet that waits under this key. There is one place for each of them.
    Latest(LatestKey),
}

/// What transports need of a frame; what else it has serves those who send it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Queued {
    bytes: Bytes,
    compressible: bool,
}

impl Queued {
    fn new(frame: &Frame) -> Self {
        Self {
            bytes: frame.websocket().clone(),
            compressible: frame.is_compressible(),
        }
    }

    fn of(frame: Frame) -> Self {
        Self {
            compressible: frame.is_compressible(),
            bytes: frame.into_websocket(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    fn into_frame(self) -> Frame {
        let frame = Frame::from_bytes(self.bytes);
        if self.compressible {
            frame
        } else {
            frame.uncompressed()
        }
    }
}

impl Outbox {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            places: Queue::default(),
            latest: Latest::default(),
            queued: 0,
            in_flight: 0,
            limit,
        }
    }

    /// Queues all frames or none.
    pub(crate) fn push<'a>(
        &mut self,
        frames: impl Iterator<Item = &'a Frame>,
        size: usize,
    ) -> Result<(), SendError> {
        self.check(0, size, 0)?;
        self.append(frames, size);
        Ok(())
    }

    /// The same for a single frame that nobody else sends, which gives its bytes away.
    #[inline]
    pub(crate) fn push_frame(&mut self, frame: Frame) -> Result<(), SendError> {
        self.check(0, frame.len(), 0)?;
        self.queued += frame.len();
        self.places.push_back(Place::Frame(Queued::of(frame)));
        Ok(())
    }

    /// The same for what has to be said however full the outbox is: the limit is farther by [`RESERVE`].
    pub(crate) fn push_reserved<'a>(
        &mut self,
        frames: impl Iterator<Item = &'a Frame>,
        size: usize,
    ) -> Result<(), SendError> {
        self.check(0, size, RESERVE)?;
        self.append(frames, size);
        Ok(())
    }

    /// The same for a packet of which only the newest is wanted: it takes the place of the one that waits under its key, if there is one. True when there was.
    ///
    /// A packet of which a frame has left waits no more. One that does not fit leaves the older one where it is.
    pub(crate) fn push_latest<'a>(
        &mut self,
        key: &LatestKey,
        frames: impl Iterator<Item = &'a Frame>,
        size: usize,
    ) -> Result<bool, SendError> {
        let size_of = |frames: &Vec<Queued>| frames.iter().map(Queued::len).sum();
        let older_size = self.latest.get(key).map_or(0, size_of);
        if size > older_size {
            self.check(older_size, size, 0)?;
        }
        let older = self.latest.get_mut(key);
        let frames = frames.map(Queued::new);
        let replaced = older.is_some();
        match older {
            Some(older) => {
                older.clear();
                older.extend(frames);
            }
            None => {
                self.latest.insert(key.clone(), frames.collect());
                self.places.push_back(Place::Latest(key.clone()));
            }
        }
        self.queued = self.queued - older_size + size;
        Ok(replaced)
    }

    /// Whether a packet of that size fits in place of the bytes that it replaces. An empty outbox takes any size: a single message is bounded by other means.
    fn check(&self, replaced: usize, size: usize, reserve: usize) -> Result<(), SendError> {
        let limit = self.limit.saturating_add(reserve);
        let (buffered, places) = (self.buffered(), self.places.len());
        let crowded = places >= FEW.max(self.limit / SMALL) + reserve / SMALL;
        if crowded && replaced == 0 {
            let buffered = buffered.max(places * SMALL);
            return Err(SendError::Full { buffered, limit });
        }
        let others = buffered - replaced;
        if others > 0 && others.saturating_add(size) > limit {
            return Err(SendError::Full { buffered, limit });
        }
        Ok(())
    }

    fn append<'a>(&mut self, frames: impl Iterator<Item = &'a Frame>, size: usize) {
        self.queued += size;
        frames.for_each(|frame| self.places.push_back(Place::Frame(Queued::new(frame))));
    }

    /// Queues a packet of the protocol itself, which no limit may hold back. Two in a row say no more than one, so a flood of pings adds nothing.
    pub(crate) fn push_control(&mut self, frame: &Frame) {
        let queued = Queued::new(frame);
        if matches!(self.places.back(), Some(Place::Frame(last)) if *last == queued) {
            return;
        }
        self.queued += frame.len();
        self.places.push_back(Place::Frame(queued));
    }

    /// Takes the next frame out. With the first frame of a packet that has a key the others become frames like all, so that the packet stays whole.
    #[inline]
    fn next(&mut self) -> Option<Frame> {
        let queued = match self.places.pop_front()? {
            Place::Frame(queued) => queued,
            Place::Latest(key) => {
                let mut frames = self.latest.remove(&key).into_iter();
                let first = frames.next()?;
                for frame in frames.rev() {
                    self.places.push_front(Place::Frame(frame));
                }
                first
            }
        };
        let frame = queued.into_frame();
        self.queued -= frame.len();
        Some(frame)
    }

    /// The next frame in the peer's form, for a transport that reports later what it has written.
    #[inline]
    pub(crate) fn pop(&mut self, wire: Wire) -> Option<Frame> {
        let frame = wire.frame(self.next()?);
        self.in_flight += frame.len();
        Some(frame)
    }

    /// A batch waits on until it is reported as written.
    pub(crate) fn hand_over(&mut self, batch: &[Frame]) {
        self.in_flight += batch.iter().map(Frame::len).sum::<usize>();
    }

    /// The streaming transport has written so many bytes of frames that it had popped.
    pub(crate) fn written(&mut self, bytes: usize) {
        self.in_flight = self.in_flight.saturating_sub(bytes);
    }

    /// Everything queued up to `limit` payload bytes (but at least one frame), for a transport that sends it as one body.
    pub(crate) fn take_batch(&mut self, limit: usize) -> Vec<Frame> {
        let mut size = 0;
        let mut batch = Vec::with_capacity(self.places.len());
        while let Some(frame) = self.next() {
            size += crate::payload::payload_len(&frame) + usize::from(!batch.is_empty());
            if !batch.is_empty() && size > limit {
                self.queued += frame.len();
                self.places.push_front(Place::Frame(Queued::new(&frame)));
                break;
            }
            batch.push(frame);
        }
        batch
    }

    pub(crate) fn has_frames(&self) -> bool {
        !self.places.is_empty()
    }

    /// Whether frames were handed over that are not reported as written.
    pub(crate) fn is_writing(&self) -> bool {
        self.in_flight > 0
    }

    /// Whether everything was handed over and reported as written.
    pub(crate) fn is_drained(&self) -> bool {
        self.buffered() == 0
    }

    /// Bytes not yet written.
    pub(crate) fn buffered(&self) -> usize {
        self.queued + self.in_flight
    }

    pub(crate) fn clear(&mut self) {
        self.places = Queue::default();
        self.latest = Latest::default();
        self.queued = 0;
        self.in_flight = 0;
    }
}

/// Why a message was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The session is closing or closed.
    Closed,
    /// The peer reads too slowly: so many bytes wait already. Nothing of the message was queued.
    Full {
        /// Bytes that wait; where there are too many small frames, each of them counts as 128.
        buffered: usize,
        /// The configured limit.
        limit: usize,
    },
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("session is closed"),
            Self::Full { buffered, limit } => write!(
                f,
                "outbox is full: {buffered} bytes wait, the limit is {limit}"
            ),
        }
    }
}

impl std::error::Error for SendError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(outbox: &mut Outbox, size: usize) -> Result<(), SendError> {
        let frame = Frame::binary(&vec![0; size - 2]);
        outbox.push([&frame].into_iter(), frame.len())
    }

    #[test]
    fn the_limit_counts_what_is_queued_and_what_is_being_written() {
        let mut outbox = Outbox::new(100);
        push(&mut outbox, 60).unwrap();
        outbox.pop(Wire::default()).unwrap();
        push(&mut outbox, 40).unwrap();
        assert_eq!(
            push(&mut outbox, 3),
            Err(SendError::Full {
                buffered: 100,
                limit: 100
            })
        );
        outbox.written(60);
        assert_eq!(push(&mut outbox, 60), Ok(()));
    }

    #[test]
    fn an_empty_outbox_takes_a_message_of_any_size() {
        let mut outbox = Outbox::new(10);
        assert_eq!(push(&mut outbox, 50), Ok(()));
        assert!(push(&mut outbox, 2).is_err());
    }

    #[test]
    fn small_frames_are_limited_in_number() {
        for (limit, frames) in [(1 << 20, 8192), (1000 * SMALL, FEW), (1 << 16, FEW)] {
            let mut outbox = Outbox::new(limit);
            let taken = (0..).take_while(|_| push(&mut outbox, 4).is_ok());
            assert_eq!(taken.count(), frames);
            let buffered = frames * SMALL;
            assert_eq!(
                push(&mut outbox, 4),
                Err(SendError::Full { buffered, limit })
            );
            let frame = Frame::message("a");
            let key = LatestKey::new(0, "key");
            outbox
                .push_latest(&key, [&frame].into_iter(), 4)
                .unwrap_err();
            for _ in 0..RESERVE / SMALL {
                outbox.push_reserved([&frame].into_iter(), 4).unwrap();
            }
            outbox.push_reserved([&frame].into_iter(), 4).unwrap_err();
            for _ in 0..=RESERVE / SMALL {
                outbox.pop(Wire::default()).unwrap();
            }
            for _ in 0..2 {
                outbox.push_latest(&key, [&frame].into_iter(), 4).unwrap();
            }
        }
    }

    #[test]
    fn a_batch_holds_what_fits_but_at_least_one_frame() {
        let mut outbox = Outbox::new(1000);
        for text in ["aa", "bb", "cc"] {
            let frame = Frame::message(text);
            outbox.push([&frame].into_iter(), frame.len()).unwrap();
        }
        assert_eq!(
            outbox.take_batch(7).len(),
            2,
            "two packets of three bytes and a separator"
        );
        assert_eq!(outbox.take_batch(1).len(), 1);
        assert!(outbox.is_drained());
    }

    #[test]
    fn frames_leave_as_compressible_as_they_came() {
        let mut outbox = Outbox::new(1000);
        let frames = [Frame::message("a"), Frame::message("b").uncompressed()];
        for _ in 0..2 {
            outbox.push(frames.iter(), 8).unwrap();
        }
        // The last of them does not fit and goes back.
        assert_eq!(outbox.take_batch(8), [&frames[..], &frames[..1]].concat());
        assert_eq!(outbox.pop(Wire::default()).as_ref(), Some(&frames[1]));
    }

    #[test]
    fn a_drained_queue_gives_its_memory_back() {
        let mut outbox = Outbox::new(usize::MAX);
        for _ in 0..1000 {
            push(&mut outbox, 2).unwrap();
        }
        while outbox.pop(Wire::default()).is_some() {}
        assert_eq!(outbox.places.capacity(), 0);
    }

    #[test]
    fn keys_cost_nothing_when_no_message_of_theirs_waits() {
        let mut outbox = Outbox::new(usize::MAX);
        let frame = Frame::message("a");
        for round in 0..3 {
            for scope in 0..1000 {
                let key = LatestKey::new(scope, "key");
                outbox.push_latest(&key, [&frame].into_iter(), 4).unwrap();
            }
            assert!(!outbox.latest.is_empty());
            match round {
                0 => while outbox.pop(Wire::default()).is_some() {},
                1 => drop(outbox.take_batch(usize::MAX)),
                _ => outbox.clear(),
            }
            assert!(outbox.latest.is_empty());
            assert_eq!(outbox.places.capacity(), 0);
        }
    }

    #[test]
    fn a_place_is_no_larger_than_a_frame() {
        assert_eq!(size_of::<Place>(), size_of::<Queued>());
    }
}
