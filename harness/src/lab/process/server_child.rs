//! A server as a child process: it starts on a free port, is watched until it serves, restarts at the same address, and
//! reports the end of its log if it does not come up. A managed Redis and the application are both one.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::child::OwnedChild;
use super::child_process::ChildProcess;
use super::handle::{ProcessState, ServerProcess};
use super::port::free_port;
use crate::lab::error::{LabError, ServerError};

/// How many ports a start tries before it gives up.
const PORT_TRIES: u32 = 10;

/// Pause between two checks of a starting server.
const POLL: Duration = Duration::from_millis(3);

/// How long an orderly shutdown may take: Redis writes its data first.
const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// Log lines shown in an error.
const LOG_LINES: usize = 20;

/// Where a server's output goes. Both may be the same file.
#[derive(Debug, Clone)]
pub struct Output {
    /// Its stdout.
    pub out: PathBuf,
    /// Its stderr.
    pub log: PathBuf,
}

/// How far a server has started up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// It does not answer yet.
    NotYet,
    /// It is reading its data and refuses commands.
    Loading,
    /// It serves.
    Ready,
}

/// A program that runs as a [`ServerChild`].
#[async_trait::async_trait]
pub trait Program: Send + Sync {
    /// The command that starts it. [`ServerChild`] sets stdin, stdout and stderr.
    fn command(&self) -> Command;

    /// How far process `pid` has started up.
    async fn readiness(&self, pid: u32) -> Readiness;
}

/// Anything with a [`ServerChild`] and the program it runs is a [`ServerProcess`].
pub trait Supervised: Send + Sync {
    /// The process.
    fn child(&self) -> &ServerChild;

    /// The program it runs.
    fn program(&self) -> &dyn Program;
}

#[async_trait::async_trait]
impl<S: Supervised> ServerProcess for S {
    fn pid(&self) -> Option<u32> {
        self.child().pid()
    }

    fn state(&self) -> ProcessState {
        self.child().state()
    }

    async fn kill(&self) -> Result<(), LabError> {
        self.child().kill().await
    }

    async fn ensure_running(&self) -> Result<(), LabError> {
        self.child().ensure_running(self.program()).await
    }

    async fn pause(&self) -> Result<(), LabError> {
        self.child().pause().await
    }

    async fn resume(&self) -> Result<(), LabError> {
        self.child().resume().await
    }

    fn freeze(&self, frozen: bool) -> Result<bool, LabError> {
        self.child().freeze(frozen)
    }
}

/// Why a start attempt did not produce a ready server.
#[derive(Debug)]
enum StartFailure {
    /// Another process listens on its port.
    PortTaken,
    /// Anything else.
    Other(LabError),
}

impl From<LabError> for StartFailure {
    fn from(error: LabError) -> Self {
        StartFailure::Other(error)
    }
}

/// A server that the drill owns, or an empty slot for one. Dropping it kills the process.
#[derive(Debug)]
pub struct ServerChild {
    /// Its name in errors.
    name: &'static str,
    output: Output,
    start_deadline: Duration,
    /// Serialises the changes of the process's life. Dropping does not wait for it.
    lifecycle: tokio::sync::Mutex<()>,
    child: ChildProcess,
    /// The length of stderr when the current process started.
    before: Mutex<usize>,
    /// Whether it may fork processes that must not outlive the harness.
    forks: bool,
}

impl ServerChild {
    /// Creates an empty slot; errors call the server `name`, and each start may take `start_deadline`.
    pub fn new(name: &'static str, output: Output, start_deadline: Duration) -> Self {
        let (lifecycle, child, before) = (tokio::sync::Mutex::default(), ChildProcess::new(name), Mutex::default());
        Self { name, output, start_deadline, lifecycle, child, before, forks: false }
    }

    /// The same for a program that forks: what it leaves behind ends with it, even if the harness is killed.
    pub fn forking(self) -> Self {
        Self { forks: true, ..self }
    }

    /// The process's id while it exists.
    pub fn pid(&self) -> Option<u32> {
        self.child.pid()
    }

    /// Its state now.
    pub fn state(&self) -> ProcessState {
        self.child.state()
    }

    /// The time limit for a start.
    pub fn start_deadline(&self) -> Duration {
        self.start_deadline
    }

    /// As [`ServerProcess::freeze`].
    ///
    /// # Errors
    /// [`LabError::System`] with the error of kill(2).
    pub fn freeze(&self, frozen: bool) -> Result<bool, LabError> {
        self.child.signal(if frozen { Signal::SIGSTOP } else { Signal::SIGCONT })
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        last_lines(&printed(&self.output.log, 0))
    }

