//! The flags of `firedrill run` for pipelines and scripts.

use clap::Args as ClapArgs;

#[derive(Debug, Clone, Default, ClapArgs)]
#[command(next_help_heading = "Options for pipelines")]
pub struct CiArgs {
    /// Write junit.xml, summary.md, summary.json and index.html into --out, and print annotations. On by itself where the
    /// environment has CI=true. Then an output that cannot be written leaves the exit status as it is.
    #[arg(long, overrides_with = "no_ci")]
    pub ci: bool,
    /// Turn --ci off, even where CI=true. The flags below still work.
    #[arg(long, overrides_with = "ci")]
    pub no_ci: bool,
    /// Write junit.xml: a suite per scenario, a case per gate, check and fault.
    #[arg(long)]
    pub junit: bool,
    /// Write summary.md, and append it to the file that GITHUB_STEP_SUMMARY names.
    #[arg(long)]
    pub summary: bool,
    /// Write summary.json: every scenario with its verdict, gates and checks.
    #[arg(long)]
    pub summary_json: bool,
    /// Write index.html, which links to every report.
    #[arg(long)]
    pub index: bool,
    /// Print GitHub's annotations for what failed, at the line in the scenario's file.
    #[arg(long)]
    pub annotations: bool,
    /// Print events as they happen to stdout, a JSON object per line, and nothing else.
    #[arg(long, conflicts_with = "quiet")]
    pub json: bool,
    /// Print only a line with the verdict of each scenario.
    #[arg(short, long)]
    pub quiet: bool,
}
