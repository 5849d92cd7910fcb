//! Comparisons: what is called a change, and how often wrongly.

use firedrill_reports::compare::{Change, Comparison, Group, MARGIN, Recorded, Row, compare};
use firedrill_reports::html::render_comparison;
use firedrill_reports::run::{
    Batch, Bucket, CheckVerdict, Figures, GateVerdict, Generator, OutcomeCounts, Phase, PhaseName, Quantiles,
    ResourceSample, Run, Scenario, Stall, Timeline, Verdict,
};
use firedrill_reports::terminal::{self, Style};

use crate::common::{self, Uniform};

/// A load of eight seconds, 200 operations in each, whose latencies and errors depend on what they were a moment before.
#[derive(Clone, Copy)]
struct Process {
    /// The median response time in milliseconds.
    median: f64,
    /// The share of errors.
    errors: f64,
    /// CPU time per operation in milliseconds.
    cpu: f64,
    /// How much of the drift is left a tenth of a second later.
    memory: f64,
}

const PROCESS: Process = Process { median: 2.0, errors: 0.02, cpu: 0.5, memory: 0.6 };

const TENTHS: u32 = 80;
const PER_TENTH: u32 = 20;

/// Close enough to a normal number, and cheap: of four uniform numbers.
fn normal(random: &mut Uniform) -> f64 {
    ((0..4).map(|_| random.next()).sum::<f64>() - 2.0) * 3.0_f64.sqrt()
}

fn simulate(process: Process, random: &mut Uniform) -> Run {
    let (mut drift, mut response, mut failed) = (0.0_f64, Vec::new(), Vec::new());
    let (mut buckets, mut resources, mut used) = (Vec::new(), Vec::new(), 0.0);
    for tenth in 0..TENTHS {
        // First-order autoregression with a stationary deviation of 0.15.
        let shock = 0.15 * (1.0 - process.memory * process.memory).sqrt();
        drift = process.memory * drift + shock * normal(random);
        if tenth % 5 == 0 {
            let cpu = Some(used as u64);
            resources.push(ResourceSample {
                at_ms: f64::from(tenth) * 100.0,
                redis_cpu_ms: cpu,
                ..ResourceSample::default()
            });
        }
        let mut outcomes = OutcomeCounts::default();
        for _ in 0..PER_TENTH {
            let ms = process.median * (drift + 0.4 * normal(random)).exp();
            let fails = random.next() < process.errors * (1.0 + 2.0 * drift).max(0.0);
            outcomes.ok += u64::from(!fails);
            outcomes.failed += u64::from(fails);
            response.push(ms);
            failed.push(fails);
        }
        used += process.cpu * f64::from(PER_TENTH) * (0.5 * drift + 0.05 * normal(random)).exp();
        buckets.push(Bucket { from_ms: f64::from(tenth) * 100.0, outcomes, ..Bucket::default() });
    }
    let count = response.len() as u64;
    let length = response.len() / Batch::slices(count) as usize;
    let batch =
        |(ms, fails): (&[f64], &[bool])| Batch::of(ms.to_vec(), fails.iter().filter(|fails| **fails).count() as u64);
    let errors = failed.iter().filter(|fails| **fails).count() as u64;
    let outcomes = OutcomeCounts { ok: count - errors, failed: errors, ..OutcomeCounts::default() };
    let whole = Batch::of(response.clone(), errors).response.unwrap();
    let figures = Figures {
        to_ms: 8_000.0,
        ops: count,
        error_rate: outcomes.error_rate(),
        outcomes,
        response: Some(Quantiles { p50: whole.p50, p95: whole.p95, p99: whole.p99, ..Quantiles::default() }),
        ..Figures::default()
    };
    let batches = response.chunks(length).zip(failed.chunks(length)).map(batch).collect();
    Run {
        scenario: Scenario { name: "calm".to_owned(), ..Scenario::default() },
        verdict: Verdict::Passed,
        load_seconds: 8.0,
        phases: vec![Phase { name: PhaseName::Before, figures, operations: Vec::new(), batches }],
        timeline: Timeline { bucket_ms: 100.0, buckets },
        resources,
        generator: Generator { target_rate: Some(200.0), ..Generator::default() },
        ..Run::default()
    }
}

pub fn recorded(run: Run) -> Recorded {
    Recorded { place: "runs/calm".to_owned(), run }
}

