//! What the drill knows of each session: its cookies, and the values captured for it. All lanes share it; a session is its
//! number, whatever its cookies are: an application changes them at a login.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use hashbrown::HashMap;
use hyper::header::SET_COOKIE;
use parking_lot::Mutex;

use super::connection::Reply;
use super::jar::Jar;
use crate::history::{OpKind, SessionNo};
use crate::target::Operation;

/// So many locks share the sessions.
const SHARDS: usize = 64;

/// The sessions of an application.
pub(super) struct Sessions {
    shards: [Mutex<HashMap<SessionNo, Session>>; SHARDS],
    sent: AtomicU64,
}

/// A session, as its user's browser knows it.
#[derive(Debug, Clone, Default)]
pub(super) struct Session {
    pub(super) jar: Jar,
    pub(super) captured: BTreeMap<String, String>,
    /// Whether its create was acknowledged.
    pub(super) made: bool,
    /// Whether a destroy was sent: from then on its cookies stay as they were, so that it is the server that denies it.
    pub(super) left: bool,
}

impl Session {
    /// Keeps the cookies that an answer to `op` sets; not those of a user without a session, or after a logout.
    pub(super) fn keep_cookies(&mut self, op: &Operation, path: &str, sent: u64, reply: &Reply) {
        if self.left || (!self.made && op.kind != OpKind::Create) {
            return;
        }
        let now = Instant::now();
        for cookie in reply.headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
            self.jar.take(cookie, path, sent, now);
        }
    }
}

impl Default for Sessions {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()), sent: AtomicU64::new(0) }
    }
}

impl Sessions {
    /// Lets `look` read or change session `number`.
    pub(super) fn with<T>(&self, number: SessionNo, look: impl FnOnce(&mut Session) -> T) -> T {
        look(self.shards[number as usize % SHARDS].lock().entry(number).or_default())
    }

    /// The number of the next request, in the order in which they are sent.
    pub(super) fn next_request(&self) -> u64 {
        self.sent.fetch_add(1, Relaxed)
    }
}
