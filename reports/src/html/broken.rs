//! Section 3: what was lost or otherwise broken, and why: a line per cause with its operations. The offences themselves are
//! folded.

use maud::{Markup, html};

use super::impact;
use super::parts::{chip, fold, section as titled, table};
use crate::describe;
use crate::run::{Check, CheckVerdict, Offence, OffenceCause, Run};
use crate::text;

pub(super) fn section(run: &Run) -> Markup {
    let broken: Vec<&Check> = run.checks.iter().filter(|check| check.offences > 0).collect();
    let content = html! {
        (impact::table_of(run))
        @if broken.is_empty() {
            p { (none(run)) }
        } @else {
            @for check in &broken { (of_check(check)) }
            p.quiet {
                code { "firedrill history RUN" }
                " with the flags of a line shows its operations; RUN is the folder of this page."
            }
        }
    };
    titled("lost", "What was lost, and why", &content)
}

/// That nothing was found, and by how many that is said.
fn none(run: &Run) -> String {
    let unknown = run.checks.iter().filter(|check| check.verdict == CheckVerdict::Unknown).count() as u64;
    match (run.checks.len(), unknown) {
        (0, _) => "No checker judged this run, so nothing is known of losses.".to_owned(),
        (_, 0) => "No check found an offence.".to_owned(),
        (_, unknown) => format!("No check found an offence, but {} cannot tell.", text::counted(unknown, "check")),
    }
}

/// The most causes that are shown; further ones are folded.
const CAUSES: usize = 8;

fn of_check(check: &Check) -> Markup {
    let of_sessions = match check.sessions {
        0 => String::new(),
        sessions => format!(", of {}", text::counted(sessions, "session")),
    };
    let explained = check.causes.iter().fold(0_u64, |sum, cause| sum.saturating_add(cause.offences));
    let rest = check.offences.saturating_sub(explained);
    let unexplained: Vec<&Offence> = check.samples.iter().filter(|sample| is_unexplained(check, sample)).collect();
    html! {
        div.broken {
            h3 { (chip(check)) " " code { (check.name) } " " (text::counted(check.offences, "offence")) (of_sessions) }
            ul.causes {
                @for cause in check.causes.iter().take(CAUSES) { (of_cause(check, cause)) }
                @for (first, alike) in by_shape(&unexplained) { (of_shape(first, alike, rest, unexplained.len() as u64)) }
                @if rest > 0 && unexplained.is_empty() {
                    li { (text::count(rest)) " more, which " code { "run.json" } " does not describe." }
                }
            }
            @if check.causes.len() > CAUSES { (further(check)) }
            @if !check.samples.is_empty() { (samples(check)) }
        }
    }
}

fn further(check: &Check) -> Markup {
    let further = check.causes.iter().skip(CAUSES);
    let summary = html! { (text::counted(further.len() as u64, "further cause")) };
    fold(&summary, false, false, &html! { ul.causes { @for cause in further { (of_cause(check, cause)) } } })
}

fn is_unexplained(check: &Check, sample: &Offence) -> bool {
    !check.causes.iter().any(|cause| cause.text == sample.cause)
}

/// A cause with its operations.
fn of_cause(check: &Check, cause: &OffenceCause) -> Markup {
    let kinds: Vec<String> =
        cause.kinds.iter().map(|kind| format!("{} {}", text::count(kind.count), kind.op)).collect();
    let when = match cause.from_ms == cause.to_ms {
        true => format!("at {}", text::moment(cause.from_ms)),
        false => text::window(cause.from_ms, Some(cause.to_ms)),
    };
    let flags = describe::operations_flag(&cause.operations);
    let noun = if check.name == "lost-writes" { "write" } else { "offence" };
    html! {
        li {
            strong { (text::counted(cause.offences, noun)) } " of " (text::counted(cause.sessions, "session")) ": "
            strong { (cause.text) } ". "
            span.quiet { (kinds.join(", ")) ", acknowledged " (when) "." }
            @if let Some(flags) = flags { " The first: " code.flags { (flags) } }
        }
    }
}

/// Offences whose texts differ only in numbers, by the first of them.
fn of_shape(first: &Offence, alike: u64, offences: u64, described: u64) -> Markup {
    let hidden = offences.saturating_sub(described);
    html! {
        li {
            (describe::offence(first))
            @if alike > 1 { ", and " (text::count(alike - 1)) " like it" }
            @if alike == described && hidden > 0 { ", and " (text::count(hidden)) " that are not described" }
            ". "
            @if let Some(flags) = describe::history_flags(first) { code.flags { (flags) } }
        }
    }
}

/// The offences grouped by their texts without numbers, in order of time, each group with its size.
fn by_shape<'a>(offences: &[&'a Offence]) -> Vec<(&'a Offence, u64)> {
    let mut groups: Vec<(String, &Offence, u64)> = Vec::new();
    for &offence in offences {
        let shape = shape(&offence.text);
        match groups.iter_mut().find(|(known, ..)| *known == shape) {
            Some((.., count)) => *count += 1,
            None => groups.push((shape, offence, 1)),
        }
    }
    groups.into_iter().map(|(_, first, count)| (first, count)).collect()
}

/// A text without its numbers.
fn shape(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_ascii_digit() && !matches!(letter, '.' | ',' | '-')).collect()
}

/// The described offences, folded.
fn samples(check: &Check) -> Markup {
    let rows = html! {
        @for offence in &check.samples {
            @let operations: Vec<String> = offence.operations.iter().map(u64::to_string).collect();
            tr {
                td.time { (offence.at_ms.map(text::moment).unwrap_or_default()) }
                td { (offence.session) }
                td { (operations.join(", ")) }
                td { (offence.text) }
                td { @if let Some(flags) = describe::history_flags(offence) { code { (flags) } } }
            }
        }
    };
    let shown = check.samples.len() as u64;
    let summary = match check.offences.saturating_sub(shown) {
        0 => html! { (text::counted(shown, "offence")) ", one by one" },
        _ => html! { "The first " (text::count(shown)) " of " (text::count(check.offences)) " offences, one by one" },
    };
    fold(&summary, false, false, &table(&["At", "Session", "Operations", "What happened", "Show with"], 5, &rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offences_that_differ_only_in_numbers_are_one_group() {
        let offence = |text: &str| Offence {
            session: String::new(),
            operations: Vec::new(),
            at_ms: None,
            text: text.to_owned(),
            cause: String::new(),
        };
        let all = [
            offence("session 17: read 31 at 6.13 s finds 4 items"),
            offence("session 9: read 8 at 16.1 s finds 12 items"),
            offence("session 9: read 8 finds no session"),
        ];
        let groups = by_shape(&all.iter().collect::<Vec<_>>());
        let found: Vec<(&str, u64)> = groups.iter().map(|(first, count)| (first.text.as_str(), *count)).collect();
        assert_eq!(found, [(all[0].text.as_str(), 2), (all[2].text.as_str(), 1)]);
    }
}
