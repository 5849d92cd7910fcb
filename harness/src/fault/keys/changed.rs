//! Sessions that a script changes for a while, and another script gives back. The old values are kept beside them.

use parking_lot::Mutex;

use super::super::FaultError;
use super::super::context::FaultContext;
use super::picked::{BATCH, Hit, picked};
use crate::lab::LabError;
use crate::units::Share;

/// A share of the drill's sessions, changed in groups of a fixed size.
pub(super) struct Changed {
    context: FaultContext,
    share: Share,
    /// Sessions per call of a script.
    group: usize,
    /// What the scripts get besides the keys.
    argument: Option<&'static [u8]>,
    /// The sessions that were changed, group by group.
    hit: Mutex<Hit>,
}

impl Changed {
    /// None so far. The scripts get `group` sessions at a time, and the `argument` if there is one.
    pub fn new(share: Share, group: usize, argument: Option<&'static [u8]>, context: FaultContext) -> Self {
        Self { context, share, group, argument, hit: Mutex::default() }
    }

    /// The share in words.
    pub fn detail(&self) -> String {
        format!("{} of the sessions", self.share)
    }

    /// Picks sessions and changes them with `script`, which answers 1 where it did.
    pub async fn change(&self, script: &str) -> Result<(), FaultError> {
        let (there, keys) = picked(&self.context, self.share).await?;
        // Healing looks at all of them, even if the injection ends half-way.
        *self.hit.lock() = Hit { there, keys: keys.clone() };
        let keys = self.each(script, &keys).await?;
        self.hit.lock().keys = keys;
        Ok(())
    }

    /// Gives them back with `script`.
    pub async fn restore(&self, script: &str) -> Result<(), FaultError> {
        let keys = self.hit.lock().keys.clone();
        self.each(script, &keys).await?;
        Ok(())
    }

    /// Some of them for a probe, and what has happened to all of them in words.
    pub fn sample(&self, done: &str) -> (Vec<Vec<u8>>, String) {
        let hit = self.hit.lock();
        (hit.sample(), hit.words(done))
    }

    /// The keys of a group as a script gets them: the sessions, then the keys that keep their values.
    pub fn with_kept(&self, group: &[Vec<u8>]) -> Vec<Vec<u8>> {
        group.iter().cloned().chain(group.iter().map(|key| self.context.kept(key))).collect()
    }

    /// Runs `script` for each group of `keys`; returns the groups for which it answers 1.
    async fn each(&self, script: &str, keys: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, LabError> {
        let groups: Vec<&[Vec<u8>]> = keys.chunks_exact(self.group).collect();
        let mut done = Vec::new();
        for batch in groups.chunks(BATCH) {
            let mut pipeline = redis::pipe();
            for group in batch {
                pipeline.cmd("EVAL").arg(script).arg(2 * self.group).arg(self.with_kept(group)).arg(self.argument);
            }
            let said: Vec<u8> = self.context.path.server().admin().pipeline(&pipeline).await?;
            let changed = batch.iter().zip(said).filter(|(_, said)| *said == 1);
            done.extend(changed.flat_map(|(group, _)| group.to_vec()));
        }
        Ok(done)
    }
}
