//! The Docker engine, located as testcontainers does (`DOCKER_HOST`, else its Unix socket), and its containers that no
//! running drill owns.

use std::collections::HashMap;
use std::time::Duration;

use testcontainers::bollard::Docker;
use testcontainers::bollard::query_parameters::{ListContainersOptionsBuilder, RemoveContainerOptionsBuilder};
use testcontainers::core::client::docker_client_instance;

use crate::lab::error::{LabError, Missing, ServerError};
use crate::lab::process::Owner;

/// The label that names a container's owner.
pub(super) const OWNER_LABEL: &str = "firedrill.owner";

/// An engine that takes longer to answer counts as absent.
const ENGINE_DEADLINE: Duration = Duration::from_millis(900);

/// The time limit for one call to the engine.
pub(super) const CALL_DEADLINE: Duration = Duration::from_secs(30);

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
        Err(LabError::Server(ServerError::Engine { reason, .. })) if reason.contains("No such container") => Ok(()),
        removed => removed,
    }
}

/// Removes the containers of killed drills, or only lists them if `dry`. Returns their names.
///
/// # Errors
/// [`Missing::NoDocker`] and [`ServerError::Engine`].
pub async fn remove_orphans(dry: bool) -> Result<Vec<String>, LabError> {
    let engine = engine().await?;
    let filters = HashMap::from([("label", vec![OWNER_LABEL])]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    let mut removed = Vec::new();
    for container in call("listing containers", engine.list_containers(Some(options))).await? {
        let owner = container.labels.as_ref().and_then(|labels| labels.get(OWNER_LABEL)?.parse::<Owner>().ok());
        if let (Some(id), true) = (container.id, owner.is_some_and(|owner| owner.is_gone())) {
            if !dry {
                remove(&engine, &id).await?;
            }
            let image = container.image.unwrap_or_default();
            removed.push(format!("{} ({image})", id.get(..12).unwrap_or(&id)));
        }
    }
    Ok(removed)
}
