//! The proxy on its own, as a replacement for `toxiproxy-server`: the same options, the same API, the same
//! configuration file.

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::api::{self, ApiOptions};
use super::error::ProxyError;
use super::place;
use super::server::ProxyServer;

/// Options of the stand-alone proxy, named as in `toxiproxy-server`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandaloneOptions {
    /// The host that the API listens on.
    pub host: String,
    /// Port on which the API listens, by its number or its name; 0 for any.
    pub port: String,
    /// A JSON file with the proxies to make at the start, as `POST /populate` takes them.
    pub config: Option<PathBuf>,
    /// Names besides localhost that clients may use for an API on loopback.
    pub allow_hosts: Vec<String>,
    /// Whether `/metrics` also tells what the process uses.
    pub runtime_metrics: bool,
    /// From which jitter, packet sizes and toxicity follow.
    pub seed: u64,
}

impl Default for StandaloneOptions {
    fn default() -> Self {
        Self {
            host: "localhost".into(),
            port: "8474".into(),
            config: None,
            allow_hosts: Vec::new(),
            runtime_metrics: false,
            seed: 0,
        }
    }
}

/// Runs the proxy until `shutdown` is ready. `listening` is called once the API (and `/metrics`) is up, with its
/// address and, if some configured proxies could not be created, the reason. Like toxiproxy-server, it serves the API
/// anyway.
///
/// # Errors
/// If the API's port is not available.
pub async fn run_standalone(
    options: &StandaloneOptions,
    listening: impl FnOnce(SocketAddr, Option<ProxyError>),
    shutdown: impl Future<Output = ()>,
) -> Result<(), ProxyError> {
    let server = ProxyServer::start(options.seed)?;
    let host = match options.host.contains(':') {
        true => format!("[{}]", options.host),
        false => options.host.clone(),
    };
    let address = place::resolve(&format!("{host}:{}", options.port)).await?;
    let failed = match &options.config {
        Some(config) => populate(&server, config).await.err(),
        None => None,
    };
    let api = ApiOptions {
        allow_hosts: options.allow_hosts.clone(),
        runtime_metrics: options.runtime_metrics,
        ..ApiOptions::default()
    };
    listening(server.serve_api_with(address, api)?, failed);
    shutdown.await;
    Ok(())
}

async fn populate(server: &ProxyServer, config: &Path) -> Result<(), ProxyError> {
    let failed = |reason: String| ProxyError::Config { path: config.to_owned(), reason };
    let json = std::fs::read(config).map_err(|error| failed(error.to_string()))?;
    api::populate_from(server.registry(), &json).await.map_err(failed)
}
