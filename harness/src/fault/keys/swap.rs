//! `keys.swap`: the values of a share of the drill's encrypted sessions change places in pairs, as by a faulty restore or by
//! somebody who wants to be another user. Every value is sound, in the wrong place. The TTL of each key stays. Healing puts each
//! value back where the other's is still in place: a session that the store has written or deleted since is left alone.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::context::{FaultContext, Site};
use super::super::kind::{Docs, Flaw, Hits, Kind};
use super::super::{Fault, FaultError, Impact};
use super::changed::Changed;
use super::picked::{last_number, some};
use crate::lab::{Persistence, Topology};
use crate::property::Property;
use crate::units::Share;

/// Swaps the values of the first two keys, and saves them under the other two, with the same time to live.
const SWAP: &str = "local a, b = redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])
if not a or not b or a == b then return 0 end
local function keep(from, to, value)
  redis.call('SET', to, value)
  local life = redis.call('PTTL', from)
  if life > 0 then redis.call('PEXPIRE', to, life) end
end
keep(KEYS[1], KEYS[3], a)
keep(KEYS[2], KEYS[4], b)
redis.call('SET', KEYS[1], b, 'KEEPTTL')
redis.call('SET', KEYS[2], a, 'KEEPTTL')
return 1";

/// Puts each value back where the other's is still in place.
const RESTORE: &str = "local a, b = redis.call('GET', KEYS[3]), redis.call('GET', KEYS[4])
if a and b then
  if redis.call('GET', KEYS[1]) == b then redis.call('SET', KEYS[1], a, 'KEEPTTL') end
  if redis.call('GET', KEYS[2]) == a then redis.call('SET', KEYS[2], b, 'KEEPTTL') end
end
redis.call('DEL', KEYS[3], KEYS[4])
return 1";

/// In how many pairs, given as SWAP takes them, the first key holds the second's value.
const SWAPPED: &str = "local found = 0
for at = 1, #KEYS, 4 do
  local there = redis.call('GET', KEYS[at])
  if there and there == redis.call('GET', KEYS[at + 3]) then found = found + 1 end
end
return found";

/// Parameters of `keys.swap`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct KeysSwap {
    /// The share of the existing sessions; at least two of them.
    #[schemars(example = "20%")]
    pub share: Share,
}

impl Kind for KeysSwap {
    const NAME: &'static str = "keys.swap";
    const HITS: Hits = Hits::Keys;
    const NEEDS_ENCRYPTION: bool = true;
    const DOCS: Docs = Docs {
        about: "the values of a share of the encrypted sessions change places in pairs, each key keeping its TTL; for `store.encryption`",
        seen_in: "a faulty restore or migration, somebody with access to Redis who wants to be another user",
        injected_by: "a script that swaps two values in one step",
        evidence: "a probe meets swapped values on a path that the load has used",
        undone_by: "the values are put back where the other's is still in place; values that the store has written or deleted since are left alone",
    };

    fn check(&self) -> Result<(), Flaw> {
        some(self.share)
    }

    /// An append reads only the head of a value: it is acknowledged, and then lies behind another session's content.
    fn breaks(&self, _: Topology, _: Persistence) -> Property {
        Property::WRITES
    }

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        let sessions = Changed::new(self.share, 2, None, site.context.clone());
        Ok(Arc::new(KeysSwapFault { context: site.context.clone(), sessions }))
    }
}

struct KeysSwapFault {
    context: FaultContext,
    /// In pairs: the first was swapped with the second, and so on.
    sessions: Changed,
}

#[async_trait::async_trait]
impl Fault for KeysSwapFault {
    fn kind(&self) -> &'static str {
        KeysSwap::NAME
    }

    fn detail(&self) -> String {
        self.sessions.detail()
    }

    async fn inject(&self) -> Result<(), FaultError> {
        self.sessions.change(SWAP).await
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.sessions.restore(RESTORE).await
    }

    async fn impact(&self, within: Duration) -> Impact {
        let (sample, swapped) = self.sessions.sample("swapped");
        let pairs = sample.len() / 2;
        if pairs == 0 {
            return Impact { bit: false, evidence: swapped };
        }
        let keys: Vec<Vec<u8>> = sample.chunks_exact(2).flat_map(|pair| self.sessions.with_kept(pair)).collect();
        let mut command = redis::cmd("EVAL");
        command.arg(SWAPPED).arg(keys.len()).arg(keys);
        let (_, come) = self.context.ask(&command, 1, within).await;
        let met = last_number(&come).unwrap_or(0);
        self.context.path.impact(met > 0, format!("{swapped}; a probe met it in {met} of {pairs} pairs"))
    }
}
