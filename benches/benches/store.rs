//! One operation of the session store at a time, as its caller waits for it: in memory, in Redis compared with the bare
//! `redis` crate, and behind the fallback; and the JSON of a session. CPU time per operation is measured by
//! `store-cpu`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use firedrill::lab::{ManagedConfig, ManagedRedis, Persistence};
use firedrill_benches::sample::{ANSWERS, SIZES, Sample, TTL, answer};
use firedrill_benches::way::{Op, Way};
use firedrill_storage::{AppendStore, Key, KeyRing, MemoryConfig, MemoryStore, SessionStore, TriviaSession};
use tokio::runtime::{Builder, Runtime};

/// Sessions in memory: few enough to stay in the CPU caches, so that hashing and locks show.
const IN_MEMORY: u32 = 1_000;

fn codec(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("json");
    for (size, bytes) in SIZES {
        let session = Sample::new(1, bytes).unwrap().played();
        let json = serde_json::to_vec(&session).unwrap();
        group.throughput(Throughput::Bytes(json.len() as u64));
        group.bench_function(format!("encode/{size}"), |bencher| {
            bencher.iter(|| serde_json::to_vec(black_box(&session)).unwrap());
        });
        group.bench_function(format!("decode/{size}"), |bencher| {
            bencher.iter(|| serde_json::from_slice::<TriviaSession>(black_box(&json)).unwrap());
        });
    }
    group.finish();
}

/// Sealing and opening as `KeyRing` does it, including the copy of the value.
fn sealing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sealing");
    let ring = KeyRing::new(Key::from_hex(&"5a".repeat(32)).unwrap(), Vec::new());
    for (size, bytes) in SIZES {
        let json = serde_json::to_vec(&Sample::new(1, bytes).unwrap().played()).unwrap();
        let sealed = ring.seal(b"session", &json).unwrap();
        group.throughput(Throughput::Bytes(json.len() as u64));
        group.bench_function(format!("seal/{size}"), |bencher| {
            bencher.iter(|| ring.seal(b"session", black_box(&json)).unwrap());
        });
        group.bench_function(format!("open/{size}"), |bencher| {
            bencher.iter(|| ring.open(b"session", black_box(&sealed)).unwrap());
        });
    }
    group.finish();
}

fn memory(criterion: &mut Criterion) {
    let runtime = runtime();
    for (size, bytes) in SIZES {
        let mut group = criterion.benchmark_group(format!("MemoryStore/{size}"));
        let samples = Sample::many(IN_MEMORY, bytes).unwrap();
        let config = MemoryConfig { capacity: Some(2 * IN_MEMORY as usize), ..MemoryConfig::default() };
        let store = MemoryStore::<TriviaSession>::new(config);
        for sample in &samples {
            runtime.block_on(store.put(&sample.id, sample.session.clone(), TTL)).unwrap();
        }
        let mut order = samples.iter().cycle();
        let mut next = || order.next().unwrap();
        group.bench_function("get", |bencher| {
            bencher.iter(|| {
                let found = runtime.block_on(store.get(&next().id, TTL)).unwrap();
                assert!(found.value.is_some());
            });
        });
        group.bench_function("put", |bencher| {
            let given = || {
                let sample = next();
                (&sample.id, sample.session.clone())
            };
            bencher.iter_batched(
                given,
                |(id, session)| runtime.block_on(store.put(id, session, TTL)).unwrap(),
                BatchSize::SmallInput,
            );
        });
        group.bench_function("append", |bencher| {
            // A session takes ten answers and then starts over.
            let mut question = 0;
            let fresh = &samples[0];
            let given = || {
                question = question % ANSWERS + 1;
                if question == 1 {
                    runtime.block_on(store.put(&fresh.id, fresh.session.clone(), TTL)).unwrap();
                }
                answer(question)
            };
            bencher.iter_batched(
                given,
                |answer| runtime.block_on(store.append(&fresh.id, answer, TTL)).unwrap(),
                BatchSize::PerIteration,
            );
        });
        group.finish();
    }
}

fn redis(criterion: &mut Criterion) {
    let runtime = runtime();
    let config = ManagedConfig { persistence: Persistence::None, ..ManagedConfig::default() };
    let redis = runtime.block_on(ManagedRedis::start(&config)).unwrap();
    let ways = runtime.block_on(Way::all(redis.url().expose())).unwrap();
    for (size, bytes) in SIZES {
        let sample = Sample::new(1, bytes).unwrap();
        for (op, name) in Op::ALL {
            let mut group = criterion.benchmark_group(format!("Redis/{name}/{size}"));
            for (way_name, way) in &ways {
                let bench = Bench { runtime: &runtime, redis: &redis, way, sample: &sample };
                group.bench_function(*way_name, |bencher| bencher.iter_custom(|times| bench.time(op, times)));
            }
            group.finish();
        }
    }
}

/// One way to Redis, and the session it works on.
struct Bench<'a> {
    runtime: &'a Runtime,
    redis: &'a ManagedRedis,
    way: &'a Way,
    sample: &'a Sample,
}

impl Bench<'_> {
    /// The time for this many operations, one after another, without their preparation.
    fn time(&self, op: Op, times: u64) -> Duration {
        self.runtime.block_on(async {
            self.run(Op::Put, 0).await;
            let mut spent = Duration::ZERO;
            for at in 0..times {
                let question = at % ANSWERS + 1;
                match op {
                    Op::Create => self.redis.admin().query::<()>(&redis::cmd("FLUSHDB")).await.unwrap(),
                    Op::Append if question == 1 => self.run(Op::Put, 0).await,
                    _ => {}
                }
                let began = Instant::now();
                self.run(op, question).await;
                spent += began.elapsed();
            }
            spent
        })
    }

    async fn run(&self, op: Op, question: u64) {
        self.way.run(op, self.sample, question).await.unwrap();
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(1));
    targets = codec, sealing, memory, redis
}
criterion_main!(benches);