fn compared(before: &Run, now: &Run, margin: f64) -> Comparison {
    compare(&[recorded(before.clone())], &[recorded(now.clone())], margin)
}

fn row<'a>(comparison: &'a Comparison, name: &str) -> &'a Row {
    let found = comparison.rows.iter().find(|row| row.id() == name);
    found.unwrap_or_else(|| panic!("no row {name}: {comparison:#?}"))
}

/// The share of `pairs` comparisons with a figure that `wanted` selects.
fn share(pairs: u32, mut compared: impl FnMut() -> Comparison, wanted: impl Fn(&Row) -> bool) -> f64 {
    let found = (0..pairs).filter(|_| compared().rows.iter().any(&wanted)).count();
    found as f64 / f64::from(pairs)
}

#[test]
fn two_runs_of_one_process_are_rarely_called_different_even_without_a_margin() {
    let mut random = Uniform(20_261_129);
    for memory in [0.0, 0.6] {
        let process = Process { memory, ..PROCESS };
        let pair = || compared(&simulate(process, &mut random), &simulate(process, &mut random), 1e-6);
        let wrong = share(100, pair, |row| matches!(row.change, Change::Regressed | Change::Improved));
        assert!(wrong <= 0.05, "memory {memory}: {wrong}");
    }
}

#[test]
fn a_shift_of_thirty_percent_is_found() {
    let mut random = Uniform(4242);
    for (name, shifted) in [
        ("before.p50", Process { median: 2.6, memory: 0.0, ..PROCESS }),
        ("cpu.redis", Process { cpu: 0.65, memory: 0.0, ..PROCESS }),
    ] {
        let steady = Process { memory: 0.0, ..PROCESS };
        let pair = || compared(&simulate(steady, &mut random), &simulate(shifted, &mut random), MARGIN);
        let found = share(12, pair, |row| row.name == name && row.change == Change::Regressed);
        assert!(found >= 0.9, "{name}: {found}");
        let back = || compared(&simulate(shifted, &mut random), &simulate(steady, &mut random), MARGIN);
        let found = share(12, back, |row| row.name == name && row.change == Change::Improved);
        assert!(found >= 0.9, "{name}, backwards: {found}");
    }
}

#[test]
fn five_times_the_errors_are_found() {
    let mut random = Uniform(7);
    let worse = Process { errors: 0.1, ..PROCESS };
    let pair = || compared(&simulate(PROCESS, &mut random), &simulate(worse, &mut random), MARGIN);
    let found = share(12, pair, |row| row.group == Group::Errors && row.change == Change::Regressed);
    assert!(found >= 0.9, "{found}");
}

#[test]
fn what_differs_between_runs_is_seen_by_several_runs_only() {
    let mut random = Uniform(99);
    // Each run is faster or slower as a whole, as on a shared machine.
    let mut run = || {
        let median = 2.0 * (0.3 * normal(&mut random)).exp();
        recorded(simulate(Process { median, memory: 0.0, ..PROCESS }, &mut random))
    };
    let mut wrong = |runs: usize| {
        let compared = || {
            let side = |run: &mut dyn FnMut() -> Recorded| (0..runs).map(|_| run()).collect::<Vec<_>>();
            let (before, now) = (side(&mut run), side(&mut run));
            compare(&before, &now, MARGIN)
        };
        share(12, compared, |row| row.change == Change::Regressed)
    };
    assert!(wrong(1) > 0.2, "slices of one run cannot know");
    assert!(wrong(3) <= 0.1, "one of twelve at most");
}

#[test]
fn a_busy_machine_is_no_regression_of_one_run_and_several_runs_tell() {
    let mut random = Uniform(11);
    let mut side = |median: f64| -> Vec<Recorded> {
        let run = |random: &mut Uniform| {
            let mut run = simulate(Process { median, memory: 0.0, ..PROCESS }, random);
            // 2 % of eight seconds.
            run.machine.stalls = vec![Stall { from_ms: 100.0, to_ms: 260.0, denied_ms: 160.0 }];
            recorded(run)
        };
        (0..3).map(|_| run(&mut random)).collect()
    };
    let (before, now) = (side(2.0), side(4.0));
    let single = compare(&before[..1], &now[..1], MARGIN);
    let slower = row(&single, "before.p50");
    assert_eq!((slower.change, slower.note.as_str()), (Change::Unclear, "busy machine"));
    assert_eq!(single.differences[0].now, "2 % of the load");
    assert_eq!(row(&compare(&before, &now, MARGIN), "before.p50").change, Change::Regressed);
}

