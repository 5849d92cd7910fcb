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
}

impl Policy {
    /// Every policy.
    pub const ALL: [Policy; 3] = [Policy::FailFast, Policy::Degrade, Policy::Drain];

    /// The name used in scenarios and configuration.
    pub fn name(self) -> &'static str {
        match self {
            Policy::FailFast => "fail-fast",
            Policy::Degrade => "degrade",
            Policy::Drain => "drain",
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name is not one of a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no failure policy `{0}`: use fail-fast, degrade or drain")]
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
        assert_eq!(error.to_string(), "no failure policy `drian`: use fail-fast, degrade or drain");
    }
}
