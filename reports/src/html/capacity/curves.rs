//! The curves of a capacity search: against the rate that was asked for, and against the operations in flight.

use maud::{Markup, html};

use super::super::chart::{Axis, Chart, Content, Panel, Path, Readings, Series, Stretch};
use super::super::parts::section;
use crate::capacity::words::{interval, knee, peak};
use crate::capacity::{Capacity, Knee, Scalability, Step, StepVerdict};
use crate::text;

/// Steps within about this ratio of their rates are one point of a line: their median.
const ONE_POINT: f64 = 1.03;

/// What a panel shows of steps.
struct Line {
    name: &'static str,
    class: &'static str,
    of: fn(&Step) -> f64,
    says: fn(f64) -> String,
}

const TIMES: [Line; 2] = [
    Line { name: "p99", class: "line p99", of: |step| step.p99_ms, says: text::millis },
    Line { name: "p50", class: "line p50", of: |step| step.p50_ms, says: text::millis },
];

const ERRORS: [Line; 1] = [Line {
    name: "failed or unknown",
    class: "line during",
    of: |step| step.errors * 100.0,
    says: |percent| text::percent(percent / 100.0),
}];

const THROUGHPUT: [Line; 1] =
    [Line { name: "answered", class: "line p95", of: |step| step.throughput, says: text::rate }];

/// Response times, errors and throughput against the rate, with the knee's interval as a band.
pub fn rates(capacity: &Capacity) -> Markup {
    let mut steps: Vec<&Step> = capacity.on_target().filter(|step| step.verdict != StepVerdict::Distrusted).collect();
    steps.sort_by(|one, other| one.rate.total_cmp(&other.rate));
    let highest = |of: fn(&Step) -> f64| steps.iter().map(|step| of(step)).fold(0.0, f64::max);
    let x = Axis::from_zero(highest(|step| step.rate), 8.0, text::rate);
    let mut pointer = Readings::default();
    steps.iter().for_each(|step| pointer.push(step.rate, text::rate(step.rate)));
    let panel = |title: &str, remark, class, y: Axis, lines: &[Line]| {
        let series = lines.iter().map(|line| series(line, &steps, &x, &y)).collect();
        Panel { title: title.to_owned(), remark, class, content: Content::Plot { y, series } }
    };
    let times = Axis::log_millis(steps.iter().flat_map(|step| [step.p50_ms, step.p99_ms]));
    let errors =
        Axis::from_zero(highest(|step| step.errors * 100.0).max(0.1), 2.0, |share| text::percent(share / 100.0));
    let answered = Axis::from_zero(highest(|step| step.throughput), 3.0, text::rate);
    let panels = vec![
        panel("Response time", "from when an operation was due", "tall", times, &TIMES),
        panel("Errors", "", "low", errors, &ERRORS),
        panel("Throughput", "", "low", answered, &THROUGHPUT),
    ];
    let marks = band(&capacity.knee).into_iter().collect();
    let label = "Response time, errors and throughput against the rate".to_owned();
    let chart = Chart { label, x: &x, marks, pointer, panels };
    let content = html! {
        p.quiet { "By the rate asked for; steps at nearly the same rate are one point, their median. The band is the 90 % interval of the \
             highest rate." }
        (chart)
    };
    section("rates", "Against the rate", &content)
}

fn series(line: &Line, steps: &[&Step], x: &Axis, y: &Axis) -> Series {
    let (mut path, mut readings) = (Path::default(), Readings::default());
    let place = |step: &Step| (step.rate.max(1.0).ln() / ONE_POINT.ln()).floor();
    for near in steps.chunk_by(|one, next| place(one) == place(next)) {
        let (rate, value) = (median(near, |step| step.rate), median(near, line.of));
        path.to(x.place(rate), y.place(value));
        readings.push(rate, (line.says)(value));
    }
    Series { name: line.name.to_owned(), class: line.class, path: path.finish(), readings }
}

