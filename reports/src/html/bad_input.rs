//! What becomes of any record of a run at all: a page, and a text for the terminal, in which nothing that a run says is
//! anything but text.

use std::path::PathBuf;

use super::{SCRIPT, STYLE, render_html};
use crate::run::Run;

const WORDS: [&str; 14] = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\\\"><b onclick=\\\"",
    "' style='",
    "&lt;",
    "]]>-->",
    "\\u0000\\u001b[31m\\u009b\\u2028",
    "\\ud83d\\ude00",
    "null",
    "1e308",
    "-1e308",
    "5e-324",
    "[]",
    "{}",
];

/// The elements and attributes of a page, in words.
const TAGS: &str = "html head meta link title style script body main section header h1 h2 h3 p ul li dl dt dd div span strong i \
                    code pre table thead tbody tr th td figure svg path details summary nav a";
const ATTRIBUTES: &str = "lang charset name content http-equiv rel href id class scope role style title d aria-label \
                          aria-hidden data-points viewBox preserveAspectRatio open colspan rowspan";
const WITHOUT_END: [&str; 2] = ["meta", "link"];

fn is_one_of(words: &str, word: &str) -> bool {
    words.split(' ').any(|known| known == word)
}

/// A part of `text` as long as `allowed`, and the rest.
fn taken(text: &str, allowed: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|letter| !allowed(letter)).unwrap_or(text.len()))
}

/// Whether each `&` begins one of the four references that stand for letters of HTML.
fn is_escaped(text: &str) -> bool {
    let references = ["amp;", "lt;", "gt;", "quot;"];
    !text.contains(['<', '>', '"'])
        && text.split('&').skip(1).all(|after| references.iter().any(|reference| after.starts_with(reference)))
}

/// The page consists of the elements and attributes that this crate writes, each in its place, and of text.
fn is_sound(page: &str) {
    let page = page.replacen(STYLE, "", 1).replacen(SCRIPT, "", 1);
    let mut rest = page.strip_prefix("<!DOCTYPE html>").expect("a page");
    let mut open = Vec::new();
    while let Some((text, tag)) = rest.split_once('<') {
        assert!(is_escaped(text), "{text}");
        let (end, tag) = tag.strip_prefix('/').map_or((false, tag), |tag| (true, tag));
        let (name, mut tag) = taken(tag, |letter| letter.is_ascii_alphanumeric());
        assert!(is_one_of(TAGS, name), "<{name}>");
        while let Some(attribute) = tag.strip_prefix(' ') {
            let (name, after) = taken(attribute, |letter| letter.is_ascii_alphabetic() || letter == '-');
            assert!(is_one_of(ATTRIBUTES, name), "{name:?} in {attribute:.200}");
            tag = after;
            if let Some(value) = after.strip_prefix("=\"") {
                let (value, after) = value.split_once('"').expect("the end of an attribute");
                assert!(is_escaped(value), "{name}={value}");
                tag = after;
            }
        }
        rest = tag.strip_prefix('>').unwrap_or_else(|| panic!("<{name} {tag:.200}"));
        match end {
            true => assert_eq!(open.pop(), Some(name)),
            false if WITHOUT_END.contains(&name) => {}
            false => open.push(name),
        }
    }
    assert!(rest.is_empty() && open.is_empty(), "{rest} {open:?}");
    assert!(page.chars().all(|letter| !letter.is_control() || matches!(letter, '\n' | '\t')));
}

#[test]
fn any_record_is_refused_with_a_reason_or_rendered_with_all_that_it_says_as_text() {
    firedrill_fuzz::fuzz("run", &WORDS, |input| {
        let text = String::from_utf8_lossy(input);
        let run = match Run::parse(&text, PathBuf::from("run.json")) {
            Ok(run) => run,
            Err(error) => return assert!(error.to_string().starts_with("run.json "), "{error}"),
        };
        is_sound(&render_html(&run));
        #[cfg(feature = "terminal")]
        {
            use crate::terminal::{Style, drill, summary};
            let style = Style { colour: false, width: 100 };
            for text in [drill(&run, style), summary([&run], style)] {
                assert!(text.chars().all(|letter| letter == '\n' || !letter.is_control()), "{text:?}");
            }
        }
        let again = Run::parse(&serde_json::to_string(&run).unwrap(), PathBuf::from("run.json")).unwrap();
        assert_eq!(render_html(&again), render_html(&run));
    });
}
