//! The Docker engine, located as testcontainers does (`DOCKER_HOST`, else its Unix socket), and its containers that no
//! running drill owns.

use std::collections::HashMap;
use std::time::Duration;

use testcontainers::bollard::Docker;
use testcontainers::bollard::query_parameters::{
    KillContainerOptionsBuilder, ListContainersOptionsBuilder, RemoveContainerOptionsBuilder,
};
use testcontainers::core::client::docker_client_instance;

use crate::lab::error::{LabError, Missing, ServerError};
use crate::lab::process::Owner;

/// The label that names the owner of a container of Redis.
pub(super) const OWNER_LABEL: &str = "firedrill.owner";

/// The same on a container of an application.
pub const APP_LABEL: &str = "firedrill.app-owner";

/// An engine that takes longer to answer counts as absent.
const ENGINE_DEADLINE: Duration = Duration::from_millis(900);

/// The time limit for one call to the engine.
pub(super) const CALL_DEADLINE: Duration = Duration::from_secs(30);

/// Pause between two looks at a container that is being removed.
const POLL: Duration = Duration::from_millis(20);

/// Connects to the engine and makes sure that it answers.
///
/// # Errors
/// [`Missing::NoDocker`] within a second.
pub(super) async fn engine() -> Result<Docker, LabError> {
    let reach = async {
        let engine = docker_client_instance().await.map_err(|error| error.to_string())?;
        engine.ping().await.map_err(|error| error.to_string())?;
        Ok(engine)
    };
    let reached: Result<Docker, String> = tokio::time::timeout(ENGINE_DEADLINE, reach)
        .await
        .unwrap_or_else(|_| Err(format!("it did not answer within {ENGINE_DEADLINE:?}")));
    reached.map_err(|reason| LabError::Missing(Missing::NoDocker { reason }))
}

/// Checks that an engine answers.
///
/// # Errors
/// [`Missing::NoDocker`] within a second.
pub async fn reach_engine() -> Result<(), LabError> {
    engine().await.map(drop)
}

/// Makes one call to the engine, under its deadline.
pub(super) async fn call<T>(
    doing: &'static str,
    asked: impl Future<Output = Result<T, testcontainers::bollard::errors::Error>>,
) -> Result<T, LabError> {
    let failed = |reason: String| LabError::Server(ServerError::Engine { doing, reason });
    match tokio::time::timeout(CALL_DEADLINE, asked).await {
        Ok(answered) => answered.map_err(|error| failed(error.to_string())),
        Err(_) => Err(failed(format!("no answer within {CALL_DEADLINE:?}"))),
    }
}

/// Removes a container and its data; one that is already gone is fine.
pub(super) async fn remove(engine: &Docker, id: &str) -> Result<(), LabError> {
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    match call("removing a container", engine.remove_container(id, Some(options))).await {
        Err(error) if is_gone(&error) || is_going(&error) => Ok(()),
        removed => removed,
    }
}

/// Containers that another tool makes, by name.
pub struct Containers(Docker);

impl Containers {
    /// Connects to the engine.
    ///
    /// # Errors
    /// [`Missing::NoDocker`] within a second.
    pub async fn reach() -> Result<Self, LabError> {
        engine().await.map(Self)
    }

    /// The id on this machine of the first process of a container that runs; `None` if it does not, or is not there.
    ///
    /// # Errors
    /// [`ServerError::Engine`].
    pub async fn running(&self, name: &str) -> Result<Option<u32>, LabError> {
        match call("looking at a container", self.0.inspect_container(name, None)).await {
            Err(error) if is_gone(&error) => Ok(None),
            said => {
                let state = said?.state.unwrap_or_default();
                let pid = state.pid.and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid != 0);
                Ok(pid.filter(|_| state.running == Some(true)))
            }
        }
    }

    /// Kills and removes a container, and returns once its name is free; one that is not there is fine.
    ///
    /// # Errors
    /// [`ServerError::Engine`].
    pub async fn remove(&self, name: &str) -> Result<(), LabError> {
        let gone = async {
            loop {
                remove(&self.0, name).await?;
                match call("looking at a container", self.0.inspect_container(name, None)).await {
                    Err(error) if is_gone(&error) => return Ok(()),
                    looked => looked.map(drop)?,
                }
                tokio::time::sleep(POLL).await;
            }
        };
        let failed = |reason: String| LabError::Server(ServerError::Engine { doing: "removing a container", reason });
        let removed = tokio::time::timeout(CALL_DEADLINE, gone).await;
        removed.unwrap_or_else(|_| Err(failed(format!("it is still there after {CALL_DEADLINE:?}"))))
    }

    /// Stops a container's processes.
    ///
    /// # Errors
    /// [`ServerError::Engine`].
    pub async fn pause(&self, name: &str) -> Result<(), LabError> {
        call("pausing a container", self.0.pause_container(name)).await
    }

    /// Lets a container's processes go on.
    ///
    /// # Errors
    /// [`ServerError::Engine`].
    pub async fn unpause(&self, name: &str) -> Result<(), LabError> {
        call("resuming a container", self.0.unpause_container(name)).await
    }

    /// Sends SIGTERM to a container; one that has ended is fine.
    ///
    /// # Errors
    /// [`ServerError::Engine`].
    pub async fn terminate(&self, name: &str) -> Result<(), LabError> {
        let options = KillContainerOptionsBuilder::new().signal("SIGTERM").build();
        match call("ending a container", self.0.kill_container(name, Some(options))).await {
            Err(error) if is_gone(&error) || says(&error, "is not running") => Ok(()),
            ended => ended,
        }
    }
}

fn is_gone(error: &LabError) -> bool {
    says(error, "No such container")
}

/// Whether another caller is removing the container at this moment.
fn is_going(error: &LabError) -> bool {
    says(error, "already in progress")
}

fn says(error: &LabError, words: &str) -> bool {
    matches!(error, LabError::Server(ServerError::Engine { reason, .. }) if reason.contains(words))
}

/// Removes the containers of killed drills, or only lists them if `dry`. Returns their names.
///
/// # Errors
/// [`Missing::NoDocker`] and [`ServerError::Engine`].
pub async fn remove_orphans(dry: bool) -> Result<Vec<String>, LabError> {
    let engine = engine().await?;
    let mut removed = Vec::new();
    for label in [OWNER_LABEL, APP_LABEL] {
        let filters = HashMap::from([("label", vec![label])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        for container in call("listing containers", engine.list_containers(Some(options))).await? {
            let owner = container.labels.as_ref().and_then(|labels| labels.get(label)?.parse::<Owner>().ok());
            if let (Some(id), true) = (container.id, owner.is_some_and(|owner| owner.is_gone())) {
                if !dry {
                    remove(&engine, &id).await?;
                }
                let image = container.image.unwrap_or_default();
                removed.push(format!("{} ({image})", id.get(..12).unwrap_or(&id)));
            }
        }
    }
    Ok(removed)
}
