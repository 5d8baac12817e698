//! A server on a port of its own, and waiting that ends.

mod http;
mod polling;
mod websocket;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::panic::Location;
use std::sync::mpsc;
use std::time::Duration;

use engine_io::{CloseReason, Message, Sender, Server, ServerConfig, Socket};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) use http::{Http, Reply};
pub(crate) use polling::Polling;
pub(crate) use websocket::{Frame, Header, Narrow, WebSocket, upgrade_headers};

/// What does not happen within this time does not happen.
const PATIENCE: Duration = Duration::from_secs(20);
/// So often everybody who has something to do has a turn until it is sure that something waits.
const TURNS: usize = 200;

/// Waits for what must happen.
#[track_caller]
pub(crate) fn soon<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let caller = Location::caller();
    async move {
        tokio::time::timeout(PATIENCE, future)
            .await
            .unwrap_or_else(|_| panic!("{caller}: nothing happened within {PATIENCE:?}"))
    }
}

/// Checks that something waits: all others on this thread, who are all there are, have done what there was to do. What was sent to them is there, since nothing
/// leaves the machine.
#[track_caller]
pub(crate) fn not_yet<F: Future + Unpin>(future: &mut F) -> impl Future<Output = ()> {
    let caller = Location::caller();
    async move {
        tokio::select! {
            biased;
            _ = future => panic!("{caller}: happened too early"),
            () = settled() => {}
        }
    }
}

/// All others on this thread have done what there was to do.
pub(crate) async fn settled() {
    for _ in 0..TURNS {
        tokio::task::yield_now().await;
    }
}

/// Waits for a condition of the server that no event tells.
#[track_caller]
pub(crate) fn until(condition: impl Fn() -> bool) -> impl Future<Output = ()> {
    soon(async move {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
}

/// The clock of the runtime, which stands still until it is moved, whatever the sockets do meanwhile. [`until`] waits for ever then. If the test hangs, the clock
/// goes on by itself after a while, so that the test fails.
pub(crate) struct StoppedClock(#[expect(dead_code)] mpsc::Sender<()>);

impl StoppedClock {
    pub(crate) fn new() -> Self {
        tokio::time::pause();
        let (hold, held) = mpsc::channel();
        // A paused clock moves when all tasks wait, but not as long as a blocking one runs.
        tokio::task::spawn_blocking(move || {
            let _: Result<(), _> = held.recv_timeout(Duration::from_secs(60));
        });
        Self(hold)
    }

    /// Lets time pass.
    pub(crate) async fn advance(&self, seconds: f64) {
        tokio::time::advance(Duration::from_secs_f64(seconds)).await;
    }
}

impl Drop for StoppedClock {
    fn drop(&mut self) {
        tokio::time::resume();
    }
}

/// A server that listens.
pub(crate) struct Host {
    pub(crate) server: Server,
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Host {
    pub(crate) async fn new(config: ServerConfig) -> Self {
        let server = Server::new(config);
        let listener = server.listen("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(listener.run(async {
            let _ = stopped.await;
        }));
        Self {
            server,
            address,
            stop,
            task,
        }
    }

    /// One that sends every message back.
    pub(crate) async fn echo(config: ServerConfig) -> Self {
        let host = Self::new(config).await;
        let server = host.server.clone();
        tokio::spawn(async move {
            while let Some(socket) = server.accept().await {
                tokio::spawn(echo(socket));
            }
        });
        host
    }

    pub(crate) async fn http(&self) -> Http {
        Http::connect(self.address).await
    }

    /// A session over polling.
    pub(crate) async fn polling(&self) -> Polling {
        Polling::open(self.address).await
    }

    /// A session over a WebSocket, its open packet read.
    pub(crate) async fn websocket(&self) -> WebSocket {
        let mut websocket = self.bare_websocket("").await;
        websocket.handshake().await;
        websocket
    }

    /// An upgraded connection, `query` added to the address.
    pub(crate) async fn bare_websocket(&self, query: &str) -> WebSocket {
        WebSocket::connect(self.address, query).await
    }

    #[track_caller]
    pub(crate) fn accept(&self) -> impl Future<Output = Socket> {
        let accepted = soon(self.server.accept());
        async move { accepted.await.expect("the server is open") }
    }

    /// A session over polling, both ends.
    pub(crate) async fn polling_pair(&self) -> (Polling, Socket) {
        tokio::join!(self.polling(), self.accept())
    }

    /// A session over a WebSocket, both ends; the open packet is still to be read.
    pub(crate) async fn websocket_pair(&self) -> (WebSocket, Socket) {
        let websocket = self.bare_websocket("").await;
        (websocket, self.accept().await)
    }

    /// The same over a stream in memory that holds no more than so many bytes: what is written to it arrives at once, or waits until the peer reads.
    pub(crate) async fn narrow_pair(&self, bytes: usize) -> (Narrow, Socket) {
        (self.narrow(bytes, "").await, self.accept().await)
    }

    /// A WebSocket over a stream in memory, which takes so many bytes.
    pub(crate) async fn narrow(&self, bytes: usize, query: &str) -> Narrow {
        let (theirs, ours) = tokio::io::duplex(bytes);
        tokio::spawn(serve_stream(self.server.clone(), theirs));
        WebSocket::over_stream(ours, query).await
    }

    /// Stops listening and waits for the listener to end.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        soon(self.task).await.unwrap();
    }
}

/// Serves the engine on a stream of any kind.
pub(crate) async fn serve_stream<S>(server: Server, stream: S)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = server.service();
    let service = hyper::service::service_fn(move |request| {
        let response = hyper::service::Service::call(&service, request);
        async { Ok::<_, Infallible>(response.await.unwrap_or_else(|never| match never {})) }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let _ = connection.with_upgrades().await;
}

/// Sends every message back until the session is over.
pub(crate) async fn echo(mut socket: Socket) -> CloseReason {
    while let Some(message) = socket.recv().await {
        if socket.send(message).is_err() {
            break;
        }
    }
    socket.close_reason().expect("the session is over")
}

/// Drives a session in a task of its own and collects what arrives; the reason follows the end.
pub(crate) fn drive(mut socket: Socket) -> (Sender, JoinHandle<(Vec<Message>, CloseReason)>) {
    let sender = socket.sender();
    let task = tokio::spawn(async move {
        let mut messages = Vec::new();
        while let Some(message) = socket.recv().await {
            messages.push(message);
        }
        let reason = socket.close_reason().expect("the session is over");
        (messages, reason)
    });
    (sender, task)
}

/// Waits for the end of a driven session and checks what it was.
#[track_caller]
pub(crate) fn check_end(
    driven: JoinHandle<(Vec<Message>, CloseReason)>,
    messages: &[&str],
    reason: CloseReason,
) -> impl Future<Output = ()> {
    let expected: Vec<_> = messages.iter().map(|text| Message::from(*text)).collect();
    let caller = Location::caller();
    let end = soon(driven);
    async move {
        assert_eq!(end.await.unwrap(), (expected, reason), "{caller}");
    }
}
