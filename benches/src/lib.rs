//! What the benches of the session store share: the sessions they store, and the ways to Redis that they compare.

pub mod memory;
pub mod sample;
pub mod synthetic;
pub mod way;

/// A result whose error is only shown.
pub type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
