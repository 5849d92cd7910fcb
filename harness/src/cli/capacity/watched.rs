//! A search on the screen.

use firedrill_capacity::{Phase, Trial};
use firedrill_reports::capacity::Step;
use firedrill_reports::text;

use crate::capacity::Watcher;
use crate::cli::progress::Progress;

impl Watcher for Progress {
    fn now(&self, doing: &str) {
        Progress::now(self, doing);
    }

    fn line(&self, text: &str) {
        Progress::line(self, text);
    }

    fn begins(&self, trial: &Trial) {
        let doing = match trial.phase {
            Phase::Ceiling => "the generator by itself",
            Phase::Climb => "climbing",
            Phase::Bracket => "closing in",
            Phase::Repeat => "repeating around the knee",
        };
        let longer = if trial.extends { ", longer, to tell" } else { "" };
        self.now(&format!("{doing}: {} for {} s{longer}", text::rate(trial.rate), trial.seconds));
    }

    fn ended(&self, step: &Step) {
        let on = if step.of_target { "" } else { "by itself " };
        let why = if step.why.is_empty() { String::new() } else { format!("  ({})", step.why) };
        let (rate, p99) = (text::rate(step.rate), text::millis(step.p99_ms));
        self.line(&format!("{on}{rate:>9}  {:>2} s  p99 {p99:>8}  {}{why}", step.seconds, step.verdict.name()));
    }
}
