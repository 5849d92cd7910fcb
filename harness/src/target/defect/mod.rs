//! Planted defects: stores that break one promise each, so that a drill can be seen to catch it. None of them is in the
//! storage crate.

mod forgets_ttl;
mod undecryptable_is_empty;

pub use forgets_ttl::ForgetsTtl;
pub use undecryptable_is_empty::UndecryptableIsEmpty;
