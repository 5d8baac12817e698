//! A store in memory that outlives its journals, and fails when it is told to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use socket_io_client::{Change, Content, Journal, Record, Store, StoreError};

use crate::support::soon;

#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<Inside>>);

#[derive(Default)]
pub(crate) struct Inside {
    pub(crate) records: BTreeMap<u64, Record>,
    pub(crate) marks: BTreeMap<String, String>,
    pub(crate) writes: usize,
    /// What every write fails with.
    pub(crate) failure: Option<StoreError>,
    pub(crate) panics: bool,
    /// It writes, and says that it did not.
    pub(crate) lies: bool,
    /// What one write of these bytes at the most fails with.
    pub(crate) room: Option<usize>,
}

impl Memory {
    pub(crate) fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(crate) async fn journal(&self) -> Journal {
        let memory = self.clone();
        let journal = soon(Journal::with(move || Ok(memory))).await;
        journal.expect("it can be opened")
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        let inside = self.inside();
        inside
            .records
            .values()
            .map(|record| record.key.clone())
            .collect()
    }

    pub(crate) fn mark(&self, name: &str) -> Option<String> {
        self.inside().marks.get(name).cloned()
    }
}

impl Store for Memory {
    fn load(&mut self) -> Result<Content, StoreError> {
        let inside = self.inside();
        Ok(Content {
            records: inside.records.clone().into_iter().collect(),
            marks: inside.marks.clone().into_iter().collect(),
        })
    }

    fn write(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let mut inside = self.inside();
        assert!(!inside.panics, "told to panic");
        let added = changes.iter().map(|change| match change {
            Change::Add { record, .. } => record.args.len(),
            _ => 0,
        });
        let added: usize = added.sum();
        if inside.room.is_some_and(|room| added > room) {
            return Err(StoreError::NoSpace);
        }
        if let Some(error) = &inside.failure {
            return Err(error.clone());
        }
        inside.writes += 1;
        for change in changes {
            match change {
                Change::Add { position, record } => {
                    inside.records.insert(*position, Record::clone(record));
                }
                Change::Remove { position } => drop(inside.records.remove(position)),
                Change::Mark {
                    name,
                    value: Some(value),
                } => drop(inside.marks.insert(name.clone(), value.clone())),
                Change::Mark { name, value: None } => drop(inside.marks.remove(name)),
                other => panic!("unknown: {other:?}"),
            }
        }
        match inside.lies {
            true => Err(StoreError::NoSpace),
            false => Ok(()),
        }
    }
}
