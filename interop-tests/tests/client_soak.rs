//! A client whose connection is broken again and again: no task, file descriptor or heap remains of any of them, and nothing is lost or doubled.

use std::alloc::System;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cap::Cap;
use socket_io::{Data, SocketIo, State};
use socket_io_client::{Events, Manager, Reconnect, Socket, SocketEvent, Transport};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// Of each way to connect.
const RECONNECTS: usize = 600;
/// Until everything is there that stays: tables, buffers of threads.
const FIRST: usize = 100;
/// Bytes of connections that are there at one moment and not at another; less than 100 for each reconnect.
const SLACK: usize = 48 << 10;
/// Something hangs; half a minute is what it takes, most of it at rest.
const LIMIT: Duration = Duration::from_secs(300);
const PING_INTERVAL: Duration = Duration::from_millis(500);
const PING_TIMEOUT: Duration = Duration::from_millis(2000);

#[tokio::test]
async fn hundreds_of_reconnects_leave_nothing_behind() {
    let soak = async {
        soak("WebSocket", &[Transport::WebSocket]).await;
        soak("polling", &[Transport::Polling]).await;
        soak("upgrade", &[Transport::Polling, Transport::WebSocket]).await;
    };
    timeout(LIMIT, soak).await.expect("it ends in time");
}

/// What the server has seen.
#[derive(Default)]
struct Numbers {
    next: AtomicU64,
    wrong: AtomicU64,
}

/// Answers with the number; counts those that are not the one that is due.
async fn check(Data(number): Data<u64>, State(numbers): State<Numbers>) -> u64 {
    if numbers.next.fetch_add(1, Ordering::Relaxed) != number {
        numbers.wrong.fetch_add(1, Ordering::Relaxed);
    }
    number
}

async fn soak(form: &str, transports: &[Transport]) {
    let io = SocketIo::builder()
        .state(Numbers::default())
        .ping_interval(PING_INTERVAL)
        .ping_timeout(PING_TIMEOUT)
        .build();
    io.of("/").on("number", check);
    io.of("/")
        .on("wrong", async |State(numbers): State<Numbers>| {
            numbers.wrong.load(Ordering::Relaxed)
        });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let line = Line::to(listener.local_addr().unwrap()).await;
    let serving = tokio::spawn({
        let io = io.clone();
        async move { io.serve(listener).await }
    });

    let reconnect = Reconnect::default()
        .delay(Duration::from_millis(1))
        .delay_max(Duration::from_millis(2));
    let socket = Manager::builder(format!("http://{}", line.address))
        .engine(|engine| engine.transports(transports.iter().copied()))
        .reconnect(reconnect)
        .socket()
        .build()
        .unwrap();
    let mut events = socket.events();
    socket.connect().await.unwrap();

    let mut number: u64 = 0;
    let mut before = Usage::now();
    for round in 0..FIRST + RECONNECTS {
        if round == FIRST {
            before = Usage::at_rest().await;
        }
        let answer: u64 = socket.emit_with_ack("number", &number).await.unwrap();
        assert_eq!(answer, number);
        number += 1;
        lose(&socket, &mut events, &line).await;
        // These wait for the next connection.
        for _ in 0..3 {
            socket.emit("number", &number).unwrap();
            number += 1;
        }
    }
    let answer: u64 = socket.emit_with_ack("number", &number).await.unwrap();
    assert_eq!(answer, number);
    let wrong: u64 = socket.emit_with_ack("wrong", &()).await.unwrap();
    assert_eq!(wrong, 0, "events are lost, doubled or out of order");
    // Nobody has read what happened since.
    while let Ok(Some(_)) = timeout(Duration::from_millis(1), events.recv()).await {}

    let after = Usage::at_rest().await;
    report(&format!(
        "{form}: {before:?}, and after {RECONNECTS} reconnects {after:?}"
    ));
    assert!(after.tasks <= before.tasks, "tasks remain");
    assert!(after.files <= before.files, "file descriptors remain");
    assert!(after.heap <= before.heap + SLACK, "heap remains");
    io.close();
    serving.abort();
}

/// Breaks the connection until the client has noticed. Over polling there may be nothing to break at a certain moment.
async fn lose(socket: &Socket, events: &mut Events, line: &Line) {
    loop {
        line.cut();
        while let Ok(event) = timeout(Duration::from_millis(2), events.recv()).await {
            match event {
                Some(SocketEvent::Disconnect(_)) => return,
                Some(_) => {}
                None => panic!("the socket gives up"),
            }
        }
        assert!(socket.is_active());
    }
}

/// What the process has, of both sides.
#[derive(Clone, Copy, Debug)]
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

    /// The least of a time in which the server forgets whoever it does not hear of, and in which there are heartbeats.
    async fn at_rest() -> Self {
        tokio::time::sleep(PING_INTERVAL + PING_TIMEOUT).await;
        let mut least = Self::now();
        for _ in 0..50 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let now = Self::now();
            least.tasks = least.tasks.min(now.tasks);
            least.files = least.files.min(now.files);
            least.heap = least.heap.min(now.heap);
        }
        least
    }
}

/// A line to a server, which can be cut.
struct Line {
    address: SocketAddr,
    connections: Arc<Mutex<JoinSet<()>>>,
    task: JoinHandle<()>,
}

impl Line {
    async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::<Mutex<JoinSet<()>>>::default();
        let task = tokio::spawn({
            let connections = connections.clone();
            async move {
                while let Ok((mut near, _)) = listener.accept().await {
                    let mut connections = connections.lock().unwrap();
                    while connections.try_join_next().is_some() {}
                    connections.spawn(async move {
                        if let Ok(mut far) = TcpStream::connect(server).await {
                            // Either side may break off.
                            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                        }
                    });
                }
            }
        });
        Self {
            address,
            connections,
            task,
        }
    }

    fn cut(&self) {
        *self.connections.lock().unwrap() = JoinSet::new();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Prints past the test runner, which shows the output of failed tests only.
fn report(line: &str) {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}").unwrap();
}
