//! The command line of `firedrill capacity`.

use std::fmt::{Display, Write as _};
use std::num::NonZeroU16;
use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::common::{Changes, Trust, workers};
use super::scenario_name::ScenarioParser;
use crate::capacity::{DriftLimit, Growth, Slo};
use crate::drill::quoted;
use crate::units::{Bytes, Rate, Share, Span};

/// What the help says at its end.
pub(super) const HELP: &str = "\
The scenario gives the shape of the load: operations, sessions, sizes. Its rate is replaced by the search's, and its faults, gates
and checks are left out. The answer goes to capacity.json, steps.csv and capacity.html; docs/capacity.md explains it.
Exit status:
    0  there is an answer, even if its interval is wider than asked (the answer says so)
    1  --drift: a figure drifts by more than that
    2  the command line or the scenario is wrong
    3  no answer: too few operations to tell a quantile, steps that cannot be trusted;
       or a soak too short to tell the limit of --drift
    4  environment: no usable Redis
    5  --check: the answer differs from the earlier one: their intervals do not overlap
  130  interrupted (SIGINT, SIGTERM): the files hold what was known by then";

/// The limits of a Redis that is filled: the smallest in which a table of sessions is seen to grow, and what a machine of
/// everyday size still has to spare.
const LIMITS: [u64; 2] = [16 << 20, 4 << 30];

fn limit(text: &str) -> Result<Bytes, String> {
    let bytes: Bytes = text.parse().map_err(|error: crate::units::UnitError| error.to_string())?;
    let [least, most] = LIMITS;
    match (least..=most).contains(&bytes.0) {
        true => Ok(bytes),
        false => Err(format!("give between {} and {}, such as 64MiB", Bytes(least), Bytes(most))),
    }
}

