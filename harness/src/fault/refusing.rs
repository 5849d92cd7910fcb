//! One fault's handle on a server: the settings that it changes and restores, and the refusals that prove it.

use std::time::Duration;

use redis::{Cmd, FromRedisValue};

use super::context::FaultContext;
use super::remote::Remote;
use super::settings::Setting;
use super::witness::{Refusal, Witness};
use super::{FaultError, Impact};
use crate::lab::LabError;

/// One fault's handle on the settings of the server.
pub(super) struct ServerHandle {
    pub index: u32,
    pub context: FaultContext,
    pub remote: Remote,
}

impl ServerHandle {
    pub fn new(index: u32, context: FaultContext) -> Result<Self, FaultError> {
        let remote = Remote::new(context.path.server(), context.lockout.clone())?;
        Ok(Self { index, context, remote })
    }

    pub async fn change(&self, setting: Setting<'static>, value: impl ToString + Send) -> Result<(), FaultError> {
        Ok(self.context.settings.change(&self.remote, self.index, setting, value).await?)
    }

    pub async fn restore(&self) -> Result<(), FaultError> {
        Ok(self.context.settings.restore(&self.remote, self.index).await?)
    }
}

/// A handle that makes the server refuse.
pub(super) struct Refusing {
    pub handle: ServerHandle,
    witness: Witness,
}

impl Refusing {
    pub fn new(index: u32, context: FaultContext, refusal: Refusal) -> Result<Self, FaultError> {
        Ok(Self { handle: ServerHandle::new(index, context.clone())?, witness: Witness::new(context, refusal) })
    }

    /// Counts refusals from now on as the fault's.
    pub async fn begin(&self) -> Result<(), FaultError> {
        Ok(self.witness.begin(&self.handle.remote).await?)
    }

    /// Sends `command`, bypassing the proxy.
    pub async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, LabError> {
        self.handle.remote.query(command).await
    }

    /// One section of INFO.
    pub async fn info(&self, section: &str) -> Result<String, LabError> {
        self.handle.remote.info(section).await
    }

    /// Whether a write is refused.
    pub async fn write_refused(&self, within: Duration) -> Impact {
        self.refused(&self.idle_write(), within).await
    }

    /// Whether `command` is refused.
    pub async fn refused(&self, command: &Cmd, within: Duration) -> Impact {
        self.witness.impact(&self.handle.remote, command, within).await
    }

    /// A write that changes nothing, whether refused or not: it would overwrite a missing key.
    fn idle_write(&self) -> Cmd {
        idle_write(&self.handle.context)
    }
}

/// A write that changes nothing: it would overwrite a missing key.
pub(super) fn idle_write(context: &FaultContext) -> Cmd {
    let mut command = redis::cmd("SET");
    command.arg(format!("{}fault:probe", context.lab.prefix())).arg("").arg("XX");
    command
}
