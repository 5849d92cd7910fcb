//! What process faults need from the process that runs a server, be it a child or a container.

use crate::lab::error::LabError;

/// The state of a server process, as reported by the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessState {
    /// It runs.
    Running,
    /// It exists but gets no CPU time (SIGSTOP).
    Stopped,
    /// It does not exist.
    Dead,
}

/// A server process that the drill owns and may therefore hurt.
#[async_trait::async_trait]
pub trait ServerProcess: Send + Sync {
    /// Its process id while it exists.
    fn pid(&self) -> Option<u32>;

    /// Its state now.
    fn state(&self) -> ProcessState;

    /// Kills the process without warning (SIGKILL) and returns once it is gone.
    ///
    /// # Errors
    /// [`ServerError::NotRunning`](crate::lab::ServerError::NotRunning) if there is nothing to kill.
    async fn kill(&self) -> Result<(), LabError>;

    /// Starts the process on its data and at its old address unless it exists, and returns once it serves.
    ///
    /// # Errors
    /// [`ServerError::Exited`](crate::lab::ServerError::Exited) or
    /// [`ServerError::NotReady`](crate::lab::ServerError::NotReady) with the end of its log.
    async fn ensure_running(&self) -> Result<(), LabError>;

    /// Stops the process (SIGSTOP) and returns once it is stopped.
    ///
    /// # Errors
    /// [`ServerError::NotRunning`](crate::lab::ServerError::NotRunning) if there is nothing to stop.
    async fn pause(&self) -> Result<(), LabError>;

    /// Resumes the process (SIGCONT); does nothing if it is running or dead.
    ///
    /// # Errors
    /// [`LabError::System`] if the signal cannot be sent.
    async fn resume(&self) -> Result<(), LabError>;

    /// Sends the signal that stops the process, or lets it go on, and does not wait until it has; `false` if none can be sent.
    ///
    /// # Errors
    /// [`LabError::System`] if the signal cannot be sent.
    fn freeze(&self, _frozen: bool) -> Result<bool, LabError> {
        Ok(false)
    }
}
