//! A lab and a target that stay up for several loads. Nothing is recorded on disk, and nothing is judged.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use firedrill_reports::run::Fact;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::around::{build, each_once, must_work, settle};
use super::beside::beside;
use super::error::DrillError;
use super::library::{Planned, make_room};
use super::observer::Stage;
use super::occupation::{Occupation, observe};
use super::order::Order;
use super::recorder::StepResult;
use super::report;
use super::sampler::measured;
use super::setup::Setup;
use super::{resources, runtime};
use crate::clock::{Clock, Nanos};
use crate::fault::Timeline;
use crate::history::{Notes, Step};
use crate::lab::procfs::{self, ProcessorTime};
use crate::lab::{AppProcess, Lab, LabError, NetworkPath, RedisInfo, Server, ServerProcess};
use crate::load::{IntervalBatch, LoadPlan, LoadSummary};
use crate::plan::Plan;
use crate::proxy::ProxyControl;
use crate::target::Operation;
use crate::targets::{Driver, Generator, Job};

/// A load starts this long after everything is ready.
const LEAD: Duration = Duration::from_millis(100);

/// How long the target may take to settle after a load.
const SETTLE: Duration = Duration::from_secs(10);

/// A running lab with its target.
pub struct Standing<'a> {
    order: &'a Order,
    setup: &'a Setup,
    notes: Notes,
    target: Arc<dyn Driver>,
    /// The process of the first Redis, if it runs on this machine.
    redis: Option<u32>,
}

/// What a load left behind.
#[derive(Debug, Clone)]
pub struct Ran {
    /// How it went.
    pub summary: LoadSummary,
    /// The gauges at the beginning of its window.
    pub before: Gauge,
    /// The gauges at its end.
    pub after: Gauge,
    /// What the main thread of the first Redis did between them; empty if it runs elsewhere.
    pub redis: Occupation,
    /// The same of the driven application's instances; empty without one.
    pub application: Occupation,
}

/// Counters at one instant.
#[derive(Debug, Clone)]
pub struct Gauge {
    /// When.
    pub at: Instant,
    /// INFO of every Redis that accepts writes; empty if one does not answer.
    pub redis: Vec<RedisInfo>,
    /// How long a CPU quota has held back the first Redis, nanoseconds; `None` if it runs elsewhere.
    pub redis_throttled_ns: Option<u64>,
    /// The same of the instances of the application that is driven; `None` without one.
    pub application_throttled_ns: Option<u64>,
    /// CPU time of this process, or of the instances of the application that is driven, milliseconds.
    pub process_ms: Option<u64>,
    /// Connections of the target to Redis: those that the drill's proxy carries, or all of the servers' clients but this process.
    pub clients: Option<u64>,
    /// CPU time of this process beside an application, milliseconds; `None` without one.
    pub generator_ms: Option<u64>,
    /// Resident memory of what `process_ms` is about, bytes.
    pub resident: Option<u64>,
    /// The processors of this machine.
    pub processors: Option<ProcessorTime>,
}

impl Planned {
    /// The command that repeats the drill.
    pub fn replay(&self) -> &str {
        &self.0.replay
    }

    /// Sets up the lab and the target as for the drill, but without its faults and deploys, hands them to `work`, and
    /// takes them down.
    ///
    /// # Errors
    /// Any error of `work`, and what keeps a drill from starting.
    pub async fn stand<T: Send + 'static>(
        self,
        work: impl AsyncFnOnce(&Standing<'_>) -> Result<T, DrillError> + Send + 'static,
    ) -> Result<T, DrillError> {
        let mut order = self.0;
        order.plan = Arc::new(undisturbed(&order.plan));
        make_room(&order.dir)?;
        resources::secure(&order)?;
        let stop = order.stop.clone();
        runtime::apart(stop, async move || {
            order.step(Stage::Setup, "starting Redis");
            Setup::during(&order, async |setup| work(&Standing::begin(&order, setup).await?).await).await
        })
        .await
    }
}

/// The plan without faults and deploys.
fn undisturbed(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    plan.faults.clear();
    plan.scenario.fault.clear();
    plan.scenario.deploy.clear();
    plan.timeline = Timeline::plan(&[], plan.seed);
    plan
}

