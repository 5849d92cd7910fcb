//! One fault's part of the drill: it waits for each of its windows, injects the fault, gathers the evidence, heals, and
//! records what it observed. Whatever happens, an injected fault is healed before its attack ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::by_hand::ByHand;
use super::on::Waiting;
use super::report::{FaultReport, moment};
use super::timeline::Window;
use super::{Fault, FaultError, Impact};
use crate::clock::{Clock, Nanos};
use crate::history::Note;

/// Receives a note the moment a fault begins or ends. Must not block.
pub type NoteSink = Arc<dyn Fn(Note) + Send + Sync>;

/// Time limits for calls to a fault.
#[derive(Debug, Clone, Copy)]
pub(super) struct CallLimits {
    /// For injecting it.
    pub inject: Duration,
    /// For one attempt to heal it; a restart on a large file is the slowest.
    pub heal: Duration,
    /// The number of attempts to heal it.
    pub heal_tries: u32,
    /// The pause between two attempts: a scarce descriptor or thread may become free.
    pub heal_pause: Duration,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self {
            inject: Duration::from_secs(20),
            heal: Duration::from_secs(60),
            heal_tries: 3,
            heal_pause: Duration::from_secs(1),
        }
    }
}

/// Pause between two checks for evidence.
const EVIDENCE_PAUSE: Duration = Duration::from_millis(50);

/// The time for the first check, even in a shorter window.
const EVIDENCE_LEAST: Duration = Duration::from_millis(50);

/// How far a check may overrun its time before it is aborted.
const EVIDENCE_GRACE: Duration = Duration::from_secs(1);

/// One fault, its windows in order, and what it needs to run them.
pub(super) struct Attack {
    pub fault: Arc<dyn Fault>,
    /// Its position in the scenario, from 0.
    pub index: u32,
    pub windows: Vec<Window>,
    /// The switches of a person, if one decides instead of the windows.
    pub by_hand: Option<ByHand>,
    /// What the fault waits for within each window.
    pub waiting: Option<Waiting>,
    /// When the last occurrence was over: the next one waits for what comes later.
    pub idle_since: Nanos,
    pub clock: Clock,
    pub load_ends: Nanos,
    pub note: NoteSink,
    /// Becomes true when the nemesis should stop.
    pub stop: watch::Receiver<bool>,
    pub limits: CallLimits,
}

impl Attack {
    pub async fn run(mut self) -> Vec<FaultReport> {
        let mut reports = Vec::with_capacity(self.windows.len());
        if let Some(by_hand) = self.by_hand.clone() {
            self.obey(&by_hand, &mut reports).await;
        } else {
            for window in std::mem::take(&mut self.windows) {
                reports.push(self.occurrence(&window).await);
            }
        }
        if reports.is_empty() {
            let never = Window { fault: self.index, occurrence: 0, on: self.load_ends, off: self.load_ends };
            let mut report = FaultReport::planned(&never, self.fault.kind(), self.detail());
            report.remark("never injected: nobody started it by hand");
            reports.push(report);
        }
        reports
    }

    /// Injects the fault whenever a person wants it, and heals it when they no longer do, or when the load ends.
    async fn obey(&mut self, by_hand: &ByHand, reports: &mut Vec<FaultReport>) {
        let Some(mut wishes) = by_hand.wishes(self.index) else { return };
        for occurrence in 0.. {
            let is_wanted = tokio::select! {
                biased;
                () = stopped(&mut self.stop) => false,
                () = tokio::time::sleep_until(self.clock.instant(self.load_ends).into()) => false,
                wanted = async { wishes.wait_for(|wanted| *wanted).await.is_ok() } => wanted,
            };
            if !is_wanted {
                return;
            }
            let on = self.clock.now();
            (self.note)(self.asked(on, true));
            let window = Window { fault: self.index, occurrence, on, off: self.load_ends };
            let mut report = self.occurrence(&window).await;
            let ended = report.healing.unwrap_or(on);
            (self.note)(self.asked(ended, false));
            report.planned_for = ended - on;
            reports.push(report);
            // It may have ended by itself: it could not be injected, or the load is over.
            let _ = by_hand.want(self.index, false);
        }
    }

    fn asked(&self, at: Nanos, on: bool) -> Note {
        Note::ByHand { at, fault: self.index, kind: self.fault.kind().to_owned(), on }
    }

