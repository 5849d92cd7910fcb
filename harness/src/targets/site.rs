//! Where a target is built, and with what.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use firedrill_storage::EventSink;

use super::settings::StoreSpec;
use crate::clock::StoreClock;
use crate::history::{Notes, SessionNo};
use crate::lab::{Access, AppProcess};

/// What a drill gives to the target that it builds: the way to Redis, the place of its keys, and the settings of its scenario.
#[derive(Clone)]
pub struct Site {
    /// How Redis is reached.
    pub(crate) access: Access,
    /// What every key of the drill begins with.
    pub(crate) prefix: String,
    /// The drill's seed.
    pub(crate) seed: u64,
    /// How many sessions each user has.
    pub(crate) sessions_per_user: NonZeroU32,
    /// The scenario's `[store]`.
    pub(crate) store: StoreSpec,
    /// Whether the scenario changes the store's policy under load.
    pub(crate) deploys: bool,
    /// The store's clock.
    pub(crate) clock: Arc<StoreClock>,
    /// Where what the store reports is noted.
    pub(crate) notes: Notes,
    /// The application, where the drill started one.
    pub(crate) app: Option<Arc<AppProcess>>,
}

impl Site {
    /// The URL of the Redis, user and password included: never log it. If the scenario has faults of the network it leads
    /// through the proxy.
    pub fn redis_url(&self) -> &str {
        self.access.url.expose()
    }

    /// The certificates to trust where the URL is a `rediss://` one of a private authority: a PEM file.
    pub fn redis_ca(&self) -> Option<&Path> {
        self.access.url.tls().ca_file.as_deref()
    }

    /// What every key must begin with: the drill counts these keys, and deletes them from a Redis that is not its own.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// How long a session lives after its last use, as the scenario says (`store.ttl`).
    pub fn ttl(&self) -> Duration {
        self.store.ttl.0
    }

    /// What all randomness of the drill comes from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// An id for session `number`: a UUID that follows from the seed, the same in every replay.
    pub fn session_id(&self, number: SessionNo) -> String {
        crate::ids::session_id(self.seed, number)
    }

    /// Where to report what a fallback and a circuit breaker do, as it happens: gates such as `fallback.activations` are
    /// measured from it. Never blocks.
    pub fn events(&self) -> EventSink {
        let notes = self.notes.clone();
        Arc::new(move |event| notes.store(Instant::now(), event))
    }
}
