//! One store of the target: what a process of a service would have.

use std::sync::Arc;

use firedrill_storage::{
    BuiltStore, HealthStatus, Network, PasswordSource, Policy, StoreBuilder, Switchable, TriviaSession,
};

use super::super::defect::{Place, Store};
use super::super::settings::BreakerSpec;
use super::super::site::Site;
use super::encryption_keys::EncryptionKeys;
use crate::relay::Relay;
use crate::target::BuildError;

/// A store with its own connections, circuit breaker, fallback and memory.
pub(super) struct Instance {
    store: Store,
    switchable: Option<Switchable<TriviaSession>>,
    built: Option<BuiltStore<TriviaSession>>,
    /// What a planted defect put between the store and Redis.
    _relay: Option<Relay>,
}

impl Instance {
    /// Builds the store of this number. All of them share the key ring: a rotation reaches every process at once.
    pub(super) fn build(
        number: u32,
        policy: Policy,
        keys: Option<&EncryptionKeys>,
        site: &Site,
    ) -> Result<Self, BuildError> {
        let spec = &site.store;
        let prefix = format!("{}session:", site.prefix);
        let mut settings = StoreBuilder {
            prefix: prefix.clone(),
            policy,
            breaker: spec.breaker.as_ref().map(BreakerSpec::config),
            sliding: spec.sliding,
            command_timeout: spec.timeout.0,
            warm_capacity: spec.warm_sessions as usize,
            keyring: keys.map(EncryptionKeys::ring),
            events: site.events_of(number),
            clock: site.clock.clone(),
            network: site.names.clone().map(|names| names as Arc<dyn Network>),
            password: site.password.clone().map(|password| Arc::new(move || password.told()) as PasswordSource),
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
                let (url, prefix, events) = (&site.access.url, &prefix, site.events_of(number));
                defect.around(store, &Place { url, prefix, ttl: spec.ttl.0, events })?
            }
            None => store,
        };
        Ok(Self { store, switchable, built, _relay: relay })
    }

    pub(super) fn store(&self) -> Store {
        self.store.clone()
    }

    /// The policy after the deploys so far; `None` if there are no deploys.
    pub(super) fn policy(&self) -> Option<Policy> {
        self.switchable.as_ref().map(Switchable::policy)
    }

    /// Whether a change of policy has sessions left to carry over.
    pub(super) fn is_moving(&self) -> bool {
        self.switchable.as_ref().is_some_and(|switchable| !switchable.progress().is_complete())
    }

    /// Sessions in its memory.
    pub(super) fn held(&self) -> Option<u64> {
        let switched = self.switchable.as_ref().map(|switchable| switchable.stats().kept);
        switched.or(self.built.as_ref().map(|built| built.fallback_stats().kept))
    }

    /// Attempts to connect so far.
    pub(super) fn attempts(&self) -> Option<u64> {
        self.built.as_ref().map(|built| built.connections().attempts)
    }

    /// Changes the policy, and returns how many sessions were lost by it.
    pub(super) fn switch_to(&self, policy: Policy) -> Option<u64> {
        Some(self.switchable.as_ref()?.switch_to(policy))
    }
}

/// Whether `store` is connected to Redis.
pub(super) async fn is_connected(store: Store) -> bool {
    store.health().await.status == HealthStatus::Connected
}
