//! Planted defects: stores that break one promise each, so that a drill can be seen to catch it. None of them is in the
//! storage crate.

mod forgets_ttl;

pub use forgets_ttl::ForgetsTtl;
