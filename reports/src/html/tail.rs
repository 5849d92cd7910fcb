//! Section 5: the tail before, during and after the fault: quantiles as a table, and percentile curves on
//! HdrHistogram's axis, where every further "nine" has the same width, so that the slowest operation is as visible as
//! the median.

use maud::{Markup, Render as _, html};

use super::chart::{Axis, Chart, Content, Panel, Path, Readings, Series};
use super::parts::{fold, named, section as titled, table};
use super::words;
use crate::run::{Curve, Figures, OpStats, Outcome, OutcomeCounts, Phase, PhaseName, Quantiles, Run, Stretch};
use crate::text;

pub(super) fn section(run: &Run) -> Markup {
    let content = html! {
        @if run.phases.is_empty() {
            p.quiet { "No phase was measured." }
        } @else {
            (phases(run))
            (by_operation(run))
            (curves(run))
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
        @for (heading, stretches) in groups(run) {
            tr.heading { th colspan=(heads.len()) scope="rowgroup" { (heading) } }
            @for stretch in stretches {
                tr { td { code { (stretch.scope) } (when(&stretch.figures)) } (cells(&stretch.figures)) }
            }
        }
    };
    html! {
        (table(&heads, 1, &rows))
        @if closed { p.quiet { (CLOSED) } }
    }
}

/// The stretches by what they are of; kinds without any are left out.
fn groups(run: &Run) -> Vec<(&'static str, Vec<&Stretch>)> {
    let of = |prefix: &str| run.stretches.iter().filter(|stretch| stretch.scope.starts_with(prefix)).collect();
    let groups = [("By fault", of("fault.")), ("By load block", of("load."))];
    groups.into_iter().filter(|(_, stretches): &(_, Vec<&Stretch>)| !stretches.is_empty()).collect()
}

/// Each operation with its errors and its tail in each phase.
fn by_operation(run: &Run) -> Markup {
    let ops: Vec<&str> = {
        let mut ops = Vec::new();
        for stats in run.phases.iter().flat_map(|phase| &phase.operations) {
            if !ops.contains(&stats.op.as_str()) {
                ops.push(&stats.op);
            }
        }
        ops
    };
    let phases: Vec<&Phase> = run.phases.iter().collect();
    let rows = html! {
        @for op in ops {
            tr {
                td { code { (op) } }
                @let all = phases.iter().fold(0_u64, |sum, phase| sum.saturating_add(counts(phase, op).total()));
                td.figure { (text::count(all)) }
                @for phase in &phases {
                    @let counts = counts(phase, op);
                    @if counts.total() == 0 {
                        td.figure { "–" }
                        td.figure { "–" }
                    } @else {
                        td.figure.alarm[counts.errors() > 0 || counts.missing > 0] { (not_well(counts)) }
                        td.figure { (p99(run, phase.name, op)) }
                    }
                }
            }
        }
    };
    html! {
        h3 { "By operation" }
        div.scroll {
            table {
                thead {
                    tr {
                        th scope="col" rowspan="2" { "Operation" }
                        th.figure scope="col" rowspan="2" { "Operations" }
                        @for phase in &phases { th.over scope="colgroup" colspan="2" { (named(phase.name.name())) } }
                    }
                    tr { @for _ in &phases { th.figure scope="col" { "not well" } th.figure scope="col" { "p99" } } }
                }
                tbody { (rows) }
            }
        }
        p.quiet { "Not well: failed, unknown or missing. p99 is of the response time, whatever the outcome." }
    }
}

fn counts(phase: &Phase, op: &str) -> OutcomeCounts {
    let mut counts = OutcomeCounts::default();
    for stats in phase.operations.iter().filter(|stats| stats.op == op) {
        counts.add(stats.outcome, stats.count);
    }
    counts
}

/// The share of operations whose users did not get what they asked for.
fn not_well(counts: OutcomeCounts) -> String {
    text::percent(counts.errors().saturating_add(counts.missing) as f64 / counts.total().max(1) as f64)
}

/// The 99th percentile of an operation's response times in a phase, from its curve.
fn p99(run: &Run, phase: PhaseName, op: &str) -> String {
    let curve = run.percentile_curves.iter().find(|curve| curve.phase == phase && curve.op.as_deref() == Some(op));
    let point = curve.and_then(|curve| curve.points.iter().find(|point| point.percentile >= 99.0));
    point.map_or_else(|| "–".to_string(), |point| text::millis(point.response_ms))
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
    let small = html! {
        div.small-charts {
            @for &op in &operations {
                @let curves = of(Some(op));
                @if !curves.is_empty() { (draw(op, "", "middle", &curves)) }
            }
        }
    };
    let summary = html! { "Response time by percentile, operation by operation" };
    html! {
        @if !all.is_empty() { (draw("Response time by percentile", "all operations", "tall", &all)) }
        @if !operations.is_empty() { (fold(&summary, false, false, &small)) }
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
    let label = format!("{title} {remark}, a curve per phase. {}", words::of_curves(curves));
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
    let content = html! {
        (table(&heads, 3, &rows))
        p.quiet {
            "Response time runs from the planned instant, service time from the sending. The slip between them is \
             the generator's."
        }
    };
    fold(&html! { "By operation, phase and outcome" }, false, false, &content)
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
