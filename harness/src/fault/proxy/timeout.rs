//! `proxy.timeout`: a black hole. What is sent is swallowed and the connections stay open and silent, as with a host that
//! has left the network without a word; where a timeout is set, they are closed after it. Healing closes them as well,
//! because what was swallowed cannot be given back.

use std::sync::Arc;
use std::time::Duration;

use super::super::path::{Path, Seen};
use super::super::{Bite, Fault, FaultError};
use super::{Stream, ToxicHand};
use crate::proxy::Toxic;
use crate::proxy::toxic;
use crate::scenario::units::Span;

/// Parameters of `proxy.timeout`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeout {
    /// After this the silent connection is closed; zero leaves it open for as long as the fault lasts.
    pub timeout: Span,
    /// Which way is hit. Downstream alone lets Redis carry out what it is sent, and swallows the answers.
    pub stream: Stream,
}

pub(in crate::fault) struct TimeoutFault {
    spec: Timeout,
    hand: ToxicHand,
}

impl TimeoutFault {
    pub fn new(index: u32, spec: Timeout, path: Arc<Path>) -> Self {
        let toxic = Toxic::Timeout(toxic::Timeout { timeout: spec.timeout.0.as_millis() as u64 });
        Self { spec, hand: ToxicHand::new(index, toxic, spec.stream, path) }
    }
}

#[async_trait::async_trait]
impl Fault for TimeoutFault {
    fn kind(&self) -> &'static str {
        "proxy.timeout"
    }

    fn detail(&self) -> String {
        match self.spec.timeout {
            timeout if timeout == Span::default() => format!("{}, never closed", self.spec.stream.words()),
            timeout => format!("{}, closed after {timeout}", self.spec.stream.words()),
        }
    }

    async fn inject(&self) -> Result<(), FaultError> {
        self.hand.set().await
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.hand.remove().await
    }

    async fn proof(&self, within: Duration) -> Bite {
        let probe = self.hand.path.ping(within.min(Duration::from_millis(200)));
        let swallows = |seen| matches!(seen, Seen::Silent(_) | Seen::Closed);
        let (seen, swallows) = self.hand.feel(probe, swallows).await;
        let toll = self.hand.toll();
        let (hit, told) = toll.hit(toll.dropped, format!("{} bytes of the load swallowed", toll.dropped));
        Bite { bit: swallows && hit, evidence: format!("{seen}; {told}") }
    }

    fn toll(&self) -> Option<String> {
        let toll = self.hand.toll();
        toll.told(format!("{} bytes swallowed", toll.dropped))
    }
}
