//! Planted defects: faults that session stores really had, each put back under a name, to test the tools that must find them.
//!
//! A defect is one file here, with its description, where it was seen, and what shows it, and one line in the registry below.
//! The production code asks at its *seams* whether a defect is planted: `planted::seam!(drains_one_page)`. A store has at most
//! one, and it is planted in this store's calls and tasks alone ([`Hooks`]), so stores with different defects can run side by
//! side. A defect of a script is a change of its text ([`Planted::lua`]).
//!
//! All of this is behind the feature `planted`, which nothing shipped enables. Without it a seam is the constant `false`,
//! [`Hooks`] has no size, and the registry is empty.

#[cfg(feature = "planted")]
mod active;
mod defect;
#[cfg(not(feature = "planted"))]
mod inert;

#[cfg(feature = "planted")]
pub use active::Hooks;
#[cfg(feature = "planted")]
pub(crate) use active::{carried, first_time, is_planted, lua};
pub use defect::{Noticed, Planted, Shown};
#[cfg(not(feature = "planted"))]
pub use inert::Hooks;
#[cfg(not(feature = "planted"))]
pub(crate) use inert::{carried, first_time, lua, never};

use std::fmt;

/// The name of no planted defect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownDefect(String);

impl std::error::Error for UnknownDefect {}

impl fmt::Display for UnknownDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no planted defect `{}`: ", self.0)?;
        match ALL {
            [] => f.write_str("this build has none; build with `--features planted`"),
            all => write!(f, "use one of {}", all.iter().map(|defect| defect.name).collect::<Vec<_>>().join(", ")),
        }
    }
}

/// Finds a planted defect by its name.
///
/// # Errors
/// If there is none of this name, as in every build without the feature `planted`.
pub fn find(name: &str) -> Result<&'static Planted, UnknownDefect> {
    ALL.iter().copied().find(|defect| defect.name == name).ok_or_else(|| UnknownDefect(name.to_owned()))
}

/// The registry as a table in Markdown.
pub fn markdown() -> String {
    let mut text = "| defect | what the store does | seen in | noticed in |\n|---|---|---|---|\n".to_owned();
    for Planted { name, about, source, scenarios, .. } in ALL {
        let noticed = scenarios.iter().map(|Noticed { scenario, by }| format!("{scenario}: {by}"));
        let noticed = noticed.collect::<Vec<_>>().join("; ");
        text.push_str(&format!("| `{name}` | {about} | {source} | {noticed} |\n"));
    }
    text
}

/// Whether the named defect is planted in the store that runs now. `false` without the feature `planted`.
#[cfg(feature = "planted")]
macro_rules! seam {
    ($defect:ident) => {
        $crate::planted::is_planted(&$crate::planted::$defect::DEFECT)
    };
}
#[cfg(not(feature = "planted"))]
macro_rules! seam {
    ($defect:ident) => {
        $crate::planted::never()
    };
}
pub(crate) use seam;

macro_rules! registry {
    ($($defect:ident)+) => {
        $(#[cfg(feature = "planted")] pub(crate) mod $defect;)+

        /// Every planted defect; none without the feature `planted`.
        #[cfg(feature = "planted")]
        pub static ALL: &[&Planted] = &[$(&$defect::DEFECT),+];
        /// Every planted defect; none without the feature `planted`.
        #[cfg(not(feature = "planted"))]
        pub static ALL: &[&Planted] = &[];
    };
}

registry! {
    trusts_versions
    deaf_to_destroys
    commits_late_replies
    lets_merges_panic
    splits_capacity
    denies_effect
    pays_deadline_twice
    slides_fixed_ttl
    gives_up_unreadable
    installs_stale_read
    overwrites_update
    reads_old_as_new
    keeps_old_tombstone
    drains_one_page
    drain_overwrites_newer
    drain_ignores_tombstones
    forgets_way_of_write_back
    drain_forgets_deletions
    drain_leaves_old_id
    drain_gives_full_ttl
    drain_stops_at_bad_value
    saves_before_reply
    write_back_unlisted
    claim_of_fallback_wins
    latches_in_fallback
    refusals_are_no_outage
    evicts_unsaved
    serves_expired
    shares_copies
    never_slides_in_memory
    forgets_touch
    memory_without_bound
    silent_cache_shows_stale
    hides_dropped_writes
    health_says_well
    breaker_never_probes
    timeouts_count_as_answers
    bad_values_open_breaker
    resends_unknown
    retries_past_deadline
    keeps_readonly_connection
    revives_old_ids
    serves_from_replica
    timeout_keeps_connection
    late_writes_land
    reconnects_without_pause
    scripts_not_resent
    update_ignores_version
    leaves_no_tombstone
    append_clears_ttl
    index_dies_early
    seals_without_place
    accepts_plain_values
    forgets_old_keys
}

// Every build without the feature checks this: a seam is known to be false when it is compiled, and a store is no larger.
#[cfg(not(feature = "planted"))]
const _: () = assert!(!seam!(trusts_versions) && size_of::<Hooks>() == 0 && ALL.is_empty());
