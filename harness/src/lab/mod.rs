//! What a drill runs on. A [`Lab`] is one Redis, either a private child process ([`ManagedRedis`]) or one named by URL
//! ([`ExternalRedis`]), together with the random prefix under which the drill keeps its keys. Faults reach the server's
//! process through [`Lab::process`], which an external Redis refuses.

mod admin;
mod app;
mod binary;
mod child;
mod doctor;
mod error;
mod external;
mod folder;
mod keys;
mod managed;
mod persistence;
mod port;
mod process;
pub mod procfs;
mod tended;
mod url;

use std::net::SocketAddr;
use std::time::Duration;

pub use admin::{Admin, RedisInfo};
pub use app::{APP_LOG, AppConfig, AppProcess, SESSION_SERVER_VARIABLE};
pub use binary::{REDIS_SERVER_VARIABLE, RedisBinary, Version};
pub use child::OwnedChild;
pub use doctor::{Finding, probe_environment};
pub use error::LabError;
pub use external::ExternalRedis;
pub use folder::default_parent;
pub use keys::{KeyPrefix, KeyScan};
pub use managed::{ManagedConfig, ManagedRedis};
pub use persistence::{Persistence, UnknownPersistence};
pub use port::free_port;
pub use process::{ProcessState, ServerProcess};
pub use url::RedisUrl;

enum Redis {
    Managed(ManagedRedis),
    External(ExternalRedis),
}

/// One Redis and the drill's place in it.
pub struct Lab {
    redis: Redis,
    prefix: KeyPrefix,
}

impl Lab {
    /// Starts a private Redis.
    ///
    /// # Errors
    /// As [`ManagedRedis::start`].
    pub async fn managed(config: &ManagedConfig) -> Result<Self, LabError> {
        Ok(Self { redis: Redis::Managed(ManagedRedis::start(config).await?), prefix: KeyPrefix::random() })
    }

    /// Reaches a Redis that runs already; `deadline` is the time every call to it gets.
    ///
    /// # Errors
    /// As [`ExternalRedis::connect`].
    pub async fn external(url: RedisUrl, deadline: Duration) -> Result<Self, LabError> {
        Ok(Self { redis: Redis::External(ExternalRedis::connect(url, deadline).await?), prefix: KeyPrefix::random() })
    }

    /// Whether the Redis is the drill's own.
    pub fn is_managed(&self) -> bool {
        matches!(self.redis, Redis::Managed(_))
    }

    /// The direct URL of its Redis.
    pub fn url(&self) -> &RedisUrl {
        match &self.redis {
            Redis::Managed(redis) => redis.url(),
            Redis::External(redis) => redis.url(),
        }
    }

    /// Host and port of its Redis: the upstream of the fault proxy.
    pub fn upstream(&self) -> String {
        self.url().address()
    }

    /// The URL by which the store reaches this Redis through a proxy that listens on `proxy`.
    ///
    /// # Errors
    /// As [`RedisUrl::at`].
    pub fn url_through(&self, proxy: SocketAddr) -> Result<RedisUrl, LabError> {
        self.url().at(proxy)
    }

    /// The prefix of every key that the drill writes.
    pub fn prefix(&self) -> &KeyPrefix {
        &self.prefix
    }

    /// A direct line to its Redis, past the proxy.
    pub fn admin(&self) -> &Admin {
        match &self.redis {
            Redis::Managed(redis) => redis.admin(),
            Redis::External(redis) => redis.admin(),
        }
    }

    /// What its Redis says of itself.
    ///
    /// # Errors
    /// As [`Admin::query`].
    pub async fn info(&self) -> Result<RedisInfo, LabError> {
        self.admin().info().await
    }

    /// Counts the drill's keys and finds those that never expire.
    ///
    /// # Errors
    /// As [`Admin::query`].
    pub async fn scan_keys(&self) -> Result<KeyScan, LabError> {
        keys::scan(self.admin(), &self.prefix).await
    }

    /// The keys of the drill's sessions.
    ///
    /// # Errors
    /// As [`Admin::query`].
    pub async fn session_keys(&self) -> Result<Vec<Vec<u8>>, LabError> {
        keys::sessions(self.admin(), &self.prefix).await
    }

    /// Deletes the drill's keys, and only them; returns how many there were.
    ///
    /// # Errors
    /// As [`Admin::query`].
    pub async fn remove_keys(&self) -> Result<u64, LabError> {
        keys::remove(self.admin(), &self.prefix).await
    }

    /// The server's process, for a fault of kind `fault`.
    ///
    /// # Errors
    /// [`LabError::ProcessFaultOnExternal`] where the drill does not own the server.
    pub fn process(&self, fault: &'static str) -> Result<&dyn ServerProcess, LabError> {
        match &self.redis {
            Redis::Managed(redis) => Ok(redis),
            Redis::External(redis) => Err(LabError::ProcessFaultOnExternal { fault, url: redis.url().to_string() }),
        }
    }

    /// Leaves no trace: an external Redis loses the drill's keys, a managed one goes with this value.
    ///
    /// # Errors
    /// As [`Lab::remove_keys`].
    pub async fn tear_down(&self) -> Result<(), LabError> {
        if let Redis::External(_) = self.redis {
            let removed = self.remove_keys().await?;
            tracing::debug!(removed, "removed the drill's keys");
        }
        Ok(())
    }
}
