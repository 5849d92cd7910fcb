//! Step 2 of a drill: the Redis, the proxy in front of it, and the application.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use firedrill_storage::Policy;
use tokio::task::JoinSet;

use super::error::DrillError;
use super::observer::Stage;
use super::order::{Order, RedisChoice};
use super::protection::permit;
use super::runtime::guarded;
use super::tenancy::{begin, reach};
use crate::clock::StoreClock;
use crate::fault::{Fault, FaultContext, Hits, ServerProxies, Struck};
use crate::history::Notes;
use crate::lab::journal::Undo;
use crate::lab::{
    Access, AnnouncedProxies, AppConfig, AppProcess, DEFAULT_IMAGE, DockerConfig, Journal, JournalError, Lab, LabError,
    ManagedConfig, Mismatch, OwnHosts, RedisUrl, StoreUser, Survey, default_parent,
};
use crate::names::{StoreNames, StorePassword};
use crate::plan::Plan;
use crate::proxy::{ProxyControl, ProxyServer, RemoteOptions, RemoteProxy};
use crate::scenario::LabKind;
use crate::target::Ability;
use crate::targets::{LaunchSite, Site, UnixSocket};

/// How long connections of a target that is gone may take to end.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What a drill runs on. Dropping it ends everything that was started.
pub struct Setup {
    /// The Redis.
    pub lab: Arc<Lab>,
    /// How the target reaches Redis: through the proxy if there are faults and a proxy is possible.
    pub access: Access,
    /// The instances of the application, if the scenario drives one.
    pub apps: Vec<Arc<AppProcess>>,
    /// The clock of the store under test, which time faults move.
    pub clock: Arc<StoreClock>,
    /// How the store finds its Redis, if a fault changes that.
    pub names: Option<Arc<StoreNames>>,
    /// The password that the store connects with, if a fault changes it.
    pub password: Option<Arc<StorePassword>>,
    /// The scenario's faults, in order.
    pub faults: Vec<Arc<dyn Fault>>,
    /// What they hit.
    pub struck: Struck,
    /// The proxy between the target and Redis, if a single one carries all of the target's connections.
    pub proxy: Option<Arc<dyn ProxyControl>>,
    front: Front,
    /// The journal of changes to systems that outlive the drill.
    journal: Option<Arc<Journal>>,
}

/// What stands between the target and Redis.
enum Front {
    /// Nothing: there are no faults, or the servers announce their own addresses.
    Nothing,
    /// An embedded proxy in front of each server; they end with this value.
    Announced { _proxies: Arc<ServerProxies> },
    /// The embedded proxy, which ends with this value.
    Embedded { _server: ProxyServer },
    /// A proxy on a Toxiproxy server, and its number in the journal.
    Remote { proxy: Arc<RemoteProxy>, announced: u64 },
}

impl Setup {
    /// Sets everything up for `order`, does `work` on it, and takes it down, also after an error or a panic.
    ///
    /// # Errors
    /// Any error of `work`; otherwise what could not be set up or tidied up.
    pub async fn during<T>(
        order: &Order,
        work: impl AsyncFnOnce(&Self) -> Result<T, DrillError>,
    ) -> Result<T, DrillError> {
        let setup = Self::up(order).await?;
        let done = guarded(work(&setup)).await;
        // The reason why the work failed matters more than a failed cleanup.
        match (done, setup.down().await) {
            (Ok(_), Err(error)) => Err(error),
            (done, _) => done,
        }
    }

    /// Starts, or connects to, everything the drill needs.
    async fn up(order: &Order) -> Result<Self, DrillError> {
        let plan = &order.plan;
        let proxies = server_proxies(order)?;
        let mut lab = lab(plan, &order.redis, proxies.clone()).await?;
        if let RedisChoice::External(url) = &order.redis {
            for admin in lab.leaders().await? {
                let survey = Survey::of(admin).await?;
                let permitted = permit(plan, url, admin.address(), &survey, &order.allowance)?;
                order.step(Stage::Setup, &permitted.to_string());
            }
        }
        let is_proxied = needs_proxy(plan) && !lab.topology().fails_over();
        let remote = order.toxiproxy.as_ref().filter(|_| is_proxied);
        let journal = match lab.is_managed() && remote.is_none() {
            true => None,
            false => Some(Arc::new(begin(order, &mut lab).await?)),
        };
        if let (Some(journal), false) = (&journal, lab.is_managed()) {
            lab.keep(journal.clone());
        }
        let lab = Arc::new(lab);
        let setup = guarded(Self::around(order, &lab, proxies, journal.clone())).await;
        if setup.is_err() {
            // Announced changes stay in the journal; without any, there is nothing to heal.
            let torn_down = lab.tear_down().await;
            let closed = torn_down.and_then(|()| journal.map_or(Ok(true), |journal| journal.close()));
            let released = lab.release(matches!(closed, Ok(true))).await;
            if let Err(error) = closed.and(released) {
                tracing::warn!(%error, "the lab could not be tidied up");
            }
        }
        setup
    }

