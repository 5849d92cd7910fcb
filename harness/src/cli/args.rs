//! The command line.

mod capacity;
mod ci;
mod common;
mod compare;
mod evidence;
mod history;
mod proxy;
mod runs;
mod scenario_name;
mod selftest;
mod serve;
mod watch;

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args as ClapArgs, FromArgMatches, Parser, Subcommand, ValueEnum};

pub use self::capacity::CapacityArgs;
pub use self::ci::CiArgs;
use self::common::workers;
pub use self::common::{Changes, Trust};
pub use self::compare::{BaselineArgs, CompareArgs};
pub use self::evidence::EvidenceArgs;
pub use self::history::HistoryArgs;
pub use self::proxy::{ProxyArgs, with_two_dashes};
pub use self::runs::RunsArgs;
use self::scenario_name::ScenarioParser;
pub use self::selftest::SelftestArgs;
pub use self::serve::ServeArgs;
pub use self::watch::WatchArgs;
use super::exit::Failure;
use super::version::LONG;
use crate::catalogue::{TABLES, Table};
use crate::history::{Notation, Telling};
use crate::units::{Bytes, Span};

/// Practises the outage before it happens: drives a session store through real faults and checks every promise.
#[derive(Debug, Parser)]
#[command(name = "firedrill", version, long_version = LONG, about, max_term_width = 100, after_help = AFTER_HELP)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "\
Start with:  firedrill run redis-outage
             firedrill run redis-outage --set store.policy=degrade    (the same outage, with a policy that loses writes)";

const EXIT_HELP: &str = "\
Exit status:
    0  passed: every gate held and every check was valid
    1  failed: a gate failed or a check was invalid
    2  the command line or the scenario is wrong
    3  inconclusive: a fault never bit or could not be undone, the generator missed its rate, a checker could not tell
    4  environment: no usable Redis or session-server, a killed drill left changes behind (firedrill heal), or an output that
       a flag asked for cannot be written
    5  regressed: worse than the --baseline, by more than the margin and by more than noise explains
  130  interrupted (SIGINT, SIGTERM): everything was healed, and the report says so
With several scenarios, the worst status: 1 before 5, 5 before 4, 4 before 3.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run drills and write their reports.
    #[command(after_help = EXIT_HELP)]
    Run(Box<RunArgs>),
    /// Search for the highest rate at which objectives hold, with an interval and what gives way first.
    #[command(after_help = capacity::HELP)]
    Capacity(Box<CapacityArgs>),
    /// List the shipped scenarios, the kinds of faults, or the metrics of gates.
    List(ListArgs),
    /// Print the settings, operations and faults of a scenario without running it.
    Show(ShowArgs),
    /// Write a commented description of an application, to begin with.
    Init(InitArgs),
    /// Walk one session of your own application through its operations, without load or faults, and print every request and answer.
    #[command(after_help = TRY_HELP)]
    Try(TryArgs),
    /// Undo what a killed drill left on your Redis, in Docker or on a Toxiproxy server.
    #[command(after_help = HEAL_HELP)]
    Heal(HealArgs),
    /// Render the report of a saved run again.
    Report(ReportArgs),
    /// List the saved runs, and delete old ones.
    #[command(after_help = runs::HELP)]
    Runs(RunsArgs),
    /// Show the saved runs in the browser, filtered and compared.
    #[command(after_help = serve::HELP)]
    Serve(ServeArgs),
    /// Judge a plan (migrate, fail over, fall back, roll back) by its runs, as a page that a reviewer signs.
    #[command(after_help = evidence::HELP)]
    Evidence(EvidenceArgs),
    /// Judge a saved history, even of a killed drill, with every checker.
    #[command(after_help = CHECK_HELP)]
    Check(CheckArgs),
    /// Compare runs with earlier ones: what regressed, what improved, and what is noise.
    #[command(after_help = compare::HELP)]
    Compare(CompareArgs),
    /// Print the operations of a saved history, such as those behind an offence.
    #[command(after_help = history::HELP)]
    History(HistoryArgs),
    /// Convert a history for another checker (Jepsen's Knossos and Elle, Porcupine), or figures for github-action-benchmark.
    Export(ExportArgs),
    /// Plant each known defect in the store and see whether the drills that must catch it do.
    #[command(after_help = selftest::HELP)]
    Selftest(SelftestArgs),
    /// Run the fault proxy alone, as a drop-in replacement for toxiproxy-server.
    #[command(after_help = proxy::HELP, args_override_self = true)]
    Proxy(ProxyArgs),
    /// Say what is installed, what is missing, and how to get it.
    Doctor(DoctorArgs),
    /// Print the JSON Schema of scenarios, for editors.
    Schema,
    /// Print shell completions.
    Completions(CompletionArgs),
    /// Print the manual page, or write those of all commands.
    Man(ManArgs),
}

