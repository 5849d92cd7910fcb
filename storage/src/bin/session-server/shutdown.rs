//! The signals that end the process, and what is saved first.

use std::io;
use std::time::Duration;

use firedrill_storage::{OpenStore, TriviaSession};
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
        // A second signal means "now".
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        std::process::exit(130);
    });
    Ok(stop)
}

/// Resolves once the process has been told to end.
pub async fn told(mut stop: Stop) {
    // The sender lives as long as the process.
    let _ = stop.wait_for(|told| *told).await;
}

/// Saves what only this process knows within `left`, and reports what it could not save.
pub async fn flush(opened: &OpenStore<TriviaSession>, left: Duration) {
    match opened.flush(left).await {
        0 if opened.storage() == "memory" => tracing::info!("stopped: sessions lived in memory, and end with it"),
        0 => tracing::info!("stopped: every session is saved"),
        unsaved => tracing::error!(unsaved, "stopped: sessions and deletions that Redis does not have are lost"),
    }
}
