//! What a drill runs on. A [`Lab`] is one Redis: private child processes ([`ManagedRedis`], in a [`Topology`]), a container
//! ([`DockerRedis`]), or one named by URL ([`ExternalRedis`]), together with the random prefix under which the drill keeps
//! its keys. Faults reach the server's process through [`Lab::process`], which an external Redis refuses.

mod admin;
mod app;
mod append_file;
mod authority;
mod binary;
mod child;
mod dialer;
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
mod topology;
mod url;

use std::sync::Arc;
use std::time::Duration;

pub use admin::{Admin, RedisInfo};
pub use app::{APP_LOG, AppConfig, AppProcess, SESSION_SERVER_VARIABLE};
pub use append_file::{AppendFile, Length as AofLength};
pub use authority::{Authority, Certified};
pub use binary::{REDIS_SERVER_VARIABLE, RedisBinary, Version};
pub use child::OwnedChild;
pub use dialer::{DialError, Dialer, Line};
pub use docker::{DEFAULT_IMAGE, DockerConfig, DockerRedis, reach_engine, remove_orphans};
pub use doctor::{Finding, probe_environment, probe_redis};
pub use error::LabError;
pub use external::ExternalRedis;
pub use folder::default_parent;
pub use journal::Journal;
pub use keys::{KeyPrefix, KeyScan, remove as remove_keys};
pub use managed::{ManagedConfig, ManagedRedis, ServerRole};
pub use owner::Owner;
pub use persistence::{Persistence, UnknownPersistence};
pub use port::free_port;
pub use process::{ProcessState, ServerProcess};
pub use topology::{Access, Doors, Group, Redirections, Replicated, Secured, Slots, Topology, Way};
pub use url::RedisUrl;

enum Redis {
    Managed(Box<ManagedRedis>),
    Secured(Box<Secured>),
    Replicated(Box<Replicated>),
    Group(Box<Group>),
    Docker(Box<DockerRedis>),
    External(Box<ExternalRedis>),
}

