//! `proxy.slow_close`: data passes, but the end of a connection is told late, as by a middlebox that keeps half-closed
//! connections around. A client that waits for the end in order to connect again waits in vain.

use std::sync::Arc;
use std::time::Duration;

use super::super::path::{Path, Seen, count, millis};
use super::super::{Bite, Fault, FaultError};
use super::{Stream, ToxicHand};
use crate::proxy::Toxic;
use crate::proxy::toxic;
use crate::scenario::units::Span;

/// Parameters of `proxy.slow_close`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlowClose {
    /// By how much the end is late; the proxy counts whole milliseconds.
    pub delay: Span,
    /// Whose end: that of the store (upstream), or that of Redis.
    pub stream: Stream,
}

pub(in crate::fault) struct SlowCloseFault {
    spec: SlowClose,
    hand: ToxicHand,
}

impl SlowCloseFault {
    pub fn new(index: u32, spec: SlowClose, path: Arc<Path>) -> Self {
        let toxic = Toxic::SlowClose(toxic::SlowClose { delay: spec.delay.0.as_millis() as u64 });
        Self { spec, hand: ToxicHand::new(index, toxic, spec.stream, path) }
    }

    /// The least by which an end is late that one side tells and the other answers.
    fn floor(&self) -> Duration {
        self.spec.delay.0 * self.spec.stream.directions().len() as u32
    }
}

#[async_trait::async_trait]
impl Fault for SlowCloseFault {
    fn kind(&self) -> &'static str {
        "proxy.slow_close"
    }

    fn detail(&self) -> String {
        format!("{} {}", self.spec.delay, self.spec.stream.words())
    }

    async fn inject(&self) -> Result<(), FaultError> {
        self.hand.set().await
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.hand.remove().await
    }

    async fn proof(&self, within: Duration) -> Bite {
        let floor = self.floor();
        let probe = self.hand.path.close(within.min(floor + Duration::from_secs(1)));
        let late = |seen| match seen {
            Seen::Answered(after) | Seen::Silent(after) => !floor.is_zero() && after >= floor,
            Seen::Refused | Seen::Closed => false,
        };
        let (seen, late) = self.hand.feel(probe, late).await;
        let toll = self.hand.toll();
        let (hit, ended) = toll.hit(toll.ended, format!("{} of the load ended", count(toll.ended, "connection")));
        let told = match seen {
            Seen::Answered(after) => format!("a probe's connection ended {} after it was to", millis(after)),
            other => other.to_string(),
        };
        Bite { bit: late && hit, evidence: format!("{told}; {ended}") }
    }
}
