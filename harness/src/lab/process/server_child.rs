//! A server as a child process: started on a free port, watched until it serves, restarted at the same address, and
//! reported with the end of its log when it does not come up. A managed Redis and the application are both one.

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

/// Ports tried before a start is given up.
const PORT_TRIES: u32 = 10;

/// Between two looks at a server that starts.
const POLL: Duration = Duration::from_millis(3);

/// How long an orderly shutdown may take: Redis writes its data first.
const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// Lines of a log that an error shows.
const LOG_LINES: usize = 20;

/// Where a server leaves what it prints. Both may be the same file.
#[derive(Debug, Clone)]
pub struct Output {
    /// Its stdout.
    pub out: PathBuf,
    /// Its stderr.
    pub log: PathBuf,
}

/// How far a server has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It does not answer yet.
    NotYet,
    /// It reads its data and refuses commands.
    Loading,
    /// It serves.
    Ready,
    /// It did not do what was expected; the text says what it did.
    Wrong(String),
}

/// A program that runs as a [`ServerChild`].
#[async_trait::async_trait]
pub trait Program: Send + Sync {
    /// The command that starts it. Its stdin, stdout and stderr are set by [`ServerChild`].
    fn command(&self) -> Command;

    /// How far process `pid` has come, which has printed `printed` to stdout since it started.
    async fn readiness(&self, pid: u32, printed: &Printed<'_>) -> Readiness;
}

/// Whatever is a [`ServerChild`] and the program that it runs is a [`ServerProcess`].
pub trait Supervised: Send + Sync {
    /// The process.
    fn child(&self) -> &ServerChild;

    /// What it runs.
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
}

/// Why one attempt to start did not give a ready server.
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

/// The stdout of the running process. Read only on request.
pub struct Printed<'a> {
    file: &'a Path,
    from: usize,
}

impl Printed<'_> {
    /// The text so far.
    pub fn text(&self) -> String {
        printed(self.file, self.from)
    }
}

/// A server that the drill owns, or the place where one was. Dropping it kills the process.
#[derive(Debug)]
pub struct ServerChild {
    /// Its name in errors.
    name: &'static str,
    output: Output,
    start_deadline: Duration,
    /// One change of the process's life at a time. Dropping does not wait for it.
    lifecycle: tokio::sync::Mutex<()>,
    child: ChildProcess,
    /// How long the output was when the present process was started: stdout, stderr.
    before: Mutex<(usize, usize)>,
}

impl ServerChild {
    /// No process yet of what errors call `name`; each start may take `start_deadline`.
    pub fn new(name: &'static str, output: Output, start_deadline: Duration) -> Self {
        let (lifecycle, child, before) = (tokio::sync::Mutex::default(), ChildProcess::new(name), Mutex::default());
        Self { name, output, start_deadline, lifecycle, child, before }
    }

    /// The process's id while it exists.
    pub fn pid(&self) -> Option<u32> {
        self.child.pid()
    }

    /// Its state now.
    pub fn state(&self) -> ProcessState {
        self.child.state()
    }

    /// The time that a start may take.
    pub fn start_deadline(&self) -> Duration {
        self.start_deadline
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        last_lines(&printed(&self.output.log, 0))
    }

    /// Starts `program` and waits until it serves. A process that does not in time is killed.
    ///
    /// # Errors
    /// [`StartFailure::PortTaken`], and what [`ServerChild::ensure_running`] says.
    async fn start(&self, program: &dyn Program) -> Result<(), StartFailure> {
        let _turn = self.lifecycle.lock().await;
        self.launch(program, Instant::now() + self.start_deadline).await
    }

