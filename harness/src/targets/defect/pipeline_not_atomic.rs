//! A store that creates a session with separate commands: value, index entry, lifetime of the value, lifetime of the
//! index. If the connection breaks between two of them, the rest never happens.

use std::time::Duration;

use async_trait::async_trait;
use firedrill_storage::{Acked, SessionData, SessionId, StoreError, Timestamp, TriviaSession, Version};

use super::caught::caught;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;
use crate::lab::{Admin, LabError, RedisUrl};

/// The description of this defect.
pub(super) static DEFECT: Planted = Planted {
    name: "pipeline-not-atomic",
    about: "A session is created by separate commands: value, index, lifetimes.",
    source: "C: a plain pipeline is called atomic and is not; spring-session#2464",
    drills: &[caught("cut-while-creating", &[], &["checks.immortal-keys"])],
    plant: Plant::Around(|store, place| PipelineNotAtomic::around(store, place.url, place.prefix)),
    needs: Needs::OneServer,
};

/// How much longer the index lives than its sessions.
const INDEX_LEAD: Duration = Duration::from_secs(3600);

/// Wraps a sound store and breaks its create.
struct PipelineNotAtomic {
    inner: Store,
    redis: Admin,
    prefix: String,
}

impl PipelineNotAtomic {
    /// Plants the defect around `inner`, whose keys in the Redis at `url` begin with `prefix`.
    fn around(inner: Store, url: &RedisUrl, prefix: &str) -> Result<Store, LabError> {
        let redis = Admin::new(url, Duration::from_secs(1))?;
        Ok(Self { inner, redis, prefix: prefix.to_owned() }.planted())
    }

    async fn step(&self, command: &redis::Cmd) -> Result<Option<i64>, StoreError> {
        // The command may have reached Redis.
        self.redis.query(command).await.map_err(|_| StoreError::ConnectionLost)
    }
}

#[async_trait]
impl Spoil for PipelineNotAtomic {
    fn inner(&self) -> &Store {
        &self.inner
    }

    async fn create(&self, id: &SessionId, data: TriviaSession, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        // The harness's users are numbers and need no encoding.
        let user = data.user().unwrap_or_default().into_owned();
        let json = serde_json::to_string(&data).map_err(|_| StoreError::Unserializable)?;
        let (key, index) = (format!("{}{id}", self.prefix), format!("{}user:{user}", self.prefix));
        let value = format!("{{\"version\":{:<16},\"user\":\"{user}\",\"data\":{json}}}", 1);
        let mut set = redis::cmd("SETNX");
        if self.step(set.arg(&key).arg(value)).await? == Some(0) {
            return Err(StoreError::AlreadyExists);
        }
        self.step(redis::cmd("ZADD").arg(&index).arg(Timestamp::now().0).arg(id.as_str())).await?;
        self.step(redis::cmd("PEXPIRE").arg(&key).arg(ttl.as_millis() as u64)).await?;
        self.step(redis::cmd("PEXPIRE").arg(&index).arg((ttl + INDEX_LEAD).as_millis() as u64)).await?;
        Ok(Acked::primary(1))
    }
}
