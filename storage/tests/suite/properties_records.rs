//! Random sequences of operations with both records, in memory and in Redis, against a model that knows users, order,
//! lifetimes and rewards. The test moves time itself: by a manual clock in memory, and in Redis by shortening each
//! key's remaining lifetime.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use firedrill_storage::{
    AppendStore, Claim, ClaimToken, Clock, Conversation, ManualClock, MemoryConfig, MemoryStore, RedisStore, SessionId,
    StoreError, TriviaSession,
};
use proptest::prelude::*;

use crate::properties::{runner, runtime};
use crate::sample::Sample;
use crate::support::{HOUR, RedisServer, id};

const USERS: [&str; 2] = ["ada", "bob"];

#[derive(Debug, Clone)]
enum Step {
    Create(u8, usize),
    Get(u8),
    Put(u8, usize, Vec<u64>),
    Append(u8, u64),
    Touch(u8),
    Destroy(u8),
    Award(u8, u8),
    List(usize, usize),
    Count,
    /// This many times seven minutes, so that no lifetime of an hour ends exactly at a step.
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..6_u8, 0..2_usize).prop_map(|(s, user)| Step::Create(s, user)),
        3 => (0..6_u8).prop_map(Step::Get),
        2 => (0..6_u8, 0..2_usize, prop::collection::vec(0..6_u64, 0..3)).prop_map(|(s, user, i)| Step::Put(s, user, i)),
        5 => (0..6_u8, 0..8_u64).prop_map(|(s, item)| Step::Append(s, item)),
        1 => (0..6_u8).prop_map(Step::Touch),
        1 => (0..6_u8).prop_map(Step::Destroy),
        4 => (0..6_u8, 0..3_u8).prop_map(|(s, by)| Step::Award(s, by)),
        4 => (0..2_usize, 0..5_usize).prop_map(|(user, limit)| Step::List(user, limit)),
        1 => Just(Step::Count),
        3 => (1..6_u64).prop_map(Step::Wait),
    ]
}

struct Known {
    user: usize,
    items: Vec<u64>,
    claimant: Option<ClaimToken>,
    /// Remaining lifetime in seconds, and the step of the last write.
    left: i64,
    written: usize,
}

/// What a store holds.
#[derive(Default)]
struct Model(HashMap<u8, Known>);

fn made<D: Sample>(id: &SessionId, user: usize, items: &[u64]) -> D {
    let mut data = D::sample(id, USERS[user]);
    for item in items {
        data.append(D::item(*item));
    }
    data
}

impl Model {
    fn make(&mut self, n: u8, user: usize, items: Vec<u64>, now: usize) {
        self.0.insert(n, Known { user, items, claimant: None, left: 3600, written: now });
    }

    /// Restarts a session's lifetime.
    fn used(&mut self, n: u8) -> Option<&mut Known> {
        let known = self.0.get_mut(&n)?;
        known.left = 3600;
        Some(known)
    }

