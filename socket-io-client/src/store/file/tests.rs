//! Real files, and a disk that is full.

use std::io::Read;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};

use redb::StorageBackend;
use redb::backends::FileBackend;

use super::*;

/// A file in a folder of its own, removed in the end.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let name = format!(
            "socket-io-client-{:x}",
            getrandom::u64().expect("there is randomness")
        );
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).expect("there is a folder for temporary files");
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("journal")
    }

    fn open(&self) -> Result<FileStore, StoreError> {
        FileStore::open(self.file())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn add(position: u64, args: impl Into<String>) -> Change {
    Change::Add {
        position,
        record: Arc::new(Record {
            key: format!("key {position}"),
            event: "order".into(),
            args: args.into(),
            attachments: vec![Bytes::from_static(b"\0\xff"), Bytes::new()],
        }),
    }
}

fn mark(name: &str, value: Option<&str>) -> Change {
    Change::Mark {
        name: name.into(),
        value: value.map(str::to_owned),
    }
}

fn positions(store: &mut FileStore) -> Vec<u64> {
    let content = store.load().expect("it can be read");
    content.records.iter().map(|(at, _)| *at).collect()
}

#[test]
fn what_was_written_is_there_when_the_file_is_opened_again() {
    let place = Place::new();
    let mut store = place.open().expect("it is new");
    assert_eq!(store.load(), Ok(Content::default()));
    let changes = [
        add(1, "1"),
        add(2, "2"),
        add(10, "\"ä\""),
        mark("a", Some("x")),
        mark("b", Some("y")),
    ];
    assert_eq!(store.write(&changes), Ok(()));
    assert_eq!(
        store.write(&[
            Change::Remove { position: 2 },
            mark("b", None),
            mark("a", Some("z"))
        ]),
        Ok(())
    );
    drop(store);
    let mut store = place.open().expect("it is a journal");
    let content = store.load().expect("it can be read");
    let expected: Vec<_> = [&changes[0], &changes[2]]
        .into_iter()
        .map(|change| match change {
            Change::Add { position, record } => (*position, Record::clone(record)),
            _ => unreachable!("these were added"),
        })
        .collect();
    assert_eq!(content.records, expected);
    assert_eq!(content.marks, [("a".to_owned(), "z".to_owned())]);
}

#[test]
fn a_new_file_is_whole_as_soon_as_it_is_there() {
    let place = Place::new();
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // As a program that is killed at any moment would leave it.
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                if let Ok(mut file) = File::open(place.file()) {
                    let mut start = [0; 4];
                    file.read_exact(&mut start).expect("it has a start");
                    assert_eq!(start, *b"redb");
                }
                std::thread::yield_now();
            }
        });
        for _ in 0..10 {
            drop(place.open().expect("it is new"));
            let names = std::fs::read_dir(&place.0).expect("it is there");
            assert_eq!(names.count(), 1, "something is left over");
            std::fs::remove_file(place.file()).expect("it is there");
        }
        is_done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn of_those_who_make_a_file_at_the_same_time_one_has_it() {
    let place = Place::new();
    for _ in 0..2 {
        let begin = Barrier::new(4);
        let opened: Vec<_> = std::thread::scope(|scope| {
            let open = || {
                begin.wait();
                place.open()
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
            let opened = threads.into_iter().map(|thread| thread.join());
            opened.map(|opened| opened.expect("none panics")).collect()
        });
        let failed = opened.iter().filter_map(|opened| opened.as_ref().err());
        assert_eq!(failed.clone().count(), 3);
        assert!(failed.into_iter().all(|error| *error == StoreError::InUse));
        drop(opened);
        std::fs::remove_file(place.file()).expect("it is there");
    }
}

#[test]
fn a_file_is_opened_once() {
    let place = Place::new();
    let first = place.open().expect("it is new");
    assert_eq!(place.open().err(), Some(StoreError::InUse));
    drop(first);
    assert!(place.open().is_ok());
}

#[test]
fn a_file_that_is_no_journal_is_left_alone() {
    for text in ["something else", &"x".repeat(100_000)] {
        let place = Place::new();
        std::fs::write(place.file(), text).expect("there is room");
        assert!(matches!(place.open().err(), Some(StoreError::Foreign(_))));
        let after = std::fs::read_to_string(place.file()).expect("it is there");
        assert!(after == text, "the file was changed");
    }
}

#[test]
fn a_database_of_another_program_is_left_alone() {
    const THEIRS: TableDefinition<'_, &str, &str> = TableDefinition::new("theirs");
    let place = Place::new();
    let database = open_file(&place.file()).expect("it is new");
    let transaction = database.begin_write().expect("it can be written");
    transaction
        .open_table(THEIRS)
        .expect("it is new")
        .insert("a", "b")
        .expect("there is room");
    transaction.commit().expect("there is room");
    drop(database);
    assert!(matches!(place.open().err(), Some(StoreError::Foreign(_))));
    let database = open_file(&place.file()).expect("it is there");
    let tables = database.begin_read().expect("it can be read");
    assert_eq!(tables.list_tables().expect("it can be read").count(), 1);
}

#[test]
fn a_journal_of_a_later_version_is_left_alone() {
    let place = Place::new();
    drop(place.open());
    let database = open_file(&place.file()).expect("it is there");
    let transaction = database.begin_write().expect("it can be written");
    transaction
        .open_table(FORMAT)
        .expect("it is there")
        .insert("version", 2)
        .expect("there is room");
    transaction.commit().expect("there is room");
    drop(database);
    assert!(matches!(place.open().err(), Some(StoreError::Foreign(_))));
}

#[test]
fn a_folder_or_a_path_that_leads_nowhere_is_an_error_of_the_system() {
    let place = Place::new();
    assert!(matches!(
        FileStore::open(&place.0).err(),
        Some(StoreError::Io { .. })
    ));
    let nowhere = place.0.join("there is no such folder/journal");
    let expected = io::ErrorKind::NotFound;
    assert!(
        matches!(FileStore::open(nowhere).err(), Some(StoreError::Io { kind, .. }) if kind == expected)
    );
}

#[test]
fn a_damaged_file_is_an_error_or_whole() {
    let place = Place::new();
    let mut store = place.open().expect("it is new");
    let changes: Vec<_> = (0..40)
        .map(|position| add(position, "x".repeat(2000)))
        .collect();
    store.write(&changes).expect("there is room");
    let expected = store.load().expect("it can be read");
    drop(store);
    let whole = std::fs::read(place.file()).expect("it is there");
    let pages: Vec<_> = (0..whole.len()).step_by(4096).collect();
    let mut damages = 0;
    // The header, and pages here and there, are hit in different places; every third time the file is cut as well.
    for (n, at) in pages[..4]
        .iter()
        .chain(pages[4..].iter().step_by(29))
        .enumerate()
    {
        let mut damaged = whole.clone();
        let end = (at + 4096).min(whole.len());
        let hit = at + (n * 37) % (end - at);
        damaged[hit..end].iter_mut().for_each(|byte| *byte ^= 0x5a);
        if n % 3 == 2 {
            damaged.truncate(hit);
        }
        std::fs::write(place.file(), &damaged).expect("there is room");
        match place.open().and_then(|mut store| store.load()) {
            Ok(content) => assert!(content == expected, "page {n}: something is missing"),
            Err(error) => {
                let is_told = matches!(
                    error,
                    StoreError::Corrupted(_) | StoreError::Foreign(_) | StoreError::Io { .. }
                );
                assert!(is_told, "page {n}: {error:?}");
                damages += 1;
            }
        }
    }
    assert!(damages > 3, "{damages}");
}

#[cfg(unix)]
#[test]
fn others_may_not_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    drop(place.open());
    let mode = std::fs::metadata(place.file())
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_file_does_not_grow_with_what_has_gone() {
    let place = Place::new();
    let mut store = place.open().expect("it is new");
    let args = "x".repeat(3000);
    for position in 0..400 {
        let mut changes = vec![
            add(position, &*args),
            mark("offset", Some(&*position.to_string())),
        ];
        if let Some(position) = position.checked_sub(5) {
            changes.push(Change::Remove { position });
        }
        store.write(&changes).expect("there is room");
    }
    let size = std::fs::metadata(place.file()).expect("it is there").len();
    assert!(size < 2 << 20, "{size}");
}

/// A disk with room for so many bytes, of which each write takes some, as on file systems that never write in place.
#[derive(Debug)]
struct Disk {
    file: FileBackend,
    room: Arc<AtomicU64>,
}

impl Disk {
    fn open(path: &Path, room: Arc<AtomicU64>) -> Result<Database, DatabaseError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let disk = Self {
            file: FileBackend::new(file)?,
            room,
        };
        Builder::new()
            .create_with_file_format_v3(true)
            .create_with_backend(disk)
    }

    fn take(&self, bytes: u64) -> io::Result<()> {
        let taken = self
            .room
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |room| {
                room.checked_sub(bytes)
            });
        taken
            .map(drop)
            .map_err(|_| io::ErrorKind::StorageFull.into())
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        self.file.read(offset, len)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.take(len.saturating_sub(self.file.len()?))?;
        self.file.set_len(len)
    }

    fn sync_data(&self, eventual: bool) -> io::Result<()> {
        self.file.sync_data(eventual)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.take(data.len() as u64)?;
        self.file.write(offset, data)
    }
}

