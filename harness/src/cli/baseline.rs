//! What the runs of `firedrill run --baseline` are compared with.

use std::path::Path;

use firedrill_reports::ci::{Answer, Baseline, Drilled};
use firedrill_reports::compare::{Recorded, compare};

use super::args::BaselineArgs;
use super::compare::{PAGE, write_page};
use super::exit::{Failure, Status};
use super::recorded::runs;

/// The runs of a baseline, read before the first drill starts: a wrong path must not surface only after minutes, and the
/// drills may write into the same folder.
pub struct Earlier {
    runs: Vec<Recorded>,
    margin: f64,
}

impl Earlier {
    /// Reads the baseline, if one is asked for.
    pub fn read(args: &BaselineArgs) -> Result<Option<Self>, Failure> {
        let read = |folder: &std::path::PathBuf| Ok(Self { runs: runs(folder)?, margin: args.margin.0 });
        args.baseline.as_ref().map(read).transpose()
    }

    /// Compares `drilled`, which had `status` so far and whose invocation leaves its runs in `out`, with the baseline, and
    /// writes the page beside the run. Returns the status with the comparison.
    pub fn judge(&self, drilled: &mut Drilled, status: Status, out: &Path) -> Result<Status, Failure> {
        let Some((run, record)) = drilled.run().zip(drilled.record()) else { return Ok(status) };
        let scenario: Vec<Recorded> =
            self.runs.iter().filter(|one| one.run.scenario.name == run.scenario.name).cloned().collect();
        let folder = record.parent().unwrap_or(Path::new("")).to_owned();
        let now = Recorded { place: out.join(&folder).display().to_string(), run: run.clone() };
        let comparison = compare(&scenario, &[now], self.margin);

        let page = folder.join(PAGE);
        let written = write_page(&out.join(&page), std::slice::from_ref(&comparison));
        let mut baseline = Baseline::new(comparison, written.is_ok().then_some(page), i32::from(status.code()));
        let status = status.worse(match baseline.answer() {
            Answer::Broken => Status::Regressed,
            Answer::Unclear => Status::Inconclusive,
            Answer::Held | Answer::Reported => Status::Passed,
        });
        baseline.exit_status = i32::from(status.code());
        drilled.baseline = Some(Box::new(baseline));
        written.map(|()| status)
    }
}
