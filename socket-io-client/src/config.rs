//! The options of managers and sockets, with the reference's defaults where it has them.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use engine_io::ClientConfig;
use socket_io::Parser;
use socket_io::protocol::RawJson;

use crate::core::{Jitter, ReconnectConfig, SocketConfig};
use crate::error::{BoxError, ConfigError, HandlerError};

pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
pub(crate) type PrepareAttempt =
    Arc<dyn Fn(Attempt) -> BoxFuture<Result<Attempt, BoxError>> + Send + Sync>;
pub(crate) type AskAuth = Arc<dyn Fn() -> BoxFuture<Result<Option<RawJson>, String>> + Send + Sync>;
pub(crate) type ErrorHook = Arc<dyn Fn(&HandlerError) + Send + Sync>;

/// How often and when a lost connection is made again.
///
/// The n-th wait is `delay · 2ⁿ`, spread by the jitter, and `delay_max` at the most. With the defaults: about 1 s, 2 s, 4 s, then 5 s each, for ever.
///
/// ```
/// use std::time::Duration;
/// use socket_io_client::Reconnect;
///
/// let patient = Reconnect::default().attempts(10).delay(Duration::from_millis(200));
/// ```
#[derive(Clone, Debug)]
pub struct Reconnect(pub(crate) ReconnectConfig);

impl Default for Reconnect {
    fn default() -> Self {
        Self(ReconnectConfig {
            enabled: true,
            attempts: None,
            delay: Duration::from_secs(1),
            delay_max: Duration::from_secs(5),
            jitter: Jitter::Factor(0.5),
        })
    }
}

impl Reconnect {
    /// Never.
    #[must_use]
    pub fn off() -> Self {
        Self::default().enabled(false)
    }

    /// Whether a lost connection is made again at all. Default true.
    #[must_use]
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.0.enabled = enabled;
        self
    }

    /// How many attempts are made until it is given up; `None` for no limit, which is the default.
    #[must_use]
    pub fn attempts(mut self, most: impl Into<Option<u32>>) -> Self {
        self.0.attempts = most.into();
        self
    }

    /// The first wait, before jitter. Default 1 s.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.0.delay = delay;
        self
    }

    /// The longest wait. Default 5 s.
    #[must_use]
    pub fn delay_max(mut self, delay: Duration) -> Self {
        self.0.delay_max = delay;
        self
    }

    /// How waits are spread, so that the clients of a server that restarts do not all come back at once. Default `Jitter::Factor(0.5)`.
    #[must_use]
    pub fn jitter(mut self, jitter: Jitter) -> Self {
        self.0.jitter = jitter;
        self
    }
}

/// An attempt to open a connection, given to the function of [`ManagerBuilder::before_attempt`](crate::ManagerBuilder::before_attempt), which may change
/// everything but the number. A change concerns this attempt only.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// The how manieth attempt to reconnect this is; 0 for one that was asked for.
    pub number: u32,
    /// The URL; of its path nothing is used.
    pub url: String,
    /// The options of Engine.IO: headers, query, transports and so on.
    pub engine: ClientConfig,
}

/// What a manager was built with.
pub(crate) struct ManagerConfig {
    pub(crate) url: String,
    pub(crate) engine: ClientConfig,
    pub(crate) prepare: Option<PrepareAttempt>,
    pub(crate) parser: Parser,
    pub(crate) max_attachments: usize,
    /// Bytes that may wait in each queue of events.
    pub(crate) inbox: usize,
    /// Handlers that may be running at a time, of one socket.
    pub(crate) max_handlers: usize,
    pub(crate) state: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
    pub(crate) on_error: Option<ErrorHook>,
}

impl fmt::Debug for ManagerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may hold secrets, as the engine's query and headers may.
        f.debug_struct("ManagerConfig")
            .field("engine", &self.engine)
            .field("parser", &self.parser)
            .finish_non_exhaustive()
    }
}

pub(crate) const fn socket_config() -> SocketConfig {
    SocketConfig {
        retries: None,
        keeps: false,
        catch_up: None,
        send_buffer: 16 << 20,
        max_acks: 65_536,
        max_early: 65_536,
        join_timeout: Some(Duration::from_secs(45)),
    }
}

/// What a socket shows when it joins.
#[derive(Clone)]
pub(crate) enum Auth {
    Value(Option<RawJson>),
    Ask(AskAuth),
}

/// Credentials as JSON; they have to be an object, or there are none.
pub(crate) fn auth_object<A: serde::Serialize + ?Sized>(
    auth: &A,
) -> Result<Option<RawJson>, ConfigError> {
    let auth = RawJson::from_data(auth).map_err(|error| ConfigError::Auth(error.to_string()))?;
    match auth.as_str() {
        "null" => Ok(None),
        text if text.starts_with('{') => Ok(Some(auth)),
        _ => Err(ConfigError::Auth(
            "credentials have to be an object, such as {\"token\":\"x\"}".into(),
        )),
    }
}