#[test]
fn a_full_disk_is_told_loses_nothing_and_is_used_again_once_there_is_room() {
    const PLENTY: u64 = 1 << 30;
    // The disk is full after another write each time.
    for more in [0, 1, 2, 3, 5, 8, 13, 21, 34, 55] {
        let place = Place::new();
        let room = Arc::new(AtomicU64::new(PLENTY));
        let (path, for_store) = (place.file(), room.clone());
        let open = move || Disk::open(&path, for_store.clone());
        let mut store = FileStore::with(Box::new(open)).expect("there is room");
        store
            .write(&[add(0, "0"), mark("a", Some("x"))])
            .expect("there is room");
        room.store(more * 1000, Ordering::Relaxed);
        let mut kept = vec![0];
        let mut refused = 0;
        for position in 1..16 {
            match store.write(&[add(position, "x".repeat(3000))]) {
                Ok(()) => kept.push(position),
                Err(StoreError::NoSpace) => refused += 1,
                Err(error) => panic!("with {more}: {error:?}"),
            }
        }
        assert!(refused > 0, "with {more}: there was room");
        room.store(PLENTY, Ordering::Relaxed);
        assert_eq!(positions(&mut store), kept, "with {more}");
        store.write(&[add(30, "30")]).expect("there is room again");
        kept.push(30);
        drop(store);
        assert_eq!(
            positions(&mut place.open().expect("it is whole")),
            kept,
            "with {more}"
        );
    }
}
