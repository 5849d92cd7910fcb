//! The nemesis's own line to the server, past the proxy. It still leads there while a fault has locked everybody else out,
//! because it knows the password that the fault has set.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use redis::{Cmd, FromRedisValue};

use crate::lab::{Admin, Lab, LabError};

/// Longer than a drill's admin calls get: overlapping faults may make the server slow.
const DEADLINE: Duration = Duration::from_secs(20);

/// The password that `server.auth` sets, and whether it may be in force.
pub(in crate::fault) struct Lockout {
    password: String,
    on: AtomicBool,
}

impl Default for Lockout {
    fn default() -> Self {
        Self { password: format!("firedrill-{:032x}", rand::random::<u128>()), on: AtomicBool::new(false) }
    }
}

impl Lockout {
    pub fn password(&self) -> &str {
        &self.password
    }

    pub fn set(&self, on: bool) {
        self.on.store(on, SeqCst);
    }
}

/// A line to the server of one fault.
pub(in crate::fault) struct Remote {
    line: Admin,
    locked: Admin,
    lockout: Arc<Lockout>,
    lab: Arc<Lab>,
}

impl Remote {
    /// A line to the server of `lab`, not yet connected.
    ///
    /// # Errors
    /// [`LabError::BadUrl`].
    pub fn new(lab: Arc<Lab>, lockout: Arc<Lockout>) -> Result<Self, LabError> {
        let url = lab.url();
        let locked = url.with_login(url.user(), lockout.password())?;
        Ok(Self { line: Admin::new(url, DEADLINE)?, locked: Admin::new(&locked, DEADLINE)?, lockout, lab })
    }

    /// Sends `command` and reads its answer. It may be sent more than once.
    ///
    /// # Errors
    /// As [`Admin::query`].
    pub async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, LabError> {
        match self.line.query(command).await {
            Err(_) if self.lockout.on.load(SeqCst) => self.locked.query(command).await,
            // Where there is no room for another connection, the lab's own may be there still.
            Err(LabError::Unreachable { .. }) => self.lab.admin().query(command).await,
            answered => answered,
        }
    }

    /// One section of INFO.
    ///
    /// # Errors
    /// As [`Admin::query`].
    pub async fn info(&self, section: &str) -> Result<String, LabError> {
        self.query(redis::cmd("INFO").arg(section)).await
    }
}
