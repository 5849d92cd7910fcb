//! The process that owns something that may outlive it: a folder, a journal, a container. Pids are reused, so the pid
//! is stored with the start time and the pid namespace.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::procfs;

/// A process on this machine, written as `namespace-pid-start`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The pid namespace; 0 if the system has none.
    pub namespace: u64,
    /// Its process id in that namespace.
    pub pid: u32,
    /// When it started, in clock ticks since boot.
    pub started: u64,
}

impl Owner {
    /// The current process.
    pub fn this_process() -> Self {
        let pid = std::process::id();
        let started = procfs::stat(pid).map_or(0, |stat| stat.started);
        Self { namespace: procfs::pid_namespace(), pid, started }
    }

    /// Whether the process has certainly ended. Always `false` for a process in another namespace, or without `/proc`.
    pub fn is_gone(&self) -> bool {
        let this = Owner::this_process();
        // A zombie (state Z) has ended; only its parent has not reaped it yet.
        let lives = |stat: procfs::ProcessStat| stat.started == self.started && stat.state != 'Z';
        this.started != 0 && self.namespace == this.namespace && !procfs::stat(self.pid).is_some_and(lives)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.namespace, self.pid, self.started)
    }
}

impl FromStr for Owner {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(3, '-');
        let mut next = || parts.next().unwrap_or_default();
        Ok(Self { namespace: next().parse()?, pid: next().parse()?, started: next().parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_number_and_its_start() {
        let this = Owner::this_process();
        assert_eq!(this.to_string().parse(), Ok(this));
        assert!(!this.is_gone());
        assert!(Owner { started: this.started - 1, ..this }.is_gone());
        assert!(!Owner { namespace: this.namespace + 1, started: 1, ..this }.is_gone(), "nothing is known of it");
        assert!("1-2".parse::<Owner>().is_err());
    }
}
