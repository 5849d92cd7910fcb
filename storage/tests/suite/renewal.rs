//! New ids and logouts everywhere while Redis is away, on the simulated server and a clock that stands still.

use std::time::Duration;

use firedrill_storage::{AppendStore, Policy, ServedBy, StoreBuilder, StoreError};
use firedrill_storage_sim::record::{Item, Items};
use firedrill_storage_sim::redis::commands::Refusal;
use firedrill_storage_sim::redis::fate::{Fate, Partition};

use crate::planted::bed::{Bed, id, items, pass, runtime, settles};
use crate::support::HOUR;

type Store = dyn AppendStore<Items>;

async fn create(store: &Store, name: &str) {
    store.create(&id(name), items(&[1]), HOUR).await.unwrap();
}

async fn read(store: &Store, name: &str) -> Option<Vec<u64>> {
    store.get(&id(name), HOUR).await.unwrap().value.map(|session| session.data.numbers())
}

/// Runs a test with a store under `drain` and another process that stays connected.
fn with_two<F: Future<Output = ()>>(test: impl FnOnce(Bed) -> F) {
    runtime().block_on(test(Bed::new(None)));
}

#[test]
fn a_session_renamed_in_an_outage_has_one_id_before_and_after_it() {
    with_two(|bed| async move {
        let ((one, path), (other, _)) = (bed.store(Policy::Drain).await, bed.store(Policy::FailFast).await);
        create(&*one.store, "a").await;
        path.part(Some(Partition::Refused));
        let renamed = one.store.rename(&id("a"), &id("b"), HOUR).await.unwrap();
        assert_eq!((renamed.value, renamed.served_by), (2, ServedBy::Fallback));
        assert_eq!((read(&*one.store, "a").await, read(&*one.store, "b").await), (None, Some(vec![1])));
        let put = one.store.put(&id("a"), items(&[9]), HOUR).await.unwrap_err();
        assert!(matches!(put, StoreError::Renamed), "{put:?}");
        assert_eq!(one.store.list_by_user("ada", 9).await.unwrap().value, [id("b")]);
        // Written by another process meanwhile, and that is no loss.
        other.store.append(&id("a"), Item { n: 2 }, HOUR).await.unwrap();
        path.part(None);
        assert!(settles(&one).await);
        assert_eq!((read(&*other.store, "a").await, read(&*other.store, "b").await), (None, Some(vec![1, 2])));
        assert_eq!(other.store.list_by_user("ada", 9).await.unwrap().value, [id("b")]);
        let put = other.store.put(&id("a"), items(&[9]), HOUR).await.unwrap_err();
        assert!(matches!(put, StoreError::Renamed), "{put:?}");
        assert_eq!(one.fallback_stats().lost_items, 0);
    });
}

#[test]
fn a_rename_whose_answer_was_lost_happens_once() {
    for fate in [Fate::CutBefore, Fate::CutAfter] {
        with_two(|bed| async move {
            let ((one, path), (other, _)) = (bed.store(Policy::Drain).await, bed.store(Policy::FailFast).await);
            create(&*one.store, "a").await;
            create(&*one.store, "scripts").await;
            one.store.rename(&id("scripts"), &id("known"), HOUR).await.unwrap();
            // The session is read first, and its new value is sent ahead.
            [Fate::Late(1), Fate::Late(1), fate].into_iter().for_each(|fate| path.doom(fate));
            one.store.rename(&id("a"), &id("b"), HOUR).await.unwrap();
            assert!(settles(&one).await);
            for store in [&one.store, &other.store] {
                assert_eq!((read(&**store, "a").await, read(&**store, "b").await), (None, Some(vec![1])), "{fate:?}");
            }
        });
    }
}

#[test]
fn what_another_process_destroyed_is_not_brought_back_under_a_new_id() {
    with_two(|bed| async move {
        let ((one, path), (other, _)) = (bed.store(Policy::Drain).await, bed.store(Policy::FailFast).await);
        create(&*one.store, "a").await;
        path.part(Some(Partition::Refused));
        one.store.rename(&id("a"), &id("b"), HOUR).await.unwrap();
        assert!(other.store.destroy(&id("a")).await.unwrap().value);
        path.part(None);
        assert!(settles(&one).await);
        assert_eq!((read(&*other.store, "a").await, read(&*other.store, "b").await), (None, None));
    });
}

