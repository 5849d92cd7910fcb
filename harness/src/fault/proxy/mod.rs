//! Faults of the network between the load and Redis, brought about by the fault proxy.

mod bandwidth;
mod down;
mod impostor;
mod latency;
mod limit_data;
mod reset_peer;
mod slicer;
mod slow_close;
mod timeout;

use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::error::FaultError;
use super::path::{Path, Seen, Snapshot, Toll};
use crate::proxy::{Direction, ProxyError, Toxic, ToxicSpec};

pub use bandwidth::Bandwidth;
pub(super) use bandwidth::BandwidthFault;
pub use down::Down;
pub(super) use down::DownFault;
pub use impostor::Impostor;
pub(super) use impostor::ImpostorFault;
pub use latency::Latency;
pub(super) use latency::LatencyFault;
pub use limit_data::LimitData;
pub(super) use limit_data::LimitDataFault;
pub use reset_peer::ResetPeer;
pub(super) use reset_peer::ResetPeerFault;
pub use slicer::Slicer;
pub(super) use slicer::SlicerFault;
pub use slow_close::SlowClose;
pub(super) use slow_close::SlowCloseFault;
pub use timeout::Timeout;
pub(super) use timeout::TimeoutFault;

/// Which way of a connection is hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// What the store sends to Redis.
    Upstream,
    /// What Redis answers.
    Downstream,
    /// Both ways.
    Both,
}

impl Stream {
    /// The word used in scenarios.
    pub fn name(self) -> &'static str {
        match self {
            Stream::Upstream => "upstream",
            Stream::Downstream => "downstream",
            Stream::Both => "both",
        }
    }

    fn directions(self) -> &'static [Direction] {
        match self {
            Stream::Upstream => &[Direction::Upstream],
            Stream::Downstream => &[Direction::Downstream],
            Stream::Both => &[Direction::Upstream, Direction::Downstream],
        }
    }

    /// The words after a fault's parameters: `upstream`, `downstream`, `both ways`.
    fn words(self) -> &'static str {
        match self {
            Stream::Both => "both ways",
            one => one.name(),
        }
    }
}

/// One toxic on one link or on both, and the proxy's counters at the moment it was set.
struct ToxicHand {
    index: u32,
    toxic: Toxic,
    stream: Stream,
    path: Arc<Path>,
    before: Mutex<Snapshot>,
    felt: Mutex<Option<Seen>>,
}

impl ToxicHand {
    fn new(index: u32, toxic: Toxic, stream: Stream, path: Arc<Path>) -> Self {
        Self { index, toxic, stream, path, before: Mutex::default(), felt: Mutex::default() }
    }

    async fn set(&self) -> Result<(), FaultError> {
        *self.before.lock() = self.path.snapshot();
        *self.felt.lock() = None;
        for &direction in self.stream.directions() {
            let spec = ToxicSpec { name: self.name(direction), ..ToxicSpec::new(direction, self.toxic) };
            self.path.proxy().add_toxic(spec).await?;
        }
        Ok(())
    }

    async fn remove(&self) -> Result<(), FaultError> {
        let mut result = Ok(());
        for &direction in self.stream.directions() {
            match self.path.proxy().remove_toxic(&self.name(direction)).await {
                Ok(()) | Err(ProxyError::NoToxic(_)) => {}
                Err(error) => result = Err(error.into()),
            }
        }
        result
    }

    /// What a probe sees and whether it feels the toxic. Once one has, no other is sent: they would only blur what the
    /// load suffers.
    async fn feel(&self, probe: impl Future<Output = Seen> + Send, felt: impl Fn(Seen) -> bool) -> (Seen, bool) {
        let before = *self.felt.lock();
        if let Some(seen) = before {
            return (seen, true);
        }
        let seen = probe.await;
        let feels = felt(seen);
        if feels {
            *self.felt.lock() = Some(seen);
        }
        (seen, feels)
    }

    /// What the load has suffered since the toxic was set.
    fn toll(&self) -> Toll {
        let before = *self.before.lock();
        self.path.toll(&before)
    }

    /// Two faults of one kind may be on at once, so the name holds the fault's number.
    fn name(&self, direction: Direction) -> String {
        format!("fault-{}-{}", self.index, ToxicSpec::default_name(self.toxic.kind(), direction))
    }
}