#[test]
fn a_run_compared_with_itself_is_unchanged() {
    let run = common::passed();
    let comparison = compared(&run, &run, MARGIN);
    let unchanged = comparison.rows.iter().filter(|row| row.change == Change::Unchanged && row.group != Group::Errors);
    let apart = comparison.rows.iter().filter(|row| row.group == Group::Errors).count();
    assert_eq!(unchanged.count() + apart, comparison.rows.len(), "{comparison:#?}");
    assert!(comparison.rows.iter().filter(|row| row.group == Group::Latency).count() >= 6);
    // 0.4 % of 5000 operations: as many again may be chance.
    assert_eq!(row(&comparison, "during.errors").change, Change::Unclear);
}

#[test]
fn what_broke_is_regressed_and_what_was_mended_improved() {
    let (passed, failed) = (common::passed(), common::failed());
    let worse = compared(&passed, &failed, MARGIN);
    assert_eq!(worse.change, Change::Regressed);
    let changes = |comparison: &Comparison, names: &[&str]| -> Vec<Change> {
        names.iter().map(|name| row(comparison, name).change).collect()
    };
    let names = ["check lost-writes", "sessions-lost", "check ttl", "gate during.errors", "recovery"];
    use Change::{Improved, NotComparable, Regressed, Unchanged};
    assert_eq!(changes(&worse, &names), [Regressed, Regressed, NotComparable, NotComparable, Unchanged]);
    assert_eq!(row(&worse, "gate during.errors").note, "another limit: <= 1% → <= 0.1%");
    let better = compared(&failed, &passed, MARGIN);
    assert_eq!(changes(&better, &names), [Improved, Improved, NotComparable, NotComparable, Unchanged]);
}

#[test]
fn a_gate_that_fails_now_is_a_regression_and_one_that_was_not_measured_is_none() {
    let before = common::passed();
    let mut now = before.clone();
    now.gates[0].verdict = GateVerdict::Fail;
    assert_eq!(row(&compared(&before, &now, MARGIN), "gate during.errors").change, Change::Regressed);
    now.gates[0].verdict = GateVerdict::Unknown;
    assert_eq!(row(&compared(&before, &now, MARGIN), "gate during.errors").change, Change::NotComparable);
    now.checks[0].verdict = CheckVerdict::Invalid;
    now.checks[0].counts = false;
    let comparison = compared(&before, &now, MARGIN);
    assert!(comparison.rows.iter().all(|row| row.id() != "check lost-writes"), "only reported");
}

#[test]
fn one_recovery_is_another_only_if_it_is_twice_as_long_and_a_second_longer() {
    let run = |ms: Option<f64>| Run { recovery_ms: ms, ..common::passed() };
    let change =
        |before: f64, now: Option<f64>| row(&compared(&run(Some(before)), &run(now), MARGIN), "recovery").change;
    assert_eq!(change(200.0, Some(290.0)), Change::Unchanged);
    assert_eq!(change(200.0, Some(900.0)), Change::Unclear);
    assert_eq!(change(800.0, Some(2_000.0)), Change::Regressed);
    assert_eq!(change(3_000.0, Some(4_500.0)), Change::Unclear);
    assert_eq!(change(3_000.0, Some(1_200.0)), Change::Improved);
    assert_eq!(change(3_000.0, None), Change::Regressed);
}

#[test]
fn another_load_compares_nothing_and_another_machine_no_times() {
    let before = common::passed();
    let other = Run { config: before.config.replace("1000/s", "2000/s"), ..before.clone() };
    assert_ne!(other.config, before.config);
    let comparison = compared(&before, &other, MARGIN);
    assert_eq!((comparison.change, comparison.rows.len()), (Change::NotComparable, 0));
    assert!(comparison.headline().starts_with("other load.0.rate: 1000/s → 2000/s"), "{}", comparison.headline());

    let mut moved = before.clone();
    moved.environment.iter_mut().find(|fact| fact.key == "processor").unwrap().value = "another".to_owned();
    let comparison = compared(&before, &moved, MARGIN);
    assert_eq!(row(&comparison, "before.p95").change, Change::NotComparable);
    assert_eq!(row(&comparison, "before.errors").change, Change::Unchanged);
}