fn median(steps: &[&Step], of: impl Fn(&Step) -> f64) -> f64 {
    let mut values: Vec<f64> = steps.iter().map(|step| of(step)).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// The knee's interval.
fn band(of: &Knee) -> Option<Stretch> {
    let (from, to) = match of {
        Knee::At { low, high, .. } => (*low, *high),
        Knee::AtLeast { rate } | Knee::Below { rate } => (*rate, *rate),
        Knee::Unknown { .. } | Knee::NotAsked => return None,
    };
    Some(Stretch { class: "fault", from, to, text: String::new(), title: format!("{} {}", knee(of), interval(of)) })
}

/// Points of the curve of the scalability law.
const POINTS: u32 = 100;

/// The curve goes on beyond what was measured by this factor, the farthest that is not called extrapolated.
const BEYOND: f64 = 1.5;

/// Throughput against operations in flight, with the scalability law if it was fitted; nothing without two steps that tell.
pub fn concurrency(capacity: &Capacity) -> Markup {
    let mut steps: Vec<&Step> = capacity.on_target().filter(|step| step.verdict != StepVerdict::Distrusted).collect();
    if steps.len() < 2 {
        return Markup::default();
    }
    steps.sort_by(|one, other| one.in_flight.total_cmp(&other.in_flight));
    let law = capacity.scalability.as_ref();
    // Past the knee, operations pile up: how many is a matter of the step's length.
    let highest = match law {
        Some(law) => law.measured_to * BEYOND,
        None => steps.iter().filter(|step| step.verdict.is_steady()).map(|step| step.in_flight).fold(1.0, f64::max),
    };
    steps.retain(|step| step.in_flight <= highest);
    let x = Axis::from_zero(highest, 8.0, text::number);
    let top = steps.iter().map(|step| step.throughput).fold(0.0, f64::max);
    let fitted =
        law.map(|law| (0..=POINTS).map(|n| at(law, highest * f64::from(n) / f64::from(POINTS))).fold(0.0, f64::max));
    let y = Axis::from_zero(top.max(fitted.unwrap_or_default()), 5.0, text::rate);
    let mut pointer = Readings::default();
    steps.iter().for_each(|step| pointer.push(step.in_flight, format!("{} in flight", text::number(step.in_flight))));
    let mut series = Vec::new();
    if let Some(law) = law {
        let (mut path, mut readings) = (Path::default(), Readings::default());
        for n in 0..=POINTS {
            let place = highest * f64::from(n) / f64::from(POINTS);
            path.to(x.place(place), y.place(at(law, place)));
            readings.push(place, text::rate(at(law, place)));
        }
        series.push(Series { name: "scalability law".to_owned(), class: "line p50", path: path.finish(), readings });
    }
    for (name, class, steady) in [("steady steps", "line dots p99", true), ("other steps", "line dots during", false)] {
        let (mut path, mut readings) = (Path::default(), Readings::default());
        for step in steps.iter().filter(|step| step.verdict.is_steady() == steady) {
            path.to(x.place(step.in_flight), y.place(step.throughput));
            path.gap();
            readings.push(step.in_flight, text::rate(step.throughput));
        }
        series.push(Series { name: name.to_owned(), class, path: path.finish(), readings });
    }
    let content = Content::Plot { y, series };
    let panels =
        vec![Panel { title: "Throughput".to_owned(), remark: "by operations in flight", class: "tall", content }];
    let label = "Throughput against operations in flight".to_owned();
    let chart = Chart { label, x: &x, marks: Vec::new(), pointer, panels };
    let said = match law {
        Some(law) => format!(
            "Each step is a dot. The line is the Universal Scalability Law, fitted to the steady steps: {}, with one in flight {} \
             (σ {:.2}, κ {:.1e}). Measured up to {} in flight.",
            peak(law),
            text::rate(law.lambda[0]),
            law.sigma[0],
            law.kappa[0],
            text::number(law.measured_to)
        ),
        None => "Each step is a dot. The scalability law takes six steady steps with different numbers in flight."
            .to_owned(),
    };
    section("concurrency", "Against operations in flight", &html! { p.quiet { (said) } (chart) })
}

/// X(N), operations per second with `n` in flight.
fn at(law: &Scalability, n: f64) -> f64 {
    let [lambda, sigma, kappa] = [law.lambda, law.sigma, law.kappa].map(|of| of[0]);
    lambda * n / (1.0 + sigma * (n - 1.0) + kappa * n * (n - 1.0)).max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capacity::testing::{at as knee_at, capacity};

    #[test]
    fn the_law_is_drawn_over_the_steps_and_its_peak_is_said() {
        let mut record = capacity(knee_at(20_000.0, 21_000.0, 22_000.0));
        assert!(concurrency(&record).into_string().contains("takes six steady steps"));
        let law = Scalability {
            lambda: [1_000.0, 900.0, 1_100.0],
            sigma: [0.02, 0.01, 0.03],
            kappa: [1e-4, 5e-5, 2e-4],
            peak: Some((99.0, 25_000.0)),
            extrapolated: true,
            measured_to: 20.0,
        };
        assert!((at(&law, 1.0) - 1_000.0).abs() < 1e-9);
        record.scalability = Some(law);
        let drawn = concurrency(&record).into_string();
        assert!(drawn.contains("scalability law") && drawn.contains("with 99 in flight, extrapolated"), "{drawn}");
        record.steps.clear();
        assert!(concurrency(&record).into_string().is_empty());
    }
}
