//! `firedrill list`: the shipped scenarios.

use super::args::ListArgs;
use super::exit::{Failure, Status};
use super::out;
use super::source::tagged;
use crate::scenario::parse;

/// Prints name, tags and subject of each scenario.
pub fn run(args: &ListArgs) -> Result<Status, Failure> {
    let mut rows = Vec::new();
    for source in tagged(&args.tags)? {
        let scenario = parse(&source, &[])?;
        rows.push((scenario.name, scenario.tags.join(","), scenario.about));
    }
    let width =
        |column: fn(&(String, String, String)) -> &String| rows.iter().map(|row| column(row).len()).max().unwrap_or(0);
    let (names, tags) = (width(|row| &row.0), width(|row| &row.1));
    for (name, tag, about) in &rows {
        out::line(format_args!("{name:names$}  {tag:tags$}  {about}"));
    }
    Ok(Status::Passed)
}
