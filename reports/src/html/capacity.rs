//! The answer of a capacity search as a page: the table of answers, the first limit, then response times and errors
//! against the rate with the knee's interval as a band, then every step.

use maud::{Markup, PreEscaped, html};

use super::chart::{Axis, Chart, Content, Panel, Path, Readings, Series, Stretch};
use super::parts::{section, table};
use super::{SCRIPT, whole};
use crate::capacity::details::details;
use crate::capacity::row::Detail;
use crate::capacity::words::{caveat, interval, knee, limit, rows};
use crate::capacity::{Capacity, Knee, Step, StepVerdict};
use crate::text;

/// Renders `capacity` as a complete page.
pub fn render_capacity(capacity: &Capacity) -> String {
    let content = html! {
        (answers(capacity))
        @if capacity.on_target().next().is_some() { (curves(capacity)) }
        @for detail in details(capacity) { (more(&detail)) }
        @if !capacity.steps.is_empty() { (steps(capacity)) }
        (origin(capacity))
    };
    let script = html! { script { (PreEscaped(SCRIPT)) } };
    whole(&format!("{}: capacity", capacity.scenario), &content, &script)
}

fn answers(capacity: &Capacity) -> Markup {
    let known = matches!(capacity.knee, Knee::At { .. } | Knee::AtLeast { .. });
    let asked = capacity.knee != Knee::NotAsked;
    let class = if (known && !capacity.cut_short) || !asked { "good" } else { "doubtful" };
    let objectives: Vec<&str> = capacity.objectives.iter().map(|objective| objective.text.as_str()).collect();
    let rows = html! {
        @for row in rows(capacity) {
            tr { td { (row.question) } td.strong { (row.answer) } td { (row.interval) } }
        }
    };
    html! {
        section id="verdict" {
            header class={ "banner " (class) } {
                p.word { "capacity" }
                h1 { @if asked { (knee(&capacity.knee)) } @else { "what was asked" } }
                p.about {
                    (capacity.scenario) " on the " (capacity.target) " target"
                    @if asked { ", under " (objectives.join(", ")) }
                    @if !interval(&capacity.knee).is_empty() { "; 90 % interval " (interval(&capacity.knee)) }
                }
                @if let Some(caveat) = caveat(capacity) { p.reasons { (caveat) } }
            }
            h2 { "Answers" }
            (table(&["Question", "Answer", "90 % interval"], 3, &rows))
            @if known {
                h2 { "First limit" }
                p { span.strong { (limit(capacity.limit.name)) } }
                p { (capacity.limit.evidence) }
            }
        }
    }
}

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

fn curves(capacity: &Capacity) -> Markup {
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

fn more(detail: &Detail) -> Markup {
    let heads: Vec<&str> = detail.heads.iter().map(String::as_str).collect();
    let rows = html! {
        @for row in &detail.rows {
            tr {
                @for (column, text) in row.iter().enumerate() { td.figure[column >= detail.figures_from] { (text) } }
            }
        }
    };
    let content = html! {
        p.quiet { (detail.about) }
        (table(&heads, detail.figures_from, &rows))
    };
    section(detail.id, &detail.title, &content)
}

fn steps(capacity: &Capacity) -> Markup {
    let heads =
        ["Load on", "Phase", "Verdict", "Why", "Rate", "Length", "p50", "p99", "Errors", "In flight", "Redis", "Idle"];
    let cores = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |cores| format!("{cores:.2}"));
    let rows = html! {
        @for step in &capacity.steps {
            tr {
                td { @if step.of_target { "target" } @else { "nothing" } }
                td { (step.phase) }
                td { (verdict(step.verdict)) }
                td.quiet { (step.why) }
                td.figure { (text::rate(step.rate)) }
                td.figure { (step.seconds) " s" }
                td.figure { (text::millis(step.p50_ms)) }
                td.figure { (text::millis(step.p99_ms)) }
                td.figure { (text::percent(step.errors)) }
                td.figure { (text::number(step.in_flight)) }
                td.figure { (cores(step.redis_cores)) }
                td.figure { (cores(step.idle_cores)) }
            }
        }
    };
    let content = html! {
        p.quiet {
            "In the order in which they ran. Redis: cores that its main thread used. Idle: cores of the machine that were idle. \
             Load on nothing finds the generator's own ceiling."
        }
        (table(&heads, 4, &rows))
    };
    section("steps", "Steps", &content)
}

fn verdict(verdict: StepVerdict) -> Markup {
    let class = match verdict {
        StepVerdict::Passed => "good",
        StepVerdict::Failed => "bad",
        StepVerdict::Undecided | StepVerdict::TooFew | StepVerdict::Distrusted => "doubtful",
    };
    html! { span class={ "chip " (class) } { (verdict.name()) } }
}

fn origin(capacity: &Capacity) -> Markup {
    let content = html! {
        pre.replay { (capacity.replay) }
        table.facts {
            tr { th { "begun" } td { (capacity.started) } }
            tr { th { "Firedrill" } td { (capacity.firedrill_version) } }
            @for fact in &capacity.environment { tr { th { (fact.key) } td { (fact.value) } } }
        }
    };
    section("origin", "How to repeat it", &content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capacity::testing::{at, capacity};

    #[test]
    fn a_page_holds_the_answer_its_limit_and_every_step_and_escapes_what_it_is_given() {
        let mut record = capacity(at(20_000.0, 21_000.0, 22_000.0));
        record.steps[1].why = "<script>alert(1)</script>".to_owned();
        let page = render_capacity(&record);
        for words in
            [text::rate(21_000.0).as_str(), "Redis's main thread", "0.97 of a core", "90 % interval", "--seed 7"]
        {
            assert!(page.contains(words), "{words}");
        }
        assert!(!page.contains("<script>alert"));
        assert_eq!(page.matches("class=\"chip").count(), record.steps.len());
    }

    #[test]
    fn each_further_answer_has_a_section_of_its_own() {
        let mut record = capacity(Knee::NotAsked);
        record.memory = Some(crate::capacity::details::memory::testing::memory());
        let page = render_capacity(&record);
        assert!(page.contains("id=\"memory\"") && page.contains("id=\"memory-limit\""));
        assert!(page.contains(&text::count(57_501)) && !page.contains("not asked for"));
    }

    #[test]
    fn a_search_that_found_nothing_has_a_page_too() {
        let mut record = capacity(Knee::Unknown { why: "stopped".to_owned() });
        record.steps.clear();
        let page = render_capacity(&record);
        assert!(page.contains("not known") && page.contains("stopped"));
    }
}
