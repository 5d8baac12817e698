//! The connection to a server, and the sockets that share it.

use std::fmt;
use std::sync::Arc;

use crate::config::Reconnect;
use crate::error::ConnectError;
use crate::manager_builder::ManagerBuilder;
use crate::observers::ManagerEvents;
use crate::shared::{Locked, Shared, now};
use crate::socket_builder::SocketBuilder;
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

impl Manager {
    /// The options of a manager for the server at a URL: `http`, `https`, `ws` or `wss`, with a query and with user and password, which become the header
    /// `Authorization`. The path is the namespace of [`ManagerBuilder::socket`].
    pub fn builder(url: impl Into<String>) -> ManagerBuilder {
        ManagerBuilder::new(url.into())
    }

    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self(Arc::new(ManagerGuard { shared }))
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
        self.wait_until(|locked| locked.is_settled()).await;
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
    /// dropped, which [`ManagerEvent::Lagged`](crate::ManagerEvent::Lagged) tells.
    pub fn events(&self) -> ManagerEvents {
        ManagerEvents::of_manager(self.clone())
    }

    /// The same, with what happens to all its sockets, events and acknowledgements included: everything in one order. While
    /// [`inbox_limit`](ManagerBuilder::inbox_limit) bytes wait to be read here, nothing is read from the connection.
    pub fn all_events(&self) -> ManagerEvents {
        ManagerEvents::of_all(self.clone())
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