impl Redis {
    /// The one server that is a child of the harness and has the data.
    fn own(&self) -> Option<&ManagedRedis> {
        match self {
            Redis::Managed(redis) => Some(redis),
            Redis::Secured(secured) => Some(&secured.redis),
            Redis::Replicated(replicated) => Some(&replicated.primary),
            Redis::Group(_) | Redis::Docker(_) | Redis::External(_) => None,
        }
    }
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
        Ok(Self::on(Redis::Managed(Box::new(ManagedRedis::start(config).await?))))
    }

    /// Starts private servers in this topology.
    ///
    /// # Errors
    /// As [`ManagedRedis::start`]; [`LabError::NotTogether`] where they do not find each other.
    pub async fn in_topology(topology: Topology, config: &ManagedConfig) -> Result<Self, LabError> {
        Ok(Self::on(match topology {
            Topology::Standalone => Redis::Managed(Box::new(ManagedRedis::start(config).await?)),
            Topology::Tls => Redis::Secured(Box::new(Secured::start(config).await?)),
            Topology::Replica => Redis::Replicated(Box::new(Replicated::start(config).await?)),
            Topology::Sentinel => Redis::Group(Box::new(topology::sentinel(config).await?)),
            Topology::Cluster => Redis::Group(Box::new(topology::cluster(config).await?)),
        }))
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
        Ok(Self::on(Redis::External(Box::new(ExternalRedis::connect(url, deadline).await?))))
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
            _ => None,
        }
    }

    /// Several servers that work together, where it is such.
    pub fn group(&self) -> Option<&Group> {
        match &self.redis {
            Redis::Group(group) => Some(group),
            _ => None,
        }
    }

    /// How its Redis is run.
    pub fn topology(&self) -> Topology {
        match &self.redis {
            Redis::Secured(_) => Topology::Tls,
            Redis::Replicated(_) => Topology::Replica,
            Redis::Group(group) => group.topology(),
            Redis::Managed(_) | Redis::Docker(_) | Redis::External(_) => Topology::Standalone,
        }
    }

    /// The direct URL of its Redis, for a user who may do everything; of several, the one that faults hit.
    pub fn url(&self) -> &RedisUrl {
        match &self.redis {
            Redis::Managed(redis) => redis.url(),
            Redis::Secured(secured) => secured.redis.url(),
            Redis::Replicated(replicated) => replicated.primary.url(),
            Redis::Group(group) => group.aimed().url(),
            Redis::Docker(redis) => redis.url(),
            Redis::External(redis) => redis.url(),
        }
    }

    /// How the store reaches its Redis.
    pub fn access(&self) -> Access {
        match &self.redis {
            Redis::Secured(secured) => secured.access(),
            Redis::Group(group) => group.access(),
            _ => Access::one(self.url().clone()),
        }
    }

    /// Host and port of its Redis: the upstream of the fault proxy.
    pub fn upstream(&self) -> String {
        self.access().url.address()
    }

    /// The prefix of every key that the drill writes.
    pub fn prefix(&self) -> &KeyPrefix {
        &self.prefix
    }

    /// A direct line to its Redis, past the proxy; of several servers, to the one that faults hit.
    pub fn admin(&self) -> &Admin {
        match &self.redis {
            Redis::Managed(redis) => redis.admin(),
            Redis::Secured(secured) => secured.redis.admin(),
            Redis::Replicated(replicated) => replicated.primary.admin(),
            Redis::Group(group) => group.aimed().admin(),
            Redis::Docker(redis) => redis.admin(),
            Redis::External(redis) => redis.admin(),
        }
    }

    /// Direct lines to all servers that take writes.
    async fn leaders(&self) -> Result<Vec<&Admin>, LabError> {
        match &self.redis {
            Redis::Group(group) => group.leaders().await,
            _ => Ok(vec![self.admin()]),
        }
    }

    /// What its Redis says of itself: of several servers, one that takes writes.
    ///
    /// # Errors
    /// As [`Admin::query`].
    pub async fn info(&self) -> Result<RedisInfo, LabError> {
        match self.leaders().await?.first() {
            Some(admin) => admin.info().await,
            None => self.admin().info().await,
        }
    }

    /// Counts the drill's keys and finds those that never expire.
    ///
    /// # Errors
    /// As [`Admin::query`].
    pub async fn scan_keys(&self) -> Result<KeyScan, LabError> {
        let mut found = KeyScan::default();
        for admin in self.leaders().await? {
            found = found.with(keys::scan(admin, &self.prefix).await?);
        }
        Ok(found)
    }

    /// The keys of the drill's sessions.
    ///
    /// # Errors
    /// As [`Admin::query`].
    pub async fn session_keys(&self) -> Result<Vec<Vec<u8>>, LabError> {
        let mut found = Vec::new();
        for admin in self.leaders().await? {
            found.extend(keys::sessions(admin, &self.prefix).await?);
        }
        Ok(found)
    }

    /// Every key of the drill, whatever it holds: by server, and there in batches that one script may name: no longer than `longest`, and in a cluster of
    /// one slot.
    ///
    /// # Errors
    /// As [`Admin::query`].
    pub async fn key_batches(&self, longest: usize) -> Result<Vec<(&Admin, Vec<Vec<Vec<u8>>>)>, LabError> {
        let mut found = Vec::new();
        for admin in self.leaders().await? {
            let all = keys::all(admin, &self.prefix).await?;
            let apart = match self.topology() {
                Topology::Cluster => keys::by_slot(admin, all).await?,
                _ => vec![all],
            };
            let batches = apart.iter().flat_map(|keys| keys.chunks(longest)).map(<[_]>::to_vec).collect();
            found.push((admin, batches));
        }
        Ok(found)
    }

    /// Deletes the drill's keys, and only them; returns how many there were.
    ///
    /// # Errors
    /// As [`Admin::query`].
    pub async fn remove_keys(&self) -> Result<u64, LabError> {
        let mut removed = 0;
        for admin in self.leaders().await? {
            removed += keys::remove(admin, &self.prefix).await?;
        }
        Ok(removed)
    }

    /// The server's process, for a fault of kind `fault`.
    ///
    /// # Errors
    /// [`LabError::ProcessFaultOnExternal`] where the drill does not own the server.
    pub fn process(&self, fault: &'static str) -> Result<&dyn ServerProcess, LabError> {
        match &self.redis {
            Redis::Managed(redis) => Ok(&**redis),
            Redis::Secured(secured) => Ok(&secured.redis),
            Redis::Replicated(replicated) => Ok(&replicated.primary),
            Redis::Group(group) => Ok(&**group),
            Redis::Docker(redis) => Ok(&**redis),
            Redis::External(redis) => Err(LabError::ProcessFaultOnExternal { fault, url: redis.url().to_string() }),
        }
    }

    /// The server that the drill runs itself, for a fault of kind `fault` that needs its files or how it is started.
    ///
    /// # Errors
    /// [`LabError::NotOurs`] where it runs elsewhere.
    pub fn own_server(&self, fault: &'static str) -> Result<&ManagedRedis, LabError> {
        self.redis.own().ok_or_else(|| LabError::NotOurs { fault, url: self.url().to_string() })
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
            Redis::Managed(_) | Redis::Secured(_) | Redis::Replicated(_) | Redis::Group(_) => Ok(()),
        }
    }
}