impl<'a> Standing<'a> {
    async fn begin(order: &'a Order, setup: &'a Setup) -> Result<Self, DrillError> {
        let notes = Notes::default();
        let target = build(order, setup.site(&order.plan, notes.clone())).await?;
        let redis = setup.lab.info().await.ok().and_then(|info| on_this_machine(&setup.lab, info.pid));
        Ok(Self { order, setup, notes, target, redis })
    }

    /// The plan, without faults.
    pub fn plan(&self) -> &Plan {
        &self.order.plan
    }

    /// The folder for records: existing and empty.
    pub fn dir(&self) -> &std::path::Path {
        &self.order.dir
    }

    /// Cancelled when the user interrupts.
    pub fn stop(&self) -> &CancellationToken {
        &self.order.stop
    }

    /// Threads that generate load.
    pub fn workers(&self) -> usize {
        self.order.workers
    }

    /// The target.
    pub fn target(&self) -> Arc<dyn Driver> {
        self.target.clone()
    }

    /// What it runs on, in display order.
    pub async fn environment(&self) -> Vec<Fact> {
        report::environment(self.plan(), &self.setup.lab, self.target.describe()).await
    }

    /// The instances of the application that is driven.
    pub fn applications(&self) -> &[Arc<AppProcess>] {
        &self.setup.apps
    }

    /// What the network path to the first Redis takes now.
    ///
    /// # Errors
    /// Why Redis does not answer.
    pub async fn path(&self) -> Result<NetworkPath, LabError> {
        NetworkPath::measure(self.setup.lab.admin()).await
    }

    /// The servers and their keys.
    pub fn lab(&self) -> &Lab {
        &self.setup.lab
    }

    /// Runs each operation once, however it ends. Returns how many the store itself acknowledged.
    ///
    /// # Errors
    /// The load cannot start.
    pub async fn list(&self, target: &Arc<dyn Driver>, operations: Vec<Operation>) -> Result<u64, DrillError> {
        self.each(target, operations).await.map(|result| result.ok())
    }

    /// Runs each operation once, and expects some of them to be acknowledged.
    ///
    /// # Errors
    /// [`DrillError::NothingWorked`] if there are operations and the target acknowledged none; Redis's own words if it refuses
    /// what the target sends.
    pub async fn fill(&self, target: &Arc<dyn Driver>, operations: Vec<Operation>) -> Result<(), DrillError> {
        must_work(&self.each(target, operations).await?, self.order, self.setup).await
    }

    async fn each(&self, target: &Arc<dyn Driver>, operations: Vec<Operation>) -> Result<StepResult, DrillError> {
        let mut result = StepResult::default();
        if !operations.is_empty() {
            let job = each_once(Step::Preload, operations);
            let clock = Clock::starting_in(Duration::ZERO);
            self.drive(target, clock, job, &self.order.stop.child_token(), |batch| result.add(batch)).await?;
        }
        Ok(result)
    }

    /// Runs `plan` on `target` and hands its records to `each`, in batches. Gauges are read at both ends of `window`. What is
    /// in flight `patience` after the end of the plan is given up.
    ///
    /// # Errors
    /// The load cannot start.
    pub async fn load(
        &self,
        target: &Arc<dyn Driver>,
        plan: LoadPlan,
        window: (Nanos, Nanos),
        patience: Duration,
        each: impl FnMut(&IntervalBatch),
    ) -> Result<Ran, DrillError> {
        let clock = Clock::starting_in(LEAD);
        let stop = self.order.stop.child_token();
        let (from, to) = window;
        let gauges = [from, to].map(|at| {
            let (lab, apps, proxy) = (self.setup.lab.clone(), self.setup.apps.clone(), self.setup.proxy.clone());
            tokio::spawn(async move {
                tokio::time::sleep_until(clock.instant(at).into()).await;
                gauge(&lab, &apps, proxy.as_deref()).await
            })
        });
        let given_up = {
            let (stop, at) = (stop.clone(), clock.instant(plan.end()) + patience);
            tokio::spawn(async move {
                tokio::time::sleep_until(at.into()).await;
                stop.cancel();
            })
        };
        let (begin, end) = (clock.instant(from).into(), clock.instant(to).into());
        let applications = self.setup.apps.iter().filter_map(|app| app.pid()).map(|pid| observe(pid, begin, end));
        let applications: Vec<_> = applications.collect();
        let redis: Vec<_> = self.redis.map(|pid| observe(pid, begin, end)).into_iter().collect();
        target.load_begins(clock);
        let ran = self.drive(target, clock, Job::Load(Arc::new(plan)), &stop, each).await;
        given_up.abort();
        let [before, after] = gauges;
        if self.order.stop.is_cancelled() {
            // Nobody reads the gauges of a load that was interrupted.
            after.abort();
            redis.iter().chain(&applications).for_each(JoinHandle::abort);
        }
        let lost = |error: tokio::task::JoinError| DrillError::Runtime(std::io::Error::other(error));
        let before = before.await.map_err(lost)?;
        let after = match after.await {
            Ok(gauge) => gauge,
            Err(error) if error.is_cancelled() => before.clone(),
            Err(error) => return Err(lost(error)),
        };
        settle(&**target, &self.order.stop, SETTLE).await;
        // Notes are for histories.
        self.notes.drain(&clock);
        let (redis, application) = (together(redis).await, together(applications).await);
        Ok(Ran { summary: ran?, before, after, redis, application })
    }

