//! The command line of `firedrill history`.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::Args as ClapArgs;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::clock::Nanos;
use crate::history::{OpKind, Outcome, Selection, SessionNo};
use crate::units::Span;

/// What the help says at its end.
pub(super) const HELP: &str = "\
Filters add up: an operation must pass all of them. Times are those of the report: 0s is the start of the load.
Exit status:
    0  what there is was printed, also of an incomplete history, and also if it is nothing
    2  RUN cannot be read or is damaged before its end, or what is to be shown does not fit into memory";

#[derive(Debug, ClapArgs)]
pub struct HistoryArgs {
    /// The folder of a run, or a history file.
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Show only operations on this session, and those that were answered with its data.
    #[arg(long, value_name = "N")]
    pub session: Option<SessionNo>,
    /// Show only operations under way around this time, such as 6.5s, or -2s for before the load.
    #[arg(long, value_name = "TIME", value_parser = moment, allow_hyphen_values = true)]
    pub around: Option<Nanos>,
    /// How far from --around.
    #[arg(long, value_name = "SPAN", default_value = "1s", requires = "around")]
    pub within: Span,
    /// Show only operations with this outcome. May be repeated.
    #[arg(long = "outcome", value_name = "OUTCOME", value_parser = outcomes())]
    pub outcomes: Vec<Outcome>,
    /// Show only operations of this kind. May be repeated.
    #[arg(long = "op", value_name = "KIND", value_parser = kinds())]
    pub kinds: Vec<OpKind>,
    /// Mark these operations, and show them whatever the filters say: numbers from the column `op`, such as 17,4711.
    /// Without a filter, show only these.
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    pub operations: Vec<u64>,
    /// Print a JSON object per operation, with the fields of docs/history-format.md; times are in nanoseconds.
    #[arg(long)]
    pub json: bool,
}

impl HistoryArgs {
    /// The operations to show.
    pub fn selection(&self) -> Selection {
        let around = |at: Nanos| -> RangeInclusive<Nanos> {
            let within = self.within.nanos();
            at.saturating_sub(within)..=at.saturating_add(within)
        };
        Selection {
            session: self.session,
            period: self.around.map(around),
            outcomes: self.outcomes.clone(),
            kinds: self.kinds.clone(),
            operations: self.operations.clone(),
        }
    }
}

/// A time on the drill's clock: a length of time, with a minus sign before the start of the load.
fn moment(text: &str) -> Result<Nanos, String> {
    let (length, sign) = text.strip_prefix('-').map_or((text, 1), |length| (length, -1));
    length.parse::<Span>().map(|span| sign * span.nanos()).map_err(|error| error.to_string())
}

fn outcomes() -> impl TypedValueParser<Value = Outcome> {
    by_name(Outcome::ALL.map(|outcome| (outcome.name(), outcome)))
}

fn kinds() -> impl TypedValueParser<Value = OpKind> {
    by_name(OpKind::ALL.map(|kind| (kind.name(), kind)))
}

/// One of `known`, by its name.
fn by_name<T: Copy + Send + Sync + 'static, const N: usize>(
    known: [(&'static str, T); N],
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(known.map(|(name, _)| name)).try_map(move |name| {
        known.iter().find(|(known, _)| *known == name).map(|(_, thing)| *thing).ok_or("there is no such one")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_may_lie_before_the_load() {
        assert_eq!(moment("6.5s"), Ok(6_500_000_000));
        assert_eq!(moment("-2s"), Ok(-2_000_000_000));
        assert!(moment("6.5").is_err() && moment("--2s").is_err());
    }
}
