//! Section 2: throughput, latency, errors, operations in flight and memory on one clock, with the faults as shaded bands,
//! the state of fallback, breaker and connection as bars and the recovery as a line.

use std::ops::RangeInclusive;

use maud::{Markup, html};

use super::bands::{is_noticeable, lanes};
use super::chart::{Area, Axis, Chart, Content, Panel, Path, Readings, Series, Stretch, moment_axis};
use super::parts::section as titled;
use super::{faults, words};
use crate::run::{Bucket, BucketLatency, Fault, Outcome, ResourceSample, Run, Timeline};
use crate::text;

/// The most buckets to draw; more are merged first, because a screen has no room for them.
const BUCKETS_DRAWN: usize = 500;

/// The most slices in the table of the same figures.
const SLICES: usize = 24;

pub(super) fn section(run: &Run) -> Markup {
    let content = html! {
        @if run.timeline.buckets.is_empty() {
            p.quiet { "No operation was measured." }
        } @else {
            (legend(run))
            (draw(run))
        }
        (faults::faults(run))
        (faults::aftermath(run))
        (faults::causes(run))
    };
    titled("timeline", "What happened when", &content)
}

fn legend(run: &Run) -> Markup {
    let mut entries = Vec::new();
    if run.faults.iter().any(|fault| fault.onset_ms.is_some()) {
        entries.push(("swatch fault", "a fault is on".to_string()));
    }
    if !run.fallback.activations.is_empty() {
        entries.push(("swatch fallback", "the fallback is active".to_string()));
    }
    if run.fallback.activations.iter().any(|activation| activation.drain_from_ms.is_some()) {
        entries.push(("swatch drain", "it is written back".to_string()));
    }
    if run.machine.stalls.iter().any(is_noticeable) {
        entries.push(("swatch stall", "the machine stalled the harness".to_string()));
    }
    if let (Some(_), Some(time)) = (run.recovered_at_ms, run.recovery_ms) {
        let says = format!("steady again, {} after the last fault's end", text::millis(time));
        entries.push(("swatch recovered", says));
    }
    html! { p.legend { @for (class, says) in &entries { span.key { i class=(class) {} (says) } } } }
}

fn draw(run: &Run) -> Markup {
    let timeline = thinned(&run.timeline, BUCKETS_DRAWN);
    let (from, to) = extent(run, &timeline);
    let x = moment_axis(from, to);
    let mut pointer = Readings::default();
    for bucket in &timeline.buckets {
        pointer.push(bucket.from_ms, text::window(bucket.from_ms, Some(bucket.from_ms + timeline.bucket_ms)));
    }
    let bands = lanes(run, to);
    let words = words::of_timeline(&thinned(&run.timeline, SLICES), &bands);
    let bands = Panel { title: String::new(), remark: "", class: "lanes", content: Content::Lanes(bands) };
    let mut panels = vec![bands, throughput(&timeline, &x), latency(&timeline, &x)];
    panels.extend(errors(&timeline, &x));
    panels.extend(in_flight(&timeline, &x));
    panels.extend(memory(run, &x, from..=to));
    panels.extend(cpu(run, &x, from..=to));
    let label = format!(
        "Throughput, response time, errors and operations under way over time. {}",
        words::of_phases(&run.phases)
    );
    html! { (Chart { label, x: &x, marks: marks(run, to), pointer, panels }) (words) }
}

/// The period shown in the chart: the load, and whatever happened before or after it.
fn extent(run: &Run, timeline: &Timeline) -> (f64, f64) {
    let buckets = timeline.buckets.iter().flat_map(|bucket| [bucket.from_ms, bucket.from_ms + timeline.bucket_ms]);
    let faults = run.faults.iter().flat_map(|fault| [fault.onset_ms, fault.end_ms]).flatten();
    let moments = buckets.chain(faults).chain(run.recovered_at_ms).filter(|moment| moment.is_finite());
    moments.fold((f64::INFINITY, f64::NEG_INFINITY), |(from, to), moment| (from.min(moment), to.max(moment)))
}

