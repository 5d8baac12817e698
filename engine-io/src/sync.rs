//! The lock of a session, TCP connections and the values of a thread: the real ones, or those that the model checker schedules (see `engine-io/model`).

#[cfg(not(shuttle))]
pub(crate) use {
    parking_lot::{Mutex, MutexGuard},
    std::thread_local,
    tokio::net::TcpStream,
};

#[cfg(shuttle)]
pub(crate) use {
    crate::model::{Mutex, MutexGuard, TcpStream},
    shuttle::thread_local,
};
