//! One drill as it is known so far.

use std::collections::BTreeMap;

use firedrill_reports::Run;
use firedrill_reports::run::{Outcome, Verdict};
use firedrill_storage::Event;

use super::buckets::Buckets;
use crate::clock::Clock;
use crate::drill::{FaultChange, Happening, Stage, Tick};
use crate::fault::On;
use crate::history::OpKind;
use crate::plan::Plan;

/// From when to when something was so, in milliseconds on the drill's clock; without an end if it still is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Period {
    pub from_ms: f64,
    pub to_ms: Option<f64>,
}

impl Period {
    fn since(from_ms: f64) -> Self {
        Self { from_ms, to_ms: None }
    }

    /// Whether it is still so.
    pub fn is_open(&self) -> bool {
        self.to_ms.is_none()
    }
}

/// Ends the last period at `at_ms` if it has no end.
fn close(periods: &mut [Period], at_ms: f64) {
    if let Some(last) = periods.last_mut().filter(|last| last.is_open()) {
        last.to_ms = Some(at_ms);
    }
}

/// A fault of the scenario.
#[derive(Debug, Clone)]
pub struct ShownFault {
    pub name: String,
    pub kind: &'static str,
    /// When it is planned, in milliseconds on the drill's clock: beginning and end. Empty if it waits for the store.
    pub planned: Vec<(f64, f64)>,
    /// When it was on.
    pub on: Vec<Period>,
}

/// What a store's circuit breaker does. The numbers are those of session-server's metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Breaker {
    #[default]
    Closed = 0,
    HalfOpen = 1,
    Open = 2,
}

/// What one of the stores reported.
#[derive(Debug, Clone, Default)]
pub struct ShownStore {
    /// When its fallback was active.
    pub fallback: Vec<Period>,
    /// When its breaker was not closed.
    pub away: Vec<Period>,
    pub breaker: Breaker,
}

impl ShownStore {
    /// Whether its fallback is active.
    pub fn is_fallen_back(&self) -> bool {
        self.fallback.last().is_some_and(Period::is_open)
    }

    fn see(&mut self, event: &Event, at_ms: f64) {
        match event {
            Event::FallbackStarted { .. } => {
                // A process that was killed leaves its activation open.
                close(&mut self.fallback, at_ms);
                self.fallback.push(Period::since(at_ms));
            }
            Event::FallbackEnded { .. } => close(&mut self.fallback, at_ms),
            Event::BreakerOpened { .. } => {
                if self.breaker == Breaker::Closed {
                    self.away.push(Period::since(at_ms));
                }
                self.breaker = Breaker::Open;
            }
            Event::BreakerHalfOpen => self.breaker = Breaker::HalfOpen,
            Event::BreakerClosed { .. } => {
                close(&mut self.away, at_ms);
                self.breaker = Breaker::Closed;
            }
            _ => {}
        }
    }
}

/// A second of the load.
#[derive(Debug, Clone, Copy)]
pub struct Second {
    /// Its end, in milliseconds on the drill's clock.
    pub at_ms: f64,
    /// Its length, in seconds.
    pub lasting: f64,
    /// Operations that ended in it, in the order of [`OUTCOMES`].
    pub outcomes: [u64; OUTCOMES.len()],
    /// Median, 95th and 99th percentile of their response times, in milliseconds; `None` without operations.
    pub response_ms: Option<[f64; 3]>,
}

/// The outcomes that are known before the history is judged.
pub const OUTCOMES: [Outcome; 4] = [Outcome::Ok, Outcome::Degraded, Outcome::Failed, Outcome::Unknown];

/// How a drill ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// `None` if it did not run.
    pub verdict: Option<Verdict>,
    /// Why it did not pass, the most important reason first.
    pub reasons: Vec<String>,
}

impl Ended {
    pub fn not_run(reason: &str) -> Self {
        Self { verdict: None, reasons: vec![reason.to_owned()] }
    }

    /// The verdict, or `not-run`.
    pub fn word(&self) -> &'static str {
        self.verdict.map_or("not-run", Verdict::name)
    }
}

/// A drill as it is known so far.
#[derive(Debug, Clone)]
pub struct Shown {
    pub scenario: String,
    pub about: String,
    pub seed: u64,
    /// The planned length of its load.
    pub load_seconds: f64,
    pub faults: Vec<ShownFault>,
    pub stores: Vec<ShownStore>,
    /// `None` while it waits for its turn.
    pub stage: Option<Stage>,
    /// The step of that stage, in words.
    pub step: String,
    /// The drill's clock, once the load is about to start.
    pub clock: Option<Clock>,
    pub seconds: Vec<Second>,
    /// Operations of the load so far.
    pub counts: BTreeMap<(OpKind, Outcome), u64>,
    /// Their response times.
    pub responses: BTreeMap<OpKind, Buckets>,
    pub ended: Option<Ended>,
}

