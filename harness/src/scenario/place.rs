//! Where a key stands in a scenario's text.

use std::ops::Range;

use toml_edit::{Document, Item, TableLike, Value};

use super::error::Problem;

/// The line, from 1, of the key at `path` in a scenario's text: keys and positions from the root. A key that is not there
/// stands where its table does; `None` if that is not there either.
pub fn line_of(text: &str, path: &[String]) -> Option<usize> {
    let document = Document::parse(text).ok()?;
    let found = descend(document.as_table(), path, true)?;
    Some(text.get(..found.start)?.matches('\n').count() + 1)
}

/// The position of a problem's path in the text, followed as far as the text goes.
pub(super) fn place(text: &str, problem: &Problem) -> Option<Range<usize>> {
    let document = Document::parse(text).ok()?;
    descend(document.as_table(), &problem.path, problem.on_key)
}

fn descend(table: &dyn TableLike, path: &[String], on_key: bool) -> Option<Range<usize>> {
    let (name, rest) = path.split_first()?;
    let (key, item) = table.get_key_value(name)?;
    let entry = rest.first().and_then(|position| position.parse::<usize>().ok());
    let inner = match (item, entry) {
        (Item::ArrayOfTables(tables), Some(entry)) => {
            tables.get(entry).and_then(|table| descend(table, &rest[1..], on_key).or(table.span()))
        }
        (Item::Value(Value::Array(values)), Some(entry)) => values.get(entry).and_then(|value| {
            value.as_inline_table().and_then(|table| descend(table, &rest[1..], on_key)).or(value.span())
        }),
        _ => item.as_table_like().and_then(|table| descend(table, rest, on_key)),
    };
    let whole = if on_key && rest.is_empty() { key.span() } else { item.span() };
    inner.or(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"name = "x"

[[load]]
rate = "9/s"

[[fault]]
at = "1s"
kind = "proxy.down"

[[fault]]
kind = "proxy.timeout"

[gates]
"during.errors" = "<= 1%"
recovery = "<= 1s"
"#;

    #[test]
    fn a_key_has_the_line_on_which_it_stands() {
        let line = |path: &[&str]| {
            let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
            line_of(TEXT, &path)
        };
        assert_eq!(line(&["gates", "during.errors"]), Some(14));
        assert_eq!(line(&["gates", "recovery"]), Some(15));
        assert_eq!(line(&["fault", "0", "kind"]), Some(8));
        assert_eq!(line(&["fault", "1", "kind"]), Some(11));
        assert_eq!(line(&["load", "0", "users"]), Some(3), "its block");
        assert_eq!(line(&["gates", "before.steady"]), Some(13), "a gate that no scenario asks for");
        assert_eq!(line(&["checks", "lost-writes"]), None);
        assert_eq!(line_of("not toml", &["gates".to_owned()]), None);
    }
}
