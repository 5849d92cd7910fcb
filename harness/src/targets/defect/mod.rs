//! Planted defects: stores that each break one promise, to show that a drill catches it. Each has its own file with its
//! [`Planted`], and one line in the registry here. Those that only the storage crate can have are there ([`inside`]).

mod acknowledges_failures;
mod acknowledges_first;
mod always_healthy;
mod answers_the_wrong_caller;
mod append_creates;
mod appends_again;
mod appends_without_comparing;
mod award_ignores_conflicts;
mod award_twice;
mod blocks_its_executor;
mod breaker_stuck_open;
mod caches_reads;
mod calls_unknown_failed;
mod caught;
mod count_by_keys;
mod counts_by_itself;
mod create_overwrites;
mod delete_parses_first;
mod empties_the_destroyed;
mod errors_are_absent;
mod forgets_its_fallback;
mod forgets_ttl;
mod gives_up;
mod guesses_version;
mod half_open_stampede;
mod hides_its_fallback;
mod ignores_the_version;
mod inside;
mod keeps_the_destroyed;
mod keeps_the_old_id;
mod leaks_its_password;
mod lifetime_does_not_slide;
mod lifetime_in_another_unit;
mod lifetimes;
mod list_counts_expired;
mod list_keeps_the_destroyed;
mod list_misses_the_newest;
mod list_oldest_first;
mod list_repeats;
mod logs_out_all_but_one;
mod looks_up_once;
mod memory_ignores_ttl;
mod never_cleans_up;
mod pipeline_not_atomic;
mod plant;
mod puts_in_two_orders;
mod reads_a_lagging_replica;
mod reads_replicas_in_turn;
mod reads_rewrite;
mod reconnects_every_millisecond;
mod saves_after_logout;
mod spoil;
mod stores_plaintext;
mod tells_every_failure;
mod tls_unverified;
mod touch_does_nothing;
mod touch_writes_back;
mod undecryptable_is_empty;
mod updates_upsert;
mod waits_past_its_deadline;

pub use caught::{Drilled, End};
pub use plant::{Place, Plant, Planted, Store};

use crate::registry::{Named, Registered};

/// A planted defect, by name.
pub type Defect = Named<Planted>;

static DEFECTS: [&Planted; 55] = [
    &forgets_ttl::DEFECT,
    &undecryptable_is_empty::DEFECT,
    &award_twice::DEFECT,
    &pipeline_not_atomic::DEFECT,
    &delete_parses_first::DEFECT,
    &gives_up::DEFECT,
    &half_open_stampede::DEFECT,
    &memory_ignores_ttl::DEFECT,
    &never_cleans_up::DEFECT,
    &list_counts_expired::DEFECT,
    &count_by_keys::DEFECT,
    &tls_unverified::DEFECT,
    &blocks_its_executor::DEFECT,
    &guesses_version::DEFECT,
    &waits_past_its_deadline::DEFECT,
    &reconnects_every_millisecond::DEFECT,
    &tells_every_failure::DEFECT,
    &leaks_its_password::DEFECT,
    &stores_plaintext::DEFECT,
    &caches_reads::DEFECT,
    &always_healthy::DEFECT,
    &acknowledges_failures::DEFECT,
    &acknowledges_first::DEFECT,
    &answers_the_wrong_caller::DEFECT,
    &append_creates::DEFECT,
    &appends_again::DEFECT,
    &appends_without_comparing::DEFECT,
    &award_ignores_conflicts::DEFECT,
    &breaker_stuck_open::DEFECT,
    &calls_unknown_failed::DEFECT,
    &counts_by_itself::DEFECT,
    &create_overwrites::DEFECT,
    &empties_the_destroyed::DEFECT,
    &errors_are_absent::DEFECT,
    &forgets_its_fallback::DEFECT,
    &hides_its_fallback::DEFECT,
    &ignores_the_version::DEFECT,
    &keeps_the_destroyed::DEFECT,
    &keeps_the_old_id::DEFECT,
    &lifetime_does_not_slide::DEFECT,
    &lifetime_in_another_unit::DEFECT,
    &list_keeps_the_destroyed::DEFECT,
    &list_misses_the_newest::DEFECT,
    &list_oldest_first::DEFECT,
    &list_repeats::DEFECT,
    &logs_out_all_but_one::DEFECT,
    &looks_up_once::DEFECT,
    &puts_in_two_orders::DEFECT,
    &reads_a_lagging_replica::DEFECT,
    &reads_replicas_in_turn::DEFECT,
    &reads_rewrite::DEFECT,
    &saves_after_logout::DEFECT,
    &touch_does_nothing::DEFECT,
    &touch_writes_back::DEFECT,
    &updates_upsert::DEFECT,
];

impl Registered for Planted {
    const WHAT: &'static str = "Defect";

    fn all() -> &'static [&'static Self] {
        &DEFECTS
    }

    fn unlisted(name: &str) -> Option<&'static Self> {
        inside::find(name)
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }
}
