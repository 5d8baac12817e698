//! The connection to a server, and the sockets that share it.

use std::any::TypeId;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use engine_io::{ClientConfig, Transport, TransportError};
use futures_core::Stream;
use parking_lot::Mutex;
use socket_io::{DisconnectReason, Parser};

use crate::config::{Attempt, ManagerConfig, Reconnect};
use crate::core::{Core, CoreConfig};
use crate::endpoint::{Endpoint, Told};
use crate::error::{BoxError, ConfigError, ConnectError, HandlerError};
use crate::inbox::{Limit, Queue, Taken};
use crate::shared::{Locked, Shared, now};
use crate::socket::{Guard, Socket, SocketBuilder};
use crate::stream::SocketEvent;
use crate::url;

/// The connection to a server, which its sockets share: one for each namespace. Cheap to clone.
///
/// It is opened with its first socket and closed with its last one, made again when it is lost, and given up when the last handle of it and of its sockets
/// is dropped.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use socket_io_client::Manager;
///
/// let manager = Manager::builder("https://example.com").build()?;
/// let news = manager.socket("/news").connect().await?;
/// let chat = manager.socket("/chat").connect().await?;
/// chat.emit("message", "hello")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Manager(Arc<ManagerGuard>);

struct ManagerGuard {
    shared: Arc<Shared>,
}

impl Drop for ManagerGuard {
    fn drop(&mut self) {
        self.shared.input_at_end(|locked| {
            if !locked.core.is_closed() {
                locked.core.close();
            }
        });
    }
}

/// Where the connection of a manager stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // complete: each state has its own meaning for callers
pub enum ManagerState {
    /// There is none, and none is being made.
    Closed,
    /// It was lost, or not made; the next attempt follows after a while.
    Waiting,
    /// It is being made.
    Opening,
    /// It is there.
    Open,
}

/// What happens to the connection of a manager; see [`Manager::events`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ManagerEvent {
    /// The connection is there, over this transport.
    Open(Transport),
    /// It could not be made.
    Error(ConnectError),
    /// It has ended, or is not wanted any more.
    Close {
        /// Why.
        reason: DisconnectReason,
        /// What happened to the transport, if something did.
        error: Option<TransportError>,
    },
    /// It has moved from polling to a WebSocket.
    Upgrade,
    /// An attempt to make it again begins; the first one is 1.
    ReconnectAttempt(u32),
    /// That attempt has failed.
    ReconnectError(ConnectError),
    /// No more attempts are made.
    ReconnectFailed,
    /// It is there again, after so many attempts.
    Reconnect(u32),
    /// Something happened to one of the sockets; of [`Manager::all_events`] only.
    Socket(Socket, SocketEvent),
    /// Nobody read for too long, so that so many of the oldest events were dropped.
    Lagged(u64),
}

/// The options of a manager.
#[must_use = "nothing happens before `build` or `socket`"]
pub struct ManagerBuilder {
    config: ManagerConfig,
    reconnect: Reconnect,
    connect_timeout: Option<Duration>,
}

impl Manager {
    /// The options of a manager for the server at a URL: `http`, `https`, `ws` or `wss`, with a query and with user and password, which become the header
    /// `Authorization`. The path is the namespace of [`ManagerBuilder::socket`].
    pub fn builder(url: impl Into<String>) -> ManagerBuilder {
        ManagerBuilder {
            config: ManagerConfig {
                url: url.into(),
                // The state machine keeps time, so that an attempt that takes too long is an event like others.
                engine: ClientConfig::default()
                    .path("/socket.io")
                    .connect_timeout(None),
                prepare: None,
                parser: Parser::default(),
                max_attachments: socket_io::protocol::MAX_ATTACHMENTS,
                inbox: 16 << 20,
                max_handlers: 1024,
                state: HashMap::new(),
                on_error: None,
            },
            reconnect: Reconnect::default(),
            connect_timeout: Some(Duration::from_secs(20)),
        }
    }

    /// The options of a socket for a namespace. A manager has one socket for each.
    pub fn socket(&self, namespace: &str) -> SocketBuilder {
        SocketBuilder::new(Ok(self.clone()), url::normalize(namespace))
    }

