//! The HTTP server of the session store: the trivia game's routes, health and metrics, configured by the environment
//! alone (docs/configuration.md).
//!
//! The first line on standard output is `listening on http://ADDRESS`; logs go to standard error (`RUST_LOG`). SIGTERM
//! and SIGINT end it: it accepts no new connection and finishes the requests in progress, within a limit.

mod answer;
mod app;
mod body;
mod cookies;
mod events;
mod front;
mod observe;
mod routes;
mod shutdown;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use firedrill_storage::config::Config;
use firedrill_storage::game::Games;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use app::App;
use cookies::SessionCookie;
use events::Events;
use front::Bounds;

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // A span is written when it ends; at the default level there is none.
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_span_events(FmtSpan::CLOSE);
    log.with_writer(std::io::stderr).with_ansi(false).init();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("session-server: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let Config { mut store, server } = Config::from_env()?;
    let events = server.events.then(|| Arc::new(Events::new()));
    if let Some(events) = &events {
        store.report_to(events.sink());
    }
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
        events,
    });
    let settings = &app.settings;
    let bounds = Bounds {
        connections: settings.max_connections,
        patience: settings.client_timeout,
        grace: settings.shutdown_grace,
    };
    let left = front::serve(listener, routes::router(&app), stop, bounds).await;
    shutdown::flush(&app.opened, left).await;
    Ok(())
}

/// Tells the parent process which address it listens on.
fn announce(listener: &TcpListener) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on http://{}", listener.local_addr()?)?;
    out.flush()
}
