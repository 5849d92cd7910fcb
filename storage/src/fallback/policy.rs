//! What a store does while Redis is away.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A failure policy, named as in scenarios and configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Policy {
    /// A typed error within the deadline. No acknowledged write is ever lost, nothing stale is ever read.
    FailFast,
    /// Memory answers, and is forgotten when Redis is back: what was written meanwhile is lost, and counted.
    Degrade,
    /// Memory answers, and is written back when Redis is back: nothing acknowledged is lost while the process lives.
    #[default]
    Drain,
    /// Nothing is found and writes are dropped; nothing fails. What the dropped writes made stale is taken out of Redis.
    SilentCache,
    /// Both are written; Redis is read first, then memory. With Redis away memory answers; afterwards both are current.
    DualWrite,
    /// Memory is the store, and Redis is not used at all.
    Memory,
}

impl Policy {
    /// Every policy.
    pub const ALL: [Policy; 6] =
        [Policy::FailFast, Policy::Degrade, Policy::Drain, Policy::SilentCache, Policy::DualWrite, Policy::Memory];

    /// The name used in scenarios and configuration.
    pub fn name(self) -> &'static str {
        match self {
            Policy::FailFast => "fail-fast",
            Policy::Degrade => "degrade",
            Policy::Drain => "drain",
            Policy::SilentCache => "silent-cache",
            Policy::DualWrite => "dual-write",
            Policy::Memory => "memory",
        }
    }

    /// Whether anything else answers when Redis fails.
    pub(super) fn takes_over(self) -> bool {
        self != Policy::FailFast
    }

    /// Whether memory keeps copies of what Redis answers.
    pub(super) fn keeps_copies(self) -> bool {
        matches!(self, Policy::Drain | Policy::DualWrite | Policy::Memory)
    }

    /// Whether what memory holds at the end of an outage is forgotten.
    pub(super) fn forgets(self) -> bool {
        self == Policy::Degrade
    }

    /// Whether an acknowledged session may make room for another; else the other is refused.
    pub(super) fn lets_go(self) -> bool {
        matches!(self, Policy::Degrade | Policy::SilentCache | Policy::Memory)
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name is not one of a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no failure policy `{0}`: use fail-fast, degrade, drain, silent-cache, dual-write or memory")]
pub struct UnknownPolicy(String);

impl FromStr for Policy {
    type Err = UnknownPolicy;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Policy::ALL.into_iter().find(|policy| policy.name() == name).ok_or_else(|| UnknownPolicy(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_read_as_it_is_written() {
        for policy in Policy::ALL {
            assert_eq!(policy.to_string().parse(), Ok(policy));
            assert_eq!(serde_json::to_string(&policy).unwrap(), format!("\"{policy}\""));
        }
        let error = "drian".parse::<Policy>().unwrap_err();
        let names = Policy::ALL.map(Policy::name);
        let (last, others) = names.split_last().unwrap();
        let expected = format!("no failure policy `drian`: use {} or {last}", others.join(", "));
        assert_eq!(error.to_string(), expected);
    }
}