    async fn occurrence(&mut self, window: &Window) -> FaultReport {
        let mut report = FaultReport::planned(window, self.fault.kind(), self.detail());
        if window.on >= self.load_ends {
            let (on, end) = (moment(window.on), moment(self.load_ends));
            report.remark(&format!("never injected: planned at {on}, and the load ends at {end}"));
            return report;
        }
        let is_open = self.by_hand.is_some() || self.wait_until(window.on).await;
        // An occurrence that the one before it delayed has waited for its state, too, if only for a moment.
        let has_waited = self.waiting.is_some() && self.clock.now() >= window.on;
        if !is_open && !has_waited {
            let now = moment(self.clock.now());
            report.remark(&format!("never injected: the drill was over at {now}"));
            return report;
        }
        let Some((window, because)) = self.due(window, &mut report).await else { return report };
        self.inject(&mut report).await;
        if report.onset.is_some() {
            self.prove(&window, &mut report).await;
            self.wait_until(window.off).await;
            if let Some(because) = because {
                report.remark(&because);
            }
            if let Some(damage) = self.fault.damage() {
                report.remark(&damage);
            }
        }
        self.heal(&mut report).await;
        if let Some(outcome) = report.onset.and_then(|_| self.fault.outcome()) {
            report.remark(&outcome);
        }
        self.idle_since = self.clock.now();
        report.trusted = report.onset.and_then(|_| self.fault.trusted());
        report
    }

    /// The fault's parameters, and what it waits for.
    fn detail(&self) -> String {
        let words = [self.fault.detail(), self.waiting.as_ref().map_or_else(String::new, Waiting::words)];
        words.into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join(", ")
    }

    /// Waits in `window` for what the fault waits for. Returns when it is on instead, and why; `None` if that did not come
    /// before the end of the load.
    async fn due(&mut self, window: &Window, report: &mut FaultReport) -> Option<(Window, Option<String>)> {
        let Some(waiting) = &mut self.waiting else { return Some((*window, None)) };
        let since = window.on.max(self.idle_since);
        let came = tokio::select! {
            biased;
            () = stopped(&mut self.stop) => None,
            reported = waiting.reached(self.clock.instant(since)) => Some(self.clock.at(reported)),
            () = tokio::time::sleep_until(self.clock.instant(self.load_ends).into()) => None,
        };
        let ((state, begun), after) = (waiting.so_far(), waiting.after());
        if let Some(reported) = came {
            let on = reported.saturating_add(after);
            if on < self.load_ends && self.wait_until(on).await {
                let off = on.saturating_add(window.off - window.on);
                let because = format!("the store reported `{state}` at {}", moment(reported));
                return Some((Window { on, off, ..*window }, Some(because)));
            }
        }
        let (since, now) = (moment(since), moment(self.clock.now()));
        let reported = match begun {
            0 => "never reported".to_owned(),
            1 => "reported once".to_owned(),
            often => format!("reported {often} times"),
        };
        report.remark(&format!("never injected: from {since} to {now}, `{state}` was {reported}"));
        None
    }

    async fn inject(&self, report: &mut FaultReport) {
        let began = self.clock.now();
        report.began = Some(began);
        match in_time("injecting", self.limits.inject, self.fault.inject()).await {
            Ok(()) => {
                let at = self.clock.now();
                report.onset = Some(at);
                tracing::info!(fault = report.index, kind = report.kind, at = %moment(at), "fault on");
                (self.note)(Note::FaultOn { at, fault: report.index, kind: report.kind.to_owned() });
            }
            Err(error) => {
                tracing::warn!(fault = report.index, kind = report.kind, %error, "the fault could not be injected");
                report.remark(&format!("never held: {error}"));
                report.fail(error);
            }
        }
        if let Some(note) = self.fault.note(began, report.onset) {
            (self.note)(note);
        }
    }

