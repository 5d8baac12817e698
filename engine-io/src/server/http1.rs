//! HTTP/1.1 on one connection of the stand-alone listener, as far as sessions need it.
//!
//! Here a request costs little more than the two system calls that read it and write its answer, and a connection that waits holds no buffers. What is out of
//! the ordinary is hyper's: the connection is handed over together with the bytes that have been read, and does not come back.
//!
//! | served here | handed over |
//! |---|---|
//! | GET, POST and OPTIONS of HTTP/1.1 | other methods and versions |
//! | paths of the responder | other paths |
//! | POSTs with bodies of known length | bodies in chunks, or with other methods; `Expect` |
//! | connections that stay, upgrades | `Connection: close` |
//! | heads of up to 16 KiB and 64 headers | longer ones, and those that are invalid or come in many pieces |

use std::cell::Cell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use http::request::Parts;
use http::{HeaderMap, Request, Response, StatusCode, Uri, header};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::task::unconstrained;
use tokio::time::Sleep;

use super::body::RequestBody;
use super::head::{Head, take_head, write_head};
use super::route::wants_upgrade;
use super::service::Respond;
use super::upgraded;
use crate::connection::{Stream, now};
use crate::request::ConnectionInfo;

/// How long a connection may take to send the headers of a request, and how long it may be idle, or take nothing of an answer.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// What one read takes at most.
const READ_SIZE: usize = 16 * 1024;
/// Pieces in which a head may come; each of them makes it be looked at from its start again.
const PIECES: usize = 8;
/// A body up to this size is copied behind the headers of its answer.
const COPIED: usize = 8 * 1024;
/// What is read of a body that nobody wanted, so that the connection can be used again.
const DISCARDED: u64 = 64 * 1024;

thread_local! {
    /// The buffers of all connections of a thread, taken out while one of them uses them.
    static INPUT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static OUTPUT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Answers requests until the connection ends, becomes a WebSocket, or is to be handed over with what has been read.
pub(crate) async fn serve<R: Respond>(
    mut stream: Stream,
    info: ConnectionInfo,
    responder: &R,
    stopped: &watch::Receiver<()>,
) -> io::Result<Option<(Stream, Bytes)>> {
    let mut signal = stopped.clone();
    let mut signal = pin!(signal.changed());
    let mut listening = false;
    // A task's waker stays the same, so it is enough to leave it once.
    let mut is_stopped = |cx: &mut Context<'_>| {
        if !std::mem::replace(&mut listening, true) {
            return signal.as_mut().poll(cx).is_ready();
        }
        is_over(stopped)
    };
    let mut ahead = Bytes::new();
    let (mut parts, ()) = Request::new(()).into_parts();
    let mut idle = Idle::default();
    idle.begin();
    loop {
        let mut pieces = 0;
        let head = poll_fn(|cx| -> Poll<io::Result<Head>> {
            loop {
                match take_head(&mut ahead, &mut parts, |uri| responder.matches(uri)) {
                    Head::Partial if pieces > PIECES || ahead.len() >= READ_SIZE => {
                        return Poll::Ready(Ok(Head::Other));
                    }
                    Head::Partial => {}
                    head => return Poll::Ready(Ok(head)),
                }
                let ended = ahead.is_empty() && is_stopped(cx);
                match poll_read(&mut stream, cx, READ_SIZE)? {
                    Poll::Ready(piece) if piece.is_empty() => {
                        return Poll::Ready(if ahead.is_empty() {
                            Ok(Head::Partial)
                        } else {
                            Err(io::ErrorKind::UnexpectedEof.into())
                        });
                    }
                    Poll::Ready(piece) if ahead.is_empty() => ahead = piece,
                    Poll::Ready(piece) => ahead = [&ahead[..], &piece].concat().into(),
                    Poll::Pending if ended => return Poll::Ready(Ok(Head::Partial)),
                    Poll::Pending => return idle.poll(cx),
                }
                pieces += 1;
            }
        });
        let (length, upgrades) = match head.await? {
            Head::Request { length, upgrades } => (length, upgrades),
            Head::Other => return Ok(Some((stream, ahead))),
            Head::Partial => {
                shutdown(stream).await;
                return Ok(None);
            }
        };

        match parts.extensions.get_mut() {
            Some(known) => *known = info,
            None => _ = parts.extensions.insert(info),
        }
        let mut upgrade = None;
        if upgrades && wants_upgrade(&parts.headers) {
            upgrade = Some(upgraded::offer(&mut parts.extensions));
        }
        let here = usize::try_from(length)
            .unwrap_or(usize::MAX)
            .min(ahead.len());
        // What is empty would keep the request's memory.
        let body = if here == ahead.len() {
            std::mem::take(&mut ahead)
        } else if here > 0 {
            ahead.split_to(here)
        } else {
            Bytes::new()
        };
        let (body, mut source) = RequestBody::new(body, length, stream);
        let mut responding = Box::pin(responder.respond(&mut parts, body));
        let response = poll_fn(|cx| -> Poll<io::Result<_>> {
            if let Poll::Ready(response) = responding.as_mut().poll(cx) {
                return Poll::Ready(Ok(Some(response)));
            }
            // A client that leaves takes its request along.
            if ahead.is_empty() {
                ahead = ready!(source.poll_read(cx))?;
                if ahead.is_empty() {
                    return Poll::Ready(Ok(None));
                }
            }
            Poll::Pending
        });
        let response = response.await;
        drop(responding);
        forget(&mut parts);
        let Some(response) = response? else {
            return Ok(None);
        };

        let Some((returned, mut unread)) = source.end() else {
            return Ok(None);
        };
        stream = returned;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let (output, body) = encode(response, false);
            write(&mut stream, output, body, &mut idle).await?;
            if let Some(upgrade) = upgrade {
                let _ = upgrade.send((stream, ahead));
            }
            return Ok(None);
        }
        let last = unread > DISCARDED || says_close(response.headers()) || is_over(stopped);
        let (output, body) = encode(response, last);
        write(&mut stream, output, body, &mut idle).await?;
        if last {
            shutdown(stream).await;
            return Ok(None);
        }
        while unread > 0 {
            let piece = poll_fn(|cx| match poll_read(&mut stream, cx, unread as usize) {
                Poll::Pending => idle.poll(cx),
                read @ Poll::Ready(_) => read,
            });
            let piece = piece.await?;
            if piece.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            unread -= piece.len() as u64;
        }
    }
}

