//! The steps of healing one server, from a journal or from the server's records.

use super::healed::Healed;
use crate::fault::{Found, RemoteHealer};
use crate::lab::journal::{Journal, Undo, changes};
use crate::lab::lease;
use crate::lab::{Admin, Executor as _, KeyPrefix, LabError, RedisUrl, count_keys, remove_keys};

/// Where a drill ran.
pub struct Place<'a> {
    /// The server, with the login that can heal it.
    pub url: &'a RedisUrl,
    /// The database that holds its keys.
    pub keys: &'a RedisUrl,
    /// The prefix of its keys; `None` if unknown.
    pub prefix: Option<&'a KeyPrefix>,
    /// The server's run ID; empty if unknown.
    pub run_id: &'a str,
    /// Its token on the server; empty for drills of earlier versions.
    pub token: &'a str,
}

/// Heals one server.
pub struct Steps<'a> {
    /// The place to heal.
    pub place: Place<'a>,
    /// Undoes changes on the server.
    pub healer: RemoteHealer,
    /// The journal on this machine.
    pub journal: Option<&'a Journal>,
    /// Whether to leave everything unchanged.
    pub dry: bool,
}

impl Steps<'_> {
    /// Heals the settings first, the latest change first: keys must not be deleted while a fault's settings are in
    /// force.
    ///
    /// # Errors
    /// [`JournalError::Io`](crate::lab::JournalError::Io); refusals by the server go to `failed`.
    pub async fn take(
        &self,
        changes: Vec<(u64, Undo)>,
        healed: &mut Healed,
        failed: &mut Vec<String>,
    ) -> Result<(), LabError> {
        let undo: Vec<Undo> = changes.iter().map(|(_, undo)| undo.clone()).collect();
        let reached = match self.healer.reach(&undo).await {
            Ok(()) => self.healer.who().await,
            Err(error) => Err(error),
        };
        let (run_id, is_primary) = match reached {
            Ok(who) => who,
            Err(error) => {
                failed.push(error.to_string());
                return Ok(());
            }
        };
        let same = self.place.run_id.is_empty() || run_id == self.place.run_id;
        for (id, undo) in changes.iter().rev() {
            match self.one(undo, same, healed).await {
                Ok(()) => self.strike_out(*id).await?,
                Err(error) => failed.push(format!("{undo}: {error}")),
            }
        }
        if !failed.is_empty() {
            return Ok(());
        }
        if !same && !is_primary {
            let prefix = self.place.prefix.map_or("firedrill:", KeyPrefix::as_str);
            healed
                .kept
                .push(format!("keys under {prefix}: the server at this address is another one now, and a replica"));
            return Ok(());
        }
        self.keys(healed, failed).await;
        if failed.is_empty()
            && !self.dry
            && !self.place.token.is_empty()
            && let Err(error) = self.forget().await
        {
            failed.push(format!("the record of the drill on the server: {error}"));
        }
        Ok(())
    }

    /// Heals one change. A value is undone only if it is as a fault set it, on the server where the fault set it.
    async fn one(&self, undo: &Undo, same: bool, healed: &mut Healed) -> Result<(), LabError> {
        match (self.healer.look(undo).await?, same) {
            (Found::AsTheFaultSetIt, true) => {
                if !self.dry {
                    self.healer.undo(undo).await?;
                }
                healed.undone.push(undo.to_string());
            }
            (Found::AsTheFaultSetIt, false) => healed.doubtful.push(format!(
                "{undo} was not sent: the server was restarted or replaced since, and it is as the drill had set it"
            )),
            (Found::AsBefore, _) => healed.kept.push(format!("{undo} is not needed: it is as it was before the drill")),
            (Found::Changed(what), _) => healed.kept.push(what),
        }
        Ok(())
    }

    /// Removes the lease and the record of the drill, from the database where all machines look.
    async fn forget(&self) -> Result<(), LabError> {
        let line = Admin::new(&self.place.url.in_database(0)?, Admin::DEADLINE)?;
        lease::forget(&line, self.place.token).await
    }

    /// Records that a change is dealt with, on this machine and on the server.
    async fn strike_out(&self, id: u64) -> Result<(), LabError> {
        if self.dry {
            return Ok(());
        }
        if !self.place.token.is_empty() {
            // The record is already gone if the server restarted; a user who may not change users has created none.
            let _ = self.healer.query::<u64>(&changes::forget(self.place.token, id)).await;
        }
        self.journal.map_or(Ok(()), |journal| journal.undone(id))
    }

    /// Deletes the drill's keys, in the database that the drill used, whatever the URL says now.
    async fn keys(&self, healed: &mut Healed, failed: &mut Vec<String>) {
        let Some(prefix) = self.place.prefix else { return };
        let deleted = async {
            let admin = Admin::new(self.place.keys, Admin::DEADLINE)?;
            match self.dry {
                true => count_keys(&admin, prefix).await,
                false => remove_keys(&admin, prefix).await,
            }
        };
        match deleted.await {
            Ok(0) => {}
            Ok(keys) => healed.undone.push(format!("{keys} keys under {prefix} deleted")),
            Err(error) => failed.push(format!("the keys under {prefix}: {error}")),
        }
    }
}
