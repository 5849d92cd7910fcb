//! A private Redis in a container: any image that has `redis-server` on its PATH. Kills, pauses and restarts go through
//! the engine; the data is in the container and survives all of them. The harness picks the published loopback port
//! itself, because the engine would pick another one after each restart.

mod engine;

use std::net::Ipv4Addr;
use std::time::Duration;

use parking_lot::Mutex;
use testcontainers::bollard::Docker;
use testcontainers::bollard::models::ContainerState;
use testcontainers::bollard::query_parameters::{KillContainerOptionsBuilder, StartContainerOptions};
use testcontainers::core::IntoContainerPort as _;
use testcontainers::core::error::{ClientError, TestcontainersError};
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{ContainerAsync, GenericImage, ImageExt as _};
use tokio::time::Instant;

use super::container::DockerConfig;
use super::standalone::Standalone;
use crate::lab::admin::Admin;
use crate::lab::error::{LabError, Missing, ServerError};
use crate::lab::process::{Owner, ProcessState, ServerProcess, a_port, last_lines};
use crate::lab::server::Server;
use crate::lab::url::RedisUrl;
pub use engine::{APP_LABEL, Containers, reach_engine, remove_orphans};
use engine::{OWNER_LABEL, call};

/// Starts a Redis in a container.
///
/// # Errors
/// Same as [`DockerRedis::start`].
pub async fn start(config: &DockerConfig) -> Result<Standalone, LabError> {
    Ok(Standalone::of(DockerRedis::start(config).await?))
}

/// The port Redis listens on in the container.
const PORT: u16 = 6379;

/// How many host ports a start tries before it gives up.
const PORT_TRIES: u32 = 10;

/// Long enough to pull an image over a slow connection.
const CREATE_DEADLINE: Duration = Duration::from_secs(180);

/// Pause between two checks of a starting server.
const POLL: Duration = Duration::from_millis(5);

/// A Redis in a container owned by the drill. Dropping it removes the container; the next start and `firedrill heal`
/// remove what a killed harness leaves.
pub struct DockerRedis {
    engine: Docker,
    image: String,
    id: String,
    url: RedisUrl,
    admin: Admin,
    start_deadline: Duration,
    /// The engine's latest report.
    seen: Mutex<ContainerView>,
    /// Locked during each change of its life, so changes happen one at a time. `None` once the container is removed.
    container: tokio::sync::Mutex<Option<ContainerAsync<GenericImage>>>,
}

#[derive(Debug, Clone, Copy)]
struct ContainerView {
    pid: Option<u32>,
    state: ProcessState,
}

impl ContainerView {
    fn of(state: &ContainerState) -> Self {
        let pid = state.pid.and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid != 0);
        let state = match (state.running, state.paused) {
            (Some(true), Some(true)) => ProcessState::Stopped,
            (Some(true), _) => ProcessState::Running,
            _ => ProcessState::Dead,
        };
        Self { pid, state }
    }
}

impl DockerRedis {
    /// Removes the containers of killed drills, starts a server in a new container, and returns once it serves.
    ///
    /// # Errors
    /// [`Missing::NoDocker`] within a second; [`Missing::NoImage`]; [`ServerError::Exited`] and
    /// [`ServerError::NotReady`] with the end of the server's log.
    pub async fn start(config: &DockerConfig) -> Result<Self, LabError> {
        let engine = engine::engine().await?;
        match remove_orphans(false).await {
            Ok(removed) if removed.is_empty() => {}
            Ok(removed) => tracing::debug!(?removed, "removed the containers of killed drills"),
            Err(error) => tracing::debug!(%error, "left the containers of killed drills"),
        }
        let (container, port) = create(config).await?;
        let url = RedisUrl::plain(&Ipv4Addr::LOCALHOST.to_string(), port)?;
        let redis = Self {
            engine,
            image: config.image.clone(),
            id: container.id().to_owned(),
            admin: Admin::new(&url, Admin::DEADLINE)?,
            url,
            start_deadline: config.start_deadline,
            seen: Mutex::new(ContainerView { pid: None, state: ProcessState::Dead }),
            container: tokio::sync::Mutex::new(Some(container)),
        };
        redis.ensure_running().await?;
        Ok(redis)
    }

    /// Asks the engine for the container's current state.
    async fn look(&self) -> Result<ContainerView, LabError> {
        let said = call("looking at a container", self.engine.inspect_container(&self.id, None)).await?;
        let seen =
            said.state.as_ref().map_or(ContainerView { pid: None, state: ProcessState::Dead }, ContainerView::of);
        *self.seen.lock() = seen;
        Ok(seen)
    }

