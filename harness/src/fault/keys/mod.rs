//! Faults of the data: a share of the drill's own sessions is deleted or spoilt behind the store's back. No other key is
//! ever touched.

mod corrupt;
mod delete;

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

pub use corrupt::KeysCorrupt;
pub(super) use corrupt::KeysCorruptFault;
pub use delete::KeysDelete;
pub(super) use delete::KeysDeleteFault;

use super::context::FaultContext;
use crate::lab::LabError;
use crate::scenario::units::Share;

/// How many keys a command takes at most, so that none holds up the server for long.
const BATCH: usize = 200;

/// How many of the keys a probe looks at.
const SAMPLE: usize = 5;

/// What has been hit.
#[derive(Debug, Default)]
struct Hit {
    /// Sessions that were there.
    there: usize,
    /// Those that were hit.
    keys: Vec<Vec<u8>>,
}

impl Hit {
    fn words(&self, verb: &str) -> String {
        format!("{} of {} sessions {verb}", self.keys.len(), self.there)
    }

    fn sample(&self) -> Vec<Vec<u8>> {
        self.keys.iter().take(SAMPLE).cloned().collect()
    }
}

/// The sessions that are there now, and the share of them that is to be hit: the same ones in every drill of the same
/// seed, from which their ids are derived.
async fn picked(context: &FaultContext, share: Share) -> Result<(usize, Vec<Vec<u8>>), LabError> {
    let keys = context.lab.session_keys().await?;
    let there = keys.len();
    Ok((there, pick(keys, context.lab.prefix().as_str().len(), share)))
}

/// Of `keys`, whose names begin after `prefix` bytes, that share, at least one where there are any.
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
