//! SIGINT, SIGTERM, SIGHUP (the terminal is gone) and SIGQUIT end a drill in order: heal, report, exit 130. Further
//! signals change nothing, because a drill that ended immediately would leave its faults behind. After SIGKILL,
//! `firedrill heal` undoes them.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::exit::Failure;
use super::out;

/// The signals that end a drill.
const KINDS: [fn() -> SignalKind; 4] =
    [SignalKind::interrupt, SignalKind::terminate, SignalKind::hangup, SignalKind::quit];

/// Watches for signals on a separate thread. On the first one, prints to stderr what is being `done` about it.
pub fn watch(stop: CancellationToken, done: &'static str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::Environment(format!("signals cannot be watched: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let signals: Vec<Signal> = {
        let _inside = runtime.enter();
        KINDS.iter().map(|kind| signal(kind())).collect::<Result<_, _>>().map_err(failed)?
    };
    let watching = move || {
        runtime.block_on(async {
            for signal in signals {
                tokio::spawn(answer(signal, stop.clone(), done));
            }
            std::future::pending::<()>().await;
        });
    };
    let no_thread = |error: std::io::Error| {
        Failure::Environment(format!("cannot start the thread that watches for signals: {error}; raise ulimit -u"))
    };
    std::thread::Builder::new().name("firedrill-signals".to_owned()).spawn(watching).map_err(no_thread)?;
    Ok(())
}

async fn answer(mut signal: Signal, stop: CancellationToken, done: &'static str) {
    while signal.recv().await.is_some() {
        #[cfg(debug_assertions)]
        crate::proxy::planted_panic("signals");
        match stop.is_cancelled() {
            false => out::tell_line(format_args!("interrupted: {done}")),
            true => out::tell_line(format_args!(
                "still {done}; only SIGKILL ends this sooner, and firedrill heal then undoes what is left"
            )),
        }
        stop.cancel();
    }
}