    async fn drive(
        &self,
        target: &Arc<dyn Driver>,
        clock: Clock,
        job: Job,
        stop: &CancellationToken,
        mut each: impl FnMut(&IntervalBatch),
    ) -> Result<LoadSummary, DrillError> {
        let generator = Generator { clock, workers: self.order.workers, stop: stop.clone() };
        let target = target.clone();
        let collect = |batches: &Receiver<IntervalBatch>| {
            while let Ok(batch) = batches.recv() {
                each(&batch);
                batch.recycle();
            }
            Ok(())
        };
        let (summary, ()) = beside(stop, |sink| target.drive(generator, job, sink), collect).await?;
        Ok(summary?)
    }
}

/// What several threads did. One whose observation was cut off counts for nothing.
async fn together(observed: Vec<JoinHandle<Occupation>>) -> Occupation {
    let mut all = Occupation::default();
    for one in observed {
        all = all.plus(one.await.unwrap_or_default());
    }
    all
}

async fn gauge(lab: &Lab, apps: &[Arc<AppProcess>], proxy: Option<&dyn ProxyControl>) -> Gauge {
    let at = Instant::now();
    let (process_ms, processors) = (measured(apps, procfs::cpu_ms), procfs::processors());
    let generator_ms = measured(&[], procfs::cpu_ms).filter(|_| !apps.is_empty());
    let resident = measured(apps, procfs::resident_bytes);
    let mut redis = Vec::new();
    for leader in lab.leaders().await.unwrap_or_default() {
        match leader.info().await {
            Ok(info) => redis.push(info),
            Err(_) => {
                redis.clear();
                break;
            }
        }
    }
    let first = redis.first().and_then(|info| on_this_machine(lab, info.pid));
    let application_throttled_ns = match apps {
        [] => None,
        apps => apps.iter().map(|app| app.pid().and_then(procfs::throttled_ns)).sum(),
    };
    let redis_throttled_ns = first.and_then(procfs::throttled_ns);
    let carried = proxy.and_then(|proxy| Some(proxy.stats()?.open));
    let clients = carried.or_else(|| clients(lab, &redis));
    Gauge {
        at,
        redis,
        clients,
        redis_throttled_ns,
        application_throttled_ns,
        process_ms,
        generator_ms,
        resident,
        processors,
    }
}

/// Clients of the servers, without the connections of this process, which asks for figures; of those that it has to a server on
/// another machine, one is known.
fn clients(lab: &Lab, redis: &[RedisInfo]) -> Option<u64> {
    let all = redis.iter().map(|info| info.connected_clients).reduce(|one, other| one + other)?;
    let own = |server: &Arc<dyn Server>| {
        let url = server.url();
        url.address().parse().map_or(1, procfs::own_connections_to)
    };
    Some(all.saturating_sub(lab.servers().iter().map(own).sum()))
}

/// A pid of another machine or another pid namespace must not be taken for one of this machine: the process has to be a server
/// under the name that Redis and its relatives give themselves, and its Redis on loopback.
fn on_this_machine(lab: &Lab, pid: u32) -> Option<u32> {
    let local = matches!(lab.url().host(), "127.0.0.1" | "::1" | "localhost");
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    let is_server = ["redis-server", "valkey-server"].contains(&name.trim());
    (local && is_server).then_some(pid)
}
