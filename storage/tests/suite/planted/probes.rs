//! What shows the defects that the judge of a schedule does not look for: health, counters, connections, listings, bad values.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use firedrill_storage::award::{ClaimToken, claim};
use firedrill_storage::{
    BreakerConfig, BuiltStore, Claim, HealthStatus, KeyRing, Policy, RetryProfile, StoreBuilder, StoreError,
    TriviaSession,
};
use firedrill_storage_sim::record::{Item, Items};
use firedrill_storage_sim::redis::commands::Refusal;
use firedrill_storage_sim::redis::fate::{Fate, Partition};
use tokio::time::Instant;

use super::bed::{Bed, DEADLINE, id, items, pass, settles};
use crate::support::{HOUR, key, keyring, session};

/// `Err`: what is wrong with the store.
type Outcome = Result<(), String>;
pub type Probe = fn(Bed) -> Pin<Box<dyn Future<Output = Outcome>>>;

macro_rules! probes {
    ($($name:literal = $probe:ident;)+) => {
        pub const PROBES: &[(&str, Probe)] = &[$(($name, |bed| Box::pin($probe(bed)))),+];
    };
}

probes! {
    "drain-stops-at-bad-value" = a_bad_value_holds_up_no_other_session;
    "write-back-unlisted" = what_was_made_in_an_outage_is_listed_afterwards;
    "claim-of-fallback-wins" = a_reward_goes_to_one_claimant;
    "refusals-are-no-outage" = a_server_out_of_memory_costs_no_write;
    "forgets-touch" = a_touch_in_an_outage_extends_the_lifetime;
    "never-slides-in-memory" = a_read_in_an_outage_extends_the_lifetime;
    "memory-without-bound" = memory_stays_within_its_capacity;
    "hides-dropped-writes" = a_dropped_write_is_counted;
    "health-says-well" = health_notices_an_outage;
    "timeouts-count-as-answers" = timeouts_open_the_breaker;
    "bad-values-open-breaker" = bad_values_do_not_open_the_breaker;
    "retries-past-deadline" = a_call_with_retries_ends_by_its_deadline;
    "keeps-readonly-connection" = a_read_only_server_is_left;
    "serves-from-replica" = a_replica_is_not_used;
    "timeout-keeps-connection" = a_silent_connection_is_replaced;
    "late-writes-land" = a_write_that_timed_out_does_not_come_after_later_ones;
    "reconnects-without-pause" = a_dead_server_is_not_hammered;
    "scripts-not-resent" = a_server_may_forget_its_scripts;
    "index-dies-early" = a_listing_lasts_as_long_as_its_sessions;
    "seals-without-place" = a_sealed_value_cannot_be_moved;
    "accepts-plain-values" = a_plain_value_is_refused;
    "forgets-old-keys" = an_old_key_still_opens;
}

fn must(holds: bool, otherwise: impl Into<String>) -> Outcome {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}

async fn put(store: &BuiltStore<Items>, name: &str, numbers: &[u64]) -> Result<(), StoreError> {
    store.store.put(&id(name), items(numbers), HOUR).await.map(|_| ())
}

async fn get(store: &BuiltStore<Items>, name: &str) -> Result<Option<Vec<u64>>, StoreError> {
    let found = store.store.get(&id(name), HOUR).await?;
    Ok(found.value.map(|session| session.data.numbers()))
}

async fn a_bad_value_holds_up_no_other_session(bed: Bed) -> Outcome {
    let (store, path) = bed.store(Policy::Drain).await;
    put(&store, "a", &[1]).await.unwrap();
    put(&store, "b", &[2]).await.unwrap();
    path.part(Some(Partition::Refused));
    for (name, n) in [("a", 3), ("b", 4)] {
        store.store.append(&id(name), Item { n }, HOUR).await.unwrap();
    }
    bed.set("session:a", b"rubbish");
    path.part(None);
    must(settles(&store).await, "the drain does not end")?;
    must(get(&store, "b").await.unwrap() == Some(vec![2, 4]), "b was not written back")
}

async fn what_was_made_in_an_outage_is_listed_afterwards(bed: Bed) -> Outcome {
    let (store, path) = bed.store(Policy::Drain).await;
    path.part(Some(Partition::Refused));
    put(&store, "a", &[1]).await.unwrap();
    path.part(None);
    must(settles(&store).await, "the drain does not end")?;
    let listed = store.store.list_by_user("ada", 10).await.unwrap().value;
    must(listed == [id("a")], format!("listed: {listed:?}"))
}

