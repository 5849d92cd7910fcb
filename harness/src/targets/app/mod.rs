//! The `app` target: `session-server` as a child process, driven over HTTP. On `/events`, it reports its fallback, its
//! draining and its circuit breaker.

mod client;
mod environment;
mod sessions;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use firedrill_reports::run::Fact;
use firedrill_storage::{Policy, REDIS_COMMANDS};
use serde::Deserialize;
use tokio::time::Instant;

pub use self::client::AppClient;
use self::client::Application;
use super::description::Description;
use super::driver::Driver;
use super::http::events::Listener;
use super::http::probe;
use super::kind::{Kind, LaunchSite, Unfit};
use super::settings::{EncryptionSpec, StoreSpec, UpdateMode};
use super::site::Site;
use crate::history::{Notes, OpKind};
use crate::lab::{AppLaunch, AppProcess};
use crate::target::{Ability, BuildError, Target, fact};
use crate::units::Span;

/// The time limit for a health check.
const HEALTH_DEADLINE: Duration = Duration::from_secs(1);

/// How long the final reads wait for a restarted application to reach Redis.
const READY_DEADLINE: Duration = Duration::from_secs(10);

/// The highest values that session-server accepts for its circuit breaker.
const LONGEST_OPEN: Duration = Duration::from_secs(3_600);
const MOST_FAILURES: u32 = 1_000_000;
const MOST_PROBES: u32 = 1_000;

/// The target kind.
pub(super) struct AppKind;

#[async_trait]
impl Kind for AppKind {
    fn name(&self) -> &'static str {
        "app"
    }

    fn about(&self) -> &'static str {
        "The application: `session-server` as a child process, driven over HTTP, one connection a lane."
    }

    fn encrypts(&self) -> bool {
        true
    }

    fn operations(&self) -> &'static [OpKind] {
        AppTarget::OPERATIONS
    }

    fn abilities(&self) -> &'static [Ability] {
        AppTarget::ABILITIES
    }

    fn commands(&self) -> &'static [&'static str] {
        REDIS_COMMANDS
    }

    fn unfit(&self, store: &StoreSpec, _: Option<&Description>) -> Vec<Unfit> {
        unfit(store)
    }

    fn launch(&self, site: &LaunchSite<'_>) -> Option<AppLaunch> {
        Some(AppLaunch::SessionServer(environment::environment(site.store, site.seed, site.url, site.prefix)))
    }

    async fn build(&self, site: Site) -> Result<Arc<dyn Driver>, BuildError> {
        let process = site.apps.first().cloned().ok_or("the application was not started")?;
        Ok(Arc::new(AppTarget::new(process, &site.store, site.notes)))
    }
}

/// The store settings that the application's environment cannot express.
fn unfit(store: &StoreSpec) -> Vec<Unfit> {
    let mut found = Vec::new();
    let mut problem =
        |key: &'static str, message: &'static str, help: &'static str| found.push(Unfit { key, message, help });
    if store.ttl.0.subsec_nanos() != 0 {
        problem("store.ttl", "the application counts whole seconds (REDIS_TTL)", "give a time like \"2s\"");
    }
    if !whole_milliseconds(store.timeout) {
        problem("store.timeout", "the application counts whole milliseconds (REDIS_TIMEOUT)", "500ms is the default");
    }
    if store.warm_sessions == 0 {
        let message = "the application keeps at least one session (SESSION_WARM_CAPACITY)";
        problem("store.warm_sessions", message, "give 1 or more");
    }
    if store.update != UpdateMode::Atomic {
        problem("store.update", "the application adds answers in one way: atomic", "leave it out, or drive the store");
    }
    if let EncryptionSpec::Rotating { .. } = store.encryption {
        let message = "the application takes its key at its start and keeps it (SESSION_ENCRYPTION_KEY)";
        problem("store.encryption", message, "set it to true, or drive the store: [target] kind = \"store\"");
    }
    if let Some(breaker) = &store.breaker {
        if !whole_milliseconds(breaker.open_for) || breaker.open_for.0 > LONGEST_OPEN {
            let message = "the application takes whole milliseconds, an hour at most (SESSION_BREAKER_OPEN)";
            problem("store.breaker.open-for", message, "30s is the default");
        }
        if breaker.failures > MOST_FAILURES {
            let message = "the application takes a million at most (SESSION_BREAKER_FAILURES)";
            problem("store.breaker.failures", message, "5 is the default");
        }
        if breaker.probes > MOST_PROBES {
            let message = "the application takes a thousand at most (SESSION_BREAKER_PROBES)";
            problem("store.breaker.probes", message, "1 is the default");
        }
    }
    found
}