#[derive(Debug, ClapArgs)]
pub struct InitArgs {
    /// The framework: app (any), aiohttp, django, express, flask, go, php, rack, rails, rust or spring. The file's first line says whether it was tried.
    #[arg(value_name = "FRAMEWORK", default_value = "app")]
    pub framework: String,
    /// The file to write; one that exists stays as it is.
    #[arg(long, value_name = "FILE", default_value = "drill.toml")]
    pub file: PathBuf,
}

const TRY_HELP: &str = "\
Exit status:
  0  every operation does what the description says, and Redis saw the writes
  1  an operation does not: the last lines say which, in which line of the file, and what the answer was
  2  the file is wrong
  3  the application did not use the Redis it was given
  4  no usable Redis, or the application does not start";

/// A scenario with an application of your own.
#[derive(Debug, ClapArgs)]
pub struct TryArgs {
    /// A TOML file with [app] and [op.create], [op.read] and more.
    #[arg(value_name = "FILE")]
    pub file: String,
    #[command(flatten)]
    pub changes: Changes,
    /// The redis-server binary. Default: the one on PATH.
    #[arg(long, value_name = "PATH", env = "FIREDRILL_REDIS_SERVER")]
    pub redis_server: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub struct DoctorArgs {
    /// Also examine this Redis, on which drills are to run.
    #[arg(long, value_name = "URL", env = "FIREDRILL_REDIS", hide_env_values = true)]
    pub redis: Option<String>,
    #[command(flatten)]
    pub trust: Trust,
}

#[derive(Debug, ClapArgs)]
pub struct RunArgs {
    /// Shipped scenarios by name, or TOML files.
    #[arg(value_name = "SCENARIO|FILE", required_unless_present = "tags", value_parser = ScenarioParser, hide_possible_values = true)]
    pub scenarios: Vec<String>,
    /// Run every shipped scenario with this tag. May be repeated.
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
    #[command(flatten)]
    pub changes: Changes,
    /// `managed`: the drill starts its own redis-server. Or the URL of a running Redis: the drill touches only keys under
    /// its own random prefix. Put a URL with a password into FIREDRILL_REDIS, so that it appears in no process list.
    #[arg(
        long,
        value_name = "managed|URL",
        env = "FIREDRILL_REDIS",
        hide_env_values = true,
        default_value = "managed"
    )]
    pub redis: String,
    #[command(flatten)]
    pub trust: Trust,
    /// Let server.* faults change this Redis for all its users. Required if it holds keys or serves clients of others.
    #[arg(long, value_name = "HOST:PORT")]
    pub allow_server_faults: Option<String>,
    /// Share of the free memory that the load may fill on a Redis that others use.
    #[arg(long, value_name = "PERCENT", default_value_t = crate::drill::Allowance::MEMORY_SHARE)]
    pub memory_share: crate::units::Share,
    /// Run the drill's own Redis as a child process (managed) or in a container (docker). Default: the scenario's choice.
    #[arg(long, value_name = "managed|docker", value_parser = ["managed", "docker"])]
    pub lab: Option<String>,
    /// Container image with redis-server on its PATH. Default: the scenario's, or redis:7.4-alpine.
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,
    /// API of a Toxiproxy server to use instead of the embedded proxy, such as http://127.0.0.1:8474.
    #[arg(long, value_name = "URL")]
    pub toxiproxy: Option<String>,
    /// Address on which the proxy listens, on Toxiproxy's machine.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:0", requires = "toxiproxy")]
    pub toxiproxy_listen: String,
    /// Address at which Toxiproxy reaches Redis. Default: the drill's.
    #[arg(long, value_name = "HOST:PORT", requires = "toxiproxy")]
    pub toxiproxy_upstream: Option<String>,
    /// The redis-server binary. Default: the one on PATH.
    #[arg(long, value_name = "PATH", env = "FIREDRILL_REDIS_SERVER")]
    pub redis_server: Option<PathBuf>,
    /// The session-server binary, for scenarios that drive the application. Default: the one beside this command, or on
    /// PATH.
    #[arg(long, value_name = "PATH", env = "FIREDRILL_SESSION_SERVER")]
    pub session_server: Option<PathBuf>,
    /// Folder for the runs: each goes to DIR/<scenario>/. Default: runs/<time>.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Drills to run at once, each with its own lab. Default: one per core. A drill that needs precise timing always runs
    /// alone: one with claims, a gate on a rate or on a time below 1 s, or a load that keeps a core busy. Drills on a
    /// running Redis or Toxiproxy run one after another.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Threads that generate load. Default: one per core.
    #[arg(long, value_name = "N", value_parser = workers())]
    pub workers: Option<usize>,
    #[command(flatten)]
    pub watch: WatchArgs,
    #[command(flatten)]
    pub baseline: BaselineArgs,
    #[command(flatten)]
    pub ci: CiArgs,
}

