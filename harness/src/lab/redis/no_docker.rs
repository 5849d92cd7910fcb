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

/// The label that names the owner of a container of an application.
pub const APP_LABEL: &str = "firedrill.app-owner";

/// Containers by name: there are none.
pub enum Containers {}

impl Containers {
    /// Fails: this build has no container support.
    ///
    /// # Errors
    /// Always [`Missing::NoDocker`].
    pub async fn reach() -> Result<Self, LabError> {
        Err(absent())
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub async fn running(&self, _name: &str) -> Result<Option<u32>, LabError> {
        match *self {}
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub async fn remove(&self, _name: &str) -> Result<(), LabError> {
        match *self {}
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub async fn pause(&self, _name: &str) -> Result<(), LabError> {
        match *self {}
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub async fn unpause(&self, _name: &str) -> Result<(), LabError> {
        match *self {}
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub async fn terminate(&self, _name: &str) -> Result<(), LabError> {
        match *self {}
    }
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
