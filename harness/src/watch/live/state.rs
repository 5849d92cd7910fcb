//! What the live page asks for twice a second, as JSON. `reports/src/html/live.js` reads it.

use serde::Serialize;

use super::super::shown::{Breaker, Period, Second, Shown, ShownFault, ShownStore};
use crate::fault::ByHand;

/// The answer to a page that shows one drill of an invocation.
#[derive(Serialize)]
pub struct State<'a> {
    /// Whether no more drill will run.
    pub over: bool,
    /// Whether the drills are being stopped.
    pub stopping: bool,
    /// Where the runs are.
    pub out: &'a str,
    /// Every drill, in the order of the command line.
    pub drills: Vec<Entry<'a>>,
    /// The number of the one that runs, or has run last.
    pub running: usize,
    /// The one that is shown.
    pub drill: Option<Detail<'a>>,
}

/// A drill in the list.
#[derive(Serialize)]
pub struct Entry<'a> {
    scenario: &'a str,
    state: &'static str,
    /// `passed`, `failed`, `inconclusive`, `interrupted` or `not-run`; absent before the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<&'static str>,
    /// Whether there is a report.
    report: bool,
}

impl<'a> Entry<'a> {
    pub fn of(shown: &'a Shown) -> Self {
        let ended = shown.ended.as_ref();
        Self {
            scenario: &shown.scenario,
            state: shown.state(),
            verdict: ended.map(|ended| ended.word()),
            report: ended.is_some_and(|ended| ended.verdict.is_some()),
        }
    }

    /// Whether there is a report.
    pub fn has_report(&self) -> bool {
        self.report
    }
}

/// The drill that is shown. Times are milliseconds on its clock.
#[derive(Serialize)]
pub struct Detail<'a> {
    number: usize,
    about: &'a str,
    seed: String,
    step: &'a str,
    load_ms: f64,
    /// The time now; absent before the load.
    #[serde(skip_serializing_if = "Option::is_none")]
    now_ms: Option<f64>,
    /// The seconds of the load that the page does not have yet.
    seconds: Vec<Point>,
    /// Operations so far, in the order of the outcomes.
    totals: [u64; 4],
    faults: Vec<Fault<'a>>,
    fallback: Vec<Span>,
    breaker: Vec<Span>,
    /// `closed`, `half-open` or `open`; of several stores, the worst.
    breaker_state: &'static str,
    reasons: &'a [String],
}

impl<'a> Detail<'a> {
    /// The drill with this number from its second `from` on; `by_hand` if its faults are started and ended by hand.
    pub fn of(number: usize, shown: &'a Shown, from: usize, by_hand: Option<&ByHand>) -> Self {
        let fault = |(number, fault)| Fault::of(fault, by_hand.map(|by_hand| by_hand.is_wanted(number)));
        let of_stores =
            |periods: fn(&ShownStore) -> &[Period]| shown.stores.iter().flat_map(periods).map(span).collect();
        let breaker = shown.stores.iter().map(|store| store.breaker).max_by_key(|breaker| *breaker as u8);
        Self {
            number,
            about: &shown.about,
            // All 64 bits, which a number in a browser does not hold.
            seed: shown.seed.to_string(),
            step: &shown.step,
            load_ms: shown.load_seconds * 1e3,
            now_ms: shown.clock.filter(|_| shown.ended.is_none()).map(|clock| clock.now() as f64 / 1e6),
            seconds: shown.seconds.iter().skip(from).map(Point::of).collect(),
            totals: shown
                .seconds
                .iter()
                .fold([0; 4], |sum, second| std::array::from_fn(|outcome| sum[outcome] + second.outcomes[outcome])),
            faults: (0..).zip(&shown.faults).map(fault).collect(),
            fallback: of_stores(|store| &store.fallback),
            breaker: of_stores(|store| &store.away),
            breaker_state: match breaker.unwrap_or_default() {
                Breaker::Closed => "closed",
                Breaker::HalfOpen => "half-open",
                Breaker::Open => "open",
            },
            reasons: shown.ended.as_ref().map_or(&[], |ended| &ended.reasons),
        }
    }
}

/// From when to when; without an end if it still lasts.
type Span = (f64, Option<f64>);

fn span(period: &Period) -> Span {
    (period.from_ms, period.to_ms)
}

#[derive(Serialize)]
struct Point {
    at_ms: f64,
    lasting: f64,
    outcomes: [u64; 4],
    #[serde(skip_serializing_if = "Option::is_none")]
    response_ms: Option<[f64; 3]>,
}

impl Point {
    fn of(second: &Second) -> Self {
        let Second { at_ms, lasting, outcomes, response_ms } = *second;
        Self { at_ms, lasting, outcomes, response_ms }
    }
}

#[derive(Serialize)]
struct Fault<'a> {
    name: &'a str,
    kind: &'a str,
    /// Beginnings and ends; empty if nobody planned them.
    planned: Vec<(f64, f64)>,
    on: Vec<Span>,
    /// Whether somebody has asked for it to be on; absent if faults begin by themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    wanted: Option<bool>,
}

impl<'a> Fault<'a> {
    fn of(fault: &'a ShownFault, wanted: Option<bool>) -> Self {
        Self {
            name: &fault.name,
            kind: fault.kind,
            planned: if wanted.is_some() { Vec::new() } else { fault.planned.clone() },
            on: fault.on.iter().map(span).collect(),
            wanted,
        }
    }
}

#[cfg(test)]
mod tests {
    use firedrill_storage::{Event, FallbackCause};
    use serde_json::{Value, json};

    use super::super::super::shown::tests::{fault, second, shown, store};
    use super::*;

    fn detail(shown: &Shown, from: usize, by_hand: Option<&ByHand>) -> Value {
        serde_json::to_value(Detail::of(0, shown, from, by_hand)).unwrap()
    }

    #[test]
    fn a_page_gets_the_seconds_that_it_lacks_and_everything_else() {
        let mut shown = shown();
        second(&mut shown, 1.0);
        second(&mut shown, 2.0);
        fault(&mut shown, true, 2_001.0);
        store(&mut shown, 1, &Event::FallbackStarted { cause: FallbackCause::Timeout }, 2_010.0);
        let detail = detail(&shown, 1, None);
        assert_eq!(detail["seconds"].as_array().unwrap().len(), 1);
        assert_eq!(detail["seconds"][0]["at_ms"], 2e3);
        assert_eq!((&detail["totals"], &detail["seed"]), (&json!([4, 0, 2, 0]), &json!("7")));
        assert_eq!(
            detail["faults"][0],
            json!({"name": "net", "kind": "proxy.down", "planned": [[2e3, 3e3]], "on": [[2_001.0, null]]})
        );
        assert_eq!((&detail["fallback"], &detail["breaker_state"]), (&json!([[2_010.0, null]]), &json!("closed")));
        let entry = serde_json::to_value(Entry::of(&shown)).unwrap();
        assert_eq!(entry, json!({"scenario": "cut-off", "state": "load", "report": false}));
    }

    #[test]
    fn a_fault_that_is_started_by_hand_has_no_plan_and_says_what_is_wanted() {
        let (shown, by_hand) = (shown(), ByHand::of(1));
        by_hand.want(0, true).unwrap();
        let fault = &detail(&shown, 0, Some(&by_hand))["faults"][0];
        assert_eq!(fault, &json!({"name": "net", "kind": "proxy.down", "planned": [], "on": [], "wanted": true}));
    }
}
