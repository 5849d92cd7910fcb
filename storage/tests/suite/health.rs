//! Health while real servers are in every kind of trouble: it answers within its own deadline, and tells the truth.

use std::time::{Duration, Instant};

use firedrill_storage::health::HealthReport;
use firedrill_storage::{
    Deployment, OpenStore, RedisStore, SessionStore, StoreConfig, Timestamp, TriviaSession, UserId,
};
use tokio::net::TcpListener;

use crate::cluster::{self, ClusterLab};
use crate::sentinel::{self, SentinelLab};
use crate::stalls;
use crate::support::{HOUR, PATIENCE, RedisServer, eventually, id};

/// The time that health may take: when all is well, and in any kind of trouble.
const WELL: Duration = Duration::from_millis(100);
const AMISS: Duration = Duration::from_secs(2);

/// Calls would wait far longer than a health check may.
async fn open(url: &str, policy: &str) -> OpenStore<TriviaSession> {
    open_with(&[("REDIS_URL", url), ("SESSION_POLICY", policy)]).await
}

async fn open_with(variables: &[(&str, &str)]) -> OpenStore<TriviaSession> {
    let variables = variables.iter().copied().chain([("REDIS_TIMEOUT", "60000")]);
    StoreConfig::from_vars(variables).unwrap().open().await.unwrap()
}

/// Checks the health, which must not take longer than promised, not counting the time in which the machine itself
/// stalled.
async fn ask(store: &OpenStore<TriviaSession>) -> HealthReport {
    let (stalled, began) = (stalls::so_far(), Instant::now());
    let report = tokio::time::timeout(PATIENCE, store.health()).await.expect("health keeps its own deadline");
    let took = began.elapsed();
    if took > AMISS {
        let stalled = stalls::since(stalled).await;
        assert!(took <= AMISS + stalled, "health took {took:?}, of which the machine stalled {stalled:?}");
    }
    report
}

/// Waits until health reports `status` for Redis because of `reason`.
async fn says(store: &OpenStore<TriviaSession>, status: &str, reason: &str) {
    eventually(&format!("{status}: {reason}"), async || {
        let report = ask(store).await;
        let redis = report.redis();
        assert_eq!(report.is_redis_connected(), redis.latency_ms.is_some());
        let why = redis.reason.unwrap_or_default();
        (redis.status == status && why.contains(reason)).then_some(())
    })
    .await;
}

fn tell(server: &RedisServer, command: &[&str]) {
    redis::cmd(command[0]).arg(&command[1..]).exec(&mut server.look()).unwrap();
}

