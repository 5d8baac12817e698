//! What all tests share: a server that listens, a line to it that can be cut, and patience.

use std::future::Future;
use std::net::SocketAddr;
use std::panic::Location;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket_io::{SocketIo, SocketIoBuilder};
use socket_io_client::{Manager, ManagerBuilder, Reconnect, Transport};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinHandle, JoinSet};

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

/// Waits for a condition that no event tells.
#[track_caller]
pub(crate) fn until(condition: impl Fn() -> bool) -> impl Future<Output = ()> {
    soon(async move {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
}

/// What handlers tell the test.
#[derive(Clone)]
pub(crate) struct Log(UnboundedSender<String>);

pub(crate) struct Heard(UnboundedReceiver<String>);

pub(crate) fn log() -> (Log, Heard) {
    let (sender, receiver) = unbounded_channel();
    (Log(sender), Heard(receiver))
}

impl Log {
    pub(crate) fn say(&self, text: impl Into<String>) {
        // A test that is over listens no more.
        let _ = self.0.send(text.into());
    }
}

impl Heard {
    /// Everything that comes, in this order.
    #[track_caller]
    pub(crate) fn check<'a>(
        &'a mut self,
        expected: &'a [&'a str],
    ) -> impl Future<Output = ()> + 'a {
        let caller = Location::caller();
        async move {
            let mut heard = Vec::new();
            for _ in expected {
                let next = tokio::time::timeout(PATIENCE, self.0.recv()).await;
                let Ok(Some(text)) = next else {
                    panic!("{caller}: heard only {heard:?} of {expected:?}");
                };
                heard.push(text);
            }
            assert_eq!(heard, expected, "{caller}");
        }
    }

    pub(crate) fn check_silence(&mut self) {
        assert_eq!(self.0.try_recv().ok(), None);
    }
}

/// A server that listens.
pub(crate) struct Host {
    pub(crate) io: SocketIo,
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Host {
    pub(crate) async fn start(set_up: impl FnOnce(&SocketIo)) -> Self {
        Self::with(|builder| builder, set_up).await
    }

    pub(crate) async fn with(
        options: impl FnOnce(SocketIoBuilder) -> SocketIoBuilder,
        set_up: impl FnOnce(&SocketIo),
    ) -> Self {
        // It may restart there.
        Self::at(nowhere().await, options, set_up).await
    }

    /// A server at an address that was one before.
    pub(crate) async fn at(
        address: SocketAddr,
        options: impl FnOnce(SocketIoBuilder) -> SocketIoBuilder,
        set_up: impl FnOnce(&SocketIo),
    ) -> Self {
        let io = options(SocketIo::builder()).build();
        set_up(&io);
        let listener = TcpListener::bind(address).await.expect("the port is free");
        let address = listener.local_addr().expect("it is bound");
        let task = tokio::spawn({
            let io = io.clone();
            async move { io.serve(listener).await }
        });
        Self { io, address, task }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A manager that begins with a WebSocket and reconnects quickly.
    pub(crate) fn manager(&self) -> ManagerBuilder {
        manager(self.address)
    }

    /// Ends it, and waits until nothing listens any more.
    pub(crate) async fn stop(self) {
        self.io.close();
        self.task.abort();
        let address = self.address;
        soon(async move {
            while TcpStream::connect(address).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.io.close();
        self.task.abort();
    }
}

pub(crate) fn manager(address: SocketAddr) -> ManagerBuilder {
    Manager::builder(format!("http://{address}"))
        .engine(|engine| engine.transports([Transport::WebSocket]))
        .reconnect(quickly())
}

pub(crate) fn quickly() -> Reconnect {
    Reconnect::default()
        .delay(Duration::from_millis(10))
        .delay_max(Duration::from_millis(20))
}

/// An address where nobody listens, and that nobody gets who does not ask for it: below the ports that the system gives to those who do not care.
pub(crate) async fn nowhere() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = std::process::id() * 64 + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 10_000 + (number % 20_000) as u16;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).await.is_ok() {
            return address;
        }
    }
}

/// A line to a server, which can be cut.
pub(crate) struct Line {
    pub(crate) address: SocketAddr,
    connections: Arc<Mutex<JoinSet<()>>>,
    task: JoinHandle<()>,
}

impl Line {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("there is a port");
        let address = listener.local_addr().expect("it is bound");
        let connections = Arc::<Mutex<JoinSet<()>>>::default();
        let task = tokio::spawn({
            let connections = connections.clone();
            async move {
                while let Ok((mut near, _)) = listener.accept().await {
                    connections
                        .lock()
                        .expect("it is not poisoned")
                        .spawn(async move {
                            if let Ok(mut far) = TcpStream::connect(server).await {
                                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                            }
                        });
                }
            }
        });
        Self {
            address,
            connections,
            task,
        }
    }

    /// Whatever runs over it breaks. New connections may be made.
    pub(crate) fn cut(&self) {
        let mut connections = self.connections.lock().expect("it is not poisoned");
        connections.abort_all();
        *connections = JoinSet::new();
    }

    pub(crate) fn manager(&self) -> ManagerBuilder {
        manager(self.address)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}
