//! Sessions and events in a store of the program.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket_io::{
    Binary, Data, LoggedEvent, Offset, RecoveryConfig, Refusal, SessionStore, Socket, StoreFuture,
    StoredSession,
};

use super::{check, check_new, check_recovered, come_back, cut, event, join, stage};
use crate::support::{Stage, until};

/// A store that outlives the server, and takes its time.
#[derive(Default)]
struct Archive {
    sessions: Mutex<HashMap<String, StoredSession>>,
    events: Mutex<Vec<Arc<LoggedEvent>>>,
    fails: AtomicBool,
    panics: AtomicBool,
    saved: AtomicU64,
}

impl Archive {
    async fn work(&self) -> Result<(), socket_io::StoreError> {
        for _ in 0..5 {
            tokio::task::yield_now().await;
        }
        assert!(!self.panics.load(Ordering::Relaxed), "the archive burns");
        if self.fails.load(Ordering::Relaxed) {
            return Err("the archive is closed".into());
        }
        Ok(())
    }
}

#[derive(Debug, PartialEq)]
struct Account(String);

impl SessionStore for Archive {
    fn save(&self, session: StoredSession, _: Duration) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            self.work().await?;
            // As a store would that writes to a disk.
            let mut read = StoredSession::new(
                &session.namespace,
                &session.pid,
                &session.sid,
                session.joined.to_string().parse()?,
                session.sent.to_string().parse()?,
                session.left.to_string().parse()?,
            );
            read.rooms.clone_from(&session.rooms);
            if let Some(account) = session.data::<Account>() {
                read.insert_data(Account(account.0.clone()));
            }
            let mut sessions = self.sessions.lock().unwrap();
            sessions.insert(session.pid.to_string(), read);
            self.saved.fetch_add(1, Ordering::Relaxed);
            Ok(())
        })
    }

    fn take<'a>(
        &'a self,
        namespace: &'a str,
        pid: &'a str,
    ) -> StoreFuture<'a, Option<StoredSession>> {
        Box::pin(async move {
            self.work().await?;
            let session = self.sessions.lock().unwrap().remove(pid);
            Ok(session.filter(|session| session.namespace == *namespace))
        })
    }

    fn append(&self, event: &Arc<LoggedEvent>) {
        assert!(!self.panics.load(Ordering::Relaxed), "the archive burns");
        let stored = LoggedEvent::new(
            event.namespace(),
            event.offset(),
            event.target().clone(),
            &event.messages(),
        );
        self.events.lock().unwrap().extend(stored.map(Arc::new));
    }

    fn events<'a>(
        &'a self,
        namespace: &'a str,
        after: Offset,
    ) -> StoreFuture<'a, Option<Vec<Arc<LoggedEvent>>>> {
        Box::pin(async move {
            self.work().await?;
            let events = self.events.lock().unwrap();
            let mut events = events
                .iter()
                .filter(|event| event.namespace() == namespace)
                .cloned();
            Ok(events
                .find(|event| event.offset() == after)
                .map(|_| events.collect()))
        })
    }
}

fn with_archive(archive: &Arc<Archive>) -> Stage {
    let stage = stage(RecoveryConfig::default().store(archive.clone()));
    stage
        .io
        .of("/")
        .on_connect(async |socket: Socket| {
            if !socket.recovered() {
                socket.join("room");
                socket.insert_data(Account("of mine".into()));
            }
            let account = socket.data::<Account>();
            socket
                .emit("hello", &account.map(|account| account.0.clone()))
                .map_err(Refusal::from)
        })
        .on("data", async |Data(()): Data<()>| ());
    stage
}

#[tokio::test]
async fn a_store_of_ones_own_brings_sessions_and_events_across_a_restart() {
    let archive = Arc::new(Archive::default());
    let host = with_archive(&archive).listen().await;
    let (mut client, ids) = join(&host).await;
    check(&mut client, serde_json::json!(["hello", "of mine"])).await;
    host.io.to("room").emit("news", &1).unwrap();
    let offset = check(&mut client, serde_json::json!(["news", 1])).await;
    cut(&host, client, &ids.sid).await;
    host.io.to("room").emit("news", &2).unwrap();
    host.io.to("elsewhere").emit("not for you", &()).unwrap();
    let mut client = come_back(&host, &ids.pid, &offset).await;
    check(&mut client, serde_json::json!(["news", 2])).await;
    check_recovered(&mut client, &ids).await;
    let offset = check(&mut client, serde_json::json!(["hello", "of mine"])).await;
    // This one is under way when the server goes.
    host.io
        .to("room")
        .emit("news", &Binary::from(&b"\x03"[..]))
        .unwrap();
    host.io.close();
    until(|| archive.saved.load(Ordering::Relaxed) == 2).await;

    for round in 0..3 {
        let host = with_archive(&archive).listen().await;
        host.io.to("room").emit("news", &round).unwrap();
        let mut client = come_back(&host, &ids.pid, &offset).await;
        let (args, _) = event(&client.text().await);
        assert_eq!(args[0], "news");
        client.check_binary(&[3]).await;
        // From the second round on there are three logs.
        for earlier in 0..=round {
            check(&mut client, serde_json::json!(["news", earlier])).await;
            if earlier < round {
                check(&mut client, serde_json::json!(["hello", "of mine"])).await;
            }
        }
        check_recovered(&mut client, &ids).await;
        assert_eq!(host.io.of("/").socket(&ids.sid).unwrap().rooms().len(), 2);
        check(&mut client, serde_json::json!(["hello", "of mine"])).await;
        host.io.close();
        until(|| archive.saved.load(Ordering::Relaxed) == 3 + round).await;
    }
}

#[tokio::test]
async fn a_store_that_fails_or_panics_means_new_sessions() {
    for panics in [false, true] {
        let archive = Arc::new(Archive::default());
        let host = with_archive(&archive).listen().await;
        let flag = if panics {
            &archive.panics
        } else {
            &archive.fails
        };
        let (mut client, mut ids) = join(&host).await;
        for is_broken in [true, false] {
            let offset = check(&mut client, serde_json::json!(["hello", "of mine"])).await;
            flag.store(is_broken, Ordering::Relaxed);
            cut(&host, client, &ids.sid).await;
            client = come_back(&host, &ids.pid, &offset).await;
            if is_broken {
                ids = check_new(&mut client, &ids).await;
            } else {
                check_recovered(&mut client, &ids).await;
            }
        }
    }
}
