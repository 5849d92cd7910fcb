//! When a lane that has lost its connection reconnects: immediately, then after pauses that grow up to a limit.

use std::time::Duration;

use tokio::time::Instant;

/// The wait before the second consecutive attempt to connect; it doubles with each further attempt.
const FIRST_BACKOFF: Duration = Duration::from_millis(5);

/// The longest wait between two attempts to connect.
const LONGEST_BACKOFF: Duration = Duration::from_millis(160);

/// Schedules the attempts to reconnect.
#[derive(Default)]
pub(super) struct Attempts {
    again_at: Option<Instant>,
    backoff: Duration,
}

impl Attempts {
    /// Returns when the next attempt is due.
    pub fn due(&self) -> impl Future<Output = ()> + use<> {
        let again_at = self.again_at;
        async move {
            if let Some(at) = again_at {
                tokio::time::sleep_until(at).await;
            }
        }
    }

    /// Records that the current attempt failed.
    pub fn failed(&mut self) {
        self.backoff = (self.backoff * 2).clamp(FIRST_BACKOFF, LONGEST_BACKOFF);
        self.again_at = Some(Instant::now() + self.backoff);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_to_connect_grow_apart_up_to_a_limit() {
        let mut attempts = Attempts::default();
        let waits: Vec<u128> = (0..7)
            .map(|_| {
                attempts.failed();
                attempts.backoff.as_millis()
            })
            .collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 160]);
    }
}
