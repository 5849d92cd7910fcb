//! A panic in a detached thread, such as the proxy's or the signal handler's, would leave a drill running without that
//! thread. Instead, it ends the drill in order: heal, report, exit 4. Panics of the drill's own threads are caught when
//! those are joined.

use std::panic::PanicHookInfo;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::exit::Failure;

/// The prefixes of the names of detached threads.
const UNATTENDED: [&str; 2] = ["firedrill-proxy", "firedrill-signals"];

/// The first panic in one of these threads, if any.
#[derive(Debug, Clone, Default)]
pub struct Panics(Arc<Mutex<Option<String>>>);

impl Panics {
    /// Starts to watch for panics; the first one cancels `stop`. Panics are still printed.
    pub fn watch(stop: CancellationToken) -> Self {
        let (panics, print) = (Self::default(), std::panic::take_hook());
        let noted = panics.clone();
        std::panic::set_hook(Box::new(move |panic| {
            print(panic);
            if std::thread::current().name().is_some_and(is_unattended) {
                noted.note(panic);
                stop.cancel();
            }
        }));
        panics
    }

    fn note(&self, panic: &PanicHookInfo<'_>) {
        let payload = panic.payload();
        let said = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref().map(String::as_str));
        self.0.lock().get_or_insert_with(|| said.unwrap_or("without a word").to_owned());
    }

    /// The failure of a drill during which a detached thread panicked.
    pub fn failure(&self) -> Option<Failure> {
        let said = self.0.lock().clone()?;
        Some(Failure::Environment(format!(
            "a thread of Firedrill panicked: {said}; the drill was stopped, and its changes were undone"
        )))
    }
}

fn is_unattended(thread: &str) -> bool {
    UNATTENDED.iter().any(|name| thread.starts_with(name))
}
