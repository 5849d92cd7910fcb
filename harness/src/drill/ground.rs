//! Step 2 of a drill: the Redis, the proxy in front of it, and the runtime that both live on.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use firedrill_storage::Policy;
use tokio::runtime::Runtime;

use super::Options;
use super::environment::environment;
use super::error::DrillError;
use crate::clock::StoreClock;
use crate::fault::{Fault, FaultContext, ProxyDoors};
use crate::lab::journal::{self, Header, RedisRecord, Undo};
use crate::lab::{
    Access, AppConfig, AppProcess, DEFAULT_IMAGE, DockerConfig, Doors, Journal, Lab, LabError, ManagedConfig, Owner,
    RedisUrl, Topology,
};
use crate::plan::Plan;
use crate::proxy::{ProxyControl, ProxyServer, RemoteOptions, RemoteProxy};
use crate::scenario::{LabKind, TargetKind};
use crate::target::RedisTargetError;

/// Every call to an external Redis that is not part of the load gets this long.
const ADMIN_DEADLINE: Duration = Duration::from_secs(5);

/// The time the application may take to start.
const APP_DEADLINE: Duration = Duration::from_secs(30);

/// Which Redis a drill runs on.
#[derive(Debug, Clone)]
pub enum RedisChoice {
    /// One of the drill's own, where the scenario's `[lab]` says; the binary, where it is not the one on PATH.
    Managed(Option<PathBuf>),
    /// One that is there already.
    External(RedisUrl),
}

/// What a drill runs on. Dropping it ends everything that was started.
pub struct Ground {
    /// The Redis.
    pub lab: Arc<Lab>,
    /// How the target reaches Redis: where there are faults, through the proxy, if one can stand before it.
    pub access: Access,
    /// The application, where the scenario drives one.
    pub app: Option<Arc<AppProcess>>,
    /// The clock of the store under test, which faults of time move.
    pub clock: Arc<StoreClock>,
    /// The scenario's faults, in its order.
    pub faults: Vec<Arc<dyn Fault>>,
    front: Front,
    /// Where what is changed on systems that outlive the drill is written down first.
    journal: Option<Arc<Journal>>,
}

/// What the path to Redis leads through.
enum Front {
    /// Nothing: there are no faults, or the servers announce their own addresses.
    Nothing,
    /// An embedded proxy before each server; they end with this value.
    Doors { _doors: Arc<ProxyDoors> },
    /// The embedded proxy, which ends with this value.
    Embedded { _server: ProxyServer },
    /// A proxy on a Toxiproxy server, and its number in the journal.
    Remote { proxy: Arc<RemoteProxy>, announced: u64 },
}

impl Ground {
    /// Starts, or reaches, everything that `plan` needs. Faults of the network go through the Toxiproxy server of the
    /// options where one is named. An application is the binary that the options name, and leaves what it prints in `dir`.
    pub fn up(plan: &Plan, options: &Options, dir: &Path, runtime: &Runtime) -> Result<Self, DrillError> {
        let doors = doors(plan, options)?;
        let mut lab = runtime.block_on(lab(plan, &options.redis, doors.clone()))?;
        let is_proxied = !plan.faults.is_empty() && lab.group().is_none();
        let remote = options.toxiproxy.as_ref().filter(|_| is_proxied);
        let journal = match lab.is_managed() && remote.is_none() {
            true => None,
            false => Some(Arc::new(runtime.block_on(journal(plan, &lab))?)),
        };
        if let (Some(journal), false) = (&journal, lab.is_managed()) {
            lab.keep(journal.clone());
        }
        let lab = Arc::new(lab);
        let remote = remote.zip(journal.as_deref());
        let ground = runtime.block_on(async {
            let (front, proxy) = front(plan, &lab, remote).await?;
            let (front, doors) = match doors {
                Some(doors) => (Front::Doors { _doors: doors.clone() }, Some(doors)),
                None => (front, None),
            };
            let (access, context) = match (proxy, doors) {
                (None, Some(doors)) => (lab.access(), FaultContext::behind(lab.clone(), doors)?),
                (None, None) => (lab.access(), FaultContext::direct(lab.clone())?),
                (Some(proxy), _) => {
                    (lab.access().through(proxy.listen_addr())?, FaultContext::new(lab.clone(), proxy)?)
                }
            };
            let app = app(plan, options, dir, &lab, &access.url).await?;
            let in_memory = plan.scenario.store.policy == Policy::Memory;
            let context = context.seeded(plan.seed).with_app(app.clone()).with_store_in_memory(in_memory);
            let (clock, faults) = (context.clock(), context.build(&plan.faults)?);
            Ok(Self { lab: lab.clone(), access, app, clock, faults, front, journal: journal.clone() })
        });
        if ground.is_err() {
            // What was announced stays in the journal; where nothing was, there is nothing to heal.
            let torn_down = runtime.block_on(lab.tear_down());
            let closed = torn_down.and_then(|()| journal.map_or(Ok(true), |journal| journal.close()));
            if let Err(error) = closed {
                tracing::warn!(%error, "the lab could not be tidied up");
            }
        }
        ground
    }

    /// Leaves no trace on what was there before.
    pub fn down(self, runtime: &Runtime) -> Result<(), DrillError> {
        let deleted = match &self.front {
            Front::Remote { proxy, announced } => runtime.block_on(proxy.delete()).map(|()| Some(*announced)),
            Front::Nothing | Front::Doors { .. } | Front::Embedded { .. } => Ok(None),
        };
        runtime.block_on(self.lab.tear_down())?;
        let Some(journal) = &self.journal else { return Ok(()) };
        if let Some(announced) = deleted? {
            journal.undone(announced)?;
        }
        match journal.close()? {
            true => Ok(()),
            false => Err(LabError::JournalOpen {
                what: format!("not every change of {} could be undone", self.lab.url()),
                journal: journal.path().to_owned(),
                cure: "try again: firedrill heal".to_owned(),
            }
            .into()),
        }
    }
}

