//! A WebSocket over any byte stream, lean when idle.
//!
//! Reading: one read per readiness into a buffer that the thread's connections share; tungstenite parses from there. When no partial frame is left,
//! tungstenite's state is dropped, so an idle connection holds no read buffer.
//!
//! Writing: finished frames queue as shared bytes and leave with vectored writes, everything queued in one call.

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tungstenite::error::{CapacityError, Error};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};

use super::boundary::Boundary;
use super::long::Long;
use super::mask::masked;
use super::stream::Stream;
use super::whole::{self, NotUtf8};
use crate::deflate::{Agreed, Inflater};
use crate::packet::Message;
use crate::session::Side;
use crate::sync::TcpStream;
use crate::text::Text;

/// What one read takes at most.
const READ_SIZE: usize = 16 * 1024;
/// What tungstenite keeps per connection while a frame is incomplete.
const CONTEXT_BUFFER: usize = 4096;
/// The reason that tungstenite puts, with code 1002, in the place of a close frame whose code nobody may send.
const FORBIDDEN_CODE: &str = "Protocol violation";
/// Slices of one vectored write.
const WRITE_SLICES: usize = 32;
/// While so many bytes of pongs wait, nothing more is read.
const PONG_LIMIT: u32 = 16 * 1024;
/// How long the end of a connection waits for the peer's close frame, and how much it reads meanwhile.
const LINGER_TIME: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 4 << 20;

thread_local! {
    /// The read buffer of all connections of a thread, taken out while one of them uses it.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

pub(crate) struct WebSocket {
    stream: Stream,
    max_message: usize,
    /// Present while anything is held of what the peer sends.
    partial: Option<Box<Partial>>,
    /// Read and not yet looked at: by the HTTP server before the upgrade, or behind enough inflated messages.
    ahead: Option<Box<Bytes>>,
    /// What was agreed on about compression.
    pub(crate) agreed: Option<Agreed>,
    inflater: Inflater,
    egress: VecDeque<Bytes>,
    /// Handed to a stream that buffers, and not known to have left it.
    unflushed: bool,
    /// Bytes in `egress` that tungstenite put there.
    pongs: u32,
    /// What a client has beside that; it is a server's end without.
    client: Option<Box<ClientEnd>>,
}

/// What is needed from the beginning of a message to its end.
#[derive(Default)]
struct Partial {
    long: Option<Long>,
    parser: Option<Parser>,
}

struct Parser {
    context: WebSocketContext,
    /// Tells when the context holds nothing.
    boundary: Boundary,
}

struct ClientEnd {
    /// The sub-protocol that the server has chosen.
    protocol: Option<Box<str>>,
    cause: Option<Cause>,
}

/// What there is to tell about the end of a WebSocket.
#[derive(Debug)]
pub(crate) enum Cause {
    /// The peer's close frame.
    Close(u16, String),
    /// The connection failed.
    Io(io::Error),
}

/// Why nothing more can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The peer closed the connection, with a close frame or without.
    Closed,
    /// The connection failed.
    Failed,
    /// This side ends it, without a code.
    Ours,
    /// The peer broke the rules; it is told this close code.
    Violation(u16),
}

impl From<NotUtf8> for End {
    fn from(_: NotUtf8) -> Self {
        Self::Violation(1007)
    }
}

impl WebSocket {
    /// The server's end of an upgraded connection.
    pub(crate) fn server(stream: Stream, ahead: &[u8], max_message: usize) -> Self {
        Self {
            stream,
            max_message,
            partial: None,
            ahead: boxed(ahead),
            agreed: None,
            inflater: Inflater::default(),
            egress: VecDeque::new(),
            unflushed: false,
            pongs: 0,
            client: None,
        }
    }

    /// The client's end, and the sub-protocol that the server has chosen.
    pub(crate) fn client(
        stream: Stream,
        ahead: &[u8],
        max_message: usize,
        protocol: Option<Box<str>>,
    ) -> Self {
        let client = ClientEnd {
            protocol,
            cause: None,
        };
        Self {
            client: Some(Box::new(client)),
            ..Self::server(stream, ahead, max_message)
        }
    }

    fn side(&self) -> Side {
        match self.client {
            None => Side::Server,
            Some(_) => Side::Client,
        }
    }

    /// The sub-protocol that a client's server has chosen.
    pub(crate) fn protocol(&self) -> Option<&str> {
        self.client.as_ref()?.protocol.as_deref()
    }

    /// What there is to tell about the end; on clients only.
    pub(crate) fn take_cause(&mut self) -> Option<Cause> {
        self.client.as_mut()?.cause.take()
    }

