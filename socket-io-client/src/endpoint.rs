//! What belongs to one socket outside of the state machine: handlers, queues, credentials, and those who wait for it to join.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use engine_io::Text;
use parking_lot::Mutex;
use socket_io::protocol::{AckId, Event};
use socket_io::{DisconnectReason, RawArgs};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::AbortHandle;

use crate::config::Auth;
use crate::core::{Incoming, NoAnswer};
use crate::dispatch::dispatch;
use crate::error::ConnectError;
use crate::handler::ErasedHandler;
use crate::inbox::{Brake, Limit, Queue};
use crate::socket::Guard;
use crate::store::Kept;

/// What a socket tells, in order.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    Connect {
        id: Text,
        recovered: bool,
        pid: Option<String>,
    },
    ConnectError(ConnectError),
    Disconnect(DisconnectReason),
    Event(Incoming),
    Sent(Event),
    Answer(AckId, Result<RawArgs, NoAnswer>),
    /// It does not come back by itself.
    End,
}

impl Told {
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Event(incoming) => incoming.event.name.len() + incoming.event.args.size(),
            Self::Sent(event) => event.name.len() + event.args.size(),
            Self::Answer(_, Ok(args)) => args.size(),
            Self::Connect { .. } | Self::ConnectError(_) | Self::Disconnect(_) => 0,
            Self::Answer(_, Err(_)) | Self::End => 0,
        }
    }
}

/// What handlers are registered for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Topic {
    Event(Text),
    Any,
    Outgoing,
    Connect,
    ConnectError,
    Disconnect,
}

/// Names a handler of a socket, so that it can be taken away; see [`Socket::off`](crate::Socket::off).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HandlerId(u64);

pub(crate) struct Listener {
    pub(crate) id: HandlerId,
    pub(crate) once: bool,
    pub(crate) has_run: AtomicBool,
    pub(crate) handler: ErasedHandler,
}

/// Lists are replaced, not changed, so that whoever goes through one holds no lock.
pub(crate) type List<T> = Arc<[Arc<T>]>;

#[derive(Default)]
struct Listeners {
    last: u64,
    handlers: HashMap<Topic, List<Listener>>,
    /// For one event each.
    streams: HashMap<Text, List<Queue<Told>>>,
    /// For everything.
    all: Option<List<Queue<Told>>>,
}

/// Somebody who waits for the socket to join.
struct Waiter {
    /// Outputs of the state machine that are older than this are no news.
    since: u64,
    /// Goes on waiting while attempts are made.
    patient: bool,
    last_error: Option<ConnectError>,
    sender: oneshot::Sender<Result<(), ConnectError>>,
}

pub(crate) struct Endpoint {
    pub(crate) namespace: Text,
    pub(crate) ack_timeout: Option<Duration>,
    /// Whether events are sent again until they are acknowledged.
    pub(crate) repeats: bool,
    /// Whether the first attempt to connect is repeated as later ones are.
    pub(crate) retry_first: bool,
    /// What survives the program.
    pub(crate) kept: Option<Box<Kept>>,
    pub(crate) auth: Mutex<Auth>,
    pub(crate) auth_task: Mutex<Option<AbortHandle>>,
    /// Whether it was told to connect since it was over.
    pub(crate) live: AtomicBool,
    /// Whether somebody watches what is sent.
    pub(crate) watched: AtomicBool,
    pub(crate) handle: OnceLock<Weak<Guard>>,
    listeners: Mutex<Listeners>,
    waiters: Mutex<Vec<Waiter>>,
    /// For the handlers.
    pub(crate) inbox: Queue<Told>,
    /// Whether somebody is calling them.
    pub(crate) dispatching: Mutex<bool>,
    pub(crate) running: Arc<Semaphore>,
}

impl Endpoint {
    pub(crate) fn new(
        namespace: Text,
        auth: Auth,
        inbox: Queue<Told>,
        max_handlers: usize,
    ) -> Self {
        Self {
            namespace,
            ack_timeout: None,
            repeats: false,
            retry_first: false,
            kept: None,
            auth: Mutex::new(auth),
            auth_task: Mutex::default(),
            live: AtomicBool::new(false),
            watched: AtomicBool::new(false),
            handle: OnceLock::new(),
            listeners: Mutex::default(),
            waiters: Mutex::default(),
            inbox,
            dispatching: Mutex::new(false),
            running: Arc::new(Semaphore::new(max_handlers)),
        }
    }

    // Handlers.

    pub(crate) fn on(&self, topic: Topic, handler: ErasedHandler, once: bool) -> HandlerId {
        let mut listeners = self.listeners.lock();
        listeners.last += 1;
        let id = HandlerId(listeners.last);
        if topic == Topic::Outgoing {
            self.watched.store(true, Ordering::Relaxed);
        }
        let listener = Listener {
            id,
            once,
            has_run: AtomicBool::new(false),
            handler,
        };
        let list = listeners.handlers.entry(topic).or_default();
        *list = list.iter().cloned().chain([Arc::new(listener)]).collect();
        id
    }

    /// Takes a handler away. It is dropped where no lock is held.
    pub(crate) fn off(&self, id: HandlerId) -> bool {
        let removed = {
            let mut listeners = self.listeners.lock();
            let mut topics = listeners.handlers.iter_mut();
            let topic = topics.find(|(_, list)| list.iter().any(|listener| listener.id == id));
            topic.map(|(topic, list)| {
                let rest = list.iter().filter(|listener| listener.id != id).cloned();
                (topic.clone(), std::mem::replace(list, rest.collect()))
            })
        };
        if let Some((Topic::Outgoing, _)) = &removed {
            let listeners = self.listeners.lock();
            let watched = listeners.handlers.get(&Topic::Outgoing);
            let watched = watched.is_some_and(|list| !list.is_empty());
            self.watched.store(watched, Ordering::Relaxed);
        }
        removed.is_some()
    }

