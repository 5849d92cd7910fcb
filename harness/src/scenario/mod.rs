//! The script of a drill: TOML, with the file's line and a caret under every error.
//!
//! [`parse()`] takes the text and the command line's overrides and returns a [`Scenario`] that is known to be valid:
//! the keys exist, the units fit, the times are possible, and the gates name things that are measured.

mod application;
#[cfg(test)]
mod bad_input;
mod depth;
mod error;
mod load_model;
mod model;
mod needs;
mod overrides;
mod parse;
mod place;
mod read_all;
#[cfg(test)]
mod refused;
mod replay;
mod schema;
mod secrets;
mod sense;
mod shipped;
mod source;
mod target;
mod timeline;
mod validate;

pub use crate::targets::{
    BreakerSpec, Defect, DeploySpec, EncryptionSpec, FinalReads, StoreSpec, TargetKind, UpdateMode,
};
pub use crate::units;
pub use error::{Invalid, Problem, ScenarioError};
pub use load_model::*;
pub use model::*;
pub use overrides::Override;
pub use parse::{parse, parse_with};
pub use place::line_of;
pub use schema::schema;
pub use shipped::{NoSuchScenario, Shipped, shipped, shipped_named};
pub use source::Source;
