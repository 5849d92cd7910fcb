//! The figures that have an interval: what each run says of them, and how its slices deviate from it.
//!
//! A figure of a run is the one that its report shows. Its slices say how much it varies by chance: of a quantile, by how much
//! the logarithm of the slice's quantile deviates from that of the whole (sectioning); of a ratio, by how much the slice moves
//! the ratio (its linearisation: Cochran, *Sampling Techniques*, 3rd ed. 1977, 6.4).

use super::model::Group;
use crate::run::{Batch, BatchResponse, PhaseName, Quantiles, ResourceSample, Run, Unit};

/// The most sections of the samples of a run.
const SECTIONS: usize = 20;

/// What a figure is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figure {
    /// Its kind.
    pub(super) group: Group,
    /// Its name.
    pub(super) name: String,
    /// The unit of its values.
    pub(super) unit: Unit,
    /// Whether more of it is better.
    pub(super) more_is_better: bool,
    /// Whether it depends on how fast the machine is.
    pub(super) of_the_machine: bool,
}

/// What one run says of a figure.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reading {
    /// Its value.
    pub(super) value: f64,
    /// How each slice deviates from it: in logarithms, or of shares as it is. `None` where a slice had no operation.
    pub(super) slices: Vec<Option<f64>>,
    /// Of a share: how many operations of how many.
    pub(super) counts: Option<(u64, u64)>,
}

/// The figures of a run, in the order in which they are shown.
pub(super) fn figures(run: &Run) -> Vec<(Figure, Reading)> {
    let phases = [PhaseName::Before, PhaseName::During, PhaseName::After];
    let mut all: Vec<_> = phases.into_iter().filter_map(|phase| errors(run, phase)).collect();
    all.extend(phases.into_iter().flat_map(|phase| latencies(run, phase)));
    all.extend(throughput(run));
    all.extend(cpu(run, "redis", |sample| sample.redis_cpu_ms));
    all.extend(cpu(run, "process", |sample| sample.process_cpu_ms));
    all
}

fn errors(run: &Run, phase: PhaseName) -> Option<(Figure, Reading)> {
    let recorded = run.phase(phase).filter(|recorded| recorded.figures.ops > 0)?;
    let counts = (recorded.figures.outcomes.errors(), recorded.figures.ops);
    let share = recorded.figures.error_rate;
    let mean =
        recorded.batches.iter().map(|batch| batch.ops).sum::<u64>() as f64 / recorded.batches.len().max(1) as f64;
    let moved = |batch: &Batch| Some((batch.errors as f64 - share * batch.ops as f64) / mean);
    let reading = Reading { value: share, slices: recorded.batches.iter().map(moved).collect(), counts: Some(counts) };
    Some((figure(Group::Errors, format!("{}.errors", phase.name()), Unit::Share), reading))
}

