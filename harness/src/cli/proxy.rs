//! `firedrill proxy`: runs only the fault proxy, for Toxiproxy clients.

use std::net::SocketAddr;

use tokio_util::sync::CancellationToken;

use super::args::ProxyArgs;
use super::exit::{Failure, Status};
use super::out;
use super::signals;
use crate::proxy::{API_VERSION, ProxyError, StandaloneOptions, run_standalone};

/// Serves until a signal arrives.
pub fn run(args: &ProxyArgs) -> Result<Status, Failure> {
    if args.switches.version {
        out::line(format_args!("toxiproxy-server version {API_VERSION}"));
        return Ok(Status::Passed);
    }
    let options = StandaloneOptions {
        host: args.host.clone(),
        port: args.port.clone(),
        config: args.config.clone().filter(|path| !path.as_os_str().is_empty()),
        allow_hosts: args.allow_hosts.clone(),
        runtime_metrics: args.switches.runtime_metrics,
        seed: args.seed.unwrap_or_else(rand::random),
    };
    let stop = CancellationToken::new();
    signals::watch(stop.clone(), "stopping the proxy")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Environment(format!("cannot start a runtime: {error}")))?;
    let listening = |address: SocketAddr, failed: Option<ProxyError>| {
        if let Some(error) = failed {
            out::tell_line(format_args!("firedrill proxy: {error}; going on without it"));
        }
        out::tell_line(format_args!("firedrill proxy: Toxiproxy's API is served on http://{address}"));
    };
    match runtime.block_on(run_standalone(&options, listening, stop.cancelled())) {
        Ok(()) => Ok(Status::Passed),
        Err(error) => Err(Failure::Environment(error.to_string())),
    }
}
