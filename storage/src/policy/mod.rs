//! What a store does while Redis is away. Each policy has a file here with its rules and description, and a line in the
//! registry below. The registry feeds the tables in the docs, the names in error messages, and the suites that hold
//! every policy to the store's promises.

mod degrade;
mod drain;
mod dual_write;
mod fail_fast;
mod memory;
mod read_only;
mod silent_cache;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The rules of a policy.
pub(crate) struct Rules {
    /// The name used in scenarios and configuration.
    pub(crate) name: &'static str,
    /// The row in docs/storage.md: what happens while Redis is away, when it is back, and what is lost.
    pub(crate) row: [&'static str; 3],
    /// Whether Redis is used at all.
    pub(crate) uses_redis: bool,
    /// Whether anything else answers when Redis fails.
    pub(crate) takes_over: bool,
    /// What answers then.
    pub(crate) answers: Answers,
    /// Whether memory keeps copies of Redis's answers.
    pub(crate) keeps_copies: bool,
    /// Whether memory is cleared at the end of an outage.
    pub(crate) forgets: bool,
    /// Whether an acknowledged session may be evicted for a new one; otherwise the new one is refused.
    pub(crate) lets_go: bool,
    /// Whether memory is a store of its own beside Redis: memory carries over what Redis lacks, and is filled from
    /// Redis.
    pub(crate) writes_both: bool,
}

/// What answers while Redis is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answers {
    /// Nothing is found, and writes are acknowledged and dropped.
    Nothing,
    /// Memory, for sessions that it knows; for others Redis is asked if there is a connection.
    Known,
    /// Memory, as for `Known`, but only reads: writes are refused.
    KnownReads,
    /// Memory. A session it lacks counts as nonexistent once Redis has been asked or cannot be; a destroy of such a
    /// session is passed on to Redis.
    KnownOrNone,
    /// Memory. A session it lacks counts as nonexistent; a destroy of such a session is passed on to Redis.
    All,
    /// Memory. A session it lacks counts as nonexistent, and Redis is told nothing.
    AllForNow,
}

macro_rules! registry {
    ($($(#[$about:meta])* $policy:ident = $file:ident;)+) => {
        /// A failure policy, named as in scenarios and configuration.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum Policy {
            $($(#[$about])* $policy,)+
        }

        impl Policy {
            /// Every policy.
            pub const ALL: [Policy; [$(Policy::$policy),+].len()] = [$(Policy::$policy),+];

            /// Its rules.
            pub(crate) fn rules(self) -> &'static Rules {
                match self {
                    $(Policy::$policy => &$file::RULES,)+
                }
            }
        }
    };
}

registry! {
    /// A typed error within the deadline. No acknowledged write is ever lost, nothing stale is ever read.
    FailFast = fail_fast;
    /// Memory answers, and is dropped when Redis is back: what was written in the outage is lost, and counted.
    Degrade = degrade;
    /// Memory answers, and is written back when Redis is back: nothing acknowledged is lost while the process lives.
    #[default] Drain = drain;
    /// Memory answers reads; writes get a typed error. Nothing acknowledged is lost, even if the process dies in the outage.
    ReadOnly = read_only;
    /// Nothing is found and writes are dropped; nothing fails. Sessions made stale by dropped writes are removed from
    /// Redis.
    SilentCache = silent_cache;
    /// Both are written; Redis is read first, then memory. While Redis is away memory answers; afterwards both are made
    /// current.
    DualWrite = dual_write;
    /// Memory is the store, and Redis is not used at all.
    Memory = memory;
}

impl Policy {
    /// The name used in scenarios and configuration.
    pub fn name(self) -> &'static str {
        self.rules().name
    }

    /// Its behaviour, in Markdown: while Redis is away, when Redis is back, and what is lost.
    pub fn documented(self) -> [&'static str; 3] {
        self.rules().row
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of no policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownPolicy(String);

impl std::error::Error for UnknownPolicy {}

impl fmt::Display for UnknownPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no failure policy `{}`: use ", self.0)?;
        for (at, policy) in Policy::ALL.into_iter().enumerate() {
            match at {
                0 => {}
                _ if at + 1 == Policy::ALL.len() => f.write_str(" or ")?,
                _ => f.write_str(", ")?,
            }
            f.write_str(policy.name())?;
        }
        Ok(())
    }
}

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

    #[test]
    fn the_rules_of_a_policy_do_not_contradict_each_other() {
        for policy in Policy::ALL {
            let rules = policy.rules();
            assert!(rules.takes_over || !rules.keeps_copies, "{policy}: copies that answer no call");
            assert!(!rules.writes_both || (rules.keeps_copies && rules.uses_redis), "{policy}: writes only one");
            assert!(!(rules.forgets && rules.keeps_copies), "{policy}: copies that are forgotten");
        }
    }
}
