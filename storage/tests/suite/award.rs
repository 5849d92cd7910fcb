//! A reward is paid out exactly once: under concurrency, on a connection that loses replies, while Redis is killed and
//! comes back, and by two processes that were cut off from it with a copy each.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use firedrill_storage::award::claim;
use firedrill_storage::{
    Acked, AppendStore, Claim, ClaimToken, MemoryStore, Policy, RedisStore, ServedBy, StoreBuilder, StoreError,
    TriviaSession,
};

use crate::bad_line::BadLine;
use crate::fallback_outage::Lab;
use crate::support::{HOUR, PATIENCE, RedisServer, answer, eventually, id, session};

type Store = Arc<dyn AppendStore<TriviaSession>>;

const POLICIES: [Policy; 3] = [Policy::FailFast, Policy::Degrade, Policy::Drain];

fn token(name: &str) -> ClaimToken {
    ClaimToken::new(name).unwrap()
}

async fn make(store: &Store, name: &str) {
    // Deadlines that suit an outage are too short for a machine that is busy.
    eventually("the session is in Redis", async || {
        let put = store.put(&id(name), session(&id(name), "ada"), HOUR).await.ok()?;
        (put.served_by == ServedBy::Primary).then_some(())
    })
    .await;
}

/// Claims until the answer is final: `true` if the reward is this claimant's.
async fn persist(store: &Store, name: &str, claimant: &ClaimToken) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        match claim(&**store, &id(name), claimant, HOUR).await {
            Ok(Acked { value: Claim::Awarded, served_by }) => {
                assert_eq!(served_by, ServedBy::Primary, "a fallback awards nothing");
                return true;
            }
            // What a fallback says about another claim is not final either.
            Ok(Acked { value: Claim::Taken { by }, served_by: ServedBy::Primary }) => {
                assert_ne!(by.as_ref(), Some(claimant));
                return false;
            }
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
    panic!("the claim of {claimant} for {name} is never settled");
}

/// Lets `claimants` claim the reward of each session concurrently, and then asks them all again.
async fn each_is_awarded_once(store: &Store, sessions: &[String], claimants: usize) {
    let mut tasks = tokio::task::JoinSet::new();
    for name in sessions {
        for claimant in 0..claimants {
            let (store, name, claimant) = (Arc::clone(store), name.clone(), token(&format!("c{claimant}")));
            tasks.spawn(async move { (persist(&store, &name, &claimant).await, name, claimant) });
        }
    }
    let mut winners = HashSet::new();
    while let Some(done) = tasks.join_next().await {
        let (won, name, claimant) = done.unwrap();
        winners.extend(won.then_some((name, claimant)));
    }
    assert_eq!(winners.len(), sessions.len(), "{winners:?}");
    assert_eq!(winners.iter().map(|(name, _)| name).collect::<HashSet<_>>().len(), sessions.len());
    for name in sessions {
        for claimant in 0..claimants {
            let claimant = token(&format!("c{claimant}"));
            let won = winners.contains(&(name.clone(), claimant.clone()));
            assert_eq!(persist(store, name, &claimant).await, won, "{name} {claimant}");
        }
    }
}

