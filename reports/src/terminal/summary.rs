//! One table for several drills: which ones passed, and the first reason of each that did not.

use super::Style;
use super::paint::{Marked, Tone, cell, figure, printable};
use crate::describe;
use crate::run::{Run, Verdict};
use crate::text;

/// One line per run, in the given order, and a line that counts the verdicts; ends in a line break.
pub fn summary<'a>(runs: impl IntoIterator<Item = &'a Run>, style: Style) -> String {
    let mut table = style.table();
    let mut verdicts = Vec::new();
    for run in runs {
        let (sign, tone) = run.verdict.mark();
        let (held, gates) = describe::gates_held(run);
        let checks = describe::checks(run);
        let vacuous = match checks.vacuous {
            0 => String::new(),
            count => format!(", {count} empty"),
        };
        let recovery = run.recovery_ms.map(text::millis).unwrap_or_default();
        table.add_row([
            cell(format!("{sign} {}", run.verdict.name()), tone),
            cell(&run.scenario.name, Tone::Strong),
            figure(format!("{held}/{gates} gates"), Tone::Plain),
            figure(format!("{}/{} checks{vacuous}", checks.valid, checks.counting), Tone::Plain),
            figure(recovery, Tone::Quiet),
            cell(run.reasons.first().map_or("", String::as_str), Tone::Plain),
        ]);
        verdicts.push(run.verdict);
    }
    let counts: Vec<String> = [Verdict::Passed, Verdict::Failed, Verdict::Inconclusive, Verdict::Interrupted]
        .into_iter()
        .filter_map(|verdict| {
            let count = verdicts.iter().filter(|&&of| of == verdict).count();
            let says = format!("{count} {}", verdict.name());
            (count > 0).then(|| style.paint(&printable(&says), verdict.mark().1))
        })
        .collect();
    let total = text::counted(verdicts.len() as u64, "drill");
    let tally = if counts.is_empty() { total } else { format!("{total}: {}", counts.join(", ")) };
    let mut lines: Vec<String> = table.trim_fmt().lines().map(str::to_string).collect();
    lines.push(tally);
    lines.join("\n") + "\n"
}
