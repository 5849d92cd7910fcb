//! Writing a command and reading its reply, as the `redis` target does.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use firedrill::history::OpKind;
use firedrill::target::{Observation, Operation};
use firedrill::targets::RedisTargetSpec;
use firedrill::targets::redis::RedisTarget;

fn resp(criterion: &mut Criterion) {
    let own = "command = [{ send = \"RPUSH {{key}}:l {{token}}\", as = \"create\" }, { send = \"LRANGE {{key}}:l 0 -1\", as = \"read\" }]";
    let usual = RedisTarget::new("redis://127.0.0.1", "bench:", &RedisTargetSpec::default());
    let own = toml::from_str(own).ok().and_then(|spec| RedisTarget::new("redis://127.0.0.1", "bench:", &spec).ok());
    let (Ok(usual), Some(own)) = (usual, own) else { return };
    let op = |kind| Operation { index: 41, kind, session: 7, process: 0, payload_bytes: 1024 };
    let mut group = criterion.benchmark_group("resp");
    group.throughput(Throughput::Elements(1));
    for (name, target, op) in [
        ("write SET of 1 KiB", &usual, op(OpKind::Put)),
        ("write GET", &usual, op(OpKind::Read)),
        ("write a command of one's own", &own, op(OpKind::Create)),
    ] {
        let mut request = Vec::new();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                request.clear();
                target.encode(black_box(&op), &mut request);
                request.len()
            });
        });
    }
    // A value is what a SET sends as its third word.
    let mut set = Vec::new();
    usual.encode(&op(OpKind::Put), &mut set);
    let value = set.windows(7).position(|bytes| bytes == b"$1024\r\n").map_or(&[][..], |at| &set[at..]);
    let list = format!("*10\r\n{}", "$2\r\n42\r\n".repeat(10)).into_bytes();
    for (name, target, bytes) in [("read a value of 1 KiB", &usual, value), ("read a list of 10", &own, &list[..])] {
        let mut seen = Observation::default();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                seen.clear();
                target.read(&op(OpKind::Read), black_box(bytes), &mut seen)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, resp);
criterion_main!(benches);
