//! A client whose connection is broken again and again: no task, file descriptor or heap remains of any of them, and nothing is lost or doubled.

use std::alloc::System;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cap::Cap;
use socket_io::{Data, Socket, SocketIo, State};
use socket_io_client::{Manager, Reconnect, SocketEvent, Transport};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// Of each way to connect.
const RECONNECTS: u64 = 200;
/// Until everything is there that stays: tables, buffers of threads.
const FIRST: u64 = 40;
/// Bytes that may be in other places than before, such as the queue of a timer.
const SLACK: usize = 4096;
const LIMIT: Duration = Duration::from_secs(55);

#[tokio::test]
async fn two_hundred_reconnects_leave_nothing_behind() {
    let soak = async {
        soak("WebSocket", &[Transport::WebSocket]).await;
        soak("polling", &[Transport::Polling]).await;
        soak("upgrade", &[Transport::Polling, Transport::WebSocket]).await;
    };
    tokio::time::timeout(LIMIT, soak).await.expect("it ends in time");
}

/// What the server has seen.
#[derive(Default)]
struct Numbers {
    next: AtomicU64,
    wrong: AtomicU64,
}

async fn soak(form: &str, transports: &[Transport]) {
    let numbers = Arc::new(Numbers::default());
    let line = Line::start(start_server(&numbers));
    let socket = Manager::builder(format!("http://{}", line.address))
        .engine(|engine| engine.transports(transports.iter().copied()))
        .reconnect(
            Reconnect::default()
                .delay(Duration::from_millis(1))
                .delay_max(Duration::from_millis(2)),
        )
        .socket()
        .build()
        .unwrap();
    let mut events = socket.events();
    socket.connect().await.unwrap();

    let mut number = 0;
    let mut before = Usage::default();
    for round in 0..FIRST + RECONNECTS {
        if round == FIRST {
            before = Usage::at_rest(form).await;
        }
        let answer: u64 = socket.emit_with_ack("number", &number).await.unwrap();
        assert_eq!(answer, number);
        number += 1;
        line.cut();
        loop {
            match events.recv().await {
                Some(SocketEvent::Disconnect(_)) => break,
                Some(_) => {}
                None => panic!("the socket gives up"),
            }
        }
        // These wait for the next connection.
        for _ in 0..3 {
            socket.emit("number", &number).unwrap();
            number += 1;
        }
    }
    let answer: u64 = socket.emit_with_ack("number", &number).await.unwrap();
    assert_eq!(answer, number);
    assert_eq!(numbers.wrong.load(Ordering::Relaxed), 0);
    while tokio::time::timeout(Duration::ZERO, events.recv()).await.is_ok() {}

    let after = Usage::at_rest(form).await;
    report(&format!("{form}: {before:?}, after {RECONNECTS} reconnects {after:?}"));
    assert!(after.tasks <= before.tasks, "tasks remain");
    assert!(after.files <= before.files, "file descriptors remain");
    assert!(after.heap <= before.heap + SLACK, "heap remains");
}

/// What the process has, of both sides.
#[derive(Debug, Default)]
struct Usage {
    tasks: usize,
    files: usize,
    heap: usize,
}

impl Usage {
    fn now() -> Self {
        Self {
            tasks: Handle::current().metrics().num_alive_tasks(),
            files: std::fs::read_dir("/proc/self/fd").unwrap().count(),
            heap: HEAP.allocated(),
        }
    }

    /// Once it has stopped changing.
    async fn at_rest(form: &str) -> Self {
        let mut last = Self::now();
        let mut same = 0;
        for _ in 0..400 {
            tokio::time::sleep(Duration::from_millis(25)).await;
            let now = Self::now();
            let changed = (now.tasks, now.files, now.heap) != (last.tasks, last.files, last.heap);
            same = if changed { 0 } else { same + 1 };
            if same == 8 {
                return now;
            }
            last = now;
        }
        panic!("{form} does not come to rest: {last:?}");
    }
}

/// Answers with the number, if that is the one that is due.
async fn check(_: Socket, Data(number): Data<u64>, State(numbers): State<Numbers>) -> u64 {
    if numbers.next.fetch_add(1, Ordering::Relaxed) != number {
        numbers.wrong.fetch_add(1, Ordering::Relaxed);
    }
    number
}

fn start_server(numbers: &Arc<Numbers>) -> SocketAddr {
    todo!("{numbers:?}")
}

/// A line to a server, which can be cut.
struct Line {
    address: SocketAddr,
    connections: Arc<Mutex<Vec<AbortHandle>>>,
}

fn report(line: &str) {
    writeln!(std::io::stdout(), "{line}").unwrap();
}
