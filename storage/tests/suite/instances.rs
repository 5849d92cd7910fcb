//! Several instances of a service share one state: two stores, each with its own connections, on the same servers.

use std::sync::Arc;

use firedrill_storage::{SessionId, StoreBuilder, StoreError, TriviaSession};

use crate::contract_cases::Store;
use crate::support::{HOUR, RedisServer, answer, id, questions, session};
use crate::topology;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_share_every_session_of_one_server() {
    let server = RedisServer::start();
    share(StoreBuilder::new(server.url())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_share_every_session_of_one_cluster() {
    share(topology::cluster()).await;
}

async fn share(settings: StoreBuilder) {
    let settings = StoreBuilder { prefix: format!("{}:", SessionId::random()), ..settings };
    let instance = || -> Store { settings.clone().build::<TriviaSession>().unwrap().store };
    let (one, other) = (instance(), instance());
    one.create(&id("a"), session(&id("a"), "ada"), HOUR).await.unwrap();
    let answering = |store: &Store, from: u64| {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            for question in from..from + 20 {
                store.append(&id("a"), answer(question), HOUR).await.unwrap();
            }
        })
    };
    let (first, second) = (answering(&one, 0), answering(&other, 100));
    first.await.unwrap();
    second.await.unwrap();
    for store in [&one, &other] {
        let read = store.get(&id("a"), HOUR).await.unwrap().value.unwrap();
        assert_eq!((read.version, questions(&read.data).len()), (41, 40));
        assert_eq!(store.list_by_user("ada", 10).await.unwrap().value, [id("a")]);
        assert_eq!(store.count().await.unwrap().value, 1);
    }
    other.destroy(&id("a")).await.unwrap();
    assert_eq!(one.get(&id("a"), HOUR).await.unwrap().value, None);
    let late = one.append(&id("a"), answer(99), HOUR).await.unwrap_err();
    assert!(matches!(late, StoreError::NotFound), "{late:?}");
}
