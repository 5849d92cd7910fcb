//! What every store does, whatever is behind it. One function per promise of [`SessionStore`]; `contract` runs each on
//! every store and composition.

use std::sync::Arc;
use std::time::{Duration, Instant};

use firedrill_storage::{AppendStore, Effect, SessionId, StoreError, TriviaSession};

use crate::sample::Sample;
use crate::support::{HOUR, eventually, id};

pub type Store<D = TriviaSession> = Arc<dyn AppendStore<D>>;

/// A lifetime that ends within the test.
const SHORT: Duration = Duration::from_millis(400);

async fn read<D: Sample>(store: &Store<D>, name: &str) -> Option<(u64, Vec<u64>)> {
    read_by(store, &id(name)).await
}

async fn read_by<D: Sample>(store: &Store<D>, id: &SessionId) -> Option<(u64, Vec<u64>)> {
    let found = store.get(id, HOUR).await.unwrap().value;
    found.map(|session| (session.version, session.data.items()))
}

/// Waits until an unused session has expired.
async fn expired<D: Sample>(store: &Store<D>, name: &str) {
    eventually("the session expires", async || {
        let touched = store.update(&id(name), u64::MAX, D::sample(&id(name), "x"), SHORT).await;
        matches!(touched, Err(StoreError::NotFound)).then_some(())
    })
    .await;
}

pub async fn a_created_session_is_read_as_it_was_written<D: Sample>(store: Store<D>) {
    let written = D::sample(&id("a"), "ada");
    assert_eq!(store.create(&id("a"), written.clone(), HOUR).await.unwrap().value, 1);
    let read = store.get(&id("a"), HOUR).await.unwrap().value.unwrap();
    assert_eq!(read.version, 1);
    assert_eq!(read.data, written);
}

pub async fn a_session_never_made_is_not_found<D: Sample>(store: Store<D>) {
    assert_eq!(store.get(&id("a"), HOUR).await.unwrap().value, None);
    assert!(!store.touch(&id("a"), HOUR).await.unwrap().value);
    assert!(!store.destroy(&id("a")).await.unwrap().value);
    let appended = store.append(&id("a"), D::item(1), HOUR).await.unwrap_err();
    assert!(matches!(appended, StoreError::NotFound), "{appended:?}");
    let updated = store.update(&id("a"), 1, D::sample(&id("a"), "ada"), HOUR).await.unwrap_err();
    assert!(matches!(updated, StoreError::NotFound), "{updated:?}");
    assert_eq!(updated.effect(), Effect::None);
    let renamed = store.rename(&id("a"), &store.successor(&id("a")), HOUR).await.unwrap_err();
    assert!(matches!(renamed, StoreError::NotFound), "{renamed:?}");
}

pub async fn an_id_is_taken_once<D: Sample>(store: Store<D>) {
    store.create(&id("a"), D::sample(&id("a"), "ada"), HOUR).await.unwrap();
    let mut other = D::sample(&id("a"), "bob");
    other.append(D::item(1));
    let error = store.create(&id("a"), other, HOUR).await.unwrap_err();
    assert!(matches!(error, StoreError::AlreadyExists), "{error:?}");
    assert_eq!(read(&store, "a").await, Some((1, vec![])));
}

pub async fn put_creates_and_overwrites_and_counts_versions<D: Sample>(store: Store<D>) {
    let mut data = D::sample(&id("a"), "ada");
    assert_eq!(store.put(&id("a"), data.clone(), HOUR).await.unwrap().value, 1);
    data.append(D::item(1));
    assert_eq!(store.put(&id("a"), data, HOUR).await.unwrap().value, 2);
    assert_eq!(read(&store, "a").await, Some((2, vec![1])));
    assert_eq!(store.put(&id("a"), D::sample(&id("a"), "ada"), HOUR).await.unwrap().value, 3);
    assert_eq!(read(&store, "a").await, Some((3, vec![])));
}

pub async fn update_writes_only_over_the_version_it_was_made_from<D: Sample>(store: Store<D>) {
    store.create(&id("a"), D::sample(&id("a"), "ada"), HOUR).await.unwrap();
    let mut first = D::sample(&id("a"), "ada");
    first.append(D::item(1));
    assert_eq!(store.update(&id("a"), 1, first, HOUR).await.unwrap().value, 2);
    let mut second = D::sample(&id("a"), "ada");
    second.append(D::item(2));
    let error = store.update(&id("a"), 1, second, HOUR).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict { current: 2 }), "{error:?}");
    assert_eq!(read(&store, "a").await, Some((2, vec![1])));
}

