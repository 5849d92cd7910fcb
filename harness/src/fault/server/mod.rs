//! Faults of the server itself: it refuses, stands still or forgets because it has been told to by its own commands. They
//! hit everybody who uses the server, and work on one that the drill did not start: every setting is given back.

mod auth;
mod eviction;
mod idle_timeout;
mod max_clients;
mod no_replicas;
mod oom;
mod pause;
mod readonly;
mod remote;
mod script_flush;
mod settings;
mod slow;
mod witness;

use std::time::Duration;

use redis::{Cmd, FromRedisValue};

use super::context::FaultContext;
use super::{Bite, FaultError};
use crate::lab::LabError;

pub use auth::Auth;
pub(super) use auth::AuthFault;
pub use eviction::Eviction;
pub(super) use eviction::EvictionFault;
pub use idle_timeout::IdleTimeout;
pub(super) use idle_timeout::IdleTimeoutFault;
pub use max_clients::MaxClients;
pub(super) use max_clients::MaxClientsFault;
pub use no_replicas::NoReplicas;
pub(super) use no_replicas::NoReplicasFault;
pub use oom::Oom;
pub(super) use oom::OomFault;
pub(super) use pause::PauseFault;
pub use pause::{Pause, PauseMode};
pub use readonly::Readonly;
pub(super) use readonly::ReadonlyFault;
pub(super) use remote::{Lockout, Remote};
pub use script_flush::ScriptFlush;
pub(super) use script_flush::ScriptFlushFault;
pub(super) use settings::Settings;
pub use slow::Slow;
pub(super) use slow::SlowFault;

pub(super) use pause::Paused;
pub(super) use settings::Setting;
pub(super) use witness::Refusal;
use witness::Witness;

/// One fault's hold on the settings of the server.
struct Hand {
    index: u32,
    context: FaultContext,
    remote: Remote,
}

impl Hand {
    fn new(index: u32, context: FaultContext) -> Result<Self, FaultError> {
        let remote = Remote::new(context.lab.clone(), context.lockout.clone())?;
        Ok(Self { index, context, remote })
    }

    async fn change(&self, setting: Setting<'static>, value: impl ToString + Send) -> Result<(), FaultError> {
        Ok(self.context.settings.change(&self.remote, self.index, setting, value).await?)
    }

    async fn give_back(&self) -> Result<(), FaultError> {
        Ok(self.context.settings.give_back(&self.remote, self.index).await?)
    }
}

/// A hold that makes the server refuse.
pub(super) struct Refusing {
    hand: Hand,
    witness: Witness,
}

impl Refusing {
    pub fn new(index: u32, context: FaultContext, refusal: Refusal) -> Result<Self, FaultError> {
        Ok(Self { hand: Hand::new(index, context.clone())?, witness: Witness::new(context, refusal) })
    }

    /// The refusals from now on are the fault's.
    pub async fn begin(&self) -> Result<(), FaultError> {
        Ok(self.witness.begin(&self.hand.remote).await?)
    }

    /// Sends `command` past the proxy.
    pub async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, LabError> {
        self.hand.remote.query(command).await
    }

    /// One section of INFO.
    pub async fn info(&self, section: &str) -> Result<String, LabError> {
        self.hand.remote.info(section).await
    }

    /// Whether a write is refused.
    pub async fn write_refused(&self, within: Duration) -> Bite {
        self.refused(&self.idle_write(), within).await
    }

    /// Whether `command` is refused.
    async fn refused(&self, command: &Cmd, within: Duration) -> Bite {
        self.witness.proof(&self.hand.remote, command, within).await
    }

    /// A write that changes nothing, whether it is refused or not: it overwrites a key that is not there.
    fn idle_write(&self) -> Cmd {
        idle_write(&self.hand.context)
    }
}

fn idle_write(context: &FaultContext) -> Cmd {
    let mut command = redis::cmd("SET");
    command.arg(format!("{}fault:probe", context.lab.prefix())).arg("").arg("XX");
    command
}

/// The number behind a name in INFO.
pub(super) fn field(info: &str, name: &str) -> Option<u64> {
    info.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}
