//! `keys.delete`: a share of the drill's sessions is deleted behind the store's back, as by an eviction, a hasty FLUSHALL or
//! somebody's script. They are gone by the drill's own hand and healing brings none back: a store that remembers them may
//! have written them again meanwhile.

use std::time::Duration;

use parking_lot::Mutex;

use super::super::context::FaultContext;
use super::super::{Bite, Fault, FaultError};
use super::{BATCH, Hit, picked};
use crate::scenario::units::Share;

/// Parameters of `keys.delete`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KeysDelete {
    /// How many of the sessions that are there.
    pub share: Share,
}

pub(in crate::fault) struct KeysDeleteFault {
    spec: KeysDelete,
    context: FaultContext,
    hit: Mutex<Hit>,
}

impl KeysDeleteFault {
    pub fn new(spec: KeysDelete, context: FaultContext) -> Self {
        Self { spec, context, hit: Mutex::default() }
    }
}

#[async_trait::async_trait]
impl Fault for KeysDeleteFault {
    fn kind(&self) -> &'static str {
        "keys.delete"
    }

    fn detail(&self) -> String {
        format!("{} of the sessions", self.spec.share)
    }

    async fn inject(&self) -> Result<(), FaultError> {
        let (there, keys) = picked(&self.context, self.spec.share).await?;
        for batch in keys.chunks(BATCH) {
            self.context.lab.admin().query::<()>(redis::cmd("UNLINK").arg(batch)).await?;
        }
        *self.hit.lock() = Hit { there, keys };
        Ok(())
    }

    async fn heal(&self) -> Result<(), FaultError> {
        Ok(())
    }

    async fn proof(&self, within: Duration) -> Bite {
        let (sample, deleted) = {
            let hit = self.hit.lock();
            (hit.sample(), hit.words("deleted"))
        };
        if sample.is_empty() {
            return Bite { bit: false, evidence: deleted };
        }
        let (_, come) = self.context.ask(redis::cmd("EXISTS").arg(&sample), 1, within).await;
        let still: Option<usize> =
            String::from_utf8_lossy(&come).lines().last().and_then(|line| line.strip_prefix(':')?.parse().ok());
        let missing = still.map_or(0, |still| sample.len().saturating_sub(still));
        let evidence = format!("{deleted}; a probe missed {missing} of {}", sample.len());
        self.context.path.bite(missing > 0, evidence)
    }
}
