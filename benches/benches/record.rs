//! The generator's own cost per operation: drawing it from the plan, and recording it.

use std::hint::black_box;
use std::sync::mpsc::channel;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use firedrill::clock::Clock;
use firedrill::history::{OpKind, Outcome, Step};
use firedrill::load::{
    ArrivalProcess, IntervalBatch, KeyDistribution, LoadBlock, LoadPlan, Mix, Pacing, Recorder, SessionRange, Stage,
};
use firedrill::target::{Observation, Operation};

/// Operations per delivery, as at a high rate with one delivery per second.
const INTERVAL: u64 = 100_000;

fn record(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("record");
    group.throughput(Throughput::Elements(1));
    for tokens in [0, 1, 10] {
        let seen = Observation { tokens: vec![7; tokens], owner: Some(3), ..Observation::default() };
        group.bench_function(format!("one operation, {tokens} tokens"), |bencher| {
            let (sink, batches) = channel::<IntervalBatch>();
            let recorder = Recorder::new(Clock::starting_in(Duration::ZERO), 0, Step::Load, sink);
            let mut index = 0;
            bencher.iter(|| {
                index += 1;
                let kind = if index % 10 == 0 { OpKind::Put } else { OpKind::Read };
                let op = Operation { index, kind, session: 3, process: 4, payload_bytes: 0 };
                let planned = index as i64 * 1_000;
                let ended = planned + 50_000 + (index % 1024) as i64 * 100;
                recorder.record(black_box(&op), black_box(&seen), Outcome::Ok, planned, planned + 200, ended);
                if index.is_multiple_of(INTERVAL) {
                    recorder.hand_over();
                    while let Ok(batch) = batches.try_recv() {
                        batch.recycle();
                    }
                }
            });
        });
    }
    group.finish();
}

fn plan(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("plan");
    group.throughput(Throughput::Elements(1));
    for (name, keys) in [("uniform", KeyDistribution::Uniform), ("zipf", KeyDistribution::Zipf { exponent: 1.0 })] {
        group.bench_function(format!("one operation, {name} keys"), |bencher| {
            let stages = vec![Stage::steady(1e6, Duration::from_secs(1 << 30))];
            let pacing = Pacing::Open { stages, arrivals: ArrivalProcess::Poisson };
            let mut block = LoadBlock::new("bench", pacing, SessionRange { first: 0, count: 100_000 });
            block.mix = Mix::of(&[(OpKind::Create, 1.0), (OpKind::Read, 6.0), (OpKind::Append, 3.0)]);
            block.keys = keys;
            let stream = LoadPlan::new(1, vec![block], 0).ok().and_then(|plan| plan.open(0));
            let mut stream = stream.into_iter().flatten();
            bencher.iter(|| stream.next());
        });
    }
    group.finish();
}

criterion_group!(benches, record, plan);
criterion_main!(benches);
