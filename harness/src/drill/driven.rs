//! What a drill needs of its target beyond operations: to know when it is itself again, and to make it anew.

use std::sync::Arc;

use firedrill_storage::{
    BuiltStore, Event, EventSink, FallbackCause, HealthStatus, Policy, StoreBuilder, Switchable, TriviaSession,
};

use super::collector::Notes;
use super::error::DrillError;
use super::keys::DrillKeys;
use crate::clock::{Clock, StoreClock};
use crate::history::Note;
use crate::lab::Access;
use crate::plan::Plan;
use crate::relay::Relay;
use crate::scenario::BreakerSpec;
use crate::target::store::Usage;
use crate::target::{RedisTarget, StoreTarget, Target, defect};

/// A target that can be drilled.
pub trait Drilled: Target + Sized {
    /// Whether it has nothing left to recover from. Answers within a second, whatever Redis does.
    fn settled(&self) -> impl Future<Output = bool> + Send;

    /// Whether it says that it is connected to Redis; `None` where it has no say. Answers within a second.
    fn connected(&self) -> impl Future<Output = Option<bool>> + Send;

    /// Sessions that it holds in memory now, those that have expired and were not dropped included; `None` where it cannot
    /// tell.
    fn held(&self) -> Option<u64> {
        None
    }

    /// The measured load begins at this clock's zero.
    fn load_begins(&self, clock: Clock);

    /// The same target without anything that it remembers.
    fn rebuilt(&self) -> Result<Self, DrillError>;

    /// The store whose settings a deploy changes; `None` where there is none.
    fn switchable(&self) -> Option<Switchable<TriviaSession>> {
        None
    }
}

/// Where a store is built, and with what.
#[derive(Clone)]
pub struct Site {
    /// The drill.
    pub plan: Arc<Plan>,
    /// How Redis is reached.
    pub access: Access,
    /// What every key of the drill begins with.
    pub prefix: String,
    /// The store's clock.
    pub clock: Arc<StoreClock>,
    /// Where what the store tells is noted.
    pub notes: Notes,
    /// Where its connection lives.
    pub runtime: tokio::runtime::Handle,
}

/// The store target and how it is built.
pub struct DrilledStore {
    target: StoreTarget,
    keys: Option<DrillKeys>,
    switchable: Option<Switchable<TriviaSession>>,
    built: Option<BuiltStore<TriviaSession>>,
    site: Site,
    /// What a planted defect has put between the store and Redis.
    _relay: Option<Relay>,
}

impl DrilledStore {
    /// Builds the scenario's store.
    pub fn build(site: Site) -> Result<Self, DrillError> {
        let keys = DrillKeys::of(&site.plan)?;
        let policy = site.plan.scenario.store.policy;
        Self::build_with(policy, keys, site)
    }

    fn build_with(policy: Policy, keys: Option<DrillKeys>, site: Site) -> Result<Self, DrillError> {
        let spec = &site.plan.scenario.store;
        let prefix = format!("{}session:", site.prefix);
        let _inside = site.runtime.enter();
        let mut settings = StoreBuilder {
            prefix: prefix.clone(),
            policy,
            breaker: spec.breaker.as_ref().map(BreakerSpec::config),
            sliding: spec.sliding,
            command_timeout: spec.timeout.0,
            warm_capacity: spec.warm_sessions as usize,
            keyring: keys.as_ref().map(DrillKeys::ring),
            events: event_sink(site.notes.clone()),
            clock: site.clock.clone(),
            tls: site.access.url.tls().clone(),
            deployment: site.access.deployment.clone(),
            ..StoreBuilder::new(site.access.url.expose())
        };
        let relay = match spec.defect {
            Some(planted) => defect::adjust(planted, &mut settings, &site.access)?,
            None => None,
        };
        let (store, switchable, built) = if site.plan.scenario.deploy.is_empty() {
            let built = settings.build::<TriviaSession>()?;
            (built.store.clone(), None, Some(built))
        } else {
            let switchable = settings.build_switchable::<TriviaSession>()?;
            (switchable.store(), Some(switchable), None)
        };
        let store = match spec.defect {
            Some(planted) => defect::plant(planted, store, &site.access.url, &prefix, spec.ttl.0)?,
            None => store,
        };
        let usage = Usage {
            seed: site.plan.seed,
            ttl: spec.ttl.0,
            update: spec.update,
            sessions_per_user: site.plan.scenario.sessions_per_user,
        };
        let target = StoreTarget::new(store, usage);
        Ok(Self { target, keys, switchable, built, site, _relay: relay })
    }
}

