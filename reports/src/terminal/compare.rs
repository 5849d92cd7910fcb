//! Comparisons on the terminal: what changed for certain first, and everything else behind it.

use comfy_table::{ColumnConstraint, Table, Width};

use super::Style;
use super::paint::{Marked, Tone, cell, figure, printable};
use crate::compare::{Change, Comparison, Origin, Row};

impl Marked for Change {
    fn mark(self) -> (&'static str, Tone) {
        match self {
            Change::Improved => ("✓", Tone::Good),
            Change::Unchanged => ("=", Tone::Quiet),
            Change::Regressed => ("✗", Tone::Bad),
            Change::Unclear => ("~", Tone::Quiet),
            Change::NotComparable => ("·", Tone::Quiet),
        }
    }
}

/// Renders a comparison with all its rows; ends in a line break.
pub fn comparison(comparison: &Comparison, style: Style) -> String {
    let mut lines = vec![comparison_line(comparison, style)];
    lines.extend(trimmed(&origins(comparison, style)));
    let longest = comparison.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
    // With the space beside it; more would leave too little for the figures of a narrow terminal.
    let names_width = u16::try_from(longest.min(20) + 1).unwrap_or(0);
    for rows in comparison.rows.chunk_by(|one, other| one.group == other.group) {
        let Some(first) = rows.first() else { continue };
        lines.push(String::new());
        lines.push(style.paint(first.group.heading(), Tone::Strong));
        let mut table = table(rows.iter(), style);
        if let Some(names) = table.column_mut(1) {
            names.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(names_width)));
        }
        lines.extend(trimmed(&table));
    }
    lines.push(String::new());
    lines.push(comparison_line(comparison, style));
    lines.join("\n") + "\n"
}

/// Renders the certain changes of a comparison, below its line; ends in a line break.
pub fn comparison_in_short(comparison: &Comparison, style: Style) -> String {
    let certain = |row: &&Row| matches!(row.change, Change::Regressed | Change::Improved);
    let mut lines = vec![comparison_line(comparison, style)];
    lines.extend(trimmed(&table(comparison.rows.iter().filter(certain), style)));
    lines.join("\n") + "\n"
}

/// A comparison in one line, without a line break at its end.
pub fn comparison_line(comparison: &Comparison, style: Style) -> String {
    let (sign, tone) = match comparison.change {
        Change::NotComparable => ("?", Tone::Doubtful),
        change => change.mark(),
    };
    let verdict = format!("{sign} {}", comparison.change.word().to_uppercase());
    let name = style.paint(&printable(&comparison.scenario), Tone::Strong);
    format!("{}  {name}  {}", style.paint(&verdict, tone), printable(&comparison.headline()))
}

fn trimmed(table: &Table) -> Vec<String> {
    if table.is_empty() { Vec::new() } else { table.trim_fmt().lines().map(str::to_owned).collect() }
}

fn origins(comparison: &Comparison, style: Style) -> Table {
    let mut table = style.table();
    for (side, origins) in [("baseline", &comparison.baseline), ("run", &comparison.runs)] {
        for origin in origins {
            let Origin { place, started_at, seed, verdict, .. } = origin;
            let when = started_at.get(..19).unwrap_or(started_at).replace('T', " ");
            let says = format!("{place}, {when}, seed {seed}, {}", verdict.name());
            table.add_row([cell("", Tone::Plain), cell(side, Tone::Quiet), cell(says, Tone::Plain)]);
        }
    }
    for reason in comparison.refused.iter().skip(1) {
        table.add_row([cell("", Tone::Plain), cell("", Tone::Quiet), cell(reason, Tone::Doubtful)]);
    }
    for one in &comparison.differences {
        let shown = |value: &str| if value.is_empty() { "nothing".to_owned() } else { value.to_owned() };
        let says = format!("{}: {} → {}", one.what, shown(&one.before), shown(&one.now));
        table.add_row([cell("", Tone::Plain), cell("differs", Tone::Quiet), cell(says, Tone::Plain)]);
    }
    table
}

fn table<'a>(rows: impl Iterator<Item = &'a Row>, style: Style) -> Table {
    let mut table = style.table();
    for row in rows {
        let (sign, tone) = row.change.mark();
        let certain = matches!(row.change, Change::Regressed | Change::Improved);
        let loud = if certain { tone } else { Tone::Plain };
        let interval = row.interval.map(|interval| (interval.text(), interval.range_text()));
        let (change, range) = interval.unwrap_or_default();
        let mut word = row.change.word().to_owned();
        if !row.note.is_empty() {
            word = format!("{word}: {}", row.note);
        }
        table.add_row([
            cell(format!(" {sign}"), tone),
            cell(&row.name, Tone::Plain),
            figure(&row.before, Tone::Quiet),
            figure(&row.now, Tone::Plain),
            figure(change, loud),
            figure(range, Tone::Quiet),
            cell(word, tone),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_padding((1, 0));
    }
    table
}
