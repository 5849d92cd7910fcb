//! The scenarios given on the command line.

use super::args::Changes;
use super::exit::Failure;
use crate::nearest::did_you_mean;
use crate::scenario::{Scenario, Shipped, Source, parse, shipped, shipped_named};

/// A shipped scenario by name, or a file by path.
pub fn source(name: &str) -> Result<Source, Failure> {
    let shipped = shipped_named(name);
    let looks_like_a_file = name.ends_with(".toml") || name.contains('/') || std::path::Path::new(name).exists();
    match shipped {
        Ok(shipped) => Ok(shipped.source()),
        Err(_) if looks_like_a_file => Ok(Source::read(name)?),
        Err(error) => Err(Failure::Usage(error.to_string())),
    }
}

/// The shipped scenarios with at least one of `tags`; all of them without tags.
pub fn tagged(tags: &[String]) -> Result<Vec<Source>, Failure> {
    let (mut found, mut known) = (Vec::new(), Vec::new());
    for source in shipped().iter().map(Shipped::source) {
        let mut its = parse(&source, &[])?.tags;
        if tags.is_empty() || its.iter().any(|tag| tags.contains(tag)) {
            found.push(source);
        }
        known.append(&mut its);
    }
    let meant = || tags.iter().find_map(|tag| did_you_mean(tag, &known)).map(|meant| format!(": {meant}"));
    match found.is_empty() {
        true => Err(Failure::Usage(format!(
            "no shipped scenario has the tag {}{}",
            tags.join(" or "),
            meant().unwrap_or_default()
        ))),
        false => Ok(found),
    }
}

/// Parses a scenario with the command line's changes. The seed is decided here: from the command line, from the
/// scenario, or fresh.
pub fn read(source: &Source, changes: &Changes) -> Result<(Scenario, u64), Failure> {
    let scenario = parse(source, &changes.all())?;
    // 32 bits are enough to distinguish drills, and short enough to read out loud.
    let seed = changes.seed.or(scenario.seed).unwrap_or_else(|| u64::from(rand::random::<u32>()));
    Ok((scenario, seed))
}