/// A quantile's name, and where it stands in a phase and in a slice.
type Quantile = (&'static str, fn(&Quantiles) -> f64, fn(&BatchResponse) -> f64);

const QUANTILES: [Quantile; 3] = [
    ("p50", |all| all.p50, |one| one.p50),
    ("p95", |all| all.p95, |one| one.p95),
    ("p99", |all| all.p99, |one| one.p99),
];

fn latencies(run: &Run, phase: PhaseName) -> Vec<(Figure, Reading)> {
    let Some((recorded, all)) = run.phase(phase).and_then(|one| Some((one, one.figures.response?))) else {
        return Vec::new();
    };
    let reading = |(name, of_all, of_slice): Quantile| {
        // A run without any latency has nothing to compare, and no logarithm.
        let value = Some(of_all(&all)).filter(|value| *value > 0.0)?;
        let deviates = |batch: &Batch| {
            let slice = batch.response.as_ref().map(of_slice)?;
            (slice > 0.0).then(|| (slice / value).ln())
        };
        let slices = recorded.batches.iter().map(deviates).collect();
        let timed = figure(Group::Latency, format!("{}.{name}", phase.name()), Unit::Milliseconds);
        Some((Figure { of_the_machine: true, ..timed }, Reading { value, slices, counts: None }))
    };
    QUANTILES.into_iter().filter_map(reading).collect()
}

/// Operations that ended per second, where the load does not prescribe it.
fn throughput(run: &Run) -> Option<(Figure, Reading)> {
    if run.generator.target_rate.is_some() {
        return None;
    }
    let load_ms = run.load_seconds * 1e3;
    let width = run.timeline.bucket_ms;
    let within: Vec<_> = run.timeline.buckets.iter().filter(|bucket| bucket.from_ms + width <= load_ms).collect();
    let parts = within.chunks(within.len().div_ceil(SECTIONS).max(1));
    let sections = parts.map(|part| {
        let ended: u64 = part.iter().map(|bucket| bucket.outcomes.total()).sum();
        Some((ended as f64, part.len() as f64 * width / 1e3))
    });
    let reading = ratio(sections.collect())?;
    let rate = figure(Group::Throughput, "throughput".to_owned(), Unit::PerSecond);
    Some((Figure { more_is_better: true, of_the_machine: true, ..rate }, reading))
}

/// CPU time per operation that ended, in milliseconds, from a counter that begins anew with its process.
fn cpu(run: &Run, whose: &str, counter: impl Fn(&ResourceSample) -> Option<u64>) -> Option<(Figure, Reading)> {
    let load_ms = run.load_seconds * 1e3;
    let samples: Vec<(f64, u64)> = run
        .resources
        .iter()
        .filter(|sample| (0.0..=load_ms).contains(&sample.at_ms))
        .filter_map(|sample| Some((sample.at_ms, counter(sample)?)))
        .collect();
    let step = samples.len().saturating_sub(1).div_ceil(SECTIONS).max(1);
    let ends: Vec<(f64, u64)> = samples.iter().copied().step_by(step).collect();
    let section = |pair: &[(f64, u64)]| {
        let used = pair[1].1.checked_sub(pair[0].1)?;
        let ended = ended_by(run, pair[1].0) - ended_by(run, pair[0].0);
        (ended > 0.0).then_some((used as f64, ended))
    };
    let reading = ratio(ends.windows(2).map(section).collect())?;
    let time = figure(Group::Cpu, format!("cpu.{whose}"), Unit::Milliseconds);
    Some((Figure { of_the_machine: true, ..time }, reading))
}

/// How many operations had ended at `at_ms`: within a bucket of the timeline they are spread evenly.
fn ended_by(run: &Run, at_ms: f64) -> f64 {
    let width = run.timeline.bucket_ms.max(1e-3);
    let share = |from_ms: f64| ((at_ms - from_ms) / width).clamp(0.0, 1.0);
    run.timeline.buckets.iter().map(|bucket| bucket.outcomes.total() as f64 * share(bucket.from_ms)).sum()
}

/// The ratio of two sums over sections, and how each section moves its logarithm. `None` where it is 0 or cannot be formed.
fn ratio(sections: Vec<Option<(f64, f64)>>) -> Option<Reading> {
    let count = sections.iter().flatten().count() as f64;
    let (above, below) = sections.iter().flatten().fold((0.0, 0.0), |(a, b), (above, below)| (a + above, b + below));
    if above <= 0.0 || below <= 0.0 {
        return None;
    }
    let (ratio, mean) = (above / below, below / count);
    let moved = |section: Option<(f64, f64)>| section.map(|(above, below)| (above - ratio * below) / (mean * ratio));
    Some(Reading { value: ratio, slices: sections.into_iter().map(moved).collect(), counts: None })
}

fn figure(group: Group, name: String, unit: Unit) -> Figure {
    Figure { group, name, unit, more_is_better: false, of_the_machine: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Bucket, Figures, Generator, OutcomeCounts, Phase, Timeline};

    fn counts(ok: u64, failed: u64) -> OutcomeCounts {
        OutcomeCounts { ok, failed, ..OutcomeCounts::default() }
    }

    /// Two seconds in ten buckets, 10 operations each; 2 ms of CPU in the first second, 6 ms in the second.
    fn run() -> Run {
        let bucket = |n: u32| Bucket { from_ms: f64::from(n) * 200.0, outcomes: counts(10, 0), ..Bucket::default() };
        let sample = |at_ms: f64, cpu| ResourceSample { at_ms, redis_cpu_ms: Some(cpu), ..ResourceSample::default() };
        let response = |p50| Some(BatchResponse { p50, p95: 4.0, p99: 5.0 });
        let batch = |errors, p50| Batch { ops: 50, errors, response: response(p50) };
        let all = Quantiles { p50: 2.0, p95: 4.0, p99: 5.0, ..Quantiles::default() };
        let figures =
            Figures { ops: 100, outcomes: counts(90, 10), error_rate: 0.1, response: Some(all), ..Figures::default() };
        let batches = vec![batch(10, 1.0), batch(0, 4.0)];
        Run {
            load_seconds: 2.0,
            phases: vec![Phase { name: PhaseName::Before, figures, operations: Vec::new(), batches }],
            timeline: Timeline { bucket_ms: 200.0, buckets: (0..10).map(bucket).collect() },
            resources: vec![sample(-500.0, 1), sample(0.0, 2), sample(1000.0, 4), sample(2000.0, 10)],
            generator: Generator { target_rate: Some(50.0), ..Generator::default() },
            ..Run::default()
        }
    }

    fn reading(run: &Run, name: &str) -> Option<Reading> {
        figures(run).into_iter().find(|(figure, _)| figure.name == name).map(|(_, reading)| reading)
    }

    #[test]
    fn a_quantile_s_slices_deviate_in_logarithms() {
        let reading = reading(&run(), "before.p50").unwrap();
        assert_eq!((reading.value, reading.slices), (2.0, vec![Some(0.5_f64.ln()), Some(2.0_f64.ln())]));
    }

    #[test]
    fn a_share_s_slices_move_it_and_their_mean_is_none() {
        let reading = reading(&run(), "before.errors").unwrap();
        assert_eq!((reading.value, reading.counts), (0.1, Some((10, 100))));
        assert_eq!(reading.slices, [Some(0.1), Some(-0.1)]);
    }

    #[test]
    fn cpu_counts_from_the_first_sample_of_the_load() {
        let reading = reading(&run(), "cpu.redis").unwrap();
        // 8 ms for 100 operations; 2 of 4 ms expected in the first second.
        assert_eq!(reading.value, 0.08);
        assert!(reading.slices.iter().flatten().zip([-0.5, 0.5]).all(|(is, wanted)| (is - wanted).abs() < 1e-12));
        assert_eq!(self::reading(&run(), "cpu.process"), None, "not sampled");
    }

    #[test]
    fn a_counter_that_begins_anew_costs_one_section() {
        let mut run = run();
        run.resources[3].redis_cpu_ms = Some(1);
        let reading = reading(&run, "cpu.redis").unwrap();
        assert_eq!((reading.value, reading.slices), (0.04, vec![Some(0.0), None]));
    }

    #[test]
    fn only_a_closed_loop_has_a_throughput() {
        assert_eq!(reading(&run(), "throughput"), None);
        let mut run = run();
        run.generator.target_rate = None;
        let reading = reading(&run, "throughput").unwrap();
        assert!((reading.value - 50.0).abs() < 1e-9 && reading.slices.len() == 10, "{reading:?}");
    }
}
