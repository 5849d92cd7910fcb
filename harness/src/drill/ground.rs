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
use crate::lab::{AppConfig, AppProcess, Lab, LabError, ManagedConfig, RedisUrl};
use crate::plan::Plan;
use crate::proxy::ProxyServer;
use crate::scenario::TargetKind;

/// Every call to an external Redis that is not part of the load gets this long.
const ADMIN_DEADLINE: Duration = Duration::from_secs(5);

/// The time the application may take to start.
const APP_DEADLINE: Duration = Duration::from_secs(30);

/// Which Redis a drill runs on.
#[derive(Debug, Clone)]
pub enum RedisChoice {
    /// A redis-server of the drill's own; the binary, where it is not the one on PATH.
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
        let lab = Arc::new(runtime.block_on(lab(plan, &options.redis))?);
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
        Ok(runtime.block_on(self.lab.tear_down())?)
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

async fn lab(plan: &Plan, choice: &RedisChoice) -> Result<Lab, LabError> {
    match choice {
        RedisChoice::Managed(binary) => {
            let redis = &plan.scenario.lab.redis;
            let config = ManagedConfig {
                binary: binary.clone(),
                persistence: redis.persistence,
                maxmemory_mb: Some(u32::try_from(redis.maxmemory.0.div_ceil(1 << 20)).unwrap_or(u32::MAX)),
                ..ManagedConfig::default()
            };
            Lab::managed(&config).await
        }
        RedisChoice::External(url) => Lab::external(url.clone(), ADMIN_DEADLINE).await,
    }
}
