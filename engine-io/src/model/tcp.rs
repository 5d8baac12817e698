//! A TCP connection in memory, with as much of the interface of tokio's as is used.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncWrite, Interest};

use super::Mutex;

/// Bytes that the system takes while nobody reads: less than two short frames.
const ROOM: usize = 11;

#[derive(Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pipe {
    fn room(&self) -> usize {
        ROOM - self.bytes.len()
    }
}

/// One end of a connection.
pub(crate) struct TcpStream {
    input: Arc<Mutex<Pipe>>,
    output: Arc<Mutex<Pipe>>,
}

impl TcpStream {
    /// Both ends.
    pub(super) fn pair() -> [Self; 2] {
        let [there, back] = [(), ()].map(|()| Arc::new(Mutex::new(Pipe::default())));
        let near = Self {
            input: back.clone(),
            output: there.clone(),
        };
        let far = Self {
            input: there,
            output: back,
        };
        [near, far]
    }

    pub(crate) fn try_io<T>(
        &self,
        _: Interest,
        operation: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        operation()
    }

    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut pipe = self.input.lock();
        let count = pipe.bytes.len().min(buffer.len());
        if count == 0 && !pipe.closed {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        for (place, byte) in buffer.iter_mut().zip(pipe.bytes.drain(..count)) {
            *place = byte;
        }
        let writer = pipe.writer.take();
        drop(pipe);
        writer.into_iter().for_each(Waker::wake);
        Ok(count)
    }

    pub(crate) fn try_write(&self, data: &[u8]) -> io::Result<usize> {
        let mut pipe = self.output.lock();
        if pipe.closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let count = pipe.room().min(data.len());
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        pipe.bytes.extend(&data[..count]);
        let reader = pipe.reader.take();
        drop(pipe);
        reader.into_iter().for_each(Waker::wake);
        Ok(count)
    }

    pub(crate) fn try_write_vectored(&self, data: &[IoSlice<'_>]) -> io::Result<usize> {
        let data: Vec<u8> = data
            .iter()
            .flat_map(|slice| slice.iter().copied())
            .collect();
        self.try_write(&data)
    }

    pub(crate) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut pipe = self.input.lock();
        if pipe.closed || !pipe.bytes.is_empty() {
            return Poll::Ready(Ok(()));
        }
        pipe.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(crate) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut pipe = self.output.lock();
        if pipe.closed || pipe.room() > 0 {
            return Poll::Ready(Ok(()));
        }
        pipe.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    fn close(&self) {
        for pipe in [&self.input, &self.output] {
            let mut pipe = pipe.lock();
            pipe.closed = true;
            let wakers = [pipe.reader.take(), pipe.writer.take()];
            drop(pipe);
            wakers.into_iter().flatten().for_each(Waker::wake);
        }
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        std::task::ready!(self.poll_write_ready(cx))?;
        Poll::Ready(self.try_write(data))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.close();
        Poll::Ready(Ok(()))
    }
}

impl Drop for TcpStream {
    fn drop(&mut self) {
        self.close();
    }
}