/// Proxies before each of several servers that take over from one another, where a fault is of the network.
fn doors(plan: &Plan, options: &Options) -> Result<Option<Arc<ProxyDoors>>, DrillError> {
    let topology = plan.scenario.lab.topology;
    match topology.fails_over() && plan.faults.iter().any(|fault| fault.kind.hits_network()) {
        false => Ok(None),
        true if options.toxiproxy.is_some() => {
            Err(LabError::TopologyBehindToxiproxy { topology: topology.name() }.into())
        }
        true => Ok(Some(Arc::new(ProxyDoors::new(plan.seed)?))),
    }
}

/// The one proxy before the Redis of `lab`, where there are faults and it does not pass by.
async fn front(
    plan: &Plan,
    lab: &Lab,
    remote: Option<(&RemoteOptions, &Journal)>,
) -> Result<(Front, Option<Arc<dyn ProxyControl>>), DrillError> {
    if plan.faults.is_empty() || lab.group().is_some() {
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
                // It may be there all the same. Where the server cannot be reached at all, nothing was made.
                if RemoteProxy::delete_at(&options.url, &name).await.is_ok() || error.is_unreachable() {
                    journal.undone(announced)?;
                }
                Err(error.into())
            }
        };
    }
    let server = ProxyServer::start(plan.seed)?;
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let proxy = server.create("redis", anywhere, lab.upstream(), true).await?;
    Ok((Front::Embedded { _server: server }, Some(proxy)))
}

/// Whether `plan` can be carried out on a Redis that the drill does not own.
///
/// # Errors
/// [`LabError::ProcessFaultOnExternal`] for the first fault that needs the server's process, and
/// [`LabError::TopologyOnExternal`]; [`RedisTargetError::NotTcp`] where the target speaks no TLS.
pub fn fits_external(plan: &Plan, url: &RedisUrl) -> Result<(), DrillError> {
    let topology = plan.scenario.lab.topology;
    if topology != Topology::Standalone {
        return Err(LabError::TopologyOnExternal { topology: topology.name() }.into());
    }
    if plan.scenario.target.kind == TargetKind::Redis && url.is_tls() {
        return Err(RedisTargetError::NotTcp.into());
    }
    match plan.faults.iter().find(|fault| fault.kind.needs_process()) {
        Some(fault) => Err(LabError::ProcessFaultOnExternal { fault: fault.kind.name(), url: url.to_string() }.into()),
        None => Ok(()),
    }
}

/// The application behind `url`, where the scenario drives one.
async fn app(
    plan: &Plan,
    options: &Options,
    dir: &Path,
    lab: &Lab,
    url: &RedisUrl,
) -> Result<Option<Arc<AppProcess>>, DrillError> {
    if plan.scenario.target.kind != TargetKind::App {
        return Ok(None);
    }
    let config = AppConfig {
        binary: options.session_server.clone(),
        environment: environment(&plan.scenario.store, plan.seed, url, lab.prefix().as_str()),
        logs: dir.to_owned(),
        start_deadline: APP_DEADLINE,
    };
    Ok(Some(Arc::new(AppProcess::start(config).await?)))
}

/// The journal of a drill on systems that outlive it, begun before its first key is made.
async fn journal(plan: &Plan, lab: &Lab) -> Result<Journal, LabError> {
    let redis = match lab.is_managed() {
        // It goes with the drill.
        true => None,
        false => Some(RedisRecord {
            url: lab.url().without_password()?,
            ca: lab.url().tls().ca_file.clone(),
            password: lab.url().password().is_some(),
            run_id: lab.info().await?.run_id,
            prefix: lab.prefix().clone(),
            nonce: lab.nonce().to_owned(),
            server_faults: plan.faults.iter().any(|fault| fault.kind.changes_server()),
        }),
    };
    let header = Header {
        journal: journal::FORMAT,
        owner: Owner::this_process(),
        scenario: plan.scenario.name.clone(),
        began: firedrill_reports::text::rfc3339(std::time::SystemTime::now()),
        redis,
    };
    journal::claim(&journal::place::folder()?, &header)
}

async fn lab(plan: &Plan, choice: &RedisChoice, doors: Option<Arc<ProxyDoors>>) -> Result<Lab, LabError> {
    let spec = &plan.scenario.lab;
    let persistence = spec.redis.persistence;
    let maxmemory_mb = Some(u32::try_from(spec.redis.maxmemory.0.div_ceil(1 << 20)).unwrap_or(u32::MAX));
    match (choice, spec.kind) {
        (RedisChoice::External(url), _) => Lab::external(url.clone(), ADMIN_DEADLINE).await,
        (RedisChoice::Managed(binary), LabKind::Managed) => {
            let binary = binary.clone();
            let doors = doors.map(|doors| doors as Arc<dyn Doors>);
            let config = ManagedConfig { binary, persistence, maxmemory_mb, doors, ..ManagedConfig::default() };
            Lab::in_topology(spec.topology, &config).await
        }
        (RedisChoice::Managed(_), LabKind::Docker) => {
            let image = spec.image.clone().unwrap_or_else(|| DEFAULT_IMAGE.to_owned());
            Lab::docker(&DockerConfig { image, persistence, maxmemory_mb, ..DockerConfig::default() }).await
        }
    }
}
