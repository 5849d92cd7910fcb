//! Undoes the changes on a server that a killed drill announced in its journal.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis::{Cmd, FromRedisValue};
use tokio::time::Instant;

use super::remote::{Lockout, Remote};
use super::settings::Setting;
use crate::lab::journal::Undo;
use crate::lab::{Executor, LabError, RedisFailure, RedisUrl};

/// How long to wait for an unreachable server.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long to retry on a server that accepts no more connections.
const CROWDED: Duration = Duration::from_secs(20);

/// How late a pause may end.
const LATE: Duration = Duration::from_secs(5);

/// Pause between two attempts to connect.
const KNOCK: Duration = Duration::from_millis(50);

/// The current state of something that a drill changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// As it was before the drill.
    AsBefore,
    /// As a fault left it: it must be undone.
    AsTheFaultSetIt,
    /// Others have changed it since. The text contains the current value and the one before the drill.
    Changed(String),
}

fn changed(setting: &Setting<'_>, now: &str, before: &str) -> String {
    match setting {
        Setting::Passwords(user) => format!("the passwords of user {user} are not those that the drill had set"),
        Setting::Config(_) | Setting::Primary => {
            let name = setting.name();
            format!("{name} is \"{now}\", which the drill had not set; before the drill it was \"{before}\"")
        }
    }
}

/// Heals a server that a killed drill left in the state of its faults.
pub struct RemoteHealer {
    remote: Remote,
}

impl RemoteHealer {
    /// A healer for the server at `url`, whose drill had this `nonce`. Not yet connected.
    ///
    /// # Errors
    /// [`Mismatch::BadUrl`](crate::lab::Mismatch::BadUrl).
    pub fn new(url: &RedisUrl, nonce: &str) -> Result<Self, LabError> {
        let lockout = Arc::new(Lockout::new(url, nonce));
        // If the server rejects the user's own password, the drill's is in force.
        lockout.set(true);
        Ok(Self { remote: Remote::to(url, lockout)? })
    }

    /// Waits until the server answers, as long as the faults may prevent that.
    ///
    /// # Errors
    /// Same as [`Admin::query`](crate::lab::Admin::query).
    pub async fn reach(&self, undo: &[Undo]) -> Result<(), LabError> {
        let until = Instant::now() + undo.iter().map(patience).max().unwrap_or(PATIENCE);
        loop {
            match self.remote.query::<String>(&redis::cmd("PING")).await {
                Err(LabError::Redis(RedisFailure::Refused { answer, address })) if is_login(&answer) => {
                    return Err(LabError::Redis(RedisFailure::Refused { address, answer }));
                }
                Err(_) if Instant::now() < until => tokio::time::sleep(KNOCK).await,
                answered => return answered.map(drop),
            }
        }
    }

    /// Looks at one change of a drill and reports its current state.
    ///
    /// # Errors
    /// Same as [`Admin::query`](crate::lab::Admin::query).
    pub async fn look(&self, undo: &Undo) -> Result<Found, LabError> {
        let (setting, before, set) = match undo {
            Undo::Config { name, value, set } => (Setting::Config(name), value, set),
            Undo::Primary { value, set } => (Setting::Primary, value, set),
            Undo::Passwords { user, rules, set } => (Setting::Passwords(user.clone()), rules, set),
            Undo::Unpause { ends_ms } => {
                // By then the drill's pause is over: a pause seen now has another cause.
                return Ok(if time_to(*ends_ms) > Duration::ZERO { Found::AsTheFaultSetIt } else { Found::AsBefore });
            }
            // Not a change on the server.
            Undo::DeleteProxy { .. } => return Ok(Found::AsBefore),
        };
        let now = setting.read(&self.remote).await?;
        Ok(match now {
            now if now == *before => Found::AsBefore,
            now if set.is_empty() || set.contains(&now) => Found::AsTheFaultSetIt,
            now => Found::Changed(changed(&setting, &now, before)),
        })
    }

    /// Undoes one change and returns once the server confirms it. Safe to repeat.
    ///
    /// # Errors
    /// Same as [`Admin::query`](crate::lab::Admin::query), and [`RedisFailure::NotKept`].
    pub async fn undo(&self, undo: &Undo) -> Result<(), LabError> {
        match undo {
            Undo::Config { name, value, .. } => Setting::Config(name).write(&self.remote, value).await,
            Undo::Primary { value, .. } => Setting::Primary.write(&self.remote, value).await,
            Undo::Passwords { user, rules, .. } => Setting::Passwords(user.clone()).write(&self.remote, rules).await,
            Undo::Unpause { .. } => self.remote.query(redis::cmd("CLIENT").arg("UNPAUSE")).await,
            // Not a change on the server.
            Undo::DeleteProxy { .. } => Ok(()),
        }
    }

    /// The server's run id, and whether it accepts writes.
    ///
    /// # Errors
    /// Same as [`Admin::query`](crate::lab::Admin::query).
    pub async fn who(&self) -> Result<(String, bool), LabError> {
        let said = [self.remote.info("server").await?, self.remote.info("replication").await?].concat();
        let field = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
        Ok((field("run_id:").to_owned(), field("role:") != "slave"))
    }
}

impl Executor for RemoteHealer {
    fn query<T: FromRedisValue + Send>(&self, command: &Cmd) -> impl Future<Output = Result<T, LabError>> + Send {
        self.remote.query(command)
    }
}

fn patience(undo: &Undo) -> Duration {
    match undo {
        Undo::Config { name, .. } if name == "maxclients" => CROWDED,
        Undo::Unpause { ends_ms } => time_to(*ends_ms) + LATE,
        _ => PATIENCE,
    }
}

/// The time until a moment given in milliseconds since 1970.
fn time_to(ends_ms: u64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Duration::from_millis(ends_ms).saturating_sub(now)
}

/// Whether Redis refused the login, in which case waiting would not help.
fn is_login(answer: &str) -> bool {
    ["WRONGPASS", "NOAUTH", "AuthenticationFailed"].iter().any(|word| answer.contains(word))
}
