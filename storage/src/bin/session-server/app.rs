//! What the routes share.

use std::sync::Arc;
use std::time::Duration;

use firedrill_storage::config::ServerConfig;
use firedrill_storage::game::Games;
use firedrill_storage::{OpenStore, TriviaSession};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::cookies::SessionCookie;
use crate::events::Events;

/// What every request has at hand.
pub struct App {
    pub games: Games,
    pub opened: OpenStore<TriviaSession>,
    /// How long a session lives after its last use.
    pub ttl: Duration,
    pub cookie: SessionCookie,
    pub settings: ServerConfig,
    pub metrics: PrometheusHandle,
    /// What happens inside the store, where that is to be read.
    pub events: Option<Arc<Events>>,
}
