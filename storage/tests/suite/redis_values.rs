//! What the Redis store leaves in Redis (keys, lifetimes, indexes), and how it treats values that are not its own.

use std::time::Duration;

use firedrill_storage::{
    AppendStore, MergeReport, RedisStore, SessionData, SessionStore, StoreBuilder, StoreError, Timestamp,
    TriviaSession, UserId,
};
use serde::{Deserialize, Serialize};

use crate::support::{HOUR, RedisServer, answer, id, questions, session};

fn store(server: &RedisServer) -> RedisStore<TriviaSession> {
    RedisStore::builder(&server.url()).build().unwrap()
}

#[tokio::test]
async fn a_session_is_one_json_text_with_its_version_in_front_and_always_a_lifetime() {
    let server = RedisServer::start();
    let store = store(&server);
    store.create(&id("a"), session(&id("a"), "ada"), HOUR).await.unwrap();
    store.append(&id("a"), answer(1), HOUR).await.unwrap();
    let mut redis = server.look();
    let value: String = redis::cmd("GET").arg("session:a").query(&mut redis).unwrap();
    let (head, body) = (
        "{\"version\":2               ,\"line\":\"",
        "\",\"user\":\"ada\",\"data\":{\"sessionId\":\"a\",\"userId\":\"ada\",",
    );
    let (line, rest) = value.strip_prefix(head).unwrap().split_at(16);
    assert!(line.bytes().all(|byte| byte.is_ascii_hexdigit()) && rest.starts_with(body), "{value}");
    let tail = "\"answers\":[{\"question\":1,\"choice\":1,\"correct\":true,\"score\":10,\
                \"answeredAt\":\"1970-01-01T00:00:05.001Z\"}]}}";
    assert!(value.trim_end().ends_with(tail), "{value}");
    assert!(serde_json::from_str::<serde_json::Value>(&value).is_ok());
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut redis).unwrap();
    for key in keys {
        let ttl: i64 = redis::cmd("PTTL").arg(&key).query(&mut redis).unwrap();
        assert!(ttl > 0, "{key} has no lifetime");
    }
}

fn big(name: &str) -> TriviaSession {
    TriviaSession::sized(id(name), UserId::Number(7), 50_000, Timestamp(0))
}

fn number(redis: &mut redis::Connection, cmd: &[&str]) -> i64 {
    redis::cmd(cmd[0]).arg(&cmd[1..]).query(redis).unwrap()
}

#[tokio::test]
async fn an_append_sends_the_item_and_not_the_session() {
    let server = RedisServer::start();
    let store = store(&server);
    store.create(&id("a"), big("a"), HOUR).await.unwrap();
    store.append(&id("a"), answer(1), HOUR).await.unwrap();
    let mut redis = server.look();
    let bytes = |redis: &mut redis::Connection| {
        let info: String = redis::cmd("INFO").arg("stats").query(redis).unwrap();
        let line = info.lines().find_map(|line| line.strip_prefix("total_net_input_bytes:")).unwrap();
        line.trim().parse::<u64>().unwrap()
    };
    let before = bytes(&mut redis);
    store.append(&id("a"), answer(2), HOUR).await.unwrap();
    let sent = bytes(&mut redis) - before;
    assert!(sent < 1_000, "{sent} bytes for one answer");
    let read = store.get(&id("a"), HOUR).await.unwrap().value.unwrap();
    assert_eq!(questions(&read.data), [1, 2]);
}

#[tokio::test]
async fn a_large_session_grows_by_its_items_and_not_in_leaps() {
    let server = RedisServer::start();
    let store = store(&server);
    store.create(&id("a"), big("a"), HOUR).await.unwrap();
    let mut redis = server.look();
    let before = number(&mut redis, &["MEMORY", "USAGE", "session:a"]);
    let mut expected = big("a");
    for question in 0..60 {
        store.append(&id("a"), answer(question), HOUR).await.unwrap();
        expected.append(answer(question));
    }
    let read = store.get(&id("a"), HOUR).await.unwrap().value.unwrap();
    assert_eq!((read.version, read.data), (61, expected));
    let after = number(&mut redis, &["MEMORY", "USAGE", "session:a"]);
    assert!(after < before + before / 3, "{before} bytes became {after}");
    assert!(number(&mut redis, &["PTTL", "session:a"]) > 3_500_000);
}

