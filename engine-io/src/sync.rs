//! The lock of a session, TCP connections, the runtime and the values of a thread: the real ones, or those that the model checker schedules (see `engine-io/model`).

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

/// What tells one runtime from another, and keeps neither.
#[cfg(not(shuttle))]
pub(crate) type RuntimeId = tokio::runtime::Id;
#[cfg(shuttle)]
pub(crate) type RuntimeId = u8;

/// The runtime that this thread works for, and no other thread does.
pub(crate) struct Runtime {
    #[cfg(not(shuttle))]
    handle: tokio::runtime::Handle,
}

#[cfg(not(shuttle))]
impl Runtime {
    pub(crate) fn of_one_thread() -> Option<Self> {
        let handle = tokio::runtime::Handle::try_current().ok()?;
        let alone = handle.runtime_flavor() == tokio::runtime::RuntimeFlavor::CurrentThread;
        alone.then_some(Self { handle })
    }

    pub(crate) fn id(&self) -> RuntimeId {
        self.handle.id()
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(task);
    }
}

#[cfg(shuttle)]
impl Runtime {
    pub(crate) fn of_one_thread() -> Option<Self> {
        Some(Self {})
    }

    pub(crate) fn id(&self) -> RuntimeId {
        0
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(shuttle::future::spawn(task));
    }
}
