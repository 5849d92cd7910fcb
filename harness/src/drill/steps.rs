//! The steps of a drill between setup and judgement.

use std::sync::Arc;
use std::time::Duration;

use firedrill_reports::run::Gate;
use firedrill_reports::text;
use tokio::sync::mpsc::UnboundedReceiver;

use super::around::{build, each_once, must_work, settle};
use super::deploy::Deployer;
use super::error::DrillError;
use super::hearsay::Hearsay;
use super::observer::{FaultChange, Happening, Stage};
use super::order::Order;
use super::recorder::{Recorder, StepResult};
use super::setup::Setup;
use crate::fault::{Cue, FaultReport, Nemesis, NemesisPlan, NoteSink};
use crate::history::{Note, Reported, Step};
use crate::load::LoadSummary;
use crate::microbench::{self, MicrobenchError};
use crate::scenario::FinalReads;
use crate::target::Operation;
use crate::targets::{Driver, Generator, Job, Site};

/// The load starts this long after everything is ready, so that every worker is there at the first planned instant.
const LEAD: Duration = Duration::from_millis(300);

/// How long the final reads wait for the target to settle after the load.
const SETTLE_DEADLINE: Duration = Duration::from_secs(30);

/// The most rounds of final reads. Failed reads are repeated after a pause, in which a store that was just built, or
/// has lost its connection again, can connect.
const FINAL_ATTEMPTS: usize = 4;
const FINAL_PAUSE: Duration = Duration::from_secs(1);

/// A drill with a running lab.
pub struct Steps<'a> {
    order: &'a Order,
    setup: &'a Setup,
    site: Site,
    /// The target.
    pub target: Arc<dyn Driver>,
    /// Records everything.
    pub recorder: Recorder,
    /// What the stores report, until the load starts; then it goes to the observer.
    reported: Option<UnboundedReceiver<Reported>>,
    hearsay: Option<Hearsay>,
}

impl<'a> Steps<'a> {
    /// Builds the target.
    pub async fn begin(order: &'a Order, setup: &'a Setup) -> Result<Self, DrillError> {
        let recorder = Recorder::new(order);
        let reported = Some(recorder.notes().listen());
        let site = setup.site(&order.plan, recorder.notes());
        let target = build(order, site.clone()).await?;
        Ok(Self { order, setup, site, target, recorder, reported, hearsay: None })
    }

    /// Measures the scenario's claims on an otherwise idle Redis.
    pub async fn claims(&self) -> Result<Vec<Gate>, DrillError> {
        let claims = &self.order.plan.scenario.claims;
        if claims.is_empty() {
            return Ok(Vec::new());
        }
        self.order.step(Stage::Setup, "measuring the claims");
        let lab = &self.setup.lab;
        let bytes = self.order.plan.scenario.load.first().map_or(0, |load| load.payload.largest().0);
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let measuring = async {
            let site = microbench::Site::at(lab.url(), lab.prefix(), bytes).await?;
            Ok::<_, MicrobenchError>(microbench::prove(claims, &site).await)
        };
        Ok(measuring.await?)
    }

    /// Step 3. Returns why the target is unhealthy, if it is: a drill that starts unhealthy proves nothing.
    ///
    /// # Errors
    /// If the whole preload failed: [`RedisFailure::Lacks`](crate::lab::RedisFailure::Lacks) if Redis itself refuses
    /// what the target sends, else [`DrillError::NothingWorked`].
    pub async fn preload_and_warm_up(&mut self) -> Result<Option<String>, DrillError> {
        let plan = &self.order.plan;
        self.order.step(Stage::Preparation, "preloading");
        let preload = self.list(Step::Preload, plan.load.preload()).await?;
        must_work(&preload, self.order, self.setup).await?;
        self.order.step(Stage::Preparation, "warming up");
        let warmup = self.list(Step::Warmup, plan.load.warmup()).await?;
        let allowed = plan.scenario.steady.errors.0;
        let unhealthy = [("preload", preload), ("warm-up", warmup)]
            .into_iter()
            .find(|(_, result)| result.total() > 0 && result.not_ok() > allowed);
        Ok(unhealthy.map(|(step, result)| {
            let share = text::percent(result.not_ok());
            format!("the target was not healthy at the start: {share} of the {step} was not ok")
        }))
    }

    /// Steps 4 and 5: load and faults on one clock. When the load is over or ends early, every fault is undone.
    pub async fn load_and_faults(&mut self) -> Result<(LoadSummary, Vec<FaultReport>), DrillError> {
        let plan = &self.order.plan;
        let clock = self.recorder.start_clock(LEAD)?;
        let observer = &self.order.observer;
        observer.see(&Happening::LoadStarts { clock });
        self.hearsay = self.reported.take().map(|reported| Hearsay::pass_on(reported, clock, observer.clone()));
        self.target.load_begins(clock);
        let nemesis = Nemesis::start(NemesisPlan {
            faults: self.setup.faults.clone(),
            timeline: plan.timeline.clone(),
            by_hand: self.order.by_hand.clone(),
            clock,
            load_ends: plan.load.end(),
            waits: match plan.cue {
                Cue::Scenario => NemesisPlan::waits(&plan.faults, &self.recorder.notes()),
                Cue::Hand | Cue::Repeated => Vec::new(),
            },
            note: self.note_sink(),
        })?;
        let deployer = Deployer::start(plan, self.target.clone(), clock, self.order.observer.clone());
        let loaded = self.drive(self.target.clone(), Job::Load(Arc::new(plan.load.clone()))).await;
        drop(deployer);
        let mut faults = nemesis.finish().await;
        for report in &mut faults {
            if let Some(spec) = plan.faults.get(report.index as usize) {
                self.setup.struck.complete(report, spec.kind.hits(), &clock);
            }
        }
        Ok((loaded?.0, faults))
    }

