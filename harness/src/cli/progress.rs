//! Progress on stderr while a drill runs: one updating line on a terminal, one line per step elsewhere.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::exit::colour;
use super::out;
use crate::drill::{Happening, Observer, Tick};

/// The terminal, with one line for each running drill.
#[derive(Default)]
pub struct Screen(MultiProgress);

impl Screen {
    /// Prints above the lines of the running drills.
    pub fn above<T>(&self, print: impl FnOnce() -> T) -> T {
        self.0.suspend(print)
    }
}

/// Shows the progress of one drill.
pub struct Progress {
    name: String,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Starts to show the drill called `name`.
    pub fn start(screen: &Screen, name: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = screen.0.add(ProgressBar::new(0).with_prefix(name.to_owned()));
            let template =
                if colour() { "{spinner:.cyan} {prefix:.bold}  {wide_msg}" } else { "{spinner} {prefix}  {wide_msg}" };
            // The template is a literal; an error would cost only the colours.
            bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { name: name.to_owned(), bar }
    }

    /// Clears the line, because the table follows.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// Replaces what is being done now.
    pub fn now(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(text.to_owned());
        }
    }

    /// Prints a line that stays.
    pub fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(format!("  {}  {text}", self.name)),
            None => out::tell_line(format_args!("{}  {text}", self.name)),
        }
    }
}

impl Progress {
    fn step(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(text.to_owned()),
            None => self.line(text),
        }
    }

    fn tick(&self, tick: &Tick<'_>) {
        let text = format!(
            "{:.0}/{:.0} s  {:.0} op/s  p95 {}  errors {}  degraded {}",
            tick.at,
            tick.of,
            tick.rate,
            firedrill_reports::text::millis(tick.p95_ms),
            tick.errors,
            tick.degraded
        );
        match &self.bar {
            Some(bar) => bar.set_message(text),
            // A log needs a sign of life, but not every second.
            None if (tick.at.round() as u64).is_multiple_of(5) => self.line(text.trim_start()),
            None => {}
        }
    }
}

impl Observer for Progress {
    fn see(&self, happening: &Happening<'_>) {
        match happening {
            Happening::Step { text, .. } => self.step(text),
            Happening::Tick(tick) if tick.is_of_the_load() => self.tick(tick),
            Happening::Fault(change) => self.line(&change.to_string()),
            Happening::Deployed { policy, lost, at_ms } => {
                let at = at_ms / 1e3;
                self.line(&format!("deployed {policy} at {at:.2} s; this lost {lost} sessions"));
            }
            _ => {}
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}
