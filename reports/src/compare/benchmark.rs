//! The figures of runs for github-action-benchmark: a JSON array for its tool `customSmallerIsBetter`, with `range` as it
//! parses it, a number after `± ` (<https://github.com/benchmark-action/github-action-benchmark>, `src/extractRangeInfo.ts`).

use serde::Serialize;

use super::figures::{Reading, figures};
use super::stats::{reach, share_reach, spread};
use crate::run::{Run, Unit};

/// The confidence of each range.
const CONFIDENCE: f64 = 0.95;

/// One figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Entry {
    name: String,
    unit: &'static str,
    value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<String>,
    extra: String,
}

/// Renders `runs`: every figure of which less is better, and the recovery, as `SCENARIO: FIGURE`. A range is the half of the
/// figure's 95 % interval, from the slices of the run; a figure of one value has none.
///
/// # Errors
/// [`serde_json::Error`] if it is not JSON, which no input is known to cause.
pub fn render<'a>(runs: impl IntoIterator<Item = &'a Run>) -> Result<String, serde_json::Error> {
    let entries: Vec<Entry> = runs.into_iter().flat_map(entries).collect();
    serde_json::to_string_pretty(&entries).map(|json| json + "\n")
}

fn entries(run: &Run) -> Vec<Entry> {
    let extra = format!("verdict: {}\nseed: {}\nstarted: {}", run.verdict.name(), run.seed, run.started_at);
    let entry = |name: &str, unit: &'static str, value: f64, range: Option<f64>| Entry {
        name: format!("{}: {name}", run.scenario.name),
        unit,
        value,
        // The action reads no number of a single digit.
        range: range.filter(|range| range.is_finite()).map(|range| format!("± {range:.6}")),
        extra: extra.clone(),
    };
    let measured = figures(run).into_iter().filter(|(figure, _)| !figure.more_is_better);
    let mut all: Vec<Entry> = measured
        .map(|(figure, reading)| {
            let (unit, scale) = match figure.unit {
                Unit::Share => ("%", 100.0),
                _ => ("ms", 1.0),
            };
            entry(&figure.name, unit, reading.value * scale, range(&reading).map(|range| range * scale))
        })
        .collect();
    all.extend(run.recovery_ms.map(|ms| entry("recovery", "ms", ms, None)));
    all
}

/// The half of a figure's interval, in its unit.
fn range(reading: &Reading) -> Option<f64> {
    let slices: Vec<f64> = reading.slices.iter().copied().flatten().collect();
    let reach = reach(spread(&slices)?, CONFIDENCE);
    Some(match reading.counts {
        // Of two samples of which the other is without end.
        Some(counts) => reach.max(share_reach([counts, (0, u64::MAX)], CONFIDENCE)),
        None => reading.value * reach.exp_m1(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Batch, BatchResponse, Figures, Phase, PhaseName, Quantiles, Scenario, Verdict};

    #[test]
    fn every_figure_has_its_unit_and_a_range_that_the_action_reads() {
        let response = Some(BatchResponse { p50: 2.0, p95: 4.0, p99: 8.0 });
        let all = Quantiles { p50: 2.0, p95: 4.0, p99: 8.0, ..Quantiles::default() };
        let batches = vec![Batch { ops: 50, errors: 0, response }; 10];
        let figures = Figures { ops: 500, response: Some(all), ..Figures::default() };
        let run = Run {
            scenario: Scenario { name: "calm".to_owned(), ..Scenario::default() },
            verdict: Verdict::Passed,
            seed: 7,
            started_at: "2026-01-02T03:04:05.678Z".to_owned(),
            recovery_ms: Some(250.0),
            phases: vec![Phase { name: PhaseName::Before, figures, operations: Vec::new(), batches }],
            ..Run::default()
        };
        let read: serde_json::Value = serde_json::from_str(&render([&run]).unwrap()).unwrap();
        let extra = "verdict: passed\nseed: 7\nstarted: 2026-01-02T03:04:05.678Z";
        let expected = serde_json::json!([
            // The half of the interval of 1/502: 1.96 · sqrt(p (1 - p) / 502), in percent.
            { "name": "calm: before.errors", "unit": "%", "value": 0.0, "range": "± 0.390042", "extra": extra },
            { "name": "calm: before.p50", "unit": "ms", "value": 2.0, "range": "± 0.000000", "extra": extra },
            { "name": "calm: before.p95", "unit": "ms", "value": 4.0, "range": "± 0.000000", "extra": extra },
            { "name": "calm: before.p99", "unit": "ms", "value": 8.0, "range": "± 0.000000", "extra": extra },
            { "name": "calm: recovery", "unit": "ms", "value": 250.0, "extra": extra },
        ]);
        assert_eq!(read, expected);
    }
}
