//! A managed Redis on a real `redis-server`: what survives a kill, what does not, and what the errors say.

use std::time::Duration;

use firedrill::lab::{
    HalfSpeed, Lab, LabError, ManagedConfig, ManagedRedis, Missing, Persistence, ProcessState, ServerError,
    ServerProcess, procfs,
};

use crate::support::{copy_program, wait_for};

async fn start(persistence: Persistence) -> ManagedRedis {
    ManagedRedis::start(&ManagedConfig { persistence, ..ManagedConfig::default() }).await.unwrap()
}

async fn set(redis: &ManagedRedis, key: &str, value: &str) {
    redis.admin().query::<()>(redis::cmd("SET").arg(key).arg(value)).await.unwrap();
}

async fn get(redis: &ManagedRedis, key: &str) -> Option<String> {
    redis.admin().query(redis::cmd("GET").arg(key)).await.unwrap()
}

async fn config(redis: &ManagedRedis, name: &str) -> String {
    let (_, value): (String, String) = redis.admin().query(redis::cmd("CONFIG").arg("GET").arg(name)).await.unwrap();
    value
}

#[tokio::test]
async fn a_server_at_half_speed_gets_about_half_of_the_time_and_all_of_it_afterwards() {
    let lab = Lab::managed(&ManagedConfig::default()).await.unwrap();
    let server = lab.server().clone();
    let pid = server.process().unwrap().pid().unwrap();
    // A script that never ends keeps the main thread busy, whatever else the machine does.
    let busy = std::net::TcpStream::connect((lab.url().host(), lab.url().port())).unwrap();
    std::io::Write::write_all(&mut &busy, b"EVAL \"while true do end\" 0\r\n").unwrap();
    let slowed = server.clone();
    let freeze = move |frozen| slowed.process().map_or(Ok(false), |own| own.freeze(frozen));
    let halved = HalfSpeed::of(freeze).unwrap().unwrap();
    let used = || procfs::cpu_ms(pid).unwrap();
    let (began, before) = (std::time::Instant::now(), used());
    wait_for("some time of the processor", Duration::from_secs(30), || (used() - before >= 300).then_some(()));
    let share = (used() - before) as f64 / began.elapsed().as_secs_f64() / 1e3;
    assert!(share < 0.75, "{share}");
    drop(halved);
    assert_eq!(server.process().unwrap().state(), ProcessState::Running);
}

#[tokio::test]
async fn data_in_the_append_only_file_survives_a_kill_at_the_same_address() {
    for persistence in [Persistence::AofEverysec, Persistence::AofAlways, Persistence::AofNo] {
        let redis = start(persistence).await;
        let (address, before) = (redis.address(), redis.info().await.unwrap());
        set(&redis, "answer", "42").await;

        redis.kill().await.unwrap();
        assert_eq!(redis.state(), ProcessState::Dead);
        assert!(std::net::TcpStream::connect(address).is_err());
        redis.ensure_running().await.unwrap();

        let after = redis.info().await.unwrap();
        assert_eq!(get(&redis, "answer").await.as_deref(), Some("42"), "{persistence}");
        assert_eq!(redis.address(), address);
        assert_ne!((before.pid, &before.run_id), (after.pid, &after.run_id));
        assert_eq!(redis.pid(), Some(after.pid));
    }
}

#[tokio::test]
async fn data_since_the_last_snapshot_is_lost_by_a_kill_and_kept_by_an_orderly_stop() {
    let redis = start(Persistence::Rdb).await;
    set(&redis, "answer", "42").await;
    redis.restart().await.unwrap();
    assert_eq!(get(&redis, "answer").await.as_deref(), Some("42"));

    set(&redis, "answer", "43").await;
    redis.kill().await.unwrap();
    redis.ensure_running().await.unwrap();
    assert_eq!(get(&redis, "answer").await.as_deref(), Some("42"));
}

#[tokio::test]
async fn without_persistence_a_restart_finds_nothing() {
    let redis = start(Persistence::None).await;
    set(&redis, "answer", "42").await;
    redis.restart().await.unwrap();
    assert_eq!(get(&redis, "answer").await, None);
}

