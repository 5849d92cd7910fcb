//! Random sequences of operations against a model of a session store: on every store, and under `drain` with Redis
//! killed, frozen and brought back in between. There is only one caller, so the model is exact.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use firedrill_storage::{
    AppendStore, Effect, KeyRing, MemoryStore, Policy, RedisStore, SessionData, SessionId, StoreError, TriviaSession,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::fallback_outage::Lab;
use crate::support::{HOUR, RedisServer, answer, eventually, id, keyring, questions, session};

#[derive(Debug, Clone)]
enum Step {
    Create(u8),
    Get(u8),
    Put(u8, Vec<u64>),
    /// From the version last seen, or the one before it.
    Update(u8, bool, Vec<u64>),
    Append(u8, u64),
    Touch(u8),
    Destroy(u8),
}

#[derive(Debug, Clone)]
enum Turn {
    Do(Step),
    Kill,
    Freeze,
    /// Brings Redis back; `true`: also waits until the fallback is over.
    Heal(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let answers = prop::collection::vec(0..6_u64, 0..4);
    prop_oneof![
        3 => (0..3_u8).prop_map(Step::Create),
        6 => (0..3_u8).prop_map(Step::Get),
        2 => (0..3_u8, answers.clone()).prop_map(|(s, a)| Step::Put(s, a)),
        3 => (0..3_u8, any::<bool>(), answers).prop_map(|(s, current, a)| Step::Update(s, current, a)),
        8 => (0..3_u8, 0..12_u64).prop_map(|(s, q)| Step::Append(s, q)),
        1 => (0..3_u8).prop_map(Step::Touch),
        2 => (0..3_u8).prop_map(Step::Destroy),
    ]
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        14 => step().prop_map(Turn::Do),
        1 => Just(Turn::Kill),
        1 => Just(Turn::Freeze),
        3 => any::<bool>().prop_map(Turn::Heal),
    ]
}

/// What a store holds, as far as one caller can tell.
#[derive(Default)]
struct Model {
    sessions: HashMap<u8, (u64, Vec<u64>)>,
    /// Sessions that the store knows.
    made: Vec<u8>,
}

fn data(session_id: &SessionId, given: &[u64]) -> TriviaSession {
    let mut data = session(session_id, "ada");
    for question in given {
        data.append(answer(*question));
    }
    data
}

impl Model {
    /// Does one step on the store and on the model, and compares. With `unknowable`, the store may answer "unavailable"
    /// for sessions never created.
    async fn take(&mut self, store: &dyn AppendStore<TriviaSession>, step: &Step, unknowable: bool) {
        let (Step::Create(n)
        | Step::Get(n)
        | Step::Put(n, _)
        | Step::Update(n, _, _)
        | Step::Append(n, _)
        | Step::Touch(n)
        | Step::Destroy(n)) = step;
        let id = id(&format!("s{n}"));
        let known = self.sessions.get(n).cloned();
        let excused = |error: &StoreError| unknowable && !self.made.contains(n) && is_outage(error);
        // Sent, but not answered: Redis may have carried out what memory would refuse.
        let untold = |error: &StoreError| unknowable && error.effect() == Effect::Unknown;
        match step {
            Step::Create(_) => match store.create(&id, data(&id, &[]), HOUR).await {
                Ok(acked) => {
                    assert_eq!(known, None);
                    self.set(*n, acked.value, vec![]);
                }
                Err(error) => {
                    let refused = matches!(error, StoreError::AlreadyExists) || untold(&error);
                    assert!(known.is_some() && refused, "{error:?}");
                }
            },
            Step::Get(_) => match store.get(&id, HOUR).await {
                Ok(acked) => {
                    assert_eq!(acked.value.map(|s| (s.version, questions(&s.data))), known);
                }
                Err(error) => assert!(excused(&error), "{error:?}"),
            },
            Step::Put(_, given) => {
                let version = store.put(&id, data(&id, given), HOUR).await.unwrap().value;
                assert!(known.is_none_or(|(before, _)| version > before));
                self.set(*n, version, questions(&data(&id, given)));
            }
            Step::Update(_, current, given) => {
                let expected = known.as_ref().map_or(1, |(version, _)| version - u64::from(!current));
                match (store.update(&id, expected, data(&id, given), HOUR).await, known) {
                    (Ok(acked), Some((before, _))) => {
                        assert!(*current && acked.value > before);
                        self.set(*n, acked.value, questions(&data(&id, given)));
                    }
                    (Err(StoreError::Conflict { current: at }), Some((before, _))) => {
                        assert!(!*current && at == before, "{at} {before}");
                    }
                    (Err(StoreError::NotFound), None) => {}
                    (Err(error), Some(_)) if !*current && untold(&error) => {}
                    (Err(error), None) => assert!(excused(&error) || untold(&error), "{error:?}"),
                    (result, known) => panic!("{result:?} {known:?}"),
                }
            }
            Step::Append(_, question) => match (store.append(&id, answer(*question), HOUR).await, known) {
                (Ok(acked), Some((before, mut given))) => {
                    let new = !given.contains(question);
                    assert!(if new { acked.value > before } else { acked.value >= before }, "{acked:?} {before}");
                    given.extend(new.then_some(*question));
                    self.set(*n, acked.value, given);
                }
                (Err(StoreError::NotFound), None) => {}
                (Err(error), None) => assert!(excused(&error) || untold(&error), "{error:?}"),
                (result, known) => panic!("{result:?} {known:?}"),
            },
            Step::Touch(_) => match store.touch(&id, HOUR).await {
                Ok(acked) => assert_eq!(acked.value, known.is_some()),
                Err(error) => assert!(excused(&error), "{error:?}"),
            },
            Step::Destroy(_) => {
                let destroyed = store.destroy(&id).await.unwrap().value;
                assert!(destroyed == known.is_some() || unknowable && !self.made.contains(n));
                self.sessions.remove(n);
                // From now on the store knows that it is gone, if it existed.
                self.made.extend(destroyed.then_some(*n));
            }
        }
    }