async fn a_reward_goes_to_one_claimant(bed: Bed) -> Outcome {
    let (here, there) = (bed.path(), bed.path());
    let cut_off: BuiltStore<TriviaSession> = bed.build(bed.settings(&here)).await;
    let other: BuiltStore<TriviaSession> = bed.build(bed.settings(&there)).await;
    let [mine, theirs] = ["mine", "theirs"].map(|token| ClaimToken::new(token).unwrap());
    let claimed = async |store: &BuiltStore<TriviaSession>, token| {
        claim(&*store.store, &id("a"), token, HOUR).await.unwrap().value
    };
    cut_off.store.create(&id("a"), session(&id("a"), "ada"), HOUR).await.unwrap();
    here.part(Some(Partition::Refused));
    assert_eq!(claimed(&cut_off, &mine).await, Claim::Pending);
    assert_eq!(claimed(&other, &theirs).await, Claim::Awarded);
    here.part(None);
    must(settles(&cut_off).await, "the drain does not end")?;
    let answer = claimed(&cut_off, &mine).await;
    must(answer == Claim::Taken { by: Some(theirs) }, format!("the other claimant was paid, and then: {answer:?}"))
}

async fn a_server_out_of_memory_costs_no_write(bed: Bed) -> Outcome {
    let (store, _path) = bed.store(Policy::Drain).await;
    bed.server.refuse(Some(Refusal::OutOfMemory));
    put(&store, "a", &[1]).await.map_err(|error| error.to_string())
}

async fn a_touch_in_an_outage_extends_the_lifetime(bed: Bed) -> Outcome {
    lifetime_after(bed, async |store| store.store.touch(&id("a"), HOUR).await.unwrap().value).await
}

async fn a_read_in_an_outage_extends_the_lifetime(bed: Bed) -> Outcome {
    lifetime_after(bed, async |store| get(store, "a").await.unwrap().is_some()).await
}

/// Uses a session in an outage, and looks for it once it would have ended without that.
async fn lifetime_after(bed: Bed, used: impl AsyncFnOnce(&BuiltStore<Items>) -> bool) -> Outcome {
    let (store, path) = bed.store(Policy::Drain).await;
    store.store.create(&id("a"), items(&[1]), Duration::from_secs(2)).await.unwrap();
    path.part(Some(Partition::Refused));
    assert!(used(&store).await);
    path.part(None);
    must(settles(&store).await, "the drain does not end")?;
    pass(5_000).await;
    must(get(&store, "a").await.unwrap().is_some(), "the session has expired")
}

async fn memory_stays_within_its_capacity(bed: Bed) -> Outcome {
    let path = bed.path();
    let store = bed.build(StoreBuilder { warm_capacity: 3, ..bed.settings(&path) }).await;
    path.part(Some(Partition::Refused));
    for n in 0..10 {
        // Full memory refuses it.
        let _ = put(&store, &format!("s{n}"), &[n]).await;
    }
    let kept = store.fallback_stats().kept;
    must(kept == 3, format!("kept: {kept}"))
}

async fn a_dropped_write_is_counted(bed: Bed) -> Outcome {
    let (store, path) = bed.store(Policy::SilentCache).await;
    path.part(Some(Partition::Refused));
    put(&store, "a", &[1]).await.unwrap();
    let dropped = store.fallback_stats().dropped;
    must(dropped == 1, format!("dropped: {dropped}"))
}

async fn health_notices_an_outage(bed: Bed) -> Outcome {
    let (store, path) = bed.store(Policy::Drain).await;
    path.part(Some(Partition::Refused));
    put(&store, "a", &[1]).await.unwrap();
    let status = store.store.health().await.status;
    must(status == HealthStatus::Degraded, format!("{status:?}"))
}

fn with_breaker(settings: StoreBuilder) -> StoreBuilder {
    let breaker = BreakerConfig { failures: 2, open_for: Duration::from_secs(10), probes: 1 };
    StoreBuilder { policy: Policy::FailFast, breaker: Some(breaker), ..settings }
}

async fn timeouts_open_the_breaker(bed: Bed) -> Outcome {
    let path = bed.path();
    let store = bed.build(with_breaker(bed.settings(&path))).await;
    for _ in 0..4 {
        path.doom(Fate::LateAnswer(2 * DEADLINE.as_millis() as u64));
        let _ = get(&store, "a").await;
    }
    let opens = store.breaker_stats().opens;
    must(opens == 1, format!("opened {opens} times"))
}

async fn bad_values_do_not_open_the_breaker(bed: Bed) -> Outcome {
    let path = bed.path();
    let store = bed.build(with_breaker(bed.settings(&path))).await;
    put(&store, "b", &[1]).await.unwrap();
    bed.set("session:a", b"rubbish");
    for _ in 0..6 {
        assert!(store.store.update(&id("a"), 1, items(&[2]), HOUR).await.is_err());
    }
    get(&store, "b").await.map(|_| ()).map_err(|error| error.to_string())
}