    /// Opens the connection without any socket. It is not tried again by itself if that fails. Nothing happens if it is open.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] when it cannot be made.
    ///
    /// # Cancel safety
    ///
    /// The attempt goes on when the future is dropped; [`close`](Self::close) ends it.
    ///
    /// # Panics
    ///
    /// Without a tokio runtime.
    pub async fn open(&self) -> Result<(), ConnectError> {
        self.require_runtime();
        let opened = self.shared().input(|locked| {
            if locked.core.is_open() {
                return None;
            }
            let (sender, receiver) = tokio::sync::oneshot::channel();
            let since = locked.mark();
            locked.openers.push((since, sender));
            locked.core.open(now(), false);
            Some(receiver)
        });
        match opened {
            Some(opened) => opened.await.unwrap_or(Err(ConnectError::Disconnected)),
            None => Ok(()),
        }
    }

    /// Closes the connection, if there is one; every socket leaves, and none comes back by itself. Ready when everything that was emitted has left and the server is told,
    /// at the latest after the engine's close timeout (30 s by default).
    ///
    /// # Cancel safety
    ///
    /// The connection is closed all the same when the future is dropped after its first poll.
    pub async fn close(&self) {
        self.shared().input(|locked| {
            if !locked.core.is_closed() {
                locked.core.close();
            }
        });
        self.wait_until(|locked| locked.closing == 0 && locked.core.outputs() == 0)
            .await;
    }

    /// Where the connection stands.
    pub fn state(&self) -> ManagerState {
        self.shared().look(|locked| {
            let core = &locked.core;
            if core.is_open() {
                ManagerState::Open
            } else if core.is_opening() {
                ManagerState::Opening
            } else if core.is_closed() {
                ManagerState::Closed
            } else {
                ManagerState::Waiting
            }
        })
    }

    /// How lost connections are made again.
    pub fn reconnect(&self) -> Reconnect {
        self.shared()
            .look(|locked| Reconnect(locked.core.reconnect_config().clone()))
    }

    /// Changes how lost connections are made again, from the next wait on. Switched off during a wait, it ends that wait.
    pub fn set_reconnect(&self, reconnect: Reconnect) {
        self.shared()
            .input(|locked| locked.core.set_reconnect(reconnect.0));
    }

    /// The Engine.IO session under the connection, if it is open: its transport, its id, what waits in its outbox. Closing it is like losing it.
    pub fn engine(&self) -> Option<engine_io::Sender> {
        self.shared().look(|locked| {
            let engine = locked.engine.as_ref();
            engine.filter(|_| locked.core.is_open()).cloned()
        })
    }

    /// What happens to the connection from now on, in the order in which the official client fires its events. If nobody reads it, the oldest events are
    /// dropped, which [`ManagerEvent::Lagged`] tells.
    pub fn events(&self) -> ManagerEvents {
        let limit = Limit::Drop;
        self.observe(Queue::new(MANAGER_EVENTS, limit), false)
    }

    /// The same, with what happens to all its sockets, events and acknowledgements included: everything in one order. While
    /// [`inbox_limit`](ManagerBuilder::inbox_limit) bytes wait to be read here, nothing is read from the connection.
    pub fn all_events(&self) -> ManagerEvents {
        let limit = Limit::Hold(self.shared().brake.clone());
        self.observe(Queue::new(self.shared().config.inbox, limit), true)
    }

