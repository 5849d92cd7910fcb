//! A store that counts its sessions with KEYS: Redis serves no other client in the meantime.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, StoreError};

use super::caught::caught_alone;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;
use crate::lab::{Admin, LabError, RedisUrl};

/// The description of this defect.
pub(super) static DEFECT: Planted = Planted {
    name: "count-by-keys",
    about: "Sessions are counted with KEYS, which blocks Redis for every other client.",
    source: "T: count by KEYS blocks Redis; apereo/cas#5332",
    drills: &[caught_alone("listed-and-counted", &[], &["redis.keys-commands"])],
    plant: Plant::Around(|store, place| CountByKeys::around(store, place.url, place.prefix)),
    needs: Needs::OneServer,
};

/// Wraps a sound store and breaks its count.
struct CountByKeys {
    inner: Store,
    redis: Admin,
    prefix: String,
}

impl CountByKeys {
    /// Plants the defect around `inner`, whose keys in the Redis at `url` begin with `prefix`.
    fn around(inner: Store, url: &RedisUrl, prefix: &str) -> Result<Store, LabError> {
        let redis = Admin::new(url, Duration::from_secs(1))?;
        Ok(Self { inner, redis, prefix: prefix.to_owned() }.planted())
    }
}

#[async_trait]
impl Spoil for CountByKeys {
    fn inner(&self) -> &Store {
        &self.inner
    }

    async fn count(&self) -> Result<Acked<u64>, StoreError> {
        // Session ids contain no colon; user indexes and tombstones have a word and a colon before theirs.
        let mut keys = redis::cmd("KEYS");
        keys.arg(format!("{}*", self.prefix));
        let found: Vec<String> = self.redis.query(&keys).await.map_err(|_| StoreError::ConnectionLost)?;
        let sessions =
            found.iter().filter_map(|key| key.strip_prefix(&self.prefix)).filter(|id| !id.contains(':')).count();
        Ok(Acked::primary(sessions as u64))
    }
}
