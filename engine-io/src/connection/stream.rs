//! The byte stream under a WebSocket.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

use crate::sync::TcpStream;

/// Any byte stream.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A TCP connection by itself, which needs no dynamic dispatch and is shared with those who send, or anything else, such as TLS.
pub(crate) enum Stream {
    Tcp(Arc<TcpStream>),
    Other(Box<dyn Io>),
}

impl Stream {
    #[cfg(not(shuttle))]
    pub(crate) fn tcp(stream: TcpStream) -> Self {
        Self::Tcp(Arc::new(stream))
    }

    /// The model makes its own.
    #[cfg(shuttle)]
    pub(crate) fn tcp(stream: tokio::net::TcpStream) -> Self {
        Self::Other(Box::new(stream))
    }

    /// Appends up to `room` bytes to the buffer; `None` unless this is a TCP connection.
    pub(crate) fn poll_read_into(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut Vec<u8>,
        room: usize,
    ) -> Option<Poll<io::Result<usize>>> {
        let Self::Tcp(stream) = self else {
            return None;
        };
        let start = buffer.len();
        // Not before there is something to be read.
        let read = poll_read_some(stream, cx, room, || {
            buffer.resize(start + room, 0);
            stream.try_read(&mut buffer[start..])
        });
        let count = match &read {
            Poll::Ready(Ok(count)) => *count,
            _ => 0,
        };
        buffer.truncate(start + count);
        Some(read)
    }

    /// Whether what was written may wait in a buffer until it is flushed.
    pub(crate) fn keeps_writes(&self) -> bool {
        matches!(self, Self::Other(_))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => poll_read_shared(stream, cx, buffer),
            Self::Other(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => poll_write_shared(stream, cx, || stream.try_write(data)),
            Self::Other(stream) => Pin::new(stream).poll_write(cx, data),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => poll_write_shared(stream, cx, || match data {
                // For one buffer there is a cheaper call.
                [data] => stream.try_write(data),
                _ => stream.try_write_vectored(data),
            }),
            Self::Other(stream) => Pin::new(stream).poll_write_vectored(cx, data),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(_) => true,
            Self::Other(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            // The system keeps nothing back.
            Self::Tcp(_) => Poll::Ready(Ok(())),
            Self::Other(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => match Arc::get_mut(stream) {
                Some(stream) => Pin::new(stream).poll_shutdown(cx),
                // Senders have let go of it before it is shut down; if one had not, closing it would do.
                None => Poll::Ready(Ok(())),
            },
            Self::Other(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// As tokio reads from a stream that nobody shares.
fn poll_read_shared(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    buffer: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    let room = buffer.remaining();
    // Not before there is something to be read.
    let read = || stream.try_read(buffer.initialize_unfilled());
    let count = ready!(poll_read_some(stream, cx, room, read))?;
    buffer.advance(count);
    Poll::Ready(Ok(()))
}

/// One that reads into so much room.
fn poll_read_some(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    room: usize,
    mut try_read: impl FnMut() -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        ready!(stream.poll_read_ready(cx))?;
        let mut read = None;
        let result = stream.try_io(Interest::READABLE, || {
            let count = try_read()?;
            read = Some(count);
            // Less than there was room for was everything: the stream is not readable now, and another call to find that out is saved.
            if 0 < count && count < room {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Ok(())
        });
        match (read, result) {
            (Some(count), _) => return Poll::Ready(Ok(count)),
            (None, Err(error)) if error.kind() != io::ErrorKind::WouldBlock => {
                return Poll::Ready(Err(error));
            }
            (None, _) => {}
        }
    }
}

fn poll_write_shared(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    mut write: impl FnMut() -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        // Asked first, since it is what ends the task's turn.
        ready!(stream.poll_write_ready(cx))?;
        match write() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return Poll::Ready(result),
        }
    }
}