    /// Starts `program` if there is no process, and waits until it serves. A stopped one is left alone. Clients know
    /// the port, so it waits for the same one if it is taken.
    ///
    /// # Errors
    /// [`ServerError::Exited`] or [`ServerError::NotReady`] with the end of the log.
    pub async fn ensure_running(&self, program: &dyn Program) -> Result<(), LabError> {
        let _turn = self.lifecycle.lock().await;
        let until = Instant::now() + self.start_deadline;
        loop {
            let started = match (self.pid(), self.state()) {
                (Some(_), ProcessState::Stopped) => return Ok(()),
                // An earlier start may have been left waiting half-way.
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

    /// Ends the process in order and starts `program` in its place, with further `arguments`. Returns when it is seen
    /// loading.
    ///
    /// # Errors
    /// As [`ServerChild::stop`] and [`ServerChild::ensure_running`], and [`ServerError::NothingToLoad`].
    pub async fn restart_loading(&self, program: &dyn Program, arguments: &[String]) -> Result<(), LabError> {
        let _turn = self.lifecycle.lock().await;
        self.child.end(Signal::SIGTERM, "end", STOP_DEADLINE).await?;
        let pid = self.spawn(program, arguments)?;
        let loads = |readiness| match readiness {
            Readiness::Loading => Some(Ok(())),
            Readiness::Ready => Some(Err(LabError::Server(ServerError::NothingToLoad).into())),
            Readiness::NotYet | Readiness::Wrong(_) => None,
        };
        let loading = self.wait(program, pid, Instant::now() + self.start_deadline, loads).await;
        loading.map_err(|failure| self.explain(failure))
    }

    /// Ends it in order (SIGTERM). A process that is not there is fine.
    ///
    /// # Errors
    /// [`ServerError::Unresponsive`] if it still runs after 30 s.
    pub async fn stop(&self) -> Result<(), LabError> {
        let _turn = self.lifecycle.lock().await;
        self.child.end(Signal::SIGTERM, "end", STOP_DEADLINE).await
    }

    /// Kills it (SIGKILL) and returns when it is gone.
    ///
    /// # Errors
    /// [`ServerError::NotRunning`], [`ServerError::Unresponsive`].
    pub async fn kill(&self) -> Result<(), LabError> {
        let _turn = self.lifecycle.lock().await;
        self.child.kill().await
    }

    /// Stops it (SIGSTOP) and returns when it is stopped.
    ///
    /// # Errors
    /// As [`ServerChild::kill`].
    pub async fn pause(&self) -> Result<(), LabError> {
        let _turn = self.lifecycle.lock().await;
        self.child.pause().await
    }

    /// Resumes it (SIGCONT); does nothing where it runs or is dead.
    ///
    /// # Errors
    /// [`ServerError::Unresponsive`].
    pub async fn resume(&self) -> Result<(), LabError> {
        let _turn = self.lifecycle.lock().await;
        self.child.resume().await
    }

    /// Does something while the process neither starts nor ends.
    pub async fn between_lives<T>(&self, work: impl FnOnce() -> T) -> T {
        let _turn = self.lifecycle.lock().await;
        work()
    }

    /// A failed start as an error for people.
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
        *self.before.lock() = (length(&self.output.out), length(&self.output.log));
        let binary = Path::new(command.get_program()).display().to_string();
        let child =
            OwnedChild::spawn(command).map_err(|error| LabError::system(format!("starting {binary}"), error))?;
        let pid = child.pid();
        self.child.adopt(child);
        Ok(pid)
    }

    /// Waits until process `pid` has come as far as `reached` says. One that has not by `until` is killed.
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
            let printed = Printed { file: &self.output.out, from: self.before.lock().0 };
            match program.readiness(pid, &printed).await {
                Readiness::Wrong(status) => {
                    self.child.forget();
                    return Err(self.ended(status).into());
                }
                readiness => {
                    if let Some(end) = reached(readiness) {
                        return end;
                    }
                }
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
        match printed(&self.output.log, self.before.lock().1).contains("Address already in use") {
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

/// Starts the server that `prepare` makes for a free port of 127.0.0.1; for another one if another process takes that
/// port first. `parts` are the server's child and program.
///
/// # Errors
/// What `prepare` says; [`ServerError::Exited`] or [`ServerError::NotReady`]; [`LabError::System`] where no port is free.
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

/// The end of a log, for an error.
pub fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}

fn length(file: &Path) -> usize {
    std::fs::metadata(file).map_or(0, |meta| meta.len() as usize)
}

/// What was printed to `file` after its first `from` bytes.
fn printed(file: &Path, from: usize) -> String {
    let bytes = std::fs::read(file).unwrap_or_default();
    String::from_utf8_lossy(bytes.get(from..).unwrap_or_default()).into_owned()
}
