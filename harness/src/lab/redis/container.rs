//! The description of a Redis in a container, whether or not this build can start one.

use std::time::Duration;

use crate::lab::persistence::Persistence;

/// The image if none is named.
pub const DEFAULT_IMAGE: &str = "redis:7.4-alpine";

/// How to run a Redis in a container.
#[derive(Debug, Clone)]
pub struct DockerConfig {
    /// `name:tag`; pulled if the engine does not have it.
    pub image: String,
    /// Its persistence.
    pub persistence: Persistence,
    /// Memory limit in MiB, enforced by refusing writes (`noeviction`); none by default.
    pub maxmemory_mb: Option<u32>,
    /// The time limit for a start, including loading the data.
    pub start_deadline: Duration,
}

impl Default for DockerConfig {
    fn default() -> Self {
        Self {
            image: DEFAULT_IMAGE.to_owned(),
            persistence: Persistence::default(),
            maxmemory_mb: None,
            start_deadline: Duration::from_secs(30),
        }
    }
}
