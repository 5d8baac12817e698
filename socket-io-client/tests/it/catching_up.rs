//! What was missed while the program was not running.

use std::future::{Future, pending};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use serde::Deserialize;
use socket_io::{Auth, RecoveryConfig, Socket as Peer, SocketIo};
use socket_io_client::{Data, Journal, Socket};
use tokio::runtime::{Builder, Runtime};

use crate::memory::Memory;
use crate::support::{Heard, Host, Log, log, soon, until};

/// A program that may be killed: its tasks end wherever they are, and nobody says goodbye.
struct Program(Option<Runtime>);

impl Program {
    fn start() -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        Self(Some(runtime.expect("there are threads")))
    }

    /// Does something in it.
    async fn run<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T {
        let runtime = self.0.as_ref().expect("it is running");
        soon(runtime.spawn(future))
            .await
            .expect("it does not panic")
    }

    fn kill(mut self, socket: Socket) {
        // Its handles are never dropped, as those of a process are not.
        std::mem::forget(socket);
        self.0.take().expect("it is running").shutdown_background();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// A handler of `news`, which never ends for one number.
#[derive(Clone)]
struct Reader {
    log: Log,
    stuck: Arc<AtomicU32>,
}

impl Reader {
    fn new() -> (Self, Heard) {
        let (log, heard) = log();
        let stuck = Arc::new(AtomicU32::new(u32::MAX));
        (Self { log, stuck }, heard)
    }

    async fn connect(self, host: String, journal: Journal) -> Socket {
        let builder = Socket::builder(host)
            .journal(journal)
            .catch_up("news", 0, "seen")
            .on("news", move |Data(number): Data<u32>| {
                let Self { log, stuck } = self.clone();
                async move {
                    log.say(format!("begins {number}"));
                    if stuck.load(Ordering::Relaxed) == number {
                        pending::<()>().await;
                    }
                    log.say(format!("ends {number}"));
                }
            });
        soon(builder.connect()).await.expect("it joins")
    }
}

async fn recovering() -> Host {
    Host::with(
        |builder| builder.recovery(RecoveryConfig::default()),
        |io| drop(io.of("/")),
    )
    .await
}

fn tell(host: &Host, number: u32) {
    host.io.of("/").emit("news", &number).expect("it is sent");
}

#[tokio::test]
async fn a_connection_is_recovered_by_the_next_run_of_the_program() {
    let host = recovering().await;
    let memory = Memory::default();
    let program = Program::start();
    let (reader, mut heard) = Reader::new();
    let connect = reader
        .clone()
        .connect(host.url("/"), memory.journal().await);
    let socket = program.run(connect).await;
    let id = socket.id();
    assert!(!socket.recovered());
    tell(&host, 1);
    tell(&host, 2);
    heard
        .check(&["begins 1", "ends 1", "begins 2", "ends 2"])
        .await;
    until(|| memory.mark("catch up:seen").as_deref() == Some("2")).await;
    assert!(memory.mark("pid").is_some() && memory.mark("offset").is_some());
    program.kill(socket);
    until(|| host.io.of("/").is_empty()).await;
    tell(&host, 3);

    let program = Program::start();
    let connect = reader.connect(host.url("/"), memory.journal().await);
    let socket = program.run(connect).await;
    heard.check(&["begins 3", "ends 3"]).await;
    assert!(socket.recovered());
    assert_eq!(socket.id(), id);
    heard.check_silence();
}

#[tokio::test]
async fn an_event_whose_handler_has_not_ended_comes_again_and_so_do_those_behind_it() {
    let host = recovering().await;
    let memory = Memory::default();
    let program = Program::start();
    let (reader, mut heard) = Reader::new();
    let connect = reader
        .clone()
        .connect(host.url("/"), memory.journal().await);
    let socket = program.run(connect).await;
    reader.stuck.store(2, Ordering::Relaxed);
    for number in 1..=3 {
        tell(&host, number);
    }
    heard
        .check(&["begins 1", "ends 1", "begins 2", "begins 3", "ends 3"])
        .await;
    until(|| memory.mark("catch up:seen").as_deref() == Some("1")).await;
    // Whatever there is to write is written.
    soon(socket.flushed()).await;
    assert_eq!(memory.mark("catch up:seen").as_deref(), Some("1"));
    program.kill(socket);
    until(|| host.io.of("/").is_empty()).await;
    reader.stuck.store(u32::MAX, Ordering::Relaxed);

    let program = Program::start();
    let connect = reader.connect(host.url("/"), memory.journal().await);
    let socket = program.run(connect).await;
    heard
        .check(&["begins 2", "ends 2", "begins 3", "ends 3"])
        .await;
    assert!(socket.recovered());
    until(|| memory.mark("catch up:seen").as_deref() == Some("3")).await;
}

/// A server with a history of its own.
fn history(io: &SocketIo, history: &Arc<Mutex<Vec<u32>>>) {
    #[derive(Deserialize)]
    struct Credentials {
        seen: Option<u32>,
    }
    let history = history.clone();
    io.of("/")
        .on_connect(move |peer: Peer, Auth(credentials): Auth<Credentials>| {
            let seen = credentials.seen.unwrap_or(0);
            let missed = history.lock().expect("it is not poisoned").clone();
            async move {
                for number in missed.into_iter().filter(|number| *number > seen) {
                    peer.emit("news", &number).expect("it is sent");
                }
            }
        });
}

#[tokio::test]
async fn a_server_with_a_history_is_told_where_to_go_on() {
    let numbers = Arc::new(Mutex::new(vec![1, 2]));
    let host = Host::start(|io| history(io, &numbers)).await;
    let memory = Memory::default();
    let (reader, mut heard) = Reader::new();
    let program = Program::start();
    let connect = reader
        .clone()
        .connect(host.url("/"), memory.journal().await);
    let socket = program.run(connect).await;
    heard
        .check(&["begins 1", "ends 1", "begins 2", "ends 2"])
        .await;
    until(|| memory.mark("catch up:seen").as_deref() == Some("2")).await;
    // Servers that recover no connection give no pid.
    assert_eq!((memory.mark("pid"), memory.mark("offset")), (None, None));
    program.kill(socket);
    numbers.lock().expect("it is not poisoned").extend([3, 4]);
    let program = Program::start();
    let connect = reader.connect(host.url("/"), memory.journal().await);
    let socket = program.run(connect).await;
    heard
        .check(&["begins 3", "ends 3", "begins 4", "ends 4"])
        .await;
    heard.check_silence();
    assert!(!socket.recovered());
}

#[tokio::test]
async fn offsets_of_a_connection_that_was_not_recovered_are_forgotten() {
    let memory = Memory::default();
    {
        let mut inside = memory.inside();
        inside.marks.insert("pid".into(), "nobody knows it".into());
        inside.marks.insert("offset".into(), "nor this".into());
    }
    let host = recovering().await;
    let (reader, mut heard) = Reader::new();
    let socket = reader.connect(host.url("/"), memory.journal().await).await;
    assert!(!socket.recovered());
    until(|| {
        memory
            .mark("pid")
            .is_some_and(|pid| pid != "nobody knows it")
    })
    .await;
    assert_eq!(memory.mark("offset"), None);
    tell(&host, 1);
    heard.check(&["begins 1", "ends 1"]).await;
    until(|| memory.mark("offset").is_some()).await;
}

#[tokio::test]
async fn without_handlers_an_event_counts_when_it_is_received() {
    let host = recovering().await;
    let memory = Memory::default();
    let builder = Socket::builder(host.url("/")).journal(memory.journal().await);
    let socket = builder.build().expect("nothing is wrong");
    let mut news = socket.stream::<u32>("news");
    soon(socket.connect()).await.expect("it joins");
    tell(&host, 1);
    assert_eq!(soon(news.recv()).await, Some(Ok(1)));
    until(|| memory.mark("offset").is_some()).await;
}

#[tokio::test]
async fn many_events_are_noted_by_few_writes() {
    let host = recovering().await;
    let memory = Memory::default();
    let (reader, mut heard) = Reader::new();
    let socket = reader.connect(host.url("/"), memory.journal().await).await;
    let before = std::time::Instant::now();
    for number in 0..1000 {
        tell(&host, number);
    }
    let lines = (0..1000).flat_map(|number| [format!("begins {number}"), format!("ends {number}")]);
    let lines: Vec<_> = lines.collect();
    heard
        .check(&lines.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    until(|| memory.mark("catch up:seen").as_deref() == Some("999")).await;
    // Ten a second, and those of the beginning and the end.
    let most = before.elapsed().as_millis() / 100 + 3;
    assert!((memory.inside().writes as u128) <= most);
    drop(socket);
}
