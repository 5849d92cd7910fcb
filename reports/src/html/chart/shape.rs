//! Paths: lines that break where nothing was measured, and stacked areas of steps.

use std::fmt::Write;

use super::SPAN;

/// A line through points, broken where a value is missing.
#[derive(Default)]
pub(in crate::html) struct Path {
    d: String,
    drawing: bool,
}

impl Path {
    /// Continues to a point; coordinates from 0 to 1, upwards.
    pub(in crate::html) fn to(&mut self, x: f64, y: f64) {
        let command = if self.drawing { 'L' } else { 'M' };
        let (x, y) = (x * SPAN, (1.0 - y) * SPAN);
        // Draw a lone point too: with round caps, a line to itself is visible.
        let dot = if self.drawing { "" } else { "h0" };
        push(&mut self.d, format_args!("{command}{x:.1} {y:.1}{dot}"));
        self.drawing = true;
    }

    /// No value here: the line resumes at the next point.
    pub(in crate::html) fn gap(&mut self) {
        self.drawing = false;
    }

    /// The `d` attribute.
    pub(in crate::html) fn finish(self) -> String {
        self.d
    }
}

/// The steps between a lower and an upper edge, bucket by bucket.
#[derive(Default)]
pub(in crate::html) struct Area {
    d: String,
}

impl Area {
    /// Adds a step from `left` to `right` between two heights, in coordinates from 0 to 1. A step without height is
    /// skipped.
    pub(in crate::html) fn step(&mut self, left: f64, right: f64, lower: f64, upper: f64) {
        let (left, right) = (left * SPAN, right * SPAN);
        let (lower, upper) = ((1.0 - lower) * SPAN, (1.0 - upper) * SPAN);
        if lower - upper > 0.0 {
            push(&mut self.d, format_args!("M{left:.1} {lower:.1}V{upper:.1}H{right:.1}V{lower:.1}z"));
        }
    }

    /// The `d` attribute.
    pub(in crate::html) fn finish(self) -> String {
        self.d
    }
}

fn push(d: &mut String, piece: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = d.write_fmt(piece);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_breaks_where_nothing_was_measured() {
        let mut path = Path::default();
        path.to(0.0, 0.0);
        path.to(0.5, 1.0);
        path.gap();
        path.to(1.0, 0.25);
        assert_eq!(path.finish(), "M0.0 1000.0h0L500.0 0.0M1000.0 750.0h0");
    }

    #[test]
    fn a_step_without_height_is_left_out() {
        let mut area = Area::default();
        area.step(0.0, 0.1, 0.0, 0.5);
        area.step(0.1, 0.2, 0.3, 0.3);
        assert_eq!(area.finish(), "M0.0 1000.0V500.0H100.0V1000.0z");
    }
}
