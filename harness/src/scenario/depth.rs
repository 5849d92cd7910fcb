//! How deep the tables of a text lie within one another. Much of what reads them calls itself for each level, and dotted keys
//! multiply the levels that the TOML parser allows: a text of 12 kB could end the process.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toml_parser::Source;
use toml_parser::lexer::TokenKind;

/// Deeper than any key of a scenario lies.
pub(super) const DEEPEST: usize = 16;

/// What lies too deep in `text`; `None` also for what is no TOML.
pub(super) fn too_deep(text: &str) -> Option<Range<usize>> {
    // First, since the parser calls itself for brackets that nobody closes, without a limit (toml_parser 1.1.5).
    opened_too_often(text).or_else(|| DeTable::parse(text).ok().and_then(|table| within(table.get_ref(), DEEPEST)))
}

fn opened_too_often(text: &str) -> Option<Range<usize>> {
    let mut awaited = Vec::new();
    let too_often = Source::new(text).lex().find(|token| {
        match token.kind() {
            TokenKind::LeftSquareBracket => awaited.push(TokenKind::RightSquareBracket),
            TokenKind::LeftCurlyBracket => awaited.push(TokenKind::RightCurlyBracket),
            // Any other one closes nothing.
            closing if awaited.last() == Some(&closing) => drop(awaited.pop()),
            _ => {}
        }
        awaited.len() > DEEPEST
    });
    too_often.map(|token| token.span().start()..token.span().end())
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
        assert_eq!(too_deep(&nested(DEEPEST + 1)), Some(4 + DEEPEST..5 + DEEPEST));
        assert!(too_deep(&format!("{} = 1", ["a"; DEEPEST + 2].join("."))).is_some());
        assert_eq!(too_deep("no TOML"), None);
    }

    #[test]
    fn brackets_that_nobody_closes_are_counted_and_those_in_texts_are_not() {
        let text = "[[load]]\nusers = 3\nthink = {\n".repeat(2_000);
        assert!(too_deep(&text).is_some());
        assert!(too_deep(&"think = {\n[load]]\n".repeat(2_000)).is_some(), "what does not match closes nothing");
        assert_eq!(too_deep(&format!("a = \"{}\"", "{".repeat(50))), None);
        assert_eq!(too_deep(&"[[load]]\nstages = [{ rate = \"1/s\" }]\n".repeat(50)), None);
    }
}
