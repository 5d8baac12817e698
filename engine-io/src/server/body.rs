//! The body of a request of known length: what came with the head, and what is still to come.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;

use super::http1::poll_read;
use crate::connection::Stream;

/// What is read of the connection while no request wants its body.
const READ_SIZE: usize = 16 * 1024;

pub(crate) struct RequestBody {
    /// Came with the head.
    data: Bytes,
    rest: Option<Rest>,
}

/// The stream in the hands of whoever reads the body; `None` when it was taken back.
pub(crate) type Rest = Arc<Mutex<Option<Lent>>>;

pub(crate) struct Lent {
    stream: Stream,
    unread: u64,
}

/// Where the connection reads while a request is answered.
pub(crate) enum Source {
    Whole(Stream),
    Lent(Rest),
}

impl RequestBody {
    /// A body of that length which begins with `data`.
    pub(crate) fn new(data: Bytes, length: u64, stream: Stream) -> (Self, Source) {
        let unread = length.saturating_sub(data.len() as u64);
        if unread == 0 {
            return (Self { data, rest: None }, Source::Whole(stream));
        }
        let rest = Arc::new(Mutex::new(Some(Lent { stream, unread })));
        let source = Source::Lent(rest.clone());
        let rest = Some(rest);
        (Self { data, rest }, source)
    }
}

impl Source {
    /// Reads what comes behind the body, which is pending until that has been read.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        match self {
            Self::Whole(stream) => poll_read(stream, cx, READ_SIZE),
            Self::Lent(rest) => match &mut *rest.lock() {
                Some(Lent { stream, unread: 0 }) => poll_read(stream, cx, READ_SIZE),
                _ => Poll::Pending,
            },
        }
    }

    /// Takes the stream back from a request that was answered; `None` if somebody did so before. The number is that of bytes which nobody has read.
    pub(crate) fn end(self) -> Option<(Stream, u64)> {
        match self {
            Self::Whole(stream) => Some((stream, 0)),
            Self::Lent(rest) => {
                let lent = rest.lock().take()?;
                Some((lent.stream, lent.unread))
            }
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if !self.data.is_empty() {
            let data = std::mem::take(&mut self.data);
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        let Some(rest) = &self.rest else {
            return Poll::Ready(None);
        };
        let mut lent = rest.lock();
        let data = match &mut *lent {
            Some(Lent { unread: 0, .. }) => return Poll::Ready(None),
            Some(Lent { stream, unread }) => {
                let limit = usize::try_from(*unread).unwrap_or(usize::MAX);
                let data = ready!(poll_read(stream, cx, limit));
                *unread -= data.as_ref().map_or(0, Bytes::len) as u64;
                data
            }
            // The answer was given without it.
            None => Ok(Bytes::new()),
        };
        Poll::Ready(Some(match data {
            Ok(data) if data.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(data) => Ok(Frame::data(data)),
            Err(error) => Err(error),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.size_hint().exact() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self
            .rest
            .as_ref()
            .map_or(0, |rest| rest.lock().as_ref().map_or(0, |lent| lent.unread));
        SizeHint::with_exact(self.data.len() as u64 + rest)
    }
}
