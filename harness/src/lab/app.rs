//! The application under drill: `session-server` as a child process on a loopback port that stays the same across kills
//! and restarts. It is configured only by its environment, and it never outlives the harness.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use super::error::{LabError, Missing, ServerError};
use super::process::{Output, Printed, Program, Readiness, ServerChild, ServerProcess, Supervised, on_free_port};
use super::redis::in_path;

/// Names the binary if no option does.
pub const SESSION_SERVER_VARIABLE: &str = "FIREDRILL_SESSION_SERVER";

/// The binary's name, also used in errors.
const NAME: &str = "session-server";

/// The start of its first line on stdout once it listens.
const GREETING: &str = "listening on http://";

/// The variables it inherits from the harness: the log level and the system's trusted authorities.
const INHERITED: [&str; 3] = ["RUST_LOG", "SSL_CERT_FILE", "SSL_CERT_DIR"];

/// Its log (stderr), relative to the log folder.
pub const APP_LOG: &str = "session-server.log";

/// Its stdout, relative to the log folder.
const APP_OUT: &str = "session-server.out";

/// How to run the application.
#[derive(Clone)]
pub struct AppConfig {
    /// The binary; [`AppProcess::find`] looks for it if none is named.
    pub binary: Option<PathBuf>,
    /// Its whole environment except `PORT` and `BIND_ADDRESS`. May hold secrets, so this type has no Debug.
    pub environment: Vec<(&'static str, String)>,
    /// The folder for its output.
    pub logs: PathBuf,
    /// The time limit for a start.
    pub start_deadline: Duration,
}

/// A `session-server` that the drill owns. Dropping it kills it.
pub struct AppProcess {
    child: ServerChild,
    program: Application,
    printed: Vec<PathBuf>,
    requests: Arc<AtomicU64>,
}

/// What a start needs.
struct Application {
    binary: PathBuf,
    environment: Vec<(&'static str, String)>,
    port: u16,
}

impl Application {
    fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }
}

impl AppProcess {
    /// Finds the binary: `explicit` if given, else `FIREDRILL_SESSION_SERVER`, else next to this executable, else in
    /// `PATH`.
    ///
    /// # Errors
    /// [`Missing::NoSessionServer`].
    pub fn find(explicit: Option<&Path>) -> Result<PathBuf, LabError> {
        let variable = std::env::var_os(SESSION_SERVER_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
        let here = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned));
        let search = std::env::var_os("PATH");
        locate(explicit.or(variable.as_deref()), here.as_deref(), |name| in_path(name, search.as_deref()))
    }

    /// Starts the application and returns once it listens. If another process takes the port first, it tries another
    /// port.
    ///
    /// # Errors
    /// [`Missing::NoSessionServer`] before anything is started; [`ServerError::Exited`] and [`ServerError::NotReady`]
    /// with the end of the log.
    pub async fn start(config: AppConfig) -> Result<Self, LabError> {
        let binary = Self::find(config.binary.as_deref())?;
        let prepare = |port| {
            let program = Application { binary: binary.clone(), environment: config.environment.clone(), port };
            let output = Output { out: config.logs.join(APP_OUT), log: config.logs.join(APP_LOG) };
            let printed = vec![output.log.clone(), output.out.clone()];
            let child = ServerChild::new(NAME, output, config.start_deadline);
            Ok(Self { child, program, printed, requests: Arc::default() })
        };
        on_free_port(prepare, |app| (&app.child, &app.program)).await
    }

    /// The address it listens on; the address stays the same while the process is dead.
    pub fn address(&self) -> SocketAddr {
        self.program.address()
    }

    /// The load's request counter: a fault in an unused process has no impact.
    pub fn requests(&self) -> &Arc<AtomicU64> {
        &self.requests
    }

    /// Kills the process if it is alive and starts it again, which discards everything it held only in memory.
    ///
    /// # Errors
    /// Same as [`ServerProcess::ensure_running`].
    pub async fn renew(&self) -> Result<(), LabError> {
        match self.kill().await {
            Ok(()) | Err(LabError::Server(ServerError::NotRunning { .. })) => self.ensure_running().await,
            Err(error) => Err(error),
        }
    }

    /// The files that it prints to: its log, and its standard output.
    pub fn printed(&self) -> Vec<PathBuf> {
        self.printed.clone()
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        self.child.log_tail()
    }
}