pub async fn appends_keep_their_order_and_count_versions<D: Sample>(store: Store<D>) {
    store.create(&id("a"), D::sample(&id("a"), "ada"), HOUR).await.unwrap();
    for question in [5, 3, 9] {
        store.append(&id("a"), D::item(question), HOUR).await.unwrap();
    }
    assert_eq!(read(&store, "a").await, Some((4, vec![5, 3, 9])));
}

pub async fn an_append_moves_the_last_activity_on<D: Sample>(store: Store<D>) {
    store.create(&id("a"), D::sample(&id("a"), "ada"), HOUR).await.unwrap();
    store.append(&id("a"), D::item(7), HOUR).await.unwrap();
    let read = store.get(&id("a"), HOUR).await.unwrap().value.unwrap();
    assert_eq!(read.data.last_activity(), D::item_time(7));
    let mut expected = D::sample(&id("a"), "ada");
    expected.append(D::item(7));
    assert_eq!(read.data, expected);
}

pub async fn an_item_appended_twice_is_there_once<D: Sample>(store: Store<D>) {
    store.create(&id("a"), D::sample(&id("a"), "ada"), HOUR).await.unwrap();
    assert_eq!(store.append(&id("a"), D::item(1), HOUR).await.unwrap().value, 2);
    assert_eq!(store.append(&id("a"), D::item(11), HOUR).await.unwrap().value, 3);
    assert_eq!(store.append(&id("a"), D::item(1), HOUR).await.unwrap().value, 3);
    assert_eq!(read(&store, "a").await, Some((3, vec![1, 11])));
}

