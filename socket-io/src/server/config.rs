//! What a server is told by its builder, but for the engine's part.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;

use super::Socket;
use super::bundle::Bundles;
use super::connection::Connection;
use super::error::HandlerError;
use super::limit::Given;
use super::log;
use super::recovery::Recovery;
use super::stats::Tally;
use super::types::TypeMap;
use crate::adapter::{Adapter, MemoryAdapter, OverflowPolicy};
use crate::panic::{Panic, caught};
use crate::protocol::{DecoderLimits, MAX_ATTACHMENTS, Object, Parser, Value};

type MakeAdapter = dyn Fn(&str) -> Arc<dyn Adapter> + Send + Sync;
type OnError = dyn Fn(&HandlerError) + Send + Sync;
type RemoteData = dyn Fn(&Socket) -> Result<Value, String> + Send + Sync;

/// Everything but the engine's options.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) connect_timeout: Duration,
    pub(crate) ack_timeout: Duration,
    pub(crate) server_timeout: Duration,
    pub(crate) attachment_timeout: Duration,
    pub(crate) max_namespaces: usize,
    pub(crate) max_joining: usize,
    pub(crate) max_auth_bytes: usize,
    pub(crate) max_child_namespaces: usize,
    pub(crate) cleanup_empty_child_namespaces: bool,
    pub(crate) max_handlers: usize,
    pub(crate) max_handler_bytes: usize,
    pub(crate) inbox_limit: usize,
    pub(crate) max_acks: usize,
    pub(crate) max_attachments: usize,
    pub(crate) emit_overflow: OverflowPolicy,
    pub(crate) broadcast_overflow: OverflowPolicy,
    pub(crate) decoder: DecoderLimits,
    pub(crate) event_limit: Option<Given>,
    pub(crate) parser: Parser,
    pub(crate) state: TypeMap,
    pub(crate) adapter: Arc<MakeAdapter>,
    pub(crate) recovery: Option<Arc<Recovery>>,
    pub(crate) on_error: Option<Arc<OnError>>,
    pub(crate) remote_data: Option<Arc<RemoteData>>,
    pub(crate) bundles: Option<Arc<Bundles>>,
    pub(crate) health_path: Option<Box<str>>,
    pub(crate) tally: Arc<Tally>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(45),
            ack_timeout: Duration::from_secs(10),
            server_timeout: Duration::from_secs(5),
            attachment_timeout: Duration::from_secs(30),
            max_namespaces: 256,
            max_joining: 64,
            max_auth_bytes: 1 << 20,
            max_child_namespaces: 100_000,
            cleanup_empty_child_namespaces: true,
            max_handlers: 1024,
            max_handler_bytes: 16 << 20,
            inbox_limit: 1 << 20,
            max_acks: 10_000,
            max_attachments: MAX_ATTACHMENTS,
            emit_overflow: OverflowPolicy::Reject,
            broadcast_overflow: OverflowPolicy::Disconnect,
            decoder: DecoderLimits::default(),
            event_limit: None,
            parser: Parser::json(),
            state: TypeMap::default(),
            adapter: Arc::new(|_| Arc::new(MemoryAdapter::default())),
            recovery: None,
            on_error: None,
            remote_data: None,
            bundles: None,
            health_path: None,
            tally: Arc::default(),
        }
    }
}

impl Config {
    pub(crate) fn is_health(&self, uri: &Uri) -> bool {
        self.health_path.as_deref() == Some(uri.path())
    }

    /// Tells the error hook, or else the log.
    pub(crate) fn report(&self, connection: Option<&Connection>, error: &HandlerError) {
        Tally::count(&self.tally.handler_failures);
        match &self.on_error {
            Some(observe) => {
                if let Err(Panic(message)) = caught(|| observe(error)) {
                    tracing::error!(name: "hook_panicked", target: "socket_io", hook = "on_error", reason = message);
                }
            }
            None => log::handler_failed(connection, error),
        }
    }

    /// What other processes may know of a socket's data.
    pub(crate) fn remote_data(&self, socket: &Socket) -> Value {
        let Some(data) = &self.remote_data else {
            return Value::Object(Object::default());
        };
        match caught(|| data(socket)) {
            Ok(Ok(data)) => return data,
            Ok(Err(reason)) => {
                tracing::error!(name: "remote_data_failed", target: "socket_io", socket = socket.log_id(), reason);
            }
            Err(Panic(reason)) => {
                tracing::error!(name: "hook_panicked", target: "socket_io", hook = "remote_data", reason);
            }
        }
        Value::Null
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("connect_timeout", &self.connect_timeout)
            .field("ack_timeout", &self.ack_timeout)
            .field("server_timeout", &self.server_timeout)
            .field("attachment_timeout", &self.attachment_timeout)
            .field("max_namespaces", &self.max_namespaces)
            .field("max_joining", &self.max_joining)
            .field("max_auth_bytes", &self.max_auth_bytes)
            .field("max_child_namespaces", &self.max_child_namespaces)
            .field("max_handlers", &self.max_handlers)
            .field("max_handler_bytes", &self.max_handler_bytes)
            .field("inbox_limit", &self.inbox_limit)
            .field("max_acks", &self.max_acks)
            .field("emit_overflow", &self.emit_overflow)
            .field("broadcast_overflow", &self.broadcast_overflow)
            .field("decoder", &self.decoder)
            .field("event_limit", &self.event_limit)
            .field("bundles", &self.bundles)
            .field("health_path", &self.health_path)
            .field("parser", &self.parser)
            .finish_non_exhaustive()
    }
}
