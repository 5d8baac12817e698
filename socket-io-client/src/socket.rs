//! A socket: one namespace of a server, and the handle to it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use engine_io::Text;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::{Auth, auth_object, socket_config};
use crate::core::{CatchUp, Key, Phase, Retries, SocketConfig};
use crate::emit::{AckFuture, Emit};
use crate::endpoint::{Endpoint, HandlerId, Topic, holding};
use crate::error::{
    BoxError, ConfigError, ConnectError, EmitError, Failure, HandlerError, RecvError,
};
use crate::handler::{ErasedHandler, Handler, caught, erase};
use crate::inbox::Limit;
use crate::manager::Manager;
use crate::shared::{Shared, now};
use crate::store::{Journal, Kept};
use crate::stream::{EventStream, Events, Subscription};

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
            let is_told = locked.closing == 0 && locked.core.outputs() == 0;
            let is_kept = !endpoint.kept.as_ref().is_some_and(|kept| kept.is_writing());
            is_told && !waits && !locked.has_unsent() && buffered == 0 && is_kept
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
    /// [recovered](Self::is_recovered).
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
    pub fn is_recovered(&self) -> bool {
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

    /// Replaces what is shown to the server, from the next time on that the socket joins.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Auth`] when it is no object; nothing is changed then.
    pub fn set_auth(&self, auth: &(impl Serialize + ?Sized)) -> Result<(), ConfigError> {
        let auth = Auth::Value(Some(auth_object(auth)?));
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

/// The options of a socket, and its handlers.
#[must_use = "nothing happens before `connect`, `connect_lazy` or `build`"]
pub struct SocketBuilder {
    manager: Result<Manager, ConfigError>,
    namespace: Text,
    config: SocketConfig,
    auth: Result<Auth, ConfigError>,
    ack_timeout: Option<Duration>,
    retry_first: bool,
    journal: Option<Journal>,
    handlers: Vec<(Topic, ErasedHandler)>,
}

impl SocketBuilder {
    pub(crate) fn new(manager: Result<Manager, ConfigError>, namespace: Text) -> Self {
        Self {
            manager,
            namespace,
            config: socket_config(),
            auth: Ok(Auth::Value(None)),
            ack_timeout: None,
            retry_first: false,
            journal: None,
            handlers: Vec::new(),
        }
    }

    /// What is shown to the server each time the socket joins: anything that serializes as an object, such as `json!({"token": token})`. Nothing by
    /// default.
    pub fn auth(mut self, auth: &(impl Serialize + ?Sized)) -> Self {
        self.auth = auth_object(auth).map(|auth| Auth::Value(Some(auth)));
        self
    }

    /// Calls a function for it, each time the socket joins. An error is a [`ConnectError::Auth`], and the function is called again after a while. The
    /// connection is there already and others go on meanwhile.
    ///
    /// ```
    /// # async fn fetch_token() -> Result<String, socket_io_client::BoxError> { Ok(String::new()) }
    /// use std::collections::HashMap;
    /// use socket_io_client::{BoxError, Socket};
    ///
    /// let socket = Socket::builder("https://example.com")
    ///     .auth_with(async || Ok::<_, BoxError>(HashMap::from([("token", fetch_token().await?)])));
    /// ```
    pub fn auth_with<F, Fut, A, E>(mut self, ask: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<A, E>> + Send + 'static,
        A: Serialize,
        E: Into<BoxError>,
    {
        self.auth = Ok(Auth::Ask(Arc::new(move || {
            let auth = ask();
            Box::pin(async move {
                let auth = auth.await.map_err(|error| error.into().to_string())?;
                auth_object(&auth).map_err(|error| error.to_string())
            })
        })));
        self
    }

    /// Sends each event again, up to so many times, until the server acknowledges it; each try waits so long. Events then leave one after the other, in
    /// order, across reconnects, too: the server gets each at least once. The server has to acknowledge every event. Volatile events are not repeated.
    pub fn retries(mut self, retries: u32, ack_timeout: Duration) -> Self {
        self.config.retries = Some(Retries {
            retries,
            ack_timeout,
        });
        self
    }

    /// Lets the socket go on where an earlier run of the program has stopped: with the events that were [kept](Socket::durable) and are not acknowledged, and
    /// with the last event of the server that was handled.
    ///
    /// ```no_run
    /// # #[cfg(feature = "store")]
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// use socket_io_client::{Journal, Socket};
    ///
    /// let journal = Journal::open("orders.journal").await?;
    /// let socket = Socket::builder("https://example.com").journal(journal).connect_lazy()?;
    /// socket.durable().emit("order", &("tea", 2)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Events that are kept leave one after the other, each until the server acknowledges it, however often that takes; each try waits for 10 s, or as
    /// [`retries`](Self::retries) says. One that the server never acknowledges holds up those behind it: see [`Socket::undelivered`] and
    /// [`Socket::withdraw`]. Where there are retries, other events wait in the same line.
    ///
    /// If the server recovers connections, it is asked to do so across restarts of the program, too, and sends what came after the last event that was handled:
    /// each event comes at least once, for as long as the server keeps the connection. For longer, see [`catch_up`](Self::catch_up). An event counts as handled
    /// when all its handlers have ended, and so have those of the events before it; without handlers, when it was received. It is noted within a tenth of a second.
    pub fn journal(mut self, journal: Journal) -> Self {
        self.config.keeps = true;
        self.journal = Some(journal);
        self
    }

    /// Tells the server how far its events were read, for servers that keep them longer than the recovery of connections does: the argument of that index, 0 is
    /// the first one, of the last event of that name goes with the credentials, under a name of yours, each time the socket joins. Strings and numbers are taken.
    ///
    /// ```
    /// use socket_io_client::{Data, Socket};
    ///
    /// // The server emits ("message", text, number), and when a client joins, everything behind `auth.serverOffset`.
    /// let socket = Socket::builder("https://example.com")
    ///     .on("message", async |Data((text, number)): Data<(String, u64)>| println!("{number}: {text}"))
    ///     .catch_up("message", 1, "serverOffset");
    /// ```
    ///
    /// With a [`journal`](Self::journal) this goes on across restarts of the program, from the last event that was handled, so that each event is handled at least
    /// once. Several events may share a name, if the server counts them together. Credentials of your own that have this name take precedence.
    pub fn catch_up(mut self, event: &str, argument: usize, name: &str) -> Self {
        self.config.catch_up.push(CatchUp {
            event: event.into(),
            argument,
            name: name.into(),
        });
        self
    }

    /// How long acknowledgements may take that have no [timeout](AckFuture::timeout) of their own. By default until the connection ends.
    pub fn ack_timeout(mut self, time: Duration) -> Self {
        self.ack_timeout = Some(time);
        self
    }

    /// Bytes of events that may wait for the socket to join, and, with [`retries`](Self::retries), for their acknowledgement. Default 16 MiB; then
    /// emitting fails with [`EmitError::Full`].
    pub fn send_buffer(mut self, bytes: usize) -> Self {
        self.config.send_buffer = bytes;
        self
    }

    /// How many acknowledgements may be awaited at a time. Default 65,536; then emitting fails with [`EmitError::TooManyAcks`].
    pub fn max_acks(mut self, count: usize) -> Self {
        self.config.max_acks = count;
        self
    }

    /// How long the server may take to answer the wish to join; `None` for ever. Default 45 s. Then the connection is made again.
    pub fn join_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.config.join_timeout = timeout.into();
        self
    }

    /// Lets [`connect`](Self::connect) repeat the first attempt as later ones are repeated, instead of failing with it: for a program that is started
    /// before its server. It still fails when the server refuses, or when the attempts of [`Reconnect`](crate::Reconnect) are used up.
    pub fn retry_first(mut self) -> Self {
        self.retry_first = true;
        self
    }

    /// See [`Socket::on`].
    pub fn on<A>(self, event: &str, handler: impl Handler<A>) -> Self {
        self.add(Topic::Event(event.into()), erase(handler))
    }

    /// See [`Socket::on_any`].
    pub fn on_any<A>(self, handler: impl Handler<A>) -> Self {
        self.add(Topic::Any, erase(handler))
    }

    /// See [`Socket::on_any_outgoing`].
    pub fn on_any_outgoing<A>(self, handler: impl Handler<A>) -> Self {
        self.add(Topic::Outgoing, erase(handler))
    }

    /// See [`Socket::on_connect`].
    pub fn on_connect<A>(self, handler: impl Handler<A>) -> Self {
        self.add(Topic::Connect, erase(handler))
    }

    /// See [`Socket::on_connect_error`].
    pub fn on_connect_error<A>(self, handler: impl Handler<A>) -> Self {
        self.add(Topic::ConnectError, erase(handler))
    }

    /// See [`Socket::on_disconnect`].
    pub fn on_disconnect<A>(self, handler: impl Handler<A>) -> Self {
        self.add(Topic::Disconnect, erase(handler))
    }

    fn add(mut self, topic: Topic, handler: ErasedHandler) -> Self {
        self.handlers.push((topic, handler));
        self
    }

    /// Makes the socket. It is not connected; what it emits waits.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when something was set up wrongly.
    pub fn build(self) -> Result<Socket, ConfigError> {
        let manager = self.manager?;
        let shared = manager.shared();
        let config = &shared.config;
        let inbox = holding(config.inbox, &shared.brake);
        let auth = self.auth?;
        let mut endpoint = Endpoint::new(self.namespace, auth, inbox, config.max_handlers);
        endpoint.ack_timeout = self.ack_timeout;
        endpoint.repeats = self.config.retries.is_some();
        endpoint.retry_first = self.retry_first;
        let mut past = None;
        if let Some(journal) = self.journal {
            let (kept, content) = Kept::new(journal).map_err(ConfigError::Journal)?;
            endpoint.kept = Some(Box::new(kept));
            past = Some(content);
        }
        for (topic, handler) in self.handlers {
            endpoint.on(topic, handler, false);
        }
        let endpoint = Arc::new(endpoint);
        let past = past.map(|past| past.prepare(&endpoint, config));
        let past = past.transpose().map_err(ConfigError::Journal)?;
        let key = shared.look(|locked| {
            if locked.core.find(&endpoint.namespace).is_some() {
                return Err(ConfigError::NamespaceTaken(endpoint.namespace.clone()));
            }
            let core = &mut locked.core;
            let key = core.add(endpoint.namespace.clone(), self.config);
            if let Some(past) = past {
                past.restore(core, key);
            }
            locked.endpoints.insert(key, endpoint.clone());
            Ok(key)
        })?;
        let guard = Arc::new(Guard {
            manager,
            key,
            endpoint,
        });
        // Set once, here.
        let _ = guard.endpoint.handle.set(Arc::downgrade(&guard));
        Ok(Socket(guard))
    }

    /// Makes the socket and joins the namespace.
    ///
    /// # Errors
    ///
    /// As [`Socket::connect`]; nothing goes on in the background then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up.
    ///
    /// # Panics
    ///
    /// Without a tokio runtime.
    pub async fn connect(self) -> Result<Socket, ConnectError> {
        let socket = self.build()?;
        socket.connect().await?;
        Ok(socket)
    }

    /// Makes the socket and lets it connect in the background; see [`Socket::connect_lazy`].
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when something was set up wrongly.
    ///
    /// # Panics
    ///
    /// Without a tokio runtime.
    pub fn connect_lazy(self) -> Result<Socket, ConfigError> {
        let socket = self.build()?;
        socket.connect_lazy();
        Ok(socket)
    }
}

impl fmt::Debug for SocketBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Credentials are not printed.
        f.debug_struct("SocketBuilder")
            .field("namespace", &self.namespace)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
