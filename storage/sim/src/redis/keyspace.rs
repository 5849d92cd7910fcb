//! The keys of a simulated server, and a log that makes it possible to lose its last writes.

use std::collections::{BTreeMap, VecDeque};

/// Maximum number of writes that can be lost.
const LOG: usize = 512;

/// The content of a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// A string.
    Text(Vec<u8>),
    /// A sorted set: members and their scores.
    Sorted(BTreeMap<Vec<u8>, f64>),
}

/// A key's value and its expiry, in milliseconds of the server's clock.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The value.
    pub data: Data,
    /// `None`: never.
    pub expires: Option<u64>,
}

/// What one command changed: the previous entries.
#[derive(Debug, Clone, Default)]
struct Write {
    before: Vec<(Vec<u8>, Option<Entry>)>,
}

/// All keys of a server.
#[derive(Debug, Default)]
pub struct Keyspace {
    entries: BTreeMap<Vec<u8>, Entry>,
    /// Microseconds of the server's clock.
    pub micros: u64,
    write: Write,
    log: VecDeque<Write>,
}

impl Keyspace {
    /// Milliseconds of the server's clock.
    pub fn millis(&self) -> u64 {
        self.micros / 1_000
    }

    /// A live entry.
    pub fn get(&self, key: &[u8]) -> Option<&Entry> {
        self.entries.get(key).filter(|entry| entry.expires.is_none_or(|at| at > self.millis()))
    }

    /// Sets a key's entry; `None` removes the key. `false`: the key did not exist.
    pub fn set(&mut self, key: &[u8], entry: Option<Entry>) -> bool {
        let there = self.get(key).is_some();
        let before = match entry {
            Some(entry) => self.entries.insert(key.to_vec(), entry),
            None => self.entries.remove(key),
        };
        self.write.before.push((key.to_vec(), before));
        there
    }

    /// Changes a live entry.
    pub fn change<T>(&mut self, key: &[u8], change: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        let before = self.get(key)?.clone();
        self.write.before.push((key.to_vec(), Some(before)));
        self.entries.get_mut(key).map(change)
    }

    /// Live keys with their entries, in order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&Vec<u8>, &Entry)> {
        self.entries.iter().filter(|(_, entry)| entry.expires.is_none_or(|at| at > self.millis()))
    }

    /// Ends a command and returns the keys that it changed.
    pub fn commit(&mut self) -> Vec<Vec<u8>> {
        let write = std::mem::take(&mut self.write);
        if write.before.is_empty() {
            return Vec::new();
        }
        let mut changed: Vec<Vec<u8>> = write.before.iter().map(|(key, _)| key.clone()).collect();
        changed.sort();
        changed.dedup();
        if self.log.len() == LOG {
            self.log.pop_front();
        }
        self.log.push_back(write);
        changed
    }

    /// Undoes the last `writes` commands that changed anything, and returns their keys. Earlier writes can no longer be
    /// lost.
    pub fn lose(&mut self, writes: usize) -> Vec<Vec<u8>> {
        let mut lost = Vec::new();
        for _ in 0..writes {
            let Some(write) = self.log.pop_back() else { break };
            for (key, before) in write.before.into_iter().rev() {
                match before {
                    Some(entry) => self.entries.insert(key.clone(), entry),
                    None => self.entries.remove(&key),
                };
                lost.push(key);
            }
        }
        self.log.clear();
        lost.sort();
        lost.dedup();
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Option<Entry> {
        Some(Entry { data: Data::Text(text.into()), expires: None })
    }

    #[test]
    fn the_last_writes_are_lost_whole() {
        let mut keys = Keyspace::default();
        keys.set(b"a", text("1"));
        keys.commit();
        keys.set(b"a", text("2"));
        keys.set(b"b", text("2"));
        assert_eq!(keys.commit(), [b"a".to_vec(), b"b".to_vec()]);
        keys.set(b"a", None);
        keys.commit();
        assert_eq!(keys.lose(2).len(), 2);
        assert_eq!(keys.get(b"a"), text("1").as_ref());
        assert_eq!(keys.get(b"b"), None);
    }

    #[test]
    fn an_expired_key_is_gone() {
        let mut keys = Keyspace::default();
        keys.set(b"a", Some(Entry { data: Data::Text(vec![]), expires: Some(10) }));
        assert!(keys.get(b"a").is_some());
        keys.micros = 10_000;
        assert!(keys.get(b"a").is_none());
        assert!(!keys.set(b"a", None));
    }
}
