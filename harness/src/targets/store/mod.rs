//! The `store` target: the storage crate, in process. All lanes share one store, like the threads of a service, or several
//! (`store.instances`), like its processes.

pub mod client;
pub(super) mod encryption_keys;
mod instance;
mod renewals;

use std::sync::Arc;

use async_trait::async_trait;
use firedrill_reports::run::Fact;
use firedrill_storage::{Policy, REDIS_COMMANDS};
use tokio::task::JoinSet;

use self::client::{StoreClient, Usage};
use self::encryption_keys::EncryptionKeys;
use self::instance::Instance;
use self::renewals::Renewals;
use super::defect::Store;
use super::driver::Driver;
use super::kind::Kind;
use super::site::Site;
use crate::clock::Clock;
use crate::history::OpKind;
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

/// The stores and how they are built.
pub struct StoreTarget {
    instances: Vec<Instance>,
    /// Each one's store, in the same order.
    stores: Arc<[Store]>,
    keys: Option<EncryptionKeys>,
    /// The ids that sessions got, which a rebuilt target goes on with: its users still have them.
    renewals: Arc<Renewals>,
    site: Site,
}

impl StoreTarget {
    /// Builds the scenario's stores. Must be called on a runtime, which then drives their connections.
    ///
    /// # Errors
    /// If the settings are unusable, such as a TLS file that cannot be read.
    pub fn build(site: Site) -> Result<Self, BuildError> {
        let keys = EncryptionKeys::of(site.seed, site.store.encryption)?;
        Self::build_with(site.store.policy, keys, Arc::default(), site)
    }

    fn build_with(
        policy: Policy,
        keys: Option<EncryptionKeys>,
        renewals: Arc<Renewals>,
        site: Site,
    ) -> Result<Self, BuildError> {
        let numbers = 0..site.store.instances.get();
        let instances: Vec<Instance> =
            numbers.map(|number| Instance::build(number, policy, keys.as_ref(), &site)).collect::<Result<_, _>>()?;
        let stores = instances.iter().map(Instance::store).collect();
        Ok(Self { instances, stores, keys, renewals, site })
    }

    /// The current policy, including any deploy.
    fn policy(&self) -> Policy {
        self.instances[0].policy().unwrap_or(self.site.store.policy)
    }

    /// Whether each of the stores is connected; they are asked at once.
    async fn are_connected(&self) -> bool {
        let asked: JoinSet<bool> = self.stores.iter().cloned().map(instance::is_connected).collect();
        asked.join_all().await.into_iter().all(|connected| connected)
    }
}

impl Target for StoreTarget {
    type Client = StoreClient;

    const OPERATIONS: &'static [OpKind] = &[
        OpKind::Create,
        OpKind::Read,
        OpKind::Append,
        OpKind::Put,
        OpKind::Touch,
        OpKind::Destroy,
        OpKind::Award,
        OpKind::List,
        OpKind::Count,
        OpKind::Health,
        OpKind::Renew,
        OpKind::Revisit,
        OpKind::LogoutEverywhere,
    ];

    const ABILITIES: &'static [Ability] = &[
        Ability::StoreClock,
        Ability::StoreNames,
        Ability::StorePassword,
        Ability::HostName,
        Ability::Expiry,
        Ability::Deadline,
        Ability::Connection,
        Ability::Held,
        Ability::Fallback,
        Ability::Breaker,
        Ability::Deploys,
        Ability::Users,
        Ability::Defects,
        Ability::Instances,
        Ability::Encryption,
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
        StoreClient::new(self.stores.clone(), usage).beside(self.renewals.clone())
    }

    fn load_begins(&self, clock: Clock) {
        if let Some(keys) = &self.keys {
            keys.rotate_on(clock);
        }
    }

    async fn settled(&self) -> bool {
        // `memory` has nothing to migrate.
        let moving = self.policy() != Policy::Memory && self.instances.iter().any(Instance::is_moving);
        !moving && self.are_connected().await
    }

    async fn connected(&self) -> Option<bool> {
        Some(self.are_connected().await)
    }

    fn held(&self) -> Option<u64> {
        self.instances.iter().map(Instance::held).sum()
    }

    fn attempts(&self) -> Option<u64> {
        self.instances.iter().map(Instance::attempts).sum()
    }

    fn deploy(&self, policy: Policy) -> Option<u64> {
        self.instances.iter().map(|instance| instance.switch_to(policy)).sum()
    }

    async fn rebuilt(&self) -> Result<Option<Self>, BuildError> {
        let (keys, renewals) = (self.keys.clone(), self.renewals.clone());
        Ok(Some(Self::build_with(self.policy(), keys, renewals, self.site.clone())?))
    }

    fn describe(&self) -> Vec<Fact> {
        let stores = match self.instances.len() {
            1 => "store (the storage crate, in process)".to_owned(),
            several => format!("{several} stores (the storage crate, in process)"),
        };
        vec![
            fact("target", stores),
            fact("policy", self.site.store.policy.to_string()),
            fact("session TTL", self.site.store.ttl.to_string()),
        ]
    }
}
