//! What all tests share: a server that listens, and clients.

mod bus;
mod client;
mod one_way;
mod polling;

use std::future::Future;
use std::net::SocketAddr;
use std::panic::Location;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket_io::{Failure, HandlerError, SocketIo, SocketIoBuilder};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex as AsyncMutex, Semaphore};

pub(crate) use bus::Bus;
pub(crate) use client::{Client, Frame};
pub(crate) use one_way::OneWay;
pub(crate) use polling::{Polling, respond};

/// What does not happen within this time does not happen.
const PATIENCE: Duration = Duration::from_secs(20);

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

/// Waits for a condition of the server that no event tells.
#[track_caller]
pub(crate) fn until(condition: impl Fn() -> bool) -> impl Future<Output = ()> {
    soon(async move {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
}

/// Everybody on this thread has done what there was to do, as far as it does not wait for the test. What goes over a network has arrived, since it does not leave
/// the machine.
pub(crate) async fn settled() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// Checks that something waits.
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

/// What handlers tell the test; they take it as `State<Log>`.
#[derive(Clone)]
pub(crate) struct Log(UnboundedSender<String>);

impl Log {
    pub(crate) fn new(sender: UnboundedSender<String>) -> Self {
        Self(sender)
    }

    pub(crate) fn say(&self, text: impl Into<String>) {
        // A test that is over listens no more.
        let _ = self.0.send(text.into());
    }
}

/// Handlers wait here until the test lets them on.
pub(crate) struct Gate(Arc<Semaphore>);

impl Gate {
    pub(crate) async fn pass(&self) {
        self.0
            .acquire()
            .await
            .expect("the gate is never closed")
            .forget();
    }
}

/// Something that handlers leave for the test, or the other way round.
pub(crate) struct Shelf<T>(pub(crate) Mutex<Option<T>>);

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> Shelf<T> {
    pub(crate) fn put(&self, value: T) {
        *self.0.lock().unwrap() = Some(value);
    }

    pub(crate) fn take(&self) -> Option<T> {
        self.0.lock().unwrap().take()
    }
}

/// A server with what its handlers need to talk to the test.
pub(crate) struct Stage {
    pub(crate) io: SocketIo,
    log: AsyncMutex<UnboundedReceiver<String>>,
    errors: AsyncMutex<UnboundedReceiver<HandlerError>>,
    gate: Arc<Semaphore>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) fn with(options: impl FnOnce(SocketIoBuilder) -> SocketIoBuilder) -> Self {
        let (log, heard) = unbounded_channel();
        let (reported, errors) = unbounded_channel();
        let gate = Arc::new(Semaphore::new(0));
        let builder = SocketIo::builder()
            .state(Log(log))
            .state(Gate(gate.clone()))
            .on_error(move |error| {
                let _ = reported.send(error.clone());
            });
        Self {
            io: options(builder).build(),
            log: AsyncMutex::new(heard),
            errors: AsyncMutex::new(errors),
            gate,
        }
    }

    /// Lets so many handlers on.
    pub(crate) fn open_gate(&self, times: usize) {
        self.gate.add_permits(times);
    }

    /// What a handler says next.
    #[track_caller]
    pub(crate) fn heard(&self) -> impl Future<Output = String> {
        let next = soon(async { self.log.lock().await.recv().await });
        async move { next.await.expect("the server keeps the other end") }
    }

    #[track_caller]
    pub(crate) fn check_heard(&self, expected: &str) -> impl Future<Output = ()> {
        let caller = Location::caller();
        let heard = self.heard();
        async move { assert_eq!(heard.await, expected, "{caller}") }
    }

    /// Nothing was said that was not heard.
    pub(crate) async fn check_silence(&self) {
        assert_eq!(self.log.lock().await.try_recv().ok(), None);
    }

    /// What the error hook is given next.
    #[track_caller]
    pub(crate) fn error(&self) -> impl Future<Output = HandlerError> {
        let next = soon(async { self.errors.lock().await.recv().await });
        async move { next.await.expect("the server keeps the other end") }
    }

    #[track_caller]
    pub(crate) fn check_error(&self, event: &str, failure: Failure) -> impl Future<Output = ()> {
        let caller = Location::caller();
        let error = self.error();
        async move {
            let error = error.await;
            assert_eq!((&*error.event, error.failure), (event, failure), "{caller}");
        }
    }

    pub(crate) async fn check_no_error(&self) {
        assert_eq!(self.errors.lock().await.try_recv().ok(), None);
    }

    /// A session over polling that needs no network.
    pub(crate) async fn polling(&self) -> Polling {
        Polling::open(&self.io).await
    }

    /// The server listens from now on.
    pub(crate) async fn listen(self) -> Host {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let io = self.io.clone();
        tokio::spawn(async move { io.serve(listener).await });
        Host {
            stage: self,
            address,
        }
    }
}

/// A server that listens.
pub(crate) struct Host {
    pub(crate) stage: Stage,
    pub(crate) address: SocketAddr,
}

impl std::ops::Deref for Host {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.stage
    }
}

impl Host {
    /// A client over WebSocket that has joined nothing.
    pub(crate) async fn client(&self) -> Client {
        Client::open(self.address).await
    }

    /// A client in `/`, and its id.
    pub(crate) async fn member(&self) -> (Client, String) {
        let mut client = self.client().await;
        let id = client.join("/").await;
        (client, id)
    }

    /// Some clients in `/`, and their ids.
    pub(crate) async fn members<const N: usize>(&self) -> ([Client; N], [String; N]) {
        let mut clients = Vec::new();
        let mut ids = Vec::new();
        for _ in 0..N {
            let (client, id) = self.member().await;
            clients.push(client);
            ids.push(id);
        }
        let (Ok(clients), Ok(ids)) = (clients.try_into(), ids.try_into()) else {
            unreachable!("there are as many as were asked for");
        };
        (clients, ids)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stage.io.close();
    }
}