    /// Looks for evidence until it is found, the window ends, or the nemesis should stop. The last check is at the
    /// window's end.
    async fn prove(&mut self, window: &Window, report: &mut FaultReport) {
        let off = self.clock.instant(window.off);
        let mut last = false;
        loop {
            let within = off.saturating_duration_since(Instant::now()).max(EVIDENCE_LEAST);
            let fault = self.fault.clone();
            let Impact { bit, evidence } = tokio::select! {
                looked = look(&*fault, within) => looked,
                () = self.cut_short() => break,
            };
            (report.bit, report.evidence) = (bit, evidence);
            let next = Instant::now() + EVIDENCE_PAUSE;
            if bit || last || !self.wait_until(self.clock.at(next.min(off))).await {
                break;
            }
            last = next >= off;
        }
        if !report.bit && !*self.stop.borrow() && self.given_up() {
            // The person who ended it may have done so during a look.
            let last = look(&*self.fault, EVIDENCE_LEAST).await;
            (report.bit, report.evidence) = (last.bit, last.evidence);
        }
        if report.evidence.is_empty() {
            report.remark("no evidence before the drill was over");
        }
    }

    async fn heal(&self, report: &mut FaultReport) {
        report.healing = Some(self.clock.now());
        match heal(&*self.fault, &self.limits).await {
            Ok(()) if report.onset.is_some() => {
                let at = self.clock.now();
                report.end = Some(at);
                tracing::info!(fault = report.index, kind = report.kind, at = %moment(at), "fault off");
                (self.note)(Note::FaultOff { at, fault: report.index, kind: report.kind.to_owned() });
            }
            Ok(()) => {}
            Err(error) => {
                tracing::error!(fault = report.index, kind = report.kind, %error, "the fault could not be undone");
                let remains = format!("it could not be undone: {error}");
                report.remark(&remains);
                report.fail(remains);
            }
        }
    }

    /// Waits until the drill's clock shows `at`; `false` if the nemesis should stop first, or a person ends the fault.
    async fn wait_until(&mut self, at: Nanos) -> bool {
        let at = self.clock.instant(at);
        tokio::select! {
            biased;
            () = self.cut_short() => false,
            () = tokio::time::sleep_until(at.into()) => true,
        }
    }

    /// Returns when the nemesis should stop, or when the person who started the fault ends it.
    async fn cut_short(&mut self) {
        let wishes = self.by_hand.as_ref().and_then(|by_hand| by_hand.wishes(self.index));
        let given_up = async {
            match wishes {
                Some(mut wishes) => drop(wishes.wait_for(|wanted| !wanted).await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = stopped(&mut self.stop) => {}
            () = given_up => {}
        }
    }

    /// Whether the person who started the fault has ended it.
    fn given_up(&self) -> bool {
        self.by_hand.as_ref().is_some_and(|by_hand| !by_hand.is_wanted(self.index))
    }
}

/// Looks for evidence, for about as long as `within`.
async fn look(fault: &dyn Fault, within: Duration) -> Impact {
    let looking = tokio::time::timeout(within + EVIDENCE_GRACE, fault.impact(within)).await;
    looking.unwrap_or_else(|_| Impact { bit: false, evidence: format!("no evidence within {within:?}") })
}

/// Heals `fault`, retrying if the first attempt fails.
pub(super) async fn heal(fault: &dyn Fault, limits: &CallLimits) -> Result<(), FaultError> {
    let mut tries = 1;
    loop {
        match in_time("undoing it", limits.heal, fault.heal()).await {
            Err(error) if tries < limits.heal_tries => {
                tracing::warn!(kind = fault.kind(), %error, "undoing the fault failed, trying again");
                tries += 1;
                tokio::time::sleep(limits.heal_pause).await;
            }
            result => return result,
        }
    }
}

async fn in_time(
    doing: &'static str,
    deadline: Duration,
    call: impl Future<Output = Result<(), FaultError>>,
) -> Result<(), FaultError> {
    tokio::time::timeout(deadline, call).await.unwrap_or(Err(FaultError::Deadline { doing, deadline }))
}

/// Returns when the nemesis should stop, or when the sender of that signal is gone.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use parking_lot::Mutex;

    use super::*;
    use crate::lab::{LabError, ServerError};

    /// A fault that refuses, or whose calls never return.
    #[derive(Default)]
    struct Stubborn {
        refuses: bool,
        inject_hangs: bool,
        heal_hangs: bool,
        evidence_hangs: bool,
        heals: AtomicU32,
    }

    async fn hang(hangs: bool) {
        if hangs {
            std::future::pending::<()>().await;
        }
    }

    #[async_trait::async_trait]
    impl Fault for Stubborn {
        fn kind(&self) -> &'static str {
            "test.stubborn"
        }

        fn detail(&self) -> String {
            String::new()
        }

        async fn inject(&self) -> Result<(), FaultError> {
            hang(self.inject_hangs).await;
            if self.refuses {
                return Err(
                    LabError::Server(ServerError::NotRunning { server: "redis-server", verb: "stopped" }).into()
                );
            }
            Ok(())
        }

        async fn heal(&self) -> Result<(), FaultError> {
            self.heals.fetch_add(1, Relaxed);
            hang(self.heal_hangs).await;
            Ok(())
        }

        async fn impact(&self, _within: Duration) -> Impact {
            hang(self.evidence_hangs).await;
            Impact { bit: true, evidence: "seen".to_owned() }
        }
    }

