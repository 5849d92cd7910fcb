//! SIGINT and SIGTERM: the first one ends the drill in good order (heal, report, exit 130), the second one at once.

use tokio::signal::unix::{SignalKind, signal};

use super::exit::{Failure, Status};
use super::out;
use crate::load::StopToken;

/// Watches for signals on a thread of its own. The first one is answered on stderr with what is `done` about it.
pub fn watch(stop: StopToken, done: &'static str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::Environment(format!("signals cannot be watched: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (signal(SignalKind::interrupt()).map_err(failed)?, signal(SignalKind::terminate()).map_err(failed)?)
    };
    let watching = move || {
        runtime.block_on(async {
            let mut first = true;
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if !first {
                    // Child processes end with this one.
                    std::process::exit(i32::from(Status::Interrupted.code()));
                }
                first = false;
                out::tell_line(format_args!("interrupted: {done}; once more to stop at once"));
                stop.stop();
            }
        });
    };
    std::thread::Builder::new().name("firedrill-signals".to_owned()).spawn(watching).map_err(failed)?;
    Ok(())
}
