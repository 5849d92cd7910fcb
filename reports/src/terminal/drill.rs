//! The end of one drill on the terminal: the verdict first and last, and in between, in the report's reading order, the
//! gates, the checks with their offences, the generator, the faults with their evidence, the phases, recovery and
//! fallback.

use comfy_table::{Cell, ColumnConstraint, Table};

use super::Style;
use super::paint::{Marked, Tone, cell, figure, printable};
use crate::describe;
use crate::run::{Check, CheckVerdict, Figures, Gate, Outcome, Run};
use crate::text;

/// Offences shown per check; `run.json` may contain more.
const OFFENCES_SHOWN: usize = 5;

/// The columns that the phase table drops, in this order, until it fits the terminal: the time, empty columns, the
/// rate, the median, the maximum.
const LESSER_PHASE_COLUMNS: [PhaseColumn; 6] = [
    PhaseColumn { number: 2, only_if_empty: false },
    PhaseColumn { number: 5, only_if_empty: true },
    PhaseColumn { number: 6, only_if_empty: true },
    PhaseColumn { number: 4, only_if_empty: false },
    PhaseColumn { number: 8, only_if_empty: false },
    PhaseColumn { number: 11, only_if_empty: false },
];

struct PhaseColumn {
    number: usize,
    only_if_empty: bool,
}

/// Renders `run` for the terminal; ends in a line break.
pub fn drill(run: &Run, style: Style) -> String {
    let mut page = Page { style, lines: Vec::new() };
    page.line(verdict_line(run, &run.scenario.about, style));
    page.section("Gates", gates(&run.gates, style));
    page.section("Claims", gates(&run.claims, style));
    checks(run, &mut page);
    page.section("Situations", situations(run, style));
    page.section("Generator", generator(run, style));
    page.section("Faults", faults(run, style));
    page.section("Refusals", refusals(run, style));
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

/// The verdict of `run` in one line, without a line break at its end.
pub fn verdict(run: &Run, style: Style) -> String {
    verdict_line(run, &describe::headline(run), style)
}

fn verdict_line(run: &Run, says: &str, style: Style) -> String {
    let (sign, tone) = run.verdict.mark();
    let verdict = format!("{sign} {}", run.verdict.name().to_uppercase());
    let name = style.paint(&printable(&run.scenario.name), Tone::Strong);
    format!("{}  {name}  {}", style.paint(&verdict, tone), printable(says)).trim_end().to_string()
}

/// The output under construction.
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

    /// Adds a heading and a table, or nothing if the table is empty.
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
        let (sign, tone) = match check.verdict {
            _ if check.vacuous() => ("·", Tone::Quiet),
            CheckVerdict::Invalid | CheckVerdict::Unknown if !check.counts => ("·", Tone::Plain),
            verdict => verdict.mark(),
        };
        let says = describe::finding(check);
        table.add_row([
            cell(format!(" {sign}"), tone),
            cell(&check.name, Tone::Plain),
            cell(describe::answer(check), tone),
            cell(says, Tone::Plain),
        ]);
    }
    page.section("Checks", table);
    for check in run.checks.iter().filter(|check| !check.samples.is_empty()) {
        page.section(&format!("Offences against {}", printable(&check.name)), offences(check, style));
    }
}

/// What must have happened, and what of the mix never did.
fn situations(run: &Run, style: Style) -> Table {
    let mut table = style.table();
    for situation in &run.situations {
        let (sign, tone) = if situation.met { ("✓", Tone::Good) } else { ("?", Tone::Doubtful) };
        table.add_row([
            cell(format!(" {sign}"), tone),
            cell(&situation.name, Tone::Plain),
            cell(&situation.found_text, tone),
            cell(&situation.wanted, Tone::Quiet),
        ]);
    }
    for never in describe::never_reached(run) {
        table.add_row([cell("", Tone::Plain), cell("never reached", Tone::Quiet), cell(never, Tone::Plain)]);
    }
    table
}

