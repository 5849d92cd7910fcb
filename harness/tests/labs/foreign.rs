//! An external Redis: only the drill's own keys are touched, and its process is left alone.

use std::time::Duration;

use firedrill::lab::{Admin, ManagedConfig, ManagedRedis};

use crate::support::{LIGHT, drill};

/// The contents of a Redis: the number of keys and Redis's own digest of all of them.
async fn contents(redis: &ManagedRedis) -> (u64, String) {
    let admin = Admin::new(redis.url(), Duration::from_secs(5)).unwrap();
    let size = admin.query::<u64>(&redis::cmd("DBSIZE")).await.unwrap();
    let digest = admin.query::<String>(redis::cmd("DEBUG").arg("DIGEST")).await.unwrap();
    (size, digest)
}

#[tokio::test]
async fn a_drill_leaves_a_foreign_redis_as_it_was() {
    let redis = ManagedRedis::start(&ManagedConfig::default()).await.unwrap();
    let admin = Admin::new(redis.url(), Duration::from_secs(5)).unwrap();
    admin.query::<()>(redis::cmd("DEBUG").arg("POPULATE").arg(100_000).arg("foreign").arg(32)).await.unwrap();
    let before = contents(&redis).await;
    assert_eq!(before.0, 100_000);

    let url = redis.url().expose().to_owned();
    let short = ["--redis", &url, "--set", "load.for=8s", "--set", "fault.at=2s", "--set", "fault.for=2s"];
    let done = drill("redis-outage", &[&short[..], &LIGHT[..]].concat()).expect(0);
    assert!(done.run().fallback.drained.written > 0);
    assert_eq!(contents(&redis).await, before);
}

#[tokio::test]
async fn of_several_scenarios_none_starts_where_one_cannot_run_on_a_foreign_redis() {
    let redis = ManagedRedis::start(&ManagedConfig::default()).await.unwrap();
    let done = drill("redis-outage", &["restart-persistence", "--redis", redis.url().expose()]).expect(2);
    assert!(done.stderr.contains("process.kill"), "{}", done.stderr);
    assert!(!done.dir().exists(), "redis-outage was run");
}

#[tokio::test]
async fn process_faults_on_a_foreign_redis_are_refused_before_anything_is_written() {
    let redis = ManagedRedis::start(&ManagedConfig::default()).await.unwrap();
    let url = redis.url().expose().to_owned();
    let done = drill("restart-persistence", &["--redis", &url]).expect(2);
    assert!(done.stderr.contains("process.kill"), "{}", done.stderr);
    assert_eq!(contents(&redis).await.0, 0);
}
