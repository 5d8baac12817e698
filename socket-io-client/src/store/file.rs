//! A journal in a file.
//!
//! The file is a database of [redb](https://docs.rs/redb): pure Rust, transactions that are on the disk when they are committed, checksums, one file with a lock,
//! a format that was declared stable with 1.0 in 2023, and releases every few weeks since. The 2.6 line is the last one for the Rust version of this crate (3
//! wants 1.89, 4 wants 1.90); it is still mended (2.6.4, October 2026), and the third file format, which is used here, is the one that later versions read.
//! Compared with:
//!
//! - fjall: a folder of files and background threads, made for more data than a journal has; its third version wants Rust 1.90.
//! - sled: the last finished release, 0.34, is of 2021; its successor has been in alpha versions ever since, and its author calls it beta.
//! - SQLite by rusqlite: the best proven of all, and a compiler for C to build it; version 0.42 wants Rust 1.89. [`Store`] is small enough to use it.
//!
//! redb panics on some damaged files; every call into it is guarded here. After an error of the system it wants to be opened again, which is done with the
//! next call, so a disk that was full may be used again once there is room.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use redb::{
    Builder, Database, DatabaseError, ReadableTable, StorageError, TableDefinition, TableError,
    TableHandle, WriteTransaction,
};

use super::{Change, Content, Record, Store, StoreError};
use socket_io::panic::caught;

/// Key, event, arguments and attachments by position.
type Packet<'a> = (&'a str, &'a str, &'a str, Vec<&'a [u8]>);
const PACKETS: TableDefinition<'_, u64, Packet<'_>> = TableDefinition::new("packets");
const MARKS: TableDefinition<'_, &str, &str> = TableDefinition::new("marks");
/// Says what the file is, and of which version.
const FORMAT: TableDefinition<'_, &str, u64> = TableDefinition::new("socket-io-client journal");
const VERSION: u64 = 1;

/// Memory for pages, in bytes.
const CACHE: usize = 1 << 20;

type Open = Box<dyn Fn() -> Result<Database, DatabaseError> + Send>;

/// A [`Store`] in a file; usually made by [`Journal::open`](super::Journal::open).
///
/// The file is locked while it is open. A new one is made under another name, with `.new` behind it, which a program that is killed just then may leave behind.
/// On Unix it may be read by its owner only. It holds what was emitted unencrypted. It takes 1 MB at least, and
/// room that was needed once is used again.
pub struct FileStore {
    open: Open,
    /// `None` after an error.
    database: Option<Database>,
}

impl FileStore {
    /// Opens the file, and makes it if there is none. Blocks; a file that was not closed properly is repaired, and every file is checked, which takes as long
    /// as reading it.
    ///
    /// # Errors
    ///
    /// [`StoreError::InUse`], [`StoreError::Foreign`], [`StoreError::Corrupted`], or an error of the system.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let path = path.into();
        Self::with(Box::new(move || open_file(&path)))
    }

    fn with(open: Open) -> Result<Self, StoreError> {
        let mut store = Self {
            open,
            database: None,
        };
        store.call(|database| {
            database.check_integrity()?;
            set_up(database)
        })?;
        Ok(store)
    }

    /// Calls the database, which is closed if that fails.
    fn call<T>(
        &mut self,
        call: impl FnOnce(&mut Database) -> Result<T, Failed>,
    ) -> Result<T, StoreError> {
        let called = caught(|| {
            let mut database = match self.database.take() {
                Some(database) => database,
                None => (self.open)()?,
            };
            let result = call(&mut database)?;
            self.database = Some(database);
            Ok(result)
        });
        let called = called.unwrap_or_else(|panic| Err(Failed(StoreError::Corrupted(panic.0))));
        called.map_err(|failed| failed.0)
    }
}

fn open_file(path: &Path) -> Result<Database, DatabaseError> {
    if !path.exists() {
        if let Some(database) = create_file(path)? {
            return Ok(database);
        }
    }
    // An empty file is taken as a new one.
    let mut options = options();
    open_database(options.create(true).truncate(false).open(path)?)
}

