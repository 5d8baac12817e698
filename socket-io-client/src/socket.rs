//! A socket: one namespace of a server, and the handle to it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use engine_io::Text;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::{Auth, auth_object};
use crate::core::{Key, Phase};
use crate::emit::{AckFuture, Emit};
use crate::endpoint::{Endpoint, HandlerId, Topic};
use crate::error::{ConfigError, ConnectError, EmitError, Failure, HandlerError, RecvError};
use crate::handler::{ErasedHandler, Handler, erase};
use crate::inbox::Limit;
use crate::manager::Manager;
use crate::shared::{Shared, now};
use crate::socket_builder::SocketBuilder;
use crate::stream::{EventStream, Events, Subscription};
use socket_io::panic::caught;

/// One namespace of a server. Cheap to clone; clones are the same socket.
///
/// Dropping the last clone leaves the namespace, and the connection with the last of its sockets, after everything that was emitted. Handlers that need the
/// socket take it as an argument: one that holds a clone keeps it from being dropped, until [`off`](Self::off) or [`disconnect`](Self::disconnect).
#[derive(Clone)]
pub struct Socket(pub(crate) Arc<Guard>);

/// What all clones of a socket share; the socket is forgotten with it.
pub(crate) struct Guard {
    manager: Manager,
    key: Key,
    endpoint: Arc<Endpoint>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let endpoint = self.shared().input_at_end(|locked| {
            locked.core.remove(self.key);
            locked.endpoints.remove(&self.key)
        });
        self.endpoint.close();
        drop(endpoint);
    }
}

impl Guard {
    pub(crate) fn new(manager: Manager, key: Key, endpoint: Arc<Endpoint>) -> Self {
        Self {
            manager,
            key,
            endpoint,
        }
    }

    pub(crate) fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    fn shared(&self) -> &Arc<Shared> {
        self.manager.shared()
    }
}

impl Socket {
    /// The options of a socket with a connection of its own. The path of the URL is the namespace: `https://example.com/chat` is `/chat` at
    /// `example.com`. The same as [`Manager::builder(url).socket()`](crate::ManagerBuilder::socket).
    pub fn builder(url: impl Into<String>) -> SocketBuilder {
        Manager::builder(url).socket()
    }

    // Connecting.

    /// Joins the namespace, and opens the connection for that. Ready when that is done; nothing happens if it was.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] when the first attempt fails, for which the socket gives up then, unless it was trying before; or unless
    /// [`SocketBuilder::retry_first`] was set, when the server refuses or no more attempts are made.
    ///
    /// # Cancel safety
    ///
    /// The socket goes on when the future is dropped; [`disconnect`](Self::disconnect) ends that.
    ///
    /// # Panics
    ///
    /// Without a tokio runtime.
    pub async fn connect(&self) -> Result<(), ConnectError> {
        self.0.manager.require_runtime();
        let was_active = self.is_active();
        let Some(joined) = self.begin_to_connect() else {
            return Ok(());
        };
        let joined = joined.await.unwrap_or(Err(ConnectError::Disconnected));
        if joined.is_err() && !was_active {
            self.disconnect();
        }
        joined
    }

    /// Begins to join the namespace and returns at once. What becomes of it is told by [`on_connect`](Self::on_connect),
    /// [`on_connect_error`](Self::on_connect_error) and [`events`](Self::events); failed attempts are repeated as those to reconnect are.
    ///
    /// # Panics
    ///
    /// Without a tokio runtime.
    pub fn connect_lazy(&self) {
        self.0.manager.require_runtime();
        drop(self.begin_to_connect());
    }

    fn begin_to_connect(&self) -> Option<tokio::sync::oneshot::Receiver<Result<(), ConnectError>>> {
        let Guard { key, endpoint, .. } = &*self.0;
        self.0.shared().input(|locked| {
            if locked.core.phase(*key) == Phase::Connected {
                return None;
            }
            let joined = endpoint.wait(locked.mark(), endpoint.retry_first);
            endpoint.live.store(true, Ordering::Relaxed);
            locked.core.connect(now(), *key);
            // Where attempts were given up, they begin again.
            locked.core.open(now(), true);
            Some(joined)
        })
    }

    /// Leaves the namespace, and closes the connection if no other socket needs it, after everything that was emitted. The socket does not come back by
    /// itself; it may be connected again. [`flushed`](Self::flushed) waits until the server is told.
    pub fn disconnect(&self) {
        let shared = self.0.shared();
        shared.input(|locked| locked.core.disconnect(self.0.key));
    }

