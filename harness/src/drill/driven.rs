//! What a drill needs of its target beyond operations: to know when it is itself again, and to make it anew.

use std::sync::Arc;

use firedrill_storage::{Event, EventSink, FallbackCause, HealthStatus, StoreBuilder, TriviaSession};

use super::collector::Notes;
use super::error::DrillError;
use crate::history::Note;
use crate::lab::RedisUrl;
use crate::plan::Plan;
use crate::scenario::Defect;
use crate::target::{RedisTarget, StoreTarget, Target, defect};

/// A target that can be drilled.
pub trait Drilled: Target + Sized {
    /// Whether it has nothing left to recover from. Answers within a second, whatever Redis does.
    fn settled(&self) -> impl Future<Output = bool> + Send;

    /// Whether it says that it is connected to Redis; `None` where it has no say. Answers within a second.
    fn connected(&self) -> impl Future<Output = Option<bool>> + Send;

    /// The same target without anything that it remembers.
    fn rebuilt(&self) -> Result<Self, DrillError>;
}

/// The store target and how it is built.
pub struct DrilledStore {
    target: StoreTarget,
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
        let spec = &plan.scenario.store;
        let keys = format!("{prefix}session:");
        let _inside = runtime.enter();
        let settings = StoreBuilder {
            prefix: keys.clone(),
            policy: spec.policy,
            sliding: spec.sliding,
            command_timeout: spec.timeout.0,
            warm_capacity: spec.warm_sessions as usize,
            events: event_sink(notes.clone()),
            ..StoreBuilder::new(url.expose())
        };
        let store = settings.build::<TriviaSession>()?.store;
        let store = match spec.defect {
            Some(Defect::ForgetsTtl) => defect::ForgetsTtl::around(store, &url, &keys)?,
            None => store,
        };
        let target = StoreTarget::new(store, plan.seed, spec.ttl.0, spec.update);
        Ok(Self { target, plan, url, prefix, notes, runtime })
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
        self.target.store().health().await.status == HealthStatus::Connected
    }

    async fn connected(&self) -> Option<bool> {
        Some(self.settled().await)
    }

    fn rebuilt(&self) -> Result<Self, DrillError> {
        Self::build(self.plan.clone(), self.url.clone(), self.prefix.clone(), self.notes.clone(), self.runtime.clone())
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

    fn rebuilt(&self) -> Result<Self, DrillError> {
        Ok(self.clone())
    }
}
