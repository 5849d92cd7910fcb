//! Undoes on a server what a drill that was killed had announced in its journal.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use super::server::{Lockout, Remote, Setting};
use crate::lab::journal::Undo;
use crate::lab::{LabError, RedisUrl};

/// How long a server may be away.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long a place is fought for on a server that takes no more connections.
const CROWDED: Duration = Duration::from_secs(20);

/// What a pause may take to end after its time.
const LATE: Duration = Duration::from_secs(5);

/// Between two knocks.
const KNOCK: Duration = Duration::from_millis(50);

/// A line to a server that a drill has left as its faults had made it.
pub struct WayBack {
    remote: Remote,
}

impl WayBack {
    /// A line to the server at `url`, whose drill had this `nonce`. Not yet connected.
    ///
    /// # Errors
    /// [`LabError::BadUrl`].
    pub fn new(url: &RedisUrl, nonce: &str) -> Result<Self, LabError> {
        let lockout = Arc::new(Lockout::new(url, nonce));
        // Whether the drill's password is in force shows when the user's own is refused.
        lockout.set(true);
        Ok(Self { remote: Remote::to(url, lockout)? })
    }

    /// Waits until the server answers, as long as what is to be undone may keep it from that.
    ///
    /// # Errors
    /// As [`Admin::query`](crate::lab::Admin::query).
    pub async fn reach(&self, undo: &[Undo]) -> Result<(), LabError> {
        let until = Instant::now() + undo.iter().map(patience).max().unwrap_or(PATIENCE);
        loop {
            match self.remote.query::<String>(&redis::cmd("PING")).await {
                Err(LabError::Refused { answer, address }) if is_login(&answer) => {
                    return Err(LabError::Refused { address, answer });
                }
                Err(_) if Instant::now() < until => tokio::time::sleep(KNOCK).await,
                answered => return answered.map(drop),
            }
        }
    }

    /// Undoes one thing and returns when the server says that it is so. Doing it twice does no harm.
    ///
    /// # Errors
    /// As [`Admin::query`](crate::lab::Admin::query), and [`LabError::NotKept`].
    pub async fn undo(&self, undo: &Undo) -> Result<(), LabError> {
        match undo {
            Undo::Config { name, value } => Setting::Config(name).write(&self.remote, value).await,
            Undo::Primary { value } => Setting::Primary.write(&self.remote, value).await,
            Undo::Passwords { user, rules } => Setting::Passwords(user.clone()).write(&self.remote, rules).await,
            Undo::Unpause { .. } => self.remote.query(redis::cmd("CLIENT").arg("UNPAUSE")).await,
            // Nothing of the server's.
            Undo::DeleteProxy { .. } => Ok(()),
        }
    }
}

fn patience(undo: &Undo) -> Duration {
    match undo {
        Undo::Config { name, .. } if name == "maxclients" => CROWDED,
        Undo::Unpause { ends_ms } => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            Duration::from_millis(*ends_ms).saturating_sub(now) + LATE
        }
        _ => PATIENCE,
    }
}

/// Whether Redis refused the login: waiting would not help.
fn is_login(answer: &str) -> bool {
    ["WRONGPASS", "NOAUTH", "AuthenticationFailed"].iter().any(|word| answer.contains(word))
}
