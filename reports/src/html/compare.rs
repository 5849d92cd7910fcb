//! Comparisons as one self-contained page, in the report's look: the verdict, what was compared, and each figure with its
//! interval. Colour is kept for what is certain.

use maud::{Markup, html};

use super::page;
use super::parts::{Answer, chip, tile};
use crate::compare::{Change, Comparison, Difference, Interval, Origin, Row};
use crate::text;

/// How many margins the axis of an interval reaches to either side.
const AXIS: f64 = 4.0;

/// Renders the comparisons of several scenarios as a complete page.
pub fn render_comparison(comparisons: &[Comparison]) -> String {
    let worst = |change: Change| comparisons.iter().any(|one| one.change == change);
    let order = [Change::Regressed, Change::NotComparable, Change::Improved, Change::Unclear, Change::Unchanged];
    let change = order.into_iter().find(|&change| worst(change)).unwrap_or(Change::NotComparable);
    let title = match comparisons {
        [one] => format!("{} compared: {}", one.scenario, one.change.word()),
        several => format!("{} scenarios compared: {}", several.len(), change.word()),
    };
    let content = html! {
        @if comparisons.len() > 1 { (overview(comparisons, change)) }
        @for one in comparisons { (scenario(one)) }
        (method(comparisons))
    };
    page(&title, &content)
}

impl Answer for Change {
    fn chip(self) -> (&'static str, &'static str) {
        let class = match self {
            Change::Improved => "good",
            Change::Regressed => "bad",
            Change::Unchanged | Change::Unclear | Change::NotComparable => "plain",
        };
        (class, self.word())
    }
}

/// The banner's class: a page without a certain change has no colour, one without a comparison is doubtful.
fn class(change: Change) -> &'static str {
    match change {
        Change::NotComparable => "doubtful",
        change => change.chip().0,
    }
}

fn overview(comparisons: &[Comparison], change: Change) -> Markup {
    html! {
        section {
            header class={ "banner " (class(change)) } {
                p.word { (change.word()) }
                h1 { (comparisons.len()) " scenarios compared" }
            }
            ul.plainlist {
                @for one in comparisons {
                    li { (chip(one.change)) " " a href={ "#" (anchor(one)) } { (one.scenario) } " " span.quiet { (one.headline()) } }
                }
            }
        }
    }
}

/// A name for links within the page: what a scenario's name may hold must not end the attribute or the link.
fn anchor(comparison: &Comparison) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    format!("compared-{}", comparison.scenario.chars().map(plain).collect::<String>())
}

fn scenario(comparison: &Comparison) -> Markup {
    let change = comparison.change;
    html! {
        section id=(anchor(comparison)) {
            header class={ "banner " (class(change)) } {
                p.word { (change.word()) }
                h1 { (comparison.scenario) }
                @if comparison.refused.is_empty() {
                    p.reasons { (comparison.headline()) }
                } @else {
                    ul.reasons { @for reason in &comparison.refused { li { (reason) } } }
                }
            }
            @if comparison.refused.is_empty() { (tiles(comparison)) }
            h2 { "What was compared" }
            (origins(comparison))
            (differences(&comparison.differences))
            (groups(comparison))
        }
    }
}

fn tiles(comparison: &Comparison) -> Markup {
    let (baseline, runs) = (comparison.baseline.len(), comparison.runs.len());
    let (sample, beside) = match comparison.by_runs {
        true => (format!("{} runs", baseline + runs), format!("{baseline} before, {runs} now")),
        false => ("slices".to_owned(), "of one run on each side".to_owned()),
    };
    html! {
        div.tiles {
            @for change in Change::ALL {
                @let count = comparison.count(change);
                @if count > 0 || matches!(change, Change::Regressed | Change::Improved) {
                    div.tile.alarm[change == Change::Regressed && count > 0] {
                        span.label { (change.word()) }
                        span.value { (text::count(count as u64)) }
                    }
                }
            }
            (tile("Sample", &sample, &beside))
        }
    }
}

