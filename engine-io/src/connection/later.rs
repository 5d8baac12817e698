//! The rest of a large broadcast: a task writes to the connections that its sender had no time for, some at a time.
//!
//! That is cheaper than waking the task of each of them, and who else has something to do on the thread waits for some writes at the most. Meanwhile a frame lies
//! in the outbox of its connection: if anything else moves there, its owner writes it.
//!
//! It is for runtimes of one thread. Where there are more, the owners are woken, who share the work among them; and so they are where no task would run.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;

use super::direct::Written;
use super::{AHEAD, Shared};
use crate::sync::{Mutex, Runtime, RuntimeId, thread_local, yield_now};

/// How many connections are written to before others have their turn.
const AT_ONCE: usize = 256;

thread_local! {
    /// Where this thread adds to.
    static LIST: RefCell<Option<List>> = const { RefCell::new(None) };
}

struct List {
    runtime: RuntimeId,
    waiting: Waiting,
}

/// Connections with a frame that waits, each once; nothing when the task is gone.
type Waiting = Arc<Mutex<Option<VecDeque<Arc<Shared>>>>>;

/// A task writes the one frame that waits for this connection, which is idle, and whose owner has not been woken.
pub(crate) fn add(shared: &Arc<Shared>) {
    let Some(runtime) = Runtime::of_one_thread() else {
        return shared.leave_to_owner();
    };
    let added = LIST.try_with(|list| {
        let mut list = list.borrow_mut();
        if list
            .as_ref()
            .is_some_and(|list| list.add(runtime.id(), shared))
        {
            return None;
        }
        let waiting = Arc::new(Mutex::new(Some(VecDeque::from([shared.clone()]))));
        let writing = Writing(waiting.clone());
        *list = Some(List {
            runtime: runtime.id(),
            waiting,
        });
        Some(writing)
    });
    match added {
        Ok(None) => {}
        Ok(Some(writing)) => runtime.spawn(writing.run()),
        // The thread is about to end.
        Err(_) => shared.leave_to_owner(),
    }
}

impl List {
    /// False when its task is gone, or another runtime's.
    fn add(&self, runtime: RuntimeId, shared: &Arc<Shared>) -> bool {
        match &mut *self.waiting.lock() {
            Some(waiting) if self.runtime == runtime => {
                waiting.push_back(shared.clone());
                true
            }
            _ => false,
        }
    }
}

/// The task. It may come to an end before its work is done, when its runtime does.
struct Writing(Waiting);

impl Writing {
    async fn run(self) {
        let mut next = Vec::with_capacity(AHEAD);
        loop {
            for _ in 0..AT_ONCE / AHEAD {
                self.take(&mut next);
                if next.is_empty() {
                    return;
                }
                next.iter().for_each(|shared| shared.prefetch());
                next.drain(..).for_each(|shared| shared.write_later());
            }
            yield_now().await;
        }
    }

    /// Takes those that are next; nothing when there are none, and then this is the end of the list.
    fn take(&self, next: &mut Vec<Arc<Shared>>) {
        let mut waiting = self.0.lock();
        let Some(list) = &mut *waiting else {
            return;
        };
        let some = list.len().min(AHEAD);
        next.extend(list.drain(..some));
        if next.is_empty() {
            *waiting = None;
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let left = self.0.lock().take();
        left.iter()
            .flatten()
            .for_each(|shared| shared.leave_to_owner());
    }
}

impl Shared {
    fn write_later(&self) {
        // With nothing to do for the owner: while it sleeps, the session is open.
        let written = self.turn(|state| {
            state.direct.listed = false;
            // Where the owner has been woken, it writes, or has written.
            let by_owner = state.driver.is_none() || state.session.buffered() == 0;
            by_owner || state.direct.write_now(&mut state.session) == Written::Now
        });
        if !written {
            self.leave_to_owner();
        }
    }

    fn leave_to_owner(&self) {
        let mut state = self.lock();
        state.direct.listed = false;
        let driver = state.driver.take();
        drop(state);
        if let Some(driver) = driver {
            driver.wake();
        }
    }
}
