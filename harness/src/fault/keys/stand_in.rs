//! A share of the drill's sessions holds another value for a while. Their TTL stays. Healing restores the old value where the
//! other is still in place: a session that the store has written or deleted since is left alone.

use std::time::Duration;

use super::super::context::FaultContext;
use super::super::{Fault, FaultError, Impact};
use super::changed::Changed;
use crate::units::Share;

/// Saves the value under the second key, with the same time to live, and replaces it.
const SPOIL: &str = "local value = redis.call('GET', KEYS[1])
if not value or value == ARGV[1] then return 0 end
redis.call('SET', KEYS[2], value)
local life = redis.call('PTTL', KEYS[1])
if life > 0 then redis.call('PEXPIRE', KEYS[2], life) end
redis.call('SET', KEYS[1], ARGV[1], 'KEEPTTL')
return 1";

/// Restores the value if the other is still in place.
const RESTORE: &str = "local value = redis.call('GET', KEYS[2])
if value and redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('SET', KEYS[1], value, 'KEEPTTL') end
redis.call('DEL', KEYS[2])
return 1";

/// A value that stands in for those of some sessions.
pub(super) struct StandIn {
    /// The fault's kind.
    pub kind: &'static str,
    /// The value. Nothing else may contain it.
    pub value: &'static [u8],
    /// What has happened to the sessions: "overwritten with garbage".
    pub done: &'static str,
    /// The share of the existing sessions.
    pub share: Share,
}

pub(super) struct StandInFault {
    stand_in: StandIn,
    context: FaultContext,
    sessions: Changed,
}

impl StandInFault {
    pub(super) fn new(stand_in: StandIn, context: FaultContext) -> Self {
        let sessions = Changed::new(stand_in.share, 1, Some(stand_in.value), context.clone());
        Self { stand_in, context, sessions }
    }
}

#[async_trait::async_trait]
impl Fault for StandInFault {
    fn kind(&self) -> &'static str {
        self.stand_in.kind
    }

    fn detail(&self) -> String {
        self.sessions.detail()
    }

    async fn inject(&self) -> Result<(), FaultError> {
        self.sessions.change(SPOIL).await
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.sessions.restore(RESTORE).await
    }

    async fn impact(&self, within: Duration) -> Impact {
        let (sample, spoilt) = self.sessions.sample(self.stand_in.done);
        if sample.is_empty() {
            return Impact { bit: false, evidence: spoilt };
        }
        // The answer is an array with two lines per value.
        let (_, answer) = self.context.ask(redis::cmd("MGET").arg(&sample), 1 + 2 * sample.len(), within).await;
        let value = self.stand_in.value;
        let met = answer.windows(value.len()).filter(|piece| *piece == value).count();
        let evidence = format!("{spoilt}; a probe met it in {met} of {}", sample.len());
        self.context.path.impact(met > 0, evidence)
    }
}
