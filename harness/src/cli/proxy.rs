//! `firedrill proxy`: the fault proxy alone, for Toxiproxy's clients.

use std::sync::Arc;

use super::args::ProxyArgs;
use super::exit::{Failure, Status};
use super::out;
use super::signals;
use crate::load::StopToken;
use crate::proxy::{StandaloneOptions, run_standalone};

/// Serves until a signal ends it.
pub fn run(args: &ProxyArgs) -> Result<Status, Failure> {
    let options = StandaloneOptions {
        host: args.host.clone(),
        port: args.port,
        config: args.config.clone(),
        seed: args.seed.unwrap_or_else(rand::random),
    };
    let stop = Arc::new(StopToken::default());
    signals::watch((*stop).clone(), "stopping the proxy")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Environment(format!("cannot start a runtime: {error}")))?;
    let listening =
        |address| out::tell_line(format_args!("firedrill proxy: Toxiproxy's API is served on http://{address}"));
    match runtime.block_on(run_standalone(&options, listening, stop.stopped())) {
        Ok(()) => Ok(Status::Passed),
        Err(error) => Err(Failure::Environment(error.to_string())),
    }
}
