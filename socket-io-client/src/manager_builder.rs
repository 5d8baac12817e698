//! The options of a manager.

use std::any::TypeId;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use engine_io::ClientConfig;
use socket_io::Parser;

use crate::config::{Attempt, ManagerConfig, Reconnect};
use crate::core::{Core, CoreConfig};
use crate::error::{BoxError, ConfigError, HandlerError};
use crate::manager::Manager;
use crate::shared::Shared;
use crate::socket_builder::SocketBuilder;
use crate::url;

/// The options of a manager.
#[must_use = "nothing happens before `build` or `socket`"]
pub struct ManagerBuilder {
    config: ManagerConfig,
    reconnect: Reconnect,
    connect_timeout: Option<Duration>,
}

impl ManagerBuilder {
    pub(crate) fn new(url: String) -> Self {
        Self {
            config: ManagerConfig {
                url,
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

    /// How packets are written; the server has to use the same. Default JSON. A parser of your own must not use the client: it is asked while the client is
    /// locked.
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

    /// Bytes of events that may wait for the handlers of a socket, or in one of the queues of [`Socket::events`](crate::Socket::events), [`Socket::stream`](crate::Socket::stream) and
    /// [`Manager::all_events`]; each counts with 128 bytes beside its name and its arguments. Default 16 MiB.
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
        Ok(Manager::new(shared))
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