#[test]
fn what_was_destroyed_in_an_outage_stays_destroyed_though_another_process_gave_it_a_new_id() {
    with_two(|bed| async move {
        let ((one, path), (other, _)) = (bed.store(Policy::Drain).await, bed.store(Policy::FailFast).await);
        create(&*one.store, "a").await;
        path.part(Some(Partition::Refused));
        assert!(one.store.destroy(&id("a")).await.unwrap().value);
        other.store.rename(&id("a"), &id("b"), HOUR).await.unwrap();
        other.store.rename(&id("b"), &id("c"), HOUR).await.unwrap();
        path.part(None);
        assert!(settles(&one).await);
        for name in ["a", "b", "c"] {
            assert_eq!(read(&*other.store, name).await, None, "{name}");
        }
    });
}

#[test]
fn what_was_written_to_an_id_that_another_process_replaced_is_reported_as_lost() {
    with_two(|bed| async move {
        let ((one, path), (other, _)) = (bed.store(Policy::Drain).await, bed.store(Policy::FailFast).await);
        create(&*one.store, "a").await;
        path.part(Some(Partition::Refused));
        one.store.append(&id("a"), Item { n: 2 }, HOUR).await.unwrap();
        other.store.rename(&id("a"), &id("b"), HOUR).await.unwrap();
        path.part(None);
        assert!(settles(&one).await);
        assert_eq!((read(&*other.store, "a").await, read(&*other.store, "b").await), (None, Some(vec![1])));
        assert_eq!(one.fallback_stats().lost_items, 1);
    });
}

#[test]
fn a_logout_everywhere_in_an_outage_ends_what_only_redis_knows_too() {
    for policy in [Policy::Drain, Policy::DualWrite, Policy::SilentCache] {
        with_two(|bed| async move {
            let ((one, path), (other, _)) = (bed.store(policy).await, bed.store(Policy::FailFast).await);
            create(&*one.store, "spared").await;
            create(&*one.store, "known").await;
            create(&*other.store, "unknown").await;
            path.part(Some(Partition::Refused));
            let ended = one.store.destroy_by_user("ada", Some(&id("spared"))).await.unwrap();
            assert_eq!(ended.served_by, ServedBy::Fallback, "{policy}");
            if policy != Policy::SilentCache {
                create(&*one.store, "later").await;
            }
            path.part(None);
            assert!(settles(&one).await);
            let live = other.store.list_by_user("ada", 9).await.unwrap().value;
            let expected =
                if policy == Policy::SilentCache { vec![id("spared")] } else { vec![id("later"), id("spared")] };
            assert_eq!(live, expected, "{policy}");
            for name in ["known", "unknown"] {
                assert_eq!(read(&*other.store, name).await, None, "{policy}: {name}");
            }
        });
    }
}

#[test]
fn a_session_that_only_redis_knows_is_not_found_once_its_user_was_logged_out_everywhere() {
    with_two(|bed| async move {
        let ((one, _), (other, _)) = (bed.store(Policy::Drain).await, bed.store(Policy::FailFast).await);
        create(&*other.store, "read").await;
        create(&*other.store, "appended").await;
        bed.server.refuse(Some(Refusal::CannotSave));
        create(&*one.store, "known").await;
        assert_eq!(one.store.destroy_by_user("ada", None).await.unwrap().served_by, ServedBy::Fallback);
        // Redis answers reads meanwhile.
        assert_eq!(read(&*one.store, "read").await, None);
        let appended = one.store.append(&id("appended"), Item { n: 2 }, HOUR).await.unwrap_err();
        assert!(matches!(appended, StoreError::NotFound), "{appended:?}");
        bed.server.refuse(None);
        assert!(settles(&one).await);
        assert!(other.store.list_by_user("ada", 9).await.unwrap().value.is_empty());
    });
}

#[test]
fn a_read_only_store_refuses_a_logout_everywhere_in_an_outage() {
    with_two(|bed| async move {
        let (one, path) = bed.store(Policy::ReadOnly).await;
        create(&*one.store, "a").await;
        path.part(Some(Partition::Refused));
        for _ in 0..2 {
            let error = one.store.destroy_by_user("ada", None).await.unwrap_err();
            assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        }
        path.part(None);
        assert!(settles(&one).await);
        assert_eq!(read(&*one.store, "a").await, Some(vec![1]));
    });
}

#[test]
fn a_session_that_expires_under_its_new_id_leaves_nothing_under_the_old_one() {
    with_two(|bed| async move {
        let path = bed.path();
        let settings = StoreBuilder { policy: Policy::Drain, ..bed.settings(&path) };
        let one = bed.build::<Items>(settings).await;
        let (other, _) = bed.store(Policy::FailFast).await;
        create(&*one.store, "a").await;
        path.part(Some(Partition::Refused));
        one.store.rename(&id("a"), &id("b"), Duration::from_millis(300)).await.unwrap();
        pass(500).await;
        path.part(None);
        assert!(settles(&one).await);
        assert_eq!((read(&*other.store, "a").await, read(&*other.store, "b").await), (None, None));
    });
}
