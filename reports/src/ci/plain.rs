//! Text that a format can take: without control characters, and no longer than its reader allows.

use std::borrow::Cow;

/// Marks a text that was cut.
const CUT: &str = " …";

/// `text` without the characters that XML 1.0 forbids (<https://www.w3.org/TR/xml/#charsets>) and without other control
/// characters, which a terminal or a log viewer would obey. Line breaks and tabs stay.
pub(super) fn printable(text: &str) -> String {
    let keep = |letter: &char| {
        let control = letter.is_control() && !matches!(letter, '\n' | '\t');
        !control && !matches!(letter, '\u{fffe}' | '\u{ffff}')
    };
    text.chars().filter(keep).collect()
}

/// `text` in one line.
pub(super) fn line(text: &str) -> String {
    printable(&text.replace(['\n', '\r', '\t'], " "))
}

/// The beginning of `text`, whose letters take `cost` bytes each and `limit` bytes together at most; a mark shows that it
/// was cut.
pub(super) fn cut(text: &str, limit: usize, cost: impl Fn(char) -> usize) -> Cow<'_, str> {
    let (mut used, mut kept) = (0, 0);
    for (at, letter) in text.char_indices() {
        used += cost(letter);
        if used > limit {
            return Cow::Owned(format!("{}{CUT}", &text[..kept]));
        }
        if used + CUT.len() <= limit {
            kept = at + letter.len_utf8();
        }
    }
    Cow::Borrowed(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_forbids_is_left_out() {
        assert_eq!(printable("a\u{0}b\u{1b}[31mc\u{fffe}\r\n\td\u{9f}é"), "ab[31mc\n\tdé");
        assert_eq!(line("one\r\ntwo\tthree"), "one  two three");
    }

    #[test]
    fn a_long_text_is_cut_between_letters_and_says_so() {
        let cost = char::len_utf8;
        assert_eq!(cut("short", 5, cost), "short");
        assert_eq!(cut("too long", 7, cost), "too …");
        assert_eq!(cut("ééééé", 9, cost), "éé …");
        assert!(cut("ééééé", 9, cost).len() <= 9);
        assert_eq!(cut("<<<", 8, |_| 4), "< …", "counted as it is written");
    }
}
