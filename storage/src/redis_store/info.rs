//! A server's own report (INFO): its memory, its uptime, and whether it accepts writes.

use std::collections::HashMap;
use std::time::Duration;

use crate::store::{Health, HealthStatus};

pub(super) struct ServerInfo {
    memory: Option<u64>,
    uptime: Option<Duration>,
    refuses_writes: Option<&'static str>,
}

impl ServerInfo {
    /// Reads `name:value` lines.
    pub(super) fn parse(text: &str) -> Self {
        let fields: HashMap<&str, &str> = text.lines().filter_map(|line| line.trim_end().split_once(':')).collect();
        let number = |name: &str| fields.get(name).and_then(|value| value.parse::<u64>().ok());
        let is = |name: &str, value: &str| fields.get(name) == Some(&value);
        let used = number("used_memory");
        // The server does not count its replication buffers and its log towards the limit.
        let counted = used.unwrap_or(0).saturating_sub(number("mem_not_counted_for_evict").unwrap_or(0));
        let limit = number("maxmemory").filter(|limit| *limit > 0);
        let refuses_writes = if is("role", "slave") {
            Some("the server is a read-only replica")
        } else if is("maxmemory_policy", "noeviction") && limit.is_some_and(|limit| counted > limit) {
            Some("the server is out of memory and refuses writes")
        } else if is("aof_last_write_status", "err") {
            Some("the server cannot write its append-only file and refuses writes")
        } else {
            None
        };
        Self { memory: used, uptime: number("uptime_in_seconds").map(Duration::from_secs), refuses_writes }
    }

    /// Combines several servers: total memory, the shortest uptime, and why any of them refuses writes.
    pub(super) fn with(self, other: Self) -> Self {
        Self {
            memory: self.memory.zip(other.memory).map(|(a, b)| a + b),
            uptime: self.uptime.min(other.uptime),
            refuses_writes: self.refuses_writes.or(other.refuses_writes),
        }
    }

    pub(super) fn health(self) -> Health {
        Health {
            status: if self.refuses_writes.is_some() { HealthStatus::Degraded } else { HealthStatus::Connected },
            latency: None,
            memory: self.memory,
            uptime: self.uptime,
            reason: self.refuses_writes.map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(info: &str) -> Health {
        ServerInfo::parse(&info.replace('\n', "\r\n")).health()
    }

    #[test]
    fn memory_and_uptime_are_read() {
        let health =
            health("# Server\nuptime_in_seconds:61\n# Memory\nused_memory:1048576\nmaxmemory:0\nrole:master\n");
        assert_eq!((health.memory, health.uptime), (Some(1_048_576), Some(Duration::from_secs(61))));
        assert_eq!((health.status, health.reason), (HealthStatus::Connected, None));
    }

    #[test]
    fn a_server_that_refuses_writes_is_not_well() {
        for (info, why) in [
            ("used_memory:200\nmaxmemory:100\nmaxmemory_policy:noeviction\n", "out of memory"),
            ("role:slave\n", "replica"),
            ("aof_last_write_status:err\n", "append-only"),
        ] {
            let health = health(info);
            assert_eq!(health.status, HealthStatus::Degraded, "{info}");
            assert!(health.reason.unwrap().contains(why), "{info}");
        }
    }

    #[test]
    fn a_full_server_that_evicts_or_only_looks_full_takes_writes() {
        for info in [
            "used_memory:200\nmaxmemory:100\nmaxmemory_policy:allkeys-lru\n",
            "used_memory:200\nmem_not_counted_for_evict:150\nmaxmemory:100\nmaxmemory_policy:noeviction\n",
        ] {
            assert_eq!(health(info).status, HealthStatus::Connected, "{info}");
        }
    }
}