    fn set(&mut self, n: u8, version: u64, given: Vec<u64>) {
        self.sessions.insert(n, (version, given));
        self.made.push(n);
    }
}

/// The allowed errors for a session that memory does not know, while Redis is away or going away.
fn is_outage(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable { .. } | StoreError::Timeout { .. } | StoreError::ConnectionLost)
}

/// Runs this many cases, or PROPTEST_CASES if set.
pub fn runner(cases: u32) -> TestRunner {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|asked| asked.parse().ok()).unwrap_or(cases);
    TestRunner::new(Config { cases, failure_persistence: None, max_shrink_iters: 200, ..Config::default() })
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[test]
fn memory_behaves_as_the_model() {
    let steps = prop::collection::vec(step(), 1..80);
    runner(200)
        .run(&steps, |steps| {
            runtime().block_on(async {
                let (store, mut model) = (MemoryStore::default(), Model::default());
                for step in &steps {
                    model.take(&store, step, false).await;
                }
            });
            Ok(())
        })
        .unwrap();
}

#[test]
fn redis_behaves_as_the_model() {
    redis_behaves(None);
}

#[test]
fn encrypted_redis_behaves_as_the_model() {
    redis_behaves(Some(keyring()));
}

fn redis_behaves(keyring: Option<Arc<KeyRing>>) {
    let server = RedisServer::start();
    let runtime = runtime();
    let steps = prop::collection::vec(step(), 1..80);
    let mut case = 0;
    let case = std::cell::RefCell::new(&mut case);
    runner(60)
        .run(&steps, |steps| {
            runtime.block_on(async {
                **case.borrow_mut() += 1;
                let prefix = format!("case{}:", case.borrow());
                let store = RedisStore::builder(&server.url()).prefix(prefix).keyring(keyring.clone()).build().unwrap();
                let mut model = Model::default();
                for step in &steps {
                    model.take(&store, step, false).await;
                }
            });
            Ok(())
        })
        .unwrap();
}

/// Takes a lab through these turns; returns the model at the end.
async fn drive(lab: &mut Lab, turns: &[Turn]) -> Model {
    let mut model = Model::default();
    let (mut killed, mut frozen) = (false, false);
    for turn in turns {
        match turn {
            Turn::Do(step) => model.take(lab.store(), step, true).await,
            Turn::Kill if !killed && !frozen => {
                lab.server.kill();
                killed = true;
            }
            Turn::Freeze if !killed && !frozen => {
                lab.server.freeze();
                frozen = true;
            }
            Turn::Heal(wait) => {
                heal(lab, &mut killed, &mut frozen);
                if *wait {
                    lab.recovered().await;
                }
            }
            Turn::Kill | Turn::Freeze => {}
        }
    }
    heal(lab, &mut killed, &mut frozen);
    lab.recovered().await;
    model
}

fn heal(lab: &mut Lab, killed: &mut bool, frozen: &mut bool) {
    if std::mem::take(killed) {
        lab.server.restart();
    }
    if std::mem::take(frozen) {
        lab.server.thaw();
    }
}

#[test]
fn drain_behaves_as_the_model_through_outages_and_redis_has_it_all_afterwards() {
    drain_behaves(12, None);
}

#[test]
fn encrypted_drain_behaves_as_the_model_through_outages() {
    drain_behaves(4, Some(keyring()));
}

fn drain_behaves(cases: u32, keyring: Option<Arc<KeyRing>>) {
    let runtime = runtime();
    let turns = prop::collection::vec(turn(), 20..80);
    runner(cases)
        .run(&turns, |turns| {
            runtime.block_on(async {
                let mut lab = Lab::with(Policy::Drain, RedisServer::start(), |builder| {
                    builder.command_timeout = Duration::from_millis(150);
                    builder.keyring = keyring.clone();
                });
                let model = drive(&mut lab, &turns).await;
                for n in 0..3 {
                    let expected = model.sessions.get(&n).map(|(_, given)| given.clone());
                    let found = lab.in_redis(&format!("s{n}")).await.map(|(_, given)| given);
                    assert_eq!(found, expected, "s{n}");
                }
                // This comes last because a restart that no call has met is noticed in the background.
                eventually("each start has its end", async || (lab.starts() == lab.ends()).then_some(())).await;
            });
            Ok(())
        })
        .unwrap();
}