    fn observe(&self, queue: Queue<Seen>, sockets: bool) -> ManagerEvents {
        let observer = Arc::new(Observer { sockets, queue });
        self.shared().observers.add(&observer);
        ManagerEvents {
            manager: self.clone(),
            observer,
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    #[track_caller]
    pub(crate) fn require_runtime(&self) {
        assert!(
            self.shared().runtime().is_some(),
            "a socket-io client has to be connected within a tokio runtime"
        );
    }

    /// Waits for a condition that changes when the driver has worked.
    pub(crate) async fn wait_until(&self, condition: impl Fn(&mut Locked) -> bool) {
        loop {
            let progress = self.shared().progress.notified();
            let mut progress = std::pin::pin!(progress);
            progress.as_mut().enable();
            if self.shared().look(&condition) {
                return;
            }
            progress.await;
        }
    }
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manager")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

impl ManagerBuilder {
    /// Changes the options of Engine.IO: transports, headers, query, cookies, TLS, proxies, limits. The path is `/socket.io/` here.
    ///
    /// ```
    /// use socket_io_client::{Manager, Transport};
    ///
    /// let manager = Manager::builder("https://example.com")
    ///     .engine(|engine| engine.transports([Transport::WebSocket]).query("room", "7"))
    ///     .build()?;
    /// # Ok::<(), socket_io_client::ConfigError>(())
    /// ```
    pub fn engine(mut self, change: impl FnOnce(ClientConfig) -> ClientConfig) -> Self {
        self.config.engine = change(self.config.engine);
        self
    }

    /// How a lost connection is made again. The default is for ever, about every 5 s in the end.
    pub fn reconnect(mut self, reconnect: Reconnect) -> Self {
        self.reconnect = reconnect;
        self
    }

    /// How long an attempt to open the connection may take; `None` for ever. Default 20 s.
    pub fn connect_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.connect_timeout = timeout.into();
        self
    }

    /// Calls a function before each attempt to open the connection, which may change the URL, the headers, the query and so on: fresh tokens, another
    /// server of several. Its time counts as part of the attempt. An error is a failed attempt.
    ///
    /// ```
    /// use http::header::{AUTHORIZATION, HeaderValue};
    /// use socket_io_client::{Attempt, BoxError, Manager};
    ///
    /// # async fn token() -> Result<HeaderValue, BoxError> { Ok(HeaderValue::from_static("x")) }
    /// let manager = Manager::builder("https://example.com")
    ///     .before_attempt(async |mut attempt: Attempt| {
    ///         attempt.engine = attempt.engine.header(AUTHORIZATION, token().await?);
    ///         Ok::<_, BoxError>(attempt)
    ///     })
    ///     .build()?;
    /// # Ok::<(), socket_io_client::ConfigError>(())
    /// ```
    pub fn before_attempt<F, Fut, E>(mut self, prepare: F) -> Self
    where
        F: Fn(Attempt) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Attempt, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        self.config.prepare = Some(Arc::new(move |attempt| {
            let attempt = prepare(attempt);
            Box::pin(async move { attempt.await.map_err(Into::into) })
        }));
        self
    }

    /// How packets are written; the server has to use the same. Default JSON.
    pub fn parser(mut self, parser: Parser) -> Self {
        self.config.parser = parser;
        self
    }

    /// How many binary attachments a packet may have, in either direction. Default 10, as in the reference. More than that in a received packet ends the
    /// connection with `parse error`.
    pub fn max_attachments(mut self, count: usize) -> Self {
        self.config.max_attachments = count;
        self
    }

    /// Bytes of events that may wait for the handlers of a socket, or in one of the queues of [`Socket::events`], [`Socket::stream`] and
    /// [`all_events`](Manager::all_events). Default 16 MiB.
    ///
    /// When more wait for handlers, nothing more is read from the connection until half of them is dealt with. Whatever was to come is slowed down
    /// then, the server's pings and acknowledgements included, so a server that is kept from them for longer than its ping timeout closes the connection.
    pub fn inbox_limit(mut self, bytes: usize) -> Self {
        self.config.inbox = bytes;
        self
    }

    /// How many handlers of one socket may be running at a time, waiting for something. Default 1024; further events wait.
    pub fn max_handlers(mut self, count: usize) -> Self {
        self.config.max_handlers = count.clamp(1, u32::MAX as usize >> 3);
        self
    }

    /// State that handlers take as [`State<T>`](crate::State). At most one value of each type; a second one takes the place of the first.
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.config.state.insert(TypeId::of::<T>(), Arc::new(value));
        self
    }

    /// Calls a function when something went wrong around a handler: it panicked, it returned an error, the arguments do not fit. Without it, such
    /// things are logged as warnings.
    pub fn on_error(mut self, hook: impl Fn(&HandlerError) + Send + Sync + 'static) -> Self {
        self.config.on_error = Some(Arc::new(hook));
        self
    }

