//! The end of one drill: the verdict first and last, and between them, in the reading order of the report, the gates,
//! the checks with their offences, the generator, the faults with their evidence, the phases, recovery and fallback.

use comfy_table::{Cell, ColumnConstraint, Table};

use super::Style;
use super::paint::{Marked, Tone, cell, figure, printable};
use crate::describe;
use crate::run::{Check, CheckVerdict, Gate, Outcome, Phase, Run};
use crate::text;

/// Offences shown per check; `run.json` has more.
const OFFENCES_SHOWN: usize = 5;

/// The phase table needs this many columns to stand on one line per phase.
const WIDTH_OF_ALL_PHASE_COLUMNS: u16 = 100;

/// What the phase table leaves out on a narrower terminal: when, and the rate.
const LESSER_PHASE_COLUMNS: [usize; 2] = [2, 4];

/// The whole of `run` for the terminal, ending in a line break.
pub fn drill(run: &Run, style: Style) -> String {
    let mut page = Page { style, lines: Vec::new() };
    page.line(verdict_line(run, &run.scenario.about, style));
    page.section("Gates", gates(&run.gates, style));
    page.section("Claims", gates(&run.claims, style));
    checks(run, &mut page);
    page.section("Generator", generator(run, style));
    page.section("Faults", faults(run, style));
    page.section("Response time by phase", phases(run, style));
    page.section("Afterwards", afterwards(run, style));
    if !run.replay.is_empty() {
        page.heading("Replay");
        page.line(format!("    {}", printable(&run.replay)));
    }
    page.section("Reasons", reasons(run, style));
    page.line(String::new());
    page.line(verdict_line(run, &describe::headline(run), style));
    page.finish()
}

fn verdict_line(run: &Run, says: &str, style: Style) -> String {
    let (sign, tone) = run.verdict.mark();
    let verdict = format!("{sign} {}", run.verdict.name().to_uppercase());
    let name = style.paint(&printable(&run.scenario.name), Tone::Strong);
    format!("{}  {name}  {}", style.paint(&verdict, tone), printable(says)).trim_end().to_string()
}

/// Lines in the making.
struct Page {
    style: Style,
    lines: Vec<String>,
}

impl Page {
    fn line(&mut self, line: String) {
        self.lines.push(line);
    }

    fn heading(&mut self, heading: &str) {
        self.line(String::new());
        self.line(self.style.paint(heading, Tone::Strong));
    }

    /// A heading and a table, or nothing when the table is empty.
    fn section(&mut self, heading: &str, table: Table) {
        if table.is_empty() {
            return;
        }
        self.heading(heading);
        self.lines.extend(table.trim_fmt().lines().map(str::to_string));
    }

    fn finish(self) -> String {
        self.lines.join("\n") + "\n"
    }
}

fn gates(gates: &[Gate], style: Style) -> Table {
    let mut table = style.table();
    for gate in gates {
        let (sign, tone) = gate.verdict.mark();
        table.add_row([
            cell(format!(" {sign}"), tone),
            cell(&gate.name, Tone::Plain),
            figure(&gate.actual_text, tone),
            cell(&gate.limit, Tone::Quiet),
            cell(&gate.note, Tone::Quiet),
        ]);
    }
    table
}

fn checks(run: &Run, page: &mut Page) {
    let style = page.style;
    let mut table = style.table();
    for check in &run.checks {
        let reported = !check.counts && check.verdict != CheckVerdict::Valid;
        let (sign, tone) = if reported { ("·", Tone::Plain) } else { check.verdict.mark() };
        let says = if check.summary.is_empty() { &check.about } else { &check.summary };
        table.add_row([
            cell(format!(" {sign}"), tone),
            cell(&check.name, Tone::Plain),
            cell(if reported { "reported" } else { check.verdict.name() }, tone),
            cell(says, Tone::Plain),
        ]);
    }
    page.section("Checks", table);
    for check in run.checks.iter().filter(|check| !check.samples.is_empty()) {
        page.section(&format!("Offences against {}", printable(&check.name)), offences(check, style));
    }
}

