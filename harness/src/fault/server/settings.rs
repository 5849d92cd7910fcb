//! What faults have changed on the server, and what it was before. A setting is read before it is first changed and
//! written back when the last fault that changed it is over, however often that is asked for.

use std::sync::Arc;

use redis::Value;
use tokio::sync::Mutex;

use super::remote::Remote;
use crate::lab::journal::Undo;
use crate::lab::{Journal, LabError};

/// Something on the server that a fault changes and has to give back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::fault) enum Setting<'a> {
    /// A parameter of CONFIG. None that holds a secret: what it was goes into the journal.
    Config(&'a str),
    /// Whom it replicates: `host port`, or nothing.
    Primary,
    /// How this user proves who they are: the rules of ACL SETUSER.
    Passwords(String),
}

/// The settings that are not what they were.
pub(in crate::fault) struct Settings {
    changed: Mutex<Vec<Changed>>,
    /// Where what they were is written down first, on a Redis that outlives the drill.
    journal: Option<Arc<Journal>>,
}

struct Changed {
    setting: Setting<'static>,
    original: String,
    /// Its number in the journal.
    announced: Option<u64>,
    /// The faults (by position in the scenario) that changed it.
    holders: Vec<u32>,
}

impl Settings {
    pub fn new(journal: Option<Arc<Journal>>) -> Self {
        Self { changed: Mutex::default(), journal }
    }

    /// Sets `setting` to `value` for `fault`, and returns when the server says that it is so.
    ///
    /// # Errors
    /// As [`Admin::query`](crate::lab::Admin::query), and [`LabError::NotKept`]; giving back is due all the same.
    pub async fn change(
        &self,
        remote: &Remote,
        fault: u32,
        setting: Setting<'static>,
        value: impl ToString + Send,
    ) -> Result<(), LabError> {
        let value = value.to_string();
        let mut changed = self.changed.lock().await;
        match changed.iter_mut().find(|changed| changed.setting == setting) {
            Some(known) if known.holders.contains(&fault) => {}
            Some(known) => known.holders.push(fault),
            None => {
                let original = setting.read(remote).await?;
                let announce = |journal: &Arc<Journal>| journal.announce(setting.undo(original.clone()));
                let announced = self.journal.as_ref().map(announce).transpose()?;
                changed.push(Changed { setting: setting.clone(), original, announced, holders: vec![fault] });
            }
        }
        setting.write(remote, &value).await
    }

    /// Writes back what `fault` changed, the latest first, save what another fault has changed too.
    ///
    /// # Errors
    /// As [`Settings::change`], after having tried them all; what was not written back is still known.
    pub async fn give_back(&self, remote: &Remote, fault: u32) -> Result<(), LabError> {
        let mut changed = self.changed.lock().await;
        let mut result = Ok(());
        for at in (0..changed.len()).rev() {
            let Changed { setting, original, announced, holders } = &mut changed[at];
            match holders.as_slice() {
                [holder] if *holder == fault => {}
                _ => {
                    holders.retain(|holder| *holder != fault);
                    continue;
                }
            }
            let written = setting.write(remote, original).await;
            let noted = written.and_then(|()| match (&self.journal, &*announced) {
                (Some(journal), Some(id)) => journal.undone(*id),
                _ => Ok(()),
            });
            match noted {
                Ok(()) => drop(changed.remove(at)),
                Err(error) => result = Err(error),
            }
        }
        result
    }
}

impl Setting<'_> {
    /// The way back to `value`, for the journal.
    fn undo(&self, value: String) -> Undo {
        match self {
            Setting::Config(name) => Undo::Config { name: (*name).to_owned(), value },
            Setting::Primary => Undo::Primary { value },
            Setting::Passwords(user) => Undo::Passwords { user: user.clone(), rules: value },
        }
    }

    async fn read(&self, remote: &Remote) -> Result<String, LabError> {
        match self {
            Setting::Config(name) => config(remote, name).await,
            Setting::Primary => config(remote, "replicaof").await,
            Setting::Passwords(user) => {
                let user: Value = remote.query(redis::cmd("ACL").arg("GETUSER").arg(user)).await?;
                Ok(password_rules(&user))
            }
        }
    }

    /// Sets it to `value`, and returns when the server says that it is so.
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
                // A password that was given reads back as its hash: there is nothing to compare.
                return remote.query::<()>(&command).await;
            }
        }
        let now = self.read(remote).await?;
        if now == value { Ok(()) } else { Err(LabError::NotKept { setting: self.name().to_owned(), now }) }
    }

    fn name(&self) -> &str {
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

/// From the answer of ACL GETUSER, the rules that make the user's passwords what they are: `nopass`, `#` and a hash.
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
