//! Serving until the process is told to end, and ending without cutting off who is being served.

use std::future::IntoFuture;
use std::io;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal as on};
use tokio::sync::watch;

/// Becomes `true` with the first SIGTERM or SIGINT.
pub type Stop = watch::Receiver<bool>;

/// Listens for SIGTERM and SIGINT from now on.
pub fn signal() -> io::Result<Stop> {
    let (mut term, mut int) = (on(SignalKind::terminate())?, on(SignalKind::interrupt())?);
    let (told, stop) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        told.send_replace(true);
        // A second signal is meant as "now".
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        std::process::exit(130);
    });
    Ok(stop)
}

/// Resolves when the process was told to end.
async fn told(mut stop: Stop) {
    // The sender lives as long as the process.
    let _ = stop.wait_for(|told| *told).await;
}

/// Serves until told to end, then for at most `grace` what is under way.
pub async fn serve(listener: TcpListener, router: Router, stop: Stop, grace: Duration) -> io::Result<()> {
    let serving = axum::serve(listener, router).with_graceful_shutdown(told(stop.clone())).into_future();
    let out_of_patience = async {
        told(stop).await;
        tracing::info!(?grace, "told to end: finishing the requests under way");
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        served = serving => {
            tracing::info!("ended");
            served
        }
        () = out_of_patience => {
            tracing::warn!("ended before every request was finished");
            Ok(())
        }
    }
}