    /// Sets up proxy, application and faults around a running `lab`.
    async fn around(
        order: &Order,
        lab: &Arc<Lab>,
        proxies: Option<Arc<ServerProxies>>,
        journal: Option<Arc<Journal>>,
    ) -> Result<Self, DrillError> {
        let plan = &order.plan;
        if !lab.is_managed() {
            try_out(plan, lab).await?;
        }
        let (front, proxy) = front(plan, lab, order.toxiproxy.as_ref().zip(journal.as_deref())).await?;
        let (front, proxies) = match proxies {
            Some(proxies) => (Front::Announced { _proxies: proxies.clone() }, Some(proxies)),
            None => (front, None),
        };
        let single = proxy.clone();
        let (access, context) = match (proxy, proxies) {
            (None, Some(proxies)) => (lab.access(), FaultContext::behind(lab.clone(), proxies)?),
            (None, None) => (lab.access(), FaultContext::direct(lab.clone())?),
            (Some(proxy), _) => (lab.access().through(proxy.listen_addr())?, FaultContext::new(lab.clone(), proxy)?),
        };
        let here = single.as_ref().map_or(Ipv4Addr::LOCALHOST.into(), |proxy| proxy.listen_addr().ip());
        let hosts = own_hosts(plan, here)?;
        let apps = apps(order, lab, &access.url, hosts.clone()).await?;
        let in_memory = plan.scenario.store.policy == Policy::Memory;
        let context = context.seeded(plan.seed).with_apps(&apps).with_hosts(hosts, here);
        let context = context.with_store_in_memory(in_memory);
        let (clock, faults) = (context.clock(), context.build(&plan.faults)?);
        let names = names(plan, lab, &context);
        let changes = plan.faults.iter().any(|fault| fault.kind.needs_password());
        let password = changes.then(|| context.password());
        let (lab, struck) = (lab.clone(), context.struck());
        Ok(Self { lab, access, apps, clock, names, password, faults, struck, proxy: single, front, journal })
    }

    /// What is needed to build the target; its reports go to `notes`.
    pub fn site(&self, plan: &Plan, notes: Notes) -> Site {
        Site {
            access: self.access.clone(),
            prefix: self.lab.prefix().as_str().to_owned(),
            seed: plan.seed,
            sessions_per_user: plan.scenario.sessions_per_user,
            store: plan.scenario.store.clone(),
            description: plan.scenario.description(),
            redis: plan.scenario.target.redis.clone(),
            unix_socket: self.lab.unix_socket(),
            recordings: plan
                .scenario
                .load
                .iter()
                .filter_map(|load| Some(load.replay.as_ref()?.recording.clone()))
                .collect(),
            deploys: !plan.scenario.deploy.is_empty(),
            clock: self.clock.clone(),
            names: self.names.clone(),
            password: self.password.clone(),
            notes,
            apps: self.apps.clone(),
        }
    }

