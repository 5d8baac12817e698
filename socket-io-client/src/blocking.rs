//! The client for programs without asynchronous code: the same socket, driven by a thread of its own.
//!
//! ```no_run
//! use std::time::Duration;
//! use socket_io_client::blocking;
//!
//! let socket = blocking::connect("http://127.0.0.1:3000")?;
//! socket.emit("hello", "world")?;
//! let answer: String = socket.call("question", &42, Duration::from_secs(5))?;
//! for event in socket.iter() {
//!     let event = event?;
//!     println!("{} {:?}", event.name, event.args);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Everything here that waits panics when it is called from asynchronous code, which it would block.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::endpoint::Told;
use crate::error::{AckError, ConnectError, EmitError, RecvError};
use crate::inbox::{Limit, Taken};
use crate::socket_builder::SocketBuilder;
use crate::stream::{Incoming, SocketEvent, Subscription};

/// How long a socket that is dropped waits for what was emitted to leave.
const FAREWELL: Duration = Duration::from_secs(2);

/// Why there is no socket.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// It could not be connected.
    Connect(ConnectError),
    /// The system gives no thread, or no timer.
    Thread(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => error.fmt(f),
            Self::Thread(_) => f.write_str("no thread for the connection"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Connect(error) => error.source(),
            Self::Thread(error) => Some(error),
        }
    }
}

/// A socket that blocks. Dropping it leaves the namespace, after what was emitted, for which it waits 2 s at the most.
pub struct Socket {
    socket: crate::Socket,
    events: Mutex<Subscription>,
    thread: Thread,
}

/// The thread that drives the connection.
struct Thread {
    handle: Handle,
    end: Option<oneshot::Sender<()>>,
    joined: Option<JoinHandle<()>>,
}

impl Thread {
    fn start() -> io::Result<Self> {
        let (ready, started) = mpsc::channel();
        let (end, ended) = oneshot::channel();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let thread = std::thread::Builder::new().name("socket-io-client".into());
        let joined = thread.spawn(move || {
            runtime.block_on(async {
                let _ = ready.send(());
                // The sender may be dropped instead, which means the same.
                let _ = ended.await;
            });
        })?;
        // A thread that does not get so far has been joined by nobody.
        let _ = started.recv();
        Ok(Self {
            handle,
            end: Some(end),
            joined: Some(joined),
        })
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.joined.take() {
            // It has nothing to say.
            let _ = thread.join();
        }
    }
}

/// Connects to the namespace of a URL; see [`Socket::connect`].
///
/// # Errors
///
/// As [`Socket::connect`].
pub fn connect(url: impl Into<String>) -> Result<Socket, Error> {
    Socket::connect(crate::Socket::builder(url))
}

impl Socket {
    /// Makes a socket and joins its namespace.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`] as [`SocketBuilder::connect`] fails, [`Error::Thread`] when there can be no thread.
    pub fn connect(builder: SocketBuilder) -> Result<Self, Error> {
        let thread = Thread::start().map_err(Error::Thread)?;
        let joined = thread.handle.block_on(async {
            let socket = builder.build()?;
            let events = Subscription::new(socket.clone(), None, Limit::Drop);
            socket.connect().await?;
            Ok((socket, events))
        });
        let (socket, events) = joined.map_err(Error::Connect)?;
        Ok(Self {
            socket,
            events: Mutex::new(events),
            thread,
        })
    }

    /// Emits an event; see [`Socket::emit`](crate::Socket::emit). It does not wait for anything.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn emit(&self, event: &str, data: &(impl Serialize + ?Sized)) -> Result<(), EmitError> {
        self.socket.emit(event, data)
    }

    /// Emits an event and waits for the acknowledgement.
    ///
    /// # Errors
    ///
    /// [`AckError`], [`AckError::Timeout`] after that time.
    pub fn call<R: DeserializeOwned>(
        &self,
        event: &str,
        data: &(impl Serialize + ?Sized),
        timeout: Duration,
    ) -> Result<R, AckError> {
        let answer = self.socket.emit_with_ack(event, data).timeout(timeout);
        self.thread.handle.block_on(answer)
    }

    /// Waits for the next event. `Ok(None)` when none has come in that time.
    ///
    /// When more bytes than [`inbox_limit`](crate::ManagerBuilder::inbox_limit) wait to be received, the oldest events are dropped.
    ///
    /// # Errors
    ///
    /// [`RecvError::Ended`] when the socket is disconnected and does not come back by itself, [`RecvError::Lagged`] when events were dropped.
    pub fn recv(&self, timeout: Duration) -> Result<Option<Incoming>, RecvError> {
        let receive = async { tokio::time::timeout(timeout, self.receive()).await };
        let received = self.thread.handle.block_on(receive);
        received.map_or(Ok(None), |received| received.map(Some))
    }

    /// The events, one after the other, until the socket is disconnected and does not come back by itself.
    pub fn iter(&self) -> impl Iterator<Item = Result<Incoming, RecvError>> {
        std::iter::from_fn(|| {
            let received = self.thread.handle.block_on(self.receive());
            (!matches!(received, Err(RecvError::Ended))).then_some(received)
        })
    }

    async fn receive(&self) -> Result<Incoming, RecvError> {
        loop {
            let taken = poll_fn(|cx| self.events.lock().poll(cx)).await;
            let told = match taken {
                Taken::Item(Told::End) => return Err(RecvError::Ended),
                Taken::Item(told) => told,
                Taken::Lagged(count) => return Err(RecvError::Lagged(count)),
            };
            if let Some(SocketEvent::Event(event)) = SocketEvent::new(&self.socket, told) {
                return Ok(event);
            }
        }
    }

    /// Waits for a future, such as one of [`inner`](Self::inner):
    ///
    /// ```no_run
    /// # fn run(socket: socket_io_client::blocking::Socket) -> Result<(), Box<dyn std::error::Error>> {
    /// let delivery = socket.wait(socket.inner().durable().emit("order", &("tea", 2)))?;
    /// let receipt: String = socket.wait(delivery.acknowledged())?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait<F: Future>(&self, future: F) -> F::Output {
        self.thread.handle.block_on(future)
    }

    /// The socket itself, for what is not here. It is driven by the thread of this one.
    pub fn inner(&self) -> &crate::Socket {
        &self.socket
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.socket.disconnect();
        let socket = self.socket.clone();
        let (told, farewell) = mpsc::channel();
        self.thread.handle.spawn(async move {
            socket.flushed().await;
            // It may be too late.
            let _ = told.send(());
        });
        let _ = farewell.recv_timeout(FAREWELL);
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.fmt(f)
    }
}
