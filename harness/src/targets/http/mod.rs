//! The `http` target: an application that a scenario describes in `[app]` and `[op.NAME]`, over HTTP/1.1 as its own users
//! see it, unmodified. Each lane has one keep-alive connection, each session its own cookies.

mod client;
mod compile;
mod connected;
mod connection;
mod events;
mod extract;
mod jar;
mod launch;
mod probe;
mod program;
mod redirect;
mod request;
mod sessions;
mod taken;
mod template;
mod trace;
mod walk;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use firedrill_reports::run::Fact;
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use self::client::HttpClient;
use self::client::{Application, Instance};
use self::connected::Asked;
use self::events::Listener;
use self::sessions::Sessions;
use super::description::Description;
use super::driver::Driver;
use super::kind::{Flaw, Kind, LaunchSite, Unfit};
use super::settings::StoreSpec;
use super::site::Site;
use super::walked::{Walk, Witness};
use crate::history::OpKind;
use crate::lab::{self, AppCommand, AppProcess};
use crate::secret;
use crate::target::{Ability, BuildError, Target, fact};

/// How long the final reads wait for a restarted application to serve.
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

    fn unfit(&self, store: &StoreSpec, description: Option<&Description>) -> Vec<Unfit> {
        taken::unfit(store, description)
    }

    fn undescribed(&self, ability: Ability, description: &Description) -> Option<&'static str> {
        taken::undescribed(ability, description)
    }

    fn misdescribed(&self, description: &Description) -> Option<Vec<Flaw>> {
        Some(compile::program(description).err().unwrap_or_default())
    }

    fn launch(&self, site: &LaunchSite<'_>) -> Option<AppCommand> {
        launch::launch(site.description?, site)
    }

    async fn walk(&self, site: &Site, witness: &dyn Witness) -> Result<Option<Walk>, BuildError> {
        let target = HttpTarget::build(site)?;
        Ok(Some(walk::walk(&target.application, witness).await))
    }

    async fn build(&self, site: Site) -> Result<Arc<dyn Driver>, BuildError> {
        Ok(Arc::new(HttpTarget::build(&site)?.listening(&site)))
    }
}

/// Drives the application, and can restart it if the drill started it.
#[derive(Clone)]
pub struct HttpTarget {
    application: Arc<Application>,
    processes: Vec<Arc<AppProcess>>,
    /// Of each instance, if it tells its events.
    events: Arc<[Listener]>,
    ready: String,
    /// Where it says whether it is connected to Redis; `None` if it does not, or if there is no Redis to wait for.
    connected: Option<Asked>,
    described: String,
}

impl HttpTarget {
    fn build(site: &Site) -> Result<Self, BuildError> {
        let description = site.description.as_ref().ok_or("the scenario has no [app]")?;
        let program = compile::program(description).map_err(|flaws| {
            flaws.first().map_or(String::new(), |flaw| format!("{}: {}", flaw.path.join("."), flaw.message))
        })?;
        let instances: Vec<Instance> = match &description.app.url {
            Some(url) => vec![Instance { address: launch::address(url)?, requests: Arc::default() }],
            None => site.apps.iter().map(|app| Instance::of(app)).collect(),
        };
        let Some(first) = instances.first() else { return Err("the application was not started".into()) };
        let host = first.address;
        let secrets = site.access.url.password().map(str::to_owned).into_iter().collect();
        let sessions = Arc::new(Sessions::new(site.sessions_per_user));
        let application = Application { instances, host, program, sessions, seed: site.seed, secrets };
        let described = match &description.app.url {
            Some(url) => format!("http ({url}, already running: its memory is not cleared before the final reads)"),
            None => {
                let count = site.apps.len();
                let times = if count == 1 { String::new() } else { format!("{count} instances of ") };
                let what = match &description.app.compose {
                    Some(compose) => format!("the service {} of {}", compose.service, compose.file.display()),
                    None => secret::command(&description.app.command).join(" "),
                };
                format!("http ({times}{what})")
            }
        };
        let ready = description.app.ready.clone();
        let asked = description.app.connected.as_ref().filter(|_| !taken::in_memory(&site.store, description));
        let connected = asked.map(Asked::of).transpose()?;
        Ok(Self {
            application: Arc::new(application),
            processes: site.apps.clone(),
            events: Arc::default(),
            ready,
            connected,
            described,
        })
    }

    /// Notes from now on what each instance tells of its store, if it does. Must be called on a runtime.
    fn listening(self, site: &Site) -> Self {
        let Some(path) = site.description.as_ref().and_then(|description| description.app.events.as_deref()) else {
            return self;
        };
        let each = (0..).zip(&self.application.instances);
        let listeners = each.map(|(number, at)| Listener::start(at.address, path, number, site.notes.clone()));
        Self { events: listeners.collect(), ..self }
    }

    async fn answers(&self) -> bool {
        for instance in &self.application.instances {
            if !matches!(lab::status(instance.address, &self.ready).await, Some(100..500)) {
                return false;
            }
        }
        true
    }
}

impl Target for HttpTarget {
    type Client = HttpClient;

    const OPERATIONS: &'static [OpKind] = &[
        OpKind::Create,
        OpKind::Read,
        OpKind::Append,
        OpKind::Put,
        OpKind::Touch,
        OpKind::Destroy,
        OpKind::Renew,
        OpKind::Revisit,
        OpKind::LogoutEverywhere,
        OpKind::Increment,
        OpKind::Award,
    ];

    /// Some only where its description says enough ([`taken::undescribed`]).
    const ABILITIES: &'static [Ability] = &[
        Ability::Process,
        Ability::HostName,
        Ability::Users,
        Ability::Expiry,
        Ability::Deadline,
        Ability::Connection,
        Ability::Fallback,
        Ability::Breaker,
        Ability::Tls,
        Ability::Encryption,
    ];

    fn client(&self) -> HttpClient {
        HttpClient::to(&self.application)
    }

    async fn settled(&self) -> bool {
        self.answers().await && Target::connected(self).await != Some(false)
    }

    async fn connected(&self) -> Option<bool> {
        let asked = self.connected.as_ref()?;
        for instance in &self.application.instances {
            if !asked.says_yes(instance.address).await {
                return Some(false);
            }
        }
        Some(true)
    }

    async fn rebuilt(&self) -> Result<Option<Self>, BuildError> {
        if self.processes.is_empty() {
            return Ok(None);
        }
        for instance in &*self.events {
            instance.ask().await;
        }
        let mut renewed = JoinSet::new();
        for process in self.processes.clone() {
            renewed.spawn(async move { process.renew().await });
        }
        renewed.join_all().await.into_iter().collect::<Result<(), _>>()?;
        let deadline = Instant::now() + READY_DEADLINE;
        while !Target::settled(self).await && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(Some(self.clone()))
    }

    fn describe(&self) -> Vec<Fact> {
        vec![fact("target", self.described.clone())]
    }
}