    /// Step 6: waits until the target has settled, or for a deadline. Under a fault that could not be undone it never
    /// settles.
    pub async fn settle(&self, faults: &[FaultReport]) {
        self.order.step(Stage::Recovery, "waiting for recovery");
        if faults.iter().any(|fault| fault.onset.is_some() && fault.end.is_none()) {
            return;
        }
        settle(&*self.target, &self.order.stop, SETTLE_DEADLINE).await;
    }

    /// Scans the drill's keys directly and returns the number of sessions. If this fails there is no note, and the
    /// checker that needs it has no verdict.
    pub async fn scan_keys(&self) -> Option<u64> {
        let sessions = self.setup.lab.session_keys().await;
        match self.setup.lab.scan_keys().await {
            Ok(scan) => self.recorder.notes().add(move |at| Note::KeyScan {
                at,
                keys: scan.keys,
                immortal: scan.immortal,
                immortal_count: scan.immortal_count,
            }),
            Err(error) => tracing::warn!(%error, "the drill's keys could not be scanned"),
        }
        sessions.ok().map(|keys| keys.len() as u64)
    }

    /// Step 7: reads every session that ever existed, by default through a target that remembers nothing.
    pub async fn final_reads(&mut self, load: &LoadSummary) -> Result<(), DrillError> {
        self.order.step(Stage::Recovery, "final reads");
        let plan = &self.order.plan;
        if plan.scenario.final_reads() == FinalReads::Rebuilt {
            self.rebuild().await?;
        }
        let mut sessions = plan.load.pool();
        sessions.extend(&load.created);
        let mut next = load.next_index.max(plan.load.first_index());
        let all = sessions.clone();
        for attempt in 0..FINAL_ATTEMPTS {
            if sessions.is_empty() || self.order.stop.is_cancelled() {
                break;
            }
            if attempt > 0 {
                tokio::time::sleep(FINAL_PAUSE).await;
            }
            let reads = plan.load.final_reads(next, &sessions);
            next += reads.len() as u64;
            match self.list(Step::Final, reads).await {
                Ok(read) => sessions = read.troubled,
                // Out of threads: one may be free after the pause.
                Err(DrillError::Runtime(_)) if attempt + 1 < FINAL_ATTEMPTS => {}
                Err(error) => return Err(error),
            }
        }
        let revisits = plan.load.final_revisits(next, &all);
        if !revisits.is_empty() && !self.order.stop.is_cancelled() {
            self.list(Step::Final, revisits).await?;
        }
        Ok(())
    }

    /// Replaces the target with one that remembers nothing, if one can be built.
    async fn rebuild(&mut self) -> Result<(), DrillError> {
        let rebuilt = match (self.target.rebuilt().await.map_err(DrillError::Target)?, &self.order.target) {
            (None, Some(own)) => own.rebuild(self.site.clone()).await.map_err(DrillError::Target)?,
            (rebuilt, _) => rebuilt,
        };
        // Plain commands remember nothing, so there is nothing to rebuild.
        if rebuilt.is_some() || self.order.target.is_none() {
            self.recorder.notes().add(|at| Note::StoreRebuilt { at });
        }
        if let Some(rebuilt) = rebuilt {
            self.target = rebuilt;
        }
        Ok(())
    }

    /// Runs each operation once.
    async fn list(&mut self, step: Step, operations: Vec<Operation>) -> Result<StepResult, DrillError> {
        Ok(self.drive(self.target.clone(), each_once(step, operations)).await?.1)
    }

    async fn drive(&mut self, target: Arc<dyn Driver>, job: Job) -> Result<(LoadSummary, StepResult), DrillError> {
        let (workers, stop) = (self.order.workers, self.order.stop.child_token());
        let generator = Generator { clock: self.recorder.clock(), workers, stop: stop.clone() };
        let (summary, result) = self.recorder.during(&stop, |sink| target.drive(generator, job, sink)).await?;
        Ok((summary?, result))
    }

    /// The nemesis's notes go to the history and to the screen.
    fn note_sink(&self) -> NoteSink {
        let (observer, notes) = (self.order.observer.clone(), self.recorder.notes());
        Arc::new(move |note| {
            let change = match &note {
                Note::FaultOn { at, fault, kind } => Some((true, *at, *fault, kind)),
                Note::FaultOff { at, fault, kind } => Some((false, *at, *fault, kind)),
                _ => None,
            };
            if let Some((on, at, fault, kind)) = change {
                observer.see(&Happening::Fault(FaultChange { fault, kind, on, at_ms: at as f64 / 1e6 }));
            }
            notes.add(|_| note);
        })
    }
}
