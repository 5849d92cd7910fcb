//! Exit statuses, and the errors behind them.

use std::io::IsTerminal;
use std::process::ExitCode;

use super::out;
use crate::drill::DrillError;
use crate::scenario::ScenarioError;

/// The meaning of the command's exit status. Documented in `firedrill run --help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Everything held.
    Passed,
    /// A gate failed or a check was invalid.
    Failed,
    /// The command line or the scenario is wrong.
    Usage,
    /// No conclusion is possible.
    Inconclusive,
    /// Something that a drill needs is missing.
    Environment,
    /// Worse than the baseline, or a capacity that is not what it was.
    Regressed,
    /// Stopped by a signal.
    Interrupted,
}

impl Status {
    /// The numeric exit status.
    pub fn code(self) -> u8 {
        match self {
            Status::Passed => 0,
            Status::Failed => 1,
            Status::Usage => 2,
            Status::Inconclusive => 3,
            Status::Environment => 4,
            Status::Regressed => 5,
            Status::Interrupted => 130,
        }
    }

    /// The combined status of several drills: a failure wins over anything unclear.
    pub fn worse(self, other: Status) -> Status {
        let weight = |status| match status {
            Status::Passed => 0,
            Status::Inconclusive => 1,
            Status::Environment => 2,
            Status::Regressed => 3,
            Status::Failed => 4,
            Status::Usage => 5,
            Status::Interrupted => 6,
        };
        if weight(other) > weight(self) { other } else { self }
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> ExitCode {
        ExitCode::from(status.code())
    }
}

/// Why a command stopped.
#[derive(Debug)]
pub enum Failure {
    /// A scenario that cannot run.
    Scenario(ScenarioError),
    /// An invalid command line, and what to do about it.
    Usage(String),
    /// A drill that could not run.
    Drill(DrillError),
    /// Something that the command needs is missing.
    Environment(String),
    /// A missing or unreadable file or saved run.
    File(String),
}

impl Failure {
    /// The exit status for it.
    pub fn status(&self) -> Status {
        match self {
            Failure::Scenario(_) | Failure::Usage(_) | Failure::File(_) => Status::Usage,
            Failure::Environment(_) => Status::Environment,
            Failure::Drill(error) if error.is_usage() => Status::Usage,
            Failure::Drill(error) if error.is_inconclusive() => Status::Inconclusive,
            Failure::Drill(_) => Status::Environment,
        }
    }

    /// It in words, without colours.
    pub fn text(&self) -> String {
        match self {
            Failure::Scenario(error) => error.to_string(),
            Failure::Usage(text) | Failure::File(text) | Failure::Environment(text) => text.clone(),
            Failure::Drill(error) => error.to_string(),
        }
    }

    /// Prints it to stderr.
    pub fn print(&self) {
        match self {
            Failure::Scenario(error) => {
                let theme = if colour() {
                    miette::GraphicalTheme::unicode()
                } else {
                    miette::GraphicalTheme::unicode_nocolor()
                };
                let mut text = String::new();
                let handler = miette::GraphicalReportHandler::new_themed(theme).with_width(100);
                match handler.render_report(&mut text, error) {
                    Ok(()) => out::tell(text),
                    Err(_) => out::tell_line(format_args!("error: {error}")),
                }
            }
            _ => out::tell_line(format_args!("error: {}", self.text())),
        }
    }
}

impl From<ScenarioError> for Failure {
    fn from(error: ScenarioError) -> Self {
        Failure::Scenario(error)
    }
}

impl From<DrillError> for Failure {
    fn from(error: DrillError) -> Self {
        match error {
            DrillError::Scenario(error) => Failure::Scenario(error),
            error => Failure::Drill(error),
        }
    }
}

/// Whether stderr supports colours.
pub fn colour() -> bool {
    colour_on(&std::io::stderr())
}

/// Whether a stream supports colours: it is a terminal, and `NO_COLOR` is not set (<https://no-color.org>).
pub fn colour_on(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_drill_outweighs_an_inconclusive_one() {
        assert_eq!(Status::Passed.worse(Status::Inconclusive), Status::Inconclusive);
        assert_eq!(Status::Failed.worse(Status::Inconclusive), Status::Failed);
        assert_eq!(Status::Regressed.worse(Status::Failed), Status::Failed);
        assert_eq!(Status::Environment.worse(Status::Regressed), Status::Regressed);
        assert_eq!(Status::Failed.worse(Status::Interrupted).code(), 130);
    }
}