/// Turns what the store tells into notes of the history.
fn event_sink(notes: Notes) -> EventSink {
    Arc::new(move |event| match event {
        Event::FallbackStarted { cause } => {
            notes.add(move |at| Note::FallbackStarted { at, cause: name(cause).to_owned() });
        }
        Event::FallbackEnded { served, .. } => notes.add(move |at| Note::FallbackEnded { at, served }),
        Event::Drained { written, deleted, merged, lost } => {
            notes.add(move |at| Note::Drained { at, written, deleted, merged, lost });
        }
        Event::Lost { sessions } => notes.add(move |at| Note::SessionsLost { at, sessions }),
        Event::Dropped { writes, invalidated } => {
            notes.add(move |at| Note::WritesDropped { at, writes, invalidated });
        }
        Event::Evicted { copies, lost } => notes.add(move |at| Note::Evicted { at, copies, lost }),
        Event::Switched { from, to } => {
            notes.add(move |at| Note::Deployed { at, from: from.to_string(), to: to.to_string() });
        }
        Event::CarriedOver { written, deleted, merged, lost } => {
            notes.add(move |at| Note::CarriedOver { at, written, deleted, merged, lost });
        }
        Event::BreakerOpened { opens, probes } => notes.add(move |at| Note::BreakerOpened { at, opens, probes }),
        Event::BreakerHalfOpen => notes.add(|at| Note::BreakerHalfOpen { at }),
        Event::BreakerClosed { probes, .. } => notes.add(move |at| Note::BreakerClosed { at, probes }),
        _ => {}
    })
}

/// The word that reports use.
fn name(cause: FallbackCause) -> &'static str {
    match cause {
        FallbackCause::Unreachable => "unreachable",
        FallbackCause::Timeout => "timeout",
        FallbackCause::ConnectionLost => "connection-lost",
        FallbackCause::Refused => "refused",
        _ => "other",
    }
}

impl Target for DrilledStore {
    type Client = <StoreTarget as Target>::Client;

    fn client(&self) -> Self::Client {
        self.target.client()
    }
}

impl Drilled for DrilledStore {
    async fn settled(&self) -> bool {
        let moving = self.switchable.as_ref().is_some_and(|switchable| !switchable.progress().is_complete());
        // Under `memory` nothing is to be carried anywhere.
        let moving = moving && self.policy() != Policy::Memory;
        !moving && self.target.store().health().await.status == HealthStatus::Connected
    }

    fn load_begins(&self, clock: Clock) {
        if let Some(keys) = &self.keys {
            keys.rotate_on(clock, &self.site.runtime);
        }
    }

    async fn connected(&self) -> Option<bool> {
        Some(self.target.store().health().await.status == HealthStatus::Connected)
    }

    fn held(&self) -> Option<u64> {
        let switched = self.switchable.as_ref().map(|switchable| switchable.stats().kept);
        switched.or(self.built.as_ref().map(|built| built.fallback_stats().kept))
    }

    fn rebuilt(&self) -> Result<Self, DrillError> {
        Self::build_with(self.policy(), self.keys.clone(), self.site.clone())
    }

    fn switchable(&self) -> Option<Switchable<TriviaSession>> {
        self.switchable.clone()
    }
}

impl DrilledStore {
    /// The policy now, whatever was deployed.
    fn policy(&self) -> Policy {
        self.switchable.as_ref().map_or(self.site.plan.scenario.store.policy, Switchable::policy)
    }
}

/// Plain commands remember nothing, and whether Redis is back shows in each of them.
impl Drilled for RedisTarget {
    async fn settled(&self) -> bool {
        true
    }

    async fn connected(&self) -> Option<bool> {
        None
    }
    fn load_begins(&self, _: Clock) {}

    fn rebuilt(&self) -> Result<Self, DrillError> {
        Ok(self.clone())
    }
}