    /// Waits until everything that was emitted has left this program, and until a connection that was closed is. A socket that is disconnected does
    /// not wait for what it could not send. With [`retries`](SocketBuilder::retries), and of events that are [kept](Self::durable), it waits for the
    /// acknowledgements, until the journal has noted them.
    pub async fn flushed(&self) {
        let (key, endpoint) = (self.0.key, &self.0.endpoint);
        let flushed = self.0.manager.wait_until(move |locked| {
            let waits = !locked.core.is_over(key) && locked.core.has_unsent(key);
            let engine = locked.engine.as_ref();
            let buffered = engine.map_or(0, engine_io::Sender::buffered);
            let is_kept = !endpoint.kept.as_ref().is_some_and(|kept| kept.is_writing());
            locked.is_settled() && !waits && !locked.has_unsent() && buffered == 0 && is_kept
        });
        flushed.await;
        if let Some(kept) = &endpoint.kept {
            kept.flushed().await;
        }
    }

    // Facts.

    /// The name of the namespace.
    pub fn namespace(&self) -> &Text {
        &self.0.endpoint.namespace
    }

    /// The manager of the connection.
    pub fn manager(&self) -> &Manager {
        &self.0.manager
    }

    /// The id that the server has given the socket, while it is connected. Another one after each time it has joined, unless it was
    /// [recovered](Self::recovered).
    pub fn id(&self) -> Option<Text> {
        self.0.shared().look(|locked| locked.core.id(self.0.key))
    }

    /// Whether it has joined its namespace.
    pub fn is_connected(&self) -> bool {
        self.phase() == Phase::Connected
    }

    /// Whether it wants to be connected, so that it joins, and comes back, by itself.
    pub fn is_active(&self) -> bool {
        self.phase() != Phase::Inactive
    }

    /// Whether the server had recovered the connection when the socket joined last: id and rooms are the same, and no event is missing.
    pub fn recovered(&self) -> bool {
        self.0
            .shared()
            .look(|locked| locked.core.recovered(self.0.key))
    }

    /// Bytes of events that wait for the socket to join.
    pub fn buffered(&self) -> usize {
        self.0
            .shared()
            .look(|locked| locked.core.buffered(self.0.key))
    }

    fn phase(&self) -> Phase {
        self.0.shared().look(|locked| locked.core.phase(self.0.key))
    }

    /// Replaces what is shown to the server, from the next time on that the socket joins. `None` shows nothing.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Auth`] when it is no object, and not `None` either; nothing is changed then.
    pub fn set_auth(&self, auth: &(impl Serialize + ?Sized)) -> Result<(), ConfigError> {
        let auth = Auth::Value(auth_object(auth)?);
        let former = std::mem::replace(&mut *self.0.endpoint.auth.lock(), auth);
        drop(former);
        Ok(())
    }

    // Emitting.

    /// Emits an event. Never waits: it is sent at once, or as soon as the socket has joined.
    ///
    /// The data becomes the arguments: several for a tuple or array, none for `()`, one for every other type.
    ///
    /// # Errors
    ///
    /// [`EmitError::Encode`] when the data or the name cannot be sent, [`EmitError::Full`] when too much waits already. Nothing was queued then.
    pub fn emit(&self, event: &str, data: &(impl Serialize + ?Sized)) -> Result<(), EmitError> {
        Emit::new(self.clone()).emit(event, data).map(|_| ())
    }

