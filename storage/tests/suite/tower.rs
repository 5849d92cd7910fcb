//! tower-sessions over a store of this crate, by its own `Session`: what its middleware does with a store.

use std::sync::Arc;

use firedrill_storage::tower::{TowerSession, TowerStore};
use firedrill_storage::{BuiltStore, Policy, StoreBuilder};
use firedrill_storage_sim::redis::fate::Partition;
use firedrill_storage_sim::redis::path::Path;
use tower_sessions_core::session::{Expiry, Id, Record, Session};
use tower_sessions_core::session_store::SessionStore;

use crate::planted::bed::{Bed, runtime, settles};

/// A store under `drain`, and its path to the server.
async fn store(bed: &Bed) -> (BuiltStore<TowerSession>, Arc<TowerStore>, Arc<Path>) {
    let path = bed.path();
    let built = bed.build(StoreBuilder { policy: Policy::Drain, ..bed.settings(&path) }).await;
    let tower = Arc::new(TowerStore::new(built.store.clone()));
    (built, tower, path)
}

fn session(store: &Arc<TowerStore>, id: Option<Id>) -> Session {
    Session::new(id, Arc::clone(store), Some(Expiry::OnInactivity(time::Duration::hours(1))))
}

async fn foo(store: &Arc<TowerStore>, id: Id) -> Option<u64> {
    session(store, Some(id)).get("foo").await.unwrap()
}

#[test]
fn what_a_session_holds_is_found_by_its_id_until_it_is_flushed() {
    runtime().block_on(async {
        let (_built, store, _) = store(&Bed::new(None)).await;
        let one = session(&store, None);
        one.insert("foo", 42).await.unwrap();
        one.save().await.unwrap();
        let id = one.id().unwrap();
        assert_eq!(foo(&store, id).await, Some(42));
        let again = session(&store, Some(id));
        again.insert("foo", 43).await.unwrap();
        again.save().await.unwrap();
        assert_eq!(foo(&store, id).await, Some(43));
        again.flush().await.unwrap();
        assert_eq!(foo(&store, id).await, None);
    });
}

#[test]
fn a_cycled_id_leaves_nothing_under_the_old_one() {
    runtime().block_on(async {
        let (_built, store, _) = store(&Bed::new(None)).await;
        let one = session(&store, None);
        one.insert("foo", 42).await.unwrap();
        one.save().await.unwrap();
        let old = one.id().unwrap();
        one.cycle_id().await.unwrap();
        one.save().await.unwrap();
        let new = one.id().unwrap();
        assert_ne!(old, new);
        assert_eq!((foo(&store, old).await, foo(&store, new).await), (None, Some(42)));
    });
}

#[test]
fn an_outage_loses_nothing_and_a_slow_save_brings_nothing_back() {
    runtime().block_on(async {
        let (built, store, path) = store(&Bed::new(None)).await;
        path.part(Some(Partition::Refused));
        let one = session(&store, None);
        one.insert("foo", 42).await.unwrap();
        one.save().await.unwrap();
        let id = one.id().unwrap();
        path.part(None);
        assert!(settles(&built).await);
        assert_eq!(foo(&store, id).await, Some(42));
        let slow = session(&store, Some(id));
        slow.insert("foo", 43).await.unwrap();
        session(&store, Some(id)).flush().await.unwrap();
        slow.save().await.unwrap();
        assert_eq!(foo(&store, id).await, None);
    });
}

#[test]
fn a_created_session_gets_another_id_if_its_own_is_taken_and_ends_when_its_record_says() {
    runtime().block_on(async {
        let (_built, store, _) = store(&Bed::new(None)).await;
        let soon = time::OffsetDateTime::now_utc() + time::Duration::hours(1);
        let record = |expiry_date| Record { id: Id(7), data: Default::default(), expiry_date };
        let (mut first, mut second) = (record(soon), record(soon));
        store.create(&mut first).await.unwrap();
        store.create(&mut second).await.unwrap();
        assert_eq!(first.id, Id(7));
        assert_ne!(second.id, Id(7));
        assert!(store.load(&second.id).await.unwrap().is_some());
        let over = record(time::OffsetDateTime::now_utc() - time::Duration::seconds(1));
        store.save(&over).await.unwrap();
        assert_eq!(store.load(&Id(7)).await.unwrap(), None);
    });
}
