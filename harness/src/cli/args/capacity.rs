//! The command line of `firedrill capacity`.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::common::{Changes, Trust, workers};
use super::scenario_name::ScenarioParser;
use crate::capacity::Slo;
use crate::units::{Rate, Share, Span};

/// What the help says at its end.
pub(super) const HELP: &str = "\
The scenario gives the shape of the load: operations, sessions, sizes. Its rate is replaced by the search's, and its faults, gates
and checks are left out. The answer goes to capacity.json, steps.csv and capacity.html; docs/capacity.md explains it.
Exit status:
    0  there is an answer, even if its interval is wider than asked (the answer says so)
    2  the command line or the scenario is wrong
    3  no answer: too few operations to tell a quantile, steps that cannot be trusted
    4  environment: no usable Redis
    5  --check: the answer differs from the earlier one: their intervals do not overlap
  130  interrupted (SIGINT, SIGTERM): the files hold what was known by then";

#[derive(Debug, ClapArgs)]
pub struct CapacityArgs {
    /// A shipped scenario by name, or a TOML file.
    #[arg(value_name = "SCENARIO|FILE", value_parser = ScenarioParser, hide_possible_values = true)]
    pub scenario: String,
    /// An objective that must hold: a quantile of the response time, or the share of errors, of all operations or of one
    /// kind, such as "read.p99 <= 5ms" or "errors <= 0.1%". May be repeated.
    #[arg(long = "slo", value_name = "OBJECTIVE", required = true)]
    pub slos: Vec<Slo>,
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
