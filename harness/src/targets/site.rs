//! Where a target is built, and from what.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use firedrill_storage::EventSink;

use super::description::Description;
use super::settings::StoreSpec;
use super::wiring::RedisTargetSpec;
use crate::clock::StoreClock;
use crate::history::{Notes, SessionNo};
use crate::lab::{Access, AppProcess};
use crate::load::Recording;
use crate::names::{StoreNames, StorePassword};

/// What a drill hands to the target it builds: access to Redis, the prefix of its keys, and the scenario's settings.
#[derive(Clone)]
pub struct Site {
    /// How to reach Redis.
    pub(crate) access: Access,
    /// The prefix of every key of the drill.
    pub(crate) prefix: String,
    /// The drill's seed.
    pub(crate) seed: u64,
    /// How many sessions each user has.
    pub(crate) sessions_per_user: NonZeroU32,
    /// The scenario's `[store]`.
    pub(crate) store: StoreSpec,
    /// The scenario's `[app]` and `[op]`.
    pub(crate) description: Option<Description>,
    /// The scenario's `[target.redis]`.
    pub(crate) redis: RedisTargetSpec,
    /// The Unix socket of the drill's own Redis, if it has one.
    pub(crate) unix_socket: Option<PathBuf>,
    /// What the scenario's loads send again.
    pub(crate) recordings: Vec<Arc<Recording>>,
    /// Whether the scenario changes the store's policy under load.
    pub(crate) deploys: bool,
    /// The store's clock.
    pub(crate) clock: Arc<StoreClock>,
    /// How the store finds its Redis, if a fault changes that.
    pub(crate) names: Option<Arc<StoreNames>>,
    /// The password that the store connects with, if a fault changes it.
    pub(crate) password: Option<Arc<StorePassword>>,
    /// Collects what the store reports.
    pub(crate) notes: Notes,
    /// The instances of the application, if the drill started it.
    pub(crate) apps: Vec<Arc<AppProcess>>,
}

impl Site {
    /// The URL of the Redis, including user and password: never log it. In a scenario with network faults, it leads
    /// through the proxy.
    pub fn redis_url(&self) -> &str {
        self.access.url.expose()
    }

    /// A PEM file with the certificates to trust, if the URL is `rediss://` with a private authority.
    pub fn redis_ca(&self) -> Option<&Path> {
        self.access.url.tls().ca_file.as_deref()
    }

    /// The prefix that every key must have: the drill counts these keys, and deletes them from an external Redis.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// How long a session lives after its last use, according to the scenario (`store.ttl`).
    pub fn ttl(&self) -> Duration {
        self.store.ttl.0
    }

    /// The seed of all of the drill's randomness.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// An id for session `number`: a UUID derived from the seed, the same in every replay.
    pub fn session_id(&self, number: SessionNo) -> String {
        crate::ids::session_id(self.seed, number)
    }

    /// Where to report the actions of a fallback and a circuit breaker as they happen: gates such as
    /// `fallback.activations` are measured from these reports. Never blocks.
    pub fn events(&self) -> EventSink {
        self.events_of(0)
    }

    /// The same for one of several stores.
    pub(super) fn events_of(&self, instance: u32) -> EventSink {
        let notes = self.notes.clone();
        Arc::new(move |event| notes.store(Instant::now(), instance, event))
    }
}
