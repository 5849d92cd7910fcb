//! `proxy.latency`: every transfer is late by the latency, more or less the jitter.

use std::sync::Arc;
use std::time::Duration;

use super::super::path::{Path, Seen, count, millis};
use super::super::{Bite, Fault, FaultError};
use super::{Stream, ToxicHand};
use crate::proxy::Toxic;
use crate::proxy::toxic;
use crate::scenario::units::Span;

/// Parameters of `proxy.latency`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latency {
    /// How late every transfer is; the proxy counts whole milliseconds.
    pub latency: Span,
    /// The delay varies by up to this, either way.
    pub jitter: Span,
    /// Which way is hit; both means twice the delay per round trip.
    pub stream: Stream,
}

impl Latency {
    /// The least that a round trip takes.
    fn floor(&self) -> Duration {
        self.latency.0.saturating_sub(self.jitter.0) * self.stream.directions().len() as u32
    }

    /// The most that the fault adds to a round trip.
    fn ceiling(&self) -> Duration {
        (self.latency.0 + self.jitter.0) * self.stream.directions().len() as u32
    }
}

pub(in crate::fault) struct LatencyFault {
    spec: Latency,
    hand: ToxicHand,
}

impl LatencyFault {
    pub fn new(index: u32, spec: Latency, path: Arc<Path>) -> Self {
        let ms = |span: Span| span.0.as_millis() as u64;
        let toxic = Toxic::Latency(toxic::Latency { latency: ms(spec.latency), jitter: ms(spec.jitter) });
        Self { spec, hand: ToxicHand::new(index, toxic, spec.stream, path) }
    }
}

#[async_trait::async_trait]
impl Fault for LatencyFault {
    fn kind(&self) -> &'static str {
        "proxy.latency"
    }

    fn detail(&self) -> String {
        let jitter =
            if self.spec.jitter == Span::default() { String::new() } else { format!(" ± {}", self.spec.jitter) };
        format!("{}{jitter} {}", self.spec.latency, self.spec.stream.words())
    }

    async fn inject(&self) -> Result<(), FaultError> {
        self.hand.set().await
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.hand.remove().await
    }

    async fn proof(&self, within: Duration) -> Bite {
        let probe = self.hand.path.ping(within.min(self.spec.ceiling() + Duration::from_secs(1)));
        let floor = self.spec.floor();
        let late = |seen| matches!(seen, Seen::Answered(after) if after >= floor);
        let (seen, late) = self.hand.feel(probe, late).await;
        let toll = self.hand.toll();
        let (hit, told) = toll.hit(toll.delayed, format!("{} of the load held back", count(toll.delayed, "transfer")));
        Bite { bit: late && hit, evidence: format!("{seen}; {told}") }
    }

    fn toll(&self) -> Option<String> {
        let toll = self.hand.toll();
        toll.told(format!("{} held back, {} on average", count(toll.delayed, "transfer"), millis(toll.mean_delay)))
    }
}
