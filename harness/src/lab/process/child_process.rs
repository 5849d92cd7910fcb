//! One child process that may be killed, paused and resumed.

use std::process::ExitStatus;
use std::time::Duration;

use nix::sys::signal::Signal;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::child::OwnedChild;
use super::handle::ProcessState;
use super::procfs;
use crate::lab::error::{LabError, ServerError};

/// How long a signal may take to show its effect, SIGTERM excepted.
const SIGNAL_DEADLINE: Duration = Duration::from_secs(10);

/// A child process, or the place where one was. Dropping it kills the process.
#[derive(Debug)]
pub struct ChildProcess {
    /// Its name for people.
    name: &'static str,
    child: Mutex<Option<OwnedChild>>,
}

impl ChildProcess {
    /// No process yet of what is known as `name`.
    pub fn new(name: &'static str) -> Self {
        Self { name, child: Mutex::default() }
    }

    /// Takes care of `child` from now on, in place of one that was there before, which is killed.
    pub fn adopt(&self, child: OwnedChild) {
        *self.child.lock() = Some(child);
    }

    /// Kills the process and forgets it.
    pub fn forget(&self) {
        self.child.lock().take();
    }

    /// The process's id while it exists.
    pub fn pid(&self) -> Option<u32> {
        // Looking reaps a process that has ended on its own.
        let _ = self.reap();
        self.child.lock().as_ref().map(OwnedChild::pid)
    }

    /// Its exit status if it has ended; from then on there is no process.
    ///
    /// # Errors
    /// [`LabError::System`] with the error of waitpid(2).
    pub fn reap(&self) -> Result<Option<ExitStatus>, LabError> {
        let mut slot = self.child.lock();
        let Some(child) = slot.as_mut() else { return Ok(None) };
        let status = child.exited().map_err(|error| LabError::system(format!("waiting for {}", self.name), error))?;
        if status.is_some() {
            slot.take();
        }
        Ok(status)
    }

    /// Its state now.
    pub fn state(&self) -> ProcessState {
        match self.pid() {
            None => ProcessState::Dead,
            Some(pid) if procfs::stat(pid).is_some_and(|stat| stat.is_stopped()) => ProcessState::Stopped,
            Some(_) => ProcessState::Running,
        }
    }

    /// Sends `signal`; `false` if there is no process.
    ///
    /// # Errors
    /// [`LabError::System`] with the error of kill(2).
    pub fn signal(&self, signal: Signal) -> Result<bool, LabError> {
        let mut slot = self.child.lock();
        let Some(child) = slot.as_mut() else { return Ok(false) };
        child.signal(signal).map_err(|error| LabError::system(format!("sending {signal} to {}", self.name), error))
    }

    /// Sends `signal` and waits until the process is gone, at most `deadline`; `verb` is what it should do.
    ///
    /// # Errors
    /// [`ServerError::Unresponsive`].
    pub async fn end(&self, signal: Signal, verb: &'static str, deadline: Duration) -> Result<(), LabError> {
        let Some(pid) = self.pid() else { return Ok(()) };
        self.signal(signal)?;
        // A stopped process handles SIGTERM only once it continues.
        self.signal(Signal::SIGCONT)?;
        self.until(deadline, pid, verb, || self.pid().is_none()).await
    }

    /// Kills it (SIGKILL) and returns when it is gone.
    ///
    /// # Errors
    /// [`ServerError::NotRunning`], [`ServerError::Unresponsive`].
    pub async fn kill(&self) -> Result<(), LabError> {
        if self.pid().is_none() {
            return Err(LabError::Server(ServerError::NotRunning { server: self.name, verb: "killed" }));
        }
        self.end(Signal::SIGKILL, "die", SIGNAL_DEADLINE).await
    }

    /// Stops it (SIGSTOP) and returns when it is stopped.
    ///
    /// # Errors
    /// As [`ChildProcess::kill`].
    pub async fn pause(&self) -> Result<(), LabError> {
        let pid = self.pid().ok_or(LabError::Server(ServerError::NotRunning { server: self.name, verb: "stopped" }))?;
        self.signal(Signal::SIGSTOP)?;
        if procfs::stat(pid).is_none() {
            return Ok(()); // no /proc: the signal itself is all there is to go by
        }
        self.until(SIGNAL_DEADLINE, pid, "stand still", || self.state() != ProcessState::Running).await
    }

    /// Lets it run on (SIGCONT); nothing where it runs or is dead.
    ///
    /// # Errors
    /// [`ServerError::Unresponsive`].
    pub async fn resume(&self) -> Result<(), LabError> {
        let Some(pid) = self.pid() else { return Ok(()) };
        self.signal(Signal::SIGCONT)?;
        self.until(SIGNAL_DEADLINE, pid, "run on", || self.state() != ProcessState::Stopped).await
    }

    async fn until(
        &self,
        deadline: Duration,
        pid: u32,
        verb: &'static str,
        reached: impl Fn() -> bool,
    ) -> Result<(), LabError> {
        let end = Instant::now() + deadline;
        while !reached() {
            if Instant::now() >= end {
                return Err(LabError::Server(ServerError::Unresponsive { server: self.name, pid, verb, deadline }));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }
}
