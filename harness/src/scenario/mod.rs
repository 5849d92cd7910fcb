//! The script of a drill: TOML, read with the file's line and a caret under every error.
//!
//! [`parse()`] takes the text and the overrides of the command line and gives a [`Scenario`] that is known to make
//! sense: the keys exist, the units fit, the times are possible, the gates name things that are measured.

mod app;
mod error;
mod model;
mod overrides;
mod parse;
mod shipped;
mod store;
pub mod units;
mod validate;

pub use error::{Invalid, Problem, ScenarioError};
pub use model::*;
pub use overrides::Override;
pub use parse::{Source, parse, schema};
pub use shipped::{Shipped, shipped};
pub use store::{BreakerSpec, DeploySpec};
