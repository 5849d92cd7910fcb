//! Scenarios on the command line.

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::error::Error;

use crate::scenario::shipped;

/// Reads a scenario's name or a file. Shells offer the names of the shipped scenarios; anything else is taken too.
#[derive(Debug, Clone)]
pub struct ScenarioParser;

impl TypedValueParser for ScenarioParser {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<String, Error> {
        StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(shipped().iter().map(|shipped| PossibleValue::new(shipped.name))))
    }
}
