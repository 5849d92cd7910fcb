//! An external Redis: reached by URL, never harmed, and left as it was found.

use std::time::Duration;

use firedrill::lab::{Lab, LabError, ManagedConfig, ManagedRedis, Mismatch, RedisFailure, RedisUrl};

const DEADLINE: Duration = Duration::from_secs(10);

/// A server that plays the external one.
async fn their_redis() -> ManagedRedis {
    ManagedRedis::start(&ManagedConfig::default()).await.unwrap()
}

async fn digest(redis: &ManagedRedis) -> String {
    redis.admin().query(redis::cmd("DEBUG").arg("DIGEST")).await.unwrap()
}

async fn require_password(redis: &ManagedRedis, password: &str) {
    redis.admin().query::<()>(redis::cmd("CONFIG").arg("SET").arg("requirepass").arg(password)).await.unwrap();
}

#[tokio::test]
async fn only_keys_under_the_drills_prefix_are_removed() {
    let theirs = their_redis().await;
    let mut pipeline = redis::pipe();
    for number in 0..3_000 {
        pipeline.cmd("SET").arg(format!("session:{number}")).arg("theirs").ignore();
    }
    pipeline.cmd("SET").arg("firedrill:0000000000000000:session:1").arg("another drill's").ignore();
    theirs.admin().pipeline::<()>(&pipeline).await.unwrap();
    let before = digest(&theirs).await;

    let lab = Lab::external(theirs.url().clone(), DEADLINE).await.unwrap();
    let mut pipeline = redis::pipe();
    for number in 0..1_500 {
        pipeline.cmd("SET").arg(format!("{}session:{number}", lab.prefix())).arg("ours").ignore();
    }
    lab.admin().pipeline::<()>(&pipeline).await.unwrap();
    assert_ne!(digest(&theirs).await, before);
    assert_eq!(lab.scan_keys().await.unwrap().keys, 1_500);
    lab.tear_down().await.unwrap();

    assert_eq!(digest(&theirs).await, before);
}

#[tokio::test]
async fn process_faults_are_refused_with_the_reason_and_without_the_password() {
    let theirs = their_redis().await;
    require_password(&theirs, "s3cret").await;
    let url: RedisUrl = format!("redis://:s3cret@{}", theirs.address()).parse().unwrap();
    let lab = Lab::external(url, DEADLINE).await.unwrap();

    let error = lab.server().process_for("process.kill").err().unwrap();

    assert!(matches!(error, LabError::Mismatch(Mismatch::ProcessFaultOnExternal { fault: "process.kill", .. })));
    assert!(error.to_string().contains("never stops a server it did not start"), "{error}");
    assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
}

#[tokio::test]
async fn a_wrong_password_is_a_refusal_that_does_not_repeat_it() {
    let theirs = their_redis().await;
    require_password(&theirs, "s3cret").await;
    let url: RedisUrl = format!("redis://:wr0ng@{}", theirs.address()).parse().unwrap();
    let error = Lab::external(url, DEADLINE).await.err().unwrap();
    assert!(matches!(error, LabError::Redis(RedisFailure::Refused { .. })), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("wr0ng"), "{error:?}");
}

#[tokio::test]
async fn a_missing_server_is_distinguished_from_a_silent_one() {
    let nobody: RedisUrl = format!("redis://127.0.0.1:{}", firedrill::lab::free_port().unwrap()).parse().unwrap();
    let error = Lab::external(nobody, DEADLINE).await.err().unwrap();
    assert!(matches!(error, LabError::Redis(RedisFailure::Unreachable { .. })), "{error:?}");

    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url: RedisUrl = format!("redis://{}", silent.local_addr().unwrap()).parse().unwrap();
    let error = Lab::external(url, Duration::from_millis(300)).await.err().unwrap();
    assert!(matches!(error, LabError::Redis(RedisFailure::NoAnswer { .. })), "{error:?}");
}

#[tokio::test]
async fn the_database_in_the_url_is_the_one_used() {
    let theirs = their_redis().await;
    let url: RedisUrl = format!("redis://{}/3", theirs.address()).parse().unwrap();
    let lab = Lab::external(url, DEADLINE).await.unwrap();
    let key = format!("{}session:1", lab.prefix());
    lab.admin().query::<()>(redis::cmd("SET").arg(&key).arg("x")).await.unwrap();
    assert_eq!(lab.scan_keys().await.unwrap().keys, 1);
    assert_eq!(theirs.admin().query::<u64>(&redis::cmd("DBSIZE")).await.unwrap(), 0);
}