    /// Takes the handlers of a topic away.
    pub(crate) fn off_all(&self, topic: &Topic) {
        let removed = self.listeners.lock().handlers.remove(topic);
        drop(removed);
    }

    // Queues.

    /// A queue for one event, or for everything.
    pub(crate) fn subscribe(&self, event: Option<&Text>, queue: Arc<Queue<Told>>) {
        let mut listeners = self.listeners.lock();
        let list = match event {
            Some(event) => listeners.streams.entry(event.clone()).or_default(),
            None => listeners.all.get_or_insert_default(),
        };
        *list = list.iter().cloned().chain([queue]).collect();
    }

    pub(crate) fn unsubscribe(&self, event: Option<&Text>, queue: &Arc<Queue<Told>>) {
        let mut listeners = self.listeners.lock();
        let list = match event {
            Some(event) => listeners.streams.get_mut(event),
            None => listeners.all.as_mut(),
        };
        let Some(list) = list else {
            return;
        };
        let rest = list.iter().filter(|known| !Arc::ptr_eq(known, queue));
        let former = std::mem::replace(list, rest.cloned().collect());
        if let Some(event) = event.filter(|_| former.len() <= 1) {
            listeners.streams.remove(event);
        }
        drop(listeners);
        drop(former);
    }

    /// Tells everybody who wants to know.
    pub(crate) fn tell(self: &Arc<Self>, told: Told, runtime: &Handle) {
        let (stream, all, handled) = {
            let listeners = self.listeners.lock();
            let stream = match &told {
                Told::Event(incoming) => listeners.streams.get(&incoming.event.name).cloned(),
                _ => None,
            };
            let all = match &told {
                Told::Sent(_) => None,
                _ => listeners.all.clone(),
            };
            (stream, all, !listeners.handlers.is_empty())
        };
        let size = told.size();
        if matches!(told, Told::End) {
            let streams: Vec<_> = self.listeners.lock().streams.values().cloned().collect();
            for queue in streams.iter().flat_map(|list| list.iter()) {
                queue.push(Told::End, 0);
            }
        }
        for list in stream.iter().chain(&all) {
            for queue in list.iter() {
                queue.push(told.clone(), size);
            }
        }
        // Without handlers, an event is handled when its turn comes.
        if !(handled || self.kept.is_some()) || matches!(told, Told::End) {
            return;
        }
        self.inbox.push(told, size);
        let starts = !std::mem::replace(&mut *self.dispatching.lock(), true);
        if starts {
            runtime.spawn(dispatch(self.clone()));
        }
    }

    pub(crate) fn handlers(&self, topic: &Topic) -> Option<List<Listener>> {
        self.listeners.lock().handlers.get(topic).cloned()
    }

    // Those who wait for it to join.

    pub(crate) fn wait(
        &self,
        since: u64,
        patient: bool,
    ) -> oneshot::Receiver<Result<(), ConnectError>> {
        let (sender, receiver) = oneshot::channel();
        self.waiters.lock().push(Waiter {
            since,
            patient,
            last_error: None,
            sender,
        });
        receiver
    }

    /// What the state machine told at a certain time may be what somebody waits for.
    pub(crate) fn resolve(&self, at: u64, told: &Told) {
        let mut resolved = Vec::new();
        {
            let mut waiters = self.waiters.lock();
            for mut waiter in std::mem::take(&mut *waiters) {
                let result = match told {
                    _ if waiter.since > at => None,
                    Told::Connect { .. } => Some(Ok(())),
                    Told::ConnectError(error) if error.is_refused() || !waiter.patient => {
                        Some(Err(error.clone()))
                    }
                    Told::ConnectError(error) => {
                        waiter.last_error = Some(error.clone());
                        None
                    }
                    Told::End => {
                        let last = waiter.last_error.take();
                        Some(Err(last.unwrap_or(ConnectError::Disconnected)))
                    }
                    // The connection was lost before the answer.
                    Told::Disconnect(_) if !waiter.patient => Some(Err(ConnectError::Disconnected)),
                    Told::Disconnect(_) | Told::Event(_) | Told::Sent(_) | Told::Answer(..) => None,
                };
                match result {
                    Some(result) => resolved.push((waiter.sender, result)),
                    None => waiters.push(waiter),
                }
            }
        }
        for (sender, result) in resolved {
            // Nobody may be waiting any more.
            let _ = sender.send(result);
        }
    }

    /// Nobody holds the socket any more.
    pub(crate) fn close(&self) {
        if let Some(task) = self.auth_task.lock().take() {
            task.abort();
        }
        let listeners = std::mem::take(&mut *self.listeners.lock());
        let waiters = std::mem::take(&mut *self.waiters.lock());
        while self.inbox.pop().is_some() {}
        if let Some(kept) = &self.kept {
            kept.close();
        }
        drop((listeners, waiters));
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

/// Queues of one manager share its brake.
pub(crate) fn holding(bytes: usize, brake: &Arc<Brake>) -> Queue<Told> {
    Queue::new(bytes, Limit::Hold(brake.clone()))
}
