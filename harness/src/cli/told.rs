//! How `firedrill run` tells what happens: as tables for people, as a line per verdict, or as events for scripts.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use firedrill_reports::Run;
use firedrill_reports::ci::events::{self, Event};
use firedrill_reports::ci::{Baseline, Drilled};
use firedrill_reports::terminal;

use super::args::CiArgs;
use super::exit::colour_on;
use super::out;
use super::progress::{Progress, Screen};
use crate::drill::{FaultChange, Happening, Observer, Silent, quoted};
use crate::plan::Plan;

/// How the command reports what happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Progress on stderr, tables on stdout.
    Tables,
    /// A line for each verdict on stdout.
    Verdicts,
    /// A JSON object for each event on stdout.
    Events,
}

impl Told {
    /// As these flags ask.
    pub fn of(args: &CiArgs) -> Self {
        match args {
            CiArgs { json: true, .. } => Told::Events,
            CiArgs { quiet: true, .. } => Told::Verdicts,
            _ => Told::Tables,
        }
    }

    /// Begins to tell of a drill.
    pub fn begin(self, screen: &Screen, plan: &Plan) -> Watch {
        let name = &plan.scenario.name;
        match self {
            Told::Tables => {
                let progress = Arc::new(Progress::start(screen, name));
                Watch { observer: progress.clone(), progress: Some(progress) }
            }
            Told::Verdicts => Watch { observer: Arc::new(Silent), progress: None },
            Told::Events => {
                let events = Events { scenario: name.clone() };
                let load_seconds = plan.load_length().as_secs_f64();
                events.tell(Event::DrillStarted { seed: plan.seed, load_seconds });
                Watch { observer: Arc::new(events), progress: None }
            }
        }
    }

    /// Tells how a scenario ended, whose invocation leaves its runs in `out`. Why one did not run is an error, and
    /// printed as such.
    pub fn ended(self, drilled: &Drilled, out: &Path) {
        match (self, drilled.run(), drilled.report()) {
            (Told::Tables, Some(run), Some(report)) => {
                print_run(run, &out.join(report));
                if let Some(baseline) = &drilled.baseline {
                    print_baseline(baseline, out);
                }
            }
            (Told::Verdicts, Some(run), _) => {
                out::line(terminal::verdict(run, style()));
                if let Some(baseline) = &drilled.baseline {
                    out::line(terminal::comparison_line(&baseline.comparison, style()));
                }
            }
            (Told::Events, ..) => print_json(events::verdict(SystemTime::now(), out, drilled)),
            (Told::Tables | Told::Verdicts, ..) => {}
        }
    }

    /// Tells how several scenarios ended.
    pub fn all<'a>(self, runs: impl ExactSizeIterator<Item = &'a Run>) {
        if self == Told::Tables && runs.len() > 1 {
            out::print(format_args!("\n{}", terminal::summary(runs, style())));
        }
    }

    /// Tells how several scenarios compare with their baseline.
    pub fn compared<'a>(self, drills: impl ExactSizeIterator<Item = &'a Drilled>) {
        if self == Told::Tables && drills.len() > 1 {
            for baseline in drills.filter_map(|drilled| drilled.baseline.as_ref()) {
                out::line(terminal::comparison_line(&baseline.comparison, style()));
            }
        }
    }

    /// Tells of the files for the pipeline, and prints its commands: to stdout, unless that is kept for verdicts or events.
    pub fn outputs(self, written: &[PathBuf], commands: &[String]) {
        if self == Told::Tables {
            written.iter().for_each(|path| out::line(format_args!("output  {}", path.display())));
        }
        for command in commands {
            match self {
                Told::Tables => out::line(command),
                Told::Verdicts | Told::Events => out::tell_line(command),
            }
        }
    }
}

/// A drill that is being told of.
pub struct Watch {
    /// What the drill notifies.
    pub observer: Arc<dyn Observer>,
    progress: Option<Arc<Progress>>,
}

impl Watch {
    /// Ends the progress line: the drill's observer may live on in a thread, and the verdict follows.
    pub fn finish(&self) {
        if let Some(progress) = &self.progress {
            progress.finish();
        }
    }
}

/// Prints a run's verdict table, the path of its report, and the command that shows what is behind its first offence.
pub fn print_run(run: &Run, report: &Path) {
    out::print(terminal::drill(run, style()));
    out::line(format_args!("report  {}", report.display()));
    if let (Some(flags), Some(folder)) = (terminal::history_flags(run), report.parent()) {
        let folder = quoted(&folder.display().to_string());
        out::line(format_args!("history firedrill history {folder} {flags}"));
    }
}

/// Prints what changed for certain against the baseline, and the path of its page.
fn print_baseline(baseline: &Baseline, out: &Path) {
    out::print(format_args!("\n{}", terminal::comparison_in_short(&baseline.comparison, style())));
    if let Some(page) = &baseline.page {
        out::line(format_args!("compared  {}", out.join(page).display()));
    }
}

/// How this command's stdout is rendered to.
pub fn style() -> terminal::Style {
    let width = console::Term::stdout().size_checked().map_or(100, |(_, columns)| columns);
    terminal::Style { colour: colour_on(&std::io::stdout()), width }
}

fn print_json(line: Result<String, serde_json::Error>) {
    match line {
        Ok(line) => out::line(line),
        Err(error) => out::tell_line(format_args!("error: cannot write an event as JSON: {error}")),
    }
}

/// Prints the events of one drill.
struct Events {
    scenario: String,
}

impl Events {
    fn tell(&self, event: Event<'_>) {
        print_json(events::line(SystemTime::now(), &self.scenario, event));
    }
}

impl Observer for Events {
    fn see(&self, happening: &Happening<'_>) {
        match *happening {
            Happening::Step { text, .. } => self.tell(Event::Phase { phase: text }),
            Happening::Fault(FaultChange { fault, kind, on: true, at_ms }) => {
                self.tell(Event::FaultOn { fault, kind, at_ms });
            }
            Happening::Fault(FaultChange { fault, kind, on: false, at_ms }) => {
                self.tell(Event::FaultOff { fault, kind, at_ms });
            }
            _ => {}
        }
    }
}