#[tokio::test]
async fn large_values_keep_every_promise_and_leave_nothing_lying_about() {
    let server = RedisServer::start();
    let store = store(&server);
    let mut redis = server.look();
    // The first value of its size is a script argument. Later ones are sent ahead, even before a script that is not
    // known yet.
    store.create(&id("first"), big("first"), HOUR).await.unwrap();
    store.destroy(&id("first")).await.unwrap();
    redis::cmd("SCRIPT").arg("FLUSH").exec(&mut redis).unwrap();
    assert_eq!(store.create(&id("a"), big("a"), HOUR).await.unwrap().value, 1);
    let taken = store.create(&id("a"), big("a"), HOUR).await.unwrap_err();
    assert!(matches!(taken, StoreError::AlreadyExists), "{taken:?}");
    assert_eq!(store.update(&id("a"), 1, big("a"), HOUR).await.unwrap().value, 2);
    let old = store.update(&id("a"), 1, big("a"), HOUR).await.unwrap_err();
    assert!(matches!(old, StoreError::Conflict { current: 2 }), "{old:?}");
    let absent = store.update(&id("b"), 1, big("b"), HOUR).await.unwrap_err();
    assert!(matches!(absent, StoreError::NotFound), "{absent:?}");
    assert_eq!(store.put(&id("a"), big("a"), HOUR).await.unwrap().value, 3);
    let mut keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut redis).unwrap();
    keys.sort();
    assert_eq!(keys, ["session:a", "session:gone:first", "session:user:7"]);
    assert!((1..=3_600_000).contains(&number(&mut redis, &["PTTL", "session:a"])));
    redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(1).exec(&mut redis).unwrap();
    let refused = store.put(&id("a"), big("a"), HOUR).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Refused { code, .. } if code == "OOM"), "{refused:?}");
}

#[tokio::test]
async fn a_value_that_is_not_a_session_is_an_error_and_can_be_destroyed() {
    let server = RedisServer::start();
    let store = store(&server);
    let mut redis = server.look();
    for bad in ["garbage", "{\"version\":1,\"data\":{}}", "{\"version\":1,\"data\":nonsense]}}", "{}"] {
        redis::cmd("SET").arg("session:bad").arg(bad).exec(&mut redis).unwrap();
        let error = store.get(&id("bad"), HOUR).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{bad}: {error:?}");
        assert!(!error.to_string().contains("nonsense"), "{error}");
        assert!(store.destroy(&id("bad")).await.unwrap().value, "{bad}");
        assert_eq!(store.get(&id("bad"), HOUR).await.unwrap().value, None);
    }
    let error = store.append(&id("list"), answer(1), HOUR).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound), "{error:?}");
    redis::cmd("RPUSH").arg("session:list").arg("x").exec(&mut redis).unwrap();
    let error = store.append(&id("list"), answer(1), HOUR).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    assert!(store.destroy(&id("list")).await.unwrap().value);
}

#[tokio::test]
async fn stores_under_different_prefixes_share_nothing() {
    let server = RedisServer::start();
    let one = RedisStore::<TriviaSession>::builder(&server.url()).prefix("app[1]:session:").build().unwrap();
    let two = RedisStore::<TriviaSession>::builder(&server.url()).prefix("app1:session:").build().unwrap();
    one.create(&id("a"), session(&id("a"), "ada"), HOUR).await.unwrap();
    assert_eq!(two.get(&id("a"), HOUR).await.unwrap().value, None);
    assert_eq!(two.count().await.unwrap().value, 0);
    assert_eq!(one.count().await.unwrap().value, 1);
    assert!(two.list_by_user("ada", 10).await.unwrap().value.is_empty());
}

