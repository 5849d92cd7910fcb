//! A panic in a detached thread, such as the proxy's or the signal handler's, would leave a drill running without it. Instead
//! it ends the drill in good order: heal, report, exit 4. Panics of the drill's own threads are caught where they are joined.

use std::panic::PanicHookInfo;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::exit::Failure;

/// The names of detached threads begin like one of these.
const UNATTENDED: [&str; 2] = ["firedrill-proxy", "firedrill-signals"];

/// The first panic in one of these threads, once there was one.
#[derive(Debug, Clone, Default)]
pub struct Panics(Arc<Mutex<Option<String>>>);

impl Panics {
    /// Watches for panics from now on; the first one cancels `stop`. They are printed as before.
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

    /// What a drill failed of during which there was one.
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