    /// Starts `program` and waits until it serves. A process that misses the deadline is killed.
    ///
    /// # Errors
    /// [`StartFailure::PortTaken`], or the same as [`ServerChild::ensure_running`].
    async fn start(&self, program: &dyn Program) -> Result<(), StartFailure> {
        let _turn = self.lifecycle.lock().await;
        self.launch(program, Instant::now() + self.start_deadline).await
    }

    /// Starts `program` unless a process exists, and waits until it serves. A stopped process is left alone. Clients
    /// know the port, so if it is taken, this waits for it to become free.
    ///
    /// # Errors
    /// [`ServerError::Exited`] or [`ServerError::NotReady`] with the end of the log.
    pub async fn ensure_running(&self, program: &dyn Program) -> Result<(), LabError> {
        let _turn = self.lifecycle.lock().await;
        let until = Instant::now() + self.start_deadline;
        loop {
            let started = match (self.pid(), self.state()) {
                (Some(_), ProcessState::Stopped) => return Ok(()),
                // An earlier start may have been abandoned half-way.
                (Some(pid), _) => self.wait(program, pid, until, serves).await,
                (None, _) => self.launch(program, until).await,
            };
            match started {
                Ok(()) => return Ok(()),
                Err(StartFailure::PortTaken) if Instant::now() < until => tokio::time::sleep(POLL).await,
                Err(failure) => return Err(self.explain(failure)),
            }
        }
    }

    /// Shuts the process down and starts `program` in its place with additional `arguments`. Returns as soon as the
    /// server is loading.
    ///
    /// # Errors
    /// Same as [`ServerChild::stop`] and [`ServerChild::ensure_running`], or [`ServerError::NothingToLoad`].
    pub async fn restart_loading(&self, program: &dyn Program, arguments: &[String]) -> Result<(), LabError> {
        let _turn = self.lifecycle.lock().await;
        self.child.end(Signal::SIGTERM, "end", STOP_DEADLINE).await?;
        let pid = self.spawn(program, arguments)?;
        let loads = |readiness| match readiness {
            Readiness::Loading => Some(Ok(())),
            Readiness::Ready => Some(Err(LabError::Server(ServerError::NothingToLoad).into())),
            Readiness::NotYet => None,
        };
        let loading = self.wait(program, pid, Instant::now() + self.start_deadline, loads).await;
        loading.map_err(|failure| self.explain(failure))
    }

    /// Asks the process to end (SIGTERM), kills it if it still runs after `grace`, and starts `program` in its place.
    /// Returns once that serves, and says whether the process ended by itself.
    ///
    /// # Errors
    /// Same as [`ServerChild::ensure_running`], or [`ServerError::Unresponsive`] if not even SIGKILL ends it.
    pub async fn restart(&self, program: &dyn Program, grace: Duration) -> Result<bool, LabError> {
        let asked = {
            let _turn = self.lifecycle.lock().await;
            match self.child.end(Signal::SIGTERM, "end", grace).await {
                Err(LabError::Server(ServerError::Unresponsive { .. })) => {
                    self.child.kill().await?;
                    false
                }
                ended => {
                    ended?;
                    true
                }
            }
        };
        self.ensure_running(program).await?;
        Ok(asked)
    }

    /// Shuts the process down (SIGTERM). Succeeds if there is no process.
    ///
    /// # Errors
    /// [`ServerError::Unresponsive`] if it still runs after 30 s.
    pub async fn stop(&self) -> Result<(), LabError> {
        let _turn = self.lifecycle.lock().await;
        self.child.end(Signal::SIGTERM, "end", STOP_DEADLINE).await
    }

    /// Kills the process (SIGKILL) and returns once it is gone.
    ///
    /// # Errors
    /// [`ServerError::NotRunning`], [`ServerError::Unresponsive`].
    pub async fn kill(&self) -> Result<(), LabError> {
        let _turn = self.lifecycle.lock().await;
        self.child.kill().await
    }

    /// Stops the process (SIGSTOP) and returns once it is stopped.
    ///
    /// # Errors
    /// Same as [`ServerChild::kill`].
    pub async fn pause(&self) -> Result<(), LabError> {
        let _turn = self.lifecycle.lock().await;
        self.child.pause().await
    }

    /// Resumes the process (SIGCONT); does nothing if it is running or dead.
    ///
    /// # Errors
    /// [`ServerError::Unresponsive`].
    pub async fn resume(&self) -> Result<(), LabError> {
        let _turn = self.lifecycle.lock().await;
        self.child.resume().await
    }