pub async fn concurrent_appends_are_all_kept<D: Sample>(store: Store<D>) {
    store.create(&id("a"), D::sample(&id("a"), "ada"), HOUR).await.unwrap();
    let tasks: Vec<_> = (0..8_u64)
        .map(|task| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for n in 0..25 {
                    store.append(&id("a"), D::item(task * 100 + n), HOUR).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let (version, mut found) = read(&store, "a").await.unwrap();
    found.sort_unstable();
    let expected: Vec<u64> = (0..8).flat_map(|task| (0..25).map(move |n| task * 100 + n)).collect();
    assert_eq!(found, expected);
    assert_eq!(version, 201);
}

pub async fn of_concurrent_updates_from_one_version_one_wins<D: Sample>(store: Store<D>) {
    store.create(&id("a"), D::sample(&id("a"), "ada"), HOUR).await.unwrap();
    let tasks: Vec<_> = (1..=10_u64)
        .map(|question| {
            let store = Arc::clone(&store);
            let mut data = D::sample(&id("a"), "ada");
            data.append(D::item(question));
            tokio::spawn(async move { store.update(&id("a"), 1, data, HOUR).await.is_ok().then_some(question) })
        })
        .collect();
    let mut winners = Vec::new();
    for task in tasks {
        winners.extend(task.await.unwrap());
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(read(&store, "a").await, Some((2, winners)));
}

pub async fn a_destroyed_session_is_gone_and_no_late_write_brings_it_back<D: Sample>(store: Store<D>) {
    store.create(&id("a"), D::sample(&id("a"), "ada"), HOUR).await.unwrap();
    assert!(store.destroy(&id("a")).await.unwrap().value);
    assert!(!store.destroy(&id("a")).await.unwrap().value);
    assert!(store.append(&id("a"), D::item(1), HOUR).await.is_err());
    assert!(store.update(&id("a"), 1, D::sample(&id("a"), "ada"), HOUR).await.is_err());
    assert!(!store.touch(&id("a"), HOUR).await.unwrap().value);
    assert_eq!(read(&store, "a").await, None);
}

pub async fn an_id_can_be_used_again_after_destroy<D: Sample>(store: Store<D>) {
    store.create(&id("a"), D::sample(&id("a"), "ada"), HOUR).await.unwrap();
    store.append(&id("a"), D::item(1), HOUR).await.unwrap();
    store.destroy(&id("a")).await.unwrap();
    let version = store.create(&id("a"), D::sample(&id("a"), "bob"), HOUR).await.unwrap().value;
    assert_eq!(read(&store, "a").await, Some((version, vec![])));
    store.append(&id("a"), D::item(2), HOUR).await.unwrap();
    assert_eq!(read(&store, "a").await, Some((version + 1, vec![2])));
}

pub async fn a_renamed_session_is_under_its_new_id_alone<D: Sample>(store: Store<D>) {
    store.create(&id("a"), D::sample(&id("a"), "ada"), HOUR).await.unwrap();
    store.create(&id("other"), D::sample(&id("other"), "ada"), HOUR).await.unwrap();
    store.append(&id("a"), D::item(1), HOUR).await.unwrap();
    let new = store.successor(&id("a"));
    assert_eq!(store.rename(&id("a"), &new, HOUR).await.unwrap().value, 3);
    assert_eq!(read(&store, "a").await, None);
    let found = store.get(&new, HOUR).await.unwrap().value.unwrap();
    let mut expected = D::sample(&new, "ada");
    expected.append(D::item(1));
    assert_eq!((found.version, found.data), (3, expected));
    assert_eq!(store.list_by_user("ada", 10).await.unwrap().value, [new.clone(), id("other")]);
    assert_eq!(store.count().await.unwrap().value, 2);
    assert_eq!(store.append(&new, D::item(2), HOUR).await.unwrap().value, 4);
    assert_eq!(read_by(&store, &new).await, Some((4, vec![1, 2])));
    let last = store.successor(&new);
    assert_eq!(store.rename(&new, &last, HOUR).await.unwrap().value, 5);
    assert_eq!(read_by(&store, &last).await, Some((5, vec![1, 2])));
    assert!(store.destroy(&last).await.unwrap().value);
    assert_eq!(store.list_by_user("ada", 10).await.unwrap().value, [id("other")]);
}

pub async fn a_slow_write_does_not_bring_a_renamed_session_back<D: Sample>(store: Store<D>) {
    store.create(&id("a"), D::sample(&id("a"), "ada"), HOUR).await.unwrap();
    let new = store.successor(&id("a"));
    store.rename(&id("a"), &new, HOUR).await.unwrap();
    let data = || D::sample(&id("a"), "ada");
    let put = store.put(&id("a"), data(), HOUR).await.unwrap_err();
    let created = store.create(&id("a"), data(), HOUR).await.unwrap_err();
    for error in [put, created] {
        assert!(matches!(error, StoreError::Renamed), "{error:?}");
        assert_eq!(error.effect(), Effect::None);
    }
    let updated = store.update(&id("a"), 1, data(), HOUR).await.unwrap_err();
    let appended = store.append(&id("a"), D::item(1), HOUR).await.unwrap_err();
    let renamed = store.rename(&id("a"), &store.successor(&id("a")), HOUR).await.unwrap_err();
    for error in [updated, appended, renamed] {
        assert!(matches!(error, StoreError::NotFound), "{error:?}");
    }
    assert!(!store.touch(&id("a"), HOUR).await.unwrap().value);
    assert!(!store.destroy(&id("a")).await.unwrap().value);
    assert_eq!(read(&store, "a").await, None);
    assert_eq!(read_by(&store, &new).await, Some((2, vec![])));
}

pub async fn a_session_does_not_get_the_id_of_another<D: Sample>(store: Store<D>) {
    store.create(&id("a"), D::sample(&id("a"), "ada"), HOUR).await.unwrap();
    let taken = store.successor(&id("a"));
    store.create(&taken, D::sample(&taken, "bob"), HOUR).await.unwrap();
    for to in [&taken, &id("a")] {
        let error = store.rename(&id("a"), to, HOUR).await.unwrap_err();
        assert!(matches!(error, StoreError::AlreadyExists), "{error:?}");
    }
    assert_eq!(read(&store, "a").await, Some((1, vec![])));
    assert_eq!(store.get(&taken, HOUR).await.unwrap().value.unwrap().data, D::sample(&taken, "bob"));
}

pub async fn appends_beside_a_rename_are_kept_or_refused<D: Sample>(store: Store<D>) {
    store.create(&id("a"), D::sample(&id("a"), "ada"), HOUR).await.unwrap();
    let tasks: Vec<_> = (0..4_u64)
        .map(|task| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut kept = Vec::new();
                for n in 0..10 {
                    let number = task * 100 + n;
                    match store.append(&id("a"), D::item(number), HOUR).await {
                        Ok(_) => kept.push(number),
                        Err(error) => assert!(matches!(error, StoreError::NotFound), "{error:?}"),
                    }
                }
                kept
            })
        })
        .collect();
    let new = store.successor(&id("a"));
    // The session may be written faster than it can be moved, which is then said.
    while let Err(error) = store.rename(&id("a"), &new, HOUR).await {
        assert!(matches!(error, StoreError::Conflict { .. }), "{error:?}");
    }
    let mut expected = Vec::new();
    for task in tasks {
        expected.extend(task.await.unwrap());
    }
    expected.sort_unstable();
    let (_, mut found) = read_by(&store, &new).await.unwrap();
    found.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(read(&store, "a").await, None);
}

