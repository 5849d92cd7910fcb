//! Runs the timeline during the load, on its own thread so that a busy generator does not delay faults. However the
//! drill ends (normally, by Ctrl-C, by a panic), every fault is healed before the nemesis ends.

use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{oneshot, watch};

use super::attack::{Attack, CallLimits, NoteSink, heal};
use super::by_hand::ByHand;
use super::on::Waiting;
use super::report::FaultReport;
use super::spec::FaultSpec;
use super::timeline::{Timeline, Window};
use super::{Fault, FaultError};
use crate::clock::{Clock, Nanos};
use crate::history::Notes;

/// What the nemesis should do.
pub struct NemesisPlan {
    /// The faults, in the order of the scenario.
    pub faults: Vec<Arc<dyn Fault>>,
    /// When each fault begins and ends.
    pub timeline: Timeline,
    /// The switches of a person, if one decides instead of the timeline.
    pub by_hand: Option<ByHand>,
    /// The drill's clock.
    pub clock: Clock,
    /// When the load ends: a fault that would begin then or later would hit nothing and is not injected.
    pub load_ends: Nanos,
    /// What each fault waits for within its windows, in the same order; one beyond the list waits for nothing.
    pub waits: Vec<Option<Waiting>>,
    /// Called for every fault that begins or ends.
    pub note: NoteSink,
}

impl NemesisPlan {
    /// What each of `specs` waits for, of what is added to `notes` from now on.
    pub fn waits(specs: &[FaultSpec], notes: &Notes) -> Vec<Option<Waiting>> {
        let state = |spec: &FaultSpec| Some(Waiting::new(spec.on.as_ref()?.state()?, notes));
        specs.iter().map(state).collect()
    }
}

/// The running faults. Dropping it stops and heals them, and waits for that.
pub struct Nemesis {
    healer: Healer,
    reports: Option<oneshot::Receiver<Vec<FaultReport>>>,
    thread: Option<JoinHandle<()>>,
}

/// Ends all faults from anywhere, such as a Ctrl-C handler.
#[derive(Clone)]
pub struct Healer {
    stop: Arc<watch::Sender<bool>>,
    healed: watch::Receiver<bool>,
}

impl Healer {
    /// Stops the nemesis and returns once every fault is healed. May be called repeatedly, even after the end.
    pub async fn heal_all(&self) {
        self.stop.send_replace(true);
        // An error means that the nemesis is gone, and it ends only after healing.
        let _ = self.healed.clone().wait_for(|healed| *healed).await;
    }
}

impl Nemesis {
    /// Starts to run `plan`.
    ///
    /// # Errors
    /// [`FaultError::Start`] if the system provides no thread.
    pub fn start(plan: NemesisPlan) -> Result<Self, FaultError> {
        let (stop, stopping) = watch::channel(false);
        let (done, healed) = watch::channel(false);
        let (answer, reports) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(FaultError::Start)?;
        let thread = std::thread::Builder::new()
            .name("firedrill-nemesis".into())
            .spawn(move || {
                let reports = runtime.block_on(carry_out(plan, stopping));
                done.send_replace(true);
                // If the nemesis was dropped, nobody waits for the reports.
                let _ = answer.send(reports);
            })
            .map_err(FaultError::Start)?;
        let healer = Healer { stop: Arc::new(stop), healed };
        Ok(Self { healer, reports: Some(reports), thread: Some(thread) })
    }

    /// A handle to end all faults from elsewhere.
    pub fn healer(&self) -> Healer {
        self.healer.clone()
    }

    /// Ends the active faults, and returns the outcome of each occurrence of each fault, in plan order.
    pub async fn finish(mut self) -> Vec<FaultReport> {
        self.healer.stop.send_replace(true);
        match self.reports.take() {
            // The thread ends without a reply only after a panic, which the panic hook has reported.
            Some(reports) => reports.await.unwrap_or_default(),
            None => Vec::new(),
        }
    }
}

impl Drop for Nemesis {
    fn drop(&mut self) {
        self.healer.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Runs all faults' parts concurrently and gathers the reports.
async fn carry_out(plan: NemesisPlan, stop: watch::Receiver<bool>) -> Vec<FaultReport> {
    let mut waits = plan.waits.into_iter();
    let parts: Vec<_> = (0..)
        .zip(&plan.faults)
        .map(|(index, fault)| {
            tokio::spawn(part(Attack {
                fault: fault.clone(),
                index,
                windows: windows_of(&plan.timeline, index),
                by_hand: plan.by_hand.clone(),
                clock: plan.clock,
                waiting: waits.next().flatten(),
                idle_since: Nanos::MIN,
                load_ends: plan.load_ends,
                note: plan.note.clone(),
                stop: stop.clone(),
                limits: CallLimits::default(),
            }))
        })
        .collect();
    let mut reports = Vec::new();
    for part in parts {
        // The part catches panics of the fault's own code; this task only waits.
        reports.extend(part.await.unwrap_or_default());
    }
    reports.sort_by_key(|report| (report.planned_at, report.index, report.occurrence));
    reports
}

/// One fault's part. A fault whose code panics is healed at once, whatever the others are doing.
async fn part(attack: Attack) -> Vec<FaultReport> {
    let (fault, windows) = (attack.fault.clone(), attack.windows.clone());
    match tokio::spawn(attack.run()).await {
        Ok(reports) => reports,
        Err(_) => after_panic(&*fault, &windows).await,
    }
}

fn windows_of(timeline: &Timeline, fault: u32) -> Vec<Window> {
    timeline.windows().iter().copied().filter(|window| window.fault == fault).collect()
}

async fn after_panic(fault: &dyn Fault, windows: &[Window]) -> Vec<FaultReport> {
    const DEFECT: &str = "the fault's own code panicked";
    let error = match heal(fault, &CallLimits::default()).await {
        Ok(()) => format!("{DEFECT}: a defect of Firedrill"),
        Err(error) => format!("{DEFECT}, and it could not be undone: {error}"),
    };
    windows
        .iter()
        .map(|window| {
            let mut report = FaultReport::planned(window, fault.kind(), fault.detail());
            report.remark(DEFECT);
            report.fail(&error);
            report
        })
        .collect()
}
