//! The application under drill: `session-server` as a child process on a loopback port that stays the same when it is
//! killed and started again. It is configured by its environment alone, and gone when the harness is.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::time::Instant;

use super::binary::in_path;
use super::child::OwnedChild;
use super::error::LabError;
use super::port::free_port;
use super::process::{ProcessState, ServerProcess};
use super::tended::Tended;

/// Names the binary where no option does.
pub const SESSION_SERVER_VARIABLE: &str = "FIREDRILL_SESSION_SERVER";

/// The binary's name, and what errors call it.
const NAME: &str = "session-server";

/// What it says on its first line of stdout when it listens.
const GREETING: &str = "listening on http://";

/// What it has of the harness's own environment: how much it logs, and which authorities the system trusts.
const INHERITED: [&str; 3] = ["RUST_LOG", "SSL_CERT_FILE", "SSL_CERT_DIR"];

/// Its log (stderr) within the folder of logs.
pub const APP_LOG: &str = "session-server.log";

/// Its stdout within the folder of logs.
const APP_OUT: &str = "session-server.out";

/// Ports tried before a start is given up.
const PORT_TRIES: u32 = 10;

/// Between two looks at a server that starts.
const POLL: Duration = Duration::from_millis(3);

/// Lines of the log that an error shows.
const LOG_LINES: usize = 20;

/// How the application is to be run.
#[derive(Clone)]
pub struct AppConfig {
    /// The binary; where none is named, looked for as [`AppProcess::find`] says.
    pub binary: Option<PathBuf>,
    /// Its whole environment but `PORT` and `BIND_ADDRESS`. May hold secrets, so this type has no Debug.
    pub environment: Vec<(&'static str, String)>,
    /// The folder in which it leaves what it prints.
    pub logs: PathBuf,
    /// The time a start may take.
    pub start_deadline: Duration,
}

/// A `session-server` that the drill owns. Dropping it kills it.
pub struct AppProcess {
    binary: PathBuf,
    config: AppConfig,
    port: u16,
    /// One change of the process's life at a time. Dropping does not wait for it.
    lifecycle: tokio::sync::Mutex<()>,
    child: Tended,
    requests: Arc<AtomicU64>,
}

/// Why one attempt to start did not give a server.
enum StartFailure {
    PortTaken,
    Other(LabError),
}

impl From<LabError> for StartFailure {
    fn from(error: LabError) -> Self {
        StartFailure::Other(error)
    }
}

impl AppProcess {
    /// Where the binary is: `explicit` if given, else `FIREDRILL_SESSION_SERVER`, else beside this executable, else in
    /// `PATH`.
    ///
    /// # Errors
    /// [`LabError::NoSessionServer`].
    pub fn find(explicit: Option<&Path>) -> Result<PathBuf, LabError> {
        let variable = std::env::var_os(SESSION_SERVER_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
        let here = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned));
        let search = std::env::var_os("PATH");
        locate(explicit.or(variable.as_deref()), here.as_deref(), |name| in_path(name, search.as_deref()))
    }

    /// Starts it and returns when it listens. A port that somebody else takes in the meantime is replaced.
    ///
    /// # Errors
    /// [`LabError::NoSessionServer`] before anything is started; [`LabError::Exited`] and [`LabError::NotReady`] with
    /// the end of its log.
    pub async fn start(config: AppConfig) -> Result<Self, LabError> {
        let binary = Self::find(config.binary.as_deref())?;
        let mut tries = 1;
        loop {
            let port = free_port().map_err(|error| LabError::system("looking for a free port on 127.0.0.1", error))?;
            let app = Self {
                binary: binary.clone(),
                config: config.clone(),
                port,
                lifecycle: tokio::sync::Mutex::default(),
                child: Tended::new(NAME),
                requests: Arc::default(),
            };
            match app.launch(Instant::now() + config.start_deadline).await {
                Ok(()) => return Ok(app),
                Err(StartFailure::PortTaken) if tries < PORT_TRIES => tries += 1,
                Err(failure) => return Err(app.start_error(failure)),
            }
        }
    }

    /// The address it listens on, also while it is dead.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Where the load counts the requests that it sends: a fault of a process that nobody uses has bitten nobody.
    pub fn requests(&self) -> &Arc<AtomicU64> {
        &self.requests
    }

    /// Kills it where it lives and starts it anew: whatever only its memory held is gone.
    ///
    /// # Errors
    /// As [`ServerProcess::ensure_running`].
    pub async fn renew(&self) -> Result<(), LabError> {
        match self.kill().await {
            Ok(()) | Err(LabError::NotRunning { .. }) => self.ensure_running().await,
            Err(error) => Err(error),
        }
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        let text = self.printed(APP_LOG, 0);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }

    /// What it has printed to `file` after the first `from` bytes.
    fn printed(&self, file: &str, from: usize) -> String {
        let bytes = std::fs::read(self.config.logs.join(file)).unwrap_or_default();
        String::from_utf8_lossy(bytes.get(from..).unwrap_or_default()).into_owned()
    }

