//! What faults have changed on the server, and what it was before. A setting is read before it is first changed and
//! written back when the last fault that changed it is over, however often that is asked for.

use redis::Value;
use tokio::sync::Mutex;

use super::remote::Remote;
use crate::lab::LabError;

/// Something on the server that a fault changes and has to give back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::fault) enum Setting {
    /// A parameter of CONFIG.
    Config(&'static str),
    /// Whom it replicates: `host port`, or nothing.
    Primary,
    /// How this user proves who they are: the rules of ACL SETUSER.
    Passwords(String),
}

/// The settings that are not what they were.
#[derive(Default)]
pub(in crate::fault) struct Settings(Mutex<Vec<Changed>>);

struct Changed {
    setting: Setting,
    original: String,
    /// The faults (by position in the scenario) that changed it.
    holders: Vec<u32>,
}

impl Settings {
    /// Sets `setting` to `value` for `fault`, and returns when the server says that it is so.
    ///
    /// # Errors
    /// As [`Admin::query`](crate::lab::Admin::query), and [`LabError::NotKept`]; giving back is due all the same.
    pub async fn change(
        &self,
        remote: &Remote,
        fault: u32,
        setting: Setting,
        value: impl ToString + Send,
    ) -> Result<(), LabError> {
        let value = value.to_string();
        let mut changed = self.0.lock().await;
        match changed.iter_mut().find(|changed| changed.setting == setting) {
            Some(known) if known.holders.contains(&fault) => {}
            Some(known) => known.holders.push(fault),
            None => {
                let original = setting.read(remote).await?;
                changed.push(Changed { setting: setting.clone(), original, holders: vec![fault] });
            }
        }
        setting.write(remote, &value).await
    }

    /// Writes back what `fault` changed, the latest first, save what another fault has changed too.
    ///
    /// # Errors
    /// As [`Settings::change`], after having tried them all; what was not written back is still known.
    pub async fn give_back(&self, remote: &Remote, fault: u32) -> Result<(), LabError> {
        let mut changed = self.0.lock().await;
        let mut result = Ok(());
        for at in (0..changed.len()).rev() {
            let Changed { setting, original, holders } = &mut changed[at];
            match holders.as_slice() {
                [holder] if *holder == fault => {}
                _ => {
                    holders.retain(|holder| *holder != fault);
                    continue;
                }
            }
            match setting.write(remote, original).await {
                Ok(()) => drop(changed.remove(at)),
                Err(error) => result = Err(error),
            }
        }
        result
    }
}

impl Setting {
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

    async fn write(&self, remote: &Remote, value: &str) -> Result<(), LabError> {
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
