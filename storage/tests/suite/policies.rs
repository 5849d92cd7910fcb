//! The policies other than `fail-fast`, `degrade` and `drain`: `read-only`, `silent-cache`, `dual-write` and `memory`, and
//! the circuit breaker with each of them.

use std::sync::Arc;
use std::time::Duration;

use firedrill_storage::{
    BreakerConfig, BreakerState, Effect, Event, HealthStatus, Policy, RedisStore, ServedBy, SessionStore, StoreBuilder,
    StoreError, TriviaSession,
};
use parking_lot::Mutex;

use crate::fallback_outage::Lab;
use crate::support::{HOUR, RedisServer, answer, eventually, id, questions, session};

fn other(lab: &Lab) -> RedisStore<TriviaSession> {
    RedisStore::builder(&lab.server.url()).build().unwrap()
}

#[tokio::test]
async fn a_silent_cache_finds_nothing_drops_writes_and_never_fails() {
    let mut lab = Lab::new(Policy::SilentCache);
    lab.create("a").await;
    assert_eq!(lab.append("a", 1).await, ServedBy::Primary);
    lab.server.kill();
    let store = lab.store();
    for name in ["a", "never-made"] {
        let name = id(name);
        let read = store.get(&name, HOUR).await.unwrap();
        assert_eq!((read.value, read.served_by), (None, ServedBy::Fallback));
        assert!(!store.touch(&name, HOUR).await.unwrap().value);
        assert_eq!(store.append(&name, answer(2), HOUR).await.unwrap().value, 0);
        assert_eq!(store.update(&name, 2, session(&name, "ada"), HOUR).await.unwrap().value, 0);
        assert_eq!(store.put(&name, session(&name, "ada"), HOUR).await.unwrap().served_by, ServedBy::Fallback);
        assert!(store.destroy(&name).await.is_ok());
        assert_eq!(store.get(&name, HOUR).await.unwrap().value, None, "a dropped write is not read back");
    }
    assert_eq!(store.create(&id("new"), session(&id("new"), "ada"), HOUR).await.unwrap().value, 0);
    assert_eq!(store.count().await.unwrap().value, 0);
    assert!(store.list_by_user("ada", 9).await.unwrap().value.is_empty());
    assert_eq!((lab.starts(), lab.built.fallback_stats().dropped), (1, 9));
}

#[tokio::test]
async fn after_the_outage_a_silent_cache_shows_nothing_that_a_dropped_write_or_deletion_made_stale() {
    let mut lab = Lab::new(Policy::SilentCache);
    for name in ["written", "appended", "destroyed", "only-read"] {
        lab.create(name).await;
    }
    lab.server.kill();
    assert_eq!(lab.read("only-read").await, None);
    lab.store().put(&id("written"), session(&id("written"), "bob"), HOUR).await.unwrap();
    lab.append("appended", 1).await;
    lab.store().destroy(&id("destroyed")).await.unwrap();
    lab.server.restart();
    lab.recovered().await;
    for (name, expected) in
        [("written", None), ("appended", None), ("destroyed", None), ("only-read", Some((1, vec![])))]
    {
        assert_eq!(lab.read(name).await, expected, "{name}");
        assert_eq!(lab.in_redis(name).await, expected, "{name}");
    }
    assert_eq!(lab.came_to(), Event::Dropped { writes: 3, invalidated: 3 });
    assert_eq!((lab.starts(), lab.ends()), (1, 1));
    // The id can be used again, above every version it had.
    lab.store().put(&id("written"), session(&id("written"), "bob"), HOUR).await.unwrap();
    assert!(lab.read("written").await.unwrap().0 > 1);
}

#[tokio::test]
async fn a_silent_cache_takes_out_a_write_that_reached_redis_after_all() {
    let lab = Lab::new(Policy::SilentCache);
    lab.create("a").await;
    lab.server.freeze();
    assert_eq!(lab.append("a", 1).await, ServedBy::Fallback);
    lab.server.thaw();
    lab.recovered().await;
    assert_eq!(lab.read("a").await, None);
}

#[tokio::test]
async fn a_silent_cache_that_must_forget_what_it_dropped_says_so() {
    let mut lab = Lab::with(Policy::SilentCache, RedisServer::start(), |builder| builder.warm_capacity = 2);
    lab.server.kill();
    for name in ["a", "b", "c"] {
        lab.append(name, 1).await;
    }
    assert!(lab.events.lock().contains(&Event::Evicted { copies: 0, lost: 1 }));
    assert_eq!(lab.built.fallback_stats().evicted_sessions, 1);
}

