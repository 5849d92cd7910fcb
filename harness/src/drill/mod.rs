//! One drill, start to end. [`run`] is the list of its steps; everything it calls does one of them.

mod analysis;
mod checked;
mod collector;
mod deploy;
mod driven;
mod driven_app;
mod environment;
mod error;
mod figures;
mod ground;
mod keys;
mod observer;
mod report;
mod told;
mod verdict;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use firedrill_reports::Run;
use firedrill_reports::run::Gate;
use tokio::runtime::Runtime;

use crate::claim::{self, ClaimError};
use crate::fault::{FaultReport, Nemesis, NemesisPlan, NoteSink};
use crate::gate::Metric;
use crate::history::{FORMAT_VERSION, Header, History, Note, Step};
use crate::load::{Engine, LoadPlan, LoadSummary, StopToken};
use crate::plan::Plan;
use crate::proxy::RemoteOptions;
use crate::scenario::{FinalReads, PayloadSpec, TargetKind};
use crate::target::{Operation, RedisTarget};

use analysis::{Circumstances, Findings};
use collector::{Collector, Notes};
use driven::{Drilled, DrilledStore, Site};
use driven_app::DrilledApp;
pub use error::DrillError;
pub use ground::{Ground, RedisChoice, fits_external};
pub use observer::{Observer, Tick};
pub use report::write_report;
use watch::Watch;

/// Operations under way at once in the steps around the load.
const LANES: usize = 32;

/// How long an operation of those steps may take.
const STEP_DEADLINE: Duration = Duration::from_secs(5);

/// The load begins this long after everything is ready, so that every worker is there at the first planned instant.
const LEAD: Duration = Duration::from_millis(300);

/// How long a target may take to be itself again after the load before the final reads are made all the same.
const SETTLE_DEADLINE: Duration = Duration::from_secs(30);

/// How often the final reads are made at most: those that failed are repeated, each time after a pause, in which a store that
/// was just built, or has lost its connection again, finds one.
const FINAL_ATTEMPTS: usize = 4;
const FINAL_PAUSE: Duration = Duration::from_secs(1);

/// How far Redis's and the harness's view of an expiry may lie apart: Redis counts whole milliseconds, and a busy
/// machine answers late.
const TTL_SLACK: Duration = Duration::from_millis(50);

/// How a drill is to be run.
#[derive(Debug, Clone)]
pub struct Options {
    /// On which Redis.
    pub redis: RedisChoice,
    /// The `session-server` binary for a scenario that drives the application, where it is not where it is looked for.
    pub session_server: Option<PathBuf>,
    /// The Toxiproxy server through which faults of the network go, instead of the embedded proxy.
    pub toxiproxy: Option<RemoteOptions>,
    /// Threads that generate load.
    pub workers: usize,
    /// The command line that runs the same drill again.
    pub replay: String,
}

/// Runs a drill and leaves its record in `dir`, which is there and empty.
///
/// # Errors
/// [`DrillError`] where there is nothing to judge: no Redis, no disk. A target that fails is a verdict, not an error.
pub fn run(
    plan: &Arc<Plan>,
    options: &Options,
    dir: &Path,
    observer: &Arc<dyn Observer>,
    stop: &StopToken,
) -> Result<Run, DrillError> {
    let runtime = runtime()?;
    observer.step("starting Redis");
    let ground = Ground::up(plan, options, dir, &runtime)?;
    let collector = Collector::new(dir, header(plan), plan.load_length(), observer.clone());
    let drill = Drill { plan, options, dir, observer, stop, runtime: &runtime, ground: &ground };
    let done = match plan.scenario.target.kind {
        TargetKind::Store => {
            let site = Site {
                plan: plan.clone(),
                access: ground.access.clone(),
                prefix: ground.lab.prefix().as_str().to_owned(),
                clock: ground.clock.clone(),
                notes: collector.notes(),
                runtime: runtime.handle().clone(),
            };
            drill.carry_out(DrilledStore::build(site)?, collector)
        }
        TargetKind::Redis => {
            let target = RedisTarget::new(ground.access.url.expose(), ground.lab.prefix().as_str())?;
            drill.carry_out(target, collector)
        }
        TargetKind::App => {
            let process = ground.app.clone().ok_or(DrillError::NoApp)?;
            let policy = plan.scenario.store.policy;
            drill.carry_out(DrilledApp::new(process, policy, collector.notes(), runtime.handle().clone()), collector)
        }
    };
    // Why the drill failed says more than that it could not tidy up after itself.
    match (done, ground.down(&runtime)) {
        (Ok(_), Err(error)) => Err(error),
        (done, _) => done,
    }
}

