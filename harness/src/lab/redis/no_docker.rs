//! The stand-in for containers in a build without the feature `docker`.

use super::container::DockerConfig;
use super::standalone::Standalone;
use crate::lab::error::{LabError, Missing};

fn absent() -> LabError {
    LabError::Missing(Missing::NoDocker { reason: "firedrill was built without its feature `docker`".to_owned() })
}

/// Fails: this build has no container support.
///
/// # Errors
/// Always [`Missing::NoDocker`].
pub async fn start(_: &DockerConfig) -> Result<Standalone, LabError> {
    Err(absent())
}

/// Fails: this build has no container support.
///
/// # Errors
/// Always [`Missing::NoDocker`].
pub async fn reach_engine() -> Result<(), LabError> {
    Err(absent())
}

/// Fails: this build has no container support.
///
/// # Errors
/// Always [`Missing::NoDocker`].
pub async fn remove_orphans(_dry: bool) -> Result<Vec<String>, LabError> {
    Err(absent())
}
