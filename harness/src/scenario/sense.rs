//! What can be written and makes no sense: more than a machine can send or hold, and longer than anyone waits.

use std::time::Duration;

use super::error::Problem;
use super::load_model::{KeySpec, LoadSpec, ThinkSpec};
use super::model::Scenario;
use super::timeline::end_of_load;
use crate::units::{Rate, Span};

/// What no generator on one machine sends; the null target takes less (docs/benchmarks.md).
const MOST_RATE: Rate = Rate(10_000_000.0);
/// A drill that lasts longer would be ended by something else: a week.
const LONGEST: Span = Span::secs(7 * 24 * 3_600);
/// What a history can number (docs/history-format.md), less what comes before and after the load.
const MOST_OPERATIONS: f64 = 4_000_000_000.0;
/// Each takes memory in the harness, in whichever load it is; more than this does not fit into a machine.
pub(super) const MOST_SESSIONS: u64 = 5_000_000;
/// See [`MOST_SESSIONS`].
pub(super) const MOST_USERS: u64 = 100_000;
/// Each lane has its own connection; more than a machine has ports for one server.
pub(super) const MOST_CONNECTIONS: u32 = 60_000;
/// Each has its buffers.
const MOST_LANES: u32 = 1_000_000;

/// Everything in `scenario` that makes no sense.
pub(super) fn problems(found: &mut Vec<Problem>, scenario: &Scenario) {
    let lanes = scenario.target.connections.saturating_mul(scenario.target.redis.pipeline.get());
    if lanes > MOST_LANES {
        let message = format!("{lanes} operations in flight are more than a machine can hold");
        found.push(Problem::at(
            "target.redis.pipeline",
            message,
            format!("connections × pipeline: at most {MOST_LANES}"),
        ));
    }
    if scenario.target.connections > MOST_CONNECTIONS {
        let message = format!("{} connections are more than a machine has ports for", scenario.target.connections);
        found.push(Problem::at(
            "target.connections",
            message,
            format!("at most {MOST_CONNECTIONS}; 512 is the default"),
        ));
    }
    for (i, load) in scenario.load.iter().enumerate() {
        of_load(found, i, load);
    }
    type Count = fn(&LoadSpec) -> u32;
    let counts: [(&str, u64, &str, Count); 2] = [
        ("sessions", MOST_SESSIONS, "do not fit into memory", |load| load.sessions),
        ("users", MOST_USERS, "do not fit into one process", |load| load.users.unwrap_or(0)),
    ];
    for (what, most, why, count) in counts {
        let each = || scenario.load.iter().map(|load| u64::from(count(load)));
        for (i, _) in each().enumerate().filter(|(_, count)| *count > most) {
            let message = format!("that many {what} {why}");
            found.push(Problem::at(&format!("load.{i}.{what}"), message, format!("at most {most}")));
        }
        if each().all(|count| count <= most) && each().sum::<u64>() > most {
            let message = format!("{} {what} in all loads {why}", each().sum::<u64>());
            found.push(Problem::at("load", message, format!("at most {most} together")));
        }
    }
    let operations: f64 = scenario.load.iter().map(operations).sum();
    if operations > MOST_OPERATIONS {
        let message = format!("{operations:.0} operations are more than a history can number");
        found.push(Problem::at(
            "load",
            message,
            format!("at most {MOST_OPERATIONS:.0} in all loads: a lower rate, or a shorter one"),
        ));
    }
    for (i, fault) in scenario.fault.iter().enumerate() {
        too_long(found, &format!("fault.{i}.for"), fault.lasting);
    }
    too_long(found, "steady.for", scenario.steady.window);
}

fn of_load(found: &mut Vec<Problem>, i: usize, load: &LoadSpec) {
    let at = |key: &str| format!("load.{i}.{key}");
    let stages = load.stages.iter().enumerate();
    let rates = stages.clone().map(|(s, stage)| (format!("stages.{s}.rate"), stage.rate));
    let rates = rates.chain(load.rate.map(|rate| ("rate".to_owned(), rate)));
    for (key, rate) in rates.chain(load.rate_cap.map(|rate| ("rate_cap".to_owned(), rate))) {
        if rate > MOST_RATE {
            let message = format!("{rate} is more than a machine can send");
            found.push(Problem::at(&at(&key), message, format!("at most {MOST_RATE}")));
        }
    }
    let think =
        load.think.map(|(ThinkSpec::Exponential(span) | ThinkSpec::Constant { constant: span })| ("think", span));
    let spans = [("at", load.at), ("deadline", load.deadline)].into_iter().chain(load.length.map(|span| ("for", span)));
    for (key, span) in spans.chain(think) {
        too_long(found, &at(key), span);
    }
    for (s, stage) in stages {
        too_long(found, &at(&format!("stages.{s}.for")), stage.length);
    }
    // Where no part is too long, the whole may be.
    let parts = [load.at.0, load.length.unwrap_or_default().0]
        .into_iter()
        .chain(load.stages.iter().map(|stage| stage.length.0));
    if end_of_load(load) > LONGEST.0 && parts.max().unwrap_or_default() <= LONGEST.0 {
        let message =
            format!("the load would end after {}, which is longer than a drill can last", Span(end_of_load(load)));
        found.push(Problem::at(&format!("load.{i}"), message, format!("at most {LONGEST}")));
    }
    if let KeySpec::Zipf(exponent) = load.keys
        && !(exponent.is_finite() && exponent >= 0.0)
    {
        found.push(Problem::at(&at("keys"), "Zipf's exponent must be 0 or more", "{ zipf = 1.2 }"));
    }
}

fn too_long(found: &mut Vec<Problem>, path: &str, span: Span) {
    if span > LONGEST {
        found.push(Problem::at(path, format!("{span} is longer than a drill can last"), format!("at most {LONGEST}")));
    }
}

/// How many operations an open load sends, or may send under its cap.
fn operations(load: &LoadSpec) -> f64 {
    let seconds = |span: Duration| span.as_secs_f64();
    let steady = load.rate.or(load.rate_cap).unwrap_or_default().0 * seconds(load.length.unwrap_or_default().0);
    // A ramp sends less than its end's rate throughout, or less than its beginning's.
    let mut before = 0.0_f64;
    let mut staged = 0.0;
    for stage in &load.stages {
        let mean = if stage.ramp { f64::midpoint(before, stage.rate.0) } else { stage.rate.0 };
        staged += mean * seconds(stage.length.0);
        before = stage.rate.0;
    }
    steady + staged
}