    /// Waits until it serves. If the container ends first, the error contains its log.
    async fn ready(&self, container: &ContainerAsync<GenericImage>, until: Instant) -> Result<(), LabError> {
        loop {
            if let Ok(info) = self.admin.info().await
                && !info.loading
            {
                return self.look().await.map(drop);
            }
            if self.look().await?.state == ProcessState::Dead {
                return Err(LabError::Server(ServerError::Exited {
                    server: "redis-server",
                    status: self.image.clone(),
                    log_tail: log_tail(container).await,
                }));
            }
            if Instant::now() >= until {
                let log_tail = log_tail(container).await;
                return Err(LabError::Server(ServerError::NotReady {
                    server: "redis-server",
                    deadline: self.start_deadline,
                    log_tail,
                }));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until the engine reports `state`.
    async fn until(&self, state: ProcessState, verb: &'static str) -> Result<(), LabError> {
        let end = Instant::now() + engine::CALL_DEADLINE;
        while self.look().await?.state != state {
            if Instant::now() >= end {
                let pid = self.pid().unwrap_or_default();
                return Err(LabError::Server(ServerError::Unresponsive {
                    server: "redis-server",
                    pid,
                    verb,
                    deadline: engine::CALL_DEADLINE,
                }));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }
}

/// The last lines of its log. A missing log must not hide the original error.
async fn log_tail(container: &ContainerAsync<GenericImage>) -> String {
    let log = tokio::time::timeout(engine::CALL_DEADLINE, container.stdout_to_vec()).await;
    let log = log.ok().and_then(Result::ok).unwrap_or_default();
    last_lines(&String::from_utf8_lossy(&log))
}

/// Removes `container` and its data.
async fn take_away(container: ContainerAsync<GenericImage>) -> Result<(), LabError> {
    let failed = |reason: String| LabError::Server(ServerError::Engine { doing: "removing a container", reason });
    match tokio::time::timeout(engine::CALL_DEADLINE, container.rm()).await {
        Ok(removed) => removed.map_err(|error| failed(error.to_string())),
        Err(_) => Err(failed(format!("no answer within {:?}", engine::CALL_DEADLINE))),
    }
}

/// Creates and starts the container. If another process takes the host port first, it tries another.
async fn create(config: &DockerConfig) -> Result<(ContainerAsync<GenericImage>, u16), LabError> {
    let (name, tag) = name_and_tag(&config.image);
    let mut tries = 1;
    loop {
        let port = a_port()?;
        let request = GenericImage::new(name, tag)
            .with_cmd(command(config))
            .with_mapped_port(port, PORT.tcp())
            .with_label(OWNER_LABEL, Owner::this_process().to_string())
            .with_host_config_modifier(|host| {
                // Publish the port on loopback only: nobody but the drill uses it.
                for binding in host.port_bindings.iter_mut().flat_map(|ports| ports.values_mut()).flatten().flatten() {
                    binding.host_ip = Some(Ipv4Addr::LOCALHOST.to_string());
                }
            });
        let error = match tokio::time::timeout(CREATE_DEADLINE, request.start()).await {
            Ok(Ok(container)) => return Ok((container, port)),
            Ok(Err(error)) => error,
            Err(_) => {
                let reason = format!("it did not start within {CREATE_DEADLINE:?}");
                return Err(LabError::Missing(Missing::NoImage { image: config.image.clone(), reason }));
            }
        };
        match error {
            TestcontainersError::Client(ClientError::PullImage { err, .. }) => {
                return Err(LabError::Missing(Missing::NoImage {
                    image: config.image.clone(),
                    reason: err.to_string(),
                }));
            }
            error if is_port_taken(&error.to_string()) && tries < PORT_TRIES => tries += 1,
            error => {
                return Err(LabError::Server(ServerError::Engine {
                    doing: "starting a container",
                    reason: error.to_string(),
                }));
            }
        }
    }
}

fn is_port_taken(error: &str) -> bool {
    error.contains("port is already allocated") || error.contains("address already in use")
}

/// `redis:7.4-alpine` → `redis`, `7.4-alpine`. A registry may have a port, so only the part after the last `/` counts.
fn name_and_tag(image: &str) -> (&str, &str) {
    let from = image.rfind('/').map_or(0, |slash| slash + 1);
    match image[from..].rfind(':') {
        Some(colon) => (&image[..from + colon], &image[from + colon + 1..]),
        None => (image, "latest"),
    }
}

/// The server's command line. Everything else keeps the image's defaults.
fn command(config: &DockerConfig) -> Vec<String> {
    let mut words: Vec<String> =
        ["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no"].map(str::to_owned).into();
    for line in config.persistence.settings().lines() {
        let (name, value) = line.split_once(' ').unwrap_or((line, ""));
        words.push(format!("--{name}"));
        words.push(value.trim_matches('"').to_owned());
    }
    if let Some(megabytes) = config.maxmemory_mb {
        words.extend(["--maxmemory".to_owned(), format!("{megabytes}mb")]);
        words.extend(["--maxmemory-policy".to_owned(), "noeviction".to_owned()]);
    }
    words
}

#[async_trait::async_trait]
impl Server for DockerRedis {
    fn url(&self) -> &RedisUrl {
        &self.url
    }

    fn admin(&self) -> &Admin {
        &self.admin
    }

    fn process(&self) -> Option<&dyn ServerProcess> {
        Some(self)
    }

    fn image(&self) -> Option<&str> {
        Some(&self.image)
    }

    /// Removes the container and its data. `firedrill heal` and the next start retry if this fails.
    async fn remove(&self) -> Result<(), LabError> {
        match self.container.lock().await.take() {
            Some(container) => take_away(container).await,
            None => Ok(()),
        }
    }
}

#[async_trait::async_trait]
impl ServerProcess for DockerRedis {
    fn pid(&self) -> Option<u32> {
        self.seen.lock().pid
    }

    fn state(&self) -> ProcessState {
        self.seen.lock().state
    }

    async fn kill(&self) -> Result<(), LabError> {
        let _turn = self.container.lock().await;
        if self.look().await?.state == ProcessState::Dead {
            return Err(LabError::Server(ServerError::NotRunning { server: "redis-server", verb: "killed" }));
        }
        let options = KillContainerOptionsBuilder::new().signal("SIGKILL").build();
        call("killing a container", self.engine.kill_container(&self.id, Some(options))).await?;
        self.until(ProcessState::Dead, "die").await
    }

    async fn ensure_running(&self) -> Result<(), LabError> {
        let container = self.container.lock().await;
        let container = container
            .as_ref()
            .ok_or(LabError::Server(ServerError::NotRunning { server: "redis-server", verb: "restarted" }))?;
        let until = Instant::now() + self.start_deadline;
        loop {
            match self.look().await?.state {
                ProcessState::Stopped => return Ok(()),
                ProcessState::Running => return self.ready(container, until).await,
                ProcessState::Dead => {
                    let start = self.engine.start_container(&self.id, None::<StartContainerOptions>);
                    match call("restarting a container", start).await {
                        // Clients know the port, so wait for it instead of moving.
                        Err(LabError::Server(ServerError::Engine { reason, .. }))
                            if is_port_taken(&reason) && Instant::now() < until =>
                        {
                            tokio::time::sleep(POLL).await;
                        }
                        started => started?,
                    }
                }
            }
        }
    }

    async fn pause(&self) -> Result<(), LabError> {
        let _turn = self.container.lock().await;
        match self.look().await?.state {
            ProcessState::Dead => {
                Err(LabError::Server(ServerError::NotRunning { server: "redis-server", verb: "stopped" }))
            }
            ProcessState::Stopped => Ok(()),
            ProcessState::Running => {
                call("pausing a container", self.engine.pause_container(&self.id)).await?;
                self.until(ProcessState::Stopped, "stand still").await
            }
        }
    }

    async fn resume(&self) -> Result<(), LabError> {
        let _turn = self.container.lock().await;
        if self.look().await?.state != ProcessState::Stopped {
            return Ok(());
        }
        call("resuming a container", self.engine.unpause_container(&self.id)).await?;
        self.until(ProcessState::Running, "run on").await
    }
}

impl Drop for DockerRedis {
    fn drop(&mut self) {
        let Some(container) = self.container.get_mut().take() else { return };
        // Removal needs a runtime, and the current thread may have none, or none that it may block on.
        let removing = std::thread::Builder::new().name("firedrill-docker".into()).spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
            let _ = runtime.block_on(take_away(container));
        });
        if let Ok(thread) = removing {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::persistence::Persistence;

    #[test]
    fn an_image_is_a_name_and_a_tag_and_a_registry_may_have_a_port() {
        assert_eq!(name_and_tag("redis:7.4-alpine"), ("redis", "7.4-alpine"));
        assert_eq!(name_and_tag("registry.example:5000/team/redis"), ("registry.example:5000/team/redis", "latest"));
        assert_eq!(name_and_tag("registry.example:5000/redis:8"), ("registry.example:5000/redis", "8"));
    }

    #[test]
    fn the_servers_command_line_holds_what_the_scenario_says() {
        let config = DockerConfig { maxmemory_mb: Some(64), ..DockerConfig::default() };
        let line = command(&config).join(" ");
        assert!(line.contains("--save  --appendonly yes --appendfsync everysec --maxmemory 64mb"), "{line}");
        let config = DockerConfig { persistence: Persistence::Rdb, ..DockerConfig::default() };
        assert!(command(&config).contains(&"3600 1 300 100 60 10000".to_owned()));
    }
}
