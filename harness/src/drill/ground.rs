//! Step 2 of a drill: the Redis, the proxy in front of it, and the runtime that both live on.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::Options;
use super::environment::environment;
use super::error::DrillError;
use crate::fault::{Fault, FaultContext};
use crate::lab::journal::{self, Header, RedisRecord};
use crate::lab::{
    AppConfig, AppProcess, DEFAULT_IMAGE, DockerConfig, Journal, Lab, LabError, ManagedConfig, Owner, RedisUrl,
};
use crate::plan::Plan;
use crate::proxy::ProxyServer;
use crate::scenario::{LabKind, TargetKind};

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
    /// How the target reaches Redis: where there are faults, through the proxy.
    pub url: RedisUrl,
    /// The application, where the scenario drives one.
    pub app: Option<Arc<AppProcess>>,
    /// The scenario's faults, in its order.
    pub faults: Vec<Arc<dyn Fault>>,
    /// Owns the proxy.
    _server: Option<ProxyServer>,
}

impl Ground {
    /// Starts, or reaches, everything that `plan` needs. An application is the binary that the options name, and leaves
    /// what it prints in `dir`.
    pub fn up(plan: &Plan, options: &Options, dir: &Path, runtime: &Runtime) -> Result<Self, DrillError> {
        let app = |lab: &Lab, url: &RedisUrl| match plan.scenario.target.kind {
            TargetKind::App => runtime.block_on(app(plan, options, dir, lab, url)).map(Some),
            TargetKind::Store | TargetKind::Redis => Ok(None),
        };
        let mut lab = runtime.block_on(lab(plan, &options.redis))?;
        if !lab.is_managed() {
            lab.keep(Arc::new(runtime.block_on(journal(plan, &lab))?));
        }
        let lab = Arc::new(lab);
        if plan.faults.is_empty() {
            let url = lab.url().clone();
            let app = app(&lab, &url)?;
            return Ok(Self { lab, url, app, faults: Vec::new(), _server: None });
        }
        let server = ProxyServer::start(plan.seed)?;
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let proxy = runtime.block_on(server.create("redis", anywhere, lab.upstream(), true))?;
        let url = lab.url_through(proxy.listen_addr())?;
        let app = app(&lab, &url)?;
        let mut context = FaultContext::new(lab.clone(), proxy);
        if let Some(app) = &app {
            context = context.with_app(app.clone());
        }
        let faults = context.build(&plan.faults)?;
        Ok(Self { lab, url, app, faults, _server: Some(server) })
    }

    /// Leaves no trace on a Redis that was there before.
    pub fn down(self, runtime: &Runtime) -> Result<(), DrillError> {
        runtime.block_on(self.lab.tear_down())?;
        match self.lab.journal() {
            Some(journal) if !journal.close()? => Err(LabError::JournalOpen {
                what: format!("not every change of {} could be undone", self.lab.url()),
                journal: journal.path().to_owned(),
                cure: "try again: firedrill heal".to_owned(),
            }
            .into()),
            _ => Ok(()),
        }
    }
}

/// Whether `plan` can be carried out on a Redis that the drill does not own.
///
/// # Errors
/// [`LabError::ProcessFaultOnExternal`] for the first fault that needs the server's process.
pub fn fits_external(plan: &Plan, url: &RedisUrl) -> Result<(), DrillError> {
    match plan.faults.iter().find(|fault| fault.kind.needs_process()) {
        Some(fault) => Err(LabError::ProcessFaultOnExternal { fault: fault.kind.name(), url: url.to_string() }.into()),
        None => Ok(()),
    }
}

async fn app(
    plan: &Plan,
    options: &Options,
    dir: &Path,
    lab: &Lab,
    url: &RedisUrl,
) -> Result<Arc<AppProcess>, LabError> {
    let config = AppConfig {
        binary: options.session_server.clone(),
        environment: environment(&plan.scenario.store, url, lab.prefix().as_str()),
        logs: dir.to_owned(),
        start_deadline: APP_DEADLINE,
    };
    Ok(Arc::new(AppProcess::start(config).await?))
}

/// The journal of a drill on a Redis that outlives it, begun before its first key is made.
async fn journal(plan: &Plan, lab: &Lab) -> Result<Journal, LabError> {
    let redis = RedisRecord {
        url: lab.url().without_password()?,
        password: lab.url().password().is_some(),
        run_id: lab.info().await?.run_id,
        prefix: lab.prefix().clone(),
        nonce: lab.nonce().to_owned(),
        server_faults: plan.faults.iter().any(|fault| fault.kind.changes_server()),
    };
    let header = Header {
        journal: journal::FORMAT,
        owner: Owner::this_process(),
        scenario: plan.scenario.name.clone(),
        began: firedrill_reports::text::rfc3339(std::time::SystemTime::now()),
        redis: Some(redis),
    };
    journal::claim(&journal::place::folder()?, &header)
}

async fn lab(plan: &Plan, choice: &RedisChoice) -> Result<Lab, LabError> {
    let spec = &plan.scenario.lab;
    let persistence = spec.redis.persistence;
    let maxmemory_mb = Some(u32::try_from(spec.redis.maxmemory.0.div_ceil(1 << 20)).unwrap_or(u32::MAX));
    match (choice, spec.kind) {
        (RedisChoice::External(url), _) => Lab::external(url.clone(), ADMIN_DEADLINE).await,
        (RedisChoice::Managed(binary), LabKind::Managed) => {
            let binary = binary.clone();
            Lab::managed(&ManagedConfig { binary, persistence, maxmemory_mb, ..ManagedConfig::default() }).await
        }
        (RedisChoice::Managed(_), LabKind::Docker) => {
            let image = spec.image.clone().unwrap_or_else(|| DEFAULT_IMAGE.to_owned());
            Lab::docker(&DockerConfig { image, persistence, maxmemory_mb, ..DockerConfig::default() }).await
        }
    }
}
