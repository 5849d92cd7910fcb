//! `proxy.slicer`: what is sent arrives in small pieces with pauses between them, so that a client that takes one read for
//! one answer goes wrong, and large sessions take long.

use std::sync::Arc;
use std::time::Duration;

use super::super::path::{Path, Seen};
use super::super::{Bite, Fault, FaultError};
use super::{Stream, ToxicHand};
use crate::proxy::Toxic;
use crate::proxy::toxic;
use crate::scenario::units::{Bytes, Span};

/// The pieces of a probe take this long, or longer.
const PROBE_TIME: Duration = Duration::from_millis(40);

/// A probe has at least so many pieces.
const PROBE_PIECES: u64 = 4;

/// A probe sends no more than this; pieces too large, or pauses too short, cannot be proven.
const PROBE_BYTES: u64 = 4_000_000;

/// Parameters of `proxy.slicer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slicer {
    /// Average size of a piece; at least 1 byte.
    pub size: Bytes,
    /// Sizes vary by up to this much either way; less than the size.
    pub variation: Bytes,
    /// Between two pieces; longer than zero, and the proxy counts whole microseconds.
    pub delay: Span,
    /// Which way is hit.
    pub stream: Stream,
}

impl Slicer {
    /// Of how many bytes a probe is, and how long its pieces take at least.
    fn probe(&self) -> (u64, Duration) {
        let largest = self.size.0 + self.variation.0;
        let pauses = (PROBE_TIME.as_micros() as u64).div_ceil(self.delay.0.as_micros().max(1) as u64);
        let size = largest.saturating_mul(pauses.max(PROBE_PIECES) + 1).min(PROBE_BYTES);
        // The last piece may be a large one that goes whole.
        let pauses = (size / largest).saturating_sub(1);
        (size, self.delay.0 * u32::try_from(pauses).unwrap_or(u32::MAX))
    }
}

pub(in crate::fault) struct SlicerFault {
    spec: Slicer,
    hand: ToxicHand,
}

impl SlicerFault {
    pub fn new(index: u32, spec: Slicer, path: Arc<Path>) -> Self {
        let toxic = Toxic::Slicer(toxic::Slicer {
            average_size: spec.size.0,
            size_variation: spec.variation.0,
            delay: spec.delay.0.as_micros() as u64,
        });
        Self { spec, hand: ToxicHand::new(index, toxic, spec.stream, path) }
    }
}

#[async_trait::async_trait]
impl Fault for SlicerFault {
    fn kind(&self) -> &'static str {
        "proxy.slicer"
    }

    fn detail(&self) -> String {
        let Slicer { size, variation, delay, stream } = self.spec;
        let variation = if variation == Bytes::default() { String::new() } else { format!(" ± {variation}") };
        format!("{size}{variation}, {delay} apart, {}", stream.words())
    }

    async fn inject(&self) -> Result<(), FaultError> {
        self.hand.set().await
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.hand.remove().await
    }

    async fn proof(&self, within: Duration) -> Bite {
        let (size, least) = self.spec.probe();
        let probe = self.hand.path.echo(size as usize, within.min(2 * least + Duration::from_secs(1)));
        let sliced = |seen| match seen {
            Seen::Answered(after) => !least.is_zero() && after >= least,
            Seen::Silent(waited) => waited >= least,
            Seen::Refused | Seen::Closed => false,
        };
        let (seen, sliced) = self.hand.feel(probe, sliced).await;
        let toll = self.hand.toll();
        let (hit, told) = toll.hit(toll.carried, format!("{} bytes of the load came this way", toll.carried));
        Bite { bit: sliced && hit, evidence: format!("{seen} ({size} bytes); {told}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_has_pieces_enough_to_be_felt() {
        let slicer = |size, variation, delay| {
            Slicer { size: Bytes(size), variation: Bytes(variation), delay, stream: Stream::Downstream }.probe()
        };
        assert_eq!(slicer(100, 0, Span::millis(1)), (4_100, Duration::from_millis(40)));
        assert_eq!(slicer(100, 50, Span::millis(100)), (750, Duration::from_millis(400)));
        assert_eq!(slicer(4_000_000, 0, Span::millis(1)), (4_000_000, Duration::ZERO));
    }
}
