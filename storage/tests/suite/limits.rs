//! The limits beyond the idle timeout: an absolute timeout, how often reads extend a session, sessions per user.

use std::sync::Arc;
use std::time::Duration;

use firedrill_storage::{
    AppendStore, Limits, ManualClock, Policy, SessionId, StoreBuilder, StoreError, Timestamp, TriviaSession, UserId,
};

use crate::support::{HOUR, RedisServer, answer, eventually, id, session};

type Store = Arc<dyn AppendStore<TriviaSession>>;

fn store(server: &RedisServer, limits: Limits, clock: &Arc<ManualClock>) -> Store {
    let builder = StoreBuilder {
        policy: Policy::FailFast,
        limits,
        clock: Arc::clone(clock) as _,
        ..StoreBuilder::new(server.url())
    };
    builder.build().unwrap().store
}

/// A session that was made so long ago.
fn aged(id: &SessionId, age: Duration) -> TriviaSession {
    let made = Timestamp::now().plus_ms(-(age.as_millis() as i64));
    TriviaSession::sized(id.clone(), UserId::Number(7), 1_000, made)
}

fn lives(server: &RedisServer, name: &str) -> i64 {
    server.ask(&["PTTL", &format!("session:{name}")]).unwrap()
}

#[tokio::test]
async fn a_session_ends_at_its_age_however_often_it_is_used() {
    let server = RedisServer::start();
    let limits = Limits { absolute: Some(HOUR), ..Limits::default() };
    let (limited, free) = (store(&server, limits, &Arc::default()), store(&server, Limits::default(), &Arc::default()));
    let rest = Duration::from_secs(2);
    limited.create(&id("a"), aged(&id("a"), HOUR - rest), HOUR).await.unwrap();
    // Each use would give it an hour.
    let uses = async |store: &Store, id: &SessionId| {
        store.get(id, HOUR).await?;
        store.touch(id, HOUR).await?;
        store.append(id, answer(1), HOUR).await.map(drop)
    };
    uses(&limited, &id("a")).await.unwrap();
    let ttl = lives(&server, "a");
    assert!((1..=2_000).contains(&ttl), "{ttl}");
    let renamed = limited.successor(&id("a"));
    limited.rename(&id("a"), &renamed, HOUR).await.unwrap();
    let ttl = lives(&server, renamed.as_str());
    assert!((1..=2_000).contains(&ttl), "{ttl}");

    // A process without the limit lets it live on in Redis; to this one it is over at its age all the same.
    uses(&free, &renamed).await.unwrap();
    eventually("the session is over", async || {
        limited.get(&renamed, HOUR).await.unwrap().value.is_none().then_some(())
    })
    .await;
    assert_eq!(free.get(&renamed, HOUR).await.unwrap().value, None);
}

#[tokio::test]
async fn what_is_too_old_is_ended_by_whatever_meets_it() {
    let server = RedisServer::start();
    let limits = Limits { absolute: Some(HOUR), ..Limits::default() };
    let (limited, free) = (store(&server, limits, &Arc::default()), store(&server, Limits::default(), &Arc::default()));
    let not_found = |error: StoreError| matches!(error, StoreError::NotFound);
    for use_of in ["get", "peek", "touch", "append", "put", "update", "rename"] {
        let (id, old) = (id(use_of), aged(&id(use_of), HOUR * 2));
        free.create(&id, old.clone(), HOUR).await.unwrap();
        let gone = match use_of {
            "get" => limited.get(&id, HOUR).await.unwrap().value.is_none(),
            "peek" => limited.peek(&id).await.unwrap().value.is_none(),
            "touch" => !limited.touch(&id, HOUR).await.unwrap().value,
            "append" => limited.append(&id, answer(1), HOUR).await.is_err_and(not_found),
            "put" => limited.put(&id, old, HOUR).await.is_err_and(not_found),
            "update" => limited.update(&id, 1, old, HOUR).await.is_err_and(not_found),
            _ => limited.rename(&id, &limited.successor(&id), HOUR).await.is_err_and(not_found),
        };
        assert!(gone, "{use_of}");
        assert_eq!(free.get(&id, HOUR).await.unwrap().value, None, "{use_of}");
    }
    // The id may be another session's by now.
    free.create(&id("a"), aged(&id("a"), Duration::ZERO), HOUR).await.unwrap();
    let old = aged(&id("a"), HOUR * 2);
    assert!(limited.create(&id("a"), old.clone(), HOUR).await.is_err_and(not_found));
    assert!(limited.update(&id("a"), 1, old.clone(), HOUR).await.is_err_and(not_found));
    assert!(limited.put(&id("a"), old, HOUR).await.is_err_and(not_found));
    assert!(free.get(&id("a"), HOUR).await.unwrap().value.is_some());
}

