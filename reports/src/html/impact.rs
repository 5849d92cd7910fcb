//! What the drill meant to the users: sessions that lost something, were not found, were refused or had to wait.

use maud::{Markup, html};

use super::parts::table;
use crate::run::{Impact, Run, Touched};
use crate::text;

/// What was asked of `run`, as a table; nothing for a run that does not say.
pub(super) fn table_of(run: &Run) -> Markup {
    html! { @if let Some(impact) = &run.impact { (rows(impact)) } }
}

fn rows(impact: &Impact) -> Markup {
    let delayed = format!("later than {}", text::millis(impact.delayed_over_ms));
    let all = [
        ("lost", "acknowledged writes that are gone at the end", impact.lost),
        ("not found", "answered \"no such session\", for a session that must exist", Some(impact.not_found)),
        ("refused", "an error, or no answer", Some(impact.refused)),
        ("delayed", delayed.as_str(), Some(impact.delayed)),
    ];
    let rows = html! {
        @for (name, about, touched) in all {
            tr {
                td { strong { (name) } span.under.quiet { (about) } }
                @match touched {
                    Some(touched) => { (cells(&touched, impact.sessions)) }
                    None => { td.figure { "not known" } td {} td {} td {} td {} }
                }
            }
        }
    };
    table(&["Users' sessions", "Sessions", "Share", "Operations", "When", "Longest for one"], 1, &rows)
}

fn cells(touched: &Touched, sessions: u64) -> Markup {
    let share = if sessions == 0 { 0.0 } else { touched.sessions as f64 / sessions as f64 };
    html! {
        td.figure.alarm[touched.sessions > 0] { (text::count(touched.sessions)) }
        td.figure { (text::percent(share)) }
        td.figure { (text::count(touched.operations)) }
        td.figure { @if let Some(from) = touched.from_ms { (text::window(from, touched.to_ms)) } }
        td.figure { @if let Some(longest) = touched.longest_ms { (text::millis(longest)) } }
    }
}