#[test]
fn runs_that_prove_nothing_are_left_out_of_a_baseline() {
    let (good, now) = (common::passed(), common::passed());
    let bad = Run { verdict: Verdict::Inconclusive, ..good.clone() };
    let comparison = compare(&[recorded(good), recorded(bad.clone())], &[recorded(now.clone())], MARGIN);
    assert_eq!((comparison.baseline.len(), comparison.refused.len()), (1, 0));
    let comparison = compare(&[recorded(bad)], &[recorded(now)], MARGIN);
    assert_eq!(comparison.headline(), "the baseline was inconclusive");
    assert_eq!(compare(&[], &[], MARGIN).change, Change::NotComparable);
}

#[test]
fn an_older_record_without_slices_is_unclear_rather_than_unchanged() {
    let mut old = common::passed();
    old.phases.iter_mut().for_each(|phase| phase.batches.clear());
    let comparison = compared(&old, &common::passed(), MARGIN);
    let row = row(&comparison, "before.p95");
    assert_eq!((row.change, row.interval), (Change::Unclear, None));
    assert!(row.note.contains("kept no slices"), "{}", row.note);
}

#[test]
fn the_page_is_coloured_only_where_a_change_is_certain() {
    let slower = {
        let mut run = common::passed();
        let slow = |ms: &mut f64| *ms *= 1.5;
        for phase in &mut run.phases {
            phase.figures.response.iter_mut().for_each(|all| slow(&mut all.p50));
            phase.batches.iter_mut().filter_map(|batch| batch.response.as_mut()).for_each(|one| slow(&mut one.p50));
        }
        run
    };
    let page = render_comparison(&[compared(&common::passed(), &slower, MARGIN)]);
    let coloured = page.matches("<span class=\"chip bad\">").count();
    assert_eq!(coloured, 3, "the medians of three phases");
    assert_eq!(page.matches("<span class=\"chip good\">").count(), 0);
    assert!(page.contains("<tr class=\"regressed\">") && page.contains("+50 %"), "{page}");
    assert!(page.contains("default-src 'none'") && !page.contains("http://") && !page.contains("https://"));
}

#[test]
fn the_terminal_says_the_verdict_first_and_last_and_fits() {
    let comparison = compared(&common::passed(), &common::failed(), MARGIN);
    let text = terminal::comparison(&comparison, Style { colour: false, width: 80 });
    let first = text.lines().next().unwrap();
    assert!(first.starts_with("✗ REGRESSED  redis-outage  "), "{first}");
    assert_eq!(text.lines().last(), Some(first));
    let wide: Vec<&str> = text.lines().filter(|line| *line != first && line.chars().count() > 80).collect();
    assert!(wide.is_empty(), "{wide:#?}");
    let short = terminal::comparison_in_short(&comparison, Style { colour: false, width: 80 });
    assert!(short.contains("lost-writes") && !short.contains("cpu.redis"), "{short}");
}

const PAGE: &str = include_str!("../../../docs/compare.md");

#[test]
fn every_field_and_every_loss_is_described() {
    let comparison = compared(&common::passed(), &common::failed(), MARGIN);
    let mut written = std::collections::BTreeSet::new();
    crate::format::fields(&serde_json::to_value(&comparison).unwrap(), &mut written);
    assert!(written.len() > 20, "{written:?}");
    let missing: Vec<_> = written.iter().filter(|name| !PAGE.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "docs/compare.md does not describe {missing:?}");
    let mut lossy = common::failed();
    (lossy.store.evicted, lossy.store.dropped, lossy.store.missing.reads) = (1, 1, 1);
    lossy.fallback.drained.lost = 1;
    let comparison = compared(&common::passed(), &lossy, MARGIN);
    let losses: Vec<&str> =
        comparison.rows.iter().filter(|row| row.group == Group::Loss).map(|row| row.name.as_str()).collect();
    assert_eq!(losses.len(), 5);
    assert!(losses.iter().all(|name| PAGE.contains(&format!("`{name}`"))), "{losses:?}");
    for change in Change::ALL {
        assert!(PAGE.contains(&format!("`{}`", change.name())), "{change:?}");
    }
}
