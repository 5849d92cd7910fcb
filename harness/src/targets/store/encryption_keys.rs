//! The encryption keys of a drill. They are derived from the seed and can be rotated under load.

use std::sync::Arc;

use firedrill_storage::{InvalidKey, Key, KeyRing};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::super::settings::EncryptionSpec;
use crate::clock::Clock;

/// A key ring and the key that comes next. Clones share the ring.
#[derive(Clone)]
pub(super) struct EncryptionKeys {
    ring: Arc<KeyRing>,
    seed: u64,
    encryption: EncryptionSpec,
}

impl EncryptionKeys {
    /// The keys derived from `seed`; `None` if the store does not encrypt.
    pub(super) fn of(seed: u64, encryption: EncryptionSpec) -> Result<Option<Self>, InvalidKey> {
        if encryption == EncryptionSpec::Always(false) {
            return Ok(None);
        }
        let ring = Arc::new(KeyRing::new(key(seed, 0)?, Vec::new()));
        Ok(Some(Self { ring, seed, encryption }))
    }

    pub(super) fn ring(&self) -> Arc<KeyRing> {
        Arc::clone(&self.ring)
    }

    /// Rotates the key when `clock` reaches the time set in the scenario, if there is one. Must be called on a runtime.
    pub(super) fn rotate_on(&self, clock: Clock) {
        let EncryptionSpec::Rotating { rotate_at } = self.encryption else { return };
        let (ring, seed) = (self.ring(), self.seed);
        tokio::spawn(async move {
            tokio::time::sleep_until(clock.instant(rotate_at.nanos()).into()).await;
            match key(seed, 1) {
                Ok(newest) => ring.rotate(newest),
                Err(error) => tracing::error!(%error, "the drill's key could not be changed"),
            }
        });
    }
}

fn key(seed: u64, number: u64) -> Result<Key, InvalidKey> {
    Key::from_hex(&digits(seed, number))
}

/// Key `number` of a drill, as 64 hex digits. It protects nothing: anyone with the report can derive it.
pub(in super::super) fn digits(seed: u64, number: u64) -> String {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed ^ number.rotate_left(32) ^ 0x6b65_7973);
    (0..4).map(|_| format!("{:016x}", rng.random::<u64>())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_follow_from_the_seed() {
        assert_eq!(key(7, 0).unwrap().id(), key(7, 0).unwrap().id());
        assert_ne!(key(7, 0).unwrap().id(), key(7, 1).unwrap().id());
        assert_ne!(key(7, 0).unwrap().id(), key(8, 0).unwrap().id());
    }
}
