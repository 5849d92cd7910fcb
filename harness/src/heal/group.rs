//! Healing servers that work together, whichever of them leads by now. A drill changes nothing there but keys; what a
//! planned failover changed stays, as after maintenance.

use super::healed::Healed;
use crate::lab::lease;
use crate::lab::{Admin, Existing, KeyPrefix, Lab, LabError, RedisUrl, Topology};

/// Servers on which a drill was killed.
pub struct Group<'a> {
    /// How they are run.
    pub topology: Topology,
    /// One of them, or one of their sentinels, with the database that holds the drill's keys.
    pub url: &'a RedisUrl,
    /// Whether to leave everything unchanged.
    pub dry: bool,
}

impl Group<'_> {
    /// Connects to them.
    ///
    /// # Errors
    /// Same as [`Lab::find`].
    pub async fn reach(&self) -> Result<Lab, LabError> {
        Lab::find(self.topology, &Existing::at(self.url.clone(), Admin::DEADLINE)).await
    }

    /// Deletes the keys under `prefix`, and then the record of the drill with this token.
    pub async fn heal(&self, prefix: &KeyPrefix, token: &str, healed: &mut Healed, failed: &mut Vec<String>) {
        let done = async {
            let lab = self.reach().await?.with_prefix(prefix.clone());
            let keys = match self.dry {
                true => lab.count_keys().await?,
                false => lab.remove_keys().await?,
            };
            healed.undone.extend((keys > 0).then(|| format!("{keys} keys under {prefix} deleted")));
            match self.dry || token.is_empty() {
                true => Ok(()),
                false => lease::forget(&lab.leaders_line()?, token).await,
            }
        };
        if let Err(error) = done.await {
            failed.push(error.to_string());
        }
    }
}
