//! `proxy.bandwidth`: each connection carries no more than so many kilobytes per second.

use std::sync::Arc;
use std::time::Duration;

use super::super::path::{Path, Seen, count, millis};
use super::super::{Bite, Fault, FaultError};
use super::{Stream, ToxicHand};
use crate::proxy::Toxic;
use crate::proxy::toxic;

/// What the probe sends takes this long on the narrow line…
const PROBE_TIME: Duration = Duration::from_millis(50);

/// … but is at most this many bytes: beyond 80 MB/s a line is not narrow enough to be proven so.
const PROBE_BYTES: u64 = 4_000_000;

/// Parameters of `proxy.bandwidth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bandwidth {
    /// KB/s (1,000 bytes) that each connection carries each way; at least 1.
    pub rate: u64,
    /// Which way is hit.
    pub stream: Stream,
}

impl Bandwidth {
    /// How many bytes a probe sends.
    fn probe_bytes(&self) -> u64 {
        // KB/s are bytes per millisecond.
        self.rate.saturating_mul(PROBE_TIME.as_millis() as u64).clamp(1, PROBE_BYTES)
    }
}

pub(in crate::fault) struct BandwidthFault {
    spec: Bandwidth,
    hand: ToxicHand,
}

impl BandwidthFault {
    pub fn new(index: u32, spec: Bandwidth, path: Arc<Path>) -> Self {
        let toxic = Toxic::Bandwidth(toxic::Bandwidth { rate: spec.rate });
        Self { spec, hand: ToxicHand::new(index, toxic, spec.stream, path) }
    }
}

#[async_trait::async_trait]
impl Fault for BandwidthFault {
    fn kind(&self) -> &'static str {
        "proxy.bandwidth"
    }

    fn detail(&self) -> String {
        format!("{} KB/s {}", self.spec.rate, self.spec.stream.words())
    }

    async fn inject(&self) -> Result<(), FaultError> {
        self.hand.set().await
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.hand.remove().await
    }

    async fn proof(&self, within: Duration) -> Bite {
        let size = self.spec.probe_bytes();
        let probe = self.hand.path.echo(size as usize, within.min(Duration::from_secs(1)));
        let narrow = |seen| match seen {
            // Slices and rounding may let it through a little early.
            Seen::Answered(after) => size < PROBE_BYTES && after >= PROBE_TIME * 4 / 5,
            Seen::Silent(_) => true,
            Seen::Refused | Seen::Closed => false,
        };
        let (seen, narrow) = self.hand.feel(probe, narrow).await;
        let toll = self.hand.toll();
        let (hit, told) = toll.hit(toll.delayed, format!("{} of the load held back", count(toll.delayed, "transfer")));
        Bite { bit: narrow && hit, evidence: format!("{seen} ({size} bytes); {told}") }
    }

    fn toll(&self) -> Option<String> {
        let toll = self.hand.toll();
        toll.told(format!("{} held back, {} on average", count(toll.delayed, "transfer"), millis(toll.mean_delay)))
    }
}
