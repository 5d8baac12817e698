//! Our client with our server, and with servers that break the rules.

mod border;
mod closing;
mod cookies;
#[cfg(feature = "deflate")]
mod deflate;
mod opening;
mod routes;
mod sending;
mod times;
#[cfg(all(feature = "client-ring", feature = "client-webpki-roots"))]
mod tls;
mod upgrade;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use engine_io::{
    ClientConfig, ConnectError, Connecting, Connection, Connector, Message, Socket, Transport,
    TransportError,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Host, soon};

pub(crate) const BOTH: [Transport; 2] = [Transport::Polling, Transport::WebSocket];

/// A client of one transport, which it keeps.
pub(crate) fn only(transport: Transport) -> ClientConfig {
    ClientConfig::default().transports([transport])
}

impl Host {
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    #[track_caller]
    pub(crate) fn connect(
        &self,
        config: &ClientConfig,
    ) -> impl Future<Output = Result<Socket, ConnectError>> {
        let (url, config) = (self.url(), config.clone());
        soon(async move { engine_io::connect(&url, &config).await })
    }

    /// Both ends of a session.
    pub(crate) async fn client_pair(&self, config: &ClientConfig) -> (Socket, Socket) {
        let accepted = async {
            let mut server = self.accept().await;
            // The open packet leaves.
            let first = std::future::poll_fn(|cx| Poll::Ready(server.poll_recv(cx))).await;
            assert!(first.is_pending());
            server
        };
        let (client, server) = tokio::join!(self.connect(config), accepted);
        (client.unwrap(), server)
    }
}

/// Sends a message and waits for it to come back.
#[track_caller]
pub(crate) fn check_echo(socket: &mut Socket) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let messages: [Message; 3] = ["hällo €".into(), vec![0, 1, 255].into(), "𝄞".into()];
        for message in &messages {
            socket.send(message.clone()).unwrap();
        }
        for message in messages {
            assert_eq!(soon(socket.recv()).await, Some(message), "{caller}");
        }
    }
}

/// Waits until a socket has moved to a WebSocket.
pub(crate) async fn upgraded(socket: &mut Socket) {
    soon(std::future::poll_fn(|cx| {
        let moved = socket.poll_recv(cx);
        assert!(moved.is_pending(), "{moved:?}");
        match socket.transport() {
            Transport::WebSocket => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }))
    .await;
}

#[track_caller]
pub(crate) fn transport_error(result: Result<Socket, ConnectError>) -> TransportError {
    match result {
        Err(ConnectError::Transport(_, error)) => error,
        other => panic!("{other:?}"),
    }
}

/// A server that answers each connection with the same bytes, then closes it.
pub(crate) async fn answers(answer: impl Into<Vec<u8>>) -> String {
    let answer = Arc::new(answer.into());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let (mut stream, _) = request(stream).await;
                stream.write_all(&answer).await.unwrap();
            });
        }
    });
    url
}

/// Reads the head of a request.
pub(crate) async fn request(mut stream: TcpStream) -> (TcpStream, String) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    (stream, String::from_utf8(head).unwrap())
}

/// Leads one of the connections to another address.
pub(crate) struct Detour {
    made: AtomicUsize,
    nth: usize,
    to: SocketAddr,
}

impl Detour {
    /// The first connection.
    pub(crate) fn of_the_first(to: SocketAddr) -> Self {
        Self {
            made: AtomicUsize::new(0),
            nth: 0,
            to,
        }
    }

    /// The second connection: the candidate of an upgrade, or the first POST.
    pub(crate) fn of_the_second(to: SocketAddr) -> Self {
        Self {
            made: AtomicUsize::new(0),
            nth: 1,
            to,
        }
    }
}

impl Connector for Detour {
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> Connecting<'a> {
        Box::pin(async move {
            let stream = if self.made.fetch_add(1, Ordering::Relaxed) == self.nth {
                TcpStream::connect(self.to).await?
            } else {
                TcpStream::connect((host, port)).await?
            };
            Ok(Connection::from(stream))
        })
    }
}
