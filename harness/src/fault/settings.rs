//! The server settings that faults have changed, and their original values. A setting is read before its first change
//! and set to what the latest active fault wants; it is restored when the last one is over, however often healing runs.

use std::sync::Arc;

use redis::Value;
use tokio::sync::Mutex;

use super::overlay::Overlay;
use super::remote::Remote;
use crate::lab::journal::{Undo, changes};
use crate::lab::{Journal, LabError, RedisFailure};

/// Something on the server that a fault changes and must restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Setting<'a> {
    /// A CONFIG parameter; never one that holds a secret, because the original goes into the journal.
    Config(&'a str),
    /// The primary it replicates: `host port`, or empty.
    Primary,
    /// How this user authenticates: the rules of ACL SETUSER.
    Passwords(String),
}

/// The changed settings.
pub(super) struct Settings {
    changed: Mutex<Vec<Changed>>,
    /// On a Redis that outlives the drill, records the original values first.
    journal: Option<Arc<Journal>>,
}

struct Changed {
    setting: Setting<'static>,
    original: String,
    /// The values that faults have set, as the server reports them.
    set: Vec<String>,
    values: Overlay<String>,
    /// Its entry in the journal.
    announced: Option<u64>,
}

impl Settings {
    pub fn new(journal: Option<Arc<Journal>>) -> Self {
        Self { changed: Mutex::default(), journal }
    }

    /// Sets `setting` to `value` for `fault`, and returns once the server confirms it.
    ///
    /// # Errors
    /// Same as [`Admin::query`](crate::lab::Admin::query), and [`RedisFailure::NotKept`]; the setting must be restored
    /// anyway.
    pub async fn change(
        &self,
        remote: &Remote,
        fault: u32,
        setting: Setting<'static>,
        value: impl ToString + Send,
    ) -> Result<(), LabError> {
        let value = value.to_string();
        let set = setting.as_told(&value);
        let mut changed = self.changed.lock().await;
        match changed.iter_mut().find(|changed| changed.setting == setting) {
            Some(known) => {
                if !known.set.contains(&set) {
                    known.set.push(set);
                    self.write_down(remote, known).await?;
                }
                known.values.want(fault, value.clone());
            }
            None => {
                let original = setting.read(remote).await?;
                let mut values = Overlay::over(original.clone());
                values.want(fault, value.clone());
                let mut new = Changed { setting: setting.clone(), original, set: vec![set], values, announced: None };
                self.write_down(remote, &mut new).await?;
                changed.push(new);
            }
        }
        setting.write(remote, &value).await
    }

    /// Records what is about to change: in this machine's journal, and on the server itself, where every machine finds
    /// it.
    async fn write_down(&self, remote: &Remote, change: &mut Changed) -> Result<(), LabError> {
        let Some(journal) = &self.journal else { return Ok(()) };
        let undo = change.setting.undo(change.original.clone(), change.set.clone());
        let id = match change.announced {
            Some(id) => journal.amend(id, undo.clone()).map(|()| id)?,
            None => journal.announce(undo.clone())?,
        };
        let on_server = async {
            let Some(token) = journal.token() else { return Ok(()) };
            let command = changes::announce(token, id, &undo)
                .map_err(|error| LabError::system("writing down a change", std::io::Error::from(error)))?;
            remote.query::<()>(&command).await
        };
        match on_server.await {
            Err(error) if change.announced.is_none() => {
                // Nothing was changed, and nothing will be.
                journal.undone(id)?;
                Err(error)
            }
            written => {
                change.announced = Some(id);
                written
            }
        }
    }

    /// Removes the entries of a restored setting.
    async fn strike_out(&self, remote: &Remote, announced: Option<u64>) -> Result<(), LabError> {
        let (Some(journal), Some(id)) = (&self.journal, announced) else { return Ok(()) };
        if let Some(token) = journal.token() {
            remote.query::<u64>(&changes::forget(token, id)).await?;
        }
        journal.undone(id)
    }

    /// Undoes the changes of `fault`, the latest first: a setting becomes what the latest of the other faults wants, or
    /// its original.
    ///
    /// # Errors
    /// Same as [`Settings::change`], after trying them all; settings that could not be written are still remembered.
    pub async fn restore(&self, remote: &Remote, fault: u32) -> Result<(), LabError> {
        let mut changed = self.changed.lock().await;
        let mut result = Ok(());
        for at in (0..changed.len()).rev() {
            let known = &mut changed[at];
            let Some(value) = known.values.without(fault).filter(|_| known.values.is_wanted_by(fault)) else {
                continue;
            };
            let noted = match known.setting.write(remote, value).await {
                Ok(()) if known.values.is_wanted_only_by(fault) => self.strike_out(remote, known.announced).await,
                written => written,
            };
            match noted {
                Ok(()) => known.values.leave(fault),
                Err(error) => result = Err(error),
            }
            if known.values.is_free() {
                changed.remove(at);
            }
        }
        result
    }
}

