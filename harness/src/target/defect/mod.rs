//! Planted defects: stores that break one promise each, so that a drill can be seen to catch it. None of them is in the
//! storage crate.

mod award_twice;
mod count_by_keys;
mod delete_parses_first;
mod forgets_ttl;
mod list_counts_expired;
mod memory_ignores_ttl;
mod pipeline_not_atomic;
mod spoil;
mod undecryptable_is_empty;

use std::time::Duration;

use super::store::Store;
use crate::lab::{LabError, RedisUrl};
use crate::scenario::Defect;

/// Plants `defect` around `inner`, whose keys in the Redis at `url` begin with `prefix` and whose sessions live `ttl`.
pub fn plant(defect: Defect, inner: Store, url: &RedisUrl, prefix: &str, ttl: Duration) -> Result<Store, LabError> {
    Ok(match defect {
        Defect::ForgetsTtl => forgets_ttl::ForgetsTtl::around(inner, url, prefix)?,
        Defect::AwardTwice => award_twice::AwardTwice::around(inner),
        Defect::PipelineNotAtomic => pipeline_not_atomic::PipelineNotAtomic::around(inner, url, prefix)?,
        Defect::DeleteParsesFirst => delete_parses_first::DeleteParsesFirst::around(inner, ttl),
        Defect::UndecryptableIsEmpty => undecryptable_is_empty::UndecryptableIsEmpty::around(inner),
        Defect::ListCountsExpired => list_counts_expired::ListCountsExpired::around(inner, url, prefix)?,
        Defect::CountByKeys => count_by_keys::CountByKeys::around(inner, url, prefix)?,
        Defect::MemoryIgnoresTtl => memory_ignores_ttl::MemoryIgnoresTtl::empty(),
    })
}
