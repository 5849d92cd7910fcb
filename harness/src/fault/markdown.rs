//! The fault kinds as documentation tables.

use std::fmt::Write as _;

use super::entry::{Entry, Parameter};
use super::kind::Docs;
use super::registry::kinds;

/// All kinds, then the parameters of those that have any.
pub fn markdown() -> String {
    let mut text = "| kind | what happens | seen in | injected by | evidence | undone by |\n".to_owned();
    text.push_str("|---|---|---|---|---|---|\n");
    for entry in kinds() {
        let Docs { about, seen_in, injected_by, evidence, undone_by } = entry.docs;
        let name = entry.name;
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| `{name}` | {about} | {seen_in} | {injected_by} | {evidence} | {undone_by} |");
    }
    text.push_str("\n| kind | parameter | default | meaning |\n|---|---|---|---|\n");
    kinds().iter().flat_map(parameters).for_each(|row| text.push_str(&row));
    text
}

/// One row per parameter; none for a kind without parameters.
fn parameters(entry: &Entry) -> impl Iterator<Item = String> {
    let name = entry.name;
    let row = move |parameter: Parameter| {
        let default = parameter.default().map_or_else(|| "required".to_owned(), |default| format!("`{default}`"));
        let about = parameter.about();
        format!("| `{name}` | `{}` | {default} | {} |\n", parameter.name, about.trim_end_matches('.'))
    };
    entry.parameters().into_iter().map(row)
}
