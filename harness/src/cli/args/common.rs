//! Flags that several commands share.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::Args as ClapArgs;
use clap::builder::{RangedU64ValueParser, TypedValueParser};
use clap::error::{Error, ErrorKind};

use crate::drill::Drill;
use crate::scenario::{Override, ScenarioError};

/// Which scenario, and how it is changed.
#[derive(Debug, Clone, ClapArgs)]
pub struct Changes {
    /// Seed of all randomness. Default: the scenario's, or a fresh one.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Change a key of the scenario, such as store.policy=degrade or load.0.rate=500/s. May be repeated.
    #[arg(long = "set", value_name = "PATH=VALUE", value_parser = ChangeParser)]
    pub sets: Vec<Override>,
    /// Drill the application that this TOML file describes in [app] and [op], instead of the scenario's own.
    #[arg(long, value_name = "FILE", value_parser = parse_application)]
    pub app: Option<Override>,
}

/// Reads the description of an application.
fn parse_application(path: &str) -> Result<Override, String> {
    Override::application(std::path::Path::new(path)).map_err(|error| match error {
        ScenarioError::Unreadable { reason, .. } => reason,
        other => other.to_string(),
    })
}

/// Parses `PATH=VALUE`. The errors are its own: clap's show the value, which may be a secret.
#[derive(Debug, Clone)]
struct ChangeParser;

impl TypedValueParser for ChangeParser {
    type Value = Override;

    fn parse_ref(&self, command: &clap::Command, _: Option<&clap::Arg>, value: &OsStr) -> Result<Override, Error> {
        let text = value.to_str().ok_or_else(|| Error::new(ErrorKind::InvalidUtf8).with_cmd(command))?;
        text.parse().map_err(|error: ScenarioError| {
            Error::raw(ErrorKind::ValueValidation, format!("{error}\n")).with_cmd(command)
        })
    }
}

/// How many threads may generate load.
pub(super) fn workers() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=1024)
}

impl Changes {
    /// The changes of the scenario.
    pub fn all(&self) -> Vec<Override> {
        self.app.iter().chain(&self.sets).cloned().collect()
    }

    /// Applies the changes to `drill`.
    pub fn apply(&self, drill: Drill) -> Drill {
        let drill = self.all().iter().fold(drill, |drill, change| drill.change(change));
        self.seed.into_iter().fold(drill, Drill::seed)
    }
}

/// Which CA to trust for a Redis over TLS, and who the drill is for a Redis that asks.
#[derive(Debug, ClapArgs)]
pub struct Trust {
    /// CA file (PEM) to verify the certificate of a rediss:// URL. Default: the system's CAs.
    #[arg(long, value_name = "FILE", env = "FIREDRILL_REDIS_CA")]
    pub redis_ca: Option<PathBuf>,
    /// Client certificate (PEM, with its chain) for a Redis that asks for one (tls-auth-clients yes).
    #[arg(long, value_name = "FILE", env = "FIREDRILL_REDIS_CERT", requires = "redis_key")]
    pub redis_cert: Option<PathBuf>,
    /// The client certificate's private key (PEM).
    #[arg(long, value_name = "FILE", env = "FIREDRILL_REDIS_KEY", requires = "redis_cert")]
    pub redis_key: Option<PathBuf>,
    /// The name under which the sentinel at the URL watches the primary. Default: the only one that it watches. A login of
    /// the sentinels' own comes from FIREDRILL_REDIS_SENTINEL_USERNAME and FIREDRILL_REDIS_SENTINEL_PASSWORD.
    #[arg(long, value_name = "NAME", env = "FIREDRILL_REDIS_MASTER")]
    pub redis_master: Option<String>,
}
