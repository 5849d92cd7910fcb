//! What conversations need from Redis: reading values of older releases, and a user index that never counts dead
//! sessions.

use std::time::Duration;

use firedrill_storage::record::conversation::{DEFAULT_TTL, LIST_MAX, Status, recent};
use firedrill_storage::{
    AppendStore, Conversation, ManualClock, MemoryConfig, MemoryStore, RedisStore, SessionStore, StoreError,
};
use redis::Commands;

use crate::sample::Sample;
use crate::support::{HOUR, RedisServer, eventually, id};

fn store(server: &RedisServer) -> RedisStore<Conversation> {
    RedisStore::builder(&server.url()).build().unwrap()
}

async fn made(store: &RedisStore<Conversation>, name: &str, ttl: Duration) {
    store.create(&id(name), Conversation::sample(&id(name), "ada"), ttl).await.unwrap();
}

fn entries(redis: &mut redis::Connection, user: &str) -> Vec<String> {
    redis.zrange(format!("session:user:{user}"), 0, -1).unwrap()
}

fn names(names: impl Iterator<Item = u32>) -> Vec<firedrill_storage::SessionId> {
    names.map(|n| id(&format!("c{n}"))).collect()
}

#[tokio::test]
async fn a_value_of_an_older_release_is_read_with_defaults_and_appended_to() {
    let server = RedisServer::start();
    let store = store(&server);
    let mut redis = server.look();
    let old = r#"{"version":3,"user":"ada","data":{"messages":[],"sessionId":"a","color":"blue"}}"#;
    let older = r#"{"version":3,"data":{"sessionId":"a"}}"#;
    for value in [old, older] {
        redis.set_ex::<_, _, ()>("session:a", value, 60).unwrap();
        let read = store.get(&id("a"), HOUR).await.unwrap().value.unwrap();
        assert_eq!((read.version, read.data.status, read.data.title.as_str()), (3, Status::Active, ""));
        for number in [7, 7, 8] {
            store.append(&id("a"), Conversation::item(number), HOUR).await.unwrap();
        }
        assert_eq!(store.get(&id("a"), HOUR).await.unwrap().value.unwrap().data.items(), [7, 8], "{value}");
    }
}

