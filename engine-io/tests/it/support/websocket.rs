//! A WebSocket client, or a server: tungstenite reads what the peer writes, frames to the peer are made by hand, so that they can be wrong.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf,
};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tungstenite::protocol::{Role, WebSocketContext};

use super::{Http, soon};

pub(crate) struct WebSocket<R = OwnedReadHalf, W = OwnedWriteHalf> {
    pub(crate) reader: WsReader<R>,
    pub(crate) writer: WsWriter<W>,
}

/// One over a stream in memory.
pub(crate) type Narrow = WebSocket<ReadHalf<DuplexStream>, WriteHalf<DuplexStream>>;

/// What arrives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    Text(String),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
    /// A close frame with its code.
    Close(Option<u16>),
    /// The end of the connection.
    End,
}

pub(crate) fn upgrade_headers() -> &'static str {
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
}

impl WebSocket {
    pub(crate) async fn connect(address: SocketAddr, query: &str) -> Self {
        Self::over(Http::connect(address).await, query).await
    }

    pub(crate) async fn over(http: Http, query: &str) -> Self {
        let http = upgrade(http, query).await;
        Self::new(http.stream, http.ahead)
    }

    pub(crate) fn new(stream: TcpStream, ahead: Vec<u8>) -> Self {
        Self::with_role(stream, ahead, Role::Client)
    }

    pub(crate) fn with_role(stream: TcpStream, ahead: Vec<u8>, role: Role) -> Self {
        let (read, write) = stream.into_split();
        Self::of_halves(read, write, ahead, role)
    }

    /// Closes with a reset.
    pub(crate) fn reset(self) {
        let stream = self
            .reader
            .stream
            .reunite(self.writer.stream)
            .expect("the halves belong together");
        stream.set_zero_linger().unwrap();
    }
}

impl Narrow {
    pub(crate) async fn over_stream(stream: DuplexStream, query: &str) -> Self {
        let http = upgrade(Http::over(stream), query).await;
        let (read, write) = tokio::io::split(http.stream);
        Self::of_halves(read, write, http.ahead, Role::Client)
    }
}

/// A connection that becomes a WebSocket.
async fn upgrade<S: AsyncRead + AsyncWrite + Unpin>(mut http: Http<S>, query: &str) -> Http<S> {
    let target = format!("/engine.io/?EIO=4&transport=websocket{query}");
    let reply = http.request("GET", &target, upgrade_headers(), b"").await;
    assert_eq!(reply.status, 101, "{}", reply.text());
    http
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> WebSocket<R, W> {
    fn of_halves(read: R, write: W, ahead: Vec<u8>, role: Role) -> Self {
        Self {
            reader: WsReader {
                stream: read,
                context: WebSocketContext::new(role, None),
                pipe: Pipe {
                    input: ahead.into(),
                },
            },
            writer: WsWriter { stream: write },
        }
    }

    /// Reads the open packet and returns the session's id.
    pub(crate) async fn handshake(&mut self) -> String {
        let text = self.text().await;
        assert!(text.starts_with("0{"), "{text}");
        text.split('"').nth(3).unwrap().to_owned()
    }

    /// Sends a text frame.
    pub(crate) async fn send(&mut self, text: &str) {
        self.writer.send(text).await;
    }

    /// The next text frame.
    pub(crate) async fn text(&mut self) -> String {
        self.reader.text().await
    }

    pub(crate) async fn frame(&mut self) -> Frame {
        self.reader.frame().await
    }

    /// Waits for a close frame and the end, skipping all else.
    #[track_caller]
    pub(crate) fn check_close(mut self, code: Option<u16>) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        soon(async move {
            loop {
                match self.frame().await {
                    Frame::Close(found) => {
                        assert_eq!(found, code, "{caller}");
                        break;
                    }
                    Frame::End => panic!("{caller}: ended without a close frame"),
                    Frame::Text(_) | Frame::Binary(_) | Frame::Pong(_) => {}
                }
            }
            assert_eq!(self.frame().await, Frame::End, "{caller}");
        })
    }
}

pub(crate) struct WsReader<R = OwnedReadHalf> {
    stream: R,
    context: WebSocketContext,
    pipe: Pipe,
}

impl<R: AsyncRead + Unpin> WsReader<R> {
    /// The next frame, waited for within bounds.
    pub(crate) async fn frame(&mut self) -> Frame {
        soon(self.next()).await
    }

    /// The next frame.
    pub(crate) async fn next(&mut self) -> Frame {
        loop {
            match self.context.read(&mut self.pipe) {
                Ok(tungstenite::Message::Text(text)) => return Frame::Text(text.to_string()),
                Ok(tungstenite::Message::Binary(data)) => return Frame::Binary(data.into()),
                Ok(tungstenite::Message::Pong(data)) => return Frame::Pong(data.into()),
                Ok(tungstenite::Message::Close(close)) => {
                    return Frame::Close(close.map(|close| close.code.into()));
                }
                Ok(other) => panic!("unexpected {other:?}"),
                Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                }
                Err(tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed) => {}
                Err(error) => panic!("the server broke the protocol: {error}"),
            }
            let mut chunk = [0; 16 * 1024];
            match self.stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return Frame::End,
                Ok(count) => self.pipe.input.extend(&chunk[..count]),
            }
        }
    }

    pub(crate) async fn text(&mut self) -> String {
        match self.frame().await {
            Frame::Text(text) => text,
            other => panic!("expected text, not {other:?}"),
        }
    }
}

/// Bytes in, nothing out: what tungstenite answers by itself is dropped.
struct Pipe {
    input: VecDeque<u8>,
}

impl io::Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.input.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.input.read(buffer)
    }
}

impl io::Write for Pipe {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) struct WsWriter<W = OwnedWriteHalf> {
    pub(crate) stream: W,
}

/// The first byte of a frame.
#[derive(Clone, Copy)]
pub(crate) struct Header(pub(crate) u8);

impl Header {
    pub(crate) const TEXT: Self = Self(0x81);
    pub(crate) const BINARY: Self = Self(0x82);
    pub(crate) const CLOSE: Self = Self(0x88);
    pub(crate) const PING: Self = Self(0x89);
    /// A text message that goes on.
    pub(crate) const FIRST: Self = Self(0x01);
    pub(crate) const MIDDLE: Self = Self(0x00);
    pub(crate) const LAST: Self = Self(0x80);

    /// A masked frame; the mask is four times the same byte.
    pub(crate) fn frame(self, payload: &[u8]) -> Vec<u8> {
        const MASK: u8 = 0x55;
        let length = payload.len();
        let mut frame = vec![self.0];
        match length {
            0..=125 => frame.push(0x80 | length as u8),
            126..=0xffff => {
                frame.push(0x80 | 126);
                frame.extend((length as u16).to_be_bytes());
            }
            _ => {
                frame.push(0x80 | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend([MASK; 4]);
        frame.extend(payload.iter().map(|byte| byte ^ MASK));
        frame
    }
}

impl<W: AsyncWrite + Unpin> WsWriter<W> {
    pub(crate) async fn send(&mut self, text: &str) {
        self.frame(Header::TEXT, text.as_bytes()).await;
    }

    pub(crate) async fn frame(&mut self, header: Header, payload: &[u8]) {
        self.write(&header.frame(payload)).await;
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        soon(self.stream.write_all(bytes)).await.unwrap();
    }
}