fn offences(check: &Check, style: Style) -> Table {
    let mut table = style.table();
    for offence in check.samples.iter().take(OFFENCES_SHOWN) {
        table.add_row([cell(" ✗", Tone::Bad), cell(describe::offence(offence), Tone::Plain)]);
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
    let note = Some(&generator.note).filter(|note| !note.is_empty()).cloned();
    for says in note.into_iter().chain(describe::stalls(run)) {
        table.add_row([cell("", Tone::Plain), cell(says, Tone::Quiet)]);
    }
    table
}

fn refusals(run: &Run, style: Style) -> Table {
    let mut table = style.table();
    for sentence in describe::refusals(run) {
        table.add_row([cell("", Tone::Plain), cell(printable(&sentence), Tone::Plain)]);
    }
    table
}

fn faults(run: &Run, style: Style) -> Table {
    let mut table = style.table();
    for fault in &run.faults {
        let (sign, tone) = if fault.bit { (" ", Tone::Plain) } else { ("?", Tone::Doubtful) };
        table.add_row([
            cell(format!(" {sign}"), tone),
            cell(describe::fault_name(fault), Tone::Plain),
            cell(describe::fault_window(fault), Tone::Plain),
            cell(describe::impact(fault), tone),
        ]);
    }
    table
}

fn phases(run: &Run, style: Style) -> Table {
    let mut table = style.table();
    if run.phases.is_empty() {
        return table;
    }
    let closed = run.phases.iter().any(|phase| phase.figures.corrected.is_some());
    let names = ["when", "ops", "rate", "degraded", "missing", "errors", "p50", "p95", "p99", "max"];
    let mut heading = vec![cell("", Tone::Quiet), cell("phase", Tone::Quiet)];
    heading.extend(names.iter().chain(closed.then_some(&"p99 corr.")).map(|name| figure(*name, Tone::Quiet)));
    table.add_row(heading);
    for phase in &run.phases {
        table.add_row(figures_row(phase.name.name(), &phase.figures));
    }
    for stretch in &run.stretches {
        table.add_row(figures_row(&stretch.scope, &stretch.figures));
    }
    fit(&mut table, style.columns());
    table
}

/// Narrows the gaps between the phase table's figures and then drops columns, until no cell wraps.
fn fit(table: &mut Table, columns: u16) {
    // The sign and the phase keep a space on either side.
    const APART: usize = 2;
    let widths = table.column_max_content_widths();
    let needed = |padding: u16, hidden: &[usize]| -> u16 {
        let shown = widths.iter().enumerate().filter(|(number, _)| !hidden.contains(number));
        shown.map(|(number, width)| width + if number < APART { 2 } else { padding }).sum()
    };
    if needed(2, &[]) <= columns {
        return;
    }
    let is_empty = |number: usize| {
        let mut cells = table.row_iter().skip(1).filter_map(|row| row.cell_iter().nth(number));
        cells.all(|cell| cell.content() == "0")
    };
    let mut hidden = Vec::new();
    for column in LESSER_PHASE_COLUMNS.iter().filter(|column| !column.only_if_empty || is_empty(column.number)) {
        if needed(1, &hidden) <= columns {
            break;
        }
        hidden.push(column.number);
    }
    for (number, column) in table.column_iter_mut().enumerate().skip(APART) {
        column.set_padding((1, 0));
        if hidden.contains(&number) {
            column.set_constraint(ColumnConstraint::Hidden);
        }
    }
}

fn figures_row(name: &str, of: &Figures) -> Vec<Cell> {
    let [degraded, missing] = [Outcome::Degraded, Outcome::Missing].map(|outcome| of.outcomes.of(outcome));
    let errors = of.outcomes.errors();
    let mut row = vec![
        cell("", Tone::Plain),
        cell(name, Tone::Plain),
        figure(text::window(of.from_ms, Some(of.to_ms)), Tone::Quiet),
        figure(text::count(of.ops), Tone::Plain),
        figure(text::rate(of.rate), Tone::Plain),
        figure(text::count(degraded), if degraded > 0 { Tone::Doubtful } else { Tone::Plain }),
        figure(text::count(missing), if missing > 0 { Tone::Bad } else { Tone::Plain }),
        figure(text::percent(of.error_rate), if errors > 0 { Tone::Bad } else { Tone::Plain }),
    ];
    let quantiles = of.response.map(|all| [all.p50, all.p95, all.p99, all.max]);
    let corrected = of.corrected.map(|all| all.p99);
    row.extend(quantiles.into_iter().flatten().chain(corrected).map(|ms| figure(text::millis(ms), Tone::Plain)));
    row
}

/// Recovery, fallback, and resource use.
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

/// The reasons of a verdict with several; a single one is in the verdict line.
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
