//! What a drill needs of its target beyond operations: to know when it is itself again, and to make it anew.

use std::sync::Arc;

use firedrill_storage::{
    Event, EventSink, FallbackCause, HealthStatus, Policy, StoreBuilder, Switchable, TriviaSession,
};

use super::collector::Notes;
use super::error::DrillError;
use crate::history::Note;
use crate::lab::RedisUrl;
use crate::plan::Plan;
use crate::scenario::{BreakerSpec, Defect};
use crate::target::{RedisTarget, StoreTarget, Target, defect};

/// A target that can be drilled.
pub trait Drilled: Target + Sized {
    /// Whether it has nothing left to recover from. Answers within a second, whatever Redis does.
    fn settled(&self) -> impl Future<Output = bool>;

    /// The same target without anything that it remembers.
    fn rebuilt(&self) -> Result<Self, DrillError>;

    /// The store whose settings a deploy changes; `None` where there is none.
    fn switchable(&self) -> Option<Switchable<TriviaSession>> {
        None
    }
}

/// The store target and how it is built.
pub struct DrilledStore {
    target: StoreTarget,
    switchable: Option<Switchable<TriviaSession>>,
    plan: Arc<Plan>,
    url: RedisUrl,
    prefix: String,
    notes: Notes,
    runtime: tokio::runtime::Handle,
}

impl DrilledStore {
    /// Builds the scenario's store on the Redis at `url`, its keys under `prefix`. Its connection lives on `runtime`.
    pub fn build(
        plan: Arc<Plan>,
        url: RedisUrl,
        prefix: String,
        notes: Notes,
        runtime: tokio::runtime::Handle,
    ) -> Result<Self, DrillError> {
        let policy = plan.scenario.store.policy;
        Self::build_with(policy, plan, url, prefix, notes, runtime)
    }

    fn build_with(
        policy: Policy,
        plan: Arc<Plan>,
        url: RedisUrl,
        prefix: String,
        notes: Notes,
        runtime: tokio::runtime::Handle,
    ) -> Result<Self, DrillError> {
        let spec = &plan.scenario.store;
        let keys = format!("{prefix}session:");
        let _inside = runtime.enter();
        let settings = StoreBuilder {
            prefix: keys.clone(),
            policy,
            breaker: spec.breaker.as_ref().map(BreakerSpec::config),
            sliding: spec.sliding,
            command_timeout: spec.timeout.0,
            warm_capacity: spec.warm_sessions as usize,
            events: event_sink(notes.clone()),
            ..StoreBuilder::new(url.expose())
        };
        let (store, switchable) = if plan.scenario.deploy.is_empty() {
            (settings.build::<TriviaSession>()?.store, None)
        } else {
            let switchable = settings.build_switchable::<TriviaSession>()?;
            (switchable.store(), Some(switchable))
        };
        let store = match spec.defect {
            Some(Defect::ForgetsTtl) => defect::ForgetsTtl::around(store, &url, &keys)?,
            None => store,
        };
        let target = StoreTarget::new(store, plan.seed, spec.ttl.0, spec.update);
        Ok(Self { target, switchable, plan, url, prefix, notes, runtime })
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

    fn rebuilt(&self) -> Result<Self, DrillError> {
        let (plan, url, prefix) = (self.plan.clone(), self.url.clone(), self.prefix.clone());
        Self::build_with(self.policy(), plan, url, prefix, self.notes.clone(), self.runtime.clone())
    }

    fn switchable(&self) -> Option<Switchable<TriviaSession>> {
        self.switchable.clone()
    }
}

impl DrilledStore {
    /// The policy now, whatever was deployed.
    fn policy(&self) -> Policy {
        self.switchable.as_ref().map_or(self.plan.scenario.store.policy, Switchable::policy)
    }
}

/// Plain commands remember nothing, and whether Redis is back shows in each of them.
impl Drilled for RedisTarget {
    async fn settled(&self) -> bool {
        true
    }

    fn rebuilt(&self) -> Result<Self, DrillError> {
        Ok(self.clone())
    }
}