async fn sixty_four_claim_at_once(store: Store) {
    make(&store, "a").await;
    each_is_awarded_once(&store, &["a".to_owned()], 64).await;
    let read = store.get(&id("a"), HOUR).await.unwrap().value.unwrap();
    assert!(read.data.progression_awarded && read.version == 2, "{}", read.version);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_claimants_in_memory() {
    sixty_four_claim_at_once(Arc::new(MemoryStore::default())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_claimants_in_redis_and_under_every_policy() {
    let server = RedisServer::start();
    sixty_four_claim_at_once(Arc::new(RedisStore::builder(&server.url()).build().unwrap())).await;
    for policy in Policy::ALL {
        let prefix = format!("{policy:?}:");
        let built = StoreBuilder { policy, prefix, ..StoreBuilder::new(server.url()) }.build().unwrap();
        sixty_four_claim_at_once(built.store).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_beside_answers_is_awarded_and_loses_none() {
    let server = RedisServer::start();
    let store: Store = Arc::new(RedisStore::builder(&server.url()).build().unwrap());
    make(&store, "a").await;
    let answers = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            for question in 0..100 {
                store.append(&id("a"), answer(question), HOUR).await.unwrap();
            }
        }
    });
    assert!(persist(&store, "a", &token("me")).await);
    answers.await.unwrap();
    let read = store.get(&id("a"), HOUR).await.unwrap().value.unwrap();
    assert_eq!((read.data.answers.len(), read.data.award_claim), (100, Some(token("me"))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_whose_answer_was_lost_is_settled_by_asking_again() {
    let server = RedisServer::start();
    let line = BadLine::to(server.port(), 7).await;
    let deadline = Duration::from_millis(200);
    let store: Store = Arc::new(RedisStore::builder(&line.url()).command_timeout(deadline).build().unwrap());
    make(&store, "a").await;
    line.lose(1_000);
    let error = claim(&*store, &id("a"), &token("me"), HOUR).await.unwrap_err();
    assert!(!matches!(error, StoreError::NotFound | StoreError::Conflict { .. }), "{error:?}");
    line.lose(0);
    let other: Store = Arc::new(RedisStore::builder(&server.url()).build().unwrap());
    let theirs = persist(&other, "a", &token("other")).await;
    assert_eq!(persist(&store, "a", &token("me")).await, !theirs);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_was_only_pending_is_refused_and_nothing_is_lost_where_redis_lost_nothing() {
    let server = RedisServer::start();
    let line = BadLine::to(server.port(), 7).await;
    let builder = StoreBuilder { command_timeout: Duration::from_millis(200), ..StoreBuilder::new(line.url()) };
    let built = builder.build::<TriviaSession>().unwrap();
    make(&built.store, "a").await;
    let other: Store = Arc::new(RedisStore::builder(&server.url()).build().unwrap());
    assert!(persist(&other, "a", &token("other")).await);
    line.lose(1_000);
    let late = claim(&*built.store, &id("a"), &token("late"), HOUR).await.unwrap();
    assert_eq!(late, Acked::fallback(Claim::Pending));
    line.lose(0);
    assert!(!persist(&built.store, "a", &token("late")).await);
    let stats = built.fallback_stats();
    assert_eq!((stats.merged, stats.lost_items), (1, 0), "{stats:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_line_that_loses_answers_each_reward_is_awarded_once() {
    for (number, policy) in POLICIES.into_iter().enumerate() {
        let server = RedisServer::start();
        let line = BadLine::to(server.port(), 100 * number as u64).await;
        let builder =
            StoreBuilder { policy, command_timeout: Duration::from_millis(100), ..StoreBuilder::new(line.url()) };
        let built = builder.build::<TriviaSession>().unwrap();
        let sessions: Vec<String> = (0..6).map(|n| format!("s{n}")).collect();
        for name in &sessions {
            make(&built.store, name).await;
        }
        line.lose(150);
        let healing = async {
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            line.lose(0);
        };
        tokio::join!(each_is_awarded_once(&built.store, &sessions, 4), healing);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_is_killed_and_restarted_each_reward_is_awarded_once() {
    for policy in POLICIES {
        let mut lab = Lab::with(policy, RedisServer::start(), |builder| {
            builder.command_timeout = Duration::from_millis(200);
        });
        let store = Arc::clone(&lab.built.store);
        let sessions: Vec<String> = (0..20).map(|n| format!("s{n}")).collect();
        for name in &sessions {
            make(&store, name).await;
        }
        let claims = {
            let (store, sessions) = (Arc::clone(&store), sessions.clone());
            tokio::spawn(async move { each_is_awarded_once(&store, &sessions, 8).await })
        };
        // Half-way: some are awarded and some are not.
        let mut redis = lab.server.look();
        eventually("the first reward is claimed", async || {
            let values: Vec<Option<String>> = redis::cmd("MGET")
                .arg(sessions.iter().map(|s| format!("session:{s}")).collect::<Vec<_>>())
                .query(&mut redis)
                .unwrap();
            values.iter().flatten().any(|value| value.contains("awardClaim")).then_some(())
        })
        .await;
        lab.server.kill();
        tokio::time::sleep(Duration::from_millis(50)).await;
        lab.server.restart();
        claims.await.unwrap();
    }
}

/// Two processes with a warm copy each; then Redis goes away.
async fn cut_off_with_a_copy_each() -> (Lab, StoreOfOther) {
    let mut lab = Lab::new(Policy::Drain);
    let other = StoreBuilder { reconnect_max: Duration::from_millis(100), ..StoreBuilder::new(lab.server.url()) };
    let other = other.build::<TriviaSession>().unwrap();
    lab.create("a").await;
    other.store.get(&id("a"), HOUR).await.unwrap();
    lab.server.kill();
    (lab, other)
}

type StoreOfOther = firedrill_storage::BuiltStore<TriviaSession>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_that_were_cut_off_do_not_both_pay() {
    let (mut lab, other) = cut_off_with_a_copy_each().await;
    for (store, name) in [(lab.store(), "one"), (&*other.store, "two")] {
        let claimed = claim(store, &id("a"), &token(name), HOUR).await.unwrap();
        assert_eq!(claimed, Acked::fallback(Claim::Pending));
        // Asking again in the outage does not make it final either.
        assert_eq!(claim(store, &id("a"), &token(name), HOUR).await.unwrap().value, Claim::Pending);
    }
    lab.server.restart();
    lab.recovered().await;
    eventually("the other recovers", async || (!other.fallback_stats().active).then_some(())).await;
    let one = persist(&lab.built.store, "a", &token("one")).await;
    let two = persist(&other.store, "a", &token("two")).await;
    assert!(one != two, "{one} {two}");
    let reported = lab.built.fallback_stats().lost_items + other.fallback_stats().lost_items;
    assert_eq!(reported, 1, "the claim that was not kept is reported");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_redis_has_acknowledged_stays_whatever_a_process_that_was_away_brings_back() {
    let mut lab = Lab::new(Policy::Drain);
    lab.create("a").await;
    lab.read("a").await;
    lab.server.kill();
    assert_eq!(claim(lab.store(), &id("a"), &token("late"), HOUR).await.unwrap().value, Claim::Pending);
    lab.server.restart();
    // Whichever comes first, the claim that Redis acknowledged stays.
    let other: Store = Arc::new(RedisStore::builder(&lab.server.url()).build().unwrap());
    let first = persist(&other, "a", &token("first")).await;
    lab.recovered().await;
    assert_eq!(persist(&lab.built.store, "a", &token("late")).await, !first);
    assert_eq!(persist(&other, "a", &token("first")).await, first);
}
