//! A store that takes only as many entries from a user's index as it may return, and then drops those with expired
//! sessions: live sessions behind them never show up.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, SessionId, StoreError};

use super::caught::caught_alone;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;
use crate::lab::{Admin, LabError, RedisUrl};

/// The description of this defect.
pub(super) static DEFECT: Planted = Planted {
    name: "list-counts-expired",
    about: "A listing asks the index for 50 entries and then leaves out those that have expired.",
    source: "C: the limit of 50 counts entries that have already expired",
    drills: &[caught_alone("listed-and-counted", &[], &["checks.user-index"])],
    plant: Plant::Around(|store, place| ListCountsExpired::around(store, place.url, place.prefix)),
    needs: Needs::OneServer,
};

/// Wraps a sound store and breaks its listings.
struct ListCountsExpired {
    inner: Store,
    redis: Admin,
    prefix: String,
}

impl ListCountsExpired {
    /// Plants the defect around `inner`, whose keys in the Redis at `url` begin with `prefix`.
    fn around(inner: Store, url: &RedisUrl, prefix: &str) -> Result<Store, LabError> {
        let redis = Admin::new(url, Duration::from_secs(1))?;
        Ok(Self { inner, redis, prefix: prefix.to_owned() }.planted())
    }

    /// The newest entries of a user's index, at most `limit`, regardless of what became of their sessions.
    async fn entries(&self, user: &str, limit: usize) -> Result<Vec<String>, LabError> {
        // The harness's users are numbers and need no encoding.
        let mut newest = redis::cmd("ZREVRANGE");
        newest.arg(format!("{}user:{user}", self.prefix)).arg(0).arg(limit.saturating_sub(1));
        self.redis.query(&newest).await
    }

    async fn is_live(&self, id: &str) -> Result<bool, LabError> {
        self.redis.query(redis::cmd("EXISTS").arg(format!("{}{id}", self.prefix))).await
    }
}

#[async_trait]
impl Spoil for ListCountsExpired {
    fn inner(&self) -> &Store {
        &self.inner
    }

    async fn list_by_user(&self, user: &str, limit: usize) -> Result<Acked<Vec<SessionId>>, StoreError> {
        let mut live = Vec::new();
        for id in self.entries(user, limit).await.map_err(|_| StoreError::ConnectionLost)? {
            if self.is_live(&id).await.map_err(|_| StoreError::ConnectionLost)? {
                live.extend(SessionId::new(&id));
            }
        }
        Ok(Acked::primary(live))
    }
}
