//! Retry profiles on real connections: giving up has its own error, and a call that had no effect is repeated.

use std::time::Duration;

use firedrill_storage::{Effect, HealthStatus, RedisStore, RetryProfile, SessionStore, StoreError, TriviaSession};

use crate::support::{HOUR, PATIENCE, RedisServer, eventually, id};

const QUICK: RetryProfile = RetryProfile::doubling(Duration::from_millis(1), Duration::from_millis(2));

#[tokio::test]
async fn giving_up_is_typed_and_said_and_final() {
    let mut server = RedisServer::start();
    server.kill();
    let retry = RetryProfile { give_up_after: Some(4), ..QUICK };
    let store = RedisStore::<TriviaSession>::builder(&server.url()).retry(retry).build().unwrap();
    let error = eventually("it gives up", async || match store.get(&id("a"), HOUR).await {
        Err(error @ StoreError::GaveUp { .. }) => Some(error),
        _ => None,
    })
    .await;
    assert_eq!(error.to_string(), "storage unavailable: gave up after 4 attempts to connect");
    assert_eq!((error.effect(), store.connections().attempts), (Effect::None, 4));
    let health = store.health().await;
    assert_eq!(health.status, HealthStatus::Disconnected);
    assert!(health.reason.unwrap().contains("gave up after 4 attempts"));
    server.restart();
    assert!(matches!(store.get(&id("a"), HOUR).await, Err(StoreError::GaveUp { .. })), "until the next start");
}

#[tokio::test]
async fn a_call_that_had_no_effect_is_repeated_within_its_deadline() {
    let mut server = RedisServer::start();
    let retry = RetryProfile { per_request: 100_000, ..QUICK };
    let builder = RedisStore::<TriviaSession>::builder(&server.url()).retry(retry).command_timeout(PATIENCE);
    let store = std::sync::Arc::new(builder.reconnect_grace(Duration::ZERO).build().unwrap());
    store.connect().await.unwrap();
    server.kill();
    eventually("the loss is noticed", async || (!store.is_connected()).then_some(())).await;
    let before = store.connections().attempts;
    let call = tokio::spawn({
        let store = std::sync::Arc::clone(&store);
        async move { store.touch(&id("nobody"), HOUR).await }
    });
    eventually("attempts fail meanwhile", async || (store.connections().attempts > before + 3).then_some(())).await;
    assert!(!call.is_finished());
    server.restart();
    assert!(!call.await.unwrap().unwrap().value);
}

#[tokio::test]
async fn a_call_is_not_repeated_beyond_its_deadline_nor_more_often_than_asked() {
    let mut server = RedisServer::start();
    server.kill();
    let slow = RetryProfile { per_request: 3, ..RetryProfile::doubling(PATIENCE, PATIENCE) };
    let builder = RedisStore::<TriviaSession>::builder(&server.url()).retry(slow);
    let store = builder.command_timeout(Duration::from_millis(200)).build().unwrap();
    // A pause of half a minute does not fit, so the error comes at once.
    let ended = tokio::time::timeout(PATIENCE / 3, store.get(&id("a"), HOUR)).await;
    assert!(matches!(ended, Ok(Err(StoreError::Unavailable { .. }))), "{ended:?}");
}
