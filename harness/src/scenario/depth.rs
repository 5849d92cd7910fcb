//! How deep the tables of a text lie within one another. Much of what reads them calls itself for each level, and dotted keys
//! multiply the levels that the TOML parser allows: a text of 12 kB could end the process.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Enough for all the levels that the TOML parser allows: 80 of brackets, each with a key of 80 dots.
const STACK: usize = 64 << 20;

/// Deeper than any key of a scenario lies.
pub(super) const DEEPEST: usize = 16;

/// What lies too deep in `text`; `None` also for what is no TOML. Looks on a thread of its own, since even to drop what the
/// parser returns takes a call for each level.
pub(super) fn too_deep(text: &str) -> Option<Range<usize>> {
    let look = || DeTable::parse(text).ok().and_then(|table| within(table.get_ref(), DEEPEST));
    std::thread::scope(|scope| {
        let looking = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, look);
        // Without a thread nobody can tell.
        looking.map_or(Some(0..text.len()), |looking| looking.join().unwrap_or(Some(0..text.len())))
    })
}

fn within(table: &DeTable<'_>, room: usize) -> Option<Range<usize>> {
    table.values().find_map(|value| beyond(value, room))
}

fn beyond(value: &Spanned<DeValue<'_>>, room: usize) -> Option<Range<usize>> {
    let inner = room.checked_sub(1);
    match (value.get_ref(), inner) {
        (DeValue::Array(_) | DeValue::Table(_), None) => Some(value.span()),
        (DeValue::Array(items), Some(room)) => items.iter().find_map(|item| beyond(item, room)),
        (DeValue::Table(table), Some(room)) => within(table, room),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_too_deep_is_found_in_its_place() {
        let nested = |levels: usize| format!("a = {}{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(too_deep(&nested(DEEPEST)), None);
        assert_eq!(too_deep(&nested(DEEPEST + 1)), Some(4 + DEEPEST..6 + DEEPEST));
        assert!(too_deep(&format!("{} = 1", ["a"; DEEPEST + 2].join("."))).is_some());
        assert_eq!(too_deep("no TOML"), None);
    }

    #[test]
    fn the_deepest_text_that_the_parser_reads_is_refused() {
        let key = ["a"; 79].join(".");
        let opened = format!("{{{key} = ").repeat(78);
        let text = format!("[{key}]\n{key} = {opened}1{}", "}".repeat(78));
        assert!(DeTable::parse("a = 1").is_ok() && too_deep(&text).is_some());
    }
}
