//! The cost of judging: all checkers together on histories of one, three and ten million operations, each checker alone
//! on one million, and writing a history to disk and reading it back. Goals: writing below 100 ns per operation, all
//! checkers together below 500 ns per operation on two cores.

#![allow(clippy::expect_used)] // without a writable file, there is nothing to measure

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use firedrill::check::{Budget, Finding, SessionChecker, Verdict, all, check_all};
use firedrill::history::{History, HistoryWriter, OpBatch};
use firedrill_benches::synthetic::{GROWING, OVERWRITING, Shape, batches, header};

const MILLION: u64 = 1_000_000;

fn judged(history: &History, checkers: &[&'static dyn SessionChecker]) -> Vec<(&'static str, Finding)> {
    check_all(history, checkers, &Budget::default())
}

/// From one million to ten, to see how the cost grows.
fn together(criterion: &mut Criterion) {
    for shape in [GROWING, OVERWRITING] {
        let mut group = criterion.benchmark_group(format!("check/{}", shape.name));
        group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
        for millions in [1, 3, 10] {
            let history = loaded(shape, millions * MILLION);
            let findings = judged(&history, all());
            assert!(findings.iter().all(|(_, finding)| finding.verdict == Verdict::Valid), "{findings:?}");
            group.throughput(Throughput::Elements(millions * MILLION));
            let id = BenchmarkId::new("all", format!("{millions}M"));
            group.bench_function(id, |bench| bench.iter(|| judged(black_box(&history), all())));
        }
        group.finish();
    }
}

fn each(criterion: &mut Criterion) {
    for shape in [GROWING, OVERWRITING] {
        let history = loaded(shape, MILLION);
        let mut group = criterion.benchmark_group(format!("check/{}", shape.name));
        group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
        group.throughput(Throughput::Elements(MILLION));
        for checker in all() {
            let (name, finding) = judged(&history, &[*checker]).remove(0);
            assert!(finding.verdict == Verdict::Valid, "{name}: {finding:?}");
            group.bench_function(name, |bench| bench.iter(|| judged(black_box(&history), &[*checker])));
        }
        group.finish();
    }
}

/// The history as a drill has it: read back from its file.
fn loaded(shape: Shape, operations: u64) -> History {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut writer = HistoryWriter::create(&new_file(&dir), &header()).expect("a new history");
    let notes = batches(shape, operations, 5_000, |batch| writer.append(batch).expect("room on the disk"));
    notes.iter().for_each(|note| writer.note(note).expect("room on the disk"));
    writer.finish().expect("room on the disk");
    History::load(&new_file(&dir)).expect("the history").0
}

fn new_file(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("history.fdh")
}

fn file(criterion: &mut Criterion) {
    let mut handed_over: Vec<OpBatch> = Vec::new();
    batches(OVERWRITING, MILLION, 5_000, |batch| handed_over.push(batch.clone()));
    let operations: usize = handed_over.iter().map(|batch| batch.ops.len()).sum();
    let mut group = criterion.benchmark_group("history");
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
    group.throughput(Throughput::Elements(operations as u64));
    group.bench_function("write", |bench| {
        let begin = || {
            let dir = tempfile::tempdir().expect("a temporary folder");
            let writer = HistoryWriter::create(&new_file(&dir), &header()).expect("a new history");
            (writer, dir)
        };
        bench.iter_batched(
            begin,
            |(mut writer, dir)| {
                for batch in &handed_over {
                    writer.append(batch).expect("room on the disk");
                }
                (writer, dir)
            },
            BatchSize::PerIteration,
        );
    });
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut writer = HistoryWriter::create(&new_file(&dir), &header()).expect("a new history");
    handed_over.iter().for_each(|batch| writer.append(batch).expect("room on the disk"));
    writer.finish().expect("room on the disk");
    let bytes = std::fs::metadata(new_file(&dir)).expect("the history").len();
    eprintln!("a history of {operations} operations takes {bytes} bytes");
    group.bench_function("load", |bench| bench.iter(|| History::load(&new_file(&dir)).expect("the history")));
    group.finish();
}

criterion_group!(benches, together, each, file);
criterion_main!(benches);
