//! The keys of a scenario. Every key has a default except `name`, `about` and the load; the doc comments here are the
//! descriptions in the JSON Schema.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::load_model::LoadSpec;
use crate::fault::{AppRestart, FaultSpec};
use crate::gate::Limits;
use crate::lab::{Persistence, Topology};
use crate::load::Instances;
use crate::metric::Metric;
use crate::microbench::Microbench;
use crate::situation::Situation;
use crate::target::Ability;
use crate::targets::{AppSpec, DeploySpec, Description, FinalReads, OpsSpec, RedisTargetSpec, StoreSpec, TargetKind};
use crate::units::{Bytes, Share, Span};

/// The script of a drill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Short name, `a-z 0-9 -`: it names the run's folder.
    pub name: String,
    /// One sentence: what happens, and what must hold.
    pub about: String,
    /// Words to choose scenarios by (`firedrill run --tag ci`).
    #[serde(default)]
    pub tags: Vec<String>,
    /// All randomness comes from it. Default: a fresh one for every drill, named in the report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Sessions per user: the first ones belong to the first user, and so on. `list` asks for all sessions of a user.
    #[serde(default = "one")]
    pub sessions_per_user: NonZeroU32,
    /// What the drill runs on.
    #[serde(default)]
    pub lab: LabSpec,
    /// The target.
    #[serde(default)]
    pub target: TargetSpec,
    /// Your own application, which is then the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<AppSpec>,
    /// What the operations of the mix are at your own application.
    #[serde(default, skip_serializing_if = "OpsSpec::is_empty")]
    pub op: OpsSpec,
    /// How the store under test is set up.
    #[serde(default)]
    pub store: StoreSpec,
    /// The load: each block has its own sessions; blocks run side by side.
    pub load: Vec<LoadSpec>,
    /// What goes wrong, and when.
    #[serde(default)]
    pub fault: Vec<FaultSpec>,
    /// Changes of the store's settings while the load runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deploy: Vec<DeploySpec>,
    /// What counts as healthy. It must hold before the first fault, and its return ends the recovery.
    #[serde(default)]
    pub steady: SteadySpec,
    /// The answer expected of each checker. A checker that is not named must not answer `invalid` or `unknown`.
    #[serde(default)]
    pub checks: IndexMap<String, Expectation>,
    /// Claims about the store, measured before the load starts: `"redis.read" = "< 10ms"`.
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub claims: Limits<Microbench>,
    /// What must have happened for the drill to mean something: `"unknown.append" = ">= 10"`. Fewer make it inconclusive.
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub situations: Limits<Situation>,
    /// Limits with a verdict: `"<phase>.<metric>" = "<= 1%"`.
    #[serde(default)]
    pub gates: Limits<Metric>,
}

impl Scenario {
    /// The application that it describes.
    pub fn description(&self) -> Option<Description> {
        let deploys = self.deploy.iter().map(|deploy| deploy.env.clone()).collect();
        Some(Description { app: self.app.clone()?, op: self.op.clone(), deploys })
    }

    /// What carries the load: stores, or instances of an application.
    pub fn carriers(&self) -> Instances {
        let store = Instances { count: self.store.instances, routing: self.store.routing };
        self.app.as_ref().map_or(store, AppSpec::carriers)
    }

    /// The scenario's faults, and then each deploy of a changed environment, which restarts the application.
    pub fn disturbances(&self) -> Vec<FaultSpec> {
        let deploys = self.deploy.iter().enumerate().filter(|(_, deploy)| !deploy.env.is_empty());
        let restarts = deploys.map(|(number, deploy)| FaultSpec {
            name: Some(format!("deploy-{number}")),
            ..FaultSpec::once(AppRestart::deploying(deploy.env.clone()), deploy.at, Span::secs(1))
        });
        self.fault.iter().cloned().chain(restarts).collect()
    }

    /// Which store the final reads go through: an application that somebody else started keeps what it has in memory.
    pub fn final_reads(&self) -> FinalReads {
        match self.description() {
            Some(description) if !description.is_started() => FinalReads::Living,
            _ => self.store.final_reads,
        }
    }

