//! GitHub's Markdown (<https://github.github.com/gfm/>) around text that may contain anything.

use super::plain;

/// `text` in one line, shown as it is: a backslash makes punctuation a letter (GFM, 2.4).
pub(super) fn escaped(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for letter in plain::line(text).chars() {
        if matches!(letter, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '$' | '&' | '#' | '@') {
            written.push('\\');
        }
        written.push(letter);
    }
    written
}

/// The beginning of `text`, escaped, of at most `limit` bytes.
pub(super) fn short(text: &str, limit: usize) -> String {
    // Twice is what escaping costs at most.
    escaped(&plain::cut(text, limit, |letter| letter.len_utf8().max(2)))
}

/// `text` as a block of code, of at most about `limit` bytes.
pub(super) fn block(language: &str, text: &str, limit: usize) -> String {
    let text = plain::printable(text);
    let text = plain::cut(&text, limit, char::len_utf8);
    // A fence ends at the first line of at least as many backticks (GFM, 4.5).
    let longest = text.split(|letter| letter != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{text}\n{fence}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_cell_or_become_markup() {
        assert_eq!(escaped("a|b\n<img src=x> `c` @team #1"), "a\\|b \\<img src=x\\> \\`c\\` \\@team \\#1");
        assert_eq!(short("<<<<", 100), "\\<\\<\\<\\<");
        assert!(short(&"<".repeat(100), 50).len() <= 50);
    }

    #[test]
    fn a_block_ends_where_it_should() {
        assert_eq!(block("sh", "a", 100), "```sh\na\n```\n");
        assert_eq!(block("", "a\n````\nb", 100), "`````\na\n````\nb\n`````\n");
    }
}
