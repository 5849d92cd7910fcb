//! The `http` target: an application that a scenario describes in `[app]` and `[op.NAME]`, over HTTP/1.1 as its own users
//! see it, unmodified. Each lane has one keep-alive connection, each session its own cookies.

mod client;
mod compile;
pub(super) mod connection;
mod extract;
mod jar;
pub(super) mod launch;
mod program;
mod sessions;
mod template;
mod trace;
mod walk;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use firedrill_reports::run::Fact;
use tokio::time::Instant;

use self::client::Application;
pub use self::client::HttpClient;
use self::sessions::Sessions;
use super::description::Description;
use super::driver::Driver;
use super::kind::{Flaw, Kind, LaunchSite, Unfit};
use super::settings::StoreSpec;
use super::site::Site;
use super::walked::{Walk, Witness};
use crate::history::OpKind;
use crate::lab::{self, AppLaunch, AppProcess};
use crate::target::{Ability, BuildError, Target, fact};

/// How long the final reads wait for a restarted application to answer.
const READY_DEADLINE: Duration = Duration::from_secs(10);

/// The target kind.
pub(super) struct HttpKind;

#[async_trait]
impl Kind for HttpKind {
    fn name(&self) -> &'static str {
        "http"
    }

    fn about(&self) -> &'static str {
        "Your own application over HTTP, as `[app]` and `[op.NAME]` describe it."
    }

    fn operations(&self) -> &'static [OpKind] {
        HttpTarget::OPERATIONS
    }

    fn abilities(&self) -> &'static [Ability] {
        HttpTarget::ABILITIES
    }

    fn unfit(&self, store: &StoreSpec) -> Vec<Unfit> {
        unfit(store)
    }

    fn misdescribed(&self, description: &Description) -> Option<Vec<Flaw>> {
        Some(compile::program(description).err().unwrap_or_default())
    }

    fn launch(&self, site: &LaunchSite<'_>) -> Option<AppLaunch> {
        launch::launch(site.description?, site)
    }

    async fn walk(&self, site: &Site, witness: &dyn Witness) -> Result<Option<Walk>, BuildError> {
        let target = HttpTarget::build(site)?;
        Ok(Some(walk::walk(&target.application, witness).await))
    }

    async fn build(&self, site: Site) -> Result<Arc<dyn Driver>, BuildError> {
        Ok(Arc::new(HttpTarget::build(&site)?))
    }
}

/// The settings of a store that an application of somebody's own does not take from the drill.
fn unfit(store: &StoreSpec) -> Vec<Unfit> {
    let default = StoreSpec { final_reads: store.final_reads, ..StoreSpec::default() };
    let given = [
        ("store.policy", store.policy != default.policy),
        ("store.ttl", store.ttl != default.ttl),
        ("store.sliding", store.sliding != default.sliding),
        ("store.update", store.update != default.update),
        ("store.timeout", store.timeout != default.timeout),
        ("store.warm_sessions", store.warm_sessions != default.warm_sessions),
        ("store.breaker", store.breaker != default.breaker),
        ("store.encryption", store.encryption != default.encryption),
    ];
    let message = "the application is its own store, and takes no settings of this one";
    let help = "leave it out, and configure the application: [app.env]";
    given.into_iter().filter(|(_, given)| *given).map(|(key, _)| Unfit { key, message, help }).collect()
}

/// Drives the application, and can restart it if the drill started it.
#[derive(Clone)]
pub struct HttpTarget {
    application: Arc<Application>,
    process: Option<Arc<AppProcess>>,
    ready: String,
    described: String,
}

impl HttpTarget {
    fn build(site: &Site) -> Result<Self, BuildError> {
        let description = site.description.as_ref().ok_or("the scenario has no [app]")?;
        let program = compile::program(description).map_err(|flaws| {
            flaws.first().map_or(String::new(), |flaw| format!("{}: {}", flaw.path.join("."), flaw.message))
        })?;
        let (address, requests) = match (&description.app.url, &site.app) {
            (Some(url), _) => (launch::address(url)?, Arc::default()),
            (None, Some(process)) => (process.address(), process.requests().clone()),
            (None, None) => return Err("the application was not started".into()),
        };
        let secrets = site.access.url.password().map(str::to_owned).into_iter().collect();
        let application =
            Application { address, program, sessions: Sessions::default(), seed: site.seed, requests, secrets };
        let described = match &description.app.url {
            Some(url) => format!("http ({url}, already running: its memory is not cleared before the final reads)"),
            None => format!("http ({})", description.app.command.join(" ")),
        };
        let ready = description.app.ready.clone();
        Ok(Self { application: Arc::new(application), process: site.app.clone(), ready, described })
    }

    fn address(&self) -> SocketAddr {
        self.application.address
    }

    async fn answers(&self) -> bool {
        matches!(lab::status(self.address(), &self.ready).await, Some(100..500))
    }
}

impl Target for HttpTarget {
    type Client = HttpClient;

    const OPERATIONS: &'static [OpKind] =
        &[OpKind::Create, OpKind::Read, OpKind::Append, OpKind::Put, OpKind::Touch, OpKind::Destroy];

    const ABILITIES: &'static [Ability] = &[Ability::Process, Ability::HostName];

    fn client(&self) -> HttpClient {
        HttpClient::to(&self.application)
    }

    async fn settled(&self) -> bool {
        self.answers().await
    }

    async fn rebuilt(&self) -> Result<Option<Self>, BuildError> {
        let Some(process) = &self.process else { return Ok(None) };
        process.renew().await?;
        let deadline = Instant::now() + READY_DEADLINE;
        while !self.answers().await && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(Some(self.clone()))
    }

    fn describe(&self) -> Vec<Fact> {
        vec![fact("target", self.described.clone())]
    }
}

#[cfg(test)]
mod tests {
    use firedrill_storage::Policy;

    use super::*;

    #[test]
    fn settings_of_our_own_store_are_refused() {
        let keys = |store: StoreSpec| unfit(&store).iter().map(|unfit| unfit.key).collect::<Vec<_>>();
        assert_eq!(keys(StoreSpec::default()), Vec::<&str>::new());
        assert_eq!(keys(StoreSpec { policy: Policy::FailFast, ..StoreSpec::default() }), ["store.policy"]);
    }
}