#[tokio::test]
async fn the_settings_are_those_asked_for_and_the_rest_is_redis_own() {
    let limited = ManagedConfig { maxmemory_mb: Some(256), ..ManagedConfig::default() };
    let redis = ManagedRedis::start(&limited).await.unwrap();
    assert_eq!(config(&redis, "appendonly").await, "yes");
    assert_eq!(config(&redis, "appendfsync").await, "everysec");
    assert_eq!(config(&redis, "save").await, "");
    assert_eq!(config(&redis, "maxmemory").await, "268435456");
    assert_eq!(config(&redis, "maxmemory-policy").await, "noeviction");
    assert_eq!(config(&redis, "bind").await, "127.0.0.1");
    let slept: String = redis.admin().query(redis::cmd("DEBUG").arg("SLEEP").arg("0")).await.unwrap();
    assert_eq!(slept, "OK");
}

#[tokio::test]
async fn directives_of_a_scenario_win_over_the_labs_defaults() {
    let directives = "maxmemory-policy allkeys-lru\ntimeout 60\nrename-command FLUSHALL \"\"\n".to_owned();
    let config = ManagedConfig { directives, maxmemory_mb: Some(64), ..ManagedConfig::default() };
    let redis = ManagedRedis::start(&config).await.unwrap();
    assert_eq!(self::config(&redis, "maxmemory-policy").await, "allkeys-lru");
    assert_eq!(self::config(&redis, "timeout").await, "60");
    assert!(redis.admin().query::<()>(&redis::cmd("FLUSHALL")).await.is_err());

    let directives = "timeout soon\n".to_owned();
    let refused = ManagedRedis::start(&ManagedConfig { directives, ..ManagedConfig::default() }).await;
    let said = refused.err().unwrap().to_string();
    assert!(said.contains("timeout soon"), "{said}");
}

#[tokio::test]
async fn a_paused_server_answers_no_client_until_it_is_resumed() {
    let redis = start(Persistence::None).await;
    redis.pause().await.unwrap();
    assert_eq!(redis.state(), ProcessState::Stopped);
    let waiting = redis.admin().ping();
    assert!(tokio::time::timeout(Duration::from_millis(200), waiting).await.is_err());

    redis.resume().await.unwrap();
    assert_eq!(redis.state(), ProcessState::Running);
    redis.admin().ping().await.unwrap();
}

#[tokio::test]
async fn a_paused_server_can_be_killed_and_an_orderly_stop_reaches_it_too() {
    let redis = start(Persistence::AofEverysec).await;
    set(&redis, "answer", "42").await;
    redis.pause().await.unwrap();
    redis.kill().await.unwrap();
    redis.ensure_running().await.unwrap();
    redis.pause().await.unwrap();
    redis.stop().await.unwrap();
    assert_eq!(redis.state(), ProcessState::Dead);
    redis.ensure_running().await.unwrap();
    assert_eq!(get(&redis, "answer").await.as_deref(), Some("42"));
}

#[tokio::test]
async fn a_server_that_is_not_there_cannot_be_killed_or_paused_but_may_be_resumed_and_stopped() {
    let redis = start(Persistence::None).await;
    redis.kill().await.unwrap();
    assert!(matches!(redis.kill().await, Err(LabError::Server(ServerError::NotRunning { .. }))));
    assert!(matches!(redis.pause().await, Err(LabError::Server(ServerError::NotRunning { .. }))));
    redis.resume().await.unwrap();
    redis.stop().await.unwrap();
}

#[tokio::test]
async fn a_start_is_over_only_when_the_data_is_loaded() {
    let redis = start(Persistence::AofEverysec).await;
    let mut pipeline = redis::pipe();
    for key in 0..2_000 {
        pipeline.cmd("SET").arg(key).arg("x".repeat(100)).ignore();
    }
    redis.admin().pipeline::<()>(&pipeline).await.unwrap();
    // 100 µs per key: loading takes a fifth of a second, during which Redis listens but refuses.
    redis.admin().query::<()>(redis::cmd("CONFIG").arg("SET").arg("key-load-delay").arg("100")).await.unwrap();
    redis.admin().query::<()>(redis::cmd("CONFIG").arg("REWRITE")).await.unwrap();
    redis.kill().await.unwrap();

    redis.ensure_running().await.unwrap();

    assert_eq!(redis.admin().query::<u64>(&redis::cmd("DBSIZE")).await.unwrap(), 2_000);
}

