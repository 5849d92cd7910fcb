//! What judging costs: each checker on synthetic histories of a million operations, and the history's own way to disk
//! and back. Goals: writing below 100 ns per operation, each checker below one second per million operations.

#![allow(clippy::expect_used)] // a bench that cannot write its file has nothing to measure

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use firedrill::check::{Limits, Verdict, all};
use firedrill::history::{
    Cause, FORMAT_VERSION, Header, History, HistoryWriter, Note, OpBatch, OpKind, OpRecord, Outcome, Presence, Step,
    Token,
};

const MILLION: u64 = 1_000_000;
/// An operation is sent every 10 µs and answered within half a millisecond, by one of 64 users in turn.
const PACE_NS: i64 = 10_000;
const USERS: u64 = 64;

/// What kind of history.
#[derive(Clone, Copy)]
struct Shape {
    name: &'static str,
    sessions: u64,
    /// Of a thousand operations: these are appends, puts and destroys; the others are reads.
    appends: u64,
    puts: u64,
    destroys: u64,
}

/// The usual drill: many sessions that grow to some sixty answers each.
const GROWING: Shape = Shape { name: "growing", sessions: 5_000, appends: 300, puts: 0, destroys: 1 };
/// Few answers, much overwriting: as the plain GET/SET target leaves it.
const OVERWRITING: Shape = Shape { name: "overwriting", sessions: 5_000, appends: 50, puts: 100, destroys: 10 };

/// A repeatable stream of numbers (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

fn header() -> Header {
    Header {
        version: FORMAT_VERSION,
        scenario: "synthetic".into(),
        seed: 1,
        ttl_ns: 3_600_000_000_000,
        ttl_slack_ns: 1_000_000_000,
        sliding: true,
        sessions_per_user: std::num::NonZeroU32::MIN,
        epoch_ms: 0,
    }
}

/// A session of the simulated sound store.
#[derive(Default, Clone)]
struct Stored {
    exists: bool,
    version: u64,
    tokens: Vec<Token>,
}

/// A sound store's history of a million operations and a final read of each session.
fn history(shape: Shape) -> History {
    let mut random = Random(7);
    let mut store = vec![Stored::default(); shape.sessions as usize];
    let mut ops = OpBatch::default();
    for index in 0..MILLION + shape.sessions {
        let last = index >= MILLION;
        let session = if last { index - MILLION } else { random.next() % shape.sessions };
        let stored = &mut store[session as usize];
        let dice = random.next() % 1_000;
        let kind = match dice {
            _ if last => OpKind::Read,
            _ if !stored.exists => OpKind::Create,
            dice if dice < shape.appends => OpKind::Append,
            dice if dice < shape.appends + shape.puts => OpKind::Put,
            dice if dice < shape.appends + shape.puts + shape.destroys => OpKind::Destroy,
            _ => OpKind::Read,
        };
        let found = if stored.exists { Presence::Present } else { Presence::Absent };
        take_effect(stored, kind, index + 1);
        let started = index as i64 * PACE_NS;
        let tokens: &[Token] = if kind == OpKind::Read { &stored.tokens } else { &[] };
        ops.ops.push(OpRecord {
            index,
            planned: started - 1_000,
            started,
            ended: started + 100_000 + (random.next() % 400_000) as i64,
            version: stored.version,
            session: session as u32,
            process: (index % USERS) as u32,
            owner: if kind == OpKind::Read { session as u32 } else { OpRecord::NO_OWNER },
            tokens_at: ops.tokens.len() as u32,
            tokens_len: tokens.len() as u32,
            kind,
            step: if last { Step::Final } else { Step::Load },
            outcome: Outcome::Ok,
            presence: if matches!(kind, OpKind::Create | OpKind::Put) { Presence::Unsaid } else { found },
            cause: Cause::None,
        });
        ops.tokens.extend_from_slice(tokens);
    }
    let keys = shape.sessions;
    let notes = vec![Note::KeyScan { at: i64::MAX, keys, immortal: Vec::new(), immortal_count: 0 }];
    History { header: header(), ops, notes }
}

fn take_effect(stored: &mut Stored, kind: OpKind, token: Token) {
    match kind {
        OpKind::Create => *stored = Stored { exists: true, version: 1, tokens: Vec::new() },
        OpKind::Append => stored.tokens.push(token),
        OpKind::Put => stored.tokens = vec![token],
        OpKind::Destroy => *stored = Stored::default(),
        OpKind::Read | OpKind::Touch | OpKind::Award | OpKind::List | OpKind::Count => {}
    }
    if matches!(kind, OpKind::Append | OpKind::Put) {
        stored.version += 1;
    }
}

fn checkers(criterion: &mut Criterion) {
    for shape in [GROWING, OVERWRITING] {
        let history = history(shape);
        let mut group = criterion.benchmark_group(format!("check/{}", shape.name));
        group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
        group.throughput(Throughput::Elements(MILLION));
        for checker in all() {
            let finding = checker.check(&history, &Limits::default());
            assert!(finding.verdict == Verdict::Valid && finding.examined > 0, "{}: {finding:?}", checker.name());
            group.bench_function(checker.name(), |bench| {
                bench.iter(|| checker.check(black_box(&history), &Limits::default()));
            });
        }
        group.finish();
    }
}

/// The history in batches as workers hand them over.
fn batches(history: &History, size: usize) -> Vec<OpBatch> {
    let batch = |ops: &[OpRecord]| {
        let mut batch = OpBatch::default();
        for op in ops {
            batch.ops.push(OpRecord { tokens_at: batch.tokens.len() as u32, ..*op });
            batch.tokens.extend_from_slice(history.ops.tokens_of(op));
        }
        batch
    };
    history.ops.ops.chunks(size).map(batch).collect()
}

fn new_file(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("history.fdh")
}

fn file(criterion: &mut Criterion) {
    let history = history(OVERWRITING);
    let batches = batches(&history, 5_000);
    let mut group = criterion.benchmark_group("history");
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
    group.throughput(Throughput::Elements(history.ops.ops.len() as u64));
    group.bench_function("write", |bench| {
        let begin = || {
            let dir = tempfile::tempdir().expect("a temporary folder");
            let writer = HistoryWriter::create(&new_file(&dir), &header()).expect("a new history");
            (writer, dir)
        };
        bench.iter_batched(
            begin,
            |(mut writer, dir)| {
                for batch in &batches {
                    writer.append(batch).expect("room on the disk");
                }
                (writer, dir)
            },
            BatchSize::PerIteration,
        );
    });
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut writer = HistoryWriter::create(&new_file(&dir), &header()).expect("a new history");
    batches.iter().for_each(|batch| writer.append(batch).expect("room on the disk"));
    writer.finish().expect("room on the disk");
    let bytes = std::fs::metadata(new_file(&dir)).expect("the history").len();
    eprintln!("a history of {} operations takes {bytes} bytes", history.ops.ops.len());
    group.bench_function("load", |bench| bench.iter(|| History::load(&new_file(&dir)).expect("the history")));
    group.finish();
}

criterion_group!(benches, checkers, file);
criterion_main!(benches);
