//! Parses variables and collects every error until the end.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::error::{ConfigError, Problem};
use super::secret::Secret;
use super::variables::VARIABLES;

/// The raw variables. An empty one counts as not set: `${NAME:-}` in a compose file leaves an empty value.
pub(super) struct Reader {
    values: HashMap<String, String>,
    problems: Vec<Problem>,
}

impl Reader {
    pub(super) fn new<K: Into<String>, V: Into<String>>(variables: impl IntoIterator<Item = (K, V)>) -> Self {
        let values = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        let known = |name: &str| VARIABLES.iter().any(|variable| variable.name == name);
        let values = values.filter(|(name, value)| known(name) && !value.is_empty());
        Self { values: values.collect(), problems: Vec::new() }
    }

    /// Takes only the variables known here from the process's environment.
    pub(super) fn from_env() -> Self {
        let mut reader = Self::new::<String, String>([]);
        for variable in VARIABLES {
            match std::env::var(variable.name) {
                Ok(value) if !value.is_empty() => {
                    reader.values.insert(variable.name.to_owned(), value);
                }
                Err(std::env::VarError::NotUnicode(_)) => reader.problem(&[variable.name], "expected UTF-8 text"),
                Ok(_) | Err(std::env::VarError::NotPresent) => {}
            }
        }
        reader
    }

    pub(super) fn problem(&mut self, variables: &[&'static str], message: impl Into<String>) {
        self.problems.push(Problem { variables: variables.to_vec(), message: message.into() });
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.values.get(name).cloned()
    }

    pub(super) fn secret(&self, name: &str) -> Option<Secret> {
        self.text(name).map(Secret::new)
    }

    /// The parsed value; on an error, records what was expected.
    pub(super) fn parsed<T>(
        &mut self,
        name: &'static str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let parsed = parse(self.values.get(name)?.trim());
        if parsed.is_none() {
            self.problem(&[name], format!("expected {expected}"));
        }
        parsed
    }

    pub(super) fn flag(&mut self, name: &'static str) -> Option<bool> {
        self.parsed(name, "true or false", |text| match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => None,
        })
    }

    pub(super) fn number<T>(&mut self, name: &'static str, range: RangeInclusive<T>) -> Option<T>
    where
        T: FromStr + PartialOrd + std::fmt::Display,
    {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        self.parsed(name, &expected, |text| text.parse().ok().filter(|number| range.contains(number)))
    }

    /// A duration, written as a whole number of `unit`s.
    pub(super) fn duration(
        &mut self,
        name: &'static str,
        unit: Duration,
        range: RangeInclusive<u32>,
    ) -> Option<Duration> {
        self.number(name, range).map(|count| unit * count)
    }

    /// A comma-separated list.
    pub(super) fn list<T>(
        &mut self,
        name: &'static str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.parsed(name, expected, |text| text.split(',').map(|part| parse(part.trim())).collect())
    }

    /// Returns `read` if there was no error.
    pub(super) fn finish<T>(self, read: T) -> Result<T, ConfigError> {
        if self.problems.is_empty() { Ok(read) } else { Err(ConfigError { problems: self.problems }) }
    }
}
