//! A server that may be restarted: clients come back as who they were, in their rooms, with what they missed. Sessions and events are kept in a file.
//!
//! ```text
//! cargo run --release --example restart
//! ```
//!
//! (another port: `PORT=8080`; another file: `SESSIONS=other.json`). Read along from Node.js, in the folder `interop-tests/node`, where `npm ci` was run, end the
//! server with Ctrl-C or SIGTERM, and start it again:
//!
//! ```text
//! > const { io } = await import("socket.io-client");
//! > const socket = io("http://127.0.0.1:3000");
//! > socket.on("connect", () => console.log(socket.recovered ? "back as" : "new:", socket.id));
//! > socket.on("said", (text) => console.log(text));
//! new: kX2b0cZr3wYyq1bnAAAA
//! > socket.emit("say", "hello");
//! hello
//! back as kX2b0cZr3wYyq1bnAAAA
//! ```
//!
//! When the server ends, every client leaves, which is when its session is kept; `drain` waits for that, and then the store is written to a file, with the events
//! that somebody may ask for. The next server reads it, and deletes it. A server that is killed (`kill -9`) leaves no file: clients come back by themselves all the
//! same, but as new ones, and `socket.recovered` tells them. Who must not miss anything then, either, asks for it by a number of the program's own, as
//! `client_offline` does.

use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::fs::File;
use std::future::ready;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use socket_io::{
    Data, Drain, Grant, LoggedEvent, Message, Offset, RecoveryConfig, Refusal, SessionStore,
    Socket, SocketIo, StoreError, StoreFuture, StoredSession, Target, Value,
};
use tokio::signal::unix::{SignalKind, signal};

/// Events that are kept in memory and across a restart, of all namespaces together.
const MAX_EVENTS: usize = 10_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = std::env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let path = std::env::var("SESSIONS").unwrap_or_else(|_| "sessions.json".into());
    let path = Path::new(&path);
    let store = Arc::new(Sessions::read(path)?);
    let io = SocketIo::builder()
        .recovery(RecoveryConfig::default().store(store.clone()))
        .build();
    io.of("/")
        .on_connect(async |socket: Socket| {
            if !socket.recovered() {
                socket.join("readers");
            }
            // Who has not received an event yet could not say where it stopped, so each gets one.
            socket
                .emit("welcome", &socket.recovered())
                .map_err(Refusal::from)
        })
        .on(
            "say",
            async |socket: Socket, Data(text): Data<Value>| -> Result<(), Refusal> {
                socket.io().to("readers").emit("said", &text)?;
                Ok(())
            },
        );

    let mut terminate = signal(SignalKind::terminate())?;
    let ended = async {
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted?,
            _ = terminate.recv() => {}
        }
        // At once, and until every session is in the store. Clients are served meanwhile: who is on polling asks once more, and is told.
        let drain = Drain::over(Duration::ZERO).wait_for_handlers(Duration::from_secs(5));
        println!("closed {}", io.drain(drain).await.closed);
        Ok(())
    };
    println!("listening on http://127.0.0.1:{port}");
    tokio::try_join!(io.listen(("127.0.0.1", port)), ended)?;
    io.finished().await;
    Ok(store.write(path)?)
}

/// A session as text. Data of sockets would be text of one's own.
#[derive(Clone, Serialize, Deserialize)]
struct Session {
    namespace: String,
    pid: String,
    sid: String,
    rooms: Vec<String>,
    joined: String,
    sent: String,
    left: String,
    /// Until when it is authorized.
    granted: Option<SystemTime>,
    /// Until when the client may come back.
    end: SystemTime,
}

impl Session {
    fn of(session: &StoredSession, time: Duration) -> Self {
        Self {
            namespace: session.namespace.to_string(),
            pid: session.pid.to_string(),
            sid: session.sid.to_string(),
            rooms: session.rooms.iter().map(ToString::to_string).collect(),
            joined: session.joined.to_string(),
            sent: session.sent.to_string(),
            left: session.left.to_string(),
            granted: session.grant.expires_at(),
            end: SystemTime::now() + time,
        }
    }

    fn is_of(&self, namespace: &str) -> bool {
        self.namespace == namespace && self.end > SystemTime::now()
    }

    fn restored(&self) -> Result<StoredSession, StoreError> {
        let offsets = [&self.joined, &self.sent, &self.left].map(|text| text.parse());
        let [joined, sent, left] = offsets;
        let (namespace, pid, sid) = (&self.namespace, &self.pid, &self.sid);
        let mut session = StoredSession::new(namespace, pid, sid, joined?, sent?, left?);
        session.rooms = self.rooms.iter().map(|room| room.as_str().into()).collect();
        session.grant = self.granted.map_or(Grant::UNLIMITED, Grant::until);
        Ok(session)
    }
}