#[tokio::test]
async fn a_start_that_was_given_up_half_way_is_waited_for_by_the_next() {
    let redis = start(Persistence::AofEverysec).await;
    let mut pipeline = redis::pipe();
    for key in 0..2_000 {
        pipeline.cmd("SET").arg(key).arg("x").ignore();
    }
    redis.admin().pipeline::<()>(&pipeline).await.unwrap();
    redis.admin().query::<()>(redis::cmd("CONFIG").arg("SET").arg("key-load-delay").arg("1000")).await.unwrap();
    redis.admin().query::<()>(redis::cmd("CONFIG").arg("REWRITE")).await.unwrap();
    redis.kill().await.unwrap();
    let given_up = tokio::time::timeout(Duration::from_millis(50), redis.ensure_running()).await;
    assert!(given_up.is_err());

    redis.ensure_running().await.unwrap();

    assert_eq!(redis.admin().query::<u64>(&redis::cmd("DBSIZE")).await.unwrap(), 2_000);
}

#[tokio::test]
async fn two_servers_run_side_by_side_and_know_nothing_of_each_other() {
    let (one, two) = (start(Persistence::None).await, start(Persistence::None).await);
    assert_ne!(one.address(), two.address());
    assert_ne!(one.folder(), two.folder());
    set(&one, "answer", "1").await;
    assert_eq!(get(&two, "answer").await, None);
    one.kill().await.unwrap();
    two.admin().ping().await.unwrap();
}

#[tokio::test]
async fn dropping_a_server_leaves_neither_process_nor_folder() {
    let redis = start(Persistence::AofEverysec).await;
    let (address, folder) = (redis.address(), redis.folder().to_owned());
    drop(redis);
    assert!(std::net::TcpStream::connect(address).is_err());
    assert!(!folder.exists());
}

#[test]
fn the_direct_line_works_from_one_runtime_after_another() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let redis = first.block_on(start(Persistence::None));
    first.block_on(set(&redis, "answer", "42"));
    // The first runtime still exists, but drives nothing while the second one waits.
    assert_eq!(runtime().block_on(get(&redis, "answer")).as_deref(), Some("42"));
    drop(first);
    assert_eq!(runtime().block_on(get(&redis, "answer")).as_deref(), Some("42"));
}

#[tokio::test]
async fn a_missing_binary_says_how_to_get_one() {
    let config = ManagedConfig { binary: Some("/nonexistent/redis-server".into()), ..ManagedConfig::default() };
    let error = Lab::managed(&config).await.err().unwrap();
    assert!(matches!(error, LabError::Missing(Missing::NoRedisServer { .. })));
    assert!(error.to_string().contains("/nonexistent/redis-server"), "{error}");
    assert!(error.to_string().contains("apt-get install redis-server"), "{error}");
}

#[tokio::test]
async fn a_server_that_refuses_its_configuration_shows_its_own_words() {
    let folder = tempfile::tempdir().unwrap();
    let wrapper = folder.path().join("redis-server");
    let script = "#!/bin/sh\n[ \"$1\" = --version ] && exec redis-server --version\n\
                  exec redis-server \"$1\" --no-such-setting 1\n";
    std::fs::write(folder.path().join("script"), script).unwrap();
    copy_program(&folder.path().join("script"), &wrapper);
    let config = ManagedConfig { binary: Some(wrapper), ..ManagedConfig::default() };
    let error = ManagedRedis::start(&config).await.err().unwrap();
    assert!(matches!(error, LabError::Server(ServerError::Exited { .. })), "{error:?}");
    assert!(error.to_string().contains("no-such-setting"), "{error}");
}

#[tokio::test]
async fn the_keys_of_a_drill_are_counted_and_the_immortal_ones_named() {
    let lab = Lab::managed(&ManagedConfig::default()).await.unwrap();
    let prefix = lab.prefix().as_str().to_owned();
    let mut pipeline = redis::pipe();
    for number in 0..1_200 {
        pipeline.cmd("SET").arg(format!("{prefix}session:{number}")).arg("x").arg("EX").arg(3600).ignore();
    }
    pipeline.cmd("SET").arg(format!("{prefix}session:forever")).arg("x").ignore();
    pipeline.cmd("SET").arg("session:foreign").arg("x").ignore();
    lab.admin().pipeline::<()>(&pipeline).await.unwrap();

    let scan = lab.scan_keys().await.unwrap();

    assert_eq!((scan.keys, scan.immortal_count), (1_201, 1));
    assert_eq!(scan.immortal, ["session:forever"]);
}