impl Shown {
    /// A drill that waits for its turn.
    pub fn waiting(plan: &Plan) -> Self {
        let windows = |fault: usize| {
            let own = plan.timeline.windows().iter().filter(move |window| window.fault as usize == fault);
            own.map(|window| (window.on as f64 / 1e6, window.off as f64 / 1e6)).collect()
        };
        let fault = |(number, spec): (usize, &crate::fault::FaultSpec)| ShownFault {
            name: spec.called(number),
            kind: spec.kind.name(),
            planned: match spec.on.as_ref().and_then(On::state) {
                Some(_) => Vec::new(),
                None => windows(number),
            },
            on: Vec::new(),
        };
        Self {
            scenario: plan.scenario.name.clone(),
            about: plan.scenario.about.clone(),
            seed: plan.seed,
            load_seconds: plan.load_length().as_secs_f64(),
            faults: plan.faults.iter().enumerate().map(fault).collect(),
            stores: vec![ShownStore::default(); plan.scenario.store.instances.get() as usize],
            stage: None,
            step: String::new(),
            clock: None,
            seconds: Vec::new(),
            counts: BTreeMap::new(),
            responses: BTreeMap::new(),
            ended: None,
        }
    }

    /// The name of its state: `waiting`, a [`Stage`], or `ended`.
    pub fn state(&self) -> &'static str {
        match (self.stage, &self.ended) {
            (_, Some(_)) => ENDED,
            (None, None) => WAITING,
            (Some(stage), None) => stage.name(),
        }
    }

    /// Takes in what happened.
    pub fn see(&mut self, happening: &Happening<'_>) {
        match *happening {
            Happening::Step { stage, text } => {
                self.stage = Some(stage);
                text.clone_into(&mut self.step);
            }
            Happening::LoadStarts { clock } => self.clock = Some(clock),
            Happening::Tick(tick) => self.count(tick),
            Happening::Fault(FaultChange { fault, on, at_ms, .. }) => {
                if let Some(fault) = self.faults.get_mut(fault as usize) {
                    match on {
                        true => fault.on.push(Period::since(at_ms)),
                        false => close(&mut fault.on, at_ms),
                    }
                }
            }
            Happening::Store { instance, event, at_ms } => {
                if let Some(store) = self.stores.get_mut(instance as usize) {
                    store.see(event, at_ms);
                }
            }
            Happening::Judged(run) => self.end(run),
            Happening::Deployed { .. } => {}
        }
    }

    fn count(&mut self, tick: &Tick<'_>) {
        for (kind, outcome, latencies) in tick.each.iter() {
            *self.counts.entry((kind, outcome)).or_default() += latencies.count();
            self.responses.entry(kind).or_default().add(&latencies.response);
        }
        let response = &tick.all.response;
        let quantile = |share| response.value_at_quantile(share) as f64 / 1e6;
        self.seconds.push(Second {
            at_ms: tick.at * 1e3,
            lasting: tick.lasting,
            outcomes: OUTCOMES.map(|wanted| tick.each.count(|_, outcome| outcome == wanted)),
            response_ms: (!response.is_empty()).then(|| [0.5, 0.95, 0.99].map(quantile)),
        });
    }

    fn end(&mut self, run: &Run) {
        self.ended = Some(Ended { verdict: Some(run.verdict), reasons: run.reasons.clone() });
    }
}

/// The state of a drill before its turn.
pub const WAITING: &str = "waiting";
/// The state of a drill that is over.
pub const ENDED: &str = "ended";

