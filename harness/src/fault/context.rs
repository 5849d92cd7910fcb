//! What faults work on: the lab and the path to it. Builds the faults of a scenario.

use std::sync::Arc;
use std::time::Duration;

use redis::Cmd;

use super::Fault;
use super::aimed::AimedFault;
use super::clock::{JumpFault, SkewFault};
use super::cluster::MigrateSlotsFault;
use super::detour::Detour;
use super::direct::Direct;
use super::doors::{Doorway, ProxyDoors};
use super::error::FaultError;
use super::hold::Hold;
use super::keys::{KeysCorruptFault, KeysDeleteFault};
use super::path::{Path, Seen};
use super::process::{DiskFullFault, KillFault, PowerLossFault, SlowStartFault, StopFault, Victim};
use super::proxy::{
    BandwidthFault, DownFault, ImpostorFault, LatencyFault, LimitDataFault, ResetPeerFault, SlicerFault,
    SlowCloseFault, TimeoutFault,
};
use super::server::{
    AuthFault, EvictionFault, IdleTimeoutFault, Lockout, MaxClientsFault, NoReplicasFault, OomFault, PauseFault,
    Paused, ReadonlyFault, ScriptFlushFault, Settings, SlowFault,
};
use super::spec::{FaultKind, FaultSpec};
use crate::clock::StoreClock;
use crate::lab::{AppProcess, Dialer, Lab, LabError};
use crate::proxy::ProxyControl;

/// The lab of one drill, the path through its proxy, and which of them is held down by whom.
#[derive(Clone)]
pub struct FaultContext {
    pub(super) lab: Arc<Lab>,
    /// The application, where one is drilled.
    pub(super) app: Option<Arc<AppProcess>>,
    pub(super) path: Arc<Path>,
    pub(super) holds: Arc<Holds>,
    /// Where the path leads instead.
    pub(super) detour: Arc<Detour>,
    /// What is changed on the server.
    pub(super) settings: Arc<Settings>,
    pub(super) lockout: Arc<Lockout>,
    pub(super) paused: Arc<Paused>,
    /// Whether the store under test lives in memory alone.
    pub(super) in_memory: bool,
    /// The clock of the store under test.
    pub(super) clock: Arc<StoreClock>,
    /// What chance has a part in is drawn from this.
    pub(super) seed: u64,
}

#[derive(Default)]
pub(super) struct Holds {
    /// The server that faults are aimed at.
    pub aimed: Hold,
    /// Who aims now.
    pub aiming: tokio::sync::Mutex<()>,
    pub down: Hold,
    pub dead: Hold,
    pub stopped: Hold,
    pub app_dead: Hold,
    pub app_stopped: Hold,
    pub locked: Hold,
    pub full: Hold,
}

impl FaultContext {
    /// Faults on `lab`, which the load reaches through `proxy`.
    ///
    /// # Errors
    /// [`LabError::TlsSetup`] where a file for it cannot be used.
    pub fn new(lab: Arc<Lab>, proxy: Arc<dyn ProxyControl>) -> Result<Self, LabError> {
        let settings = Arc::new(Settings::new(lab.journal().cloned()));
        let lockout = Arc::new(Lockout::new(lab.url(), lab.nonce()));
        let path = Arc::new(Path::new(proxy, Dialer::of(&lab.access().url)?));
        let (holds, detour, paused, clock) = (Arc::default(), Arc::default(), Arc::default(), Arc::default());
        Ok(Self { lab, app: None, path, holds, detour, settings, lockout, paused, in_memory: false, clock, seed: 0 })
    }

    /// The same, and the application that the load goes to, where there is one.
    pub fn with_app(self, app: Option<Arc<AppProcess>>) -> Self {
        Self { app, ..self }
    }

    /// The same for a store that lives in memory alone, or not.
    pub fn with_store_in_memory(self, in_memory: bool) -> Self {
        Self { in_memory, ..self }
    }

    /// Faults on a `lab` of several servers, each of which announces the proxy of `doors` that stands before it.
    ///
    /// # Errors
    /// As [`FaultContext::new`].
    pub fn behind(lab: Arc<Lab>, doors: Arc<ProxyDoors>) -> Result<Self, LabError> {
        Self::new(lab.clone(), Arc::new(Doorway::new(lab, doors)))
    }

    /// Faults on a `lab` of several servers, which announce their own addresses.
    ///
    /// # Errors
    /// As [`FaultContext::new`].
    pub fn direct(lab: Arc<Lab>) -> Result<Self, LabError> {
        Self::new(lab.clone(), Arc::new(Direct::new(lab)))
    }

