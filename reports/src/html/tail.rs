//! Section 4: the tail before, during and after the fault: quantiles as a table, and percentile curves on
//! HdrHistogram's axis, where every further "nine" has the same width, so that the slowest operation is as visible as
//! the median.

use maud::{Markup, Render as _, html};

use super::chart::{Axis, Chart, Content, Panel, Path, Readings, Series};
use super::parts::{named, section as titled, table};
use crate::run::{Curve, Figures, OpStats, Outcome, PhaseName, Quantiles, Run};
use crate::text;

pub(super) fn section(run: &Run) -> Markup {
    let content = html! {
        @if run.phases.is_empty() {
            p.quiet { "No phase was measured." }
        } @else {
            (phases(run))
            (curves(run))
            h3 { "By operation and outcome" }
            (operations(run))
        }
    };
    titled("tail", "The tail before, during and after", &content)
}

const QUANTILES: [&str; 6] = ["p50", "p90", "p95", "p99", "p99.9", "max"];

fn figures(quantiles: Option<Quantiles>) -> [String; 6] {
    match quantiles {
        Some(all) => [all.p50, all.p90, all.p95, all.p99, all.p999, all.max].map(text::millis),
        None => [const { String::new() }; 6],
    }
}

fn phases(run: &Run) -> Markup {
    let mut heads = vec!["Phase", "Operations", "Acknowledged", "Degraded", "Missing", "Errors"];
    heads.extend(QUANTILES);
    let closed = run.phases.iter().any(|phase| phase.figures.corrected.is_some());
    heads.extend(closed.then_some("corrected p99"));
    let rows = html! {
        @for phase in &run.phases {
            tr { td { (named(phase.name.name())) (when(&phase.figures)) } (cells(&phase.figures)) }
        }
        @for stretch in &run.stretches {
            tr { td { code { (stretch.scope) } (when(&stretch.figures)) } (cells(&stretch.figures)) }
        }
    };
    html! {
        (table(&heads, 1, &rows))
        @if closed { p.quiet { (CLOSED) } }
    }
}

const CLOSED: &str = "In a closed loop users send nothing while they wait, so the plain quantiles leave out the \
                      operations that a stall would have delayed. The corrected ones add them as HdrHistogram does.";

fn when(of: &Figures) -> Markup {
    html! { span.under.quiet.time { (text::window(of.from_ms, Some(of.to_ms))) } }
}

fn cells(of: &Figures) -> Markup {
    let counts = [
        text::count(of.ops),
        text::rate(of.rate),
        text::count(of.outcomes.of(Outcome::Degraded)),
        text::count(of.outcomes.of(Outcome::Missing)),
        text::percent(of.error_rate),
    ];
    let corrected = of.corrected.map(|all| text::millis(all.p99));
    html! { @for figure in counts.into_iter().chain(figures(of.response)).chain(corrected) { td.figure { (figure) } } }
}

/// One chart for all operations, and a small one per operation.
fn curves(run: &Run) -> Markup {
    let of = |op: Option<&str>| -> Vec<&Curve> {
        run.percentile_curves.iter().filter(|curve| curve.op.as_deref() == op && !curve.points.is_empty()).collect()
    };
    let all = of(None);
    let mut operations: Vec<&str> = Vec::new();
    for op in run.percentile_curves.iter().filter_map(|curve| curve.op.as_deref()) {
        if !operations.contains(&op) {
            operations.push(op);
        }
    }
    html! {
        @if !all.is_empty() { (draw("Response time by percentile", "all operations", "tall", &all)) }
        div.small-charts {
            @for op in operations {
                @let curves = of(Some(op));
                @if !curves.is_empty() { (draw(op, "", "middle", &curves)) }
            }
        }
    }
}

fn draw(title: &str, remark: &'static str, class: &'static str, curves: &[&Curve]) -> Markup {
    let most = curves.iter().map(|curve| curve.count).max().unwrap_or(0);
    let x = Axis::nines(most);
    let y = Axis::log_millis(curves.iter().flat_map(|curve| &curve.points).map(|point| point.response_ms));
    let mut pointer = Readings::default();
    if let Some(finest) = curves.iter().max_by_key(|curve| curve.points.len()) {
        for point in &finest.points {
            let percentile = drawn_percentile(point.percentile, finest.count);
            pointer.push(percentile, percentile_text(percentile));
        }
    }
    let series = curves.iter().map(|curve| {
        let mut path = Path::default();
        let mut readings = Readings::default();
        for point in &curve.points {
            let percentile = drawn_percentile(point.percentile, curve.count);
            path.to(x.place(percentile), y.place(point.response_ms));
            readings.push(percentile, text::millis(point.response_ms));
        }
        let (name, class) = (curve.phase.name().to_string(), line_class(curve.phase));
        Series { name, class, path: path.finish(), readings }
    });
    let series = series.collect();
    let panel = Panel { title: title.to_string(), remark, class, content: Content::Plot { y, series } };
    let label = format!("{title} {remark}, a curve per phase");
    Chart { label, x: &x, marks: Vec::new(), pointer, panels: vec![panel] }.render()
}

fn line_class(phase: PhaseName) -> &'static str {
    match phase {
        PhaseName::Before => "line before",
        PhaseName::During => "line during",
        PhaseName::Recovery => "line recovery",
        PhaseName::After => "line after",
    }
}

/// Where to draw a percentile: `count` operations cannot show anything beyond the slowest, which is the last
/// `1 / count` of them, and 100 % would be infinitely far to the right.
fn drawn_percentile(percentile: f64, count: u64) -> f64 {
    percentile.min(100.0 - 100.0 / count.max(1) as f64)
}

/// A percentile with as many decimals as its nines need.
fn percentile_text(percentile: f64) -> String {
    let nines = -(1.0 - percentile / 100.0).clamp(1e-9, 1.0).log10();
    let decimals = nines.ceil() as usize;
    format!("{percentile:.decimals$} %")
}

fn operations(run: &Run) -> Markup {
    let mut heads = vec!["Phase", "Operation", "Outcome", "Operations"];
    heads.extend(QUANTILES);
    heads.extend(["service p99", "slip p99"]);
    let rows = html! {
        @for phase in &run.phases {
            @for stats in &phase.operations { (operation(phase.name, stats)) }
        }
    };
    html! {
        (table(&heads, 3, &rows))
        p.quiet {
            "Response time runs from the planned instant, service time from the sending. The slip between them is \
             the generator's."
        }
    }
}

fn operation(phase: PhaseName, stats: &OpStats) -> Markup {
    let times = figures(Some(stats.response));
    html! {
        tr {
            td { (phase.name()) }
            td { code { (stats.op) } }
            td { (named(stats.outcome.name())) }
            td.figure { (text::count(stats.count)) }
            @for figure in times.into_iter().chain([stats.service.p99, stats.slip.p99].map(text::millis)) {
                td.figure { (figure) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_of_a_thousand_is_at_three_nines() {
        assert!((drawn_percentile(100.0, 1000) - 99.9).abs() < 1e-9);
        assert_eq!(drawn_percentile(50.0, 1000), 50.0);
        assert_eq!(drawn_percentile(100.0, 0), 0.0);
    }

    #[test]
    fn percentiles_show_the_decimals_that_tell_them_apart() {
        assert_eq!(percentile_text(50.0), "50.0 %");
        assert_eq!(percentile_text(99.95), "99.9500 %");
        assert_eq!(percentile_text(0.0), "0 %");
        assert_eq!(percentile_text(f64::NAN), "NaN %");
    }
}
