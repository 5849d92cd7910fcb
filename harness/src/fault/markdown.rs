//! The kinds as the table of the documentation.

use std::fmt::Write as _;

use super::entry::Entry;
use super::kind::Docs;
use super::registry::kinds;

/// Every kind with its four lines and its parameters.
pub fn markdown() -> String {
    let mut text = "| kind | what happens | seen in | injected by | parameters | evidence | undone by |\n".to_owned();
    text.push_str("|---|---|---|---|---|---|---|\n");
    for entry in kinds() {
        let Docs { about, seen_in, injected_by, evidence, undone_by } = entry.docs;
        let (name, parameters) = (entry.name, parameters(entry));
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| `{name}` | {about} | {seen_in} | {injected_by} | {parameters} | {evidence} | {undone_by} |"
        );
    }
    text
}

/// Each parameter with its default and its meaning.
fn parameters(entry: &Entry) -> String {
    let parameters = entry.parameters();
    if parameters.is_empty() {
        return "–".to_owned();
    }
    let word = |parameter: &super::entry::Parameter| {
        let about = parameter.about();
        let about = about.trim_end_matches('.');
        match parameter.default() {
            Some(default) => format!("`{}` (default `{default}`): {about}", parameter.name),
            None => format!("`{}`: {about}", parameter.name),
        }
    };
    parameters.iter().map(word).collect::<Vec<_>>().join("<br>")
}