#[tokio::test]
async fn read_only_answers_reads_from_memory_and_refuses_writes_without_effect() {
    let mut lab = Lab::new(Policy::ReadOnly);
    lab.create("a").await;
    assert_eq!(lab.append("a", 1).await, ServedBy::Primary);
    lab.server.kill();
    let store = lab.store();
    let read = store.get(&id("a"), HOUR).await.unwrap();
    assert_eq!((read.value.map(|found| found.version), read.served_by), (Some(2), ServedBy::Fallback));
    assert!(store.touch(&id("a"), HOUR).await.unwrap().value);
    assert!(store.get(&id("never-used"), HOUR).await.is_err(), "this process cannot know it");
    for name in ["a", "new"] {
        let (name, data) = (id(name), session(&id(name), "bob"));
        let refused = [
            store.create(&name, data.clone(), HOUR).await.map(drop),
            store.put(&name, data.clone(), HOUR).await.map(drop),
            store.update(&name, 2, data, HOUR).await.map(drop),
            store.append(&name, answer(2), HOUR).await.map(drop),
            store.destroy(&name).await.map(drop),
        ];
        for refused in refused {
            assert_eq!(refused.map_err(|error| error.effect()), Err(Effect::None), "{name}");
        }
    }
    lab.server.restart();
    lab.recovered().await;
    assert_eq!(lab.in_redis("a").await, Some((2, vec![1])));
    assert_eq!(lab.in_redis("new").await, None);
    assert_eq!(lab.append("a", 2).await, ServedBy::Primary);
}

#[tokio::test]
async fn dual_write_answers_from_memory_like_degrade_and_forgets_nothing() {
    let mut lab = Lab::new(Policy::DualWrite);
    lab.create("a").await;
    other(&lab).create(&id("cold"), session(&id("cold"), "ada"), HOUR).await.unwrap();
    lab.server.kill();
    assert_eq!(lab.append("a", 1).await, ServedBy::Fallback);
    lab.create("b").await;
    assert_eq!(lab.read("cold").await, None, "memory does not have it");
    assert!(!lab.store().destroy(&id("cold")).await.unwrap().value);
    lab.server.restart();
    lab.recovered().await;
    for (name, expected) in [("a", Some((2, vec![1]))), ("b", Some((1, vec![]))), ("cold", None)] {
        assert_eq!(lab.in_redis(name).await, expected, "{name}");
        assert_eq!(lab.read(name).await, expected, "{name}");
    }
}

#[tokio::test]
async fn under_dual_write_a_session_that_redis_has_lost_is_carried_over_when_it_is_used() {
    let lab = Lab::new(Policy::DualWrite);
    for name in ["read", "appended", "touched", "destroyed", "gone"] {
        lab.create(name).await;
        lab.append(name, 1).await;
    }
    other(&lab).destroy(&id("gone")).await.unwrap();
    let mut redis = lab.server.look();
    for name in ["read", "appended", "touched", "destroyed"] {
        redis::cmd("DEL").arg(format!("session:{name}")).exec(&mut redis).unwrap();
    }
    assert_eq!(lab.read("read").await, Some((2, vec![1])));
    assert_eq!(lab.append("appended", 2).await, ServedBy::Primary);
    assert!(lab.store().touch(&id("touched"), HOUR).await.unwrap().value);
    assert!(lab.store().destroy(&id("destroyed")).await.unwrap().value);
    assert_eq!(lab.read("gone").await, None, "destroyed elsewhere, it does not come back");
    let expected =
        [("read", Some(vec![1])), ("appended", Some(vec![1, 2])), ("touched", Some(vec![1])), ("destroyed", None)];
    for (name, expected) in expected {
        assert_eq!(lab.in_redis(name).await.map(|(_, questions)| questions), expected, "{name}");
    }
    assert_eq!(lab.starts(), 0);
}

#[tokio::test]
async fn memory_needs_no_redis_and_says_when_it_is_full() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&events);
    let builder = StoreBuilder {
        policy: Policy::Memory,
        warm_capacity: 2,
        events: Arc::new(move |event| sink.lock().push(event)),
        ..StoreBuilder::new("redis://nowhere.invalid:1")
    };
    let built = builder.build::<TriviaSession>().unwrap();
    for name in ["a", "b", "c"] {
        let made = built.store.create(&id(name), session(&id(name), "ada"), HOUR).await.unwrap();
        assert_eq!(made.served_by, ServedBy::Primary);
    }
    assert_eq!(built.store.get(&id("a"), HOUR).await.unwrap().value, None);
    assert_eq!(built.store.health().await.status, HealthStatus::Connected);
    assert_eq!(*events.lock(), [Event::Evicted { copies: 0, lost: 1 }]);
    let stats = built.fallback_stats();
    assert_eq!((stats.kept, stats.evicted_sessions), (2, 1));
}

