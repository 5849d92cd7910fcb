//! The charts in words: for readers who do not see them, and for those who want figures.

use maud::{Markup, html};

use super::chart::{Lane, Stretch};
use super::parts::{fold, table};
use crate::run::{Curve, Phase, Timeline};
use crate::text;

/// The timeline in a sentence per phase.
pub(super) fn of_phases(phases: &[Phase]) -> String {
    let sentence = |phase: &Phase| {
        let figures = &phase.figures;
        let p99 = figures.response.map_or_else(String::new, |all| format!(", p99 {}", text::millis(all.p99)));
        format!(
            "{} {}: {} acknowledged, {} errors{p99}.",
            phase.name.name(),
            text::window(figures.from_ms, Some(figures.to_ms)),
            text::rate(figures.rate),
            text::percent(figures.error_rate)
        )
    };
    phases.iter().map(sentence).collect::<Vec<_>>().join(" ")
}

/// Percentile curves in a sentence per phase.
pub(super) fn of_curves(curves: &[&Curve]) -> String {
    let sentence = |curve: &&Curve| {
        let at = |percentile: f64| curve.points.iter().find(|point| point.percentile >= percentile);
        let value =
            |percentile| at(percentile).map_or_else(|| "–".to_string(), |point| text::millis(point.response_ms));
        format!("{}: median {}, p99 {}, slowest {}.", curve.phase.name(), value(50.0), value(99.0), value(100.0))
    };
    curves.iter().map(sentence).collect::<Vec<_>>().join(" ")
}

/// The charts' figures in slices, and the bands over them, folded. `timeline` has few buckets; where several were merged, a
/// quantile is the worst of theirs.
pub(super) fn of_timeline(timeline: &Timeline, lanes: &[Lane]) -> Markup {
    let summary = html! { "The same as tables: the bands, and the figures in " (text::counted(timeline.buckets.len() as u64, "slice")) };
    fold(&summary, false, false, &html! { (bands(lanes)) (slices(timeline)) })
}

fn bands(lanes: &[Lane]) -> Markup {
    let rows = html! {
        @for (lane, bar) in lanes.iter().flat_map(|lane| lane.bars.iter().map(move |bar| (lane, bar))) {
            tr {
                td { (lane.name) }
                td.time { (text::window(bar.from, Some(bar.to))) }
                td { (said(bar)) }
            }
        }
    };
    table(&["Band", "When", "What"], 3, &rows)
}

fn said(bar: &Stretch) -> &str {
    if bar.text.is_empty() { &bar.title } else { &bar.text }
}

fn slices(timeline: &Timeline) -> Markup {
    let width = if timeline.bucket_ms.is_finite() && timeline.bucket_ms > 0.0 { timeline.bucket_ms } else { 1000.0 };
    let rate = |count: u64| text::rate(count as f64 * 1000.0 / width);
    let rows = html! {
        @for bucket in &timeline.buckets {
            @let outcomes = bucket.outcomes;
            tr {
                td.time { (text::window(bucket.from_ms, Some(bucket.from_ms + timeline.bucket_ms))) }
                @for count in [bucket.planned, outcomes.ok, outcomes.degraded, outcomes.missing, outcomes.errors()] {
                    td.figure { (rate(count)) }
                }
                @let response = bucket.response.map(|all| [all.p50, all.p99, all.max].map(text::millis));
                @for figure in response.unwrap_or_default() { td.figure { (figure) } }
            }
        }
    };
    table(&["When", "Planned", "ok", "Degraded", "Missing", "Errors", "p50", "p99", "max"], 1, &rows)
}
