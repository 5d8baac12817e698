//! A raw HTTP/1.1 client: one connection, one request after the other.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Waker};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

use super::soon;

pub(crate) struct Http<S = TcpStream> {
    pub(crate) stream: S,
    /// Read and not yet used.
    pub(crate) ahead: Vec<u8>,
}

/// A response.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// The first header of that name, in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(known, _)| known == name)?;
        Some(value)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Checks status and body.
    #[track_caller]
    pub(crate) fn check(&self, status: u16, body: &str) {
        assert_eq!((self.status, self.text()), (status, body));
    }
}

impl Http {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = soon(TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream)
    }

    /// Closes with a reset, so that nothing queued is delivered.
    pub(crate) fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Http<S> {
    pub(crate) fn over(stream: S) -> Self {
        Self {
            stream,
            ahead: Vec::new(),
        }
    }

    pub(crate) async fn write(&mut self, data: impl AsRef<[u8]>) {
        soon(self.stream.write_all(data.as_ref())).await.unwrap();
    }

    /// Sends a request with these further header lines; a body gets its length.
    pub(crate) async fn send(&mut self, method: &str, target: &str, headers: &str, body: &[u8]) {
        let length = match (method, body.len()) {
            ("POST" | "PUT", length) => format!("Content-Length: {length}\r\n"),
            (_, 0) => String::new(),
            (_, length) => format!("Content-Length: {length}\r\n"),
        };
        let head =
            format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{headers}{length}\r\n");
        self.write([head.as_bytes(), body].concat()).await;
    }

    /// Sends a request and waits for the response.
    pub(crate) async fn request(
        &mut self,
        method: &str,
        target: &str,
        headers: &str,
        body: &[u8],
    ) -> Reply {
        self.send(method, target, headers, body).await;
        self.reply(method == "HEAD").await
    }

    pub(crate) async fn get(&mut self, target: &str) -> Reply {
        self.request("GET", target, "", b"").await
    }

    /// Waits for a response.
    pub(crate) async fn reply(&mut self, bodiless: bool) -> Reply {
        soon(self.read_reply(bodiless))
            .await
            .expect("the server answers")
    }

    /// `None` when the connection ends before the response does.
    pub(crate) async fn read_reply(&mut self, bodiless: bool) -> Option<Reply> {
        let head = loop {
            if let Some(end) = find(&self.ahead, b"\r\n\r\n") {
                let rest = self.ahead.split_off(end + 4);
                break std::mem::replace(&mut self.ahead, rest);
            }
            self.fill().await?;
        };
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().unwrap();
        let headers: Vec<_> = lines
            .map(|line| {
                let (name, value) = line.split_once(':').unwrap();
                (name.to_ascii_lowercase(), value.trim().to_owned())
            })
            .collect();
        let mut reply = Reply {
            status,
            headers,
            body: Vec::new(),
        };
        let length = match reply.header("content-length") {
            Some(length) if !bodiless => length.parse().unwrap(),
            _ => 0,
        };
        while self.ahead.len() < length {
            self.fill().await?;
        }
        let rest = self.ahead.split_off(length);
        reply.body = std::mem::replace(&mut self.ahead, rest);
        Some(reply)
    }

    async fn fill(&mut self) -> Option<()> {
        let count = self.stream.read_buf(&mut self.ahead).await.ok()?;
        (count > 0).then_some(())
    }

    /// Whether nothing has come that was not read, not even the end. Whoever asks has seen that the server did what it had to do.
    pub(crate) fn is_silent(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        let read = Pin::new(&mut self.stream).poll_read(&mut cx, &mut buffer);
        self.ahead.is_empty() && read.is_pending()
    }

    /// Whether the server ends the connection, without another byte.
    pub(crate) async fn is_ended(&mut self) -> bool {
        let mut byte = [0];
        self.ahead.is_empty() && matches!(soon(self.stream.read(&mut byte)).await, Ok(0) | Err(_))
    }
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes
        .windows(pattern.len())
        .position(|window| window == pattern)
}