    /// Emits an event and waits for the acknowledgement: read as the data of an event is, several arguments for a tuple, the first for other types.
    ///
    /// The event is queued by this call; the future is for the answer. Dropping it gives the answer up, and the event too if it was not sent yet.
    /// Without a [timeout](AckFuture::timeout), of the future or [of the socket](SocketBuilder::ack_timeout), it waits until the connection ends.
    ///
    /// ```no_run
    /// # async fn run(socket: socket_io_client::Socket) -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// let receipt: String = socket.emit_with_ack("message", "hi").timeout(Duration::from_secs(5)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn emit_with_ack<R: DeserializeOwned>(
        &self,
        event: &str,
        data: &(impl Serialize + ?Sized),
    ) -> AckFuture<R> {
        Emit::new(self.clone()).emit_with_ack(event, data)
    }

    /// The next event is dropped unless it can be sent at once: the socket has joined, and nothing waits to be written.
    pub fn volatile(&self) -> Emit {
        Emit::new(self.clone()).volatile()
    }

    /// Whether the next event may be compressed on its way (feature `deflate`). Default true.
    pub fn compress(&self, compress: bool) -> Emit {
        Emit::new(self.clone()).compress(compress)
    }

    /// How long the acknowledgement of the next event may take.
    pub fn timeout(&self, time: Duration) -> Emit {
        Emit::new(self.clone()).timeout(time)
    }

    // Handlers.

    /// Calls a handler for each event of that name, from now on. Several handlers of one event are called in the order in which they were added.
    ///
    /// See [`Handler`] for what it may take and return. Events that come before there is a handler are lost, so add handlers before connecting:
    /// [`SocketBuilder::on`].
    pub fn on<A>(&self, event: &str, handler: impl Handler<A>) -> HandlerId {
        self.add(Topic::Event(event.into()), erase(handler), false)
    }

    /// Calls a handler for the next event of that name.
    pub fn once<A>(&self, event: &str, handler: impl Handler<A>) -> HandlerId {
        self.add(Topic::Event(event.into()), erase(handler), true)
    }

    /// Calls a handler for every event, before those of its name.
    pub fn on_any<A>(&self, handler: impl Handler<A>) -> HandlerId {
        self.add(Topic::Any, erase(handler), false)
    }

    /// Calls a handler for every event that is sent: when it leaves, not when it is emitted; what is sent again is told again.
    pub fn on_any_outgoing<A>(&self, handler: impl Handler<A>) -> HandlerId {
        self.add(Topic::Outgoing, erase(handler), false)
    }

    /// Calls a handler each time the socket has joined.
    pub fn on_connect<A>(&self, handler: impl Handler<A>) -> HandlerId {
        self.add(Topic::Connect, erase(handler), false)
    }

    /// Calls a handler each time the socket could not join; it may take the [`ConnectError`].
    pub fn on_connect_error<A>(&self, handler: impl Handler<A>) -> HandlerId {
        self.add(Topic::ConnectError, erase(handler), false)
    }

    /// Calls a handler each time the socket has left; it may take the [`DisconnectReason`](crate::DisconnectReason).
    pub fn on_disconnect<A>(&self, handler: impl Handler<A>) -> HandlerId {
        self.add(Topic::Disconnect, erase(handler), false)
    }

    fn add(&self, topic: Topic, handler: ErasedHandler, once: bool) -> HandlerId {
        self.0.endpoint.on(topic, handler, once)
    }

    /// Takes a handler away; false if it was not there any more. What it has begun goes on.
    pub fn off(&self, id: HandlerId) -> bool {
        self.0.endpoint.off(id)
    }

    /// Takes all handlers of an event away.
    pub fn off_all(&self, event: &str) {
        self.0.endpoint.off_all(&Topic::Event(event.into()));
    }

    // Reading.

    /// Everything that happens to the socket from now on, to be read instead of handled. Ask for it before connecting, so that nothing is missed:
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// use socket_io_client::{Socket, SocketEvent};
    ///
    /// let socket = Socket::builder("https://example.com").build()?;
    /// let mut events = socket.events();
    /// socket.connect().await?;
    /// while let Some(event) = events.recv().await {
    ///     if let SocketEvent::Event(event) = event {
    ///         println!("{} {:?}", event.name, event.args);
    ///         event.ack.send("seen")?;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// While [`inbox_limit`](crate::ManagerBuilder::inbox_limit) bytes wait to be read here, nothing is read from the connection.
    pub fn events(&self) -> Events {
        let limit = Limit::Hold(self.0.shared().brake.clone());
        Events(Subscription::new(self.clone(), None, limit))
    }

    /// The events of one name from now on, each as a `T`, until the stream is dropped. When [`inbox_limit`](crate::ManagerBuilder::inbox_limit) bytes wait
    /// to be read, the oldest are dropped, which the stream tells.
    ///
    /// ```no_run
    /// # async fn run(socket: socket_io_client::Socket) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut news = socket.stream::<(String, u32)>("news");
    /// while let Some(item) = news.recv().await {
    ///     let (title, number) = item?;
    ///     println!("{number}: {title}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn stream<T: DeserializeOwned>(&self, event: &str) -> EventStream<T> {
        EventStream::new(self.clone(), event)
    }

    /// Waits for the next event of that name, counted from this call rather than from the first poll: what is asked for afterwards is not missed.
    ///
    /// ```no_run
    /// # async fn run(socket: socket_io_client::Socket) -> Result<(), Box<dyn std::error::Error>> {
    /// let ready = socket.next::<()>("ready");
    /// socket.emit("start", &())?;
    /// ready.await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn next<T: DeserializeOwned>(
        &self,
        event: &str,
    ) -> impl Future<Output = Result<T, RecvError>> + Send + use<T> {
        let mut stream = self.stream(event);
        async move { stream.recv().await.unwrap_or(Err(RecvError::Ended)) }
    }

    // For the other modules.

    pub(crate) fn endpoint(&self) -> &Arc<Endpoint> {
        &self.0.endpoint
    }

    pub(crate) fn key(&self) -> Key {
        self.0.key
    }

    pub(crate) fn state<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.0.shared().state()
    }

    /// Something went wrong around a handler.
    pub(crate) fn report(&self, event: Text, failure: Failure) {
        let error = HandlerError {
            namespace: self.namespace().clone(),
            event,
            failure,
        };
        match &self.0.shared().config.on_error {
            Some(hook) => {
                if let Err(panic) = caught(|| hook(&error)) {
                    tracing::error!(target: "socket_io_client", panic = panic.0, "the error hook panicked");
                }
            }
            None => tracing::warn!(target: "socket_io_client", %error, "handler failed"),
        }
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("namespace", self.namespace())
            .field("phase", &self.phase())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}
