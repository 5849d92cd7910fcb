//! The history: every invocation and its completion, recorded by the workers without locks and saved before anything
//! judges it.

pub mod model;

pub use model::*;
