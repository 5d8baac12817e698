//! The journal of a socket, before it is given to the socket.

use std::fmt;
#[cfg(feature = "store")]
use std::path::PathBuf;

use tokio::sync::oneshot::error::RecvError;

#[cfg(feature = "store")]
use super::FileStore;
use super::entries::Limits;
use super::writer::Writer;
use super::{Content, Store, StoreError};

/// What lets a socket go on where an earlier run of the program has stopped; see [`SocketBuilder::journal`](crate::SocketBuilder::journal).
///
/// Each socket has a journal of its own. It is closed, and its file may be opened again, soon after the last handle of the socket is dropped.
pub struct Journal {
    pub(super) writer: Writer,
    pub(crate) content: Content,
    pub(super) limits: Limits,
}

impl Journal {
    /// Opens a file, or makes it if there is none; see [`FileStore`].
    ///
    /// # Errors
    ///
    /// [`StoreError::InUse`], [`StoreError::Foreign`], [`StoreError::Corrupted`], or an error of the system.
    ///
    /// # Cancel safety
    ///
    /// The file is closed when the future is dropped.
    #[cfg(feature = "store")]
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let path = path.into();
        Self::with(move || FileStore::open(path)).await
    }

    /// Opens a store of another kind. The function is called in the thread of the journal, where it may block.
    ///
    /// # Errors
    ///
    /// What it fails with, and [`StoreError::Failed`] if it panics.
    ///
    /// # Cancel safety
    ///
    /// The store is dropped when the future is.
    pub async fn with<S: Store>(
        open: impl FnOnce() -> Result<S, StoreError> + Send + 'static,
    ) -> Result<Self, StoreError> {
        let (writer, content) = Writer::start(open)?;
        Self::new(writer, content.await)
    }

    /// Opens a file, waiting for it, for programs without asynchronous code.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    ///
    /// # Panics
    ///
    /// In asynchronous code.
    #[cfg(feature = "store")]
    pub fn open_blocking(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let path = path.into();
        let (writer, content) = Writer::start(move || FileStore::open(path))?;
        Self::new(writer, content.blocking_recv())
    }

    fn new(
        writer: Writer,
        content: Result<Result<Content, StoreError>, RecvError>,
    ) -> Result<Self, StoreError> {
        let ended = |_| Err(StoreError::Failed("the thread has ended".into()));
        let content = content.unwrap_or_else(ended)?;
        let limits = Limits {
            packets: 10_000,
            bytes: 16 << 20,
        };
        Ok(Self {
            writer,
            content,
            limits,
        })
    }

    /// How many packets are kept at the most. Default 10,000; then emitting fails with [`EmitError::JournalFull`](crate::EmitError::JournalFull). Those that are
    /// in the journal already are sent whatever the limits are.
    #[must_use]
    pub fn max_packets(mut self, count: usize) -> Self {
        self.limits.packets = count;
        self
    }

    /// How many bytes are kept at the most: names, arguments, attachments and keys. Default 16 MiB. They are in memory, too.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.limits.bytes = bytes;
        self
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What users emit is not printed.
        f.debug_struct("Journal")
            .field("packets", &self.content.records.len())
            .finish_non_exhaustive()
    }
}
