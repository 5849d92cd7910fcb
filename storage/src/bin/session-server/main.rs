//! The HTTP face of the session store: the trivia game's routes, health and metrics, configured by the environment alone
//! (docs/configuration.md).
//!
//! The first line on standard output is `listening on http://ADDRESS`; logs go to standard error (`RUST_LOG`).
//! SIGTERM and SIGINT end it: no new connection is taken, requests under way are finished, within a bound.

mod answer;
mod body;
mod cookies;
mod observe;
mod routes;
mod shutdown;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use firedrill_storage::config::{Config, ServerConfig};
use firedrill_storage::game::Games;
use firedrill_storage::{OpenStore, TriviaSession};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use cookies::SessionCookie;

/// What every request has at hand.
struct App {
    games: Games,
    opened: OpenStore<TriviaSession>,
    /// How long a session lives after its last use.
    ttl: Duration,
    cookie: SessionCookie,
    settings: ServerConfig,
    metrics: PrometheusHandle,
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("session-server: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let Config { store, server } = Config::from_env()?;
    let stop = shutdown::signal()?;
    let metrics = observe::install()?;
    let opened = store.open().await?;
    let listener = TcpListener::bind(server.address)
        .await
        .map_err(|error| format!("cannot listen on {} (BIND_ADDRESS, PORT): {error}", server.address))?;
    announce(&listener)?;
    observe::watch(metrics.clone(), Arc::clone(&opened.store));
    let app = Arc::new(App {
        games: Games::new(Arc::clone(&opened.store), store.ttl),
        opened,
        ttl: store.ttl,
        cookie: SessionCookie::new(&server, store.ttl)?,
        settings: server,
        metrics,
    });
    shutdown::serve(listener, routes::router(&app), stop, app.settings.shutdown_grace).await?;
    Ok(())
}

/// Tells whoever started this process where it listens.
fn announce(listener: &TcpListener) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on http://{}", listener.local_addr()?)?;
    out.flush()
}
