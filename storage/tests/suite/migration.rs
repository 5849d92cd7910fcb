//! Switching a store's policy while it runs: to Redis and back, with and without losing sessions.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use firedrill_storage::{
    AppendStore, Event, HealthStatus, Policy, RedisStore, ServedBy, SessionStore, StoreBuilder, Switchable,
    TriviaSession,
};
use parking_lot::Mutex;
use proptest::prelude::*;

use crate::fallback_outage::DEADLINE;
use crate::support::{HOUR, RedisServer, answer, eventually, id, questions, session};

struct Lab {
    server: RedisServer,
    switchable: Switchable<TriviaSession>,
    store: Arc<dyn AppendStore<TriviaSession>>,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Lab {
    fn new(policy: Policy) -> Self {
        let server = RedisServer::start();
        let events = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&events);
        let builder = StoreBuilder {
            policy,
            command_timeout: DEADLINE,
            reconnect_max: Duration::from_millis(100),
            events: Arc::new(move |event| sink.lock().push(event)),
            ..StoreBuilder::new(server.url())
        };
        let switchable = builder.build_switchable().unwrap();
        Self { server, store: switchable.store(), switchable, events }
    }

    async fn create(&self, name: &str) -> ServedBy {
        self.store.create(&id(name), session(&id(name), "ada"), HOUR).await.unwrap().served_by
    }

    async fn append(&self, name: &str, question: u64) -> ServedBy {
        self.store.append(&id(name), answer(question), HOUR).await.unwrap().served_by
    }

    async fn read(&self, name: &str) -> Option<Vec<u64>> {
        let found = self.store.get(&id(name), HOUR).await.unwrap().value;
        found.map(|session| questions(&session.data))
    }

    fn other(&self) -> RedisStore<TriviaSession> {
        RedisStore::builder(&self.server.url()).build().unwrap()
    }

    async fn in_redis(&self, name: &str) -> Option<Vec<u64>> {
        let found = self.other().get(&id(name), HOUR).await.unwrap().value;
        found.map(|session| questions(&session.data))
    }

