//! Which of the drill's own sessions a fault hits.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

use super::super::context::FaultContext;
use super::super::kind::Flaw;
use crate::lab::LabError;
use crate::units::Share;

/// Keys per command, few enough not to block the server for long.
pub(super) const BATCH: usize = 200;

/// How many keys a probe looks at.
const SAMPLE: usize = 5;

/// The sessions that a fault hit.
#[derive(Debug, Default)]
pub(super) struct Hit {
    /// How many sessions existed.
    pub there: usize,
    /// The keys that were hit.
    pub keys: Vec<Vec<u8>>,
}

impl Hit {
    pub fn words(&self, verb: &str) -> String {
        format!("{} of {} sessions {verb}", self.keys.len(), self.there)
    }

    pub fn sample(&self) -> Vec<Vec<u8>> {
        self.keys.iter().take(SAMPLE).cloned().collect()
    }
}

/// Checks that a share is more than nothing.
pub(super) fn some(share: Share) -> Result<(), Flaw> {
    match share.0 > 0.0 {
        true => Ok(()),
        false => Err(Flaw::new("share", "must be more than \"0%\"")),
    }
}

/// The number in the last of Redis's replies (RESP, `:5`).
pub(super) fn last_number(replies: &[u8]) -> Option<usize> {
    String::from_utf8_lossy(replies).lines().last().and_then(|line| line.strip_prefix(':')?.parse().ok())
}

impl FaultContext {
    /// The key that saves the value of the session at `key` for a fault: under the drill's prefix, but not a session.
    pub(super) fn kept(&self, key: &[u8]) -> Vec<u8> {
        let prefix = self.lab.prefix().as_str();
        [prefix.as_bytes(), b"fault:kept:", &key[prefix.len()..]].concat()
    }
}

/// The current number of sessions, and the share of them to hit: the same ones in every drill with the same seed, from
/// which their ids are derived.
pub(super) async fn picked(context: &FaultContext, share: Share) -> Result<(usize, Vec<Vec<u8>>), LabError> {
    let keys = context.lab.session_keys().await?;
    let there = keys.len();
    Ok((there, pick(keys, context.lab.prefix().as_str().len(), share)))
}

/// Picks a share of `keys`, whose names start after `prefix` bytes; at least one if there are any.
fn pick(mut keys: Vec<Vec<u8>>, prefix: usize, share: Share) -> Vec<Vec<u8>> {
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    keys.sort_by_cached_key(|key| hasher.hash_one(&key[prefix..]));
    let wanted = (keys.len() as f64 * share.0).round().max(1.0) as usize;
    keys.truncate(wanted);
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(prefix: &str, ids: std::ops::Range<u32>) -> Vec<Vec<u8>> {
        ids.map(|id| format!("{prefix}{id}").into_bytes()).collect()
    }

    #[test]
    fn a_share_is_picked_by_name_whatever_the_prefix_and_the_order() {
        let picked = pick(keys("one:", 0..200), 4, Share(0.1));
        assert_eq!(picked.len(), 20);
        let mut other = keys("2:", 0..200);
        other.reverse();
        let again: Vec<Vec<u8>> = pick(other, 2, Share(0.1)).iter().map(|key| [b"one:", &key[2..]].concat()).collect();
        assert_eq!(again, picked);
        assert_ne!(picked, keys("one:", 0..20));
    }

    #[test]
    fn a_small_share_of_few_is_one_and_of_none_is_none() {
        assert_eq!(pick(keys("p:", 0..3), 2, Share(0.01)).len(), 1);
        assert_eq!(pick(Vec::new(), 2, Share(1.0)).len(), 0);
        assert_eq!(pick(keys("p:", 0..3), 2, Share(1.0)).len(), 3);
    }
}
