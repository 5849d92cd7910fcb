//! The answer on the terminal.

mod plot;

use super::Style;
use super::paint::{Tone, cell, figure, printable};
use crate::capacity::details::details;
use crate::capacity::row::Detail;
use crate::capacity::words::{caveat, limit, rows};
use crate::capacity::{Capacity, Knee, Step, StepVerdict};
use crate::text;

/// Renders `capacity` for the terminal: question, answer and interval, then the first limit with its evidence, then the
/// steps on the target by rate; ends in a line break.
pub fn capacity(capacity: &Capacity, style: Style) -> String {
    let mut lines = Vec::new();
    let objectives: Vec<&str> = capacity.objectives.iter().map(|objective| objective.text.as_str()).collect();
    let name = style.paint(&printable(&capacity.scenario), Tone::Strong);
    let head = format!("{name}  {} target  {}", printable(&capacity.target), printable(&objectives.join(", ")));
    lines.push(head.trim_end().to_owned());
    lines.push(String::new());

    let mut answers = style.table();
    answers.set_header(["Question", "Answer", "90 % interval"].map(|head| cell(head, Tone::Strong)));
    for row in rows(capacity) {
        answers.add_row([
            cell(row.question, Tone::Plain),
            cell(row.answer, Tone::Strong),
            cell(row.interval, Tone::Plain),
        ]);
    }
    lines.extend(answers.trim_fmt().lines().map(str::to_owned));
    lines.push(String::new());

    let mut first = style.table();
    let knows = matches!(capacity.knee, Knee::At { .. } | Knee::AtLeast { .. } | Knee::Below { .. });
    if knows {
        first.add_row([cell("first limit", Tone::Plain), cell(limit(capacity.limit.name), Tone::Strong)]);
        first.add_row([cell("evidence", Tone::Plain), cell(&capacity.limit.evidence, Tone::Plain)]);
    }
    if let Some(caveat) = caveat(capacity) {
        first.add_row([cell("note", Tone::Plain), cell(caveat, Tone::Doubtful)]);
    }
    lines.extend(first.trim_fmt().lines().map(str::to_owned));
    if lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }

    let mut steps: Vec<&Step> = capacity.on_target().collect();
    if !steps.is_empty() {
        steps.sort_by(|one, other| one.rate.total_cmp(&other.rate));
        lines.push(String::new());
        let drawn = plot::plot(capacity, style);
        if !drawn.is_empty() {
            lines.extend(drawn);
            lines.push(String::new());
        }
        lines.extend(table(&steps, style).lines().map(str::to_owned));
    }
    for detail in details(capacity) {
        lines.push(String::new());
        lines.push(style.paint(&printable(&detail.title), Tone::Strong));
        lines.extend(shown(&detail, style).lines().map(str::to_owned));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn shown(detail: &Detail, style: Style) -> String {
    let mut table = style.table();
    let each = |text: &String, column: usize, tone| match column < detail.figures_from {
        true => cell(text, tone),
        false => figure(text, tone),
    };
    table.set_header(detail.heads.iter().enumerate().map(|(column, head)| each(head, column, Tone::Strong)));
    for row in &detail.rows {
        table.add_row(row.iter().enumerate().map(|(column, text)| each(text, column, Tone::Plain)));
    }
    table.trim_fmt()
}

fn table(steps: &[&Step], style: Style) -> String {
    let mut table = style.table();
    let heads = ["Rate", "s", "p50", "p99", "Errors", "Redis", "Verdict", ""];
    table.set_header(heads.map(|head| cell(head, Tone::Strong)));
    for step in steps {
        let tone = match step.verdict {
            StepVerdict::Passed => Tone::Good,
            StepVerdict::Failed => Tone::Bad,
            StepVerdict::Undecided | StepVerdict::TooFew | StepVerdict::Distrusted => Tone::Doubtful,
        };
        let cores = step.redis_cores.map_or(String::new(), |cores| format!("{:.0} %", cores * 100.0));
        table.add_row([
            figure(text::rate(step.rate), Tone::Plain),
            figure(step.seconds, Tone::Quiet),
            figure(text::millis(step.p50_ms), Tone::Plain),
            figure(text::millis(step.p99_ms), Tone::Plain),
            figure(text::percent(step.errors), Tone::Plain),
            figure(cores, Tone::Plain),
            cell(step.verdict.name(), tone),
            cell(&step.why, Tone::Quiet),
        ]);
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capacity::testing::{at, capacity as record};

    #[test]
    fn every_line_fits_80_columns_and_the_answer_comes_first() {
        let mut record = record(at(20_100.0, 21_000.0, 21_900.0));
        record.limit.evidence = "Redis's main thread used 0.97 of a core at 22,000/s and 0.81 at 18,000/s".to_owned();
        record.steps[3].why = "read.p99 <= 5ms: 1.8 % of the reads were slower".to_owned();
        let shown = capacity(&record, Style { colour: false, width: 80 });
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
        let place = |words: &str| shown.find(words).unwrap_or_else(|| panic!("{words} is missing:\n{shown}"));
        assert!(place("highest rate") < place("first limit") && place("first limit") < place("Verdict"));
        assert!(shown.contains(&text::rate(22_000.0)) && shown.contains("failed"), "{shown}");
    }

    #[test]
    fn memory_alone_is_shown_without_a_rate() {
        let mut record = record(Knee::NotAsked);
        record.objectives.clear();
        record.steps.clear();
        record.memory = Some(crate::capacity::details::memory::testing::memory());
        let shown = capacity(&record, Style { colour: false, width: 80 });
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
        assert!(shown.contains("bytes per session, plain") && shown.contains("formula: the sum"), "{shown}");
        assert!(!shown.contains("highest rate") && !shown.contains("first limit"), "{shown}");
    }

    #[test]
    fn without_an_answer_no_limit_is_named_but_the_reason_is() {
        let record = record(Knee::Unknown { why: "no step failed yet".to_owned() });
        let shown = capacity(&record, Style { colour: false, width: 80 });
        assert!(shown.contains("not known") && shown.contains("no step failed yet"), "{shown}");
        assert!(!shown.contains("first limit"), "{shown}");
    }
}