#[tokio::test]
async fn scripts_that_the_server_has_forgotten_are_sent_again() {
    let server = RedisServer::start();
    let store = store(&server);
    store.create(&id("a"), session(&id("a"), "ada"), HOUR).await.unwrap();
    redis::cmd("SCRIPT").arg("FLUSH").exec(&mut server.look()).unwrap();
    assert_eq!(store.append(&id("a"), answer(1), HOUR).await.unwrap().value, 2);
}

#[tokio::test]
async fn the_index_outlives_the_session_and_an_entry_without_a_session_is_dropped() {
    let server = RedisServer::start();
    let store = store(&server);
    store.create(&id("a"), session(&id("a"), "ada"), HOUR).await.unwrap();
    store.create(&id("b"), session(&id("b"), "ada"), HOUR).await.unwrap();
    let mut redis = server.look();
    let ttl: i64 = redis::cmd("PTTL").arg("session:user:ada").query(&mut redis).unwrap();
    assert!((3_600_001..=7_200_000).contains(&ttl), "{ttl}");
    redis::cmd("DEL").arg("session:a").exec(&mut redis).unwrap();
    assert_eq!(store.list_by_user("ada", 10).await.unwrap().value, [id("b")]);
    let entries: Vec<String> = redis::cmd("ZRANGE").arg("session:user:ada").arg(0).arg(-1).query(&mut redis).unwrap();
    assert_eq!(entries, ["b"]);
}

#[tokio::test]
async fn reading_a_session_keeps_its_index_alive() {
    let server = RedisServer::start();
    store(&server).create(&id("a"), session(&id("a"), "ada"), HOUR).await.unwrap();
    let mut redis = server.look();
    redis::cmd("PEXPIRE").arg("session:user:ada").arg(60_000).exec(&mut redis).unwrap();
    store(&server).get(&id("a"), HOUR).await.unwrap();
    let ttl: i64 = redis::cmd("PTTL").arg("session:user:ada").query(&mut redis).unwrap();
    assert!(ttl > 3_600_000, "{ttl}");
}

#[tokio::test]
async fn without_sliding_a_read_leaves_the_lifetime_alone() {
    let server = RedisServer::start();
    let store = RedisStore::<TriviaSession>::builder(&server.url()).sliding(false).build().unwrap();
    store.create(&id("a"), session(&id("a"), "ada"), HOUR / 60).await.unwrap();
    store.get(&id("a"), HOUR).await.unwrap();
    let ttl: i64 = redis::cmd("PTTL").arg("session:a").query(&mut server.look()).unwrap();
    assert!(ttl <= 60_000, "{ttl}");
}

/// Data whose items have no identity and are not at the end: an append reads, changes and writes by version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Basket {
    items: Vec<u64>,
    owner: String,
}

impl SessionData for Basket {
    type Item = u64;

    fn append(&mut self, item: u64) -> bool {
        self.items.push(item);
        true
    }

