//! State shared by the routes.

use std::sync::Arc;
use std::time::Duration;

use firedrill_storage::config::ServerConfig;
use firedrill_storage::game::Games;
use firedrill_storage::{OpenStore, TriviaSession};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::cookies::SessionCookie;
use crate::events::Events;

/// What every request can use.
pub struct App {
    pub games: Games,
    pub opened: OpenStore<TriviaSession>,
    /// How long a session lives after its last use.
    pub ttl: Duration,
    pub cookie: SessionCookie,
    pub settings: ServerConfig,
    pub metrics: PrometheusHandle,
    /// The events of the store, if they are published.
    pub events: Option<Arc<Events>>,
}
