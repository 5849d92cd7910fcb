//! `keys.corrupt`: a share of the drill's sessions holds garbage, as after a faulty deployment or a rotated key. Their
//! TTL stays. Healing restores the old value where the garbage is still in place: a session that the store has written
//! or deleted since is left alone.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use serde::{Deserialize, Serialize};

use super::super::context::{FaultContext, Site};
use super::super::kind::{Docs, Flaw, Hits, Kind};
use super::super::{Fault, FaultError, Impact};
use super::picked::{BATCH, Hit, picked, some};
use crate::lab::LabError;
use crate::units::Share;

/// A value that no store writes.
const GARBAGE: &[u8] = b"\xff\xfe garbage of a drill";

/// Saves the value under the second key, with the same time to live, and replaces it with garbage.
const SPOIL: &str = "local value = redis.call('GET', KEYS[1])
if not value or value == ARGV[1] then return 0 end
redis.call('SET', KEYS[2], value)
local life = redis.call('PTTL', KEYS[1])
if life > 0 then redis.call('PEXPIRE', KEYS[2], life) end
redis.call('SET', KEYS[1], ARGV[1], 'KEEPTTL')
return 1";

/// Restores the value if the garbage is still in place.
const RESTORE: &str = "local value = redis.call('GET', KEYS[2])
if value and redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('SET', KEYS[1], value, 'KEEPTTL') end
redis.call('DEL', KEYS[2])
return 1";

/// Parameters of `keys.corrupt`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct KeysCorrupt {
    /// The share of the existing sessions.
    #[schemars(example = "20%")]
    pub share: Share,
}

impl Kind for KeysCorrupt {
    const NAME: &'static str = "keys.corrupt";
    const HITS: Hits = Hits::Keys;
    const DOCS: Docs = Docs {
        about: "a share of the sessions is overwritten with garbage, keeping its TTL",
        seen_in: "a faulty deployment, a key that was rotated too early, a half-written value",
        injected_by: "a script that swaps value and garbage in one step",
        evidence: "a probe meets the garbage on a path that the load has used",
        undone_by: "the values are restored where the garbage is still in place; values that the store has written or deleted since are left alone",
    };

    fn check(&self) -> Result<(), Flaw> {
        some(self.share)
    }

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(Arc::new(KeysCorruptFault::new(*self, site.context.clone())))
    }
}

pub(in crate::fault) struct KeysCorruptFault {
    spec: KeysCorrupt,
    context: FaultContext,
    hit: Mutex<Hit>,
}

impl KeysCorruptFault {
    pub fn new(spec: KeysCorrupt, context: FaultContext) -> Self {
        Self { spec, context, hit: Mutex::default() }
    }

    /// Runs `script` for each of `keys`; returns those for which it answers 1.
    async fn each(&self, script: &str, keys: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, LabError> {
        let mut done = Vec::new();
        for batch in keys.chunks(BATCH) {
            let mut pipeline = redis::pipe();
            for key in batch {
                pipeline.cmd("EVAL").arg(script).arg(2).arg(key).arg(self.kept(key)).arg(GARBAGE);
            }
            let said: Vec<u8> = self.context.path.server().admin().pipeline(&pipeline).await?;
            done.extend(batch.iter().zip(said).filter(|(_, said)| *said == 1).map(|(key, _)| key.clone()));
        }
        Ok(done)
    }

    /// The key that saves the value of `key`: under the drill's prefix, but not a session.
    fn kept(&self, key: &[u8]) -> Vec<u8> {
        let prefix = self.context.lab.prefix().as_str();
        [prefix.as_bytes(), b"fault:kept:", &key[prefix.len()..]].concat()
    }
}

#[async_trait::async_trait]
impl Fault for KeysCorruptFault {
    fn kind(&self) -> &'static str {
        KeysCorrupt::NAME
    }

    fn detail(&self) -> String {
        format!("{} of the sessions", self.spec.share)
    }

    async fn inject(&self) -> Result<(), FaultError> {
        let (there, keys) = picked(&self.context, self.spec.share).await?;
        // Healing looks at all of them, even if the injection ends half-way.
        *self.hit.lock() = Hit { there, keys: keys.clone() };
        let keys = self.each(SPOIL, &keys).await?;
        self.hit.lock().keys = keys;
        Ok(())
    }

    async fn heal(&self) -> Result<(), FaultError> {
        let keys = self.hit.lock().keys.clone();
        self.each(RESTORE, &keys).await?;
        Ok(())
    }

    async fn impact(&self, within: Duration) -> Impact {
        let (sample, spoilt) = {
            let hit = self.hit.lock();
            (hit.sample(), hit.words("overwritten with garbage"))
        };
        if sample.is_empty() {
            return Impact { bit: false, evidence: spoilt };
        }
        // The answer is an array with two lines per value.
        let (_, answer) = self.context.ask(redis::cmd("MGET").arg(&sample), 1 + 2 * sample.len(), within).await;
        let met = answer.windows(GARBAGE.len()).filter(|piece| *piece == GARBAGE).count();
        let evidence = format!("{spoilt}; a probe met it in {met} of {}", sample.len());
        self.context.path.impact(met > 0, evidence)
    }
}
