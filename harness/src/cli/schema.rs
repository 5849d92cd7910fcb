//! `firedrill schema`: the JSON Schema of scenarios.

use super::exit::{Failure, Status};
use super::out;
use crate::scenario::schema;

/// Prints the schema.
pub fn run() -> Result<Status, Failure> {
    match serde_json::to_string_pretty(&schema()) {
        Ok(text) => {
            out::line(text);
            Ok(Status::Passed)
        }
        Err(error) => Err(Failure::File(format!("the schema cannot be printed: {error}"))),
    }
}