    async fn take<D: Sample>(&mut self, store: &dyn AppendStore<D>, step: &Step, now: usize, pass: &impl Fn(Duration)) {
        let name = |n: u8| id(&format!("s{n}"));
        match step {
            Step::Create(n, user) => match store.create(&name(*n), made(&name(*n), *user, &[]), HOUR).await {
                Ok(_) => {
                    assert!(!self.0.contains_key(n));
                    self.make(*n, *user, vec![], now);
                }
                Err(error) => {
                    assert!(matches!(error, StoreError::AlreadyExists) && self.0.contains_key(n), "{error:?}")
                }
            },
            Step::Get(n) => {
                let found = store.get(&name(*n), HOUR).await.unwrap().value.map(|session| session.data.items());
                assert_eq!(found.as_ref(), self.used(*n).map(|known| &known.items));
            }
            Step::Put(n, user, items) => {
                let data: D = made(&name(*n), *user, items);
                let items = data.items();
                store.put(&name(*n), data, HOUR).await.unwrap();
                self.make(*n, *user, items, now);
            }
            Step::Append(n, item) => match (store.append(&name(*n), D::item(*item), HOUR).await, self.used(*n)) {
                (Ok(_), Some(known)) if !known.items.contains(item) => {
                    known.items.push(*item);
                    known.written = now;
                }
                (Ok(_), Some(_)) | (Err(StoreError::NotFound), None) => {}
                (other, known) => panic!("{other:?}, {}", known.is_some()),
            },
            Step::Touch(n) => {
                assert_eq!(store.touch(&name(*n), HOUR).await.unwrap().value, self.used(*n).is_some());
            }
            Step::Destroy(n) => {
                assert_eq!(store.destroy(&name(*n)).await.unwrap().value, self.0.remove(n).is_some());
            }
            Step::Award(n, by) => {
                let by = ClaimToken::new(&format!("c{by}")).unwrap();
                let Some(claimed) = D::claim(store, &name(*n), &by).await else { return };
                match (claimed, self.used(*n)) {
                    (Ok(claim), Some(known)) => {
                        if known.claimant.is_none() {
                            (known.claimant, known.written) = (Some(by.clone()), now);
                        }
                        let mine = known.claimant.as_ref() == Some(&by);
                        assert_eq!(
                            claim,
                            if mine { Claim::Awarded } else { Claim::Taken { by: known.claimant.clone() } }
                        );
                    }
                    (Err(StoreError::NotFound), None) => {}
                    (other, known) => panic!("{other:?}, {}", known.is_some()),
                }
            }
            Step::List(user, limit) => {
                let mut theirs: Vec<_> = self.0.iter().filter(|(_, known)| known.user == *user).collect();
                theirs.sort_by_key(|(_, known)| std::cmp::Reverse(known.written));
                let expected: Vec<_> = theirs.into_iter().take(*limit).map(|(n, _)| name(*n)).collect();
                assert_eq!(store.list_by_user(USERS[*user], *limit).await.unwrap().value, expected);
            }
            Step::Count => assert_eq!(store.count().await.unwrap().value, self.0.len() as u64),
            Step::Wait(sevens) => {
                let seconds = sevens * 7 * 60;
                pass(Duration::from_secs(seconds));
                self.0.values_mut().for_each(|known| known.left -= seconds as i64);
                self.0.retain(|_, known| known.left > 0);
            }
        }
    }
}

fn in_memory<D: Sample>() {
    runner(150)
        .run(&prop::collection::vec(step(), 1..80), |steps| {
            runtime().block_on(async {
                let clock = Arc::new(ManualClock::default());
                let config = MemoryConfig { clock: Arc::clone(&clock) as Arc<dyn Clock>, ..MemoryConfig::default() };
                let (store, mut model) = (MemoryStore::<D>::new(config), Model::default());
                for (now, step) in steps.iter().enumerate() {
                    clock.advance(Duration::from_micros(1));
                    model.take(&store, step, now, &|by| clock.advance(by)).await;
                }
            });
            Ok(())
        })
        .unwrap();
}

/// Shortens the lifetime of every session under the prefix by `by`.
const PASS: &str = "for _, key in ipairs(redis.call('KEYS', ARGV[1] .. 's*')) do
  redis.call('PEXPIRE', key, redis.call('PTTL', key) - ARGV[2])
end";

fn in_redis<D: Sample>() {
    let server = RedisServer::start();
    let runtime = runtime();
    let case = Cell::new(0);
    runner(40)
        .run(&prop::collection::vec(step(), 1..80), |steps| {
            runtime.block_on(async {
                case.set(case.get() + 1);
                let prefix = format!("case{}:", case.get());
                let store = RedisStore::<D>::builder(&server.url()).prefix(prefix.clone()).build().unwrap();
                let mut model = Model::default();
                let pass = |by: Duration| {
                    let script = redis::Script::new(PASS);
                    let mut call = script.arg(&prefix);
                    call.arg(by.as_millis() as u64).invoke::<()>(&mut server.look()).unwrap();
                };
                for (now, step) in steps.iter().enumerate() {
                    model.take(&store, step, now, &pass).await;
                }
            });
            Ok(())
        })
        .unwrap();
}

#[test]
fn games_in_memory_behave_as_the_model() {
    in_memory::<TriviaSession>();
}

#[test]
fn conversations_in_memory_behave_as_the_model() {
    in_memory::<Conversation>();
}

#[test]
fn games_in_redis_behave_as_the_model() {
    in_redis::<TriviaSession>();
}

#[test]
fn conversations_in_redis_behave_as_the_model() {
    in_redis::<Conversation>();
}
