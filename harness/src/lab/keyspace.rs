//! The drill's own keys: their prefix, which is never empty and never guessed, and scans over them. Scans use SCAN in
//! batches so that they do not disturb the measurement.

use std::collections::BTreeMap;
use std::fmt;

use hashbrown::HashSet;
use serde::{Deserialize, Serialize};

use super::admin::Admin;
use super::error::LabError;

/// Keys per SCAN, and TTLs or UNLINKs per pipeline.
const BATCH: usize = 500;

/// Values per pipeline: each may be large.
const VALUES: usize = 20;

/// Scans of a removal: the last one finds nothing, unless somebody goes on writing.
const MOST_ROUNDS: usize = 5;

/// How many immortal keys are listed by name.
const IMMORTAL_SHOWN: usize = 10;

/// The random prefix of all keys of one drill. It cannot be empty: everything under it may be deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyPrefix(String);

impl KeyPrefix {
    /// Creates a prefix unique to this drill.
    pub fn random() -> Self {
        Self(format!("firedrill:{:016x}:", rand::random::<u64>()))
    }

    /// The prefix as text; it ends in a colon.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `key` without the prefix; `None` for a foreign key.
    fn strip<'k>(&self, key: &'k [u8]) -> Option<&'k [u8]> {
        key.strip_prefix(self.0.as_bytes())
    }
}

impl TryFrom<String> for KeyPrefix {
    type Error = String;

    /// Accepts only what [`KeyPrefix::random`] produces: everything under the prefix may be deleted.
    fn try_from(text: String) -> Result<Self, String> {
        let digits = text.strip_prefix("firedrill:").and_then(|rest| rest.strip_suffix(':')).unwrap_or_default();
        match digits.len() == 16 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            true => Ok(Self(text)),
            false => Err(format!("\"{text}\" is not the prefix of a drill's keys")),
        }
    }
}

impl From<KeyPrefix> for String {
    fn from(prefix: KeyPrefix) -> Self {
        prefix.0
    }
}

impl fmt::Display for KeyPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The keys under a prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyScan {
    /// Number of keys.
    pub keys: u64,
    /// The first few keys that never expire, by name without the prefix.
    pub immortal: Vec<String>,
    /// Number of keys that never expire.
    pub immortal_count: u64,
}

impl KeyScan {
    /// Adds the result from another server.
    pub(super) fn with(mut self, other: Self) -> Self {
        self.keys += other.keys;
        self.immortal_count += other.immortal_count;
        self.immortal.extend(other.immortal);
        self.immortal.truncate(IMMORTAL_SHOWN);
        self
    }
}

/// Counts the keys under `prefix` and finds those without a time to live. A key that expires during the scan is not
/// counted.
///
/// # Errors
/// Same as [`Admin::query`].
pub async fn scan(admin: &Admin, prefix: &KeyPrefix) -> Result<KeyScan, LabError> {
    let names: Vec<Vec<u8>> = collect(admin, prefix).await?.into_iter().collect();
    let mut found = KeyScan::default();
    for batch in names.chunks(BATCH) {
        let mut pipeline = redis::pipe();
        for name in batch {
            pipeline.cmd("PTTL").arg(name);
        }
        let lives: Vec<i64> = admin.pipeline(&pipeline).await?;
        for (name, life) in batch.iter().zip(lives) {
            // PTTL answers -2 for "no such key" and -1 for "never expires".
            found.keys += u64::from(life != -2);
            if life == -1 {
                found.immortal_count += 1;
                if found.immortal.len() < IMMORTAL_SHOWN {
                    let short = prefix.strip(name).unwrap_or(name);
                    found.immortal.push(String::from_utf8_lossy(short).into_owned());
                }
            }
        }
    }
    Ok(found)
}

/// Every key under `prefix`.
///
/// # Errors
/// Same as [`Admin::query`].
pub async fn all(admin: &Admin, prefix: &KeyPrefix) -> Result<Vec<Vec<u8>>, LabError> {
    Ok(collect(admin, prefix).await?.into_iter().collect())
}

/// Groups `names` of keys on a cluster node by slot.
///
/// # Errors
/// Same as [`Admin::query`].
pub async fn by_slot(admin: &Admin, names: Vec<Vec<u8>>) -> Result<Vec<Vec<Vec<u8>>>, LabError> {
    let slots = slots_of(admin, &names).await?;
    let mut apart: BTreeMap<u16, Vec<Vec<u8>>> = BTreeMap::new();
    for (slot, name) in slots.into_iter().zip(names) {
        apart.entry(slot).or_default().push(name);
    }
    Ok(apart.into_values().collect())
}

