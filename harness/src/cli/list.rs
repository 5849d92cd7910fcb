//! `firedrill list`: the shipped scenarios.

use super::args::ListArgs;
use super::exit::{Failure, Status};
use crate::scenario::{parse, shipped};

/// Prints name, tags and subject of each scenario.
pub fn run(args: &ListArgs) -> Result<Status, Failure> {
    let mut rows = Vec::new();
    for shipped in shipped() {
        let scenario = parse(&shipped.source(), &[])?;
        if args.tags.is_empty() || scenario.tags.iter().any(|tag| args.tags.contains(tag)) {
            rows.push((scenario.name, scenario.tags.join(","), scenario.about));
        }
    }
    if rows.is_empty() {
        return Err(Failure::Usage(format!("no shipped scenario has the tag {}", args.tags.join(" or "))));
    }
    let width =
        |column: fn(&(String, String, String)) -> &String| rows.iter().map(|row| column(row).len()).max().unwrap_or(0);
    let (names, tags) = (width(|row| &row.0), width(|row| &row.1));
    for (name, tag, about) in &rows {
        println!("{name:names$}  {tag:tags$}  {about}");
    }
    Ok(Status::Passed)
}
