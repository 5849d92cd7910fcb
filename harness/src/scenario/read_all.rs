//! Reads a scenario's table, and finds everything that is wrong with its keys, types and units. Serde stops at the first
//! error, so what that error points at is taken out, and the rest is read again.

use std::ops::Range;

use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer, Error};

use super::error::Found;
use super::model::Scenario;
use crate::nearest::did_you_mean_in;

/// How often a text is read again: each time takes as long as the first.
const MOST_TIMES: usize = 100;

/// The keys that a scenario must have.
const REQUIRED: [&str; 3] = ["name", "about", "load"];

/// The scenario, if it could be read at all, and what had to be taken out for that. If anything had to, the scenario is only
/// good for being refused.
pub(super) fn read_all(mut document: Spanned<DeTable<'_>>) -> (Option<Scenario>, Vec<Found>) {
    let mut errors = Vec::new();
    let mut taken: Vec<String> = Vec::new();
    for _ in 0..MOST_TIMES {
        let error = match Scenario::deserialize(Deserializer::from(document.clone())) {
            Ok(scenario) => return (Some(scenario), errors),
            Err(error) => error,
        };
        let missing = error.message().strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
        let missing = missing.map(str::to_owned);
        let span = error.span().filter(|span| *span != document.span());
        if !missing.as_ref().is_some_and(|missing| was_taken(missing, &mut taken)) {
            errors.push(found(&error, span.clone()));
        }
        let document = document.get_mut();
        let absent = missing.as_deref().and_then(|missing| REQUIRED.into_iter().find(|key| *key == missing));
        match (span, absent) {
            // Anything that can be read in its place: what is missing is reported.
            (None, Some(key)) if !document.contains_key(key) => {
                let value = if key == "load" { DeValue::Array(DeArray::new()) } else { DeValue::String("".into()) };
                document.insert(Spanned::new(0..0, key.into()), Spanned::new(0..0, value));
            }
            (Some(span), _) => match take_out(document, &span) {
                Some(key) => taken.push(key),
                None => break,
            },
            _ => break,
        }
    }
    (None, errors)
}

fn found(error: &Error, span: Option<Range<usize>>) -> Found {
    let explained = || "`firedrill schema` prints and explains every key".to_owned();
    let is_unknown = error.message().starts_with("unknown field");
    let help = did_you_mean_in(error.message()).or_else(|| is_unknown.then(explained));
    (error.message().to_owned(), span, help)
}

/// Whether the field `missing` is only missing because it was taken out; that excuses one.
fn was_taken(missing: &str, taken: &mut Vec<String>) -> bool {
    let at = taken.iter().position(|key| key == missing);
    at.map(|at| taken.remove(at)).is_some()
}

/// Takes the innermost entry out of `table` whose key or value has `span`, and returns its key.
fn take_out(table: &mut DeTable<'_>, span: &Range<usize>) -> Option<String> {
    let has = |outer: Range<usize>| outer.start <= span.start && span.end <= outer.end;
    for (_, value) in table.iter_mut() {
        if let Some(key) = take_out_of(value, span) {
            return Some(key);
        }
    }
    let entry = table.iter().find(|(key, value)| has(key.span()) || has(value.span()));
    let key = entry.map(|(key, _)| key.get_ref().to_string())?;
    table.remove(key.as_str());
    Some(key)
}

fn take_out_of(value: &mut Spanned<DeValue<'_>>, span: &Range<usize>) -> Option<String> {
    let exactly = value.span() == *span;
    match value.get_mut() {
        // What is wrong with the table as a whole goes with it.
        DeValue::Table(table) if !exactly => take_out(table, span),
        DeValue::Array(values) => {
            for value in values.iter_mut() {
                if let Some(key) = take_out_of(value, span) {
                    return Some(key);
                }
            }
            let at =
                values.iter().position(|value| value.span().start <= span.start && span.end <= value.span().end)?;
            let all = std::mem::replace(values, DeArray::new()).into_iter().enumerate();
            *values = all.filter(|(position, _)| *position != at).map(|(_, value)| value).collect();
            Some(String::new())
        }
        _ => None,
    }
}
