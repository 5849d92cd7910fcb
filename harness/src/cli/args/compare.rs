//! The flags that compare runs.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::units::Share;

/// Two runs of one program on one machine differ by a few percent.
const MARGIN: &str = "10%";

pub const HELP: &str = "\
A side is the folder of a run, its run.json, or a folder with runs (DIR/<scenario>/,
DIR/<time>/<scenario>/). With four runs of a scenario in all, intervals show what differs from run
to run; with one on each side, only what varies within a run.
Exit status:
    0  nothing regressed
    2  no run is there, or a run.json cannot be read
    3  nothing could be compared: other scenarios, another load, or a run that proves nothing
    4  the page cannot be written
    5  regressed: worse by more than the margin, and by more than noise explains";

#[derive(Debug, ClapArgs)]
pub struct CompareArgs {
    /// The baseline.
    #[arg(value_name = "BASELINE")]
    pub baseline: PathBuf,
    /// The runs that are compared with it.
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// The change up to which a figure counts as unchanged.
    #[arg(long, value_name = "PERCENT", default_value = MARGIN)]
    pub margin: Share,
    /// File of the page that shows the comparison. Default: compare.html in RUN.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Print the comparisons as a JSON array, and nothing else.
    #[arg(long, conflicts_with = "quiet")]
    pub json: bool,
    /// Print only a line for each scenario.
    #[arg(short, long)]
    pub quiet: bool,
}

/// What the runs of an invocation are compared with.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Options for a baseline")]
pub struct BaselineArgs {
    /// Compare each run with those of its scenario in DIR, such as an earlier --out, and exit with status 5 if one regressed.
    /// The page compare.html beside the run shows it.
    #[arg(long, value_name = "DIR")]
    pub baseline: Option<PathBuf>,
    /// The change up to which a figure counts as unchanged.
    #[arg(long, value_name = "PERCENT", default_value = MARGIN, requires = "baseline")]
    pub margin: Share,
}
