//! Sessions of clients that are away, and where they are kept.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use engine_io::Text;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::event::LoggedEvent;
use super::offset::Offset;
use crate::adapter::{Room, SocketId};
use crate::server::Grant;
use crate::server::types::TypeMap;

/// When a time that begins now is over. What the clock cannot count to ends in a hundred years.
pub(super) fn end_of(time: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    let now = Instant::now();
    now.checked_add(time).unwrap_or_else(|| now + CENTURY)
}

/// What a [`SessionStore`] returns.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Why a store could not do its work. It is logged; the client gets a new session.
pub type StoreError = Box<dyn Error + Send + Sync>;

/// What is known of a client that is away, or on its way back.
///
/// All of it but the data is text. What is to become of the data in a store that writes it down is up to that store, which knows the types: it asks for
/// them with [`data`](Self::data), and puts back what it has read with [`insert_data`](Self::insert_data).
#[non_exhaustive]
pub struct StoredSession {
    /// The namespace.
    pub namespace: Text,
    /// The private id, which the client shows to get the session back: a credential.
    pub pid: Arc<str>,
    /// The public id of the socket.
    pub sid: SocketId,
    /// The rooms it was in, without the one that is named like its id.
    pub rooms: Vec<Room>,
    /// Where the log ended when the client joined.
    pub joined: Offset,
    /// The last event that was for the client while it was there. In the log of `left`, as long as there was any.
    pub sent: Offset,
    /// Where the log ended when the client left.
    pub left: Offset,
    /// Until when the socket is authorized. A client that comes back later gets a new session.
    pub grant: Grant,
    pub(crate) data: TypeMap,
}

impl StoredSession {
    /// A session that a store has read, without rooms and data, and authorized for ever.
    pub fn new(
        namespace: &str,
        pid: &str,
        sid: &str,
        joined: Offset,
        sent: Offset,
        left: Offset,
    ) -> Self {
        Self {
            namespace: namespace.into(),
            pid: pid.into(),
            sid: SocketId::new(sid),
            rooms: Vec::new(),
            joined,
            sent,
            left,
            grant: Grant::UNLIMITED,
            data: TypeMap::default(),
        }
    }

    /// The data of that type which the socket had.
    pub fn data<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.data.get()
    }

    /// Gives the socket data, at most one value of each type.
    pub fn insert_data<T: Send + Sync + 'static>(&mut self, value: T) {
        drop(self.data.insert(value));
    }
}

/// The private id is not shown.
impl fmt::Debug for StoredSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredSession")
            .field("namespace", &self.namespace)
            .field("sid", &self.sid)
            .field("rooms", &self.rooms)
            .field("joined", &self.joined)
            .field("sent", &self.sent)
            .field("left", &self.left)
            .field("grant", &self.grant)
            .field("data", &self.data)
            .finish_non_exhaustive()
    }
}

/// Keeps the sessions of clients that are away. [`MemorySessionStore`] does it in memory; one of your own can outlive the server, or the process.
///
/// Events are kept by the server itself, namespace by namespace. A store that is to bring clients across a restart has to keep those, too: it is told of each
/// with [`append`](Self::append), and asked for those of former logs with [`events`](Self::events). If it does neither, a client that comes back after a
/// restart gets a new session.
///
/// No lock is held during any call. A call or future that panics or fails counts as one that found or kept nothing. A future of [`take`](Self::take) or
/// [`events`](Self::events) is dropped when the client goes that it was asked for; one of [`save`](Self::save) runs to its end, for which
/// [`SocketIo::drain`](crate::SocketIo::drain) waits as for handlers.
pub trait SessionStore: Send + Sync + 'static {
    /// Keeps a session for that time.
    fn save(&self, session: StoredSession, time: Duration) -> StoreFuture<'_, ()>;

    /// Takes the session of that private id out, if it is there and its time has not passed. Of two calls at the same time, one gets it.
    fn take<'a>(
        &'a self,
        namespace: &'a str,
        pid: &'a str,
    ) -> StoreFuture<'a, Option<StoredSession>>;

    /// An event was sent. It must not wait: what takes long is to be done elsewhere. Events of one namespace that are sent by several threads at once may
    /// come in another order than that of their offsets.
    fn append(&self, event: &Arc<LoggedEvent>) {
        let _ = event;
    }

    /// The events of a namespace behind an offset of a former log, in the order of their offsets, and after those of that log the ones of later logs. Those of
    /// the server that asks may be among them. `None` if some are not there any more, or the offset is unknown.
    fn events<'a>(
        &'a self,
        namespace: &'a str,
        after: Offset,
    ) -> StoreFuture<'a, Option<Vec<Arc<LoggedEvent>>>> {
        let _ = (namespace, after);
        Box::pin(ready(Ok(None)))
    }

    /// Called now and then, for stores that have to clean up by themselves.
    fn sweep(&self) {}
}