/// An event as text.
#[derive(Serialize, Deserialize)]
struct Event {
    namespace: String,
    offset: String,
    rooms: Vec<String>,
    except: Vec<String>,
    messages: Vec<Body>,
}

#[derive(Serialize, Deserialize)]
enum Body {
    Text(String),
    Binary(Vec<u8>),
}

impl Event {
    fn of(event: &LoggedEvent) -> Self {
        let list = |rooms: &[socket_io::Room]| rooms.iter().map(ToString::to_string).collect();
        let content = |message| match message {
            Message::Text(text) => Body::Text(text.to_string()),
            Message::Binary(bytes) => Body::Binary(bytes.to_vec()),
        };
        Self {
            namespace: event.namespace().to_string(),
            offset: event.offset().to_string(),
            rooms: list(&event.target().rooms),
            except: list(&event.target().except),
            messages: event.messages().into_iter().map(content).collect(),
        }
    }

    /// `None` if it is no event.
    fn restored(self) -> Option<LoggedEvent> {
        let list = |rooms: Vec<String>| rooms.into_iter().map(Into::into).collect();
        let mut target = Target::default();
        (target.rooms, target.except) = (list(self.rooms), list(self.except));
        let message = |content| match content {
            Body::Text(text) => Message::from(text),
            Body::Binary(bytes) => Message::from(bytes),
        };
        let messages: Vec<Message> = self.messages.into_iter().map(message).collect();
        let offset: Offset = self.offset.parse().ok()?;
        LoggedEvent::new(&self.namespace, offset, target, &messages)
    }
}

/// What is in the file.
#[derive(Default, Serialize, Deserialize)]
struct Content {
    sessions: Vec<Session>,
    events: Vec<Event>,
}

/// Keeps sessions and events in memory, and in a file between two servers.
#[derive(Default)]
struct Sessions(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    sessions: HashMap<String, Session>,
    events: VecDeque<Arc<LoggedEvent>>,
}

impl Sessions {
    /// What the last server has written, once.
    fn read(path: &Path) -> Result<Self, Box<dyn Error>> {
        let content = match std::fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Content::default(),
            text => serde_json::from_slice(&text?)?,
        };
        if path.exists() {
            std::fs::remove_file(path)?;
        }
        let sessions = content.sessions.into_iter();
        let events = content.events.into_iter().filter_map(Event::restored);
        Ok(Self(Mutex::new(Kept {
            sessions: sessions
                .map(|session| (session.pid.clone(), session))
                .collect(),
            events: events.map(Arc::new).collect(),
        })))
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let kept = self.kept();
        let content = Content {
            sessions: kept.sessions.values().cloned().collect(),
            events: kept.events.iter().map(|event| Event::of(event)).collect(),
        };
        // Under its name only once it is complete.
        let new = path.with_extension("new");
        let file = File::create(&new)?;
        serde_json::to_writer(&file, &content)?;
        file.sync_all()?;
        std::fs::rename(new, path)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().expect("nothing panics under it")
    }
}

impl SessionStore for Sessions {
    fn save(&self, session: StoredSession, time: Duration) -> StoreFuture<'_, ()> {
        let session = Session::of(&session, time);
        self.kept().sessions.insert(session.pid.clone(), session);
        Box::pin(ready(Ok(())))
    }

    fn take<'a>(
        &'a self,
        namespace: &'a str,
        pid: &'a str,
    ) -> StoreFuture<'a, Option<StoredSession>> {
        let mut kept = self.kept();
        let taken = match kept.sessions.get(pid) {
            Some(session) if session.is_of(namespace) => kept.sessions.remove(pid),
            _ => None,
        };
        let restored = taken.map(|session| session.restored()).transpose();
        Box::pin(ready(restored))
    }

    fn append(&self, event: &Arc<LoggedEvent>) {
        let mut kept = self.kept();
        kept.events.push_back(event.clone());
        if kept.events.len() > MAX_EVENTS {
            kept.events.pop_front();
        }
    }

    fn events<'a>(
        &'a self,
        namespace: &'a str,
        after: Offset,
    ) -> StoreFuture<'a, Option<Vec<Arc<LoggedEvent>>>> {
        let kept = self.kept();
        let mut events = kept
            .events
            .iter()
            .filter(|event| event.namespace() == namespace);
        let found = events.find(|event| event.offset() == after);
        let found = found.map(|_| events.cloned().collect());
        Box::pin(ready(Ok(found)))
    }

    fn sweep(&self) {
        let now = SystemTime::now();
        self.kept().sessions.retain(|_, session| session.end > now);
    }
}
