//! Counters and histograms through the `metrics` facade: they go to the process's recorder; without one nothing is
//! counted. Names begin with `firedrill_store_`; docs/session-server.md lists them.
//!
//! Operations are measured at the store's own interface ([`Metered`]), through handles that are registered once. The same
//! place makes a `tracing` span of each, at level `debug` and with the target [`SPANS`]: `operation`, `outcome` as in the
//! counters, and `served_by` (`primary` or `fallback`) of an answer. A span has neither the session's id nor any content.
//! Where no subscriber wants it, there is none.
//! Connections and the fallback keep their own counts, which [`publish`] exports before a scrape.

use std::time::{Duration, Instant};

use std::sync::Arc;

use async_trait::async_trait;
use metrics::{Counter, Histogram, counter, gauge, histogram};
use tracing::field::Empty;
use tracing::{Instrument, debug_span};

use crate::breaker::{BreakerState, BreakerStats};
use crate::data::SessionData;
use crate::error::{Effect, StoreError};
use crate::fallback::FallbackStats;
use crate::redis_store::ConnectionStats;
use crate::store::{Acked, AppendStore, Health, ServedBy, Session, SessionId, SessionStore, Version};

/// The target of the spans.
pub const SPANS: &str = "firedrill_storage::operation";

/// How an operation ended.
#[derive(Clone, Copy)]
enum Outcome {
    Ok,
    Degraded,
    Failed,
    Unknown,
}

const OUTCOMES: [&str; 4] = ["ok", "degraded", "failed", "unknown"];

/// The handles of one kind of operation.
struct Meter {
    operation: &'static str,
    outcomes: [Counter; 4],
    unreadable: Counter,
    seconds: Histogram,
}

impl Meter {
    fn new(operation: &'static str) -> Self {
        Self {
            operation,
            outcomes: OUTCOMES.map(
                |outcome| counter!("firedrill_store_operations_total", "operation" => operation, "outcome" => outcome),
            ),
            unreadable: counter!("firedrill_store_unreadable_total", "operation" => operation),
            seconds: histogram!("firedrill_store_operation_seconds", "operation" => operation),
        }
    }

    async fn measure<T>(
        &self,
        operation: impl Future<Output = Result<Acked<T>, StoreError>>,
    ) -> Result<Acked<T>, StoreError> {
        let name = self.operation;
        let span = debug_span!(target: SPANS, "session_store", operation = name, outcome = Empty, served_by = Empty);
        let began = Instant::now();
        let answer = if span.is_disabled() { operation.await } else { operation.instrument(span.clone()).await };
        self.seconds.record(began.elapsed());
        let outcome = outcome(&answer) as usize;
        self.outcomes[outcome].increment(1);
        span.record("outcome", OUTCOMES[outcome]);
        if let Ok(Acked { served_by, .. }) = &answer {
            let primary = *served_by == ServedBy::Primary;
            span.record("served_by", if primary { "primary" } else { "fallback" });
        }
        if matches!(&answer, Err(error) if is_unreadable(error)) {
            self.unreadable.increment(1);
        }
        answer
    }
}

/// "No such session", "another version" and "another id" are answers, not failures.
fn outcome<T>(answer: &Result<Acked<T>, StoreError>) -> Outcome {
    match answer {
        Ok(Acked { served_by: ServedBy::Primary, .. }) => Outcome::Ok,
        Ok(Acked { served_by: ServedBy::Fallback, .. }) => Outcome::Degraded,
        Err(StoreError::AlreadyExists | StoreError::Renamed | StoreError::NotFound | StoreError::Conflict { .. }) => {
            Outcome::Ok
        }
        Err(error) if error.effect() == Effect::Unknown => Outcome::Unknown,
        Err(_) => Outcome::Failed,
    }
}

fn is_unreadable(error: &StoreError) -> bool {
    matches!(error, StoreError::Corrupt { .. } | StoreError::Undecryptable { .. })
}

/// A store whose operations are counted, timed and traced.
pub struct Metered<D: SessionData> {
    store: Arc<dyn AppendStore<D>>,
    create: Meter,
    get: Meter,
    peek: Meter,
    put: Meter,
    update: Meter,
    append: Meter,
    touch: Meter,
    rename: Meter,
    destroy: Meter,
    destroy_by_user: Meter,
    count: Meter,
    list: Meter,
}

impl<D: SessionData> Metered<D> {
    /// Measures `store` from now on, with the recorder already installed.
    pub fn new(store: Arc<dyn AppendStore<D>>) -> Self {
        Self {
            store,
            create: Meter::new("create"),
            get: Meter::new("get"),
            peek: Meter::new("peek"),
            put: Meter::new("put"),
            update: Meter::new("update"),
            append: Meter::new("append"),
            touch: Meter::new("touch"),
            rename: Meter::new("rename"),
            destroy: Meter::new("destroy"),
            destroy_by_user: Meter::new("destroy_by_user"),
            count: Meter::new("count"),
            list: Meter::new("list_by_user"),
        }
    }
}