#[derive(Debug, ClapArgs)]
pub struct CapacityArgs {
    /// A shipped scenario by name, or a TOML file.
    #[arg(value_name = "SCENARIO|FILE", value_parser = ScenarioParser, hide_possible_values = true)]
    pub scenario: String,
    /// An objective that must hold: a quantile of the response time, or the share of errors, of all operations or of one
    /// kind, such as "read.p99 <= 5ms" or "errors <= 0.1%". May be repeated.
    #[arg(long = "slo", value_name = "OBJECTIVE", required_unless_present_any = ["memory", "survive"])]
    pub slos: Vec<Slo>,
    /// Confirm the first limit where it can be halved: search again while a Redis or an application of our own is stopped half of
    /// the time, or with half of the target's connections, and see whether the answer halves.
    #[arg(long, requires = "slos")]
    pub confirm: bool,
    /// Then load the target for this long at a share of the answer, and report whether memory, response times or errors drift.
    #[arg(long, value_name = "SPAN", requires = "slos")]
    pub soak: Option<Span>,
    /// The rate of --soak, as a share of the answer.
    #[arg(long, value_name = "PERCENT", default_value = "70%", requires = "soak")]
    pub at: Share,
    /// What may drift each hour under --soak: a share of the figure. More exits with 1.
    #[arg(long, value_name = "SHARE/h", requires = "soak")]
    pub drift: Option<DriftLimit>,
    /// Also run the whole scenario, faults, gates and checks included, at one rate after another, and report the highest at
    /// which it passes.
    #[arg(long)]
    pub survive: bool,
    /// The drills that --survive may take.
    #[arg(long, value_name = "N", default_value = "12", requires = "survive")]
    pub drills: NonZeroU16,
    /// Measure what a session takes of memory, plain and encrypted, by filling a Redis of its own with sessions until it
    /// refuses one; its maxmemory is LIMIT.
    #[arg(
        long,
        value_name = "LIMIT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "64MiB",
        value_parser = limit
    )]
    pub memory: Option<Bytes>,
    /// The memory of the machine to recommend a maxmemory for. Default: that of this machine.
    #[arg(long, value_name = "BYTES", requires = "memory")]
    pub ram: Option<Bytes>,
    /// Today's rate: say how many times it fits, and with --growth for how long.
    #[arg(long, value_name = "RATE", value_parser = at_least_something)]
    pub now: Option<Rate>,
    /// How today's rate grows, such as 5%/month or 80%/year.
    #[arg(long, value_name = "SHARE/month", requires = "now")]
    pub growth: Option<Growth>,
    /// A TOML file with your types of node: say how many of which today's rate takes.
    #[arg(long, value_name = "FILE", requires = "now")]
    pub nodes: Option<String>,
    /// Sessions alive at once, for --nodes; --memory measures what they take.
    #[arg(long, value_name = "N", requires_all = ["nodes", "memory"], value_parser = clap::value_parser!(u64).range(1..))]
    pub sessions: Option<u64>,
    #[command(flatten)]
    pub changes: Changes,
    /// Compare with an earlier capacity.json, or its folder.
    #[arg(long, value_name = "FILE")]
    pub check: Option<PathBuf>,
    /// How long the load on the target may last, all steps together.
    #[arg(long = "for", value_name = "SPAN", default_value = "3m")]
    pub budget: Span,
    /// End once the 90 % interval is this narrow: its half-width as a share of the answer.
    #[arg(long, value_name = "PERCENT", default_value = "5%")]
    pub width: Share,
    /// The first rate to try.
    #[arg(long, value_name = "RATE", default_value = "1000/s")]
    pub start: Rate,
    /// `managed`: start a redis-server. Or the URL of a running Redis: the search touches only keys under its own random
    /// prefix, and loads that Redis until it gives way. Put a URL with a password into FIREDRILL_REDIS.
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
    /// The redis-server binary. Default: the one on PATH.
    #[arg(long, value_name = "PATH", env = "FIREDRILL_REDIS_SERVER")]
    pub redis_server: Option<PathBuf>,
    /// The session-server binary, for scenarios that drive the application. Default: the one beside this command, or on
    /// PATH.
    #[arg(long, value_name = "PATH", env = "FIREDRILL_SESSION_SERVER")]
    pub session_server: Option<PathBuf>,
    /// Threads that generate load. Default: one per core.
    #[arg(long, value_name = "N", value_parser = workers())]
    pub workers: Option<usize>,
    /// Folder for the files, which go to DIR/<scenario>/. Default: runs/<time>.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

fn at_least_something(text: &str) -> Result<Rate, String> {
    let rate: Rate = text.parse().map_err(|error: crate::units::UnitError| error.to_string())?;
    if rate.0 > 0.0 { Ok(rate) } else { Err("give a rate above 0/s".to_owned()) }
}

impl CapacityArgs {
    /// The flags that ask a question, as they are given again.
    pub fn asked(&self) -> String {
        let mut flags = String::new();
        for slo in &self.slos {
            let _ = write!(flags, " --slo {}", quoted(slo.text()));
        }
        if self.confirm {
            flags.push_str(" --confirm");
        }
        if let Some(soak) = self.soak {
            let _ = write!(flags, " --soak {soak} --at {}", self.at);
        }
        if self.survive {
            let _ = write!(flags, " --survive --drills {}", self.drills);
        }
        if let Some(limit) = self.memory {
            let _ = write!(flags, " --memory={limit}");
        }
        let mut given = |flag: &str, value: Option<&dyn Display>| {
            if let Some(value) = value {
                let _ = write!(flags, " {flag} {}", quoted(&value.to_string()));
            }
        };
        fn shown<T: Display>(value: &Option<T>) -> Option<&dyn Display> {
            value.as_ref().map(|value| value as &dyn Display)
        }
        given("--drift", shown(&self.drift));
        given("--ram", shown(&self.ram));
        given("--now", shown(&self.now));
        given("--growth", shown(&self.growth));
        given("--nodes", shown(&self.nodes));
        given("--sessions", shown(&self.sessions));
        let _ = write!(flags, " --for {} --width {} --start {}", self.budget, self.width, self.start);
        flags
    }
}