#[tokio::test]
async fn a_server_that_is_well_tells_its_memory_and_uptime() {
    let server = RedisServer::start();
    let store = open(&server.url(), "fail-fast").await;
    says(&store, "connected", "").await;
    let redis = store.health().await.redis();
    assert!(redis.memory_usage.unwrap() > 100_000, "{redis:?}");
    assert!(redis.uptime.is_some() && redis.latency_ms.is_some(), "{redis:?}");
    assert_eq!(store.health().await.service().status, "ok");
    // On a busy machine one answer may be late through no fault of the store. If none comes in time, the store is at
    // fault.
    eventually("a prompt answer", async || {
        let began = Instant::now();
        says(&store, "connected", "").await;
        (began.elapsed() <= WELL).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_frozen_server_is_disconnected_until_it_goes_on() {
    let server = RedisServer::start();
    for policy in ["fail-fast", "drain"] {
        let store = open(&server.url(), policy).await;
        says(&store, "connected", "").await;
        server.freeze();
        says(&store, "disconnected", "no answer").await;
        assert_eq!(ask(&store).await.is_serving(), policy == "drain");
        server.thaw();
        says(&store, "connected", "").await;
    }
}

#[tokio::test]
async fn a_killed_server_is_disconnected_until_it_is_back() {
    let mut server = RedisServer::start();
    let store = open(&server.url(), "fail-fast").await;
    says(&store, "connected", "").await;
    server.kill();
    says(&store, "disconnected", "connection refused").await;
    assert_eq!(store.health().await.service().status, "unavailable");
    server.restart();
    says(&store, "connected", "").await;
}

#[tokio::test]
async fn a_server_that_refuses_writes_is_degraded_though_it_answers() {
    let server = RedisServer::start();
    let store = open(&server.url(), "fail-fast").await;
    says(&store, "connected", "").await;
    tell(&server, &["CONFIG", "SET", "maxmemory", "1"]);
    says(&store, "degraded", "out of memory").await;
    tell(&server, &["CONFIG", "SET", "maxmemory", "0"]);
    says(&store, "connected", "").await;
    // Port 9 (discard) has no server: the replica keeps its data and waits for a master that never comes.
    tell(&server, &["REPLICAOF", "127.0.0.1", "9"]);
    says(&store, "degraded", "read-only replica").await;
    tell(&server, &["REPLICAOF", "NO", "ONE"]);
    says(&store, "connected", "").await;
}

#[tokio::test]
async fn a_server_that_loads_its_data_is_disconnected_until_it_has_it() {
    let mut server = RedisServer::start();
    // It answers only while it reads a snapshot, and only between uncompressed keys.
    tell(&server, &["CONFIG", "SET", "rdbcompression", "no"]);
    let writer = RedisStore::<TriviaSession>::builder(&server.url()).build().unwrap();
    for n in 0..100 {
        let id = id(&format!("s{n}"));
        let data = TriviaSession::sized(id.clone(), UserId::Number(n), 2_000, Timestamp(0));
        writer.create(&id, data, HOUR).await.unwrap();
    }
    tell(&server, &["BGREWRITEAOF"]);
    eventually("the data is a snapshot", async || {
        let info: String = server.ask(&["INFO", "persistence"]).unwrap();
        let busy = ["aof_rewrite_in_progress:1", "aof_rewrite_scheduled:1"].iter().any(|field| info.contains(field));
        (!busy).then_some(())
    })
    .await;
    let known = open(&server.url(), "drain").await;
    says(&known, "connected", "").await;
    server.kill();
    server.load_slowly(Duration::from_millis(200));
    let fresh = open(&server.url(), "fail-fast").await;
    for (store, serves) in [(&known, true), (&fresh, false)] {
        says(store, "disconnected", "loading its data").await;
        assert_eq!(ask(store).await.is_serving(), serves);
    }
    tell(&server, &["CONFIG", "SET", "key-load-delay", "0"]);
    for store in [&known, &fresh] {
        says(store, "connected", "").await;
    }
}

#[tokio::test]
async fn behind_sentinels_a_killed_primary_is_disconnected_until_another_leads() {
    let mut lab = SentinelLab::start(sentinel::DOWN_AFTER).await;
    let Deployment::Sentinel { sentinels, .. } = lab.deployment() else { panic!("not behind sentinels") };
    let store = open_with(&[
        ("SESSION_POLICY", "fail-fast"),
        ("REDIS_SENTINELS", &sentinels.join(",")),
        ("REDIS_SENTINEL_MASTER", "drill"),
        ("REDIS_SENTINEL_PASSWORD", sentinel::WATCH),
        ("REDIS_PASSWORD", sentinel::DATA),
    ])
    .await;
    says(&store, "connected", "").await;
    lab.kill_primary();
    says(&store, "disconnected", "").await;
    assert!(!ask(&store).await.is_serving());
    says(&store, "connected", "").await;
}

/// A cluster's store, for its health.
async fn on(lab: &ClusterLab, policy: &str) -> OpenStore<TriviaSession> {
    let Deployment::Cluster { nodes } = lab.settings().deployment else { panic!("not a cluster") };
    let (url, nodes) = (lab.url(), nodes.join(","));
    let store = open_with(&[("SESSION_POLICY", policy), ("REDIS_URL", &url), ("REDIS_CLUSTER_NODES", &nodes)]).await;
    says(&store, "connected", "").await;
    store
}

#[tokio::test]
async fn a_cluster_that_has_lost_a_primary_is_disconnected_until_its_replica_leads() {
    let mut lab = ClusterLab::start(1, cluster::NODE_TIMEOUT).await;
    let stores = [on(&lab, "fail-fast").await, on(&lab, "drain").await];
    lab.kill_home_of("a");
    for store in &stores {
        says(store, "disconnected", "").await;
    }
    for store in &stores {
        says(store, "connected", "").await;
    }
}

#[tokio::test]
async fn a_cluster_with_a_frozen_primary_is_disconnected_until_it_goes_on() {
    let lab = ClusterLab::start(0, cluster::NEVER).await;
    let store = on(&lab, "fail-fast").await;
    lab.home_of("a").freeze();
    says(&store, "disconnected", "no answer").await;
    lab.home_of("a").thaw();
    says(&store, "connected", "").await;
}

#[tokio::test]
async fn a_wrong_password_is_named_and_not_shown() {
    let server = RedisServer::start_with(&["--requirepass", "right"]);
    let url = server.url().replace("redis://", "redis://:wrong-secret@");
    let store = open(&url, "fail-fast").await;
    says(&store, "disconnected", "authentication failed").await;
    let shown = format!("{:?}", store.health().await);
    assert!(!shown.contains("wrong-secret"), "{shown}");
}

#[tokio::test]
async fn a_server_that_takes_connections_and_says_nothing_is_disconnected() {
    let black_hole = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", black_hole.local_addr().unwrap());
    let swallow = tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = black_hole.accept().await {
            kept.push(stream);
        }
    });
    let store = open(&url, "fail-fast").await;
    says(&store, "disconnected", "").await;
    let reason = store.health().await.redis().reason;
    assert!(reason.is_some(), "it says why");
    swallow.abort();
}

#[tokio::test]
async fn memory_in_the_place_of_redis_is_told_from_memory_as_asked_for() {
    let mut server = RedisServer::start();
    server.kill();
    let eager = [
        ("REDIS_CONNECT", "eager"),
        ("REDIS_CONNECT_TIMEOUT", "200"),
        ("REDIS_CONNECT_FAILURE", "memory"),
        ("REDIS_URL", &server.url()),
    ];
    let store: OpenStore<TriviaSession> = StoreConfig::from_vars(eager).unwrap().open().await.unwrap();
    assert_eq!((store.storage(), store.is_degraded()), ("memory", true));
    assert_eq!(store.health().await.service().status, "degraded");

    let forced = [("USE_MEMORY_SESSIONS", "true"), ("REDIS_URL", &server.url())];
    let store: OpenStore<TriviaSession> = StoreConfig::from_vars(forced).unwrap().open().await.unwrap();
    assert_eq!((store.storage(), store.is_degraded()), ("memory", false));

    let stop = StoreConfig::from_vars([
        ("REDIS_CONNECT", "eager"),
        ("REDIS_CONNECT_TIMEOUT", "200"),
        ("REDIS_URL", &server.url()),
    ])
    .unwrap();
    let error = stop.open::<TriviaSession>().await.err().unwrap().to_string();
    assert!(error.contains("connection refused") && error.contains("REDIS_CONNECT=lazy"), "{error}");
}