impl Setting<'_> {
    /// The journal's undo record that restores `value` where one of `set` is found.
    fn undo(&self, value: String, set: Vec<String>) -> Undo {
        match self {
            Setting::Config(name) => Undo::Config { name: (*name).to_owned(), value, set },
            Setting::Primary => Undo::Primary { value, set },
            Setting::Passwords(user) => Undo::Passwords { user: user.clone(), rules: value, set },
        }
    }

    /// How the server reports `value` after it is set: each password as its digest.
    fn as_told(&self, value: &str) -> String {
        let told = |rule: &str| match rule.strip_prefix('>') {
            Some(password) => {
                let digest = ring::digest::digest(&ring::digest::SHA256, password.as_bytes());
                let digits: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
                format!("#{digits}")
            }
            None => rule.to_owned(),
        };
        match self {
            Setting::Passwords(_) => value.split_ascii_whitespace().map(told).collect::<Vec<_>>().join(" "),
            Setting::Config(_) | Setting::Primary => value.to_owned(),
        }
    }

    /// Its current value.
    pub async fn read(&self, remote: &Remote) -> Result<String, LabError> {
        match self {
            Setting::Config(name) => config(remote, name).await,
            Setting::Primary => config(remote, "replicaof").await,
            Setting::Passwords(user) => {
                let user: Value = remote.query(redis::cmd("ACL").arg("GETUSER").arg(user)).await?;
                Ok(password_rules(&user))
            }
        }
    }

    /// Sets it to `value`, and returns once the server confirms it.
    pub async fn write(&self, remote: &Remote, value: &str) -> Result<(), LabError> {
        match self {
            Setting::Config(name) => {
                remote.query::<()>(redis::cmd("CONFIG").arg("SET").arg(name).arg(value)).await?;
            }
            Setting::Primary => {
                let (host, port) = value.split_once(' ').unwrap_or(("NO", "ONE"));
                remote.query::<()>(redis::cmd("REPLICAOF").arg(host).arg(port)).await?;
            }
            Setting::Passwords(user) => {
                let mut command = redis::cmd("ACL");
                command.arg("SETUSER").arg(user).arg("resetpass");
                value.split_ascii_whitespace().for_each(|rule| {
                    command.arg(rule);
                });
                // A password reads back as its hash, so there is nothing to compare.
                return remote.query::<()>(&command).await;
            }
        }
        let now = self.read(remote).await?;
        if now == value {
            Ok(())
        } else {
            Err(LabError::Redis(RedisFailure::NotKept { setting: self.name().to_owned(), now }))
        }
    }

    /// Its name in messages.
    pub fn name(&self) -> &str {
        match self {
            Setting::Config(name) => name,
            Setting::Primary => "replicaof",
            Setting::Passwords(user) => user,
        }
    }
}

async fn config(remote: &Remote, name: &str) -> Result<String, LabError> {
    let pair: Vec<String> = remote.query(redis::cmd("CONFIG").arg("GET").arg(name)).await?;
    Ok(pair.into_iter().nth(1).unwrap_or_default())
}

/// Extracts from the answer of ACL GETUSER the rules that recreate the user's passwords: `nopass`, or `#` and a hash.
fn password_rules(user: &Value) -> String {
    let fields: Vec<(String, Value)> = match user {
        Value::Array(list) => list.chunks_exact(2).map(|pair| (text(&pair[0]), pair[1].clone())).collect(),
        Value::Map(pairs) => pairs.iter().map(|(name, value)| (text(name), value.clone())).collect(),
        _ => Vec::new(),
    };
    let list = |wanted: &str| match fields.iter().find(|(name, _)| name == wanted) {
        Some((_, Value::Array(items) | Value::Set(items))) => items.iter().map(text).collect(),
        _ => Vec::new(),
    };
    let open = list("flags").into_iter().filter(|flag| flag == "nopass");
    let hashes = list("passwords").into_iter().map(|hash| format!("#{hash}"));
    open.chain(hashes).collect::<Vec<_>>().join(" ")
}

fn text(value: &Value) -> String {
    match value {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) => text.clone(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn passwords_side_by_side_are_told_as_digests_in_their_order() {
        let passwords = Setting::Passwords("app".to_owned());
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(passwords.as_told("#aa >abc"), format!("#aa #{digest}"));
        assert_eq!(passwords.as_told("nopass"), "nopass");
        assert_eq!(Setting::Config("maxmemory-policy").as_told("noeviction"), "noeviction");
    }

    #[test]
    fn the_passwords_of_a_user_are_kept_as_hashes_and_nopass_as_such() {
        let user = |flags: Vec<Value>, passwords: Vec<Value>| {
            Value::Array(vec![
                word("flags"),
                Value::Array(flags),
                word("passwords"),
                Value::Array(passwords),
                word("commands"),
                word("+@all"),
            ])
        };
        assert_eq!(password_rules(&user(vec![word("on"), word("nopass")], vec![])), "nopass");
        assert_eq!(password_rules(&user(vec![word("on")], vec![word("abc1"), word("abc2")])), "#abc1 #abc2");
        assert_eq!(password_rules(&Value::Nil), "");
    }
}
