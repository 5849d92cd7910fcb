//! The Redis store while Redis is away, frozen, restarted or demoted: every call ends by its deadline and says
//! truthfully whether it may have had an effect, and the store recovers by itself.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use firedrill_storage::{
    AppendStore, Effect, Event, HealthStatus, PasswordSource, RedisStore, SessionId, SessionStore, StoreError,
    TriviaSession,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::support::{HOUR, PATIENCE, RedisServer, answer, eventually, id, questions, session};

const DEADLINE: Duration = Duration::from_millis(300);

fn store(url: &str) -> RedisStore<TriviaSession> {
    RedisStore::builder(url)
        .command_timeout(DEADLINE)
        .connect_timeout(Duration::from_secs(2))
        .reconnect(Duration::from_millis(10), Duration::from_millis(100))
        .build()
        .unwrap()
}

async fn comes_back(store: &RedisStore<TriviaSession>) {
    eventually("the store reaches Redis again", async || store.touch(&id("nobody"), HOUR).await.ok()).await;
}

#[tokio::test]
async fn a_store_is_built_without_redis_and_finds_it_later() {
    let mut server = RedisServer::start();
    server.kill();
    let store = store(&server.url());
    let error = store.get(&id("a"), HOUR).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert_eq!(error.effect(), Effect::None);
    assert_eq!(store.health().await.status, HealthStatus::Disconnected);
    server.restart();
    comes_back(&store).await;
    assert_eq!(store.health().await.status, HealthStatus::Connected);
}

#[tokio::test]
async fn connecting_eagerly_says_why_it_failed() {
    let mut server = RedisServer::start();
    assert!(store(&server.url()).connect().await.is_ok());
    server.kill();
    let error = store(&server.url()).connect().await.unwrap_err();
    assert_eq!(error.to_string(), "storage unavailable: connection refused");
}

#[tokio::test]
async fn a_wrong_password_is_named_and_not_shown() {
    let server = RedisServer::start_with(&["--requirepass", "right"]);
    let url = server.url().replace("redis://", "redis://:wrong-secret@");
    let events = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&events);
    let store = RedisStore::<TriviaSession>::builder(&url)
        .reconnect(Duration::from_millis(10), Duration::from_millis(10))
        .events(Arc::new(move |event| sink.lock().unwrap().push(event)))
        .build()
        .unwrap();
    let error = store.connect().await.unwrap_err();
    assert!(error.to_string().contains("authentication failed"), "{error}");
    assert!(!error.to_string().contains("wrong-secret"), "{error}");
    let error = store.connect().await.unwrap_err();
    let refused = Event::Refused {
        code: "WRONGPASS".to_owned(),
        answer: "WRONGPASS invalid username-password pair or user is disabled.".to_owned(),
    };
    assert_eq!(*events.lock().unwrap(), [refused], "in Redis's own words, once: {error}");
}

#[tokio::test]
async fn a_password_that_is_rotated_is_asked_for_at_each_connection() {
    let server = RedisServer::start();
    let mut owner = server.look();
    redis::cmd("ACL").arg(&["SETUSER", "app", "on", ">first", "~*", "&*", "+@all"]).exec(&mut owner).unwrap();
    let told = Arc::new(Mutex::new(None));
    let source = Arc::clone(&told);
    let store = RedisStore::<TriviaSession>::builder(&server.url().replace("redis://", "redis://app:first@"))
        .reconnect(Duration::from_millis(10), Duration::from_millis(10))
        .password(Arc::new(move || source.lock().unwrap().clone()) as PasswordSource)
        .build()
        .unwrap();
    comes_back(&store).await;
    redis::cmd("ACL").arg(&["SETUSER", "app", "resetpass", ">second"]).exec(&mut owner).unwrap();
    assert!(store.touch(&id("nobody"), HOUR).await.is_ok(), "the open connection is not concerned");
    *told.lock().unwrap() = Some("second".to_owned());
    redis::cmd("CLIENT").arg(&["KILL", "USER", "app"]).exec(&mut owner).unwrap();
    comes_back(&store).await;
}