    /// Runs one window of a few milliseconds; returns the report and the notes, as "on" and "off".
    async fn run(fault: Arc<Stubborn>) -> (FaultReport, Vec<&'static str>) {
        let notes = Arc::new(Mutex::new(Vec::new()));
        let sink = notes.clone();
        let (_stop, stop) = watch::channel(false);
        let attack = Attack {
            fault,
            index: 0,
            windows: vec![Window { fault: 0, occurrence: 0, on: 1_000_000, off: 5_000_000 }],
            by_hand: None,
            waiting: None,
            idle_since: Nanos::MIN,
            clock: Clock::starting_in(Duration::ZERO),
            load_ends: 1_000_000_000,
            note: Arc::new(move |note| {
                sink.lock().push(match note {
                    Note::FaultOn { .. } => "on",
                    _ => "off",
                });
            }),
            stop,
            limits: CallLimits {
                inject: Duration::from_millis(30),
                heal: Duration::from_millis(30),
                heal_tries: 2,
                heal_pause: Duration::from_millis(1),
            },
        };
        let report = attack.run().await.remove(0);
        let notes = notes.lock().clone();
        (report, notes)
    }

    #[tokio::test]
    async fn a_fault_that_never_takes_hold_is_given_up_and_undone() {
        let fault = Arc::new(Stubborn { inject_hangs: true, ..Stubborn::default() });
        let (report, notes) = run(fault.clone()).await;
        assert_eq!(report.error.as_deref(), Some("injecting took longer than 30ms"));
        assert!(!report.bit && report.onset.is_none() && report.end.is_none());
        assert_eq!(fault.heals.load(Relaxed), 1);
        assert_eq!(notes, [""; 0]);
    }

    #[tokio::test]
    async fn a_fault_that_cannot_be_injected_says_why_and_is_undone_without_waiting_for_its_end() {
        let fault = Arc::new(Stubborn { refuses: true, ..Stubborn::default() });
        let (report, notes) = run(fault.clone()).await;
        assert_eq!(report.error.as_deref(), Some("redis-server is not running: it cannot be stopped"));
        let evidence = "never held: redis-server is not running: it cannot be stopped";
        assert_eq!((report.bit, report.evidence.as_str()), (false, evidence));
        assert!(report.began.is_some() && report.onset.is_none());
        assert_eq!(fault.heals.load(Relaxed), 1);
        assert_eq!(notes, [""; 0]);
    }

    #[tokio::test]
    async fn a_fault_that_cannot_be_undone_is_tried_again_and_then_said_so() {
        let fault = Arc::new(Stubborn { heal_hangs: true, ..Stubborn::default() });
        let (report, notes) = run(fault.clone()).await;
        assert_eq!(report.error.as_deref(), Some("it could not be undone: undoing it took longer than 30ms"));
        assert!(report.onset.is_some() && report.end.is_none());
        assert_eq!(fault.heals.load(Relaxed), 2);
        assert_eq!(notes, ["on"]);
    }

    #[tokio::test]
    async fn a_proof_that_never_comes_is_no_proof() {
        let fault = Arc::new(Stubborn { evidence_hangs: true, ..Stubborn::default() });
        let (report, notes) = run(fault.clone()).await;
        assert!(!report.bit);
        assert!(report.evidence.starts_with("no evidence within"), "{}", report.evidence);
        assert!(report.error.is_none() && report.end.is_some());
        assert_eq!(notes, ["on", "off"]);
    }
}
