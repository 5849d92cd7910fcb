//! The process's metrics: the recorder behind `/metrics`, and the values that are polled.

use std::sync::Arc;
use std::time::Duration;

use firedrill_storage::{AppendStore, TriviaSession};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper bounds of the duration buckets, in seconds: around the targets for memory (1 ms) and Redis (3 ms), the alert
/// threshold (50 ms) and the deadline (5 s).
const BUCKETS: [f64; 12] = [0.0001, 0.0005, 0.001, 0.003, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 5.0];
/// How often the recorder cleans up and the sessions are counted, which is a SCAN over all of them.
const EVERY: Duration = Duration::from_secs(15);

/// Installs the recorder. Call it before opening the store, which registers its metrics with the recorder.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let durations = Matcher::Suffix("_seconds".to_owned());
    PrometheusBuilder::new().set_buckets_for_metric(durations, &BUCKETS)?.install_recorder()
}

/// Counts the active sessions periodically, and cleans up the recorder.
pub fn watch(handle: PrometheusHandle, store: Arc<dyn AppendStore<TriviaSession>>) {
    tokio::spawn(async move {
        let sessions = metrics::gauge!("firedrill_store_active_sessions");
        let mut again = tokio::time::interval(EVERY);
        again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            again.tick().await;
            handle.run_upkeep();
            if let Ok(counted) = store.count().await {
                sessions.set(counted.value as f64);
            }
        }
    });
}