#[async_trait::async_trait]
impl Program for Application {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        // Redis variables in the harness's environment configure the harness, not the application.
        command
            .env_clear()
            .envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("BIND_ADDRESS", Ipv4Addr::LOCALHOST.to_string())
            .env("PORT", self.port.to_string());
        command
    }

    /// Ready once its first line names the address it listens on.
    async fn readiness(&self, _: u32, printed: &Printed<'_>) -> Readiness {
        let said = printed.text();
        let Some((line, _)) = said.split_once('\n') else { return Readiness::NotYet };
        let expected = format!("{GREETING}{}", self.address());
        match line.trim_end() == expected {
            true => Readiness::Ready,
            false => Readiness::Wrong(format!("its first line is not `{expected}` but `{line}`")),
        }
    }
}

impl Supervised for AppProcess {
    fn child(&self) -> &ServerChild {
        &self.child
    }

    fn program(&self) -> &dyn Program {
        &self.program
    }
}

fn locate(
    named: Option<&Path>,
    here: Option<&Path>,
    in_path: impl Fn(&Path) -> Option<PathBuf>,
) -> Result<PathBuf, LabError> {
    let name = Path::new(NAME);
    let looked = match (named, here) {
        (Some(named), _) if named.is_file() => return Ok(named.to_owned()),
        (Some(named), _) => {
            return Err(LabError::Missing(Missing::NoSessionServer { looked: named.display().to_string() }));
        }
        (None, Some(here)) if here.join(name).is_file() => return Ok(here.join(name)),
        (None, Some(here)) => format!("{SESSION_SERVER_VARIABLE}, {} and PATH", here.display()),
        (None, None) => format!("{SESSION_SERVER_VARIABLE} and PATH"),
    };
    in_path(name).ok_or(LabError::Missing(Missing::NoSessionServer { looked }))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::lab::ProcessState;

    /// A shell script that stands in for the binary.
    fn config(folder: &Path, script: &str) -> AppConfig {
        let binary = folder.join("app");
        std::fs::write(&binary, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o755)).unwrap();
        AppConfig {
            binary: Some(binary),
            environment: vec![("GREETING", "listening on http://127.0.0.1".to_owned())],
            logs: folder.to_owned(),
            start_deadline: Duration::from_secs(20),
        }
    }

    #[test]
    fn the_binary_is_the_named_one_or_the_one_beside_the_command_or_in_path() {
        let folder = tempfile::tempdir().unwrap();
        let beside = folder.path().join(NAME);
        let other = folder.path().join("other");
        for file in [&beside, &other] {
            std::fs::write(file, "").unwrap();
        }
        let nowhere = |_: &Path| None;
        assert_eq!(locate(Some(&other), Some(folder.path()), nowhere).unwrap(), other);
        assert_eq!(locate(None, Some(folder.path()), nowhere).unwrap(), beside);
        assert_eq!(locate(None, Some(Path::new("/nonexistent")), |_| Some(other.clone())).unwrap(), other);
        let error = locate(None, Some(Path::new("/nonexistent")), nowhere).unwrap_err().to_string();
        assert!(error.contains("cargo build") && error.contains("/nonexistent"), "{error}");
        assert!(locate(Some(Path::new("/nonexistent/app")), Some(folder.path()), nowhere).is_err());
    }

    #[tokio::test]
    async fn it_is_killed_and_started_again_at_the_same_port_with_the_same_environment() {
        let folder = tempfile::tempdir().unwrap();
        let app = AppProcess::start(config(folder.path(), "echo $GREETING:$PORT\nsleep 60")).await.unwrap();
        let (address, first) = (app.address(), app.pid().unwrap());
        app.kill().await.unwrap();
        assert_eq!(app.state(), ProcessState::Dead);
        app.ensure_running().await.unwrap();
        assert_eq!(app.address(), address);
        assert_ne!(app.pid().unwrap(), first);
        app.pause().await.unwrap();
        assert_eq!(app.state(), ProcessState::Stopped);
        app.resume().await.unwrap();
        assert_eq!(app.state(), ProcessState::Running);
        let third = app.pid();
        app.renew().await.unwrap();
        assert_ne!(app.pid(), third);
    }

    #[tokio::test]
    async fn an_application_that_exits_is_reported_with_its_log_and_one_with_another_first_line_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let start = |script: &str| AppProcess::start(config(folder.path(), script));
        let error = start("echo SESSION_SECRET is missing >&2; exit 2").await.err().unwrap().to_string();
        assert!(error.contains("session-server ended") && error.contains("SESSION_SECRET is missing"), "{error}");
        let error = start("echo hello; sleep 60").await.err().unwrap().to_string();
        assert!(error.contains("`hello`"), "{error}");
    }
}
