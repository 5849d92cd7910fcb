//! The command line of `firedrill runs`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use firedrill_reports::library::Limits;
use firedrill_reports::run::Verdict;

use crate::units::Span;

/// What the help says at its end.
pub(super) const HELP: &str = "\
--prune deletes a folder only if its run.json is one of Firedrill's, and only the files that this run.json names. A folder
with anything else in it stays, and so does a run that does not say when it was. Symbolic links below DIR are not followed.
Exit status:
    0  the runs were listed, or what was to be deleted is deleted; a folder that cannot be read is listed with the reason
    2  the command line is wrong, or there is no folder DIR
    4  the system refused to delete a file";

#[derive(Debug, ClapArgs)]
pub struct RunsArgs {
    /// The folder to look through.
    #[arg(value_name = "DIR", default_value = "runs")]
    pub dir: PathBuf,
    /// Only runs of this scenario. May be repeated.
    #[arg(long = "scenario", value_name = "NAME")]
    pub scenarios: Vec<String>,
    /// Only runs with this verdict. May be repeated.
    #[arg(long = "verdict", value_name = "VERDICT", value_parser = verdicts())]
    pub verdicts: Vec<Verdict>,
    /// Print a JSON object per run, and per folder that cannot be read.
    #[arg(long)]
    pub json: bool,
    /// Delete the runs beyond --older-than and --keep; with both, those beyond both.
    #[arg(long)]
    pub prune: bool,
    /// What is older may go: 30d, 2w, 12h.
    #[arg(long, value_name = "AGE", value_parser = age, requires = "prune")]
    pub older_than: Option<Duration>,
    /// All but this many of the newest may go.
    #[arg(long, value_name = "N", requires = "prune")]
    pub keep: Option<usize>,
    /// Say what --prune would delete, and delete nothing.
    #[arg(long, requires = "prune")]
    pub dry_run: bool,
}

impl RunsArgs {
    /// What --prune keeps.
    pub fn limits(&self) -> Limits {
        Limits { older_than: self.older_than, keep: self.keep }
    }
}

fn verdicts() -> impl TypedValueParser<Value = Verdict> {
    const ALL: [Verdict; 4] = [Verdict::Passed, Verdict::Failed, Verdict::Inconclusive, Verdict::Interrupted];
    PossibleValuesParser::new(ALL.map(Verdict::name))
        .try_map(|name| ALL.into_iter().find(|verdict| verdict.name() == name).ok_or("there is no such verdict"))
}

/// A length of time that may also be in days or weeks.
fn age(text: &str) -> Result<Duration, String> {
    const DAY: u64 = 86_400;
    let whole = |unit: char, seconds: u64| {
        let number = text.strip_suffix(unit)?.parse::<u64>().ok()?;
        number.checked_mul(seconds).map(Duration::from_secs)
    };
    let days = whole('d', DAY).or_else(|| whole('w', 7 * DAY));
    days.map_or_else(
        || text.parse::<Span>().map(|span| span.0).map_err(|_| "expected an age like 30d, 2w or 12h".to_owned()),
        Ok,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_may_be_in_days_and_weeks() {
        assert_eq!(age("30d"), Ok(Duration::from_secs(30 * 86_400)));
        assert_eq!(age("2w"), Ok(Duration::from_secs(14 * 86_400)));
        assert_eq!(age("12h"), Ok(Duration::from_secs(12 * 3_600)));
        for wrong in ["30", "d", "-1d", "1.5d", "a month", "99999999999999999999d", "999999999999999999w"] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
    }
}