/// Makes a file that is there as a whole or not at all, even if the program is killed meanwhile. `None` if somebody else was faster.
fn create_file(path: &Path) -> Result<Option<Database>, DatabaseError> {
    let random = getrandom::u64().map_err(|error| io::Error::other(error.to_string()))?;
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{random:016x}.new"));
    let draft = Path::new(&name);
    let file = options().create_new(true).open(draft)?;
    let made = open_database(file).and_then(|database| {
        // Unlike a new name, another one replaces nothing. The lock on the file stays.
        match std::fs::hard_link(draft, path) {
            Ok(()) => Ok(Some(database)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
            // Some file systems know but one name for a file.
            Err(_) => Ok(std::fs::rename(draft, path).map(|()| Some(database))?),
        }
    });
    // Gone already if it was renamed.
    let _ = std::fs::remove_file(draft);
    #[cfg(unix)]
    if matches!(made, Ok(Some(_))) {
        // So that the file itself survives, and not only what is in it.
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()?;
    }
    made
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn open_database(file: File) -> Result<Database, DatabaseError> {
    Builder::new()
        .set_cache_size(CACHE)
        .create_with_file_format_v3(true)
        .create_file(file)
}

/// Makes the tables of a new file, and checks that an old one is a journal.
fn set_up(database: &Database) -> Result<(), Failed> {
    let transaction = database.begin_write()?;
    {
        let is_new = transaction.list_tables()?.next().is_none();
        let names = transaction.list_tables()?;
        let is_ours = names.into_iter().any(|table| table.name() == FORMAT.name());
        if !is_new && !is_ours {
            return Err(foreign("it is a database of another program"));
        }
        let mut format = transaction.open_table(FORMAT)?;
        let version = format.get("version")?.map(|version| version.value());
        match version {
            Some(VERSION) => {}
            None => drop(format.insert("version", VERSION)?),
            Some(version) => {
                let what = format!("version {version} of the format, this is {VERSION}");
                return Err(foreign(&what));
            }
        }
        transaction.open_table(PACKETS)?;
        transaction.open_table(MARKS)?;
    }
    Ok(transaction.commit()?)
}

impl Store for FileStore {
    fn load(&mut self) -> Result<Content, StoreError> {
        self.call(|database| {
            let transaction = database.begin_read()?;
            let mut content = Content::default();
            for item in transaction.open_table(PACKETS)?.iter()? {
                let (position, packet) = item?;
                let (key, event, args, attachments) = packet.value();
                let attachments = attachments.into_iter().map(Bytes::copy_from_slice);
                let record = Record {
                    key: key.into(),
                    event: event.into(),
                    args: args.into(),
                    attachments: attachments.collect(),
                };
                content.records.push((position.value(), record));
            }
            for item in transaction.open_table(MARKS)?.iter()? {
                let (name, value) = item?;
                content
                    .marks
                    .push((name.value().into(), value.value().into()));
            }
            Ok(content)
        })
    }

    fn write(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        self.call(|database| {
            let transaction = database.begin_write()?;
            for change in changes {
                make(&transaction, change)?;
            }
            // It is on the disk when this returns.
            Ok(transaction.commit()?)
        })
    }
}

fn make(transaction: &WriteTransaction, change: &Change) -> Result<(), Failed> {
    match change {
        Change::Add { position, record } => {
            let attachments = record.attachments.iter().map(|bytes| &bytes[..]).collect();
            let Record {
                key, event, args, ..
            } = &**record;
            let packet: Packet<'_> = (key, event, args, attachments);
            transaction.open_table(PACKETS)?.insert(position, packet)?;
        }
        Change::Remove { position } => {
            transaction.open_table(PACKETS)?.remove(position)?;
        }
        Change::Mark { name, value } => {
            let mut marks = transaction.open_table(MARKS)?;
            match value {
                Some(value) => marks.insert(&**name, &**value)?,
                None => marks.remove(&**name)?,
            };
        }
    }
    Ok(())
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore").finish_non_exhaustive()
    }
}

/// What redb says, in our words.
struct Failed(StoreError);

fn foreign(what: &str) -> Failed {
    Failed(StoreError::Foreign(what.into()))
}

impl From<StorageError> for Failed {
    fn from(error: StorageError) -> Self {
        Self(match error {
            StorageError::Corrupted(what) => StoreError::Corrupted(what),
            StorageError::Io(error) => error.into(),
            error => StoreError::Failed(error.to_string()),
        })
    }
}

impl From<DatabaseError> for Failed {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::DatabaseAlreadyOpen => Self(StoreError::InUse),
            DatabaseError::UpgradeRequired(_) => foreign("it is a database of another program"),
            // It looks for its own mark first.
            DatabaseError::Storage(StorageError::Io(error))
                if error.kind() == io::ErrorKind::InvalidData =>
            {
                foreign("it is no database")
            }
            DatabaseError::Storage(error) => error.into(),
            error => Self(StoreError::Failed(error.to_string())),
        }
    }
}

impl From<TableError> for Failed {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Storage(error) => error.into(),
            error => Self(StoreError::Corrupted(error.to_string())),
        }
    }
}

impl From<redb::TransactionError> for Failed {
    fn from(error: redb::TransactionError) -> Self {
        match error {
            redb::TransactionError::Storage(error) => error.into(),
            error => Self(StoreError::Failed(error.to_string())),
        }
    }
}

impl From<redb::CommitError> for Failed {
    fn from(error: redb::CommitError) -> Self {
        match error {
            redb::CommitError::Storage(error) => error.into(),
            error => Self(StoreError::Failed(error.to_string())),
        }
    }
}

#[cfg(test)]
#[path = "file/tests.rs"]
mod tests;
