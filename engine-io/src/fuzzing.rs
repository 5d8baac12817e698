//! Doors to private readers, for the targets in `fuzz/`. Ordinary builds have no such module: it takes `--cfg fuzzing`.

use std::collections::VecDeque;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::HeaderMap;
use http::header::SEC_WEBSOCKET_EXTENSIONS;
use http::request::Parts;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::client::Proxy;
use crate::connection::{Stream, WebSocket};
use crate::deflate::DeflateConfig;
use crate::packet::Message;
use crate::request::Request;
use crate::server::{RequestQuery, jsonp_payload};
use crate::session::Side;
use crate::text::Text;

/// A peer that says what it was given in these pieces, reads everything, and then neither speaks nor leaves.
struct Peer(VecDeque<Bytes>);

impl Peer {
    fn stream(pieces: &[&[u8]]) -> Stream {
        let pieces = pieces.iter().filter(|piece| !piece.is_empty());
        let pieces = pieces.map(|piece| Bytes::copy_from_slice(piece)).collect();
        Stream::Other(Box::new(Self(pieces)))
    }
}

impl AsyncRead for Peer {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let pieces = &mut self.get_mut().0;
        let Some(piece) = pieces.front_mut() else {
            return Poll::Pending;
        };
        let taken = piece.split_to(piece.len().min(buffer.remaining()));
        buffer.put_slice(&taken);
        if piece.is_empty() {
            pieces.pop_front();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Peer {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The messages in what a peer sends over a WebSocket in these pieces, and how it ended, if it did.
pub fn read_websocket(
    side: Side,
    deflate: bool,
    max_message: usize,
    pieces: &[&[u8]],
) -> (Vec<Message>, Option<String>) {
    let stream = Peer::stream(pieces);
    let mut websocket = match side {
        Side::Server => WebSocket::server(stream, &[], max_message),
        Side::Client => WebSocket::client(stream, &[], max_message, None),
    };
    if deflate {
        let answer = DeflateConfig::default().answer(["permessage-deflate"].into_iter());
        websocket.agreed = answer.map(|(agreed, _)| agreed);
    }
    let mut cx = Context::from_waker(Waker::noop());
    let mut inbox = VecDeque::new();
    let end = loop {
        match websocket.poll_read(&mut cx, &mut inbox) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(end)) => break Some(format!("{end:?}")),
            // Pongs have to leave before more is read.
            Poll::Pending if websocket.has_egress() => {
                let _ = websocket.poll_flush(&mut cx);
            }
            Poll::Pending => break None,
        }
    };
    (inbox.into(), end)
}

/// What a proxy makes of its part, given that the server behind it is `host`. None while more of the answer is awaited.
pub fn open_tunnel(proxy: &Proxy, host: &str, answer: &[u8]) -> Option<Result<(), String>> {
    let mut stream = Peer::stream(&[answer]);
    let opened = pin!(proxy.tunnel(&mut stream, host, 443));
    match opened.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Some(result.map_err(|error| error.to_string())),
        Poll::Pending => None,
    }
}

/// The server's reading of a query.
pub fn read_query(query: &str) -> String {
    format!("{:?}", RequestQuery::parse(Some(query)))
}

/// The body of a POST by JSONP.
pub fn read_jsonp(form: &[u8]) -> Option<Text> {
    jsonp_payload(form)
}

/// What a session remembers of its request.
pub fn remember(parts: &Parts) -> Request {
    Request::new(parts)
}

/// How a server answers offers of extensions, and what a client makes of these headers as an answer.
pub fn negotiate_deflate(headers: &HeaderMap) -> (Option<String>, bool) {
    let values = || {
        let values = headers.get_all(SEC_WEBSOCKET_EXTENSIONS).iter();
        values.filter_map(|value| value.to_str().ok())
    };
    let config = DeflateConfig::default();
    let answer = config.answer(values()).map(|(_, answer)| answer);
    (answer, config.accept(values()).is_ok())
}