    /// Runs `work` while the process neither starts nor ends.
    pub async fn between_lives<T>(&self, work: impl FnOnce() -> T) -> T {
        let _turn = self.lifecycle.lock().await;
        work()
    }

    /// Turns a failed start into an error for users.
    fn explain(&self, failure: StartFailure) -> LabError {
        match failure {
            StartFailure::Other(error) => error,
            StartFailure::PortTaken => self.ended("its port was taken".to_owned()),
        }
    }

    async fn launch(&self, program: &dyn Program, until: Instant) -> Result<(), StartFailure> {
        let pid = self.spawn(program, &[])?;
        self.wait(program, pid, until, serves).await
    }

    fn spawn(&self, program: &dyn Program, arguments: &[String]) -> Result<u32, LabError> {
        let open = |path: &Path| {
            let opened = File::options().create(true).append(true).open(path);
            opened.map_err(|error| LabError::system(format!("opening {}", path.display()), error))
        };
        let mut command = program.command();
        command.args(arguments).stdin(Stdio::null());
        command.stdout(open(&self.output.out)?).stderr(open(&self.output.log)?);
        *self.before.lock() = length(&self.output.log);
        let binary = Path::new(command.get_program()).display().to_string();
        let spawned = if self.forks { OwnedChild::spawn_guarded(command) } else { OwnedChild::spawn(command) };
        let child = spawned.map_err(|error| LabError::system(format!("starting {binary}"), error))?;
        let pid = child.pid();
        self.child.adopt(child);
        Ok(pid)
    }

    /// Waits until process `pid` is as far as `reached` requires. A process that misses `until` is killed.
    async fn wait(
        &self,
        program: &dyn Program,
        pid: u32,
        until: Instant,
        reached: impl Fn(Readiness) -> Option<Result<(), StartFailure>>,
    ) -> Result<(), StartFailure> {
        loop {
            if let Some(status) = self.child.reap()? {
                return Err(self.why_ended(status));
            }
            if let Some(end) = reached(program.readiness(pid).await) {
                return end;
            }
            if Instant::now() >= until {
                self.child.forget();
                let (server, deadline, log_tail) = (self.name, self.start_deadline, self.log_tail());
                return Err(LabError::Server(ServerError::NotReady { server, deadline, log_tail }).into());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn why_ended(&self, status: ExitStatus) -> StartFailure {
        // In C's words, Python's, or Node's.
        let log = printed(&self.output.log, *self.before.lock()).to_ascii_lowercase();
        match log.contains("address already in use") || log.contains("eaddrinuse") {
            true => StartFailure::PortTaken,
            false => self.ended(status.to_string()).into(),
        }
    }

    fn ended(&self, status: String) -> LabError {
        LabError::Server(ServerError::Exited { server: self.name, status, log_tail: self.log_tail() })
    }
}

fn serves(readiness: Readiness) -> Option<Result<(), StartFailure>> {
    (readiness == Readiness::Ready).then_some(Ok(()))
}

/// Starts the server that `prepare` creates for a free port of 127.0.0.1, retrying with another port if a process takes
/// that one first. `parts` returns the server's child and program.
///
/// # Errors
/// Any error of `prepare`; [`ServerError::Exited`] or [`ServerError::NotReady`]; [`LabError::System`] if no port is
/// free.
pub async fn on_free_port<T>(
    mut prepare: impl FnMut(u16) -> Result<T, LabError>,
    parts: impl Fn(&T) -> (&ServerChild, &dyn Program),
) -> Result<T, LabError> {
    let mut tries = 1;
    loop {
        let server = prepare(a_port()?)?;
        let (child, program) = parts(&server);
        match child.start(program).await {
            Ok(()) => return Ok(server),
            Err(StartFailure::PortTaken) if tries < PORT_TRIES => tries += 1,
            Err(failure) => return Err(child.explain(failure)),
        }
    }
}

/// A free port of 127.0.0.1.
///
/// # Errors
/// [`LabError::System`] if there is none.
pub fn a_port() -> Result<u16, LabError> {
    free_port().map_err(|error: io::Error| LabError::system("looking for a free port on 127.0.0.1", error))
}

/// The last lines of a log, for an error.
pub fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}

fn length(file: &Path) -> usize {
    std::fs::metadata(file).map_or(0, |meta| meta.len() as usize)
}

/// The content of `file` after its first `from` bytes.
fn printed(file: &Path, from: usize) -> String {
    let bytes = std::fs::read(file).unwrap_or_default();
    String::from_utf8_lossy(bytes.get(from..).unwrap_or_default()).into_owned()
}