#[tokio::test]
async fn a_value_with_a_field_of_the_wrong_type_is_an_error_is_left_as_it_is_and_can_be_destroyed() {
    let server = RedisServer::start();
    let store = store(&server);
    let mut redis = server.look();
    for data in [r#"{"sessionId":"a","messages":{}}"#, r#"{"sessionId":"a","title":7}"#, "{}"] {
        let value = format!(r#"{{"version":3,"user":"ada","data":{data}}}"#);
        redis.set_ex::<_, _, ()>("session:a", &value, 60).unwrap();
        let error = store.get(&id("a"), HOUR).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{data}: {error:?}");
        let error = store.append(&id("a"), Conversation::item(1), HOUR).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{data}: {error:?}");
        assert_eq!(redis.get::<_, String>("session:a").unwrap(), value);
        assert!(store.destroy(&id("a")).await.unwrap().value);
        assert_eq!(store.get(&id("a"), HOUR).await.unwrap().value, None);
    }
}

#[tokio::test]
async fn of_sixty_conversations_the_expired_half_is_not_among_the_fifty() {
    let server = RedisServer::start();
    let store = store(&server);
    for n in 0..60 {
        made(&store, &format!("c{n}"), if n % 2 == 0 { Duration::from_millis(1) } else { DEFAULT_TTL }).await;
    }
    let mut redis = server.look();
    eventually("the last of them expires", async || (!redis.exists::<_, bool>("session:c58").unwrap()).then_some(()))
        .await;
    let odd = || (0..60).rev().filter(|n| n % 2 == 1);
    assert_eq!(recent(&store, "ada").await.unwrap().value, names(odd()));
    // Sessions found to be gone are also gone from the index.
    assert_eq!(entries(&mut redis, "ada").len(), 30);
    for n in 60..90 {
        made(&store, &format!("c{n}"), DEFAULT_TTL).await;
    }
    let listed = recent(&store, "ada").await.unwrap().value;
    assert_eq!(listed, names((60..90).rev().chain(odd())).into_iter().take(LIST_MAX).collect::<Vec<_>>());
}

#[tokio::test]
async fn in_memory_the_expired_half_is_not_among_the_fifty_either() {
    let clock = std::sync::Arc::new(ManualClock::default());
    let store = MemoryStore::new(MemoryConfig { clock: clock.clone(), ..MemoryConfig::default() });
    for n in 0..60 {
        let name = id(&format!("c{n}"));
        let ttl = if n % 2 == 0 { HOUR } else { DEFAULT_TTL };
        clock.advance(Duration::from_millis(1));
        store.create(&name, Conversation::sample(&name, "ada"), ttl).await.unwrap();
    }
    assert_eq!(recent(&store, "ada").await.unwrap().value, names((10..60).rev()));
    clock.advance(2 * HOUR);
    assert_eq!(recent(&store, "ada").await.unwrap().value, names((0..60).rev().filter(|n| n % 2 == 1)));
}

#[tokio::test]
async fn an_id_that_has_become_another_users_is_in_their_list_alone() {
    let server = RedisServer::start();
    let store = store(&server);
    made(&store, "a", HOUR).await;
    // It expires, which leaves its entry behind, and its id is used again.
    server.look().del::<_, ()>("session:a").unwrap();
    store.create(&id("a"), Conversation::sample(&id("a"), "bob"), HOUR).await.unwrap();
    assert!(recent(&store, "ada").await.unwrap().value.is_empty());
    assert_eq!(recent(&store, "bob").await.unwrap().value, [id("a")]);
    assert_eq!(entries(&mut server.look(), "ada"), [""; 0]);
}

#[tokio::test]
async fn a_bad_value_is_listed_until_it_is_destroyed() {
    let server = RedisServer::start();
    let store = store(&server);
    made(&store, "bad", HOUR).await;
    made(&store, "list", HOUR).await;
    let mut redis = server.look();
    redis.set_ex::<_, _, ()>("session:bad", "nonsense", 60).unwrap();
    redis.del::<_, ()>("session:list").unwrap();
    redis.rpush::<_, _, ()>("session:list", "x").unwrap();
    assert_eq!(recent(&store, "ada").await.unwrap().value, [id("list"), id("bad")]);
    for name in ["bad", "list"] {
        assert!(store.destroy(&id(name)).await.unwrap().value);
    }
    assert!(recent(&store, "ada").await.unwrap().value.is_empty());
}

#[tokio::test]
async fn entries_without_a_session_leave_the_index_though_many_old_sessions_live_on() {
    let server = RedisServer::start();
    let store = store(&server);
    let mut redis = server.look();
    for n in 0..60 {
        made(&store, &format!("c{n}"), HOUR).await;
    }
    // All were last written long ago; the older half is still alive because it was read, the newer half is gone.
    for n in 0..60 {
        redis.zadd::<_, _, _, ()>("session:user:ada", format!("c{n}"), 1_000 + n).unwrap();
    }
    for n in 30..60 {
        redis.del::<_, ()>(format!("session:c{n}")).unwrap();
    }
    eventually("all that is gone has left the index", async || {
        made_again(&store).await;
        (entries(&mut redis, "ada").len() == 31).then_some(())
    })
    .await;
    let listed = recent(&store, "ada").await.unwrap().value;
    assert_eq!(listed, [vec![id("writer")], names((0..30).rev())].concat());
}

async fn made_again(store: &RedisStore<Conversation>) {
    store.put(&id("writer"), Conversation::sample(&id("writer"), "ada"), HOUR).await.unwrap();
}

#[tokio::test]
async fn the_index_lives_an_hour_longer_than_what_was_written_last_and_ends_by_itself() {
    let server = RedisServer::start();
    let store = store(&server);
    made(&store, "a", DEFAULT_TTL).await;
    let day: i64 = 24 * 3_600_000;
    let ttl: i64 = server.look().pttl("session:user:ada").unwrap();
    assert!((day + 3_590_000..=day + 3_600_000).contains(&ttl), "{ttl}");
}

#[tokio::test]
async fn what_stands_where_an_index_should_be_does_not_make_a_write_fail_half_way() {
    let server = RedisServer::start();
    let store = store(&server);
    server.look().set::<_, _, ()>("session:user:ada", "not an index").unwrap();
    made(&store, "a", HOUR).await;
    assert_eq!(recent(&store, "ada").await.unwrap().value, [id("a")]);
    let ttl: i64 = server.look().pttl("session:user:ada").unwrap();
    assert!(ttl > 3_600_000, "{ttl}");
}
