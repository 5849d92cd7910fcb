//! Planted defects: stores that each break one promise, to show that a drill catches it. Each has its own file with its
//! [`Planted`], and one line in the registry here. Those that only the storage crate can have are there ([`inside`]).

mod always_healthy;
mod award_twice;
mod blocks_its_executor;
mod caches_reads;
mod count_by_keys;
mod delete_parses_first;
mod forgets_ttl;
mod gives_up;
mod guesses_version;
mod half_open_stampede;
mod inside;
mod leaks_its_password;
mod list_counts_expired;
mod memory_ignores_ttl;
mod never_cleans_up;
mod pipeline_not_atomic;
mod plant;
mod reconnects_without_pause;
mod spoil;
mod stores_plaintext;
mod tells_every_failure;
mod tls_unverified;
mod undecryptable_is_empty;
mod waits_past_its_deadline;

pub use plant::{Place, Plant, Planted, Store};

use crate::registry::{Named, Registered};

/// A planted defect, by name.
pub type Defect = Named<Planted>;

static DEFECTS: [&Planted; 21] = [
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
    &reconnects_without_pause::DEFECT,
    &tells_every_failure::DEFECT,
    &leaks_its_password::DEFECT,
    &stores_plaintext::DEFECT,
    &caches_reads::DEFECT,
    &always_healthy::DEFECT,
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
