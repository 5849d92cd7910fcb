//! Ends a load early: Ctrl-C, or a drill that has seen enough.

use std::sync::Arc;

use tokio::sync::watch;

/// Tells every worker to stop. Copies share one state; once stopped it stays so.
#[derive(Debug, Clone)]
pub struct StopToken {
    stopped: Arc<watch::Sender<bool>>,
}

impl Default for StopToken {
    fn default() -> Self {
        Self { stopped: Arc::new(watch::Sender::new(false)) }
    }
}

impl StopToken {
    /// Ends the load: nothing more is sent, and what is under way is settled as unknown.
    pub fn stop(&self) {
        self.stopped.send_replace(true);
    }

    /// Whether [`StopToken::stop`] was called.
    pub fn is_stopped(&self) -> bool {
        *self.stopped.borrow()
    }

    /// Waits until it is.
    pub async fn stopped(&self) {
        // the sender lives as long as `self`, so the wait cannot fail before the flag is up
        let _ = self.stopped.subscribe().wait_for(|stopped| *stopped).await;
    }
}
