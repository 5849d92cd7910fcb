//! The command line of `firedrill selftest`.

use std::path::PathBuf;

use clap::Args as ClapArgs;

/// What the help says at its end.
pub(super) const HELP: &str = "\
Exit status:
    0  every defect was caught, or escaped for a reason that is listed, and no sound store was accused
    1  a defect escaped without a listed reason, or a sound store was accused
    2  the command line is wrong
    3  drills were inconclusive: --resume runs them again
    4  environment: no usable Redis
  130  interrupted (SIGINT, SIGTERM): --resume goes on";

#[derive(Debug, ClapArgs)]
pub struct SelftestArgs {
    /// Drill only this defect. May be repeated. Default: all.
    #[arg(long = "defect", value_name = "NAME")]
    pub defects: Vec<String>,
    /// At how many seeds each drill runs.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1000), conflicts_with = "resume")]
    pub seeds: u16,
    /// The first seed. The others are fresh, and printed.
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "resume")]
    pub seed: u64,
    /// Also drill the sound store in every shipped scenario, not only in those that a defect needs.
    #[arg(long)]
    pub all_sound: bool,
    /// Go on with the self-test in this folder, or with this selftest.json: at its seeds, without the drills that are done.
    #[arg(long, value_name = "DIR|FILE", conflicts_with = "out")]
    pub resume: Option<PathBuf>,
    /// Folder for selftest.json, and for the reports of drills that did not end as they must. Default: runs/selftest-<time>.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print the matrix as the Markdown table of the documentation.
    #[arg(long)]
    pub markdown: bool,
    /// Drills to run at once. Default: one per core.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// The redis-server binary. Default: the one on PATH.
    #[arg(long, value_name = "PATH", env = "FIREDRILL_REDIS_SERVER")]
    pub redis_server: Option<PathBuf>,
    /// The session-server binary, for --all-sound. Default: the one beside this command, or on PATH.
    #[arg(long, value_name = "PATH", env = "FIREDRILL_SESSION_SERVER")]
    pub session_server: Option<PathBuf>,
}