#[derive(Debug, ClapArgs)]
pub struct ListArgs {
    /// List only scenarios with this tag. May be repeated.
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
    #[command(flatten)]
    pub table: ShownTable,
    /// Print the Markdown table of the documentation.
    #[arg(long, requires = "table")]
    pub markdown: bool,
}

/// The table to show instead of the scenarios. Each table has a flag of the same name.
#[derive(Debug)]
pub struct ShownTable(pub Option<&'static Table>);

impl FromArgMatches for ShownTable {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(TABLES.iter().find(|table| matches.get_flag(table.name))))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl ClapArgs for ShownTable {
    fn augment_args(command: clap::Command) -> clap::Command {
        TABLES.iter().fold(command, |command, table| {
            let flag = Arg::new(table.name).long(table.name).help(table.about).action(ArgAction::SetTrue);
            command.arg(flag.group("table").conflicts_with("tags"))
        })
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

#[derive(Debug, ClapArgs)]
pub struct ShowArgs {
    /// A shipped scenario by name, or a TOML file.
    #[arg(value_name = "SCENARIO|FILE", value_parser = ScenarioParser, hide_possible_values = true)]
    pub scenario: String,
    #[command(flatten)]
    pub changes: Changes,
    /// How many operations to print.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub operations: usize,
}

const HEAL_HELP: &str = "\
Journals are in $FIREDRILL_STATE/journals (default: $XDG_STATE_HOME/firedrill, ~/.local/state/firedrill).
Exit status:
    0  nothing is left to undo; what somebody else changed since the drill stays as it is
    2  FILE is not a journal
    4  something is left: it could not be undone, its drill still runs, it belongs to another Redis than --redis, a journal is
       damaged (kept as *.damaged), or a restarted or replaced server has a setting that looks like a drill's";

#[derive(Debug, ClapArgs)]
pub struct HealArgs {
    /// A journal. Default: all of them.
    #[arg(value_name = "FILE")]
    pub journal: Option<PathBuf>,
    /// Say what would be undone, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Print the journals' contents without contacting a server.
    #[arg(long, conflicts_with = "dry_run")]
    pub list: bool,
    /// Heal only this Redis, including what drills on other machines left there. No journal stores a password: supply it
    /// here or in FIREDRILL_REDIS.
    #[arg(long, value_name = "URL", env = "FIREDRILL_REDIS", hide_env_values = true)]
    pub redis: Option<String>,
    #[command(flatten)]
    pub trust: Trust,
}

#[derive(Debug, ClapArgs)]
pub struct ReportArgs {
    /// The folder of a run, or its run.json.
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
}

const CHECK_HELP: &str = "\
Exit status:
    0  every checker answered valid
    1  a checker found a violation
    2  HISTORY cannot be read, is damaged before its end, or has a user whose operations do not fit into memory
    3  a checker cannot tell, or none had anything to examine. An incomplete history gets this status at best: a missing
       operation may explain what looks wrong";

#[derive(Debug, ClapArgs)]
pub struct CheckArgs {
    /// The folder of a run, a history file, or another tool's history: Jepsen's operation maps in JSON.
    #[arg(value_name = "HISTORY")]
    pub history: PathBuf,
    /// Run only this checker. May be repeated. Default: all.
    #[arg(long = "checker", value_name = "NAME")]
    pub checkers: Vec<String>,
    /// How many violations of each checker to describe.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub samples: usize,
    /// Memory limit, such as 1GB. A history that does not fit is judged in parts. Default: half of the available memory.
    #[arg(long, value_name = "BYTES")]
    pub memory: Option<Bytes>,
    /// Another tool's history: how long a session lives after its last use. Default: it never expires.
    #[arg(long, value_name = "SPAN")]
    pub ttl: Option<Span>,
    /// Another tool's history: how far the store's and the history's view of an expiry may differ.
    #[arg(long, value_name = "SPAN", requires = "ttl")]
    pub ttl_slack: Option<Span>,
    /// Another tool's history: reads do not extend a session's lifetime.
    #[arg(long, requires = "ttl")]
    pub fixed_ttl: bool,
}

#[derive(Debug, ClapArgs)]
pub struct ExportArgs {
    /// The folder of a run, or a history file. For `benchmark`: a run's folder, its run.json, or a folder with runs.
    #[arg(value_name = "HISTORY")]
    pub history: PathBuf,
    /// The notation.
    #[arg(long, value_enum)]
    pub format: ExportFormat,
    /// Write sessions as they are, or appends and reads as the list-append transactions that Elle takes.
    #[arg(long = "as", value_enum, value_name = "MODEL", default_value_t)]
    pub telling: ExportTelling,
    /// Output file. Default: stdout.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Formats of other tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Operation maps in EDN, one per line, as Knossos reads them.
    JepsenEdn,
    /// The same maps as a JSON array, as elle-cli reads them.
    JepsenJson,
    /// The key-value log of Porcupine's tests.
    Porcupine,
    /// The figures of runs with their ranges, as customSmallerIsBetter of github-action-benchmark.
    Benchmark,
}

impl ExportFormat {
    /// The notation of a history; `None` for a format that is not one of histories.
    pub fn notation(self) -> Option<Notation> {
        match self {
            ExportFormat::JepsenEdn => Some(Notation::JepsenEdn),
            ExportFormat::JepsenJson => Some(Notation::JepsenJson),
            ExportFormat::Porcupine => Some(Notation::Porcupine),
            ExportFormat::Benchmark => None,
        }
    }
}

/// How operations are written for Jepsen's tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ExportTelling {
    /// Every operation as it is.
    #[default]
    Sessions,
    /// Transactions of appends and reads, for sessions that were never put or destroyed.
    ListAppend,
}

impl From<ExportTelling> for Telling {
    fn from(telling: ExportTelling) -> Self {
        match telling {
            ExportTelling::Sessions => Telling::Sessions,
            ExportTelling::ListAppend => Telling::ListAppend,
        }
    }
}

#[derive(Debug, ClapArgs)]
pub struct CompletionArgs {
    /// Which shell.
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

#[derive(Debug, ClapArgs)]
pub struct ManArgs {
    /// Write a page for each command into this folder, such as ~/.local/share/man/man1.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// How many drills run at once: as many as asked for, or one per core.
pub fn jobs(asked: Option<u16>) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, |cores| cores.get());
    asked.map_or_else(cores, usize::from)
}

impl RunArgs {
    /// How many drills run at once. A person follows one after another.
    pub fn jobs(&self) -> usize {
        if self.watch.live.is_some() { 1 } else { jobs(self.jobs) }
    }

    /// The command line's changes to the scenario: `--set`, and the flags that are shorthand for one.
    pub fn changes(&self) -> Result<Changes, Failure> {
        let mut changes = self.changes.clone();
        let mut set = |key: &str, value: &str| {
            changes.sets.push(format!("{key}={value}").parse()?);
            Ok::<(), Failure>(())
        };
        if let Some(lab) = &self.lab {
            set("lab.kind", lab)?;
        }
        if let Some(image) = &self.image {
            set("lab.image", image)?;
        }
        Ok(changes)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }
}