fn marks(run: &Run, end: f64) -> Vec<Stretch> {
    let fault = |fault: &Fault| {
        let (from, to) = (fault.onset_ms?, fault.end_ms.unwrap_or(end));
        Some(Stretch { class: "fault", from, to, text: String::new(), title: fault.kind.clone() })
    };
    let recovered = run.recovered_at_ms.map(|at| Stretch {
        class: "recovered",
        from: at,
        to: at,
        text: String::new(),
        title: "steady again".to_string(),
    });
    run.faults.iter().filter_map(fault).chain(recovered).collect()
}

/// Operations per second, stacked by outcome, under a line for the planned rate.
fn throughput(timeline: &Timeline, x: &Axis) -> Panel {
    let per_second = per_second(timeline);
    let most = timeline.buckets.iter().map(|bucket| bucket.outcomes.total().max(bucket.planned) as f64 * per_second);
    let y = Axis::from_zero(most.fold(0.0, f64::max), 4.0, text::number);
    let mut series = stacked(timeline, &Outcome::ALL, x, &y);
    let mut planned = Path::default();
    let mut readings = Readings::default();
    for bucket in &timeline.buckets {
        let rate = bucket.planned as f64 * per_second;
        planned.to(x.place(bucket.from_ms), y.place(rate));
        planned.to(x.place(bucket.from_ms + timeline.bucket_ms), y.place(rate));
        readings.push(bucket.from_ms, text::rate(rate));
    }
    series.push(Series { name: "planned".to_string(), class: "planned", path: planned.finish(), readings });
    let content = Content::Plot { y, series };
    Panel { title: "Throughput".to_string(), remark: "operations per second", class: "tall", content }
}

/// Failed and unknown operations on a separate scale, if there are any.
fn errors(timeline: &Timeline, x: &Axis) -> Option<Panel> {
    let per_second = per_second(timeline);
    let most = timeline.buckets.iter().map(|bucket| bucket.outcomes.errors()).max().filter(|most| *most > 0)?;
    let y = Axis::from_zero(most as f64 * per_second, 2.0, text::number);
    let mut series = stacked(timeline, &[Outcome::Failed, Outcome::Unknown], x, &y);
    for one in &mut series {
        // The throughput panel already shows the same numbers under the pointer.
        one.readings = Readings::default();
    }
    let content = Content::Plot { y, series };
    Some(Panel { title: "Errors".to_string(), remark: "operations per second", class: "low", content })
}

/// One area per outcome, stacked.
fn stacked(timeline: &Timeline, outcomes: &[Outcome], x: &Axis, y: &Axis) -> Vec<Series> {
    let per_second = per_second(timeline);
    let mut below = vec![0.0; timeline.buckets.len()];
    let series = outcomes.iter().map(|&outcome| {
        let mut area = Area::default();
        let mut readings = Readings::default();
        for (bucket, below) in timeline.buckets.iter().zip(&mut below) {
            let rate = bucket.outcomes.of(outcome) as f64 * per_second;
            let (left, right) = (x.place(bucket.from_ms), x.place(bucket.from_ms + timeline.bucket_ms));
            area.step(left, right, y.place(*below), y.place(*below + rate));
            *below += rate;
            readings.push(bucket.from_ms, text::rate(rate));
        }
        let class = area_class(outcome);
        Series { name: outcome.name().to_string(), class, path: area.finish(), readings }
    });
    series.collect()
}

fn area_class(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "area ok",
        Outcome::Degraded => "area degraded",
        Outcome::Missing => "area missing",
        Outcome::Failed => "area failed",
        Outcome::Unknown => "area unknown",
    }
}

