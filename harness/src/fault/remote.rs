//! The nemesis's own connection to the server, bypassing the proxy. It works even while a fault locks out all other
//! clients, because it knows the password set by the fault.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use redis::{Cmd, FromRedisValue};

use crate::lab::{Admin, LabError, RedisUrl, Server};

/// Longer than a drill's other admin calls: overlapping faults may make the server slow.
const DEADLINE: Duration = Duration::from_secs(20);

/// The password set by `server.auth`, and whether it may be in force.
pub(super) struct Lockout {
    password: String,
    on: AtomicBool,
}

impl Lockout {
    /// Derives the password from the one of `url` and from `nonce` (HMAC-SHA256). Anyone who knows both, such as a user
    /// who heals after a drill was killed, can derive it too; the journal holds only the nonce and gives nothing away.
    pub fn new(url: &RedisUrl, nonce: &str) -> Self {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, url.password().unwrap_or_default().as_bytes());
        let tag = ring::hmac::sign(&key, nonce.as_bytes());
        let digits: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Self { password: format!("firedrill-{digits}"), on: AtomicBool::new(false) }
    }

    pub fn password(&self) -> &str {
        &self.password
    }

    pub fn set(&self, on: bool) {
        self.on.store(on, SeqCst);
    }
}

/// One fault's line to the server.
pub(super) struct Remote {
    line: Admin,
    locked: Admin,
    lockout: Arc<Lockout>,
    /// Serialises commands: two at once would need two connections, and there may be room for only one.
    turn: tokio::sync::Mutex<()>,
    /// The server whose own connection may still be open if there is no room for another.
    server: Option<Arc<dyn Server>>,
}

impl Remote {
    /// A line to `server`, not yet connected.
    ///
    /// # Errors
    /// [`Mismatch::BadUrl`](crate::lab::Mismatch::BadUrl).
    pub fn new(server: &Arc<dyn Server>, lockout: Arc<Lockout>) -> Result<Self, LabError> {
        Ok(Self { server: Some(server.clone()), ..Self::to(server.url(), lockout)? })
    }

    /// A line to the server at `url`, not yet connected.
    ///
    /// # Errors
    /// [`Mismatch::BadUrl`](crate::lab::Mismatch::BadUrl).
    pub fn to(url: &RedisUrl, lockout: Arc<Lockout>) -> Result<Self, LabError> {
        let locked = url.with_login(url.user(), lockout.password())?;
        let (line, locked) = (Admin::new(url, DEADLINE)?, Admin::new(&locked, DEADLINE)?);
        Ok(Self { line, locked, lockout, turn: tokio::sync::Mutex::default(), server: None })
    }

    /// Sends `command`, possibly more than once, and reads its answer.
    ///
    /// # Errors
    /// Same as [`Admin::query`].
    pub async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, LabError> {
        let _turn = self.turn.lock().await;
        match self.line.query(command).await {
            Err(_) if self.lockout.on.load(SeqCst) => self.locked.query(command).await,
            Err(error) if error.is_unreachable() => match &self.server {
                Some(server) => server.admin().query(command).await,
                None => Err(error),
            },
            answered => answered,
        }
    }

    /// One section of INFO.
    ///
    /// # Errors
    /// Same as [`Admin::query`].
    pub async fn info(&self, section: &str) -> Result<String, LabError> {
        self.query(redis::cmd("INFO").arg(section)).await
    }
}