#[tokio::test]
async fn an_unusable_url_is_refused_without_showing_it() {
    let error = RedisStore::<TriviaSession>::builder("http://u:secret@host").build().err().unwrap();
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn every_call_to_a_frozen_server_ends_and_later_ones_do_not_burn_their_deadline() {
    let server = RedisServer::start();
    let store = store(&server.url());
    store.create(&id("a"), session(&id("a"), "ada"), HOUR).await.unwrap();
    server.freeze();
    let error = store.append(&id("a"), answer(1), HOUR).await.unwrap_err();
    assert!(matches!(error, StoreError::Timeout { .. }), "{error:?}");
    assert_eq!(error.effect(), Effect::Unknown);
    let began = Instant::now();
    for _ in 0..200 {
        let error = store.get(&id("a"), HOUR).await.unwrap_err();
        assert_eq!(error.effect(), Effect::None, "{error:?}");
    }
    assert!(began.elapsed() < DEADLINE * 100, "{:?} for 200 calls", began.elapsed());
    server.thaw();
    comes_back(&store).await;
    store.append(&id("a"), answer(1), HOUR).await.unwrap();
    let read = store.get(&id("a"), HOUR).await.unwrap().value.unwrap();
    assert_eq!(questions(&read.data), [1]);
}

#[tokio::test]
async fn health_answers_within_its_deadline_whatever_the_server_does() {
    let server = RedisServer::start();
    let store = RedisStore::<TriviaSession>::builder(&server.url())
        .health_timeout(Duration::from_millis(200))
        .command_timeout(PATIENCE)
        .build()
        .unwrap();
    store.connect().await.unwrap();
    server.freeze();
    let health = tokio::time::timeout(PATIENCE / 2, store.health()).await.unwrap();
    assert_eq!(health.status, HealthStatus::Disconnected);
    server.thaw();
    eventually("health recovers", async || (store.health().await.status == HealthStatus::Connected).then_some(()))
        .await;
}

#[tokio::test]
async fn killed_and_restarted_nothing_acknowledged_is_lost() {
    let mut server = RedisServer::start();
    let store = store(&server.url());
    store.create(&id("a"), session(&id("a"), "ada"), HOUR).await.unwrap();
    let mut acknowledged = Vec::new();
    for question in 0..50 {
        if store.append(&id("a"), answer(question), HOUR).await.is_ok() {
            acknowledged.push(question);
        }
    }
    server.kill();
    let error = store.append(&id("a"), answer(99), HOUR).await.unwrap_err();
    assert!(!matches!(error, StoreError::NotFound), "{error:?}");
    server.restart();
    comes_back(&store).await;
    let read = store.get(&id("a"), HOUR).await.unwrap().value.unwrap();
    assert_eq!(questions(&read.data), acknowledged);
}

#[tokio::test]
async fn attempts_to_reconnect_are_paced() {
    let mut server = RedisServer::start();
    let store = Arc::new(store(&server.url()));
    store.connect().await.unwrap();
    server.kill();
    let before = store.connect_attempts();
    let began = Instant::now();
    let callers: Vec<_> = (0..20)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for _ in 0..50 {
                    assert!(store.get(&id("a"), HOUR).await.is_err());
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    eventually("three more attempts", async || (store.connect_attempts() >= before + 3).then_some(())).await;
    // Pauses are at least 5 ms (half of the shortest), however many calls ask.
    let most = began.elapsed().as_millis() as u64 / 5 + 2;
    assert!(store.connect_attempts() - before <= most, "{} of {most}", store.connect_attempts() - before);
}

#[tokio::test]
async fn a_connection_closed_while_idle_costs_no_call() {
    let server = RedisServer::start();
    let store = store(&server.url());
    store.create(&id("a"), session(&id("a"), "ada"), HOUR).await.unwrap();
    let attempts = store.connect_attempts();
    redis::cmd("CLIENT")
        .arg("KILL")
        .arg("TYPE")
        .arg("normal")
        .arg("SKIPME")
        .arg("yes")
        .exec(&mut server.look())
        .unwrap();
    eventually("it reconnects by itself", async || {
        (store.connect_attempts() > attempts && store.is_connected()).then_some(())
    })
    .await;
    assert!(store.get(&id("a"), HOUR).await.unwrap().value.is_some());
}

#[tokio::test]
async fn a_demoted_master_is_left_and_found_again_when_it_leads() {
    let server = RedisServer::start();
    let store = store(&server.url());
    store.create(&id("a"), session(&id("a"), "ada"), HOUR).await.unwrap();
    let mut redis = server.look();
    // Port 9 (discard) has no server: the replica keeps its data and waits for a master that never comes.
    redis::cmd("REPLICAOF").arg("127.0.0.1").arg(9).exec(&mut redis).unwrap();
    let error = store.append(&id("a"), answer(1), HOUR).await.unwrap_err();
    assert_eq!(error.effect(), Effect::None, "{error:?}");
    eventually("the replica is refused", async || {
        let error = store.get(&id("a"), HOUR).await.err()?;
        (error.to_string() == "storage unavailable: the server is a read-only replica").then_some(())
    })
    .await;
    redis::cmd("REPLICAOF").arg("NO").arg("ONE").exec(&mut redis).unwrap();
    comes_back(&store).await;
    assert_eq!(store.append(&id("a"), answer(1), HOUR).await.unwrap().value, 2);
}

#[tokio::test]
async fn out_of_memory_refuses_writes_and_reads_go_on() {
    let server = RedisServer::start();
    let store = store(&server.url());
    store.create(&id("a"), session(&id("a"), "ada"), HOUR).await.unwrap();
    redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(1).exec(&mut server.look()).unwrap();
    let error = store.append(&id("a"), answer(1), HOUR).await.unwrap_err();
    assert!(matches!(&error, StoreError::Refused { code, .. } if code == "OOM"), "{error:?}");
    let read = store.get(&id("a"), HOUR).await.unwrap().value.unwrap();
    assert_eq!((read.version, questions(&read.data)), (1, vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_call_never_leaves_its_answer_to_another() {
    let server = RedisServer::start();
    let store = Arc::new(store(&server.url()));
    let ids: Vec<SessionId> = (0..20).map(|n| id(&format!("s{n}"))).collect();
    for id in &ids {
        store.create(id, session(id, id.as_str()), HOUR).await.unwrap();
    }
    let callers: Vec<_> = (0..8_u64)
        .map(|caller| {
            let (store, ids) = (Arc::clone(&store), ids.clone());
            tokio::spawn(async move {
                let mut rng = StdRng::seed_from_u64(caller);
                let mut completed = 0;
                for _ in 0..400 {
                    let id = &ids[rng.random_range(0..ids.len())];
                    let patience = Duration::from_micros(rng.random_range(0..2_000));
                    if let Ok(read) = tokio::time::timeout(patience, store.get(id, HOUR)).await
                        && let Ok(read) = read
                    {
                        assert_eq!(read.value.unwrap().data.session_id, *id);
                        completed += 1;
                    }
                }
                completed
            })
        })
        .collect();
    let mut completed = 0;
    for caller in callers {
        completed += caller.await.unwrap();
    }
    assert!((1..3_200).contains(&completed), "{completed} of 3200 completed: no call was cancelled, or all were");
}

#[test]
fn calls_may_come_from_another_runtime_than_the_one_it_was_built_on() {
    let server = RedisServer::start();
    let home = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let store = Arc::new(home.block_on(async { store(&server.url()) }));
    let callers: Vec<_> = (0..2)
        .map(|n| {
            let store = Arc::clone(&store);
            std::thread::spawn(move || {
                let own = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                own.block_on(async {
                    let id = id(&format!("s{n}"));
                    store.create(&id, session(&id, "ada"), HOUR).await.unwrap();
                    for question in 0..20 {
                        store.append(&id, answer(question), HOUR).await.unwrap();
                    }
                    store.get(&id, HOUR).await.unwrap().value.unwrap().data.answers.len()
                })
            })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.join().unwrap(), 20);
    }
}