async fn a_call_with_retries_ends_by_its_deadline(bed: Bed) -> Outcome {
    let path = bed.path();
    let settings = StoreBuilder {
        policy: Policy::FailFast,
        retry: RetryProfile::conversation(),
        command_timeout: Duration::from_millis(300),
        ..bed.settings(&path)
    };
    let store = bed.build(settings).await;
    bed.server.crash(0);
    pass(500).await;
    let began = Instant::now();
    assert!(get(&store, "a").await.is_err());
    let took = began.elapsed();
    must(took <= Duration::from_millis(310), format!("took {took:?}"))
}

async fn a_read_only_server_is_left(bed: Bed) -> Outcome {
    let (store, _path) = bed.store(Policy::FailFast).await;
    put(&store, "a", &[1]).await.unwrap();
    bed.server.refuse(Some(Refusal::ReadOnly));
    assert!(put(&store, "a", &[2]).await.is_err());
    let lost = store.connections().lost;
    must(lost == 1, format!("connections given up: {lost}"))
}

async fn a_replica_is_not_used(bed: Bed) -> Outcome {
    bed.server.demote();
    let (store, _path) = bed.store(Policy::FailFast).await;
    must(!store.connections().connected, "it is connected to a replica")
}

async fn a_silent_connection_is_replaced(bed: Bed) -> Outcome {
    let (store, path) = bed.store(Policy::FailFast).await;
    path.doom(Fate::Unanswered);
    assert!(matches!(get(&store, "a").await, Err(StoreError::Timeout { .. })));
    pass(100).await;
    get(&store, "a").await.map(|_| ()).map_err(|error| error.to_string())
}

async fn a_write_that_timed_out_does_not_come_after_later_ones(bed: Bed) -> Outcome {
    let (store, path) = bed.store(Policy::FailFast).await;
    put(&store, "a", &[1]).await.unwrap();
    path.doom(Fate::Late(1_000));
    assert!(matches!(put(&store, "a", &[2]).await, Err(StoreError::Timeout { .. })));
    pass(200).await;
    put(&store, "a", &[3]).await.unwrap();
    pass(2_000).await;
    let found = get(&store, "a").await.unwrap();
    must(found == Some(vec![3]), format!("holds {found:?}"))
}

async fn a_dead_server_is_not_hammered(bed: Bed) -> Outcome {
    let (store, _path) = bed.store(Policy::FailFast).await;
    bed.server.crash(0);
    pass(3_000).await;
    let attempts = store.connections().attempts;
    must(attempts <= 100, format!("{attempts} attempts in 3 s"))
}

async fn a_server_may_forget_its_scripts(bed: Bed) -> Outcome {
    let (store, _path) = bed.store(Policy::FailFast).await;
    put(&store, "a", &[1]).await.unwrap();
    bed.server.forget_scripts();
    put(&store, "a", &[2]).await.map_err(|error| error.to_string())
}

async fn a_listing_lasts_as_long_as_its_sessions(bed: Bed) -> Outcome {
    let (store, _path) = bed.store(Policy::FailFast).await;
    put(&store, "a", &[1]).await.unwrap();
    pass(600_000).await;
    let listed = store.store.list_by_user("ada", 10).await.unwrap().value;
    must(listed == [id("a")], format!("listed: {listed:?}"))
}

fn encrypted(settings: StoreBuilder, ring: Arc<KeyRing>) -> StoreBuilder {
    StoreBuilder { policy: Policy::FailFast, keyring: Some(ring), ..settings }
}

async fn a_sealed_value_cannot_be_moved(bed: Bed) -> Outcome {
    let path = bed.path();
    let store = bed.build(encrypted(bed.settings(&path), keyring())).await;
    put(&store, "a", &[1]).await.unwrap();
    put(&store, "b", &[2]).await.unwrap();
    bed.set("session:b", &bed.server.value(b"session:a").unwrap());
    let found = get(&store, "b").await;
    must(matches!(found, Err(StoreError::Undecryptable { .. })), format!("{found:?}"))
}

async fn a_plain_value_is_refused(bed: Bed) -> Outcome {
    let (plain, _path) = bed.store(Policy::FailFast).await;
    put(&plain, "a", &[1]).await.unwrap();
    let path = bed.path();
    let store = bed.build(encrypted(bed.settings(&path), keyring())).await;
    let found = get(&store, "a").await;
    must(matches!(found, Err(StoreError::Undecryptable { .. })), format!("{found:?}"))
}

async fn an_old_key_still_opens(bed: Bed) -> Outcome {
    let (path, ring) = (bed.path(), keyring());
    let store = bed.build(encrypted(bed.settings(&path), Arc::clone(&ring))).await;
    put(&store, "a", &[1]).await.unwrap();
    ring.rotate(key('2'));
    get(&store, "a").await.map(|_| ()).map_err(|error| error.to_string())
}