/// Every state, in order.
pub fn states() -> impl Iterator<Item = &'static str> {
    let stages = [Stage::Setup, Stage::Preparation, Stage::Load, Stage::Recovery, Stage::Judgement];
    [WAITING].into_iter().chain(stages.map(Stage::name)).chain([ENDED])
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use firedrill_storage::FallbackCause;

    use super::*;
    use crate::measure::OpLatencies;
    use crate::scenario::{Source, parse};

    const MS: i64 = 1_000_000;

    /// A drill with a fault that has just begun its load.
    pub(in super::super) fn shown() -> Shown {
        let text = "name = \"cut-off\"\nabout = \"Redis \\\"goes\\\".\"\n[store]\ninstances = 2\n\
                    [[load]]\nrate = \"50/s\"\nfor = \"6s\"\n\
                    [[fault]]\nname = \"net\"\nkind = \"proxy.down\"\nat = \"2s\"\nfor = \"1s\"\n\
                    [gates]\n\"during.errors\" = \"<= 1%\"\n";
        let source = Source { name: "x.toml".to_owned(), text: text.to_owned() };
        let mut shown = Shown::waiting(&Plan::of(parse(&source, &[]).unwrap(), 7).unwrap());
        assert_eq!(shown.state(), "waiting");
        shown.see(&Happening::Step { stage: Stage::Load, text: "load" });
        shown
    }

    /// A second in which two reads took 4 ms and an append failed after 60 ms.
    pub(in super::super) fn second(shown: &mut Shown, at: f64) {
        let mut each = OpLatencies::default();
        each.record(OpKind::Read, Outcome::Ok, 0, MS, 4 * MS);
        each.record(OpKind::Read, Outcome::Ok, 0, MS, 4 * MS);
        each.record(OpKind::Append, Outcome::Failed, 0, 0, 60 * MS);
        let all = each.sum(|_, _| true);
        let (lasting, of) = (1.0, 6.0);
        let tick = Tick { at, lasting, of, rate: 3.0, p95_ms: 60.0, degraded: 0, errors: 1, all: &all, each: &each };
        shown.see(&Happening::Tick(&tick));
    }

    pub(in super::super) fn fault(shown: &mut Shown, on: bool, at_ms: f64) {
        shown.see(&Happening::Fault(FaultChange { fault: 0, kind: "proxy.down", on, at_ms }));
    }

    pub(in super::super) fn store(shown: &mut Shown, instance: u32, event: &Event, at_ms: f64) {
        shown.see(&Happening::Store { instance, event, at_ms });
    }

    #[test]
    fn operations_add_up_over_the_seconds() {
        let mut shown = shown();
        second(&mut shown, 1.0);
        second(&mut shown, 2.0);
        assert_eq!(shown.counts[&(OpKind::Read, Outcome::Ok)], 4);
        assert_eq!(shown.counts[&(OpKind::Append, Outcome::Failed)], 2);
        assert_eq!(shown.responses[&OpKind::Read].count(), 4);
        assert_eq!((shown.seconds.len(), shown.seconds[1].at_ms, shown.seconds[1].outcomes), (2, 2e3, [2, 0, 1, 0]));
        let [p50, p95, _] = shown.seconds[1].response_ms.unwrap();
        assert!((p50 - 4.0).abs() < 0.01 && (p95 - 60.0).abs() < 0.1, "{p50} {p95}");
    }

    #[test]
    fn faults_fallbacks_and_breakers_have_their_periods() {
        let mut shown = shown();
        assert_eq!(shown.faults[0].planned, [(2e3, 3e3)]);
        fault(&mut shown, true, 2_001.0);
        assert!(shown.faults[0].on[0].is_open());
        fault(&mut shown, false, 3_001.0);
        assert_eq!(shown.faults[0].on, [Period { from_ms: 2_001.0, to_ms: Some(3_001.0) }]);

        let away = Event::FallbackStarted { cause: FallbackCause::Timeout };
        store(&mut shown, 1, &away, 2_010.0);
        assert!(shown.stores[1].is_fallen_back() && !shown.stores[0].is_fallen_back());
        // A second one without an end between them: the process was killed.
        store(&mut shown, 1, &away, 2_500.0);
        store(&mut shown, 1, &Event::FallbackEnded { lasted: Duration::ZERO, served: 1 }, 3_100.0);
        let periods: Vec<_> = shown.stores[1].fallback.iter().map(|one| (one.from_ms, one.to_ms)).collect();
        assert_eq!(periods, [(2_010.0, Some(2_500.0)), (2_500.0, Some(3_100.0))]);

        for (event, state) in [
            (Event::BreakerOpened { opens: 1, probes: 0 }, Breaker::Open),
            (Event::BreakerHalfOpen, Breaker::HalfOpen),
            (Event::BreakerOpened { opens: 2, probes: 1 }, Breaker::Open),
            (Event::BreakerClosed { lasted: Duration::ZERO, probes: 2 }, Breaker::Closed),
        ] {
            store(&mut shown, 0, &event, 5_000.0);
            assert_eq!(shown.stores[0].breaker, state);
        }
        assert_eq!(shown.stores[0].away, [Period { from_ms: 5_000.0, to_ms: Some(5_000.0) }]);
    }

    #[test]
    fn the_state_is_the_stage_until_the_end() {
        let mut shown = shown();
        assert_eq!(shown.state(), "load");
        shown.see(&Happening::Judged(&Run { verdict: Verdict::Passed, ..Run::default() }));
        assert_eq!((shown.state(), shown.ended.as_ref().unwrap().word()), ("ended", "passed"));
        let all: Vec<_> = states().collect();
        assert_eq!(all, ["waiting", "setup", "preparation", "load", "recovery", "judgement", "ended"]);
    }
}
