//! Response times against the rate, as characters.

use super::super::Style;
use super::super::paint::Tone;
use crate::capacity::{Capacity, Knee, Step, StepVerdict};
use crate::text;

/// Rows of the plot.
const ROWS: usize = 9;

/// Columns to the left of it, for the values of its rows.
const LEFT: usize = 10;

/// A step's p99, its median, and the interval of the answer.
const P99: char = '●';
const P50: char = '○';
const BAND: char = '░';

/// Draws p50 and p99 of the steps on the target, a logarithmic axis of times over a linear one of rates, with the interval of the
/// highest rate as a band. Empty with fewer than two rates.
pub fn plot(capacity: &Capacity, style: Style) -> Vec<String> {
    let steps: Vec<&Step> = capacity.on_target().filter(|step| step.verdict != StepVerdict::Distrusted).collect();
    let columns = usize::from(style.columns()) - LEFT - 2;
    let fastest = steps.iter().map(|step| step.rate).fold(0.0, f64::max);
    let times = || steps.iter().flat_map(|step| [step.p50_ms, step.p99_ms]).filter(|ms| *ms > 0.0);
    let (least, most) = (times().fold(f64::INFINITY, f64::min), times().fold(0.0, f64::max));
    if most <= least || steps.iter().all(|step| step.rate == fastest) {
        return Vec::new();
    }
    let column = |rate: f64| ((rate / fastest * columns as f64) as usize).min(columns - 1);
    let row = |ms: f64| {
        let share = (ms.max(least) / least).ln() / (most / least).ln();
        ROWS - 1 - ((share * ROWS as f64) as usize).min(ROWS - 1)
    };
    let mut grid = vec![vec![' '; columns]; ROWS];
    if let Knee::At { low, high, .. } = capacity.knee {
        grid.iter_mut().for_each(|row| row[column(low)..=column(high)].fill(BAND));
    }
    for (of, sign) in [(p50 as fn(&Step) -> f64, P50), (p99, P99)] {
        steps.iter().filter(|step| of(step) > 0.0).for_each(|step| grid[row(of(step))][column(step.rate)] = sign);
    }

    let value_at = |row: usize| least * (most / least).powf((ROWS - row) as f64 / ROWS as f64 - 0.5 / ROWS as f64);
    let mut lines = vec![format!("{P99} p99  {P50} p50  {BAND} 90 % interval of the highest rate")];
    lines[0] = style.paint(&lines[0], Tone::Quiet);
    for (number, cells) in grid.iter().enumerate() {
        let value = if number % 2 == 0 { text::millis(value_at(number)) } else { String::new() };
        let cells: String = cells.iter().collect();
        lines.push(format!("{value:>LEFT$} ┤{}", cells.trim_end()));
    }
    let (from, to) = (text::rate(0.0), text::rate(fastest));
    let gap = (columns + 1).saturating_sub(from.chars().count() + to.chars().count());
    lines.push(format!("{:LEFT$} {from}{:gap$}{to}", "", ""));
    lines
}

fn p50(step: &Step) -> f64 {
    step.p50_ms
}

fn p99(step: &Step) -> f64 {
    step.p99_ms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capacity::testing::{at, capacity};

    const STYLE: Style = Style { colour: false, width: 80 };

    #[test]
    fn the_slowest_step_is_at_the_top_right_and_the_interval_is_a_band() {
        let lines = plot(&capacity(at(20_000.0, 21_000.0, 21_500.0)), STYLE);
        assert_eq!(lines.len(), ROWS + 2);
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{}", lines.join("\n"));
        assert!(
            lines[1].ends_with(P99) && lines[ROWS].contains(P50) && lines[4].contains(BAND),
            "{}",
            lines.join("\n")
        );
        assert!(lines[ROWS + 1].ends_with(&text::rate(22_000.0)), "{}", lines.join("\n"));
    }

    #[test]
    fn one_rate_is_no_curve() {
        let mut record = capacity(at(20_000.0, 21_000.0, 21_500.0));
        record.steps.truncate(2);
        assert!(plot(&record, STYLE).is_empty());
    }
}
