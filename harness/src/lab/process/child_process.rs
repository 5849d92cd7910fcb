//! One child process that can be killed, paused and resumed.

use std::process::ExitStatus;
use std::time::Duration;

use nix::sys::signal::Signal;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::child::OwnedChild;
use super::handle::ProcessState;
use super::procfs;
use crate::lab::error::{LabError, ServerError};

/// How long a signal other than SIGTERM may take to show its effect.
const SIGNAL_DEADLINE: Duration = Duration::from_secs(10);

/// How long a stop may take to show its effect before it is tried again.
const STOP_ATTEMPT: Duration = Duration::from_millis(200);

/// A child process, or an empty slot for one. Dropping it kills the process.
#[derive(Debug)]
pub struct ChildProcess {
    /// Its name in messages.
    name: &'static str,
    child: Mutex<Option<OwnedChild>>,
}

impl ChildProcess {
    /// Creates an empty slot for the process called `name`.
    pub fn new(name: &'static str) -> Self {
        Self { name, child: Mutex::default() }
    }

    /// Takes ownership of `child`; a previous child is killed.
    pub fn adopt(&self, child: OwnedChild) {
        *self.child.lock() = Some(child);
    }

    /// Kills the process and forgets it.
    pub fn forget(&self) {
        self.child.lock().take();
    }

    /// The process's id while it exists.
    pub fn pid(&self) -> Option<u32> {
        // The check reaps a process that has ended on its own.
        let _ = self.reap();
        self.child.lock().as_ref().map(OwnedChild::pid)
    }

    /// Its exit status if it has ended; afterwards the slot is empty.
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

    /// Sends `signal` and waits at most `deadline` until the process is gone; `verb` describes the expected effect.
    ///
    /// # Errors
    /// [`ServerError::Unresponsive`].
    pub async fn end(&self, signal: Signal, verb: &'static str, deadline: Duration) -> Result<(), LabError> {
        let Some(pid) = self.pid() else { return Ok(()) };
        self.signal(signal)?;
        // A stopped process handles SIGTERM only after SIGCONT.
        self.signal(Signal::SIGCONT)?;
        self.until(deadline, pid, verb, || self.pid().is_none()).await
    }

    /// Kills the process (SIGKILL) and returns once it is gone.
    ///
    /// # Errors
    /// [`ServerError::NotRunning`], [`ServerError::Unresponsive`].
    pub async fn kill(&self) -> Result<(), LabError> {
        if self.pid().is_none() {
            return Err(LabError::Server(ServerError::NotRunning { server: self.name, verb: "killed" }));
        }
        self.end(Signal::SIGKILL, "die", SIGNAL_DEADLINE).await
    }

    /// Stops the process (SIGSTOP) and returns once it is stopped.
    ///
    /// # Errors
    /// Same as [`ChildProcess::kill`].
    pub async fn pause(&self) -> Result<(), LabError> {
        let pid = self.pid().ok_or(LabError::Server(ServerError::NotRunning { server: self.name, verb: "stopped" }))?;
        let end = Instant::now() + SIGNAL_DEADLINE - STOP_ATTEMPT;
        loop {
            self.signal(Signal::SIGSTOP)?;
            if procfs::stat(pid).is_none() {
                return Ok(()); // without /proc, the signal itself is the only evidence
            }
            let stopped = || self.state() != ProcessState::Running;
            let Err(error) = self.until(STOP_ATTEMPT, pid, "stand still", stopped).await else { return Ok(()) };
            if Instant::now() >= end {
                return Err(error);
            }
            // A process that is starting another one (vfork(2)) stands still only after that one has begun its program,
            // which it cannot while it is stopped itself. So let both go on for a moment.
            self.signal(Signal::SIGCONT)?;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Resumes the process (SIGCONT); does nothing if it is running or dead.
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
