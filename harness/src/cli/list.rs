//! `firedrill list`: the shipped scenarios, or a table of a registry.

use super::args::ListArgs;
use super::exit::{Failure, Status};
use super::out;
use super::source::tagged;
use crate::scenario::parse;

/// Prints name, tags and description of each scenario, or the three columns of a table's rows.
pub fn run(args: &ListArgs) -> Result<Status, Failure> {
    match args.table.0 {
        Some(table) if args.markdown => out::print((table.markdown)()),
        Some(table) => columns((table.rows)()),
        None => {
            let mut rows = Vec::new();
            for source in tagged(&args.tags)? {
                let scenario = parse(&source, &[])?;
                rows.push([scenario.name, scenario.tags.join(","), scenario.about]);
            }
            columns(rows);
        }
    }
    Ok(Status::Passed)
}

/// Prints rows of three columns, each as wide as its widest entry.
fn columns(rows: Vec<[String; 3]>) {
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let (first, second) = (width(0), width(1));
    for [a, b, c] in &rows {
        out::line(format_args!("{a:first$}  {b:second$}  {c}"));
    }
}