#[tokio::test]
async fn a_warm_copy_that_makes_room_is_said_once_and_again_in_the_next_outage() {
    let mut lab = Lab::with(Policy::Drain, RedisServer::start(), |builder| builder.warm_capacity = 2);
    let said = |lab: &Lab| lab.events.lock().iter().filter(|event| matches!(event, Event::Evicted { .. })).count();
    for name in ["a", "b", "c"] {
        lab.create(name).await;
    }
    assert_eq!(said(&lab), 1);
    assert_eq!(lab.built.fallback_stats().evicted, 1);
    lab.server.kill();
    lab.create("d").await;
    assert_eq!(said(&lab), 2);
}

#[tokio::test]
async fn memory_that_fills_in_an_outage_says_so_before_it_refuses_anything() {
    let mut lab = Lab::with(Policy::Drain, RedisServer::start(), |builder| builder.warm_capacity = 8);
    lab.server.kill();
    for number in 0..6 {
        lab.create(&format!("s{number}")).await;
    }
    let said = |event: &&Event| matches!(event, Event::NearlyFull { waiting: 6, capacity: 8 });
    assert_eq!(lab.events.lock().iter().filter(said).count(), 1);
    assert_eq!(lab.built.fallback_stats().refused, 0);
    for number in 6..8 {
        lab.create(&format!("s{number}")).await;
    }
    assert!(lab.store().create(&id("one-more"), session(&id("one-more"), "ada"), HOUR).await.is_err());
    let nearly = lab.events.lock().iter().filter(|event| matches!(event, Event::NearlyFull { .. })).count();
    assert_eq!((nearly, lab.built.fallback_stats().refused), (1, 1));
}

/// Makes calls until the breaker opens.
async fn until_open(lab: &Lab) {
    eventually("the breaker opens", async || {
        assert!(lab.store().get(&id("a"), HOUR).await.is_err());
        (lab.built.breaker_stats().state == BreakerState::Open).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_open_breaker_lets_no_call_reach_redis_and_closes_by_one_probe() {
    let open_for = Duration::from_millis(400);
    let mut lab = Lab::with(Policy::FailFast, RedisServer::start(), |builder| {
        builder.breaker = Some(BreakerConfig { failures: 5, open_for, probes: 1 });
    });
    lab.create("a").await;
    lab.server.kill();
    until_open(&lab).await;
    let before = lab.built.breaker_stats();
    let refused = lab.store().get(&id("a"), HOUR).await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::Unavailable { reason } if reason == "the circuit breaker is open"),
        "{refused:?}"
    );
    assert_eq!(lab.built.breaker_stats().refused, before.refused + 1);
    assert_eq!(lab.store().health().await.status, HealthStatus::Disconnected);
    lab.server.restart();
    // Many at once: while it is half-open, all but the probe are refused.
    eventually("the breaker closes", async || {
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let store = Arc::clone(&lab.built.store);
            calls.spawn(async move { store.get(&id("a"), HOUR).await.is_ok() });
        }
        calls.join_all().await;
        (lab.built.breaker_stats().state == BreakerState::Closed).then_some(())
    })
    .await;
    assert!(lab.read("a").await.is_some());
    let stats = lab.built.breaker_stats();
    assert_eq!(stats.probes, stats.opens, "one probe each time it is half-open");
    let events = lab.events.lock();
    assert!(matches!(events[0], Event::BreakerOpened { opens: 1, probes: 0 }), "{events:?}");
    assert!(matches!(events.last(), Some(Event::BreakerClosed { .. })), "{events:?}");
}

#[tokio::test]
async fn a_breaker_and_a_fallback_recover_together() {
    let mut lab = Lab::with(Policy::Drain, RedisServer::start(), |builder| {
        builder.breaker = Some(BreakerConfig { failures: 0, open_for: Duration::from_millis(200), probes: 1 });
    });
    lab.create("a").await;
    lab.server.freeze();
    assert_eq!(lab.append("a", 1).await, ServedBy::Fallback);
    assert_eq!(lab.built.breaker_stats().state, BreakerState::Open);
    lab.server.thaw();
    lab.recovered().await;
    assert_eq!(lab.in_redis("a").await, Some((2, vec![1])));
    assert_eq!(lab.built.breaker_stats().state, BreakerState::Closed);
    lab.server.kill();
    assert_eq!(lab.append("a", 2).await, ServedBy::Fallback);
    lab.server.restart();
    lab.recovered().await;
    let found = lab.store().get(&id("a"), HOUR).await.unwrap();
    assert_eq!((questions(&found.value.unwrap().data), found.served_by), (vec![1, 2], ServedBy::Primary));
    assert_eq!((lab.starts(), lab.ends()), (2, 2));
}