/// The cluster slot of each of `names`.
///
/// # Errors
/// Same as [`Admin::query`].
pub async fn slots_of(admin: &Admin, names: &[Vec<u8>]) -> Result<Vec<u16>, LabError> {
    let mut slots = Vec::with_capacity(names.len());
    for batch in names.chunks(BATCH) {
        let mut pipeline = redis::pipe();
        for name in batch {
            pipeline.cmd("CLUSTER").arg("KEYSLOT").arg(name);
        }
        slots.extend(admin.pipeline::<Vec<u16>>(&pipeline).await?);
    }
    Ok(slots)
}

/// The session keys under `prefix`.
///
/// # Errors
/// Same as [`Admin::query`].
pub async fn sessions(admin: &Admin, prefix: &KeyPrefix) -> Result<Vec<Vec<u8>>, LabError> {
    let is_session = |name: &Vec<u8>| prefix.strip(name).is_some_and(is_session);
    Ok(collect(admin, prefix).await?.into_iter().filter(is_session).collect())
}

/// The values of those of `names` that exist.
///
/// # Errors
/// Same as [`Admin::query`].
pub async fn values(admin: &Admin, names: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, LabError> {
    let mut values = Vec::with_capacity(names.len());
    for batch in names.chunks(VALUES) {
        let mut pipeline = redis::pipe();
        for name in batch {
            pipeline.cmd("GET").arg(name);
        }
        values.extend(admin.pipeline::<Vec<Option<Vec<u8>>>>(&pipeline).await?.into_iter().flatten());
    }
    Ok(values)
}

/// Whether a key with this `name`, prefix removed, is a session: the store writes `session:` and the id, the raw target
/// only the id. Indices, tombstones and all other keys contain a further colon.
fn is_session(name: &[u8]) -> bool {
    !name.strip_prefix(b"session:").unwrap_or(name).contains(&b':')
}

/// Deletes every key under `prefix` and nothing else. Returns the number of deleted keys.
///
/// # Errors
/// Same as [`Admin::query`]; keys deleted before the error stay deleted.
pub async fn remove(admin: &Admin, prefix: &KeyPrefix) -> Result<u64, LabError> {
    let mut removed = 0;
    // A write that was under way when its client left may take effect behind the scan.
    for _ in 0..MOST_ROUNDS {
        let names: Vec<Vec<u8>> = collect(admin, prefix).await?.into_iter().collect();
        if names.is_empty() {
            break;
        }
        for batch in names.chunks(BATCH) {
            // One command per key: in a cluster, one command cannot name keys of different slots.
            let mut pipeline = redis::pipe();
            for name in batch {
                pipeline.cmd("UNLINK").arg(name);
            }
            let gone: Vec<u64> = admin.pipeline(&pipeline).await?;
            removed += gone.iter().sum::<u64>();
        }
    }
    Ok(removed)
}

/// The number of keys under `prefix`.
///
/// # Errors
/// Same as [`Admin::query`].
pub async fn count(admin: &Admin, prefix: &KeyPrefix) -> Result<u64, LabError> {
    Ok(collect(admin, prefix).await?.len() as u64)
}

/// The names under `prefix`, each once: SCAN may return a key several times.
async fn collect(admin: &Admin, prefix: &KeyPrefix) -> Result<HashSet<Vec<u8>>, LabError> {
    let pattern = format!("{prefix}*");
    let mut names = HashSet::new();
    let mut cursor = 0_u64;
    loop {
        let mut command = redis::cmd("SCAN");
        command.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(BATCH);
        let (next, batch): (u64, Vec<Vec<u8>>) = admin.query(&command).await?;
        // Deletion must not trust the pattern match: a key is the drill's only if it starts with the prefix, byte for
        // byte.
        names.extend(batch.into_iter().filter(|name| prefix.strip(name).is_some()));
        if next == 0 {
            return Ok(names);
        }
        cursor = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_distinguished_from_other_keys_of_the_store() {
        for name in ["session:510caf5a-4184-48c7", "0000000017"] {
            assert!(is_session(name.as_bytes()), "{name}");
        }
        for name in ["session:user:12", "session:gone:510caf5a", "session:probe:1", "fault:kept:session:510caf5a"] {
            assert!(!is_session(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn nothing_but_a_drills_prefix_is_taken_for_one() {
        let prefix = KeyPrefix::random();
        assert_eq!(KeyPrefix::try_from(prefix.as_str().to_owned()), Ok(prefix));
        for text in ["", "firedrill:", "firedrill:0123456789abcdef", "firedrill:0123456789abcde*:", "session:"] {
            assert!(KeyPrefix::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn two_drills_have_different_prefixes_free_of_pattern_characters() {
        let (one, two) = (KeyPrefix::random(), KeyPrefix::random());
        assert_ne!(one, two);
        assert!(one.as_str().starts_with("firedrill:") && one.as_str().ends_with(':'));
        assert!(one.as_str().chars().all(|c| c.is_ascii_alphanumeric() || c == ':'), "{one}");
    }
}