pub async fn of_concurrent_renames_one_wins<D: Sample>(store: Store<D>) {
    store.create(&id("a"), D::sample(&id("a"), "ada"), HOUR).await.unwrap();
    let tasks: Vec<_> = (0..6)
        .map(|_| {
            let (store, new) = (Arc::clone(&store), store.successor(&id("a")));
            tokio::spawn(async move { store.rename(&id("a"), &new, HOUR).await.is_ok().then_some(new) })
        })
        .collect();
    let mut winners = Vec::new();
    for task in tasks {
        winners.extend(task.await.unwrap());
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(read_by(&store, &winners[0]).await, Some((2, vec![])));
    assert_eq!(store.count().await.unwrap().value, 1);
}

pub async fn an_unused_session_expires<D: Sample>(store: Store<D>) {
    let written = D::sample(&id("seen"), "bob");
    store.create(&id("seen"), written.clone(), HOUR).await.unwrap();
    let seen = store.peek(&id("seen")).await.unwrap().value.unwrap();
    assert_eq!((seen.version, seen.data), (1, written.clone()));
    assert!(store.destroy(&id("seen")).await.unwrap().value);
    assert_eq!(store.peek(&id("seen")).await.unwrap().value, None);

    store.create(&id("a"), D::sample(&id("a"), "ada"), SHORT).await.unwrap();
    store.create(&id("looked-at"), D::sample(&id("looked-at"), "bob"), SHORT).await.unwrap();
    // To be looked at is no use.
    eventually("the session expires", async || {
        store.peek(&id("looked-at")).await.unwrap().value.is_none().then_some(())
    })
    .await;
    expired(&store, "a").await;
    assert_eq!(read(&store, "a").await, None);
    assert!(!store.touch(&id("a"), HOUR).await.unwrap().value);
    assert!(!store.destroy(&id("a")).await.unwrap().value);
    assert_eq!(store.count().await.unwrap().value, 0);
    assert!(store.list_by_user("ada", 10).await.unwrap().value.is_empty());
}

pub async fn every_use_lets_a_session_live_anew<D: Sample>(store: Store<D>) {
    // If the machine takes longer for these uses than the sessions live, this proves nothing: try again with longer
    // lifetimes.
    for round in 0.. {
        let (ttl, began) = (SHORT * 2_u32.pow(round), Instant::now());
        let renamed = store.successor(&id(&format!("old{round}")));
        let used = use_each(&store, round, ttl, &renamed).await;
        if began.elapsed() < ttl {
            used.unwrap();
            expired(&store, &format!("unused{round}")).await;
            for name in ["read", "touched", "appended", "put", "updated", "again"] {
                assert!(read(&store, &format!("{name}{round}")).await.is_some(), "{name}");
            }
            assert!(read_by(&store, &renamed).await.is_some(), "renamed");
            return;
        }
    }
}

/// Creates sessions that live for `ttl`, and uses all but one of them, each in its own way.
async fn use_each<D: Sample>(
    store: &Store<D>,
    round: u32,
    ttl: Duration,
    renamed: &SessionId,
) -> Result<(), StoreError> {
    let named = |name: &str| id(&format!("{name}{round}"));
    for name in ["unused", "read", "touched", "appended", "put", "updated", "again", "old"] {
        let mut data = D::sample(&named(name), "ada");
        data.append(D::item(1));
        store.create(&named(name), data, ttl).await?;
    }
    store.get(&named("read"), HOUR).await?;
    store.touch(&named("touched"), HOUR).await?;
    store.append(&named("appended"), D::item(2), HOUR).await?;
    store.put(&named("put"), D::sample(&named("put"), "ada"), HOUR).await?;
    store.update(&named("updated"), 1, D::sample(&named("updated"), "ada"), HOUR).await?;
    store.append(&named("again"), D::item(1), HOUR).await?;
    store.rename(&named("old"), renamed, HOUR).await?;
    Ok(())
}

pub async fn a_shorter_lifetime_counts_from_the_last_use<D: Sample>(store: Store<D>) {
    store.create(&id("a"), D::sample(&id("a"), "ada"), HOUR).await.unwrap();
    assert!(store.touch(&id("a"), SHORT).await.unwrap().value);
    expired(&store, "a").await;
}

pub async fn count_counts_live_sessions<D: Sample>(store: Store<D>) {
    assert_eq!(store.count().await.unwrap().value, 0);
    for n in 0..30 {
        let id = id(&format!("s{n}"));
        store.create(&id, D::sample(&id, "ada"), HOUR).await.unwrap();
    }
    store.destroy(&id("s3")).await.unwrap();
    store.destroy(&id("s4")).await.unwrap();
    assert_eq!(store.count().await.unwrap().value, 28);
}

pub async fn a_users_sessions_are_listed_newest_first<D: Sample>(store: Store<D>) {
    for name in ["a", "b", "c", "d"] {
        store.create(&id(name), D::sample(&id(name), "ada: \"x\"\\é"), HOUR).await.unwrap();
    }
    store.create(&id("other"), D::sample(&id("other"), "bob"), HOUR).await.unwrap();
    store.append(&id("b"), D::item(1), HOUR).await.unwrap();
    store.destroy(&id("c")).await.unwrap();
    let listed = store.list_by_user("ada: \"x\"\\é", 10).await.unwrap().value;
    assert_eq!(listed, [id("b"), id("d"), id("a")]);
    let two = store.list_by_user("ada: \"x\"\\é", 2).await.unwrap().value;
    assert_eq!(two, [id("b"), id("d")]);
    assert!(store.list_by_user("nobody", 10).await.unwrap().value.is_empty());
}

pub async fn a_session_that_changes_hands_is_listed_for_its_new_user_only<D: Sample>(store: Store<D>) {
    store.create(&id("a"), D::sample(&id("a"), "ada"), HOUR).await.unwrap();
    store.put(&id("a"), D::sample(&id("a"), "bob"), HOUR).await.unwrap();
    assert!(store.list_by_user("ada", 10).await.unwrap().value.is_empty());
    assert_eq!(store.list_by_user("bob", 10).await.unwrap().value, [id("a")]);
}

pub async fn every_session_of_a_user_ends_but_the_excepted_one<D: Sample>(store: Store<D>) {
    for (name, user) in [("a", "ada"), ("b", "ada"), ("c", "ada"), ("other", "bob")] {
        store.create(&id(name), D::sample(&id(name), user), HOUR).await.unwrap();
    }
    assert_eq!(store.destroy_by_user("ada", Some(&id("b"))).await.unwrap().value, 2);
    assert_eq!(store.list_by_user("ada", 10).await.unwrap().value, [id("b")]);
    for (name, lives) in [("a", false), ("b", true), ("c", false), ("other", true)] {
        assert_eq!(read(&store, name).await.is_some(), lives, "{name}");
    }
    assert_eq!(store.destroy_by_user("ada", None).await.unwrap().value, 1);
    assert_eq!(store.destroy_by_user("ada", None).await.unwrap().value, 0);
    assert_eq!(read(&store, "b").await, None);
    assert_eq!(store.count().await.unwrap().value, 1);
}

pub async fn sessions_do_not_see_each_other<D: Sample>(store: Store<D>) {
    for name in ["a", "b"] {
        store.create(&id(name), D::sample(&id(name), "ada"), HOUR).await.unwrap();
    }
    store.append(&id("a"), D::item(1), HOUR).await.unwrap();
    store.destroy(&id("a")).await.unwrap();
    let b = store.get(&id("b"), HOUR).await.unwrap().value.unwrap();
    assert_eq!(b.data, D::sample(&id("b"), "ada"));
}
