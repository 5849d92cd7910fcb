//! The flags of `firedrill run` that show a running drill to others.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args as ClapArgs;

#[derive(Debug, Clone, Default, ClapArgs)]
#[command(next_help_heading = "Options for watching")]
pub struct WatchArgs {
    /// Serve a page on 127.0.0.1 that follows the drills, can stop them, and ends as their reports; the URL, with its
    /// secret token, is printed. The drills run one after another. Without PORT, any free port.
    #[arg(long, value_name = "PORT", num_args = 0..=1, require_equals = true, default_missing_value = "0", conflicts_with = "jobs")]
    pub live: Option<u16>,
    /// Let the faults be started and ended on the live page, instead of when the scenario says.
    #[arg(long, requires = "live")]
    pub inject: bool,
    /// Start and end the faults when they were started and ended by hand in an earlier run, made with --inject.
    #[arg(long, value_name = "RUN", conflicts_with = "inject")]
    pub inject_as: Option<PathBuf>,
    /// Serve metrics for Prometheus at this address, under /metrics, while the drills run.
    #[arg(long, value_name = "HOST:PORT")]
    pub metrics: Option<SocketAddr>,
    /// Send the same metrics to this collector while the drills run and at their end, as OTLP/HTTP in JSON, every
    /// OTEL_METRIC_EXPORT_INTERVAL milliseconds (default: 5000). Headers come from OTEL_EXPORTER_OTLP_HEADERS.
    #[cfg(feature = "otlp")]
    #[arg(long, value_name = "URL")]
    pub otlp: Option<String>,
    /// Mark the faults and the recoveries as annotations in this Grafana. The token of a service account that may write
    /// annotations comes from FIREDRILL_GRAFANA_TOKEN or --grafana-token-file.
    #[arg(long, value_name = "URL")]
    pub grafana: Option<String>,
    /// File with the token for --grafana.
    #[arg(long, value_name = "FILE", requires = "grafana")]
    pub grafana_token_file: Option<PathBuf>,
}

impl WatchArgs {
    /// Whether something shows the drills as they are at any moment.
    pub fn shows(&self) -> bool {
        #[cfg(feature = "otlp")]
        if self.otlp.is_some() {
            return true;
        }
        self.live.is_some() || self.metrics.is_some()
    }
}
