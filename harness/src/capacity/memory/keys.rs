//! Where the bytes of the stored sessions are, by looking at keys.

use firedrill_capacity::memory::{Allocator, Parts, TextKey, explain};

use crate::lab::{Admin, Lab, LabError};

/// Keys that are looked at. Of more than these, the share that are sessions is an estimate, to about 1 %.
const MOST: usize = 20_000;

/// Keys per SCAN and per pipeline.
const STEP: usize = 500;

/// Names and values of the keys in a Redis that holds nothing but sessions, as bytes per session.
pub struct Kept {
    /// What the formula says of keys whose values are texts; `None` where the structures of this Redis are not known.
    pub explained: Option<Parts>,
    /// Other keys, as MEMORY USAGE has them.
    pub others: f64,
    /// All keys, as MEMORY USAGE has them.
    measured: f64,
}

impl Kept {
    /// Looks at keys of `lab`, in which `sessions` are stored.
    ///
    /// # Errors
    /// Same as [`Admin::query`].
    pub async fn of(lab: &Lab, sessions: u64) -> Result<Self, LabError> {
        let admin = lab.admin();
        let info = admin.info().await?;
        let allocator = allocator(admin, &info.allocator).await?.filter(|_| is_known(&info.version));
        let names = some_keys(admin).await?;
        let (mut texts, mut others, mut measured) = (Parts::default(), 0.0, 0.0);
        for batch in names.chunks(STEP) {
            let mut pipeline = redis::pipe();
            for name in batch {
                pipeline.cmd("TYPE").arg(name);
                pipeline.cmd("PTTL").arg(name);
                pipeline.cmd("MEMORY").arg("USAGE").arg(name).arg("SAMPLES").arg(0);
            }
            let answers: Vec<(String, i64, Option<f64>)> = grouped(admin.pipeline(&pipeline).await?);
            let mut lengths = redis::pipe();
            let is_text = |kind: &String| kind == "string";
            let text_keys: Vec<&Vec<u8>> =
                batch.iter().zip(&answers).filter(|(_, (kind, ..))| is_text(kind)).map(|(name, _)| name).collect();
            text_keys.iter().for_each(|name| {
                lengths.cmd("STRLEN").arg(name);
            });
            let lengths: Vec<u64> = if text_keys.is_empty() { Vec::new() } else { admin.pipeline(&lengths).await? };
            let mut lengths = lengths.into_iter();
            for (name, (kind, life, usage)) in batch.iter().zip(answers) {
                measured += usage.unwrap_or(0.0);
                let value = if is_text(&kind) { lengths.next() } else { None };
                match (value, allocator) {
                    (Some(value), Some(allocator)) => {
                        let key = TextKey { name: name.len() as u64, value, expires: life >= 0 };
                        texts = texts.plus(explain(key, allocator));
                    }
                    (Some(_), None) => {}
                    // MEMORY USAGE has the entry of the key, but not that of its expiry (objectComputeSize, object.c).
                    (None, allocator) => {
                        let expiry = allocator.filter(|_| life >= 0).map_or(0, |allocator| allocator.takes(24));
                        others += usage.unwrap_or(0.0) + expiry as f64;
                    }
                }
            }
        }
        // Of all keys, some were looked at.
        let each = info.keys as f64 / (names.len() as f64).max(1.0) / (sessions as f64).max(1.0);
        let explained = allocator.map(|_| texts.times(each));
        Ok(Self { explained, others: others * each, measured: measured * each })
    }

    /// Bytes per session, roughly: what MEMORY USAGE says.
    pub fn bytes(&self) -> f64 {
        self.measured
    }
}

/// Each three answers belong to one key.
fn grouped(answers: Vec<redis::Value>) -> Vec<(String, i64, Option<f64>)> {
    let read = |three: &[redis::Value]| match three {
        [kind, life, usage] => Some((
            redis::from_redis_value_ref(kind).ok()?,
            redis::from_redis_value_ref(life).ok()?,
            redis::from_redis_value_ref(usage).ok()?,
        )),
        _ => None,
    };
    answers.chunks(3).map(|three| read(three).unwrap_or_default()).collect()
}

/// Keys of all databases' first, in the order of their hashes: a fair choice.
async fn some_keys(admin: &Admin) -> Result<Vec<Vec<u8>>, LabError> {
    let mut names: Vec<Vec<u8>> = Vec::new();
    let mut cursor = 0_u64;
    while names.len() < MOST {
        let (next, batch): (u64, Vec<Vec<u8>>) =
            admin.query(redis::cmd("SCAN").arg(cursor).arg("COUNT").arg(STEP)).await?;
        names.extend(batch);
        cursor = next;
        if cursor == 0 {
            break;
        }
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// How the server's allocator rounds; `None` if that is not known.
async fn allocator(admin: &Admin, name: &str) -> Result<Option<Allocator>, LabError> {
    if name == "libc" {
        return Ok(Some(Allocator::Glibc));
    }
    if !name.starts_with("jemalloc") {
        return Ok(None);
    }
    let stats: String = admin.query(redis::cmd("MEMORY").arg("MALLOC-STATS")).await?;
    Ok(quantum(&stats).map(|quantum| Allocator::Jemalloc { quantum }))
}

fn quantum(stats: &str) -> Option<u64> {
    stats.lines().find_map(|line| line.trim().strip_prefix("Quantum size:"))?.trim().parse().ok()
}

/// Whether this version has the structures of the formula. Redis 8 keeps a key, its value and its expiry in one allocation, and
/// Valkey 8 keeps a key in its entry.
fn is_known(version: &str) -> bool {
    let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
    matches!((numbers.next(), numbers.next()), (Some(6), Some(2..)) | (Some(7), Some(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_versions_whose_structures_are_known_are_explained() {
        for (version, known) in
            [("6.0.9", false), ("6.2.0", true), ("7.0.15", true), ("7.4.1", true), ("8.0.1", false), ("", false)]
        {
            assert_eq!(is_known(version), known, "{version}");
        }
    }

    #[test]
    fn the_quantum_is_read_from_the_allocators_own_report() {
        assert_eq!(
            quantum("Run-time option settings:\n  opt.abort: false\nQuantum size: 16\nPage size: 4096\n"),
            Some(16)
        );
        assert_eq!(quantum("Stats not supported for the current allocator"), None);
    }
}
