//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args as ClapArgs, CommandFactory, Parser, Subcommand};

use super::exit::{Failure, Status};
use super::out;
use crate::scenario::Override;

/// Practises the outage before it happens: drives a session store under real faults and judges what it promised.
#[derive(Debug, Parser)]
#[command(name = "firedrill", version, about, max_term_width = 100, after_help = AFTER_HELP)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "\
Start with:  firedrill run redis-outage
             firedrill run redis-outage --set store.policy=degrade    (what the same outage costs without draining)";

const EXIT_HELP: &str = "\
Exit status:
    0  passed: every gate held and every check was valid
    1  failed: a gate failed or a check was invalid
    2  the command line or the scenario is wrong
    3  inconclusive: the fault never bit, the generator missed its rate, a checker ran out of time
    4  environment: no Redis, or no session-server, to be had, or a killed drill has left its traces there
       (firedrill heal)
  130  interrupted (SIGINT, SIGTERM); everything is healed and the report says so
With several scenarios: the worst of them, where 1 is worse than 4, and 4 is worse than 3.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run drills and write their reports.
    #[command(after_help = EXIT_HELP)]
    Run(Box<RunArgs>),
    /// List the shipped scenarios.
    List(ListArgs),
    /// Show what a scenario would do: its settings, operations and faults, without doing it.
    Show(ShowArgs),
    /// Undo what a drill that was killed has left on systems that are not its own.
    #[command(after_help = HEAL_HELP)]
    Heal(HealArgs),
    /// Render the report of a saved run again.
    Report(ReportArgs),
    /// Run the fault proxy alone, as a drop-in for toxiproxy-server.
    #[command(after_help = PROXY_HELP)]
    Proxy(ProxyArgs),
    /// Say what is there, what is missing and how to get it.
    Doctor(DoctorArgs),
    /// Print the JSON Schema of scenarios, for editors.
    Schema,
    /// Print the completions of a shell.
    Completions(CompletionArgs),
}

#[derive(Debug, ClapArgs)]
pub struct DoctorArgs {
    /// A Redis that drills are to run on, to be looked at as well.
    #[arg(long, value_name = "URL", env = "FIREDRILL_REDIS", hide_env_values = true)]
    pub redis: Option<String>,
    #[command(flatten)]
    pub trust: Trust,
}

const PROXY_HELP: &str = "\
Flags may be written as toxiproxy-server has them: -host, -port, -config, -seed. Metrics: GET /metrics (Prometheus).";

