//! Planted defects: stores that break one promise each, so that a drill can be seen to catch it. None of them is in the
//! storage crate.

mod award_twice;
mod count_by_keys;
mod delete_parses_first;
mod forgets_ttl;
mod gives_up;
mod half_open_stampede;
mod list_counts_expired;
mod memory_ignores_ttl;
mod never_cleans_up;
mod pipeline_not_atomic;
mod spoil;
mod tls_unverified;
mod undecryptable_is_empty;

use std::time::Duration;

use firedrill_storage::StoreBuilder;

use super::store::Store;
use crate::lab::{Access, LabError, RedisUrl};
use crate::relay::Relay;
use crate::scenario::Defect;

/// Plants `defect` in the settings of a store that reaches Redis by `access`, where it is one of these. What it needs beside the
/// store has to live as long as that. Must be called on a runtime.
///
/// # Errors
/// Where the system gives no port, or TLS cannot be set up.
pub fn adjust(defect: Defect, settings: &mut StoreBuilder, access: &Access) -> Result<Option<Relay>, LabError> {
    match defect {
        Defect::GivesUp => gives_up::adjust(settings),
        Defect::HalfOpenStampede => half_open_stampede::adjust(settings),
        Defect::NeverCleansUp => never_cleans_up::adjust(settings),
        Defect::TlsUnverified => return tls_unverified::adjust(settings, access).map(Some),
        _ => {}
    }
    Ok(None)
}

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
        Defect::GivesUp | Defect::HalfOpenStampede | Defect::NeverCleansUp | Defect::TlsUnverified => inner,
        Defect::MemoryIgnoresTtl => memory_ignores_ttl::MemoryIgnoresTtl::empty(),
    })
}
