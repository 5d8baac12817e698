//! What outlives the program: packets until the server has acknowledged them, and how far the server's events were handled.
//!
//! ```text
//! Durable::emit -> Entries: a position, within the limits -> writer: on disk -> the socket's queue -> acknowledged -> writer: removed
//! handlers end  -> Progress: the last event before which every one was handled -> writer
//! ```
//!
//! The writer is one thread, in which every call into a [`Store`] is made, one after the other. What somebody waits for is written at once, together with
//! whatever else there is; what nobody waits for within a tenth of a second.

mod entries;
#[cfg(feature = "store")]
mod file;
mod journal;
mod kept;
mod progress;
mod writer;

use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::Bytes;

pub(crate) use entries::Full as JournalFull;
#[cfg(feature = "store")]
pub use file::FileStore;
pub use journal::Journal;
pub(crate) use kept::{Handling, Kept, Past, Written};

/// A packet that is kept until it is acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// By which the server recognizes it when it comes again.
    pub key: String,
    /// The name of the event.
    pub event: String,
    /// Its arguments: JSON without the brackets around them, such as `1,"a"`. The key is not among them.
    pub args: String,
    /// What placeholders in the arguments stand for.
    pub attachments: Vec<Bytes>,
}

impl Record {
    pub(crate) fn size(&self) -> usize {
        let attachments = self.attachments.iter().map(Bytes::len);
        self.key.len() + self.event.len() + self.args.len() + attachments.sum::<usize>()
    }
}

/// One thing that changes in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// A packet is to be kept. Its position is larger than all before.
    Add {
        /// Where it stands among the others.
        position: u64,
        /// The packet.
        record: Arc<Record>,
    },
    /// A packet is not needed any more.
    Remove {
        /// Where it stands.
        position: u64,
    },
    /// A short text is to be remembered, in place of the one of that name; with `None`, forgotten.
    Mark {
        /// The name.
        name: String,
        /// The text.
        value: Option<String>,
    },
}

/// What is in a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Packets by their position, in ascending order.
    pub records: Vec<(u64, Record)>,
    /// Short texts by their name.
    pub marks: Vec<(String, String)>,
}

/// Where a [`Journal`] keeps its content: a file, a database of yours.
///
/// Its functions are called in a thread of the journal, one after the other, and may block. A panic counts as a failure.
pub trait Store: Send + 'static {
    /// Everything that is in it. Called once, first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it cannot be read.
    fn load(&mut self) -> Result<Content, StoreError>;

    /// Makes all of the changes or none of them. When it returns without an error, they survive the end of the program, and of the machine.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when nothing was changed. The next call may succeed.
    fn write(&mut self, changes: &[Change]) -> Result<(), StoreError>;
}

/// Why a store does not do what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process has the file open, or another journal of this one. Give each socket a file of its own.
    InUse,
    /// The file is no journal, or that of a later version. It was not changed.
    Foreign(String),
    /// The file is damaged; the text says what was found.
    Corrupted(String),
    /// There is no room on the disk. What is there is safe; emit again once there is room.
    NoSpace,
    /// Another error of the system.
    Io {
        /// Its kind.
        kind: io::ErrorKind,
        /// What the system says.
        message: String,
    },
    /// The store has failed otherwise: it panicked, or is not a file at all.
    Failed(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse => {
                f.write_str("the journal is in use: by another process, or by another socket")
            }
            Self::Foreign(what) => write!(f, "the file is no journal: {what}"),
            Self::Corrupted(what) => write!(f, "the journal is damaged: {what}"),
            Self::NoSpace => f.write_str("there is no room on the disk"),
            Self::Io { message, .. } => {
                write!(f, "the journal cannot be read or written: {message}")
            }
            Self::Failed(what) => write!(f, "the journal has failed: {what}"),
        }
    }
}

impl std::error::Error for StoreError {}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::NoSpace,
            kind => Self::Io {
                kind,
                message: error.to_string(),
            },
        }
    }
}