#[async_trait]
impl<D: SessionData> SessionStore<D> for Metered<D> {
    async fn create(&self, id: &SessionId, data: D, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.create.measure(self.store.create(id, data, ttl)).await
    }

    async fn get(&self, id: &SessionId, ttl: Duration) -> Result<Acked<Option<Session<D>>>, StoreError> {
        self.get.measure(self.store.get(id, ttl)).await
    }

    async fn peek(&self, id: &SessionId) -> Result<Acked<Option<Session<D>>>, StoreError> {
        self.peek.measure(self.store.peek(id)).await
    }

    async fn put(&self, id: &SessionId, data: D, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.put.measure(self.store.put(id, data, ttl)).await
    }

    async fn update(
        &self,
        id: &SessionId,
        expected: Version,
        data: D,
        ttl: Duration,
    ) -> Result<Acked<Version>, StoreError> {
        self.update.measure(self.store.update(id, expected, data, ttl)).await
    }

    async fn touch(&self, id: &SessionId, ttl: Duration) -> Result<Acked<bool>, StoreError> {
        self.touch.measure(self.store.touch(id, ttl)).await
    }

    async fn rename(&self, from: &SessionId, to: &SessionId, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.rename.measure(self.store.rename(from, to, ttl)).await
    }

    fn successor(&self, from: &SessionId) -> SessionId {
        self.store.successor(from)
    }

    async fn destroy(&self, id: &SessionId) -> Result<Acked<bool>, StoreError> {
        self.destroy.measure(self.store.destroy(id)).await
    }

    async fn destroy_by_user(&self, user: &str, except: Option<&SessionId>) -> Result<Acked<u64>, StoreError> {
        self.destroy_by_user.measure(self.store.destroy_by_user(user, except)).await
    }

    async fn count(&self) -> Result<Acked<u64>, StoreError> {
        self.count.measure(self.store.count()).await
    }

    async fn list_by_user(&self, user: &str, limit: usize) -> Result<Acked<Vec<SessionId>>, StoreError> {
        self.list.measure(self.store.list_by_user(user, limit)).await
    }

    async fn cleanup(&self) -> Result<u64, StoreError> {
        self.store.cleanup().await
    }

    async fn health(&self) -> Health {
        self.store.health().await
    }
}

#[async_trait]
impl<D: SessionData> AppendStore<D> for Metered<D> {
    async fn append(&self, id: &SessionId, item: D::Item, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        self.append.measure(self.store.append(id, item, ttl)).await
    }
}

/// Exports how many sessions and deletions a flush left unsaved.
pub fn publish_unsaved(unsaved: u64) {
    gauge!("firedrill_store_unsaved").set(unsaved as f64);
}

/// Exports the counts of connections, fallback and breaker to the recorder.
pub fn publish(connections: &ConnectionStats, fallback: &FallbackStats, breaker: &BreakerStats) {
    gauge!("firedrill_store_connected").set(f64::from(u8::from(connections.connected)));
    gauge!("firedrill_store_fallback_active").set(f64::from(u8::from(fallback.active)));
    gauge!("firedrill_store_fallback_active_seconds").set(fallback.active_for.as_secs_f64());
    gauge!("firedrill_store_fallback_kept").set(fallback.kept as f64);
    gauge!("firedrill_store_fallback_waiting").set(fallback.waiting as f64);
    gauge!("firedrill_store_breaker_state").set(match breaker.state {
        BreakerState::Closed => 0.0,
        BreakerState::HalfOpen => 1.0,
        BreakerState::Open => 2.0,
    });
    for (name, total) in [
        ("firedrill_store_breaker_opens_total", breaker.opens),
        ("firedrill_store_breaker_refused_total", breaker.refused),
        ("firedrill_store_connect_attempts_total", connections.attempts),
        ("firedrill_store_connections_opened_total", connections.opened),
        ("firedrill_store_connections_lost_total", connections.lost),
        ("firedrill_store_fallback_activations_total", fallback.activations),
        ("firedrill_store_fallback_served_total", fallback.served),
        ("firedrill_store_fallback_evicted_total", fallback.evicted),
        ("firedrill_store_fallback_evicted_sessions_total", fallback.evicted_sessions),
        ("firedrill_store_fallback_dropped_total", fallback.dropped),
        ("firedrill_store_fallback_refused_total", fallback.refused),
        ("firedrill_store_fallback_drained_total", fallback.written),
        ("firedrill_store_fallback_deleted_total", fallback.deleted),
        ("firedrill_store_fallback_merged_total", fallback.merged),
        ("firedrill_store_fallback_lost_items_total", fallback.lost_items),
        ("firedrill_store_fallback_lost_sessions_total", fallback.lost_sessions),
    ] {
        counter!(name).absolute(total);
    }
}
