//! The packets of a journal: their order, their keys, and how many there may be.

use std::collections::{BTreeMap, HashMap};

use super::Record;

/// How much may be kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) packets: usize,
    pub(crate) bytes: usize,
}

/// So much is kept already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full {
    pub(crate) packets: usize,
    pub(crate) bytes: usize,
}

/// `T` is what is known of a packet beside that.
#[derive(Debug)]
pub(crate) struct Entries<T> {
    limits: Limits,
    next: u64,
    bytes: usize,
    by_position: BTreeMap<u64, Entry<T>>,
    by_key: HashMap<String, u64>,
}

#[derive(Debug)]
pub(crate) struct Entry<T> {
    pub(crate) key: String,
    pub(crate) event: String,
    size: usize,
    pub(crate) value: T,
}

impl<T> Entries<T> {
    /// Positions begin behind those of all packets that were ever seen by this run of the program.
    pub(crate) fn new(limits: Limits, next: u64) -> Self {
        Self {
            limits,
            next,
            bytes: 0,
            by_position: BTreeMap::new(),
            by_key: HashMap::new(),
        }
    }

    /// Adds a packet that was in the store, whatever the limits are.
    pub(crate) fn restore(&mut self, position: u64, record: &Record, value: T) {
        self.next = self.next.max(position.saturating_add(1));
        self.bytes += record.size();
        self.by_key.insert(record.key.clone(), position);
        self.by_position.insert(
            position,
            Entry {
                key: record.key.clone(),
                event: record.event.clone(),
                size: record.size(),
                value,
            },
        );
    }

    /// Adds a packet behind all others. The first one is always taken, however large.
    pub(crate) fn add(&mut self, record: &Record, value: T) -> Result<u64, Full> {
        let bytes = self.bytes + record.size();
        let packets = self.by_position.len();
        if packets > 0 && (packets >= self.limits.packets || bytes > self.limits.bytes) {
            return Err(Full {
                packets,
                bytes: self.bytes,
            });
        }
        let position = self.next;
        self.restore(position, record, value);
        Ok(position)
    }

    /// The packet of a key.
    pub(crate) fn find(&mut self, key: &str) -> Option<(u64, &mut T)> {
        let position = *self.by_key.get(key)?;
        let entry = self.by_position.get_mut(&position)?;
        Some((position, &mut entry.value))
    }

    pub(crate) fn value(&mut self, position: u64) -> Option<&mut T> {
        let entry = self.by_position.get_mut(&position)?;
        Some(&mut entry.value)
    }

    pub(crate) fn remove(&mut self, position: u64) -> Option<T> {
        let entry = self.by_position.remove(&position)?;
        self.bytes -= entry.size;
        if self.by_key.get(&entry.key) == Some(&position) {
            self.by_key.remove(&entry.key);
        }
        Some(entry.value)
    }

    /// In their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry<T>> {
        self.by_position.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &str, size: usize) -> Record {
        Record {
            key: key.into(),
            event: String::new(),
            args: "x".repeat(size - key.len()),
            attachments: Vec::new(),
        }
    }

    fn entries(packets: usize, bytes: usize) -> Entries<u8> {
        Entries::new(Limits { packets, bytes }, 0)
    }

    #[test]
    fn packets_have_ascending_positions_and_are_found_by_key() {
        let mut entries = entries(10, 1000);
        assert_eq!(entries.add(&record("a", 10), 1), Ok(0));
        assert_eq!(entries.add(&record("b", 10), 2), Ok(1));
        assert_eq!(entries.find("b"), Some((1, &mut 2)));
        assert_eq!(entries.remove(0), Some(1));
        assert_eq!((entries.remove(0), entries.find("a")), (None, None));
        assert_eq!(entries.add(&record("a", 10), 3), Ok(2));
    }

    #[test]
    fn positions_go_on_behind_those_of_the_store() {
        let mut entries = entries(10, 1000);
        entries.restore(7, &record("a", 10), 1);
        assert_eq!(entries.add(&record("b", 10), 2), Ok(8));
        let keys: Vec<_> = entries.iter().map(|entry| entry.key.as_str()).collect();
        assert_eq!(keys, ["a", "b"]);
    }

    #[test]
    fn there_is_a_limit_in_packets_and_one_in_bytes() {
        let mut few = entries(2, 1000);
        assert!(few.add(&record("a", 10), 1).is_ok() && few.add(&record("b", 10), 2).is_ok());
        let full = Full {
            packets: 2,
            bytes: 20,
        };
        assert_eq!(few.add(&record("c", 10), 3), Err(full));
        few.remove(0);
        assert!(few.add(&record("c", 10), 3).is_ok());

        let mut small = entries(10, 20);
        assert!(small.add(&record("a", 50), 1).is_ok());
        let full = Full {
            packets: 1,
            bytes: 50,
        };
        assert_eq!(small.add(&record("b", 10), 2), Err(full));
    }

    #[test]
    fn what_is_in_the_store_is_taken_whatever_the_limits_are() {
        let mut entries = entries(1, 10);
        entries.restore(0, &record("a", 10), 1);
        entries.restore(1, &record("b", 10), 2);
        assert!(entries.add(&record("c", 10), 3).is_err());
        assert_eq!(entries.iter().count(), 2);
    }
}
