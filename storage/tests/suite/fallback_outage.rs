//! What each policy does while Redis is away, and how the outage ends.

use std::sync::Arc;
use std::time::Duration;

use firedrill_storage::{
    AppendStore, BuiltStore, Event, FallbackCause, HealthStatus, KeyRing, Policy, RedisStore, ServedBy, SessionStore,
    StoreBuilder, StoreError, TriviaSession,
};
use parking_lot::Mutex;

use crate::support::{HOUR, RedisServer, answer, eventually, id, questions, session};

pub const DEADLINE: Duration = Duration::from_millis(500);

pub struct Lab {
    pub server: RedisServer,
    pub built: BuiltStore<TriviaSession>,
    pub events: Arc<Mutex<Vec<Event>>>,
    keyring: Option<Arc<KeyRing>>,
}

impl Lab {
    pub fn new(policy: Policy) -> Self {
        Self::with(policy, RedisServer::start(), |_| {})
    }

    pub fn with(policy: Policy, server: RedisServer, change: impl FnOnce(&mut StoreBuilder)) -> Self {
        let events = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&events);
        let mut builder = StoreBuilder {
            policy,
            command_timeout: DEADLINE,
            reconnect_max: Duration::from_millis(100),
            events: Arc::new(move |event| sink.lock().push(event)),
            ..StoreBuilder::new(server.url())
        };
        change(&mut builder);
        let keyring = builder.keyring.clone();
        Self { built: builder.build().unwrap(), server, events, keyring }
    }

    pub fn store(&self) -> &dyn AppendStore<TriviaSession> {
        &*self.built.store
    }

    pub async fn create(&self, name: &str) {
        self.store().create(&id(name), session(&id(name), "ada"), HOUR).await.unwrap();
    }

    pub async fn append(&self, name: &str, question: u64) -> ServedBy {
        self.store().append(&id(name), answer(question), HOUR).await.unwrap().served_by
    }

    pub async fn read(&self, name: &str) -> Option<(u64, Vec<u64>)> {
        let found = self.store().get(&id(name), HOUR).await.unwrap().value;
        found.map(|session| (session.version, questions(&session.data)))
    }

    /// What Redis has, as a separate store sees it.
    pub async fn in_redis(&self, name: &str) -> Option<(u64, Vec<u64>)> {
        let store = RedisStore::<TriviaSession>::builder(&self.server.url()).keyring(self.keyring.clone());
        let store = store.build().unwrap();
        let found = store.get(&id(name), HOUR).await.unwrap().value;
        found.map(|session| (session.version, questions(&session.data)))
    }

    pub async fn recovered(&self) {
        eventually("the fallback is over", async || (!self.built.fallback_stats().active).then_some(())).await;
    }

    /// What became of the writes of the last outage. A slow machine may have interrupted the drain before.
    pub fn came_to(&self) -> Event {
        let events = self.events.lock();
        let ends = |event: &&Event| matches!(event, Event::Drained { .. } | Event::Dropped { .. });
        events.iter().rev().find(ends).unwrap().clone()
    }

    pub fn starts(&self) -> usize {
        self.events.lock().iter().filter(|event| matches!(event, Event::FallbackStarted { .. })).count()
    }

    pub fn ends(&self) -> usize {
        self.events.lock().iter().filter(|event| matches!(event, Event::FallbackEnded { .. })).count()
    }
}

#[tokio::test]
async fn fail_fast_answers_with_an_error_and_loses_nothing() {
    let mut lab = Lab::new(Policy::FailFast);
    lab.create("a").await;
    lab.append("a", 1).await;
    lab.server.kill();
    for _ in 0..3 {
        assert!(lab.store().append(&id("a"), answer(2), HOUR).await.is_err());
        assert!(lab.store().get(&id("a"), HOUR).await.is_err());
    }
    lab.server.restart();
    let read = eventually("Redis is reached again", async || lab.store().get(&id("a"), HOUR).await.ok()).await;
    assert_eq!(questions(&read.value.unwrap().data), [1]);
    assert!(lab.events.lock().is_empty());
}

#[tokio::test]
async fn degrade_answers_from_memory_and_forgets_and_says_how_many_sessions() {
    let mut lab = Lab::new(Policy::Degrade);
    lab.create("before").await;
    lab.server.kill();
    assert_eq!(lab.read("before").await, None, "as in the design note: memory does not know it");
    lab.create("during").await;
    assert_eq!(lab.append("during", 1).await, ServedBy::Fallback);
    assert_eq!(lab.read("during").await, Some((2, vec![1])));
    lab.server.restart();
    lab.recovered().await;
    assert_eq!(lab.read("during").await, None);
    assert_eq!(lab.read("before").await, Some((1, vec![])));
    let events = lab.events.lock();
    assert!(matches!(events[0], Event::FallbackStarted { .. }), "{events:?}");
    assert_eq!(events[1], Event::Lost { sessions: 1 });
    assert!(matches!(events[2], Event::FallbackEnded { served: 4, .. }), "{events:?}");
    assert_eq!(events.len(), 3);
    assert_eq!(lab.built.fallback_stats().lost_sessions, 1);
}

