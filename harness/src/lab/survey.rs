//! Examines an external Redis before the drill writes anything to it: its role, its memory, and who else uses it.

use super::admin::{Admin, RedisInfo};
use super::error::LabError;

/// What the survey found out about a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    info: RedisInfo,
}

impl Survey {
    /// Surveys the server behind `admin`.
    ///
    /// # Errors
    /// Same as [`Admin::query`].
    pub async fn of(admin: &Admin) -> Result<Self, LabError> {
        Ok(Self { info: admin.info().await? })
    }

    /// Keys in all databases.
    pub fn keys(&self) -> u64 {
        self.info.keys
    }

    /// Clients and replicas besides the drill's own connection, which asks.
    pub fn others(&self) -> u64 {
        self.info.connected_clients.saturating_sub(1) + self.info.replicas
    }

    /// Whether other clients have keys or connections here.
    pub fn is_shared(&self) -> bool {
        self.keys() > 0 || self.others() > 0
    }

    /// Whether it accepts writes.
    pub fn is_primary(&self) -> bool {
        self.info.role != "slave"
    }

    /// What happens at the memory limit.
    pub fn policy(&self) -> &str {
        &self.info.policy
    }

    /// Whether keys are evicted when memory runs short.
    pub fn evicts(&self) -> bool {
        self.info.maxmemory > 0 && !matches!(self.policy(), "" | "noeviction")
    }

    /// The most memory it can use, bytes: its limit, else the machine's memory; `None` if the server reports neither.
    pub fn memory_limit(&self) -> Option<u64> {
        [self.info.maxmemory, self.info.system_memory].into_iter().find(|bytes| *bytes > 0)
    }

    /// Bytes in use.
    pub fn used_memory(&self) -> u64 {
        self.info.used_memory
    }

    /// Unused bytes below the limit.
    pub fn free_memory(&self) -> Option<u64> {
        Some(self.memory_limit()?.saturating_sub(self.used_memory()))
    }
}

#[cfg(test)]
impl Survey {
    /// The survey of a server that reports `info`.
    pub fn saying(info: RedisInfo) -> Self {
        Self { info }
    }
}
