//! `proxy.reset_peer`: connections are reset (a TCP RST, not a close) as soon as they are used, or a while after. Clients see
//! "connection reset by peer" in the middle of a request, as with a load balancer that has lost its state.

use std::sync::Arc;
use std::time::Duration;

use super::super::path::{Path, Seen, count};
use super::super::{Bite, Fault, FaultError};
use super::{Stream, ToxicHand};
use crate::proxy::Toxic;
use crate::proxy::toxic;
use crate::scenario::units::Span;

/// Parameters of `proxy.reset_peer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResetPeer {
    /// From the first data to the reset; the proxy counts whole milliseconds.
    pub timeout: Span,
    /// Which way's data is meant. Downstream lets Redis carry out what it is sent, and loses the answers.
    pub stream: Stream,
}

pub(in crate::fault) struct ResetPeerFault {
    spec: ResetPeer,
    hand: ToxicHand,
}

impl ResetPeerFault {
    pub fn new(index: u32, spec: ResetPeer, path: Arc<Path>) -> Self {
        let toxic = Toxic::ResetPeer(toxic::ResetPeer { timeout: spec.timeout.0.as_millis() as u64 });
        Self { spec, hand: ToxicHand::new(index, toxic, spec.stream, path) }
    }
}

#[async_trait::async_trait]
impl Fault for ResetPeerFault {
    fn kind(&self) -> &'static str {
        "proxy.reset_peer"
    }

    fn detail(&self) -> String {
        format!("{} after the first data {}", self.spec.timeout, self.spec.stream.words())
    }

    async fn inject(&self) -> Result<(), FaultError> {
        self.hand.set().await
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.hand.remove().await
    }

    async fn proof(&self, within: Duration) -> Bite {
        let probe = self.hand.path.ping(within.min(self.spec.timeout.0 + Duration::from_secs(1)));
        let (seen, reset) = self.hand.feel(probe, |seen| seen == Seen::Closed).await;
        let toll = self.hand.toll();
        let (hit, told) = toll.hit(toll.cut, format!("{} of the load reset", count(toll.cut, "connection")));
        Bite { bit: reset && hit, evidence: format!("{seen}; {told}") }
    }

    fn toll(&self) -> Option<String> {
        let toll = self.hand.toll();
        toll.told(format!("{} reset", count(toll.cut, "connection")))
    }
}