#[tokio::test]
async fn drain_serves_sessions_used_before_and_made_in_the_outage_and_writes_them_back() {
    let mut lab = Lab::new(Policy::Drain);
    lab.create("a").await;
    lab.append("a", 1).await;
    lab.create("gone").await;
    lab.server.kill();
    assert_eq!(lab.read("a").await, Some((2, vec![1])));
    assert_eq!(lab.append("a", 2).await, ServedBy::Fallback);
    lab.create("b").await;
    assert_eq!(lab.append("b", 3).await, ServedBy::Fallback);
    assert!(lab.store().destroy(&id("gone")).await.unwrap().value);
    assert_eq!(lab.read("gone").await, None);
    assert_eq!(lab.store().health().await.status, HealthStatus::Degraded);
    lab.server.restart();
    lab.recovered().await;
    assert_eq!(lab.in_redis("a").await, Some((3, vec![1, 2])));
    assert_eq!(lab.in_redis("b").await, Some((2, vec![3])));
    assert_eq!(lab.in_redis("gone").await, None);
    assert_eq!(lab.append("a", 4).await, ServedBy::Primary);
    assert_eq!(lab.read("a").await, Some((4, vec![1, 2, 4])));
    assert_eq!(lab.store().health().await.status, HealthStatus::Connected);
    let events = lab.events.lock();
    assert_eq!(events[1], Event::DrainStarted { waiting: 3 });
    assert_eq!(events[2], Event::Drained { written: 2, deleted: 1, merged: 0, lost: 0 });
    assert!(matches!(events[3], Event::FallbackEnded { served: 6, .. }), "{events:?}");
    assert_eq!(events.len(), 4);
}

#[tokio::test]
async fn drain_says_unavailable_of_a_session_it_cannot_know() {
    let lab = Lab::new(Policy::Drain);
    lab.create("warm").await;
    let other = firedrill_storage::RedisStore::<TriviaSession>::builder(&lab.server.url()).build().unwrap();
    other.create(&id("cold"), session(&id("cold"), "ada"), HOUR).await.unwrap();
    let mut lab = lab;
    lab.server.kill();
    assert!(lab.read("warm").await.is_some());
    let read = lab.store().get(&id("cold"), HOUR).await.unwrap_err();
    assert!(matches!(read, StoreError::Unavailable { .. }), "{read:?}");
    let appended = lab.store().append(&id("cold"), answer(1), HOUR).await.unwrap_err();
    assert!(matches!(appended, StoreError::Unavailable { .. }), "{appended:?}");
    // But a user who logs out must be logged out.
    assert!(lab.store().destroy(&id("cold")).await.unwrap().value);
    lab.server.restart();
    lab.recovered().await;
    assert_eq!(lab.in_redis("cold").await, None);
}

#[tokio::test]
async fn the_remaining_lifetime_goes_back_with_a_session() {
    let mut lab = Lab::new(Policy::Drain);
    lab.create("touched").await;
    lab.server.kill();
    let minute = HOUR / 60;
    lab.store().create(&id("new"), session(&id("new"), "ada"), minute).await.unwrap();
    assert!(lab.store().touch(&id("touched"), 3 * HOUR).await.unwrap().value);
    lab.server.restart();
    lab.recovered().await;
    let mut redis = lab.server.look();
    let ttl: i64 = redis::cmd("PTTL").arg("session:new").query(&mut redis).unwrap();
    assert!((1..60_000).contains(&ttl), "{ttl}");
    let ttl: i64 = redis::cmd("PTTL").arg("session:touched").query(&mut redis).unwrap();
    assert!((7_200_001..=10_800_000).contains(&ttl), "{ttl}");
    assert_eq!(lab.store().list_by_user("ada", 10).await.unwrap().value, [id("new"), id("touched")]);
}

#[tokio::test]
async fn a_frozen_redis_costs_one_deadline_and_not_one_per_call() {
    let lab = Lab::new(Policy::Drain);
    lab.create("a").await;
    lab.server.freeze();
    let began = std::time::Instant::now();
    for question in 0..500 {
        assert_eq!(lab.append("a", question).await, ServedBy::Fallback);
    }
    assert!(began.elapsed() < DEADLINE * 100, "{:?} for 500 calls", began.elapsed());
    lab.server.thaw();
    lab.recovered().await;
    assert_eq!(lab.in_redis("a").await.unwrap().1, (0..500).collect::<Vec<u64>>());
    assert_eq!(lab.events.lock()[0], Event::FallbackStarted { cause: FallbackCause::Timeout });
    assert_eq!((lab.starts(), lab.ends()), (1, 1));
}

#[tokio::test]
async fn two_outages_in_a_row_both_begin_and_end() {
    let mut lab = Lab::new(Policy::Drain);
    lab.create("a").await;
    for outage in 1..=2 {
        lab.server.kill();
        assert_eq!(lab.append("a", outage).await, ServedBy::Fallback);
        lab.server.restart();
        lab.recovered().await;
        assert_eq!((lab.starts(), lab.ends()), (outage as usize, outage as usize));
        assert_eq!(lab.append("a", outage * 10).await, ServedBy::Primary);
    }
    assert_eq!(lab.in_redis("a").await, Some((5, vec![1, 10, 2, 20])));
    assert_eq!(lab.built.fallback_stats().activations, 2);
}

