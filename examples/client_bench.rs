//! The client that benchmarks measure: many clients in one process, on the public API.
//!
//! Run it with a server that has the events of `bench_server`:
//!
//! ```text
//! cargo build --release --example client_bench
//! target/release/examples/client_bench --url http://127.0.0.1:3000 --mode echo --clients 64 --window 16 --secs 3 --warmup 1
//! target/release/examples/client_bench --url http://127.0.0.1:3000 --mode idle --clients 1000
//! ```
//!
//! In the mode `echo` each client keeps so many `echo` events in flight: whenever one comes back, the next is emitted. In the mode `idle` each client gets
//! one answer, and then all wait. What was measured is printed as a line of JSON: messages, CPU time of this process for each, latencies; or the memory for
//! each client.

use std::collections::VecDeque;
use std::error::Error;
use std::fs::{read_dir, read_to_string};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::json;
use socket_io_client::{Data, EmitError, Manager, Reconnect, Socket, State, Transport};
use tokio::time::sleep;

#[derive(Deserialize, Serialize)]
struct Record {
    id: u64,
    ok: bool,
    user: String,
}

/// What all clients share.
#[derive(Default)]
struct Bench {
    running: AtomicBool,
    replies: AtomicU64,
    latencies: Mutex<Vec<Duration>>,
}

/// One client.
#[derive(Default)]
struct Client {
    bench: Arc<Bench>,
    /// When the events left whose answers are to come.
    sent: Mutex<VecDeque<Instant>>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Client {
    fn send(&self, socket: &Socket) -> Result<(), EmitError> {
        lock(&self.sent).push_back(Instant::now());
        let record = Record {
            id: 1_234_567,
            ok: true,
            user: "alice-01".into(),
        };
        socket.emit("echo", &record)
    }

    fn receive(&self, socket: &Socket) -> Result<(), EmitError> {
        let bench = &self.bench;
        bench.replies.fetch_add(1, Ordering::Relaxed);
        if let Some(sent) = lock(&self.sent).pop_front() {
            lock(&bench.latencies).push(sent.elapsed());
        }
        if bench.running.load(Ordering::Relaxed) {
            self.send(socket)?;
        }
        Ok(())
    }
}

async fn connect(url: &str, bench: &Arc<Bench>) -> Result<(Socket, Arc<Client>), Box<dyn Error>> {
    let client = Arc::new(Client {
        bench: bench.clone(),
        ..Client::default()
    });
    let socket = Manager::builder(url)
        .engine(|engine| engine.transports([Transport::WebSocket]))
        .reconnect(Reconnect::off())
        .state(client.clone())
        .socket()
        .on(
            "echo",
            async |socket: Socket, Data(_): Data<Record>, State(client): State<Arc<Client>>| {
                client.receive(&socket).map_err(|error| error.to_string())
            },
        )
        .connect()
        .await?;
    Ok((socket, client))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = option("--url").unwrap_or_else(|| "http://127.0.0.1:3000".into());
    let mode = option("--mode").unwrap_or_else(|| "echo".into());
    let clients: usize = number("--clients", 1)?;
    let window: usize = number("--window", 1)?;
    let (secs, warmup): (f64, f64) = (number("--secs", 3.0)?, number("--warmup", 1.0)?);
    let bench = Arc::<Bench>::default();

    // Memory is compared with that of a process in which one client has come and gone.
    let (first, client) = connect(&url, &bench).await?;
    client.send(&first)?;
    wait_for_replies(&bench, 1).await?;
    first.disconnect();
    first.flushed().await;
    drop((first, client));
    sleep(Duration::from_millis(500)).await;
    let base = memory()?;

    let mut all = Vec::with_capacity(clients);
    for _ in 0..clients {
        all.push(connect(&url, &bench).await?);
    }
    sleep(Duration::from_millis(500)).await;
    bench.replies.store(0, Ordering::Relaxed);

    if mode == "idle" {
        for (socket, client) in &all {
            client.send(socket)?;
        }
        wait_for_replies(&bench, clients as u64).await?;
        sleep(Duration::from_secs(3)).await;
        let growth = memory()? as f64 - base as f64;
        println!(
            "{}",
            json!({
                "client": "socket-io-client", "mode": mode, "clients": clients, "window": window,
                "base_rss": base, "rss_per_client": growth / clients as f64,
            })
        );
        return Ok(());
    }

    bench.running.store(true, Ordering::Relaxed);
    for (socket, client) in &all {
        for _ in 0..window {
            client.send(socket)?;
        }
    }
    sleep(Duration::from_secs_f64(warmup)).await;
    lock(&bench.latencies).clear();
    let (before, cpu_before, start) = (
        bench.replies.load(Ordering::Relaxed),
        cpu_time()?,
        Instant::now(),
    );
    sleep(Duration::from_secs_f64(secs)).await;
    let messages = bench.replies.load(Ordering::Relaxed) - before;
    let cpu = (cpu_time()? - cpu_before).as_secs_f64();
    let took = start.elapsed().as_secs_f64();
    bench.running.store(false, Ordering::Relaxed);

    let mut latencies = std::mem::take(&mut *lock(&bench.latencies));
    latencies.sort_unstable();
    let at = |part: f64| {
        let index = (latencies.len() as f64 * part) as usize;
        latencies
            .get(index)
            .map(|latency| latency.as_secs_f64() * 1e6)
    };
    println!(
        "{}",
        json!({
            "client": "socket-io-client", "mode": mode, "clients": clients, "window": window,
            "messages": messages,
            "msgs_per_s": messages as f64 / took,
            "cpu_us_per_msg": cpu * 1e6 / messages.max(1) as f64,
            "cpu_pct": cpu / took * 100.0,
            "lat_p50_us": at(0.5),
            "lat_p99_us": at(0.99),
        })
    );
    Ok(())
}

/// The word behind an option of the command line.
fn option(name: &str) -> Option<String> {
    std::env::args().skip_while(|word| word != name).nth(1)
}

fn number<T: std::str::FromStr>(name: &str, otherwise: T) -> Result<T, T::Err> {
    option(name).map_or(Ok(otherwise), |word| word.parse())
}

async fn wait_for_replies(bench: &Bench, count: u64) -> Result<(), Box<dyn Error>> {
    let end = Instant::now() + Duration::from_secs(30);
    while bench.replies.load(Ordering::Relaxed) < count {
        if Instant::now() > end {
            return Err("no answer from the server".into());
        }
        sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// CPU time of the threads of this process.
fn cpu_time() -> Result<Duration, Box<dyn Error>> {
    let mut nanos = 0;
    for task in read_dir("/proc/self/task")? {
        let times = read_to_string(task?.path().join("schedstat"))?;
        let time = times.split_whitespace().next();
        nanos += time.ok_or("schedstat is empty")?.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanos))
}

/// Bytes of memory that this process has.
fn memory() -> Result<u64, Box<dyn Error>> {
    let text = read_to_string("/proc/self/smaps_rollup")?;
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB"));
    Ok(kilobytes.ok_or("no Rss")?.trim().parse::<u64>()? * 1024)
}
