//! The answer of a capacity search as a page: the table of answers, the first limit, then the curves, then every step.

mod curves;

use maud::{Markup, PreEscaped, html};

use super::parts::{section, table};
use super::{SCRIPT, whole};
use crate::capacity::details::details;
use crate::capacity::row::Detail;
use crate::capacity::words::{caveat, interval, knee, limit, rows};
use crate::capacity::{Capacity, Knee, StepVerdict};
use crate::text;

/// Renders `capacity` as a complete page.
pub fn render_capacity(capacity: &Capacity) -> String {
    let content = html! {
        (answers(capacity))
        @if capacity.on_target().next().is_some() { (curves::rates(capacity)) (curves::concurrency(capacity)) }
        @for detail in details(capacity) { (more(&detail)) }
        @if !capacity.steps.is_empty() { (steps(capacity)) }
        (origin(capacity))
    };
    let script = html! { script { (PreEscaped(SCRIPT)) } };
    whole(&format!("{}: capacity", capacity.scenario), &content, &script)
}

fn answers(capacity: &Capacity) -> Markup {
    let known = matches!(capacity.knee, Knee::At { .. } | Knee::AtLeast { .. });
    let limited = known || matches!(capacity.knee, Knee::Below { .. });
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
            @if limited {
                h2 { "First limit" }
                p { span.strong { (limit(capacity.limit.name)) } }
                p { (capacity.limit.evidence) }
            }
        }
    }
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