    /// Waits until the target's connections through the proxy have ended. The proxy forwards what it still holds and then
    /// waits for Redis to close its side, so whatever the target had sent has taken effect by then, and can be removed.
    async fn last_words(&self) {
        let deadline = Instant::now() + LAST_WORDS;
        let is_open = || self.proxy.as_ref().and_then(|proxy| proxy.stats()).is_some_and(|stats| stats.open > 0);
        while is_open() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Leaves no trace on systems that existed before.
    async fn down(mut self) -> Result<(), DrillError> {
        // The application of the drill must write nothing behind the cleaning. Faults that could hit it hold it too.
        self.faults.clear();
        self.apps.clear();
        let deleted = match &self.front {
            Front::Remote { proxy, announced } => proxy.delete().await.map(|()| Some(*announced)),
            Front::Nothing | Front::Announced { .. } | Front::Embedded { .. } => Ok(None),
        };
        if !self.lab.is_managed() {
            self.last_words().await;
        }
        self.lab.tear_down().await?;
        let Some(journal) = &self.journal else { return Ok(()) };
        if let Some(announced) = deleted? {
            journal.undone(announced)?;
        }
        let clean = journal.close()?;
        self.lab.release(clean).await?;
        match clean {
            true => Ok(()),
            false => Err(LabError::Journal(JournalError::Open {
                what: format!("not every change of {} could be undone", self.lab.url()),
                journal: journal.path().to_owned(),
                cure: "try again: firedrill heal".to_owned(),
            })
            .into()),
        }
    }
}

/// Tries every command of the plan's target on the Redis of `lab`, bypassing the proxy.
///
/// # Errors
/// [`RedisFailure::Lacks`](crate::lab::RedisFailure::Lacks) with Redis's own message for a command it refuses.
pub async fn try_out(plan: &Plan, lab: &Lab) -> Result<(), LabError> {
    let scenario = &plan.scenario;
    let without_redis = scenario.store.policy == Policy::Memory && scenario.deploy.is_empty();
    if without_redis {
        return Ok(());
    }
    lab.try_out(scenario.target.kind.commands()).await
}

/// How the store finds its Redis, if that is not left to the machine: a fault changes it, or there are proxies in front of
/// servers that announce addresses of their own.
fn names(plan: &Plan, lab: &Lab, context: &FaultContext) -> Option<Arc<StoreNames>> {
    let names = context.names();
    let mut needed = plan.faults.iter().any(|fault| matches!(fault.kind.hits(), Hits::Names | Hits::Address));
    for server in lab.servers().iter().filter(|server| !server.is_ours()) {
        if let Some(front) = server.announced() {
            names.lead(server.url().host(), server.url().port(), front);
            needed = true;
        }
    }
    needed.then_some(names)
}

/// The proxies in front of servers that take over from one another, if there is a network fault.
fn server_proxies(order: &Order) -> Result<Option<Arc<ServerProxies>>, DrillError> {
    let plan = &order.plan;
    let topology = plan.scenario.lab.topology;
    match topology.fails_over() && plan.faults.iter().any(|fault| fault.kind.hits() == Hits::Network) {
        false => Ok(None),
        true if order.toxiproxy.is_some() => {
            Err(LabError::Mismatch(Mismatch::TopologyBehindToxiproxy { topology: topology.name() }).into())
        }
        true => Ok(Some(Arc::new(ServerProxies::new(plan.seed)?))),
    }
}

/// Whether something must be done to, or seen of, what the target sends to Redis.
fn needs_proxy(plan: &Plan) -> bool {
    !plan.faults.is_empty() || plan.scenario.app.is_some()
}

/// The single proxy in front of the Redis of `lab`, if there are faults and the topology does not fail over.
async fn front(
    plan: &Plan,
    lab: &Lab,
    remote: Option<(&RemoteOptions, &Journal)>,
) -> Result<(Front, Option<Arc<dyn ProxyControl>>), DrillError> {
    if !needs_proxy(plan) || lab.topology().fails_over() {
        return Ok((Front::Nothing, None));
    }
    if let Some((options, journal)) = remote {
        let name = lab.prefix().as_str().trim_end_matches(':').replace(':', "-");
        let undo = Undo::DeleteProxy { api: options.url.to_string(), name: name.clone() };
        let announced = journal.announce(undo)?;
        return match RemoteProxy::create(options, &name, &lab.upstream()).await {
            Ok(proxy) => {
                let proxy = Arc::new(proxy);
                Ok((Front::Remote { proxy: proxy.clone(), announced }, Some(proxy)))
            }
            Err(error) => {
                // The proxy may exist despite the error. If the server cannot be reached at all, nothing was created.
                if RemoteProxy::delete_at(&options.url, &name).await.is_ok() || error.is_unreachable() {
                    journal.undone(announced)?;
                }
                Err(error.into())
            }
        };
    }
    let server = ProxyServer::start(plan.seed)?;
    let listen = plan.scenario.lab.proxy.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let proxy = server.create("redis", listen, lab.upstream(), true).await?;
    Ok((Front::Embedded { _server: server }, Some(proxy)))
}

/// The hosts file of the application, in which Redis is at `address`, if a fault changes that.
fn own_hosts(plan: &Plan, address: IpAddr) -> Result<Option<Arc<OwnHosts>>, LabError> {
    let moves = plan.faults.iter().any(|fault| fault.kind.hits() == Hits::Address);
    let is_process = plan.scenario.target.kind.abilities().contains(&Ability::Process);
    (moves && is_process).then(|| OwnHosts::create(&default_parent(), address).map(Arc::new)).transpose()
}

/// The instances of the application on the Redis at `url`; none if the scenario drives no application. With a hosts file of
/// its own it gets Redis's name.
async fn apps(
    order: &Order,
    lab: &Lab,
    url: &RedisUrl,
    hosts: Option<Arc<OwnHosts>>,
) -> Result<Vec<Arc<AppProcess>>, DrillError> {
    let (plan, scenario) = (&order.plan, &order.plan.scenario);
    let url = &match &hosts {
        Some(hosts) => url.on(hosts.name(), url.port())?,
        None => url.clone(),
    };
    let description = scenario.description();
    let site = LaunchSite {
        store: &scenario.store,
        description: description.as_ref(),
        seed: plan.seed,
        url,
        prefix: lab.prefix().as_str(),
    };
    let (Some(command), Some(app)) = (scenario.target.kind.launch(&site), &scenario.app) else { return Ok(Vec::new()) };
    let of = app.instances.get();
    let mut starts = JoinSet::new();
    for number in 1..=of {
        let config = AppConfig {
            binary: order.session_server.clone(),
            command: command.clone(),
            instance: (number, of),
            hosts: hosts.clone(),
            logs: order.dir.clone(),
            start_deadline: app.within.0,
            grace: app.grace.0,
        };
        starts.spawn(async move { (number, AppProcess::start(config).await) });
    }
    let mut started = starts.join_all().await;
    started.sort_by_key(|(number, _)| *number);
    let apps = started.into_iter().map(|(_, app)| app.map(Arc::new)).collect::<Result<_, LabError>>()?;
    Ok(apps)
}

/// The login that the drill's own servers must give the store.
fn store_user(plan: &Plan) -> Option<StoreUser> {
    let forbidden = &plan.scenario.lab.redis.forbidden;
    let needed = !forbidden.is_empty() || plan.faults.iter().any(|fault| fault.kind.needs_password());
    needed.then(|| StoreUser::without(forbidden))
}

async fn lab(plan: &Plan, choice: &RedisChoice, proxies: Option<Arc<ServerProxies>>) -> Result<Lab, LabError> {
    let spec = &plan.scenario.lab;
    let persistence = spec.redis.persistence;
    let maxmemory_mb = Some(u32::try_from(spec.redis.maxmemory.0.div_ceil(1 << 20)).unwrap_or(u32::MAX));
    match (choice, spec.kind) {
        (RedisChoice::External(url), _) => {
            let proxies = proxies.map(|proxies| proxies as Arc<dyn AnnouncedProxies>);
            reach(spec.topology, url, proxies).await
        }
        (RedisChoice::Managed(binary), LabKind::Managed) => {
            let binary = binary.clone();
            let proxies = proxies.map(|proxies| proxies as Arc<dyn AnnouncedProxies>);
            let directives = spec.redis.directives.iter().map(|line| format!("{line}\n")).collect();
            let user = store_user(plan);
            let config = ManagedConfig {
                binary,
                persistence,
                maxmemory_mb,
                directives,
                unix_socket: plan.scenario.target.redis.unix_socket == UnixSocket::Lab(true),
                user,
                proxies,
                ..ManagedConfig::default()
            };
            Lab::in_topology(spec.topology, &config).await
        }
        (RedisChoice::Managed(_), LabKind::Docker) => {
            let image = spec.image.clone().unwrap_or_else(|| DEFAULT_IMAGE.to_owned());
            Lab::docker(&DockerConfig { image, persistence, maxmemory_mb, ..DockerConfig::default() }).await
        }
    }
}