    /// Why something that needs `ability` cannot be asked of its target, and what to do instead; `None` if it can.
    pub fn lacks(&self, ability: Ability) -> Option<(String, String)> {
        let kind = self.target.kind;
        if ability == Ability::Expiry && kind.wired(&self.target.redis).is_some() && self.target.redis.expires() {
            return None;
        }
        let Some(description) = self.description() else { return kind.lacks(ability) };
        if matches!(ability, Ability::Process | Ability::HostName) && !description.is_started() {
            let message = "the application at app.url is not the drill's own process";
            return Some((message.to_owned(), "let the drill start it: app.command".to_owned()));
        }
        if ability == Ability::HostName && description.app.compose.is_some() {
            let message = "the application in its container finds names as its image says";
            return Some((message.to_owned(), "leave the fault out, or give a command instead of compose".to_owned()));
        }
        kind.lacks(ability).or_else(|| {
            let help = kind.undescribed(ability, &description)?;
            Some((format!("the application, as described, {}", ability.lacking()), help.to_owned()))
        })
    }

    /// Whether its target has `ability`.
    pub fn has(&self, ability: Ability) -> bool {
        self.lacks(ability).is_none()
    }
}

fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

/// What the drill runs on.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LabSpec {
    /// Where the drill's own Redis runs.
    pub kind: LabKind,
    /// How it is run. Every topology but `standalone` needs the store target, and child processes or, with --redis,
    /// servers that are already running so (`sentinel`, `cluster`).
    pub topology: Topology,
    /// docker: the image, `name:tag`, with `redis-server` on its PATH (default: `redis:7.4-alpine`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The Redis that is started for the drill.
    pub redis: RedisSpec,
    /// Where the proxy in front of Redis listens: for an application that already runs (`app.url`), which must be pointed at
    /// it. Default: a free port of 127.0.0.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<SocketAddr>,
}

/// Where the drill's own Redis runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LabKind {
    /// A child process of the harness.
    #[default]
    Managed,
    /// A container.
    Docker,
}

/// The managed redis-server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RedisSpec {
    /// How Redis keeps its data on disk.
    pub persistence: Persistence,
    /// Redis's memory limit; eviction is off (noeviction) unless a directive sets `maxmemory-policy`.
    pub maxmemory: Bytes,
    /// A redis.conf, by a path relative to the scenario: its directives apply, but for those that the lab decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<PathBuf>,
    /// Further directives of redis.conf: `"client-output-buffer-limit normal 1mb 0 0"`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub directives: Vec<String>,
    /// Commands that an ACL forbids to the store: `"flushall"`, `"client|kill"`, `"@dangerous"`. The store then logs in as a
    /// user of its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub forbidden: Vec<String>,
}

impl Default for RedisSpec {
    fn default() -> Self {
        Self {
            persistence: Persistence::default(),
            maxmemory: Bytes(256 << 20),
            config: None,
            directives: Vec::new(),
            forbidden: Vec::new(),
        }
    }
}

/// The target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TargetSpec {
    /// Which kind of target.
    pub kind: TargetKind,
    /// Lanes: how many operations may be under way at once. In an open loop, further operations wait, and their wait
    /// counts as response time.
    pub connections: u32,
    /// How the `redis` target speaks to Redis.
    #[serde(skip_serializing_if = "RedisTargetSpec::is_default")]
    pub redis: RedisTargetSpec,
}

impl Default for TargetSpec {
    fn default() -> Self {
        Self { kind: TargetKind::default(), connections: 512, redis: RedisTargetSpec::default() }
    }
}

/// What counts as healthy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SteadySpec {
    /// How long it must hold.
    #[serde(rename = "for")]
    pub window: Span,
    /// At most this share of operations may be anything but `ok`.
    pub errors: Share,
    /// If given, the 95th percentile of the response time must stay below this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95: Option<Span>,
}

impl Default for SteadySpec {
    fn default() -> Self {
        Self { window: Span::secs(1), errors: Share(0.0), p95: None }
    }
}

/// What a checker is expected to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Expectation {
    /// It must answer `valid`, and must have had something to examine.
    Valid,
    /// Its answer is shown and does not count.
    Report,
}
