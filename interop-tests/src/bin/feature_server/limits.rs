//! Limits that the official server does not have: what handlers that wait may hold, and what clients may say about themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use socket_io::{Data, RawArgs, SocketIo, State};
use tokio::sync::Semaphore;

/// Handlers of `hold` that have begun, and what lets them on.
#[derive(Clone)]
struct Held {
    begun: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
}

pub(crate) fn server() -> SocketIo {
    let io = SocketIo::builder()
        .max_auth_bytes(1000)
        .max_handler_bytes(10_000)
        .inbox_limit(0)
        .state(Held {
            begun: Arc::default(),
            gate: Arc::new(Semaphore::new(0)),
        })
        .build();
    io.of("/")
        .on("hold", async |args: RawArgs, State(held): State<Held>| {
            let number = held.begun.fetch_add(1, Ordering::Relaxed) + 1;
            // The gate is never closed.
            if let Ok(passed) = held.gate.acquire().await {
                passed.forget();
            }
            drop(args);
            number
        })
        .on("begun", async |State(held): State<Held>| {
            held.begun.load(Ordering::Relaxed)
        })
        .on(
            "release",
            async |Data(count): Data<usize>, State(held): State<Held>| held.gate.add_permits(count),
        );
    for name in ["/a", "/b"] {
        io.of(name);
    }
    io
}
