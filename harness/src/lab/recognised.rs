//! Finds out how a Redis is run that somebody has named by its URL.

use std::time::Duration;

use super::error::{LabError, Mismatch, RedisFailure};
use super::redis::{ExternalRedis, Topology};
use super::url::RedisUrl;

/// How the Redis at `url` is run, by its own word. It must answer within `deadline`.
///
/// # Errors
/// Why it could not be asked.
pub async fn topology_at(url: &RedisUrl, deadline: Duration) -> Result<Topology, LabError> {
    let standalone = Topology::Standalone.name();
    match ExternalRedis::connect(url.clone(), deadline, standalone).await {
        Ok(_) => Ok(Topology::Standalone),
        Err(LabError::Mismatch(Mismatch::OtherMode { is, .. })) if is == Topology::Cluster.name() => {
            Ok(Topology::Cluster)
        }
        Err(LabError::Mismatch(Mismatch::OtherMode { .. })) => Ok(Topology::Sentinel),
        // A sentinel does not know the login of the servers that it watches.
        Err(error @ LabError::Redis(RedisFailure::Refused { .. })) => {
            let sentinel = url.at_sentinel(url.host(), url.port())?;
            let asked = ExternalRedis::connect(sentinel, deadline, Topology::Sentinel.name()).await;
            asked.map(|_| Topology::Sentinel).map_err(|_| error)
        }
        Err(error) => Err(error),
    }
}
