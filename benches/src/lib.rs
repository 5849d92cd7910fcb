//! What the session store benches share: the sessions they store, and the ways to Redis that they compare.

pub mod memory;
pub mod sample;
pub mod synthetic;
pub mod way;

/// A result whose error is only displayed.
pub type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