fn origins(comparison: &Comparison) -> Markup {
    let line = |origin: &Origin| {
        let Origin { started_at, seed, firedrill_version, verdict, .. } = origin;
        format!("{started_at}, seed {seed}, {}, Firedrill {firedrill_version}", verdict.name())
    };
    html! {
        dl.origins {
            @for (side, origins) in [("Baseline", &comparison.baseline), ("Run", &comparison.runs)] {
                dt { (side) }
                @if origins.is_empty() { dd { "none" } }
                @for origin in origins { dd { code { (origin.place) } span.under.quiet { (line(origin)) } } }
            }
        }
    }
}

fn differences(differences: &[Difference]) -> Markup {
    let shown = |value: &str| if value.is_empty() { "–".to_owned() } else { value.to_owned() };
    html! {
        @if !differences.is_empty() {
            h3 { "What else differs" }
            dl.origins {
                @for one in differences {
                    dt { (one.what) }
                    dd { (shown(&one.before)) " → " (shown(&one.now)) }
                }
            }
        }
    }
}

fn groups(comparison: &Comparison) -> Markup {
    html! {
        @for rows in comparison.rows.chunk_by(|one, other| one.group == other.group) {
            @if let Some(first) = rows.first() {
                @let measured = rows.iter().any(|row| row.interval.is_some());
                h2 { (first.group.heading()) }
                table.compared {
                    thead {
                        tr {
                            th scope="col" { "Verdict" }
                            th scope="col" { "Figure" }
                            th.figure scope="col" { "Baseline" }
                            th.figure scope="col" { "Now" }
                            @if measured {
                                th.figure scope="col" { "Change" }
                                th scope="col" { "Interval" }
                            } @else {
                                td {}
                                td {}
                            }
                        }
                    }
                    tbody { @for one in rows { (row(one)) } }
                }
            }
        }
    }
}

fn row(row: &Row) -> Markup {
    html! {
        tr class=(row.change.name()) {
            td.verdict { (chip(row.change)) }
            td.name {
                code { (row.name) }
                @if !row.note.is_empty() { span.under.quiet { (row.note) } }
            }
            td.figure.before { (row.before) }
            td.figure.now { (row.now) }
            @match &row.interval {
                Some(one) => {
                    td.figure.change { (one.text()) }
                    td.interval { (interval(one)) }
                }
                None => { td.change {} td.interval {} }
            }
        }
    }
}

/// The interval as a bar on an axis with the margins shaded, and as text.
fn interval(interval: &Interval) -> Markup {
    let place = |change: f64| 50.0 + 50.0 * (interval.in_margins(change) / AXIS).clamp(-1.0, 1.0);
    let (low, high) = (place(interval.low), place(interval.high));
    let bar = format!("left:{low:.1}%;width:{:.1}%", (high - low).max(0.6));
    let middle = format!("left:{:.1}%", place(interval.change));
    html! {
        span.axis role="img" aria-label={ "interval " (interval.range_text()) } {
            i.margin {}
            i.bar style=(bar) {}
            i.at style=(middle) {}
        }
        span.range { (interval.range_text()) }
    }
}

/// How the verdicts came about, in words.
fn method(comparisons: &[Comparison]) -> Markup {
    let judged: Vec<&Comparison> = comparisons.iter().filter(|one| one.refused.is_empty()).collect();
    let Some(first) = judged.first() else { return Markup::default() };
    html! {
        section {
            h2 { "How to read it" }
            p {
                "An interval holds what the change may be, given how much the figure varies. All intervals of a scenario hold "
                "together with 95 %. The grey part of an axis is the margin: changes of up to "
                (text::percent(first.margin)) " do not count. A figure "
                strong { "regressed" } " or " strong { "improved" } " if it changed by more than the margin and its interval does "
                "not hold 0; it is "
                strong { "unchanged" } " if its whole interval lies within it, and is " strong { "unclear" }
                " otherwise: then the run cannot tell, and a longer load or several runs can."
            }
            @if judged.iter().any(|one| !one.by_runs) {
                p {
                    "With one run on each side, intervals come from slices of the runs. They do not show what differs from one "
                    "run to the next; four runs in all do."
                }
            }
        }
    }
}
