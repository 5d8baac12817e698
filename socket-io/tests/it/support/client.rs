//! A client over WebSocket that sends exactly what it is told.

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::panic::Location;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tungstenite::protocol::{Role, WebSocketContext};
use tungstenite::{Error, Message};

use super::soon;

pub(crate) struct Client {
    /// The session's id.
    pub(crate) sid: String,
    stream: TcpStream,
    context: WebSocketContext,
    pipe: Pipe,
}

/// What arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    Text(String),
    Binary(Vec<u8>),
    /// The connection is over.
    End,
}

impl Client {
    /// Connects and reads the open packet.
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self::open_with(address, "", "").await
    }

    pub(crate) async fn open_with(address: SocketAddr, query: &str, headers: &str) -> Self {
        Self::opened(Self::connect(address, query, headers).await).await
    }

    /// One that has room for little that it has not read.
    pub(crate) async fn open_narrow(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(10_000).unwrap();
        let stream = socket.connect(address).await.unwrap();
        Self::opened(Self::upgrade(stream, "", "").await).await
    }

    async fn opened(mut client: Self) -> Self {
        let open = client.text().await;
        assert!(open.starts_with("0{\"sid\":"), "{open}");
        client.sid = open.split('"').nth(3).unwrap().to_owned();
        client
    }

    /// Connects and reads nothing.
    pub(crate) async fn connect(address: SocketAddr, query: &str, headers: &str) -> Self {
        Self::upgrade(TcpStream::connect(address).await.unwrap(), query, headers).await
    }

    async fn upgrade(mut stream: TcpStream, query: &str, headers: &str) -> Self {
        stream.set_nodelay(true).unwrap();
        let request = format!(
            "GET /socket.io/?EIO=4&transport=websocket{query} HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c29ja2V0LWlvLXRlc3RzIQ==\r\n{headers}\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(soon(stream.read_u8()).await.unwrap());
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "));
        Self {
            sid: String::new(),
            stream,
            context: WebSocketContext::new(Role::Client, None),
            pipe: Pipe::default(),
        }
    }

    /// Joins a namespace and returns the socket's id.
    pub(crate) async fn join(&mut self, namespace: &str) -> String {
        let prefix = match namespace {
            "/" => "40".to_owned(),
            other => format!("40{other},"),
        };
        self.send(&prefix).await;
        let reply = self.text().await;
        let id = reply
            .strip_prefix(&*prefix)
            .and_then(|rest| rest.strip_prefix("{\"sid\":\""))
            .and_then(|rest| rest.strip_suffix("\"}"));
        id.unwrap_or_else(|| panic!("not joined: {reply}"))
            .to_owned()
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.write(Message::text(text)).await;
    }

    pub(crate) async fn send_binary(&mut self, data: &[u8]) {
        self.write(Message::binary(data.to_vec())).await;
    }

    async fn write(&mut self, message: Message) {
        self.context.write(&mut self.pipe, message).unwrap();
        self.context.flush(&mut self.pipe).unwrap();
        self.flush().await;
    }

    async fn flush(&mut self) {
        let output = std::mem::take(&mut self.pipe.output);
        // The server may have closed already, which reading tells.
        let _ = soon(self.stream.write_all(&output)).await;
    }

    /// The next frame; pings are answered, not shown.
    #[track_caller]
    pub(crate) fn frame(&mut self) -> impl Future<Output = Frame> {
        soon(async {
            loop {
                match self.next().await {
                    Frame::Text(text) if text == "2" => self.send("3").await,
                    frame => return frame,
                }
            }
        })
    }

    /// The next frame, pings included.
    fn next(&mut self) -> impl Future<Output = Frame> {
        soon(async {
            loop {
                match self.context.read(&mut self.pipe) {
                    Ok(Message::Text(text)) => return Frame::Text(text.to_string()),
                    Ok(Message::Binary(data)) => return Frame::Binary(data.into()),
                    Ok(Message::Close(_)) => return Frame::End,
                    Ok(other) => panic!("unexpected {other:?}"),
                    Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                        let mut chunk = vec![0; 16 * 1024];
                        match self.stream.read(&mut chunk).await {
                            Ok(0) | Err(_) => return Frame::End,
                            Ok(count) => self.pipe.input.extend(&chunk[..count]),
                        }
                    }
                    Err(Error::ConnectionClosed | Error::AlreadyClosed) => return Frame::End,
                    Err(error) => panic!("the server broke the protocol: {error}"),
                }
            }
        })
    }

    #[track_caller]
    pub(crate) fn text(&mut self) -> impl Future<Output = String> {
        let caller = Location::caller();
        let frame = self.frame();
        async move {
            match frame.await {
                Frame::Text(text) => text,
                other => panic!("{caller}: expected text, not {other:?}"),
            }
        }
    }

    /// The next frame is this text.
    #[track_caller]
    pub(crate) fn check(&mut self, expected: &str) -> impl Future<Output = ()> {
        let caller = Location::caller();
        let frame = self.frame();
        async move { assert_eq!(frame.await, Frame::Text(expected.into()), "{caller}") }
    }

    #[track_caller]
    pub(crate) fn check_binary(&mut self, expected: &[u8]) -> impl Future<Output = ()> {
        let caller = Location::caller();
        let frame = self.frame();
        async move { assert_eq!(frame.await, Frame::Binary(expected.into()), "{caller}") }
    }

    /// Sends a packet and checks what comes next.
    #[track_caller]
    pub(crate) fn ask(&mut self, packet: &str, answer: &str) -> impl Future<Output = ()> {
        let caller = Location::caller();
        async move {
            self.send(packet).await;
            assert_eq!(self.frame().await, Frame::Text(answer.into()), "{caller}");
        }
    }

    /// The connection ends now, with nothing before.
    #[track_caller]
    pub(crate) fn check_end(&mut self) -> impl Future<Output = ()> {
        let caller = Location::caller();
        let frame = self.frame();
        async move { assert_eq!(frame.await, Frame::End, "{caller}") }
    }

    /// Answers so many pings.
    pub(crate) async fn stay_alive(&mut self, pings: usize) {
        for _ in 0..pings {
            assert_eq!(self.next().await, Frame::Text("2".into()));
            self.send("3").await;
        }
    }

    /// Reads to the end of the connection.
    pub(crate) async fn rest(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        loop {
            match self.frame().await {
                Frame::End => return frames,
                frame => frames.push(frame),
            }
        }
    }
}

/// Bytes that arrived and bytes that are to be sent.
#[derive(Default)]
struct Pipe {
    input: VecDeque<u8>,
    output: Vec<u8>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.input.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Read::read(&mut self.input, buffer)
    }
}

impl Write for Pipe {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Write::write(&mut self.output, data)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
