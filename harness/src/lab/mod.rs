//! What a drill runs on. A [`Lab`] is one Redis: a private child process ([`ManagedRedis`]), a container ([`DockerRedis`]), or one named by URL
//! ([`ExternalRedis`]), together with the random prefix under which the drill keeps its keys. Faults reach the server's
//! process through [`Lab::process`], which an external Redis refuses.

mod admin;
mod app;
mod append_file;
mod binary;
mod child;
mod docker;
mod doctor;
mod error;
mod external;
mod file_limit;
mod folder;
pub mod journal;
mod keys;
mod managed;
mod owner;
mod persistence;
mod port;
mod process;
pub mod procfs;
mod tended;
mod url;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub use admin::{Admin, RedisInfo};
pub use app::{APP_LOG, AppConfig, AppProcess, SESSION_SERVER_VARIABLE};
pub use append_file::{AppendFile, Length as AofLength};
pub use binary::{REDIS_SERVER_VARIABLE, RedisBinary, Version};
pub use child::OwnedChild;
pub use docker::{DEFAULT_IMAGE, DockerConfig, DockerRedis, reach_engine, remove_orphans};
pub use doctor::{Finding, probe_environment};
pub use error::LabError;
pub use external::ExternalRedis;
pub use folder::default_parent;
pub use journal::Journal;
pub use keys::{KeyPrefix, KeyScan, remove as remove_keys};
pub use managed::{ManagedConfig, ManagedRedis};
pub use owner::Owner;
pub use persistence::{Persistence, UnknownPersistence};
pub use port::free_port;
pub use process::{ProcessState, ServerProcess};
pub use url::RedisUrl;

enum Redis {
    Managed(ManagedRedis),
    Docker(Box<DockerRedis>),
    External(ExternalRedis),
}

/// One Redis and the drill's place in it.
pub struct Lab {
    redis: Redis,
    prefix: KeyPrefix,
    nonce: String,
    journal: Option<Arc<Journal>>,
}

impl Lab {
    /// Starts a private Redis.
    ///
    /// # Errors
    /// As [`ManagedRedis::start`].
    pub async fn managed(config: &ManagedConfig) -> Result<Self, LabError> {
        Ok(Self::on(Redis::Managed(ManagedRedis::start(config).await?)))
    }

    /// Starts a private Redis in a container.
    ///
    /// # Errors
    /// As [`DockerRedis::start`].
    pub async fn docker(config: &DockerConfig) -> Result<Self, LabError> {
        Ok(Self::on(Redis::Docker(Box::new(DockerRedis::start(config).await?))))
    }

    /// Reaches a Redis that runs already; `deadline` is the time every call to it gets.
    ///
    /// # Errors
    /// As [`ExternalRedis::connect`].
    pub async fn external(url: RedisUrl, deadline: Duration) -> Result<Self, LabError> {
        Ok(Self::on(Redis::External(ExternalRedis::connect(url, deadline).await?)))
    }

    fn on(redis: Redis) -> Self {
        let nonce = format!("{:032x}", rand::random::<u128>());
        Self { redis, prefix: KeyPrefix::random(), nonce, journal: None }
    }

    /// Everything that is changed from now on is written to `journal` first.
    pub fn keep(&mut self, journal: Arc<Journal>) {
        self.journal = Some(journal);
    }

    /// Where changes are written down first; a Redis of the drill's own goes with the drill and needs no journal.
    pub fn journal(&self) -> Option<&Arc<Journal>> {
        self.journal.as_ref()
    }

    /// A number that nobody else's drill has: from it and the URL's password follows the password of `server.auth`.
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// Whether the Redis is the drill's own.
    pub fn is_managed(&self) -> bool {
        !matches!(self.redis, Redis::External(_))
    }

    /// The image that its Redis runs, where that is in a container.
    pub fn image(&self) -> Option<&str> {
        match &self.redis {
            Redis::Docker(redis) => Some(redis.image()),
            Redis::Managed(_) | Redis::External(_) => None,
        }
    }

    /// The direct URL of its Redis.
    pub fn url(&self) -> &RedisUrl {
        match &self.redis {
            Redis::Managed(redis) => redis.url(),
            Redis::Docker(redis) => redis.url(),
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
            Redis::Docker(redis) => redis.admin(),
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
            Redis::Docker(redis) => Ok(&**redis),
            Redis::External(redis) => Err(LabError::ProcessFaultOnExternal { fault, url: redis.url().to_string() }),
        }
    }

    /// The server that the drill runs itself, for a fault of kind `fault` that needs its files or how it is started.
    ///
    /// # Errors
    /// [`LabError::NotOurs`] where it runs elsewhere.
    pub fn own_server(&self, fault: &'static str) -> Result<&ManagedRedis, LabError> {
        match &self.redis {
            Redis::Managed(redis) => Ok(redis),
            _ => Err(LabError::NotOurs { fault, url: self.url().to_string() }),
        }
    }

    /// Every key of the drill, whatever it holds.
    ///
    /// # Errors
    /// As [`Admin::query`].
    pub async fn keys(&self) -> Result<Vec<Vec<u8>>, LabError> {
        keys::all(self.admin(), &self.prefix).await
    }

    /// Leaves no trace: an external Redis loses the drill's keys, a container is removed, a managed Redis goes with this
    /// value.
    ///
    /// # Errors
    /// As [`Lab::remove_keys`] and [`DockerRedis::remove`].
    pub async fn tear_down(&self) -> Result<(), LabError> {
        match &self.redis {
            Redis::External(_) => {
                let removed = self.remove_keys().await?;
                tracing::debug!(removed, "removed the drill's keys");
                Ok(())
            }
            Redis::Docker(redis) => redis.remove().await,
            Redis::Managed(_) => Ok(()),
        }
    }
}
