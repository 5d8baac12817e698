//! Connections under a scheduler that tries orders which real threads hardly ever take.
//!
//! Here are the scenarios; `engine-io/model` compiles these sources with `--cfg shuttle` and runs them. A wake-up that is lost is a deadlock there. Scheduled
//! are the lock of a session, the threads, and a [`TcpStream`] with little room; tokio's clock stands still.

mod scenarios;
mod tcp;

use std::ops::{Deref, DerefMut};

use shuttle::sync;
use shuttle::sync::atomic::{AtomicBool, Ordering};

pub(crate) use tcp::TcpStream;

pub use scenarios::{
    closing_lets_everything_leave, echoes_meet_broadcasts, polling_carries_both_ways,
    senders_write_past_the_owner, upgrades_lose_nothing,
};

/// A lock with the interface of parking_lot's.
pub(crate) struct Mutex<T>(sync::Mutex<T>);

/// Others may have their turn when it is dropped, so that what is done behind the lock may come late.
pub(crate) struct MutexGuard<'a, T>(Option<sync::MutexGuard<'a, T>>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(self.0.lock().ok())
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("nobody panics while holding it")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect("nobody panics while holding it")
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        self.0 = None;
        AtomicBool::new(false).load(Ordering::SeqCst);
    }
}