/// Response time on a log axis.
fn latency(timeline: &Timeline, x: &Axis) -> Panel {
    type Quantile = fn(BucketLatency) -> f64;
    let lines: [(&str, &'static str, Quantile); 4] = [
        ("max", "line max", |latency| latency.max),
        ("p99", "line p99", |latency| latency.p99),
        ("p95", "line p95", |latency| latency.p95),
        ("p50", "line p50", |latency| latency.p50),
    ];
    let all = timeline.buckets.iter().filter_map(|bucket| bucket.response);
    let y = Axis::log_millis(all.flat_map(|latency| [latency.p50, latency.max]));
    let series = lines.map(|(name, class, of)| {
        let value = |bucket: &Bucket| bucket.response.map(of);
        line(name, class, timeline, x, &y, value, text::millis)
    });
    let content = Content::Plot { y, series: series.into() };
    Panel { title: "Response time".to_string(), remark: "from the planned instant, log scale", class: "tall", content }
}

/// A line through the middle of the buckets that have a value.
fn line(
    name: &str,
    class: &'static str,
    timeline: &Timeline,
    x: &Axis,
    y: &Axis,
    value: impl Fn(&Bucket) -> Option<f64>,
    says: impl Fn(f64) -> String,
) -> Series {
    let mut path = Path::default();
    let mut readings = Readings::default();
    for bucket in &timeline.buckets {
        match value(bucket) {
            Some(value) => path.to(x.place(bucket.from_ms + timeline.bucket_ms / 2.0), y.place(value)),
            None => path.gap(),
        }
        readings.push(bucket.from_ms, value(bucket).map_or_else(|| "–".to_string(), &says));
    }
    Series { name: name.to_string(), class, path: path.finish(), readings }
}

fn in_flight(timeline: &Timeline, x: &Axis) -> Option<Panel> {
    let most = timeline.buckets.iter().filter_map(|bucket| bucket.in_flight).max()?;
    let y = Axis::from_zero(most as f64, 2.0, text::number);
    let value = |bucket: &Bucket| bucket.in_flight.map(|count| count as f64);
    let series = vec![line("in flight", "line p95", timeline, x, &y, value, text::number)];
    let content = Content::Plot { y, series };
    Some(Panel { title: "Under way".to_string(), remark: "operations at once", class: "low", content })
}

/// Memory of the driven process and of Redis, if sampled within the period shown.
fn memory(run: &Run, x: &Axis, shown: RangeInclusive<f64>) -> Option<Panel> {
    const MEBIBYTE: f64 = (1 << 20) as f64;
    let bytes = |of: fn(&ResourceSample) -> Option<u64>| {
        run.resources.iter().map(|sample| (sample.at_ms, of(sample).map(|bytes| bytes as f64 / MEBIBYTE))).collect()
    };
    let lines = [
        ("process", "line p50", bytes(|sample| sample.process_rss_bytes)),
        ("Redis", "line p99", bytes(|sample| sample.redis_used_memory_bytes)),
    ];
    resource_panel("Memory", "", lines, x, shown, |mebibytes| text::bytes(mebibytes * MEBIBYTE))
}

/// The share of a core that the driven process and Redis used since the previous sample.
fn cpu(run: &Run, x: &Axis, shown: RangeInclusive<f64>) -> Option<Panel> {
    let share = |of: fn(&ResourceSample) -> Option<u64>| {
        let since = |pair: &[ResourceSample]| {
            let wall = pair[1].at_ms - pair[0].at_ms;
            // If the figure has dropped, the process was restarted in between.
            let used = of(&pair[1])?.checked_sub(of(&pair[0])?)?;
            (wall > 0.0).then_some(used as f64 / wall)
        };
        run.resources.windows(2).map(|pair| (pair[1].at_ms, since(pair))).collect()
    };
    let lines = [
        ("process", "line p50", share(|sample| sample.process_cpu_ms)),
        ("Redis", "line p99", share(|sample| sample.redis_cpu_ms)),
    ];
    resource_panel("CPU", "share of one core", lines, x, shown, text::percent)
}

/// Times in milliseconds, with the measured values.
type Samples = Vec<(f64, Option<f64>)>;

/// A line of samples for the process, and one for Redis.
fn resource_panel(
    title: &str,
    remark: &'static str,
    mut lines: [(&str, &'static str, Samples); 2],
    x: &Axis,
    shown: RangeInclusive<f64>,
    says: fn(f64) -> String,
) -> Option<Panel> {
    for (_, _, samples) in &mut lines {
        samples.retain(|(at_ms, _)| shown.contains(at_ms));
    }
    let values = lines.iter().flat_map(|(_, _, samples)| samples.iter().filter_map(|(_, value)| *value));
    let y = Axis::from_zero(values.reduce(f64::max)?, 2.0, says);
    let series = lines.map(|(name, class, samples)| {
        let mut path = Path::default();
        let mut readings = Readings::default();
        for (at_ms, value) in samples {
            match value {
                Some(value) => path.to(x.place(at_ms), y.place(value)),
                None => path.gap(),
            }
            readings.push(at_ms, value.map_or_else(|| "–".to_string(), says));
        }
        Series { name: name.to_string(), class, path: path.finish(), readings }
    });
    let content = Content::Plot { y, series: series.into() };
    Some(Panel { title: title.to_string(), remark, class: "low", content })
}

fn per_second(timeline: &Timeline) -> f64 {
    let width = timeline.bucket_ms;
    if width.is_finite() && width > 0.0 { 1000.0 / width } else { 1.0 }
}

/// The timeline in at most `limit` buckets: neighbours are merged and counts added. Quantiles cannot be added, so a
/// merged bucket shows the worst of its parts, and no peak disappears.
fn thinned(timeline: &Timeline, limit: usize) -> Timeline {
    let group = timeline.buckets.len().div_ceil(limit).max(1);
    let buckets = timeline.buckets.chunks(group).map(|parts| {
        let mut merged = Bucket { from_ms: parts[0].from_ms, ..Bucket::default() };
        for part in parts {
            merged.planned = merged.planned.saturating_add(part.planned);
            merged.outcomes.merge(part.outcomes);
            merged.in_flight = merged.in_flight.max(part.in_flight);
            merged.response = match (merged.response, part.response) {
                (Some(a), Some(b)) => Some(worst(a, b)),
                (a, b) => a.or(b),
            };
        }
        merged
    });
    Timeline { bucket_ms: timeline.bucket_ms * group as f64, buckets: buckets.collect() }
}

fn worst(a: BucketLatency, b: BucketLatency) -> BucketLatency {
    BucketLatency { p50: a.p50.max(b.p50), p95: a.p95.max(b.p95), p99: a.p99.max(b.p99), max: a.max.max(b.max) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::OutcomeCounts;

    #[test]
    fn thinning_adds_counts_and_keeps_every_peak() {
        let bucket = |number: u64, peak: f64| Bucket {
            from_ms: number as f64 * 250.0,
            planned: 10,
            outcomes: OutcomeCounts { ok: 8, failed: number, ..OutcomeCounts::default() },
            response: Some(BucketLatency { p50: 1.0, p95: 2.0, p99: 3.0, max: peak }),
            in_flight: Some(number),
        };
        let silent = Bucket { from_ms: 500.0, ..Bucket::default() };
        let timeline = Timeline { bucket_ms: 250.0, buckets: vec![bucket(0, 900.0), bucket(1, 4.0), silent] };
        let thin = thinned(&timeline, 2);
        assert_eq!(thin.bucket_ms, 500.0);
        assert_eq!(thin.buckets.len(), 2);
        assert_eq!(
            (thin.buckets[0].planned, thin.buckets[0].outcomes.ok, thin.buckets[0].outcomes.failed),
            (20, 16, 1)
        );
        assert_eq!(thin.buckets[0].response.unwrap().max, 900.0);
        assert_eq!(thin.buckets[0].in_flight, Some(1));
        assert_eq!((thin.buckets[1].from_ms, thin.buckets[1].response), (500.0, None));
        assert_eq!(thinned(&timeline, 3), timeline);
    }
}