    fn tell(&mut self, cause: impl FnOnce() -> Cause) {
        if let Some(client) = &mut self.client {
            client.cause.get_or_insert_with(cause);
        }
    }

    /// Reads once and appends the messages that are complete. `Ok(())` says that bytes arrived.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        inbox: &mut VecDeque<Message>,
    ) -> Poll<Result<(), End>> {
        if self.pongs > PONG_LIMIT {
            // The next flush makes room and wakes the task.
            return Poll::Pending;
        }
        if let Some(ahead) = self.ahead.take() {
            return Poll::Ready(self.feed(&ahead, inbox));
        }
        let long = self
            .partial
            .as_mut()
            .and_then(|partial| partial.long.as_mut());
        if let Some(read) = long.and_then(|long| long.poll_read(&self.stream, cx)) {
            return match ready!(read) {
                Ok(0) => Poll::Ready(Err(End::Closed)),
                Ok(_) => Poll::Ready(self.feed(&[], inbox)),
                Err(error) => {
                    self.tell(|| Cause::Io(error));
                    Poll::Ready(Err(End::Failed))
                }
            };
        }
        let mut scratch = SCRATCH.take();
        scratch.resize(READ_SIZE, 0);
        let mut buffer = ReadBuf::new(&mut scratch);
        let read = Pin::new(&mut self.stream).poll_read(cx, &mut buffer);
        let result = match read {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => {
                self.tell(|| Cause::Io(error));
                Poll::Ready(Err(End::Failed))
            }
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => Poll::Ready(Err(End::Closed)),
            Poll::Ready(Ok(())) => Poll::Ready(self.feed(buffer.filled(), inbox)),
        };
        SCRATCH.set(scratch);
        result
    }

    pub(crate) fn feed(
        &mut self,
        mut input: &[u8],
        inbox: &mut VecDeque<Message>,
    ) -> Result<(), End> {
        if self.agreed.is_none() {
            let long = self
                .partial
                .as_mut()
                .and_then(|partial| partial.long.as_mut());
            if let Some(long) = long {
                long.extend(input);
                if !long.is_complete() {
                    return Ok(());
                }
                let long = self.partial.take().and_then(|partial| partial.long);
                let Some((message, rest)) = long.map(Long::finish).transpose()? else {
                    return Ok(());
                };
                inbox.push_back(message);
                return self.feed(&rest, inbox);
            }
            if self.side() == Side::Server && self.partial.is_none() {
                input = whole::take(input, self.max_message, inbox)?;
                if input.is_empty() {
                    return Ok(());
                }
                if let Some(long) = Long::begin(input, self.max_message) {
                    self.partial.get_or_insert_default().long = Some(long);
                    return Ok(());
                }
            }
            self.parser().boundary.advance(input);
            return self.parse(input, inbox);
        }
        let mut inflated = 0;
        while !input.is_empty() {
            let (plain, rest) = input.split_at(self.plain_len(input));
            if !plain.is_empty() {
                self.parse(plain, inbox)?;
            }
            input = rest;
            if input.is_empty() {
                break;
            }
            let side = self.side();
            let message = self.inflater.advance(&mut input, self.max_message, side);
            if let Some(message) = message.map_err(End::Violation)? {
                inflated += message.len();
                inbox.push_back(message);
            }
            if inflated > self.max_message {
                // A few bytes may become a lot of memory: these messages first.
                self.ahead = boxed(input);
                break;
            }
        }
        Ok(())
    }

    /// How much of the input comes before the next byte of a compressed message.
    fn plain_len(&mut self, input: &[u8]) -> usize {
        let mut rest = input;
        while let Some(&byte) = rest.first() {
            // Within other messages there are none; if one is tried, tungstenite refuses its RSV1.
            if self.is_clean() && self.inflater.takes(byte) {
                break;
            }
            rest = self.parser().boundary.advance_frame(rest);
        }
        input.len() - rest.len()
    }

    fn parser(&mut self) -> &mut Parser {
        let max = self.max_message;
        let role = match self.side() {
            Side::Server => Role::Server,
            Side::Client => Role::Client,
        };
        let partial = self.partial.get_or_insert_default();
        partial.parser.get_or_insert_with(|| {
            let config = WebSocketConfig::default()
                .read_buffer_size(CONTEXT_BUFFER)
                .write_buffer_size(0)
                .max_message_size(Some(max))
                .max_frame_size(Some(max));
            Parser {
                context: WebSocketContext::new(role, Some(config)),
                boundary: Boundary::default(),
            }
        })
    }

    /// Whether the peer is between two messages.
    fn is_clean(&self) -> bool {
        let partial = self.partial.as_ref();
        let parser = partial.and_then(|partial| partial.parser.as_ref());
        parser.is_none_or(|parser| parser.boundary.is_clean())
    }

    /// Lets tungstenite parse what the boundary knows of already.
    fn parse(&mut self, input: &[u8], inbox: &mut VecDeque<Message>) -> Result<(), End> {
        let partial = self.partial.as_mut();
        let Some(Parser { context, .. }) = partial.and_then(|partial| partial.parser.as_mut())
        else {
            return Ok(());
        };
        let mut pipe = Pipe {
            input,
            egress: &mut self.egress,
            pongs: &mut self.pongs,
        };
        let mut closed = None;
        let end = loop {
            match context.read(&mut pipe) {
                Ok(tungstenite::Message::Text(text)) => match Text::try_from(Bytes::from(text)) {
                    Ok(text) => inbox.push_back(Message::Text(text)),
                    Err(_) => break Err(End::Violation(1007)),
                },
                Ok(tungstenite::Message::Binary(data)) => inbox.push_back(Message::Binary(data)),
                Ok(tungstenite::Message::Close(Some(frame)))
                    if frame.code == CloseCode::Protocol && frame.reason == FORBIDDEN_CODE =>
                {
                    break Err(End::Violation(1002));
                }
                Ok(tungstenite::Message::Close(frame)) => {
                    closed = frame;
                    // Queues the answer. What comes behind a close frame does not count.
                    let _ = context.flush(&mut pipe);
                    break Err(End::Closed);
                }
                // The next turn queues the answer to a ping.
                Ok(_) => {}
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    break Ok(());
                }
                Err(Error::ConnectionClosed | Error::AlreadyClosed) => break Err(End::Closed),
                Err(Error::Capacity(CapacityError::MessageTooLong { .. })) => {
                    break Err(End::Violation(1009));
                }
                Err(Error::Utf8(_)) => break Err(End::Violation(1007)),
                Err(Error::Protocol(_)) => break Err(End::Violation(1002)),
                Err(_) => break Err(End::Failed),
            }
        };
        if let Some(frame) = closed {
            self.tell(|| Cause::Close(frame.code.into(), frame.reason.to_string()));
        }
        end?;
        if self.is_clean() {
            self.partial = None;
        }
        Ok(())
    }

    /// A finished frame as it leaves this side.
    pub(super) fn outgoing(&self, frame: Bytes) -> Bytes {
        match self.side() {
            Side::Server => frame,
            Side::Client => masked(&frame),
        }
    }

    /// Queues what is outgoing.
    pub(super) fn queue(&mut self, bytes: Bytes) {
        self.egress.push_back(bytes);
    }

    /// Queues a finished frame.
    pub(crate) fn push(&mut self, frame: Bytes) {
        let bytes = self.outgoing(frame);
        self.queue(bytes);
    }

    /// Queues a close frame; without a code it has no body.
    pub(crate) fn push_close(&mut self, code: Option<u16>) {
        self.push(match code {
            None => Bytes::from_static(&[0x88, 0]),
            Some(code) => {
                let [high, low] = code.to_be_bytes();
                Bytes::copy_from_slice(&[0x88, 2, high, low])
            }
        });
    }

    /// The stream, for senders that write finished frames to it; not where frames are masked, or go through another layer.
    pub(crate) fn shared_stream(&self) -> Option<Arc<TcpStream>> {
        match (&self.stream, self.side()) {
            (Stream::Tcp(stream), Side::Server) => Some(stream.clone()),
            _ => None,
        }
    }

    /// Writes finished frames as far as the system takes them at once; what is left. What stops it, the next flush will find out.
    pub(super) fn try_write(&self, mut frames: Bytes) -> Bytes {
        if let (Stream::Tcp(stream), Side::Server) = (&self.stream, self.side()) {
            frames.advance(stream.try_write(&frames).unwrap_or_default());
        }
        frames
    }

    /// Queues the rest of a frame of which the beginning is written.
    pub(crate) fn push_rest(&mut self, rest: Bytes) {
        self.egress.push_front(rest);
    }

    /// Whether something waits to be written.
    pub(crate) fn has_egress(&self) -> bool {
        !self.egress.is_empty() || self.unflushed
    }

    /// Writes what is queued. Ready with the bytes that left once the queue is empty or blocked after progress; pending when nothing could be written.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut written = 0;
        while !self.egress.is_empty() {
            let mut slices = [IoSlice::new(&[]); WRITE_SLICES];
            let mut count = 0;
            for (slice, frame) in slices.iter_mut().zip(&self.egress) {
                *slice = IoSlice::new(frame);
                count += 1;
            }
            match Pin::new(&mut self.stream).poll_write_vectored(cx, &slices[..count]) {
                Poll::Pending if written > 0 => return Poll::Ready(Ok(written)),
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(length)) => {
                    written += length;
                    self.unflushed = self.stream.keeps_writes();
                    self.advance(length);
                }
            }
        }
        // An idle connection holds no queue.
        self.egress = VecDeque::new();
        if self.unflushed {
            match Pin::new(&mut self.stream).poll_flush(cx)? {
                Poll::Ready(()) => self.unflushed = false,
                Poll::Pending if written == 0 => return Poll::Pending,
                Poll::Pending => {}
            }
        }
        Poll::Ready(Ok(written))
    }

    fn advance(&mut self, mut length: usize) {
        while let Some(front) = self.egress.front_mut() {
            if length < front.len() {
                front.advance(length);
                return;
            }
            length -= front.len();
            self.egress.pop_front();
        }
        self.pongs = 0;
    }

    /// Writes what is queued and waits for the peer to close, within bounds, so that the close frame is not lost with unread data.
    pub(crate) async fn linger(mut self) {
        let end = async {
            while self.has_egress() {
                if poll_fn(|cx| self.poll_flush(cx)).await.is_err() {
                    return;
                }
            }
            if poll_fn(|cx| Pin::new(&mut self.stream).poll_shutdown(cx))
                .await
                .is_err()
            {
                return;
            }
            let mut discarded = 0;
            while let Ok(count) = poll_fn(|cx| poll_discard(&mut self.stream, cx)).await {
                discarded += count;
                if count == 0 || discarded > LINGER_BYTES {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(LINGER_TIME, end).await;
    }
}

/// Bytes that are kept for later, if there are any.
fn boxed(bytes: &[u8]) -> Option<Box<Bytes>> {
    (!bytes.is_empty()).then(|| Box::new(Bytes::copy_from_slice(bytes)))
}

fn poll_discard(stream: &mut Stream, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    let mut scratch = [0; 1024];
    let mut buffer = ReadBuf::new(&mut scratch);
    ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
    Poll::Ready(Ok(buffer.filled().len()))
}

/// What tungstenite reads from and writes to: bytes in memory.
struct Pipe<'a> {
    input: &'a [u8],
    egress: &'a mut VecDeque<Bytes>,
    pongs: &'a mut u32,
}

impl io::Read for Pipe<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.input.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.input.read(buffer)
    }
}