    fn merge(&mut self, _other: Self) -> MergeReport {
        MergeReport::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_that_cannot_be_spliced_loses_no_append_either() {
    let server = RedisServer::start();
    let store = std::sync::Arc::new(RedisStore::<Basket>::builder(&server.url()).build().unwrap());
    let basket = Basket { items: vec![], owner: "ada".into() };
    store.create(&id("a"), basket, HOUR).await.unwrap();
    let tasks: Vec<_> = (0..4_u64)
        .map(|task| {
            let store = std::sync::Arc::clone(&store);
            tokio::spawn(async move {
                for n in 0..10 {
                    store.append(&id("a"), task * 100 + n, HOUR).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let read = store.get(&id("a"), HOUR).await.unwrap().value.unwrap();
    assert_eq!(read.data.items.len(), 40);
    assert_eq!(read.version, 41);
}

#[tokio::test]
async fn data_that_json_cannot_hold_is_refused_before_anything_is_sent() {
    #[derive(Clone, Serialize, Deserialize)]
    struct Odd(std::collections::HashMap<(u8, u8), u8>);
    impl SessionData for Odd {
        type Item = ();
        fn append(&mut self, _item: ()) -> bool {
            false
        }
    }
    let server = RedisServer::start();
    let store = RedisStore::<Odd>::builder(&server.url()).build().unwrap();
    let error = store.put(&id("a"), Odd([((1, 2), 3)].into()), HOUR).await.unwrap_err();
    assert!(matches!(error, StoreError::Unserializable), "{error:?}");
    assert_eq!(store.count().await.unwrap().value, 0);
}

#[tokio::test]
async fn the_longest_deadlines_and_lifetimes_are_as_good_as_any() {
    let server = RedisServer::start();
    let settings = StoreBuilder {
        command_timeout: Duration::MAX,
        connect_timeout: Duration::MAX,
        ..StoreBuilder::new(server.url())
    };
    let store = settings.build::<TriviaSession>().unwrap().store;
    store.create(&id("a"), session(&id("a"), "ada"), Duration::MAX).await.unwrap();
    assert_eq!(store.append(&id("a"), answer(1), Duration::MAX).await.unwrap().value, 2);
    assert!(store.touch(&id("a"), Duration::MAX).await.unwrap().value);
    assert_eq!(store.get(&id("a"), Duration::MAX).await.unwrap().value.unwrap().version, 2);
    assert_eq!(store.list_by_user("ada", 5).await.unwrap().value, [id("a")]);
    assert!(store.destroy(&id("a")).await.unwrap().value);
}

#[tokio::test]
async fn a_listing_behind_thousands_of_dead_entries_holds_redis_only_for_short_steps() {
    let server = RedisServer::start();
    let store = store(&server);
    store.create(&id("a"), session(&id("a"), "ada"), HOUR).await.unwrap();
    let mut redis = server.look();
    let mut dead = redis::cmd("ZADD");
    dead.arg("session:user:ada");
    for number in 0..3_000_u64 {
        dead.arg(4_000_000_000_000 + number).arg(format!("dead-{number}"));
    }
    dead.exec(&mut redis).unwrap();
    assert_eq!(store.list_by_user("ada", 10).await.unwrap().value, [id("a")]);
    let left: u64 = redis::cmd("ZCARD").arg("session:user:ada").query(&mut redis).unwrap();
    assert_eq!(left, 1);
    // The script's own calls count too: each step but the last drops 500.
    let stats: String = redis::cmd("INFO").arg("commandstats").query(&mut redis).unwrap();
    let calls = |command: &str| -> u64 {
        let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        line.and_then(|line| line.split(',').next()).map_or(0, |calls| calls.parse().unwrap())
    };
    assert!(calls("evalsha") >= 7, "{stats}");
}

#[tokio::test]
async fn a_session_of_a_user_with_a_very_long_name_can_be_updated_and_listed() {
    let server = RedisServer::start();
    let store = store(&server);
    let user = "x".repeat(5_000);
    let version = store.create(&id("a"), session(&id("a"), &user), HOUR).await.unwrap().value;
    store.update(&id("a"), version, session(&id("a"), &user), HOUR).await.unwrap();
    store.append(&id("a"), answer(1), HOUR).await.unwrap();
    assert_eq!(store.list_by_user(&user, 5).await.unwrap().value, [id("a")]);
}

#[tokio::test]
async fn a_destroy_that_finds_no_index_where_it_should_be_says_that_it_destroyed() {
    let server = RedisServer::start();
    let store = store(&server);
    store.create(&id("a"), session(&id("a"), "ada"), HOUR).await.unwrap();
    let mut redis = server.look();
    redis::cmd("SET").arg("session:user:ada").arg("not an index").exec(&mut redis).unwrap();
    assert!(store.destroy(&id("a")).await.unwrap().value);
}