#[tokio::test]
async fn refused_writes_go_to_memory_and_unknown_sessions_are_still_read_from_redis() {
    let lab = Lab::new(Policy::Drain);
    lab.create("a").await;
    let other = firedrill_storage::RedisStore::<TriviaSession>::builder(&lab.server.url()).build().unwrap();
    other.create(&id("cold"), session(&id("cold"), "ada"), HOUR).await.unwrap();
    let mut redis = lab.server.look();
    redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(1).exec(&mut redis).unwrap();
    assert_eq!(lab.append("a", 1).await, ServedBy::Fallback);
    let cold = lab.store().get(&id("cold"), HOUR).await.unwrap();
    assert_eq!((cold.served_by, cold.value.unwrap().version), (ServedBy::Primary, 1));
    // The server answers all the time, and this is still one outage.
    tokio::time::sleep(DEADLINE).await;
    assert_eq!(lab.append("a", 2).await, ServedBy::Fallback);
    redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(0).exec(&mut redis).unwrap();
    lab.recovered().await;
    assert_eq!(lab.in_redis("a").await, Some((3, vec![1, 2])));
    assert_eq!((lab.starts(), lab.ends()), (1, 1));
    assert_eq!(lab.events.lock()[0], Event::FallbackStarted { cause: FallbackCause::Refused });
}

#[tokio::test]
async fn a_demoted_master_is_an_outage_until_it_leads_again() {
    let lab = Lab::new(Policy::Drain);
    lab.create("a").await;
    let mut redis = lab.server.look();
    redis::cmd("REPLICAOF").arg("127.0.0.1").arg(9).exec(&mut redis).unwrap();
    assert_eq!(lab.append("a", 1).await, ServedBy::Fallback);
    redis::cmd("REPLICAOF").arg("NO").arg("ONE").exec(&mut redis).unwrap();
    lab.recovered().await;
    assert_eq!(lab.in_redis("a").await, Some((2, vec![1])));
    assert_eq!((lab.starts(), lab.ends()), (1, 1));
}

#[tokio::test]
async fn an_outage_met_by_counting_is_one_too() {
    let mut lab = Lab::new(Policy::Drain);
    lab.create("a").await;
    lab.server.kill();
    let counted = lab.store().count().await.unwrap();
    assert_eq!((counted.served_by, counted.value), (ServedBy::Fallback, 1));
    assert_eq!(lab.store().list_by_user("ada", 10).await.unwrap().value, [id("a")]);
    lab.server.restart();
    lab.recovered().await;
    assert_eq!(lab.store().count().await.unwrap().served_by, ServedBy::Primary);
}

#[tokio::test]
async fn what_does_not_fit_in_memory_is_refused_and_what_was_taken_is_kept() {
    let mut lab = Lab::with(Policy::Drain, RedisServer::start(), |builder| builder.warm_capacity = 3);
    lab.server.kill();
    for name in ["a", "b", "c"] {
        lab.create(name).await;
    }
    let refused = lab.store().create(&id("d"), session(&id("d"), "ada"), HOUR).await.unwrap_err();
    assert_eq!(refused.to_string(), "storage unavailable: the fallback is full");
    assert_eq!(lab.append("a", 1).await, ServedBy::Fallback);
    lab.server.restart();
    lab.recovered().await;
    for (name, expected) in [("a", Some((2, vec![1]))), ("b", Some((1, vec![]))), ("d", None)] {
        assert_eq!(lab.in_redis(name).await, expected, "{name}");
    }
    assert_eq!(lab.built.fallback_stats().refused, 1);
}

#[tokio::test]
async fn the_warm_copies_are_bounded_and_the_least_recently_used_goes() {
    let mut lab = Lab::with(Policy::Drain, RedisServer::start(), |builder| builder.warm_capacity = 2);
    for name in ["a", "b"] {
        lab.create(name).await;
    }
    lab.read("a").await;
    lab.create("c").await;
    lab.server.kill();
    assert!(lab.read("a").await.is_some());
    assert!(lab.read("c").await.is_some());
    assert!(lab.store().get(&id("b"), HOUR).await.is_err());
    assert_eq!(lab.built.fallback_stats().evicted, 1);
}

#[tokio::test]
async fn a_session_expires_in_memory_too() {
    let clock = Arc::new(firedrill_storage::ManualClock::default());
    let mut lab = Lab::with(Policy::Drain, RedisServer::start(), |builder| builder.clock = clock.clone());
    lab.server.kill();
    lab.create("a").await;
    clock.advance(HOUR / 2);
    assert!(lab.read("a").await.is_some());
    clock.advance(HOUR / 2);
    assert!(lab.read("a").await.is_some());
    clock.advance(HOUR);
    assert_eq!(lab.read("a").await, None);
    lab.server.restart();
    lab.recovered().await;
    assert_eq!(lab.in_redis("a").await, None);
}