/// A connection that waits keeps nothing of the request before, but for the place of what is in each of them.
fn forget(parts: &mut Parts) {
    parts.uri = Uri::default();
    parts.headers = HeaderMap::new();
    let is_kept = parts.extensions.get::<ConnectionInfo>().is_some();
    if !is_kept || parts.extensions.len() > 1 {
        parts.extensions.clear();
    }
}

/// Whether the listener has stopped, or is gone.
fn is_over(stopped: &watch::Receiver<()>) -> bool {
    stopped.has_changed().unwrap_or(true)
}

/// The one timer of a connection. It is not set again for each request: when it fires, it is looked whether it is time.
#[derive(Default)]
struct Idle {
    deadline: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Idle {
    fn begin(&mut self) {
        self.deadline = now().checked_add(IDLE_TIMEOUT);
    }

    /// An error when the peer has let the connection wait for too long.
    fn poll<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        self.poll_deadline(cx)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline else {
            return Poll::Pending;
        };
        if self.sleep.as_ref().is_some_and(|sleep| !sleep.is_elapsed()) {
            // A task's waker stays the same, so it is enough to leave it once.
            return Poll::Pending;
        }
        let deadline = deadline.into();
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        // A task that has used up its turn would not be called by the timer, so that is not asked.
        while pin!(unconstrained(sleep.as_mut())).poll(cx).is_ready() {
            if sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

/// Reads once, `limit` bytes at the most; nothing at the end of the stream.
pub(crate) fn poll_read(
    stream: &mut Stream,
    cx: &mut Context<'_>,
    limit: usize,
) -> Poll<io::Result<Bytes>> {
    let mut input = INPUT.take();
    input.resize(READ_SIZE, 0);
    let mut buffer = ReadBuf::new(&mut input[..limit.min(READ_SIZE)]);
    let read = Pin::new(stream).poll_read(cx, &mut buffer);
    let read = read.map_ok(|()| Bytes::copy_from_slice(buffer.filled()));
    INPUT.set(input);
    read
}

fn says_close(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::CONNECTION).iter();
    let mut options = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
}

/// The bytes of an answer, and those of its body that are better not copied.
fn encode(response: Response<Bytes>, last: bool) -> (Vec<u8>, Bytes) {
    let mut output = OUTPUT.take();
    output.clear();
    write_head(&mut output, &response, last);
    let body = response.into_body();
    if body.len() > COPIED {
        return (output, body);
    }
    output.extend_from_slice(&body);
    (output, Bytes::new())
}

/// Writes an answer. A peer that takes nothing of it for too long loses the connection.
async fn write(
    stream: &mut Stream,
    output: Vec<u8>,
    mut body: Bytes,
    idle: &mut Idle,
) -> io::Result<()> {
    let mut head = &output[..];
    while !head.is_empty() || !body.is_empty() {
        // What comes after the last write, the next request, has its time from here on, too.
        idle.begin();
        let written = poll_fn(|cx| {
            let stream = Pin::new(&mut *stream);
            let written = if body.is_empty() {
                stream.poll_write(cx, head)
            } else {
                stream.poll_write_vectored(cx, &[IoSlice::new(head), IoSlice::new(&body)])
            };
            match written {
                Poll::Pending => idle.poll(cx),
                written @ Poll::Ready(_) => written,
            }
        });
        let written = written.await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        let of_head = written.min(head.len());
        head = &head[of_head..];
        body.advance(written - of_head);
    }
    if output.capacity() <= READ_SIZE + COPIED {
        OUTPUT.set(output);
    }
    poll_fn(|cx| match Pin::new(&mut *stream).poll_flush(cx) {
        Poll::Pending => idle.poll(cx),
        flushed @ Poll::Ready(_) => flushed,
    })
    .await
}

/// Says goodbye, in the way of the stream.
async fn shutdown(mut stream: Stream) {
    let end = poll_fn(|cx| Pin::new(&mut stream).poll_shutdown(cx));
    let _ = tokio::time::timeout(IDLE_TIMEOUT, end).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_is_one_of_the_options_of_a_connection() {
        for (values, expected) in [
            (&[][..], false),
            (&["close"], true),
            (&["Close, foo"], true),
            (&["foo ,\tCLOSE"], true),
            (&["keep-alive", "close"], true),
            (&["keep-alive", "foo, close,"], true),
            (&["keep-alive"], false),
            (&["closed", "not-close", "close foo", "\"close\""], false),
            (&["", ",,"], false),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::CONNECTION, value.parse().unwrap());
            }
            headers.insert("x-connection", "close".parse().unwrap());
            assert_eq!(says_close(&headers), expected, "{values:?}");
        }
    }
}
