//! The rates between which the knee lies, as far as the steps of the climb know.

/// Bounds of the knee.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bracket {
    /// The highest rate that passed.
    pub passed: Option<f64>,
    /// The lowest rate that failed.
    pub failed: Option<f64>,
}

impl Bracket {
    /// Records a pass. A failure at or below it was a neighbour's.
    pub fn pass(&mut self, rate: f64) {
        self.passed = Some(self.passed.map_or(rate, |passed| passed.max(rate)));
        self.failed = self.failed.filter(|failed| *failed > rate);
    }

    /// Records a failure.
    pub fn fail(&mut self, rate: f64) {
        self.failed = Some(self.failed.map_or(rate, |failed| failed.min(rate)));
    }

    /// Both bounds.
    pub fn both(&self) -> Option<(f64, f64)> {
        self.passed.zip(self.failed)
    }

    /// The next rate to try: double, halve, or the geometric mean; `None` once the bounds are within `ratio` of each other.
    pub fn next(&self, start: f64, ratio: f64) -> Option<f64> {
        match (self.passed, self.failed) {
            (None, None) => Some(start),
            (Some(passed), None) => Some(passed * 2.0),
            (None, Some(failed)) => Some(failed / 2.0),
            (Some(passed), Some(failed)) => (failed / passed > ratio).then(|| (passed * failed).sqrt()),
        }
    }
}