fn whole_milliseconds(span: Span) -> bool {
    span.0.subsec_nanos().is_multiple_of(1_000_000)
}

/// Where it tells its events.
const EVENTS: &str = "/events";

/// Drives the application, and can restart it.
#[derive(Clone)]
pub struct AppTarget {
    application: Arc<Application>,
    process: Arc<AppProcess>,
    events: Arc<Listener>,
    policy: Policy,
    ttl: Span,
}

impl AppTarget {
    /// The application running as `process` with these settings. Its events go to `notes`. Must be called on a runtime.
    fn new(process: Arc<AppProcess>, store: &StoreSpec, notes: Notes) -> Self {
        let application = Arc::new(Application::new(process.address(), process.requests().clone()));
        let events = Arc::new(Listener::start(process.address(), EVENTS, 0, notes));
        Self { application, process, events, policy: store.policy, ttl: store.ttl }
    }

    /// Whether it keeps its sessions in memory, with no Redis to wait for.
    fn in_memory(&self) -> bool {
        self.policy == Policy::Memory
    }

    async fn is_connected(&self) -> bool {
        let answer = probe::ask(self.process.address(), "/health/redis", HEALTH_DEADLINE).await;
        let health = answer.and_then(|(_, body)| serde_json::from_slice::<RedisHealth>(&body).ok());
        health.is_some_and(|health| health.data.status == "connected")
    }

    async fn ready(&self) {
        let deadline = Instant::now() + READY_DEADLINE;
        while !Target::settled(self).await && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The part of the answer of `GET /health/redis` that matters here.
#[derive(Deserialize)]
struct RedisHealth {
    data: RedisStatus,
}

#[derive(Deserialize)]
struct RedisStatus {
    status: String,
}

impl Target for AppTarget {
    type Client = AppClient;

    const OPERATIONS: &'static [OpKind] = AppClient::OPERATIONS;

    const ABILITIES: &'static [Ability] = &[
        Ability::Process,
        Ability::HostName,
        Ability::Expiry,
        Ability::Deadline,
        Ability::Connection,
        Ability::Fallback,
        Ability::Breaker,
        Ability::Tls,
    ];

    fn client(&self) -> AppClient {
        AppClient::to(&self.application)
    }

    async fn settled(&self) -> bool {
        self.in_memory() || self.is_connected().await
    }

    async fn connected(&self) -> Option<bool> {
        match self.in_memory() {
            true => None,
            false => Some(self.is_connected().await),
        }
    }

    async fn rebuilt(&self) -> Result<Option<Self>, BuildError> {
        self.events.ask().await;
        self.process.renew().await?;
        self.ready().await;
        Ok(Some(self.clone()))
    }

    fn describe(&self) -> Vec<Fact> {
        vec![
            fact("target", "app (session-server as a child process, over HTTP)"),
            fact("policy", self.policy.to_string()),
            fact("session TTL", self.ttl.to_string()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_the_environment_has_no_words_for_are_named() {
        let keys = |store: StoreSpec| unfit(&store).iter().map(|unfit| unfit.key).collect::<Vec<_>>();
        assert_eq!(keys(StoreSpec::default()), Vec::<&str>::new());
        let odd = StoreSpec { ttl: Span::millis(1_500), warm_sessions: 0, ..StoreSpec::default() };
        assert_eq!(keys(odd), ["store.ttl", "store.warm_sessions"]);
        let rotating = EncryptionSpec::Rotating { rotate_at: Span::secs(1) };
        assert_eq!(keys(StoreSpec { encryption: rotating, ..StoreSpec::default() }), ["store.encryption"]);
    }
}
