//! The rest of a large broadcast: a task writes to the connections that its sender had no time for, some at a time.
//!
//! That is cheaper than waking the task of each of them, and who else has something to do on that thread waits for some writes at the most. Meanwhile a frame
//! lies in the outbox of its connection: if anything else moves there, its owner writes it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;

use super::Shared;
use super::direct::Written;
use crate::sync::{Mutex, spawn, thread_local, yield_now};

/// How many connections are written to before others have their turn.
const AT_ONCE: usize = 256;

thread_local! {
    /// Where this thread adds to.
    static LIST: RefCell<List> = RefCell::new(List(Arc::new(Mutex::new(None))));
}

/// Connections with a frame that waits; nothing once the task is gone.
#[derive(Clone)]
struct List(Arc<Mutex<Option<VecDeque<Arc<Shared>>>>>);

/// The frame that waits for this connection is written by a task. Where no task can be spawned, the owner is woken.
pub(crate) fn add(shared: &Arc<Shared>) {
    let added = LIST.try_with(|list| {
        let mut list = list.borrow_mut();
        if let Some(waiting) = &mut *list.0.lock() {
            waiting.push_back(shared.clone());
            return None;
        }
        let waiting = VecDeque::from([shared.clone()]);
        *list = List(Arc::new(Mutex::new(Some(waiting))));
        Some(Writing(list.clone()))
    });
    match added {
        Ok(None) => {}
        Ok(Some(writing)) => spawn(writing.run()),
        // The thread is about to end.
        Err(_) => shared.wake_owner(),
    }
}

/// The task, which may come to an end before its work is done, when its runtime does.
struct Writing(List);

impl Writing {
    async fn run(self) {
        while let Some(some) = self.next() {
            some.iter().for_each(|shared| shared.write_later());
            yield_now().await;
        }
    }

    /// The next ones; nothing when the work is done.
    fn next(&self) -> Option<Vec<Arc<Shared>>> {
        let mut list = self.0.0.lock();
        let waiting = list.as_mut()?;
        if waiting.is_empty() {
            *list = None;
            return None;
        }
        let count = waiting.len().min(AT_ONCE);
        Some(waiting.drain(..count).collect())
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let left = self.0.0.lock().take();
        left.iter().flatten().for_each(|shared| shared.wake_owner());
    }
}

impl Shared {
    fn write_later(&self) {
        let written = self.turn(|state| {
            // Where the owner has been woken, it writes, or has written.
            let by_owner = state.driver.is_none() || state.session.buffered() == 0;
            by_owner || state.direct.write_now(&mut state.session) == Written::Now
        });
        if !written {
            self.wake_owner();
        }
    }

    fn wake_owner(&self) {
        let driver = self.lock().driver.take();
        if let Some(driver) = driver {
            driver.wake();
        }
    }
}