impl io::Write for Pipe<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        *self.pongs = self.pongs.saturating_add(data.len() as u32);
        self.egress.push_back(Bytes::copy_from_slice(data));
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod conformance;

#[cfg(test)]
mod tests {
    use super::*;

    /// A masked frame; the mask changes nothing.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        [&[first, 0x80 | payload.len() as u8, 0, 0, 0, 0], payload].concat()
    }

    #[test]
    fn nothing_is_kept_between_messages() {
        let (stream, _peer) = tokio::io::duplex(1);
        let stream = Stream::Other(Box::new(stream));
        let mut websocket = WebSocket::server(stream, &[], 1000);
        let mut inbox = VecDeque::new();
        for (input, kept) in [
            (frame(0x81, b"4whole"), false),
            (frame(0x01, b"4frag"), true),
            (frame(0x89, b"ping"), true),
            (frame(0x80, b"mented"), false),
            (frame(0x82, b"half")[..5].to_vec(), true),
            (frame(0x82, b"half")[5..].to_vec(), false),
            (frame(0x82, b"parts")[..7].to_vec(), true),
            (frame(0x82, b"parts")[7..10].to_vec(), true),
            (
                [&frame(0x82, b"parts")[10..], &frame(0x81, b"4more")].concat(),
                false,
            ),
            (
                [&frame(0x82, b"other")[..], &frame(0x81, b"4part")[..8]].concat(),
                true,
            ),
            (
                [&frame(0x81, b"4part")[8..], &frame(0x81, b"4and")[..9]].concat(),
                true,
            ),
            (
                [&frame(0x81, b"4and")[9..], &frame(0x89, b"ping")].concat(),
                false,
            ),
        ] {
            websocket.feed(&input, &mut inbox).unwrap();
            assert_eq!(websocket.partial.is_some(), kept, "{input:?}");
        }
        let expected: [Message; 8] = [
            "4whole".into(),
            "4fragmented".into(),
            b"half".to_vec().into(),
            b"parts".to_vec().into(),
            "4more".into(),
            b"other".to_vec().into(),
            "4part".into(),
            "4and".into(),
        ];
        assert_eq!(inbox, expected);
    }
}
