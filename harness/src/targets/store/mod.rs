//! The `store` target: the storage crate, in process. All lanes share one store, like the threads of a service.

pub mod client;
pub(super) mod encryption_keys;

use std::sync::Arc;

use async_trait::async_trait;
use firedrill_reports::run::Fact;
use firedrill_storage::{BuiltStore, HealthStatus, Policy, REDIS_COMMANDS, StoreBuilder, Switchable, TriviaSession};

use self::client::{StoreClient, Usage};
use self::encryption_keys::EncryptionKeys;
use super::defect::{Place, Store};
use super::driver::Driver;
use super::kind::Kind;
use super::settings::BreakerSpec;
use super::site::Site;
use crate::clock::Clock;
use crate::history::OpKind;
use crate::relay::Relay;
use crate::target::{Ability, BuildError, Target, fact};

/// The target kind.
pub(super) struct StoreKind;

#[async_trait]
impl Kind for StoreKind {
    fn name(&self) -> &'static str {
        "store"
    }

    fn about(&self) -> &'static str {
        "The storage crate, in process."
    }

    fn sockets(&self, _lanes: u32) -> u64 {
        super::FEW_SOCKETS
    }

    fn operations(&self) -> &'static [OpKind] {
        StoreTarget::OPERATIONS
    }

    fn abilities(&self) -> &'static [Ability] {
        StoreTarget::ABILITIES
    }

    fn commands(&self) -> &'static [&'static str] {
        REDIS_COMMANDS
    }

    async fn build(&self, site: Site) -> Result<Arc<dyn Driver>, BuildError> {
        Ok(Arc::new(StoreTarget::build(site)?))
    }
}

/// The store and how it is built.
pub struct StoreTarget {
    store: Store,
    keys: Option<EncryptionKeys>,
    switchable: Option<Switchable<TriviaSession>>,
    built: Option<BuiltStore<TriviaSession>>,
    site: Site,
    /// What a planted defect put between the store and Redis.
    _relay: Option<Relay>,
}

impl StoreTarget {
    /// Builds the scenario's store. Must be called on a runtime, which then drives the store's connection.
    ///
    /// # Errors
    /// If the settings are unusable, such as a TLS file that cannot be read.
    pub fn build(site: Site) -> Result<Self, BuildError> {
        let keys = EncryptionKeys::of(site.seed, site.store.encryption)?;
        Self::build_with(site.store.policy, keys, site)
    }

    fn build_with(policy: Policy, keys: Option<EncryptionKeys>, site: Site) -> Result<Self, BuildError> {
        let spec = &site.store;
        let prefix = format!("{}session:", site.prefix);
        let mut settings = StoreBuilder {
            prefix: prefix.clone(),
            policy,
            breaker: spec.breaker.as_ref().map(BreakerSpec::config),
            sliding: spec.sliding,
            command_timeout: spec.timeout.0,
            warm_capacity: spec.warm_sessions as usize,
            keyring: keys.as_ref().map(EncryptionKeys::ring),
            events: site.events(),
            clock: site.clock.clone(),
            tls: site.access.url.tls().clone(),
            deployment: site.access.deployment.clone(),
            ..StoreBuilder::new(site.access.url.expose())
        };
        let relay = match spec.defect {
            Some(defect) => defect.adjust(&mut settings, &site.access)?,
            None => None,
        };
        let (store, switchable, built) = if site.deploys {
            let switchable = settings.build_switchable::<TriviaSession>()?;
            (switchable.store(), Some(switchable), None)
        } else {
            let built = settings.build::<TriviaSession>()?;
            (built.store.clone(), None, Some(built))
        };
        let store = match spec.defect {
            Some(defect) => {
                let (url, prefix) = (&site.access.url, &prefix);
                defect.around(store, &Place { url, prefix, ttl: spec.ttl.0, events: site.events() })?
            }
            None => store,
        };
        Ok(Self { store, keys, switchable, built, site, _relay: relay })
    }

    /// The current policy, including any deploy.
    fn policy(&self) -> Policy {
        self.switchable.as_ref().map_or(self.site.store.policy, Switchable::policy)
    }

    async fn is_connected(&self) -> bool {
        self.store.health().await.status == HealthStatus::Connected
    }
}

impl Target for StoreTarget {
    type Client = StoreClient;

    const OPERATIONS: &'static [OpKind] = &OpKind::ALL;

    const ABILITIES: &'static [Ability] = &[
        Ability::StoreClock,
        Ability::Expiry,
        Ability::Deadline,
        Ability::Connection,
        Ability::Held,
        Ability::Fallback,
        Ability::Breaker,
        Ability::Deploys,
        Ability::Users,
        Ability::Defects,
        Ability::Tls,
        Ability::Topologies,
    ];

    fn client(&self) -> StoreClient {
        let usage = Usage {
            seed: self.site.seed,
            ttl: self.site.store.ttl.0,
            update: self.site.store.update,
            sessions_per_user: self.site.sessions_per_user,
        };
        StoreClient::new(self.store.clone(), usage)
    }

    fn load_begins(&self, clock: Clock) {
        if let Some(keys) = &self.keys {
            keys.rotate_on(clock);
        }
    }

    async fn settled(&self) -> bool {
        let moving = self.switchable.as_ref().is_some_and(|switchable| !switchable.progress().is_complete());
        // `memory` has nothing to migrate.
        let moving = moving && self.policy() != Policy::Memory;
        !moving && self.is_connected().await
    }

    async fn connected(&self) -> Option<bool> {
        Some(self.is_connected().await)
    }

    fn held(&self) -> Option<u64> {
        let switched = self.switchable.as_ref().map(|switchable| switchable.stats().kept);
        switched.or(self.built.as_ref().map(|built| built.fallback_stats().kept))
    }

    fn attempts(&self) -> Option<u64> {
        self.built.as_ref().map(|built| built.connections().attempts)
    }

    fn deploy(&self, policy: Policy) -> Option<u64> {
        Some(self.switchable.as_ref()?.switch_to(policy))
    }

    async fn rebuilt(&self) -> Result<Option<Self>, BuildError> {
        Ok(Some(Self::build_with(self.policy(), self.keys.clone(), self.site.clone())?))
    }

    fn describe(&self) -> Vec<Fact> {
        vec![
            fact("target", "store (the storage crate, in process)"),
            fact("policy", self.site.store.policy.to_string()),
            fact("session TTL", self.site.store.ttl.to_string()),
        ]
    }
}
