//! Objects: keys and values in the order in which they were written.

use super::Value;

/// Keys, each once, with their values, in the order in which the keys first appeared.
///
/// Looking up a key walks over the entries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object(Vec<(String, Value)>);

impl Object {
    /// No keys.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// What stands under `key`.
    pub fn get(&self, key: &str) -> Option<&Value> {
        let entry = self.0.iter().find(|(other, _)| other == key);
        entry.map(|(_, value)| value)
    }

    /// Puts `value` under `key` and hands out what stood there.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<Value>) -> Option<Value> {
        let (key, value) = (key.into(), value.into());
        match self.0.iter_mut().find(|(other, _)| *other == key) {
            Some((_, old)) => Some(std::mem::replace(old, value)),
            None => {
                self.0.push((key, value));
                None
            }
        }
    }

    /// The keys with their values.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A key that comes again keeps its place and takes the later value, as in JavaScript.
impl<K: Into<String>, V: Into<Value>> FromIterator<(K, V)> for Object {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let entries = entries.into_iter();
        let mut entries: Vec<(String, Value)> = entries
            .map(|(key, value)| (key.into(), value.into()))
            .collect();
        if entries.len() <= FEW && !repeats(&entries) {
            return Self(entries);
        }
        // Sorting keeps a peer from making many keys expensive.
        let mut order: Vec<usize> = (0..entries.len()).collect();
        order.sort_by(|&one, &other| entries[one].0.cmp(&entries[other].0));
        let mut repeated = vec![false; entries.len()];
        // The sort is stable, so equal keys stand in the order of their appearance, and the last value wanders to the first of them.
        for index in (1..order.len()).rev() {
            let (one, other) = (order[index - 1], order[index]);
            if entries[one].0 == entries[other].0 {
                entries[one].1 = std::mem::take(&mut entries[other].1);
                repeated[other] = true;
            }
        }
        let mut repeated = repeated.into_iter();
        entries.retain(|_| !repeated.next().unwrap_or_default());
        Self(entries)
    }
}

/// Up to here, comparing every key with every other is cheaper than sorting.
const FEW: usize = 12;

fn repeats(entries: &[(String, Value)]) -> bool {
    let mut keys = entries.iter().map(|(key, _)| key).enumerate();
    keys.any(|(index, key)| entries[..index].iter().any(|(other, _)| other == key))
}

impl IntoIterator for Object {
    type Item = (String, Value);
    type IntoIter = std::vec::IntoIter<(String, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