/// The runtime that the lab, the store's connection and the nemesis live on; the load has runtimes of its own.
fn runtime() -> Result<Runtime, DrillError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("firedrill-lab")
        .enable_all()
        .build()
        .map_err(DrillError::Runtime)
}

fn header(plan: &Plan) -> Header {
    let scenario = &plan.scenario;
    Header {
        version: FORMAT_VERSION,
        scenario: scenario.name.clone(),
        seed: plan.seed,
        ttl_ns: scenario.store.ttl.nanos(),
        ttl_slack_ns: TTL_SLACK.as_nanos() as i64,
        sliding: scenario.store.sliding,
        sessions_per_user: scenario.sessions_per_user,
        epoch_ms: 0,
    }
}

/// What the steps share.
struct Drill<'a> {
    plan: &'a Arc<Plan>,
    options: &'a Options,
    dir: &'a Path,
    observer: &'a Arc<dyn Observer>,
    stop: &'a StopToken,
    runtime: &'a Runtime,
    ground: &'a Ground,
}

impl Drill<'_> {
    /// The steps 3 to 10, on a lab that is up.
    fn carry_out<T: Drilled>(&self, target: T, mut collector: Collector) -> Result<Run, DrillError> {
        let target = Arc::new(target);
        let mut doubts = Vec::new();

        let claims = self.claims()?;
        self.observer.step("preloading");
        let preload = self.list(&target, &mut collector, Step::Preload, self.plan.load.preload())?;
        self.observer.step("warming up");
        let warmup = self.list(&target, &mut collector, Step::Warmup, self.plan.load.warmup())?;
        doubts.extend(self.unsteady_start(&preload, &warmup));

        self.observer.step("load");
        // Only where it is to be judged: the question itself keeps the target's connection busy.
        let asked = self.plan.gates.iter().any(|gate| gate.metric == Metric::ConnectionDown).then(|| target.clone());
        let watch = Watch::start(self.runtime, self.ground.lab.clone(), self.ground.app.clone(), asked);
        let (load, faults) = self.load_and_faults(&target, &mut collector)?;
        let (resources, counted) = watch.finish(self.runtime, &collector.clock());
        let held = target.held();

        self.observer.step("waiting for recovery");
        self.settle(target.as_ref());
        // Before the final reads: they would give every session they find a new expiry.
        let active = self.scan_keys(&collector.notes());
        self.final_reads(&target, &load, &mut collector)?;

        self.observer.step("checking the history");
        let path = collector.finish()?;
        let (history, tail) = History::load(&path)?;
        let interrupted = self.stop.is_stopped();
        let circumstances = Circumstances {
            load,
            faults,
            counted,
            doubts,
            interrupted,
            resources: &resources,
            active,
            held,
            claims: &claims,
        };
        let findings = Findings::of(self.plan, &history, tail, circumstances);

        self.observer.step("writing the report");
        let mut run = report::record(self.plan, self.options, &history, findings, resources);
        run.claims = claims;
        run.environment = self.runtime.block_on(report::environment(self.plan, &self.ground.lab));
        run.save(self.dir)?;
        write_report(&run, self.dir)?;
        Ok(run)
    }

    /// An engine with this drill's settings.
    fn engine<T: Drilled>(
        &self,
        target: &Arc<T>,
        collector: &Collector,
    ) -> impl Fn(std::sync::mpsc::Sender<crate::load::IntervalBatch>) -> Engine<T> + use<T> {
        let (target, clock, workers, stop) =
            (target.clone(), collector.clock(), self.options.workers, self.stop.clone());
        move |sink| Engine { workers, stop: stop.clone(), ..Engine::new(target.clone(), clock, sink) }
    }

    /// Holds the scenario's claims against probes, on a Redis that has nothing else to do.
    fn claims(&self) -> Result<Vec<Gate>, DrillError> {
        let claims = &self.plan.scenario.claims;
        if claims.is_empty() {
            return Ok(Vec::new());
        }
        self.observer.step("measuring what is claimed");
        let lab = &self.ground.lab;
        let bytes = match self.plan.scenario.load.first().map(|load| load.payload) {
            Some(PayloadSpec::Fixed(size)) | Some(PayloadSpec::Between { max: size, .. }) => size.0,
            None => 0,
        };
        Ok(self.runtime.block_on(async {
            let site = claim::Site::at(lab.url(), lab.prefix(), usize::try_from(bytes).unwrap_or(usize::MAX)).await?;
            Ok::<_, ClaimError>(claim::prove(claims, &site).await)
        })?)
    }

    /// Carries out each operation once.
    fn list<T: Drilled>(
        &self,
        target: &Arc<T>,
        collector: &mut Collector,
        step: Step,
        operations: Vec<Operation>,
    ) -> Result<collector::StepResult, DrillError> {
        let engine = self.engine(target, collector);
        let (done, result) = collector.during(|sink| engine(sink).run_list(step, operations, LANES, STEP_DEADLINE))?;
        done?;
        Ok(result)
    }

    /// Step 3: a drill that starts unhealthy proves nothing.
    fn unsteady_start(&self, preload: &collector::StepResult, warmup: &collector::StepResult) -> Option<String> {
        let allowed = self.plan.scenario.steady.errors.0;
        [("preload", preload), ("warm-up", warmup)]
            .into_iter()
            .find(|(_, result)| result.total() > 0 && result.not_ok() > allowed)
            .map(|(step, result)| {
                let share = firedrill_reports::text::percent(result.not_ok());
                format!("the target was not healthy at the start: {share} of the {step} was not ok")
            })
    }

    /// Steps 4 and 5: load and faults on one clock; when the load is over, or ends early, every fault is undone.
    fn load_and_faults<T: Drilled>(
        &self,
        target: &Arc<T>,
        collector: &mut Collector,
    ) -> Result<(LoadSummary, Vec<FaultReport>), DrillError> {
        let clock = collector.start_clock(LEAD)?;
        target.load_begins(clock);
        let nemesis = Nemesis::start(NemesisPlan {
            faults: self.ground.faults.clone(),
            timeline: self.plan.timeline.clone(),
            clock,
            load_ends: self.plan.load.end(),
            note: self.note_sink(collector.notes()),
        })?;
        let deployer = target
            .switchable()
            .map(|store| deploy::Deployer::start(self.plan, store, clock, self.runtime, self.observer.clone()));
        let engine = self.engine(target, collector);
        let plan = Arc::new(self.plan.load.clone());
        let loaded = collector.during(|sink| engine(sink).run(&plan));
        drop(deployer);
        let faults = self.runtime.block_on(nemesis.finish());
        let (summary, _) = loaded?;
        Ok((summary?, faults))
    }

    /// Where the nemesis leaves its notes: in the history, and on the screen.
    fn note_sink(&self, notes: Notes) -> NoteSink {
        let observer = self.observer.clone();
        Arc::new(move |note| {
            match &note {
                Note::FaultOn { at, kind, .. } => observer.fault(&format!("{kind} on at {:.2} s", *at as f64 / 1e9)),
                Note::FaultOff { at, kind, .. } => observer.fault(&format!("{kind} off at {:.2} s", *at as f64 / 1e9)),
                _ => {}
            }
            notes.add(|_| note);
        })
    }

    /// Step 6: wait until the target is itself again, or a deadline.
    fn settle<T: Drilled>(&self, target: &T) {
        let deadline = Instant::now() + SETTLE_DEADLINE;
        self.runtime.block_on(async {
            while Instant::now() < deadline && !self.stop.is_stopped() && !target.settled().await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
    }

    /// Step 7: reads every session there ever was, by default through a store that remembers nothing.
    fn final_reads<T: Drilled>(
        &self,
        target: &Arc<T>,
        load: &LoadSummary,
        collector: &mut Collector,
    ) -> Result<(), DrillError> {
        self.observer.step("final reads");
        let target = match self.plan.scenario.store.final_reads {
            FinalReads::Living => target.clone(),
            FinalReads::Rebuilt => {
                let rebuilt = Arc::new(target.rebuilt()?);
                collector.notes().add(|at| Note::StoreRebuilt { at });
                rebuilt
            }
        };
        let mut sessions = self.plan.load.pool();
        sessions.extend(&load.created);
        let mut next = load.next_index.max(self.plan.load.first_index());
        for attempt in 0..FINAL_ATTEMPTS {
            if sessions.is_empty() || self.stop.is_stopped() {
                break;
            }
            if attempt > 0 {
                std::thread::sleep(FINAL_PAUSE);
            }
            let reads = LoadPlan::final_reads(next, &sessions);
            next += reads.len() as u64;
            sessions = self.list(&target, collector, Step::Final, reads)?.troubled;
        }
        Ok(())
    }

    /// Looks at the drill's keys directly, and says how many sessions there are. Where that fails there is no note, and
    /// the checker that needs it cannot tell.
    fn scan_keys(&self, notes: &Notes) -> Option<u64> {
        let sessions = self.runtime.block_on(self.ground.lab.session_keys());
        match self.runtime.block_on(self.ground.lab.scan_keys()) {
            Ok(scan) => notes.add(move |at| Note::KeyScan {
                at,
                keys: scan.keys,
                immortal: scan.immortal,
                immortal_count: scan.immortal_count,
            }),
            Err(error) => tracing::warn!(%error, "the drill's keys could not be scanned"),
        }
        sessions.ok().map(|keys| keys.len() as u64)
    }
}