fn offences(check: &Check, style: Style) -> Table {
    let mut table = style.table();
    for offence in check.samples.iter().take(OFFENCES_SHOWN) {
        table.add_row([
            cell(" ✗", Tone::Bad),
            cell(describe::offence_place(offence), Tone::Plain),
            cell(&offence.text, Tone::Plain),
        ]);
    }
    let shown = check.samples.len().min(OFFENCES_SHOWN) as u64;
    let hidden = check.offences.saturating_sub(shown);
    if hidden > 0 {
        table.add_row([cell("", Tone::Plain), cell(format!("and {} more", text::count(hidden)), Tone::Quiet)]);
    }
    table
}

fn generator(run: &Run, style: Style) -> Table {
    let mut table = style.table();
    let generator = &run.generator;
    let (sign, tone) = if generator.saturated { ("✗", Tone::Bad) } else { (" ", Tone::Plain) };
    table.add_row([cell(format!(" {sign}"), tone), cell(describe::generator_line(generator), tone)]);
    if !generator.note.is_empty() {
        table.add_row([cell("", Tone::Plain), cell(&generator.note, Tone::Quiet)]);
    }
    table
}

fn faults(run: &Run, style: Style) -> Table {
    let mut table = style.table();
    for fault in &run.faults {
        let (sign, tone) = if fault.bit { (" ", Tone::Plain) } else { ("?", Tone::Doubtful) };
        table.add_row([
            cell(format!(" {sign}"), tone),
            cell(&fault.kind, Tone::Plain),
            cell(describe::fault_window(fault), Tone::Plain),
            cell(describe::bite(fault), tone),
        ]);
    }
    table
}

fn phases(run: &Run, style: Style) -> Table {
    let mut table = style.table();
    if run.phases.is_empty() {
        return table;
    }
    let names = ["when", "ops", "rate", "degraded", "errors", "p50", "p95", "p99", "max"];
    let mut heading = vec![cell("", Tone::Quiet), cell("phase", Tone::Quiet)];
    heading.extend(names.map(|name| figure(name, Tone::Quiet)));
    table.add_row(heading);
    for phase in &run.phases {
        table.add_row(phase_row(phase));
    }
    if style.columns() < WIDTH_OF_ALL_PHASE_COLUMNS {
        for column in LESSER_PHASE_COLUMNS {
            table.column_mut(column).map(|column| column.set_constraint(ColumnConstraint::Hidden));
        }
    }
    table
}

fn phase_row(phase: &Phase) -> Vec<Cell> {
    let degraded = phase.outcomes.of(Outcome::Degraded);
    let errors = phase.outcomes.errors();
    let mut row = vec![
        cell("", Tone::Plain),
        cell(phase.name.name(), Tone::Plain),
        figure(text::window(phase.from_ms, Some(phase.to_ms)), Tone::Quiet),
        figure(text::count(phase.ops), Tone::Plain),
        figure(text::rate(phase.rate), Tone::Plain),
        figure(text::count(degraded), if degraded > 0 { Tone::Doubtful } else { Tone::Plain }),
        figure(text::percent(phase.error_rate), if errors > 0 { Tone::Bad } else { Tone::Plain }),
    ];
    let quantiles = phase.response.map(|all| [all.p50, all.p95, all.p99, all.max]);
    row.extend(quantiles.into_iter().flatten().map(|value| figure(text::millis(value), Tone::Plain)));
    row
}

/// Recovery, fallback, and what it all took.
fn afterwards(run: &Run, style: Style) -> Table {
    let mut table = style.table();
    let mut row = |label: &str, value: &str| {
        table.add_row([cell("", Tone::Plain), cell(label, Tone::Quiet), cell(value, Tone::Plain)]);
    };
    if !run.faults.is_empty() {
        row("recovery", &describe::recovery(run));
    }
    for sentence in describe::fallback(&run.fallback) {
        row("fallback", &sentence);
    }
    for sentence in describe::resources(run) {
        row("resources", &sentence);
    }
    for sentence in describe::store(&run.store) {
        row("store", &sentence);
    }
    table
}

/// The reasons of a verdict that has several; a single one stands in the verdict line.
fn reasons(run: &Run, style: Style) -> Table {
    let mut table = style.table();
    if run.reasons.len() > 1 {
        let (sign, tone) = run.verdict.mark();
        for reason in &run.reasons {
            table.add_row([cell(format!(" {sign}"), tone), cell(reason, Tone::Plain)]);
        }
    }
    table
}
