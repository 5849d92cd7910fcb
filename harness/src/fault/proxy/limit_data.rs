//! `proxy.limit_data`: every connection is closed when it has carried so many bytes, in the middle of a request or of an
//! answer. Downstream it is the finest way to lose the answer to a command that was carried out.

use std::sync::Arc;
use std::time::Duration;

use super::super::path::{Path, Seen, count};
use super::super::{Bite, Fault, FaultError};
use super::{Stream, ToxicHand};
use crate::proxy::Toxic;
use crate::proxy::toxic;
use crate::scenario::units::Bytes;

/// A probe sends no more than this: a larger limit cannot be proven.
const MOST: u64 = 16_000_000;

/// Parameters of `proxy.limit_data`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitData {
    /// What each connection may carry, from when the fault began or the connection was opened.
    pub bytes: Bytes,
    /// Which way is counted.
    pub stream: Stream,
}

pub(in crate::fault) struct LimitDataFault {
    spec: LimitData,
    hand: ToxicHand,
}

impl LimitDataFault {
    pub fn new(index: u32, spec: LimitData, path: Arc<Path>) -> Self {
        let toxic = Toxic::LimitData(toxic::LimitData { bytes: spec.bytes.0 });
        Self { spec, hand: ToxicHand::new(index, toxic, spec.stream, path) }
    }
}

#[async_trait::async_trait]
impl Fault for LimitDataFault {
    fn kind(&self) -> &'static str {
        "proxy.limit_data"
    }

    fn detail(&self) -> String {
        format!("{} {}", self.spec.bytes, self.spec.stream.words())
    }

    async fn inject(&self) -> Result<(), FaultError> {
        self.hand.set().await
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.hand.remove().await
    }

    async fn proof(&self, within: Duration) -> Bite {
        let size = self.spec.bytes.0.min(MOST) as usize + 1;
        let probe = self.hand.path.echo(size, within.min(Duration::from_secs(5)));
        let (seen, closed) = self.hand.feel(probe, |seen| seen == Seen::Closed).await;
        let toll = self.hand.toll();
        let (hit, told) = toll.hit(toll.cut, format!("{} of the load closed", count(toll.cut, "connection")));
        Bite { bit: closed && hit, evidence: format!("{seen} ({size} bytes); {told}") }
    }

    fn toll(&self) -> Option<String> {
        let toll = self.hand.toll();
        toll.told(format!("{} closed", count(toll.cut, "connection")))
    }
}