    /// The same, with what chance has a part in drawn from `seed`.
    pub fn seeded(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The clock that the store is to be given: faults of time move it.
    pub fn clock(&self) -> Arc<StoreClock> {
        self.clock.clone()
    }

    /// Sends `command` along the path of the load, as the load's own connections would be opened, and reads an answer of
    /// so many `lines`. What has come may hold the answers to the login in front.
    pub(super) async fn ask(&self, command: &Cmd, lines: usize, within: Duration) -> (Seen, Vec<u8>) {
        let mut requests = self.lab.url().login();
        let lines = lines + requests.len();
        requests.push(command.clone());
        let bytes: Vec<u8> = requests.iter().flat_map(Cmd::get_packed_command).collect();
        self.path.ask(&bytes, lines, within).await
    }

    /// The faults of a scenario, in its order.
    ///
    /// # Errors
    /// [`LabError::ProcessFaultOnExternal`](crate::lab::LabError::ProcessFaultOnExternal) where a fault needs a process
    /// that the drill does not own, and [`LabError::NotOurs`](crate::lab::LabError::NotOurs) where it needs more of it.
    pub fn build(&self, specs: &[FaultSpec]) -> Result<Vec<Arc<dyn Fault>>, FaultError> {
        let aimed = |index: u32, spec: &FaultSpec| {
            let fault = self.fault(index, spec)?;
            let is_aimed = self.lab.group().is_some() && spec.kind.hits_one_server();
            Ok(if is_aimed { Arc::new(AimedFault::new(index, fault, self.clone())) } else { fault })
        };
        (0..).zip(specs).map(|(index, spec)| aimed(index, spec)).collect()
    }

    fn fault(&self, index: u32, spec: &FaultSpec) -> Result<Arc<dyn Fault>, FaultError> {
        let topology = self.lab.topology();
        if spec.kind.unfit_on(topology).is_some() {
            return Err(LabError::NotThere { fault: spec.kind.name(), topology: topology.name() }.into());
        }
        if spec.kind.needs_process() {
            self.lab.process(spec.kind.name())?;
        }
        if spec.kind.needs_app() && self.app.is_none() {
            return Err(FaultError::NoApp { fault: spec.kind.name() });
        }
        Ok(match spec.kind {
            FaultKind::ProxyDown(_) => Arc::new(DownFault::new(index, self.clone())),
            FaultKind::ProxyLatency(latency) => Arc::new(LatencyFault::new(index, latency, self.path.clone())),
            FaultKind::ProxyTimeout(timeout) => Arc::new(TimeoutFault::new(index, timeout, self.path.clone())),
            FaultKind::ProxyBandwidth(line) => Arc::new(BandwidthFault::new(index, line, self.path.clone())),
            FaultKind::ProxySlowClose(close) => Arc::new(SlowCloseFault::new(index, close, self.path.clone())),
            FaultKind::ProxyResetPeer(reset) => Arc::new(ResetPeerFault::new(index, reset, self.path.clone())),
            FaultKind::ProxySlicer(slicer) => Arc::new(SlicerFault::new(index, slicer, self.path.clone())),
            FaultKind::ProxyLimitData(limit) => Arc::new(LimitDataFault::new(index, limit, self.path.clone())),
            FaultKind::ProxyImpostor(_) => Arc::new(ImpostorFault::new(index, self.clone())?),
            FaultKind::ProcessKill(kill) => Arc::new(KillFault::new(index, kill, self.clone())?),
            FaultKind::ProcessPowerLoss(_) => Arc::new(PowerLossFault::new(index, self.clone())?),
            FaultKind::ProcessDiskFull(_) => Arc::new(DiskFullFault::new(index, self.clone())?),
            FaultKind::ProcessSlowStart(_) => Arc::new(SlowStartFault::new(index, spec.lasting.0, self.clone())?),
            FaultKind::ProcessStop(_) => Arc::new(StopFault::new(index, Victim::Redis, self.clone())),
            FaultKind::AppKill(_) => Arc::new(KillFault::of_app(index, self.clone())),
            FaultKind::AppStop(_) => Arc::new(StopFault::new(index, Victim::App, self.clone())),
            FaultKind::ServerReadonly(_) => Arc::new(ReadonlyFault::new(index, self.clone())?),
            FaultKind::ServerOom(_) => Arc::new(OomFault::new(index, self.clone())?),
            FaultKind::ServerAuth(_) => Arc::new(AuthFault::new(index, self.clone())?),
            FaultKind::ServerMaxClients(_) => Arc::new(MaxClientsFault::new(index, self.clone())?),
            FaultKind::ServerPause(pause) => Arc::new(PauseFault::new(index, pause, spec.lasting, self.clone())?),
            FaultKind::ServerSlow(slow) => Arc::new(SlowFault::new(index, slow, self.clone())?),
            FaultKind::ServerIdleTimeout(idle) => Arc::new(IdleTimeoutFault::new(index, idle, self.clone())?),
            FaultKind::ServerNoReplicas(_) => Arc::new(NoReplicasFault::new(index, self.clone())?),
            FaultKind::ServerScriptFlush(_) => Arc::new(ScriptFlushFault::new(index, self.clone())?),
            FaultKind::ServerEviction(share) => Arc::new(EvictionFault::new(index, share, self.clone())?),
            FaultKind::ClockJump(jump) => Arc::new(JumpFault::new(jump, self.clone())),
            FaultKind::ClockSkew(skew) => Arc::new(SkewFault::new(skew, self.clone())),
            FaultKind::ClusterMigrateSlots(moving) => {
                Arc::new(MigrateSlotsFault::new(moving, spec.lasting.0, self.clone()))
            }
            FaultKind::KeysDelete(keys) => Arc::new(KeysDeleteFault::new(keys, self.clone())),
            FaultKind::KeysCorrupt(keys) => Arc::new(KeysCorruptFault::new(keys, self.clone())),
        })
    }
}
