//! The events of running drills as lines of JSON (<https://jsonlines.org>), for scripts that follow them.
//! `docs/gate-a-pipeline.md` describes the fields.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;

use super::drilled::Drilled;
use crate::text;

/// Something that happened in a drill.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event<'a> {
    /// A drill began.
    DrillStarted {
        /// The seed of its operations and faults.
        seed: u64,
        /// The planned length of its load, in seconds.
        load_seconds: f64,
    },
    /// The next part of the drill began: `starting Redis`, `preloading`, `load`, `checking the history`.
    Phase {
        /// Which.
        phase: &'a str,
    },
    /// A fault took hold.
    FaultOn {
        /// Its position in the scenario, from 0.
        fault: u32,
        /// Its kind, such as `proxy.down`.
        kind: &'a str,
        /// When, in milliseconds on the drill's clock: 0 is the start of the load.
        at_ms: f64,
    },
    /// A fault was undone.
    FaultOff {
        /// Its position in the scenario, from 0.
        fault: u32,
        /// Its kind.
        kind: &'a str,
        /// When, in milliseconds on the drill's clock.
        at_ms: f64,
    },
    /// A drill ended, or could not run.
    Verdict {
        /// `passed`, `failed`, `inconclusive`, `interrupted` or `not-run`.
        verdict: &'a str,
        /// The command's exit status if this were its only scenario.
        exit_status: i32,
        /// Why it did not pass, the most important reason first.
        reasons: &'a [&'a str],
        /// Its `run.json`; absent if it did not run.
        #[serde(skip_serializing_if = "Option::is_none")]
        run: Option<&'a str>,
        /// Its report; absent if it did not run.
        #[serde(skip_serializing_if = "Option::is_none")]
        report: Option<&'a str>,
        /// How it compares with its baseline: `regressed`, `improved`, `unclear`, `unchanged` or `not-comparable`; absent
        /// without one.
        #[serde(skip_serializing_if = "Option::is_none")]
        baseline: Option<&'a str>,
    },
}

/// An event with what all events have.
#[derive(Serialize)]
struct Line<'a> {
    /// When it was told: RFC 3339, UTC.
    time: String,
    scenario: &'a str,
    #[serde(flatten)]
    event: Event<'a>,
}

/// `event` of the drill of `scenario` at `time`, in one line without its break.
///
/// # Errors
/// [`serde_json::Error`] if it is not JSON, which no input is known to cause.
pub fn line(time: SystemTime, scenario: &str, event: Event<'_>) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Line { time: text::rfc3339(time), scenario, event })
}

/// The last event of `drilled`, whose invocation left its runs in `out`, in one line without its break.
///
/// # Errors
/// [`serde_json::Error`], as [`line`].
pub fn verdict(time: SystemTime, out: &Path, drilled: &Drilled) -> Result<String, serde_json::Error> {
    let whole = |path: PathBuf| out.join(path).display().to_string();
    let (run, report) = (drilled.record().map(whole), drilled.report().map(whole));
    let event = Event::Verdict {
        verdict: drilled.verdict(),
        exit_status: drilled.exit_status(),
        reasons: &drilled.reasons(),
        run: run.as_deref(),
        report: report.as_deref(),
        baseline: drilled.baseline.as_ref().map(|baseline| baseline.comparison.change.name()),
    };
    line(time, &drilled.scenario, event)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::super::fixture::{failed, invocation, judged, not_run};
    use super::*;

    const AT: SystemTime = UNIX_EPOCH;

    #[test]
    fn each_event_is_one_line() {
        let at = AT + Duration::from_millis(1_767_225_600_123);
        let event = Event::FaultOn { fault: 0, kind: "proxy.down", at_ms: 3001.5 };
        assert_eq!(
            line(at, "redis-outage", event).unwrap(),
            r#"{"time":"2026-01-01T00:00:00.123Z","scenario":"redis-outage","event":"fault-on","fault":0,"kind":"proxy.down","at_ms":3001.5}"#
        );
        assert_eq!(
            line(AT, "x", Event::Phase { phase: "a\nb" }).unwrap(),
            r#"{"time":"1970-01-01T00:00:00.000Z","scenario":"x","event":"phase","phase":"a\nb"}"#
        );
    }

    #[test]
    fn the_last_event_has_the_verdict_and_the_files() {
        let all = invocation(vec![judged(failed("redis-outage")), not_run("ttl")]);
        assert_eq!(
            verdict(AT, &all.out, &all.drills[0]).unwrap(),
            r#"{"time":"1970-01-01T00:00:00.000Z","scenario":"redis-outage","event":"verdict","verdict":"failed","exit_status":1,"reasons":["check lost-writes: 2 of 40 writes are gone","gate during.errors: 5 % is not <= 1%"],"run":"runs/today/redis-outage/run.json","report":"runs/today/redis-outage/report.html"}"#
        );
        assert_eq!(
            verdict(AT, &all.out, &all.drills[1]).unwrap(),
            r#"{"time":"1970-01-01T00:00:00.000Z","scenario":"ttl","event":"verdict","verdict":"not-run","exit_status":4,"reasons":["no redis-server on the PATH"]}"#
        );
    }
}