    /// Starts the process and waits until it listens, at most until `until`.
    async fn launch(&self, until: Instant) -> Result<(), StartFailure> {
        let before = [APP_OUT, APP_LOG].map(|file| self.printed(file, 0).len());
        self.child.adopt(self.spawn()?);
        self.ready(before, until).await
    }

    /// Waits until it has said where it listens. A process that has not by then is killed.
    async fn ready(&self, before: [usize; 2], until: Instant) -> Result<(), StartFailure> {
        loop {
            let said = self.printed(APP_OUT, before[0]);
            match said.split_once('\n') {
                Some((line, _)) if self.is_greeting(line) => return Ok(()),
                Some((line, _)) => {
                    self.child.forget();
                    let status = format!("its first line is not `{GREETING}{}` but `{line}`", self.address());
                    return Err(LabError::Exited { server: NAME, status, log_tail: self.log_tail() }.into());
                }
                None => {}
            }
            if let Some(status) = self.child.reap()? {
                return Err(self.why_ended(status, before[1]));
            }
            if Instant::now() >= until {
                self.child.forget();
                let (deadline, log_tail) = (self.config.start_deadline, self.log_tail());
                return Err(LabError::NotReady { server: NAME, deadline, log_tail }.into());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn is_greeting(&self, line: &str) -> bool {
        line.trim_end().strip_prefix(GREETING).is_some_and(|address| address == self.address().to_string())
    }

    fn spawn(&self) -> Result<OwnedChild, LabError> {
        let open = |file: &str| {
            let path = self.config.logs.join(file);
            let opened = File::options().create(true).append(true).open(&path);
            opened.map_err(|error| LabError::system(format!("opening {}", path.display()), error))
        };
        let mut command = Command::new(&self.binary);
        // What the harness's own environment says of Redis is meant for the harness.
        command
            .env_clear()
            .envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .envs(self.config.environment.iter().map(|(name, value)| (name, value)))
            .env("BIND_ADDRESS", Ipv4Addr::LOCALHOST.to_string())
            .env("PORT", self.port.to_string())
            .stdin(Stdio::null())
            .stdout(open(APP_OUT)?)
            .stderr(open(APP_LOG)?);
        OwnedChild::spawn(command)
            .map_err(|error| LabError::system(format!("starting {}", self.binary.display()), error))
    }

    fn why_ended(&self, status: ExitStatus, log_before: usize) -> StartFailure {
        let said = self.printed(APP_LOG, log_before);
        if said.contains("Address already in use") {
            return StartFailure::PortTaken;
        }
        LabError::Exited { server: NAME, status: status.to_string(), log_tail: self.log_tail() }.into()
    }

    fn start_error(&self, failure: StartFailure) -> LabError {
        match failure {
            StartFailure::Other(error) => error,
            StartFailure::PortTaken => {
                let status = "its port was taken".to_owned();
                LabError::Exited { server: NAME, status, log_tail: self.log_tail() }
            }
        }
    }
}

#[async_trait::async_trait]
impl ServerProcess for AppProcess {
    fn pid(&self) -> Option<u32> {
        self.child.pid()
    }

    fn state(&self) -> ProcessState {
        self.child.state()
    }

    async fn kill(&self) -> Result<(), LabError> {
        let _turn = self.lifecycle.lock().await;
        self.child.kill().await
    }

    async fn ensure_running(&self) -> Result<(), LabError> {
        let _turn = self.lifecycle.lock().await;
        let until = Instant::now() + self.config.start_deadline;
        while self.pid().is_none() {
            match self.launch(until).await {
                Ok(()) => break,
                // The port is the address everybody knows: wait for it rather than move.
                Err(StartFailure::PortTaken) if Instant::now() < until => tokio::time::sleep(POLL).await,
                Err(failure) => return Err(self.start_error(failure)),
            }
        }
        Ok(())
    }

    async fn pause(&self) -> Result<(), LabError> {
        let _turn = self.lifecycle.lock().await;
        self.child.pause().await
    }

    async fn resume(&self) -> Result<(), LabError> {
        let _turn = self.lifecycle.lock().await;
        self.child.resume().await
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
        (Some(named), _) => return Err(LabError::NoSessionServer { looked: named.display().to_string() }),
        (None, Some(here)) if here.join(name).is_file() => return Ok(here.join(name)),
        (None, Some(here)) => format!("{SESSION_SERVER_VARIABLE}, {} and PATH", here.display()),
        (None, None) => format!("{SESSION_SERVER_VARIABLE} and PATH"),
    };
    in_path(name).ok_or(LabError::NoSessionServer { looked })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A stand-in for the binary: a shell script.
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
    fn the_binary_is_taken_as_named_else_from_beside_the_command_else_from_path() {
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
    async fn one_that_ends_at_once_is_told_with_its_log_and_one_that_says_something_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let start = |script: &str| AppProcess::start(config(folder.path(), script));
        let error = start("echo SESSION_SECRET is missing >&2; exit 2").await.err().unwrap().to_string();
        assert!(error.contains("session-server ended") && error.contains("SESSION_SECRET is missing"), "{error}");
        let error = start("echo hello; sleep 60").await.err().unwrap().to_string();
        assert!(error.contains("`hello`"), "{error}");
    }
}
