//! What process faults need from the process that runs a server, a child or a container.

use crate::lab::error::LabError;

/// The state of a server process, as the system reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessState {
    /// It runs.
    Running,
    /// It exists and gets no processor (SIGSTOP).
    Stopped,
    /// There is no such process.
    Dead,
}

/// A server process that the drill owns and may therefore hurt.
#[async_trait::async_trait]
pub trait ServerProcess: Send + Sync {
    /// Its process id while it exists.
    fn pid(&self) -> Option<u32>;

    /// Its state now.
    fn state(&self) -> ProcessState;

    /// Kills it without warning (SIGKILL) and returns when it is gone.
    ///
    /// # Errors
    /// [`ServerError::NotRunning`](crate::lab::ServerError::NotRunning) if there is nothing to kill.
    async fn kill(&self) -> Result<(), LabError>;

    /// Starts it on its data and at its old address if it is not there, and returns when it serves.
    ///
    /// # Errors
    /// [`ServerError::Exited`](crate::lab::ServerError::Exited) or [`ServerError::NotReady`](crate::lab::ServerError::NotReady) with the end of its log.
    async fn ensure_running(&self) -> Result<(), LabError>;

    /// Stops it (SIGSTOP) and returns when it is stopped.
    ///
    /// # Errors
    /// [`ServerError::NotRunning`](crate::lab::ServerError::NotRunning) if there is nothing to stop.
    async fn pause(&self) -> Result<(), LabError>;

    /// Lets it run on (SIGCONT); does nothing where it runs or is dead.
    ///
    /// # Errors
    /// [`LabError::System`] if the signal cannot be sent.
    async fn resume(&self) -> Result<(), LabError>;
}
