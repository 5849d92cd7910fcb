//! Undoes on a server the changes that a killed drill had announced in its journal.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis::{Cmd, FromRedisValue};
use tokio::time::Instant;

use super::remote::{Lockout, Remote};
use super::settings::Setting;
use crate::lab::journal::Undo;
use crate::lab::{LabError, RedisFailure, RedisUrl, lease};

/// How long a server may be away.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long to retry on a server that takes no more connections.
const CROWDED: Duration = Duration::from_secs(20);

/// What a pause may take to end after its time.
const LATE: Duration = Duration::from_secs(5);

/// Between two knocks.
const KNOCK: Duration = Duration::from_millis(50);

/// How something is found that a drill had changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// As it was before the drill.
    AsBefore,
    /// As a fault had made it: to be undone.
    AsTheFaultSetIt,
    /// It was changed since by others. The text has the present value and the one before the drill.
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

/// Heals a server that a killed drill left as its faults had made it.
pub struct RemoteHealer {
    remote: Remote,
}

impl RemoteHealer {
    /// Heals the server at `url`, whose drill had this `nonce`. Not yet connected.
    ///
    /// # Errors
    /// [`Mismatch::BadUrl`](crate::lab::Mismatch::BadUrl).
    pub fn new(url: &RedisUrl, nonce: &str) -> Result<Self, LabError> {
        let lockout = Arc::new(Lockout::new(url, nonce));
        // Whether the drill's password is in force shows when the user's own is refused.
        lockout.set(true);
        Ok(Self { remote: Remote::to(url, lockout)? })
    }

    /// Waits until the server answers, for as long as the fault may prevent that.
    ///
    /// # Errors
    /// As [`Admin::query`](crate::lab::Admin::query).
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

    /// Looks at one change of a drill, and says how to undo it.
    ///
    /// # Errors
    /// As [`Admin::query`](crate::lab::Admin::query).
    pub async fn look(&self, undo: &Undo) -> Result<Found, LabError> {
        let (setting, before, set) = match undo {
            Undo::Config { name, value, set } => (Setting::Config(name), value, set),
            Undo::Primary { value, set } => (Setting::Primary, value, set),
            Undo::Passwords { user, rules, set } => (Setting::Passwords(user.clone()), rules, set),
            Undo::Unpause { ends_ms } => {
                // Later the pause has ended: a pause seen now has another cause.
                return Ok(if time_to(*ends_ms) > Duration::ZERO { Found::AsTheFaultSetIt } else { Found::AsBefore });
            }
            // Nothing of the server's.
            Undo::DeleteProxy { .. } => return Ok(Found::AsBefore),
        };
        let now = setting.read(&self.remote).await?;
        Ok(match now {
            now if now == *before => Found::AsBefore,
            now if set.is_empty() || set.contains(&now) => Found::AsTheFaultSetIt,
            now => Found::Changed(changed(&setting, &now, before)),
        })
    }

    /// Undoes one thing and returns when the server says that it is so. Doing it twice does no harm.
    ///
    /// # Errors
    /// As [`Admin::query`](crate::lab::Admin::query), and [`RedisFailure::NotKept`].
    pub async fn undo(&self, undo: &Undo) -> Result<(), LabError> {
        match undo {
            Undo::Config { name, value, .. } => Setting::Config(name).write(&self.remote, value).await,
            Undo::Primary { value, .. } => Setting::Primary.write(&self.remote, value).await,
            Undo::Passwords { user, rules, .. } => Setting::Passwords(user.clone()).write(&self.remote, rules).await,
            Undo::Unpause { .. } => self.remote.query(redis::cmd("CLIENT").arg("UNPAUSE")).await,
            // Nothing of the server's.
            Undo::DeleteProxy { .. } => Ok(()),
        }
    }

    /// Which start of a server this is, and whether it takes writes.
    ///
    /// # Errors
    /// As [`Admin::query`](crate::lab::Admin::query).
    pub async fn who(&self) -> Result<(String, bool), LabError> {
        let said = [self.remote.info("server").await?, self.remote.info("replication").await?].concat();
        let field = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
        Ok((field("run_id:").to_owned(), field("role:") != "slave"))
    }
}

impl lease::Executor for RemoteHealer {
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

/// How long it is until a moment in milliseconds since 1970.
fn time_to(ends_ms: u64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Duration::from_millis(ends_ms).saturating_sub(now)
}

/// Whether Redis refused the login: waiting would not help.
fn is_login(answer: &str) -> bool {
    ["WRONGPASS", "NOAUTH", "AuthenticationFailed"].iter().any(|word| answer.contains(word))
}
