//! The command line of `firedrill evidence`.

use std::path::PathBuf;

use clap::Args as ClapArgs;

/// What the help says at its end.
pub(super) const HELP: &str = "\
Exit status:
    0  every step is met: it cost no more than the plan accepts, in as many runs as the plan asks for
    1  a step is not met
    2  the plan or a DIR cannot be read
    3  a step has too few runs that count
    4  the page cannot be written";

#[derive(Debug, ClapArgs)]
pub struct EvidenceArgs {
    /// The plan: a TOML file with a [[step]] for each step, the scenario that rehearses it, and what it may cost.
    #[arg(long, value_name = "FILE")]
    pub plan: PathBuf,
    /// Folders with the runs. Several are looked through one after another.
    #[arg(value_name = "DIR", default_value = "runs")]
    pub dirs: Vec<PathBuf>,
    /// File of the page. Default: evidence.html in the first DIR.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Print the evidence as JSON, and nothing else.
    #[arg(long)]
    pub json: bool,
}
