//! Heap bytes per idle client that has joined one namespace, counted exactly. The server is a process of its own.

use std::alloc::System;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command};
use std::time::Duration;

use cap::Cap;
use socket_io_client::{Manager, Reconnect, Socket, Transport};

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

const CLIENTS: usize = 500;
const BUDGET: usize = 8 * 1024;
/// Two HTTP connections, for GET and POST, whose buffers and channels take 30 KB each.
const POLLING_BUDGET: usize = 72 * 1024;
/// Rounds of waiting for something.
const ROUNDS: usize = 200;

#[tokio::test]
async fn an_idle_client_stays_within_its_budget_of_heap() {
    let server = Server::start().await;
    let (polling, websocket) = (Transport::Polling, Transport::WebSocket);
    measure(&server, "WebSocket", &[websocket], BUDGET).await;
    measure(&server, "upgraded", &[polling, websocket], BUDGET).await;
    measure(&server, "polling", &[polling], POLLING_BUDGET).await;
}

async fn measure(server: &Server, form: &str, transports: &[Transport], budget: usize) {
    let mut clients = Vec::with_capacity(CLIENTS);
    // Tables and thread-local buffers come into being with the first clients.
    for _ in 0..16 {
        clients.push(server.connect(transports).await);
    }
    leave(&mut clients).await;
    let base = at_rest().await;

    for _ in 0..CLIENTS {
        clients.push(server.connect(transports).await);
    }
    let idle = (at_rest().await - base) / CLIENTS;
    leave(&mut clients).await;
    let left = at_rest().await.saturating_sub(base) / CLIENTS;
    report(&format!(
        "{form}: heap per idle client: {idle} bytes (budget {budget}), after all have left: {left} bytes"
    ));
    assert!(idle <= budget, "{form}: {idle} > {budget}");
    assert!(left <= 64, "{form}: {left} bytes of each client are kept");
}

/// Drops them, and waits until they have said good-bye.
async fn leave(clients: &mut Vec<Socket>) {
    for socket in clients.iter() {
        socket.disconnect();
        socket.flushed().await;
    }
    clients.clear();
    wait_until("the tasks end", || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
            == 0
    })
    .await;
}

/// A server with the default options, so that no ping disturbs.
struct Server {
    program: Child,
    address: SocketAddr,
}

impl Server {
    async fn start() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let mut command = Command::new(env!("CARGO_BIN_EXE_feature_server"));
        command
            .env("MODE", "http-plain")
            .env("PORT", address.port().to_string());
        let server = Self {
            program: command.spawn().unwrap(),
            address,
        };
        wait_until("the server listens", || TcpStream::connect(address).is_ok()).await;
        server
    }

    async fn connect(&self, transports: &[Transport]) -> Socket {
        let manager = Manager::builder(format!("http://{}", self.address))
            .engine(|engine| {
                engine
                    .add_trailing_slash(false)
                    .transports(transports.iter().copied())
            })
            .reconnect(Reconnect::off());
        let socket = manager.socket().connect().await.unwrap();
        let last = *transports.last().unwrap();
        wait_until("the connection is upgraded", || {
            let engine = socket.manager().engine();
            engine.is_some_and(|engine| engine.transport() == last)
        })
        .await;
        socket
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// Prints past the test runner, which shows the output of failed tests only.
fn report(line: &str) {
    use std::io::Write;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}").unwrap();
}

async fn wait_until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..ROUNDS * 25 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("not in time: {what}");
}

/// The allocated bytes, once they have stopped changing.
async fn at_rest() -> usize {
    let mut previous = usize::MAX;
    for _ in 0..ROUNDS {
        let allocated = HEAP.allocated();
        if allocated == previous {
            return allocated;
        }
        previous = allocated;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the heap does not come to rest");
}
