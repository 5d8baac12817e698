//! The lock of a session, TCP connections, tasks and the values of a thread: the real ones, or those that the model checker schedules (see `engine-io/model`).

#[cfg(not(shuttle))]
pub(crate) use {
    parking_lot::{Mutex, MutexGuard},
    std::thread_local,
    tokio::{net::TcpStream, task::yield_now},
};

#[cfg(shuttle)]
pub(crate) use {
    crate::model::{Mutex, MutexGuard, TcpStream},
    shuttle::{future::yield_now, thread_local},
};

/// Leaves a task to the runtime that this thread works for. Without one, it is dropped.
#[cfg(not(shuttle))]
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(task);
    }
}

#[cfg(shuttle)]
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    drop(shuttle::future::spawn(task));
}