    /// Makes the manager. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when the URL is none.
    pub fn build(self) -> Result<Manager, ConfigError> {
        url::namespace(&self.config.url)?;
        let core = Core::new(CoreConfig {
            parser: self.config.parser.clone(),
            reconnect: self.reconnect.0,
            connect_timeout: self.connect_timeout,
        });
        let shared = Arc::new(Shared::new(self.config, core));
        Ok(Manager(Arc::new(ManagerGuard { shared })))
    }

    /// Makes the manager, and the options of a socket for the namespace that the path of the URL names. What is wrong with the URL is said when the socket
    /// is built or connected.
    pub fn socket(self) -> SocketBuilder {
        match url::namespace(&self.config.url) {
            Ok(namespace) => SocketBuilder::new(self.build(), namespace),
            Err(error) => SocketBuilder::new(Err(error), url::normalize("/")),
        }
    }
}

impl fmt::Debug for ManagerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManagerBuilder")
            .field("config", &self.config)
            .field("reconnect", &self.reconnect)
            .field("connect_timeout", &self.connect_timeout)
            .finish()
    }
}

/// Bytes of [`Manager::events`]: some hundreds of them.
const MANAGER_EVENTS: usize = 64 << 10;

#[derive(Debug)]
enum Seen {
    Manager(ManagerEvent),
    Socket(Weak<Guard>, Told),
}

#[derive(Debug)]
struct Observer {
    /// Whether it wants to know of sockets, too.
    sockets: bool,
    queue: Queue<Seen>,
}

/// Those who watch a manager.
#[derive(Debug, Default)]
pub(crate) struct Observers {
    list: Mutex<Vec<Weak<Observer>>>,
    /// How many want to know of sockets.
    of_sockets: AtomicUsize,
}

impl Observers {
    fn add(&self, observer: &Arc<Observer>) {
        let mut list = self.list.lock();
        list.retain(|known| known.strong_count() > 0);
        list.push(Arc::downgrade(observer));
        if observer.sockets {
            self.of_sockets.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn list(&self) -> Vec<Arc<Observer>> {
        self.list.lock().iter().filter_map(Weak::upgrade).collect()
    }

    pub(crate) fn tell(&self, event: ManagerEvent) {
        for observer in self.list() {
            observer.queue.push(Seen::Manager(event.clone()), 0);
        }
    }

    pub(crate) fn tell_socket(&self, endpoint: &Endpoint, told: impl Fn() -> Told) {
        if self.of_sockets.load(Ordering::Relaxed) == 0 {
            return;
        }
        let Some(socket) = endpoint.handle.get() else {
            return;
        };
        for observer in self.list().iter().filter(|observer| observer.sockets) {
            let told = told();
            let size = told.size();
            observer
                .queue
                .push(Seen::Socket(socket.clone(), told), size);
        }
    }
}

/// What happens to a manager: a [`Stream`], which never ends. It keeps the manager alive.
#[must_use = "a stream has to be read"]
#[derive(Debug)]
pub struct ManagerEvents {
    manager: Manager,
    observer: Arc<Observer>,
}

impl ManagerEvents {
    /// Waits for the next event.
    ///
    /// # Cancel safety
    ///
    /// No event is lost when the future is dropped.
    pub async fn recv(&mut self) -> ManagerEvent {
        std::future::poll_fn(|cx| self.poll_recv(cx)).await
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<ManagerEvent> {
        loop {
            let seen = match std::task::ready!(self.observer.queue.poll_pop(cx)) {
                Taken::Lagged(count) => return Poll::Ready(ManagerEvent::Lagged(count)),
                Taken::Item(seen) => seen,
            };
            let (socket, told) = match seen {
                Seen::Manager(event) => return Poll::Ready(event),
                Seen::Socket(socket, told) => (socket, told),
            };
            // Nobody holds the others any more.
            let Some(socket) = socket.upgrade().map(Socket) else {
                continue;
            };
            if let Some(event) = SocketEvent::new(&socket, told) {
                return Poll::Ready(ManagerEvent::Socket(socket, event));
            }
        }
    }
}

impl Stream for ManagerEvents {
    type Item = ManagerEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ManagerEvent>> {
        self.get_mut().poll_recv(cx).map(Some)
    }
}

impl Drop for ManagerEvents {
    fn drop(&mut self) {
        if self.observer.sockets {
            let observers = &self.manager.shared().observers;
            observers.of_sockets.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
