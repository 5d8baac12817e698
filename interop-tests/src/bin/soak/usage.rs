//! What both processes have, and clients.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use socket_io_client::{ClientConfig, Manager, Reconnect, Socket, Transport};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use crate::{HEAP, Outcome};

/// How long it may take until a server has forgotten whoever has left.
const PATIENCE: Duration = Duration::from_secs(90);
const POLLING: &[Transport] = &[Transport::Polling];
const WEBSOCKET: &[Transport] = &[Transport::WebSocket];
const UPGRADE: &[Transport] = &[Transport::Polling, Transport::WebSocket];
/// The ways to connect.
pub(crate) const WAYS: [&[Transport]; 3] = [WEBSOCKET, POLLING, UPGRADE];

/// What one process has.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct Usage {
    #[serde(default)]
    pub(crate) sockets: usize,
    pub(crate) tasks: usize,
    pub(crate) files: usize,
    pub(crate) heap: usize,
}

impl Usage {
    pub(crate) fn of_this_process() -> Outcome<Self> {
        Ok(Self {
            sockets: 0,
            tasks: Handle::current().metrics().num_alive_tasks(),
            files: std::fs::read_dir("/proc/self/fd")?.count(),
            heap: HEAP.allocated(),
        })
    }

    pub(crate) async fn of(control: &Socket) -> Outcome<Self> {
        Ok(control.emit_with_ack("usage", &()).await?)
    }

    /// Whether nothing remains of what was there meanwhile. What tables and buffers of threads keep may be a little more later.
    pub(crate) fn is_as(&self, before: &Self) -> bool {
        self.tasks <= before.tasks + 8
            && self.files <= before.files + 8
            && self.heap <= before.heap + before.heap / 4 + (256 << 10)
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sockets,
            tasks,
            files,
            heap,
        } = self;
        let kib = heap >> 10;
        write!(
            f,
            "{sockets} sockets, {tasks} tasks, {files} descriptors, {kib} KiB of heap"
        )
    }
}

/// Both processes when nobody but `control` is connected: the least of a second.
pub(crate) async fn at_rest(control: &Socket) -> Outcome<(Usage, Usage)> {
    let deadline = Instant::now() + PATIENCE;
    while Usage::of(control).await?.sockets > 1 {
        if Instant::now() > deadline {
            return Err(format!("{} remain", Usage::of(control).await?).into());
        }
        sleep(Duration::from_millis(100)).await;
    }
    let mut least = (Usage::of(control).await?, Usage::of_this_process()?);
    for _ in 0..20 {
        sleep(Duration::from_millis(50)).await;
        for (least, now) in [
            (&mut least.0, Usage::of(control).await?),
            (&mut least.1, Usage::of_this_process()?),
        ] {
            least.tasks = least.tasks.min(now.tasks);
            least.files = least.files.min(now.files);
            least.heap = least.heap.min(now.heap);
        }
    }
    Ok(least)
}

/// A client with a connection of its own.
pub(crate) fn client(url: &str, way: &[Transport], reconnect: Reconnect) -> Outcome<Socket> {
    let engine = |engine: ClientConfig| engine.transports(way.iter().copied());
    let manager = Manager::builder(url).engine(engine).reconnect(reconnect);
    // Nobody waits for ever.
    Ok(manager.socket().ack_timeout(PATIENCE).build()?)
}

/// A value of a sorted list at that share of it.
pub(crate) fn percentile(sorted: &[Duration], share: f64) -> Duration {
    let last = sorted.len().saturating_sub(1);
    let index = (last as f64 * share).round() as usize;
    sorted.get(index).copied().unwrap_or_default()
}

/// Sorts, and says the usual percentiles.
pub(crate) fn percentiles(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let [half, most, nearly_all, all] = [0.5, 0.9, 0.99, 1.0].map(|share| percentile(times, share));
    format!("p50 {half:.1?}, p90 {most:.1?}, p99 {nearly_all:.1?}, max {all:.1?}")
}