#[derive(Debug, ClapArgs)]
pub struct ProxyArgs {
    /// Address that the HTTP API listens on.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub host: String,
    /// Port of the HTTP API.
    #[arg(long, value_name = "PORT", default_value_t = 8474)]
    pub port: u16,
    /// JSON file with the proxies to begin with, as for POST /populate.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Jitter, packet sizes and toxicity follow from this number. Default: a fresh one.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

/// toxiproxy-server's users write long flags with one dash: `firedrill proxy -port 8474`.
pub fn with_two_dashes(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = words.collect();
    if words.get(1).is_some_and(|word| word == "proxy") {
        for word in &mut words[2..] {
            let text = word.to_string_lossy();
            let name = text.strip_prefix('-').and_then(|rest| rest.split('=').next()).unwrap_or_default();
            if ["host", "port", "config", "seed"].contains(&name) {
                *word = format!("-{text}").into();
            }
        }
    }
    words
}

/// Which scenario, and how it is changed.
#[derive(Debug, Clone, ClapArgs)]
pub struct Changes {
    /// Everything random follows from this number. Default: the scenario's, or a fresh one.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Change a key of the scenario, such as store.policy=degrade or load.0.rate=500/s. May be repeated.
    #[arg(long = "set", value_name = "PATH=VALUE", value_parser = parse_override)]
    pub sets: Vec<Override>,
}

fn parse_override(text: &str) -> Result<Override, String> {
    // clap prints the text and the argument's name itself.
    text.parse().map_err(|error: crate::scenario::ScenarioError| match error {
        crate::scenario::ScenarioError::Override { message, .. } => message,
        other => other.to_string(),
    })
}

#[derive(Debug, ClapArgs)]
pub struct RunArgs {
    /// Shipped scenarios by name, or TOML files.
    #[arg(value_name = "SCENARIO|FILE", required_unless_present = "tags")]
    pub scenarios: Vec<String>,
    /// Every shipped scenario with this tag. May be repeated.
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
    #[command(flatten)]
    pub changes: Changes,
    /// `managed`: a redis-server of the drill's own. Or the URL of a Redis that is there already: only keys under the
    /// drill's own random prefix are touched. The URL can also come from FIREDRILL_REDIS, so that a password is in no
    /// process list.
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
    /// Where the drill's own Redis runs: as a child process, or in a container. Default: as the scenario says.
    #[arg(long, value_name = "managed|docker", value_parser = ["managed", "docker"])]
    pub lab: Option<String>,
    /// The image of a Redis in a container, with redis-server on its PATH. Default: the scenario's, or redis:7.4-alpine.
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,
    /// The API of a Toxiproxy server, such as http://127.0.0.1:8474, that stands in for the embedded proxy.
    #[arg(long, value_name = "URL")]
    pub toxiproxy: Option<String>,
    /// Where the proxy listens on the machine of Toxiproxy.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:0", requires = "toxiproxy")]
    pub toxiproxy_listen: String,
    /// The Redis as Toxiproxy reaches it. Default: as the drill does.
    #[arg(long, value_name = "HOST:PORT", requires = "toxiproxy")]
    pub toxiproxy_upstream: Option<String>,
    /// The redis-server binary. Default: the one on PATH.
    #[arg(long, value_name = "PATH", env = "FIREDRILL_REDIS_SERVER")]
    pub redis_server: Option<PathBuf>,
    /// The session-server binary, for scenarios that drive the application. Default: the one beside this command, or on PATH.
    #[arg(long, value_name = "PATH", env = "FIREDRILL_SESSION_SERVER")]
    pub session_server: Option<PathBuf>,
    /// Where the runs go: each to DIR/<scenario>/. Default: runs/<time>.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Threads that generate load. Default: one per core.
    #[arg(long, value_name = "N")]
    pub workers: Option<usize>,
}

#[derive(Debug, ClapArgs)]
pub struct ListArgs {
    /// Only those with this tag.
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub struct ShowArgs {
    /// A shipped scenario by name, or a TOML file.
    #[arg(value_name = "SCENARIO|FILE")]
    pub scenario: String,
    #[command(flatten)]
    pub changes: Changes,
    /// How many operations to print.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub operations: usize,
}

/// Whom to trust where a Redis is reached by TLS.
#[derive(Debug, ClapArgs)]
pub struct Trust {
    /// The file of the CA (PEM) that has signed the certificate of a rediss:// URL. Default: the system's.
    #[arg(long, value_name = "FILE", env = "FIREDRILL_REDIS_CA")]
    pub redis_ca: Option<PathBuf>,
}

const HEAL_HELP: &str = "\
Journals lie in $FIREDRILL_STATE/journals (default: $XDG_STATE_HOME/firedrill, ~/.local/state/firedrill).
Exit status:
    0  nothing is left to undo
    2  FILE is not a journal
    4  something is left: it could not be undone, its drill still runs, or it is of another Redis than --redis";

#[derive(Debug, ClapArgs)]
pub struct HealArgs {
    /// A journal. Default: all that are there.
    #[arg(value_name = "FILE")]
    pub journal: Option<PathBuf>,
    /// Only what was left on this Redis. A password has to be given again, here or by FIREDRILL_REDIS: no journal holds
    /// one.
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

#[derive(Debug, ClapArgs)]
pub struct CompletionArgs {
    /// Which shell.
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

impl RunArgs {
    /// What the command line changes of the scenario: `--set`, and the flags that stand for one.
    pub fn changes(&self) -> Result<Changes, Failure> {
        let mut changes = self.changes.clone();
        let mut set = |key: &str, value: &str| {
            let change = parse_override(&format!("{key}={value}"));
            change.map(|change| changes.sets.push(change)).map_err(Failure::Usage)
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

impl CompletionArgs {
    /// Writes the completions to stdout.
    pub fn print(&self) -> Result<Status, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Args::command(), "firedrill", &mut script);
        out::print(String::from_utf8_lossy(&script));
        Ok(Status::Passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_proxys_flags_may_have_one_dash() {
        let words = ["firedrill", "proxy", "-port", "8475", "-host=127.0.0.1", "--seed", "1", "-h"];
        let expected = ["firedrill", "proxy", "--port", "8475", "--host=127.0.0.1", "--seed", "1", "-h"];
        assert_eq!(with_two_dashes(words.iter().map(OsString::from)), expected);
        assert_eq!(
            with_two_dashes(["firedrill", "run", "-port"].iter().map(OsString::from)),
            ["firedrill", "run", "-port"]
        );
    }
}
