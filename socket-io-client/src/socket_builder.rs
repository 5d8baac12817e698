//! The options of a socket, and its handlers.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use engine_io::Text;
use serde::Serialize;

use crate::config::{Auth, auth_object, socket_config};
use crate::core::{Retries, Rule, SocketConfig};
use crate::endpoint::{Endpoint, Topic, holding};
use crate::error::{BoxError, ConfigError, ConnectError};
use crate::handler::{ErasedHandler, Handler, erase};
use crate::manager::Manager;
use crate::socket::{Guard, Socket};
use crate::store::{Journal, Kept};

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
    /// default, and for `None`.
    pub fn auth(mut self, auth: &(impl Serialize + ?Sized)) -> Self {
        self.auth = auth_object(auth).map(Auth::Value);
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
        let catch_up = self.config.catch_up.get_or_insert_default();
        catch_up.rules.push(Rule {
            event: event.into(),
            argument,
            name: name.into(),
        });
        self
    }

    /// How long acknowledgements may take that have no [timeout](crate::AckFuture::timeout) of their own. By default until the connection ends.
    pub fn ack_timeout(mut self, time: Duration) -> Self {
        self.ack_timeout = Some(time);
        self
    }

    /// Bytes of events that may wait for the socket to join, and, with [`retries`](Self::retries), for their acknowledgement. Default 16 MiB; then
    /// emitting fails with [`EmitError::Full`](crate::EmitError::Full).
    pub fn send_buffer(mut self, bytes: usize) -> Self {
        self.config.send_buffer = bytes;
        self
    }

    /// How many acknowledgements may be awaited at a time. Default 65,536; then emitting fails with [`EmitError::TooManyAcks`](crate::EmitError::TooManyAcks).
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
        let guard = Arc::new(Guard::new(manager, key, endpoint));
        // Set once, here.
        let _ = guard.endpoint().handle.set(Arc::downgrade(&guard));
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
