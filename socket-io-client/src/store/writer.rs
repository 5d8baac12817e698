//! The thread in which a store is called.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use super::{Change, Content, Record, Store, StoreError};
use socket_io::panic::caught;

/// How long what nobody waits for may wait to be written.
const LAZILY: Duration = Duration::from_millis(100);

/// How long what could not be written waits until it is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Told what became of a packet, in the thread.
pub(crate) type Done = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// Hands changes to the thread, which ends when this is dropped, after everything is written.
pub(crate) struct Writer {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    adds: Vec<(u64, Arc<Record>, Done)>,
    /// What nobody waits for.
    removes: Vec<u64>,
    marks: BTreeMap<String, Option<String>>,
    /// When it has to be written, if there is any.
    due: Option<Instant>,
    /// Those who do wait for it.
    flushes: Vec<oneshot::Sender<()>>,
    is_closed: bool,
}

impl Queue {
    fn is_due(&self) -> bool {
        let is_late = self.due.is_some_and(|due| due <= Instant::now());
        is_late || !self.adds.is_empty() || !self.flushes.is_empty() || self.is_closed
    }
}

impl Writer {
    /// Starts the thread, which opens the store and reads it; what is in it comes later.
    pub(crate) fn start<S: Store>(
        open: impl FnOnce() -> Result<S, StoreError> + Send + 'static,
    ) -> Result<(Self, oneshot::Receiver<Result<Content, StoreError>>), StoreError> {
        let shared = Arc::<Shared>::default();
        let (sender, opened) = oneshot::channel();
        let thread = std::thread::Builder::new().name("socket-io-store".into());
        let for_thread = shared.clone();
        thread.spawn(move || {
            let opened = caught(|| {
                let mut store = open()?;
                let content = store.load()?;
                Ok((store, content))
            });
            let opened = opened.unwrap_or_else(|panic| Err(StoreError::Failed(panic.0)));
            match opened {
                Ok((store, content)) => {
                    // If nobody waits any more, there will be nothing to write.
                    if sender.send(Ok(content)).is_ok() {
                        write_all(&for_thread, store);
                    }
                }
                // Nobody may be waiting any more.
                Err(error) => drop(sender.send(Err(error))),
            }
        })?;
        Ok((Self { shared }, opened))
    }

    /// A packet to keep; `done` is told once it is, or cannot be.
    pub(crate) fn add(&self, position: u64, record: Arc<Record>, done: Done) {
        self.shared.queue.lock().adds.push((position, record, done));
        self.shared.changed.notify_one();
    }

    pub(crate) fn remove(&self, position: u64) {
        self.lazily(|queue| queue.removes.push(position));
    }

    pub(crate) fn mark(&self, name: &str, value: Option<String>) {
        self.lazily(|queue| drop(queue.marks.insert(name.into(), value)));
    }

    fn lazily(&self, change: impl FnOnce(&mut Queue)) {
        let mut queue = self.shared.queue.lock();
        change(&mut queue);
        if queue.due.is_none() {
            queue.due = Some(Instant::now() + LAZILY);
            drop(queue);
            self.shared.changed.notify_one();
        }
    }

    /// Ready when everything is written that was handed over before, or was tried to be.
    pub(crate) fn flushed(&self) -> impl Future<Output = ()> + Send + use<> {
        let (sender, flushed) = oneshot::channel();
        self.shared.queue.lock().flushes.push(sender);
        self.shared.changed.notify_one();
        // The sender is dropped then.
        async move { drop(flushed.await) }
    }

    /// Lets the thread end, after everything.
    pub(crate) fn close(&self) {
        self.shared.queue.lock().is_closed = true;
        self.shared.changed.notify_one();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

fn write_all(shared: &Shared, mut store: impl Store) {
    loop {
        let batch = {
            let mut queue = shared.queue.lock();
            while !queue.is_due() {
                match queue.due {
                    Some(due) => drop(shared.changed.wait_until(&mut queue, due)),
                    None => shared.changed.wait(&mut queue),
                }
            }
            let rest = Queue {
                is_closed: queue.is_closed,
                ..Queue::default()
            };
            std::mem::replace(&mut *queue, rest)
        };
        let is_closed = batch.is_closed;
        if let Some((removes, marks)) = write(&mut store, batch) {
            let mut queue = shared.queue.lock();
            queue.removes.splice(0..0, removes);
            for (name, value) in marks {
                queue.marks.entry(name).or_insert(value);
            }
            queue.due.get_or_insert_with(|| Instant::now() + AGAIN);
        }
        if is_closed {
            break;
        }
    }
    // Dropping a store is a call into it, too.
    drop(caught(|| drop(store)));
}

type Unwritten = (Vec<u64>, BTreeMap<String, Option<String>>);

/// What nobody waits for is given back if it could not be written.
fn write(store: &mut impl Store, batch: Queue) -> Option<Unwritten> {
    let mut write = |changes: &[Change]| {
        if changes.is_empty() {
            return Ok(());
        }
        let written = caught(|| store.write(changes));
        written.unwrap_or_else(|panic| Err(StoreError::Failed(panic.0)))
    };
    let removes = batch.removes.iter();
    let removes = removes.map(|position| Change::Remove {
        position: *position,
    });
    let marks = batch.marks.iter().map(|(name, value)| Change::Mark {
        name: name.clone(),
        value: value.clone(),
    });
    let lazy: Vec<_> = removes.chain(marks).collect();
    let adds: Vec<_> = batch
        .adds
        .iter()
        .map(|(position, record, _)| Change::Add {
            position: *position,
            record: record.clone(),
        })
        .collect();
    let all = [lazy.as_slice(), adds.as_slice()].concat();
    let mut results = vec![Ok(()); adds.len()];
    let mut unwritten = None;
    if let Err(error) = write(&all) {
        // One of them may be too much. What is removed makes room for the others.
        let again = if all.len() > 1 {
            write(&lazy)
        } else {
            Err(error.clone())
        };
        if let (Err(error), false) = (again, lazy.is_empty()) {
            tracing::warn!(target: "socket_io_client", %error, "the journal was not written, it is tried again");
            unwritten = Some((batch.removes, batch.marks));
        }
        for (result, add) in results.iter_mut().zip(&adds) {
            *result = if all.len() > 1 {
                write(std::slice::from_ref(add))
            } else {
                Err(error.clone())
            };
        }
    }
    for ((_, _, done), result) in batch.adds.into_iter().zip(results) {
        // What it drops may be the user's.
        drop(caught(|| done(result)));
    }
    drop(batch.flushes);
    unwritten
}
