//! Health while a real server is in every kind of trouble: it answers within its own deadline, and says the truth.

use firedrill_storage::{OpenStore, StoreConfig, TriviaSession};
use tokio::net::TcpListener;

use crate::support::{PATIENCE, RedisServer, eventually};

/// Calls would wait far longer than a health question may.
async fn open(url: &str, policy: &str) -> OpenStore<TriviaSession> {
    let variables = [("REDIS_URL", url), ("SESSION_POLICY", policy), ("REDIS_TIMEOUT", "60000")];
    StoreConfig::from_vars(variables).unwrap().open().await.unwrap()
}

/// Waits until health says `status` for Redis because of `reason`, asking with a deadline that calls do not have.
async fn says(store: &OpenStore<TriviaSession>, status: &str, reason: &str) {
    eventually(&format!("{status}: {reason}"), async || {
        let report =
            tokio::time::timeout(PATIENCE / 2, store.health()).await.expect("health has a deadline of its own");
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
}

#[tokio::test]
async fn a_frozen_server_is_disconnected_until_it_goes_on() {
    let server = RedisServer::start();
    for policy in ["fail-fast", "drain"] {
        let store = open(&server.url(), policy).await;
        says(&store, "connected", "").await;
        server.freeze();
        says(&store, "disconnected", "no answer").await;
        assert_eq!(store.health().await.is_serving(), policy == "drain");
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