    async fn complete(&self) {
        eventually("both are current", async || {
            let done = self.switchable.progress().is_complete() && !self.switchable.stats().active;
            done.then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn going_to_redis_directly_loses_the_sessions_in_memory_and_counts_them() {
    let lab = Lab::new(Policy::Memory);
    for name in ["a", "b"] {
        assert_eq!(lab.create(name).await, ServedBy::Primary);
    }
    assert_eq!(lab.store.health().await.status, HealthStatus::Connected);
    assert_eq!(lab.store.count().await.unwrap().value, 2);
    assert_eq!(lab.in_redis("a").await, None, "memory leaves Redis alone");
    assert_eq!(lab.switchable.switch_to(Policy::Drain), 2);
    assert_eq!(lab.read("a").await, None);
    assert_eq!(lab.create("c").await, ServedBy::Primary);
    assert_eq!(lab.in_redis("c").await, Some(vec![]));
    assert_eq!(lab.switchable.stats().lost_sessions, 2);
    let switched = Event::Switched { from: Policy::Memory, to: Policy::Drain };
    assert_eq!(*lab.events.lock(), [switched, Event::Lost { sessions: 2 }]);
}

#[tokio::test]
async fn going_to_redis_by_dual_write_loses_none_and_says_when_it_is_done() {
    let lab = Lab::new(Policy::Memory);
    for n in 0..50 {
        lab.create(&format!("s{n}")).await;
        lab.append(&format!("s{n}"), n).await;
    }
    lab.create("gone").await;
    lab.store.destroy(&id("gone")).await.unwrap();
    assert_eq!(lab.switchable.switch_to(Policy::DualWrite), 0);
    // Sessions in memory are available from the start.
    assert_eq!(lab.read("s7").await, Some(vec![7]));
    assert_eq!(lab.append("s7", 100).await, ServedBy::Primary);
    lab.complete().await;
    let told = lab.events.lock().last().cloned();
    assert!(matches!(told, Some(Event::CarriedOver { written, lost: 0, .. }) if written >= 50), "{told:?}");
    assert_eq!(lab.switchable.switch_to(Policy::FailFast), 0);
    for n in 0..50 {
        let expected = if n == 7 { vec![7, 100] } else { vec![n] };
        assert_eq!(lab.in_redis(&format!("s{n}")).await, Some(expected.clone()), "s{n}");
        assert_eq!(lab.read(&format!("s{n}")).await, Some(expected), "s{n}");
    }
    assert_eq!(lab.read("gone").await, None);
}

#[tokio::test]
async fn going_on_to_redis_too_early_still_loses_none() {
    let mut lab = Lab::new(Policy::Memory);
    for n in 0..20 {
        lab.create(&format!("s{n}")).await;
    }
    lab.server.kill();
    lab.switchable.switch_to(Policy::DualWrite);
    assert!(!lab.switchable.progress().is_complete());
    lab.switchable.switch_to(Policy::FailFast);
    assert_eq!(lab.read("s3").await, Some(vec![]), "not in Redis yet, and still there");
    assert!(lab.store.get(&id("unknown"), HOUR).await.is_err());
    lab.server.restart();
    lab.complete().await;
    for n in 0..20 {
        assert_eq!(lab.in_redis(&format!("s{n}")).await, Some(vec![]), "s{n}");
    }
}

#[tokio::test]
async fn going_back_to_memory_by_dual_write_loses_none() {
    let lab = Lab::new(Policy::FailFast);
    let other = lab.other();
    for n in 0..50 {
        other.create(&id(&format!("s{n}")), session(&id(&format!("s{n}")), "ada"), HOUR).await.unwrap();
    }
    lab.append("s1", 1).await;
    lab.switchable.switch_to(Policy::DualWrite);
    lab.append("s2", 2).await;
    lab.complete().await;
    lab.switchable.switch_to(Policy::Memory);
    for n in 0..50_u64 {
        let expected = if n == 1 || n == 2 { vec![n] } else { vec![] };
        assert_eq!(lab.read(&format!("s{n}")).await, Some(expected), "s{n}");
    }
}

#[tokio::test]
async fn a_forced_memory_hides_what_only_redis_has_and_the_way_back_shows_it_again() {
    let lab = Lab::new(Policy::FailFast);
    for name in ["kept", "logged-out"] {
        lab.create(name).await;
    }
    lab.switchable.switch_to(Policy::Memory);
    assert_eq!(lab.read("kept").await, None, "the cost of the rollback");
    assert!(!lab.store.destroy(&id("logged-out")).await.unwrap().value);
    lab.create("new").await;
    assert_eq!(lab.switchable.switch_to(Policy::FailFast), 1);
    lab.complete().await;
    assert_eq!(lab.read("kept").await, Some(vec![]));
    assert_eq!(lab.read("new").await, None);
    assert_eq!(lab.read("logged-out").await, None, "a user who logged out stays logged out");
}

#[tokio::test]
async fn an_outage_ends_where_memory_is_forced_and_none_of_it_is_lost() {
    let mut lab = Lab::new(Policy::Drain);
    lab.create("a").await;
    lab.server.kill();
    assert_eq!(lab.append("a", 1).await, ServedBy::Fallback);
    lab.switchable.switch_to(Policy::Memory);
    assert_eq!(lab.append("a", 2).await, ServedBy::Primary);
    assert!(!lab.switchable.stats().active);
    lab.server.restart();
    lab.switchable.switch_to(Policy::DualWrite);
    lab.complete().await;
    assert_eq!(lab.in_redis("a").await, Some(vec![1, 2]));
    let events = lab.events.lock();
    let count = |wanted: fn(&Event) -> bool| events.iter().filter(|event| wanted(event)).count();
    assert_eq!(count(|event| matches!(event, Event::FallbackStarted { .. })), 1);
    assert_eq!(count(|event| matches!(event, Event::FallbackEnded { .. })), 1);
}

#[tokio::test]
async fn an_outage_in_the_middle_of_the_migration_loses_none() {
    let mut lab = Lab::new(Policy::Memory);
    for n in 0..300 {
        lab.create(&format!("s{n}")).await;
    }
    lab.switchable.switch_to(Policy::DualWrite);
    eventually("it has begun", async || (lab.switchable.progress().waiting < 300).then_some(())).await;
    lab.server.kill();
    lab.append("s5", 5).await;
    lab.create("during").await;
    lab.server.restart();
    lab.complete().await;
    for n in 0..300 {
        let expected = if n == 5 { vec![5] } else { vec![] };
        assert_eq!(lab.in_redis(&format!("s{n}")).await, Some(expected), "s{n}");
    }
    assert_eq!(lab.in_redis("during").await, Some(vec![]));
}

#[derive(Debug, Clone)]
enum Turn {
    Create(u8),
    Append(u8, u64),
    Read(u8),
    Destroy(u8),
    Switch(Policy),
    Kill,
    Restart,
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        4 => (0..4_u8).prop_map(Turn::Create),
        6 => (0..4_u8, 0..9_u64).prop_map(|(s, q)| Turn::Append(s, q)),
        4 => (0..4_u8).prop_map(Turn::Read),
        2 => (0..4_u8).prop_map(Turn::Destroy),
        3 => prop_oneof![Just(Policy::Memory), Just(Policy::DualWrite), Just(Policy::Drain)].prop_map(Turn::Switch),
        1 => Just(Turn::Kill),
        2 => Just(Turn::Restart),
    ]
}

/// As an operator does, switches away from memory only to `dual-write`, and away from `dual-write` only once both
/// agree.
async fn take(lab: &mut Lab, turn: &Turn, model: &mut HashMap<u8, Vec<u64>>, down: &mut bool) {
    let name = |n: &u8| format!("s{n}");
    match turn {
        Turn::Create(n) => {
            let made = lab.store.create(&id(&name(n)), session(&id(&name(n)), "ada"), HOUR).await;
            assert_eq!(made.is_ok(), !model.contains_key(n), "{made:?}");
            model.entry(*n).or_default();
        }
        Turn::Append(n, question) => {
            let appended = lab.store.append(&id(&name(n)), answer(*question), HOUR).await;
            assert_eq!(appended.is_ok(), model.contains_key(n), "{appended:?}");
            if let Some(given) = model.get_mut(n).filter(|given| !given.contains(question)) {
                given.push(*question);
            }
        }
        Turn::Read(n) => assert_eq!(lab.read(&name(n)).await, model.get(n).cloned(), "s{n}"),
        Turn::Destroy(n) => {
            let destroyed = lab.store.destroy(&id(&name(n))).await.unwrap().value;
            assert_eq!(destroyed, model.remove(n).is_some());
        }
        Turn::Switch(to) => {
            let from = lab.switchable.policy();
            let to = if (from, *to) == (Policy::Memory, Policy::Drain) { Policy::DualWrite } else { *to };
            if from == Policy::Drain && to == Policy::Memory || from == Policy::DualWrite && to == Policy::Drain {
                bring_back(lab, down);
                lab.complete().await;
            }
            lab.switchable.switch_to(to);
        }
        Turn::Kill if !*down => {
            lab.server.kill();
            *down = true;
        }
        Turn::Kill => {}
        Turn::Restart => bring_back(lab, down),
    }
}

fn bring_back(lab: &mut Lab, down: &mut bool) {
    if std::mem::take(down) {
        lab.server.restart();
    }
}

#[test]
fn no_order_of_switches_and_outages_loses_a_session_or_brings_one_back() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config =
        ProptestConfig { cases: 12, failure_persistence: None, max_shrink_iters: 100, ..ProptestConfig::default() };
    proptest::test_runner::TestRunner::new(config)
        .run(&prop::collection::vec(turn(), 10..60), |turns| {
            runtime.block_on(async {
                let mut lab = Lab::new(Policy::DualWrite);
                let (mut model, mut down) = (HashMap::new(), false);
                // Memory must know every name: otherwise it could not answer for an unknown one in an outage.
                for n in 0..4 {
                    lab.create(&format!("s{n}")).await;
                    model.insert(n, vec![]);
                }
                for turn in &turns {
                    take(&mut lab, turn, &mut model, &mut down).await;
                }
                bring_back(&mut lab, &mut down);
                lab.switchable.switch_to(Policy::DualWrite);
                lab.complete().await;
                for n in 0..4 {
                    assert_eq!(lab.in_redis(&format!("s{n}")).await, model.get(&n).cloned(), "s{n} after {turns:?}");
                }
            });
            Ok(())
        })
        .unwrap();
}
