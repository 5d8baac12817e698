//! Those who watch a manager.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use engine_io::{Transport, TransportError};
use futures_core::Stream;
use parking_lot::Mutex;
use socket_io::DisconnectReason;

use crate::endpoint::{Endpoint, Told};
use crate::error::ConnectError;
use crate::inbox::{Limit, Queue, Taken};
use crate::manager::Manager;
use crate::socket::{Guard, Socket};
use crate::stream::SocketEvent;

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

    pub(crate) fn tell(&self, event: &ManagerEvent) {
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
    pub(crate) fn of_manager(manager: Manager) -> Self {
        Self::new(manager, false, Queue::new(MANAGER_EVENTS, Limit::Drop))
    }

    pub(crate) fn of_all(manager: Manager) -> Self {
        let shared = manager.shared();
        let limit = Limit::Hold(shared.brake.clone());
        let queue = Queue::new(shared.config.inbox, limit);
        Self::new(manager, true, queue)
    }

    fn new(manager: Manager, sockets: bool, queue: Queue<Seen>) -> Self {
        let observer = Arc::new(Observer { sockets, queue });
        manager.shared().observers.add(&observer);
        Self { manager, observer }
    }

    /// Waits for the next event.
    ///
    /// # Cancel safety
    ///
    /// No event is lost when the future is dropped.
    pub async fn recv(&mut self) -> ManagerEvent {
        std::future::poll_fn(|cx| self.poll_recv(cx)).await
    }

    fn poll_recv(&self, cx: &Context<'_>) -> Poll<ManagerEvent> {
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