#[tokio::test]
async fn an_id_that_is_used_again_gets_the_age_of_its_new_session() {
    let server = RedisServer::start();
    let limits = Limits { absolute: Some(HOUR), ..Limits::default() };
    let (limited, free) = (store(&server, limits, &Arc::default()), store(&server, Limits::default(), &Arc::default()));
    limited.create(&id("a"), aged(&id("a"), HOUR - Duration::from_secs(60)), HOUR).await.unwrap();
    free.destroy(&id("a")).await.unwrap();
    free.create(&id("a"), aged(&id("a"), Duration::ZERO), HOUR).await.unwrap();
    assert!(limited.touch(&id("a"), HOUR / 2).await.unwrap().value);
    let ttl = lives(&server, "a");
    assert!(ttl > 1_000_000, "{ttl}");
}

#[tokio::test]
async fn reads_extend_a_session_only_as_often_as_they_are_told() {
    let server = RedisServer::start();
    let (every, clock) = (Duration::from_secs(60), Arc::new(ManualClock::default()));
    let store = store(&server, Limits { slide_every: Some(every), ..Limits::default() }, &clock);
    store.create(&id("a"), session(&id("a"), "ada"), HOUR).await.unwrap();
    let shorten = || server.ask::<u8>(&["PEXPIRE", "session:a", "1000000"]).unwrap();
    let extends = async |ttl: Duration| {
        shorten();
        assert!(store.get(&id("a"), ttl).await.unwrap().value.is_some());
        lives(&server, "a") > 1_000_000
    };
    assert!(!extends(HOUR).await, "the create has given it an hour");
    clock.advance(every);
    assert!(extends(HOUR).await);
    assert!(!extends(HOUR).await);
    clock.advance(every - Duration::from_millis(1));
    assert!(!extends(HOUR).await);
    clock.advance(Duration::from_millis(1));
    assert!(extends(HOUR).await);
    // The last use gave it less than this one asks for.
    store.touch(&id("a"), Duration::from_secs(10)).await.unwrap();
    assert!(store.get(&id("a"), HOUR).await.unwrap().value.is_some());
    assert!(lives(&server, "a") > 1_000_000);
    // With a lifetime of 40 s a read may not rest for 60.
    clock.advance(Duration::from_secs(20));
    shorten();
    store.get(&id("a"), Duration::from_secs(40)).await.unwrap();
    assert!(lives(&server, "a") <= 40_000);
}

#[tokio::test]
async fn a_further_login_ends_the_session_written_the_longest_ago() {
    let server = RedisServer::start();
    let store = store(&server, Limits { per_user: Some(2), ..Limits::default() }, &Arc::default());
    let of = async |user: &str| {
        let listed = store.list_by_user(user, 10).await.unwrap().value;
        listed.iter().map(|id| id.as_str().to_owned()).collect::<Vec<_>>()
    };
    for (name, user) in [("a", "ada"), ("b", "ada"), ("x", "bob"), ("c", "ada")] {
        store.create(&id(name), session(&id(name), user), HOUR).await.unwrap();
    }
    assert_eq!((of("ada").await, of("bob").await), (vec!["c".to_owned(), "b".to_owned()], vec!["x".to_owned()]));
    assert_eq!(store.get(&id("a"), HOUR).await.unwrap().value, None);
    // A write to a session that was counted ends none, and makes it the newest.
    store.put(&id("b"), session(&id("b"), "ada"), HOUR).await.unwrap();
    assert_eq!(of("ada").await, ["b", "c"]);

    // A visitor logs in: the session gets a user by a write.
    let visitor = TriviaSession::sized(id("v"), UserId::anonymous(), 1_000, Timestamp::now());
    store.create(&id("v"), visitor, HOUR).await.unwrap();
    store.update(&id("v"), 1, session(&id("v"), "ada"), HOUR).await.unwrap();
    assert_eq!(of("ada").await, ["v", "b"]);
    assert_eq!(of("bob").await, ["x"]);
}
