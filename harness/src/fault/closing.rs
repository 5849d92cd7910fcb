//! The evidence that the server closes connections: a probe's connection on the path of the load is answered and then
//! closed, and connections of the load have ended too.

use std::time::Duration;

use parking_lot::Mutex;

use super::Impact;
use super::context::FaultContext;
use super::path::{ProbeResult, Snapshot, count};

/// Looks for connections that the server closes.
pub(super) struct Closing {
    context: FaultContext,
    before: Mutex<Snapshot>,
    felt: Mutex<bool>,
}

impl Closing {
    pub fn new(context: FaultContext) -> Self {
        Self { context, before: Mutex::default(), felt: Mutex::default() }
    }

    /// The connections that end from now on are the fault's.
    pub fn begin(&self) {
        *self.before.lock() = self.context.path.snapshot();
        *self.felt.lock() = false;
    }

    /// Whether a probe's connection, which rests once it was answered, is closed within that time, and connections of the
    /// load have ended. `why` follows the word "closed".
    pub async fn impact(&self, within: Duration, why: &str) -> Impact {
        let path = &self.context.path;
        let felt = self.feel(within).await;
        let probe = match felt {
            true => format!("a probe's connection was answered and then closed{why}"),
            false => "a probe's idle connection stayed open".to_owned(),
        };
        let before = *self.before.lock();
        let damage = path.damage(&before);
        let (hit, ended) = damage.hit(damage.ended, format!("{} of the load ended", count(damage.ended, "connection")));
        path.impact(felt && hit, format!("{probe}; {ended}"))
    }

    /// Whether a probe's connection is closed. Once one has been, no other is opened.
    async fn feel(&self, within: Duration) -> bool {
        if !*self.felt.lock() {
            let (seen, come) = self.context.path.idle(within).await;
            *self.felt.lock() = seen == ProbeResult::Closed && !come.is_empty();
        }
        *self.felt.lock()
    }
}
