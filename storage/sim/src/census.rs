//! Which known kind of failure a schedule shows, judged by the promise that it breaks and by what its shortest form
//! needs. docs/storage.md lists the kinds.

use std::fmt;

use crate::oracle::Kind;
use crate::schedule::{Action, Caller, Op, Schedule};

/// A known kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Known {
    /// A version number is mistaken for lineage.
    K1,
    /// Changes by other processes are not noticed.
    K2,
    /// A state read before a round trip is applied to a session that changed during it.
    K3,
    /// Half a change remains: user code panics, or a future is dropped.
    K4,
    /// A cursor is kept across a restart.
    K5,
    /// A limit is not the configured one.
    K6,
    /// An error reported as "certainly without effect" had one.
    K7,
    /// Several steps each use up the full deadline.
    K8,
    /// A lifetime depends on the fallback.
    K9,
    /// One class of errors is mistaken for another.
    K10,
    /// A reply that arrives without a copy is forgotten, and an older read installs a stale one.
    K11,
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// The kind that a failing schedule shows, in its shortest form.
pub fn classify(short: &Schedule, broken: Kind) -> Known {
    let has = |wanted: fn(&Action) -> bool| short.events.iter().any(|event| wanted(&event.action));
    let lost_tail = has(|action| matches!(action, Action::Crash { lose: 1.. } | Action::FailOver { lose: 1.. }));
    match broken {
        Kind::Late => Known::K8,
        Kind::Outlived => Known::K9,
        Kind::NotWithoutEffect => Known::K7,
        Kind::NoRoom => Known::K6,
        _ if has(|action| matches!(action, Action::Rotate { .. })) => Known::K10,
        _ if has(|action| {
            matches!(action, Action::Panic | Action::Call { caller: Caller { patience: Some(_), .. }, .. })
        }) =>
        {
            Known::K4
        }
        Kind::Panicked => Known::K4,
        _ if has(|action| matches!(action, Action::Switch { .. })) => Known::K5,
        _ if lost_tail => Known::K1,
        Kind::Missed if short.setting.capacity < 8 => Known::K11,
        Kind::Resurrected
            if short.setting.processes > 1 && has(|action| matches!(action, Action::Call { op: Op::Destroy, .. })) =>
        {
            Known::K2
        }
        Kind::Crossed | Kind::VersionWentBack if short.setting.processes > 1 => Known::K1,
        _ => Known::K3,
    }
}