/// Keeps sessions in memory, with their data as it is. If there are too many, the oldest goes.
pub struct MemorySessionStore {
    max_sessions: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    next_ticket: u64,
    /// In the order in which they came.
    sessions: BTreeMap<u64, (Instant, StoredSession)>,
    tickets: HashMap<Arc<str>, u64>,
}

impl MemorySessionStore {
    /// A store for at most so many sessions.
    pub fn new(max_sessions: usize) -> Self {
        Self {
            max_sessions,
            kept: Mutex::default(),
        }
    }

    /// How many sessions there are.
    pub fn len(&self) -> usize {
        self.kept.lock().sessions.len()
    }

    /// Whether there is no session.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Kept {
    fn remove(&mut self, pid: &str) -> Option<(Instant, StoredSession)> {
        let ticket = self.tickets.remove(pid)?;
        self.sessions.remove(&ticket)
    }

    /// Takes out what is too old or too much. Data is the user's, so it is dropped where no lock is held.
    fn surplus(&mut self, max_sessions: usize) -> Vec<StoredSession> {
        let now = Instant::now();
        let mut surplus = Vec::new();
        while let Some(oldest) = self.sessions.first_entry() {
            if oldest.get().0 > now && self.tickets.len() <= max_sessions {
                break;
            }
            let (_, session) = oldest.remove();
            self.tickets.remove(&session.pid);
            surplus.push(session);
        }
        if self.tickets.len() < self.tickets.capacity() / 8 {
            self.tickets.shrink_to_fit();
        }
        surplus
    }
}

impl SessionStore for MemorySessionStore {
    fn save(&self, session: StoredSession, time: Duration) -> StoreFuture<'_, ()> {
        let mut kept = self.kept.lock();
        let previous = kept.remove(&session.pid);
        let ticket = kept.next_ticket;
        kept.next_ticket += 1;
        kept.tickets.insert(session.pid.clone(), ticket);
        kept.sessions.insert(ticket, (end_of(time), session));
        let surplus = kept.surplus(self.max_sessions);
        drop(kept);
        drop((previous, surplus));
        Box::pin(ready(Ok(())))
    }

    fn take<'a>(
        &'a self,
        namespace: &'a str,
        pid: &'a str,
    ) -> StoreFuture<'a, Option<StoredSession>> {
        let mut kept = self.kept.lock();
        let surplus = kept.surplus(self.max_sessions);
        let ticket = kept.tickets.get(pid);
        let found = ticket.and_then(|ticket| kept.sessions.get(ticket));
        let taken = match found {
            Some((_, session)) if session.namespace == *namespace => kept.remove(pid),
            _ => None,
        };
        drop(kept);
        drop(surplus);
        let session = taken.and_then(|(end, session)| (end > Instant::now()).then_some(session));
        Box::pin(ready(Ok(session)))
    }

    fn sweep(&self) {
        let surplus = self.kept.lock().surplus(self.max_sessions);
        drop(surplus);
    }
}

impl fmt::Debug for MemorySessionStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemorySessionStore")
            .field("sessions", &self.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_secs(10);

    fn session(pid: &str) -> StoredSession {
        let start = Offset::new(0, 0);
        StoredSession::new("/", pid, "sid", start, start, start)
    }

    async fn take(store: &MemorySessionStore, pid: &str) -> Option<StoredSession> {
        store.take("/", pid).await.unwrap()
    }

    #[tokio::test]
    async fn a_session_can_be_taken_once() {
        let store = MemorySessionStore::new(10);
        let mut first = session("a");
        first.insert_data(5_u8);
        store.save(first, TIME).await.unwrap();
        assert!(take(&store, "b").await.is_none());
        assert!(store.take("/other", "a").await.unwrap().is_none());
        let taken = take(&store, "a").await.unwrap();
        assert_eq!(taken.data::<u8>().as_deref(), Some(&5));
        assert!(!format!("{taken:?}").contains("pid"));
        assert!(take(&store, "a").await.is_none());
        assert!(store.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_expire() {
        let store = MemorySessionStore::new(10);
        for pid in ["a", "b"] {
            store.save(session(pid), TIME).await.unwrap();
        }
        tokio::time::advance(TIME - Duration::from_millis(1)).await;
        assert!(take(&store, "a").await.is_some());
        tokio::time::advance(Duration::from_millis(1)).await;
        store.sweep();
        assert!(store.is_empty());
        assert!(take(&store, "b").await.is_none());
    }

    #[tokio::test]
    async fn the_oldest_goes_when_there_are_too_many() {
        let store = MemorySessionStore::new(2);
        for pid in ["a", "b", "c", "b"] {
            store.save(session(pid), TIME).await.unwrap();
        }
        assert_eq!(store.len(), 2);
        assert!(take(&store, "a").await.is_none());
        assert!(take(&store, "b").await.is_some());
        assert!(take(&store, "c").await.is_some());
    }
}
