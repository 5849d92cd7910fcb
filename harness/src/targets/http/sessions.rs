//! What the drill knows of each session: its cookies, and the values captured for it. All lanes share it; a session is its
//! number, whatever its cookies are: an application changes them at a login.
//!
//! A renewal gives a session other cookies. From its start on, no other answer changes them: one that was under way with the
//! old ones may bring these back, as a session whose cookie is refreshed by every answer does.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use hashbrown::HashMap;
use hyper::header::SET_COOKIE;
use parking_lot::{Mutex, RwLock};

use super::connection::Reply;
use super::jar::Jar;
use crate::history::{OpKind, SessionNo};

/// So many locks share the sessions.
const SHARDS: usize = 64;

/// The sessions of an application.
pub(super) struct Sessions {
    shards: [Mutex<HashMap<SessionNo, Session>>; SHARDS],
    /// The application's own names of sessions.
    names: RwLock<HashMap<String, SessionNo>>,
    per_user: NonZeroU32,
    sent: AtomicU64,
}

/// What a user's browser has of a session.
#[derive(Debug, Clone, Default)]
pub(super) struct Held {
    pub(super) jar: Jar,
    pub(super) captured: BTreeMap<String, String>,
}

/// A session, as its user's browser knows it.
#[derive(Debug, Clone, Default)]
pub(super) struct Session {
    held: Held,
    /// What the browser had before the last acknowledged renewal.
    former: Option<Held>,
    /// Whether its create was acknowledged.
    pub(super) made: bool,
    /// Whether a destroy was sent: from then on its cookies stay as they were, so that it is the server that denies it.
    left: bool,
    /// Creates and renewals so far.
    lives: u64,
    renewals: u64,
    /// Whether a renewal is under way.
    renewing: bool,
}

/// What an operation knows of its session when it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) kind: OpKind,
    pub(super) session: SessionNo,
    /// Whether the session's create was acknowledged.
    pub(super) made: bool,
    /// Whether a destroy was sent before.
    pub(super) left: bool,
    /// Whether it was renewed before.
    pub(super) renewed: bool,
    /// Whether a renewal was under way.
    pub(super) renewing: bool,
    lives: u64,
    renewals: u64,
}

impl Session {
    /// What a request of an operation of this kind has: an old id is looked at with the cookies from before.
    pub(super) fn held(&self, kind: OpKind) -> Option<&Held> {
        if kind == OpKind::Revisit { self.former.as_ref() } else { Some(&self.held) }
    }

    /// Keeps the cookies that an answer sets, and what was captured from it: not those of a user without a session, after a
    /// logout, or under an id that the session has left meanwhile.
    pub(super) fn keep(&mut self, taken: &Taken, path: &str, sent: u64, reply: &Reply, captured: Captured) {
        let same_life = taken.lives == self.lives && (self.made || taken.kind == OpKind::Create);
        let current = match taken.kind {
            OpKind::Revisit => false,
            OpKind::Renew => true,
            _ => !self.renewing && taken.renewals == self.renewals,
        };
        if !same_life || !current {
            return;
        }
        self.held.captured.extend(captured);
        if self.left && taken.kind != OpKind::Renew {
            return;
        }
        let now = Instant::now();
        for cookie in reply.headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
            self.held.jar.take(cookie, path, sent, now);
        }
    }
}

/// Values from an answer, by name.
pub(super) type Captured = Vec<(String, String)>;

impl Sessions {
    /// None yet; each user has `per_user` of them.
    pub(super) fn new(per_user: NonZeroU32) -> Self {
        let shards = std::array::from_fn(|_| Mutex::default());
        Self { shards, names: RwLock::default(), per_user, sent: AtomicU64::new(0) }
    }

    /// Records the application's own name for session `number`.
    pub(super) fn call(&self, number: SessionNo, name: String) {
        self.names.write().insert(name, number);
    }

    /// The session with this name of the application's own.
    pub(super) fn called(&self, name: &str) -> Option<SessionNo> {
        self.names.read().get(name).copied()
    }

    /// Lets `look` read or change session `number`.
    pub(super) fn with<T>(&self, number: SessionNo, look: impl FnOnce(&mut Session) -> T) -> T {
        look(self.shards[number as usize % SHARDS].lock().entry(number).or_default())
    }

    /// The number of the next request, in the order in which they are sent.
    pub(super) fn next_request(&self) -> u64 {
        self.sent.fetch_add(1, Relaxed)
    }

    /// Whose session it is.
    pub(super) fn user_of(&self, session: SessionNo) -> u32 {
        session / self.per_user
    }

    /// An operation begins. A create forgets what was before, and a logout leaves the session, or all of its user's.
    pub(super) fn begin(&self, kind: OpKind, session: SessionNo) -> Taken {
        let taken = self.with(session, |known| {
            if kind == OpKind::Create {
                *known = Session { lives: known.lives + 1, ..Session::default() };
            }
            Taken {
                kind,
                session,
                made: known.made,
                left: known.left,
                renewed: known.former.is_some(),
                renewing: known.renewing,
                lives: known.lives,
                renewals: known.renewals,
            }
        });
        let leaves = match kind {
            OpKind::Destroy => session..=session,
            OpKind::LogoutEverywhere if taken.made => {
                let first = self.user_of(session) * self.per_user.get();
                first..=first.saturating_add(self.per_user.get() - 1)
            }
            _ => return taken,
        };
        leaves.for_each(|session| self.with(session, |known| known.left |= known.made));
        taken
    }

    /// Whether the session got another id since an operation took it, or may get one just now.
    pub(super) fn changed(&self, taken: &Taken) -> bool {
        self.with(taken.session, |known| {
            known.lives == taken.lives && (known.renewing || known.renewals != taken.renewals)
        })
    }
}

/// A renewal under way, the only one of its session. Left without an acknowledgement, it may have taken effect or not.
pub(super) struct Renewal {
    sessions: Arc<Sessions>,
    taken: Taken,
    before: Held,
}

impl Renewal {
    /// Begins one.
    pub(super) fn begin(sessions: &Arc<Sessions>, taken: &Taken) -> Self {
        let before = sessions.with(taken.session, |known| {
            known.renewing = true;
            known.held.clone()
        });
        Self { sessions: Arc::clone(sessions), taken: *taken, before }
    }

    /// It was acknowledged: what the browser had before opens nothing any more.
    pub(super) fn acknowledged(mut self) {
        let before = std::mem::take(&mut self.before);
        self.change(|known| known.former = Some(before));
    }

    fn change(&self, change: impl FnOnce(&mut Session)) {
        self.sessions.with(self.taken.session, |known| {
            if known.lives == self.taken.lives {
                change(known);
            }
        });
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.change(|known| {
            known.renewing = false;
            known.renewals += 1;
        });
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hyper::StatusCode;
    use hyper::header::{HeaderMap, HeaderValue};

    use super::*;

    fn sessions(per_user: u32) -> Arc<Sessions> {
        Arc::new(Sessions::new(NonZeroU32::new(per_user).unwrap()))
    }

    /// An answer with this cookie to a request that was sent now.
    fn answer(sessions: &Sessions, taken: &Taken, cookie: &'static str) {
        let headers = HeaderMap::from_iter([(SET_COOKIE, HeaderValue::from_static(cookie))]);
        let reply = Reply { status: StatusCode::OK, headers, body: Bytes::new() };
        let sent = sessions.next_request();
        sessions.with(taken.session, |known| known.keep(taken, "/", sent, &reply, Captured::new()));
    }

    fn cookie(sessions: &Sessions, kind: OpKind, session: SessionNo) -> Option<String> {
        sessions.with(session, |known| known.held(kind)?.jar.header("/", true, Instant::now()))
    }

    fn made(sessions: &Sessions, session: SessionNo) {
        let create = sessions.begin(OpKind::Create, session);
        answer(sessions, &create, "sid=a");
        sessions.with(session, |known| known.made = true);
    }

    #[test]
    fn after_a_renewal_the_new_cookie_is_used_and_the_old_one_looked_at() {
        let sessions = sessions(1);
        made(&sessions, 7);
        let early = sessions.begin(OpKind::Read, 7);
        let taken = sessions.begin(OpKind::Renew, 7);
        assert_eq!(cookie(&sessions, OpKind::Revisit, 7), None);
        let renewal = Renewal::begin(&sessions, &taken);
        assert!(sessions.changed(&early) && sessions.begin(OpKind::Renew, 7).renewing);
        answer(&sessions, &taken, "sid=b");
        answer(&sessions, &early, "sid=a");
        let meanwhile = sessions.begin(OpKind::Read, 7);
        renewal.acknowledged();
        answer(&sessions, &meanwhile, "sid=a");
        assert_eq!(cookie(&sessions, OpKind::Read, 7).as_deref(), Some("sid=b"), "a late answer brings no old id back");
        assert_eq!(cookie(&sessions, OpKind::Revisit, 7).as_deref(), Some("sid=a"));
        assert!(sessions.changed(&early) && sessions.changed(&meanwhile));
        let later = sessions.begin(OpKind::Read, 7);
        assert!(later.renewed && !sessions.changed(&later));
        answer(&sessions, &later, "sid=c");
        assert_eq!(cookie(&sessions, OpKind::Read, 7).as_deref(), Some("sid=c"));
    }

    #[test]
    fn a_renewal_that_was_not_acknowledged_leaves_no_old_id_to_look_at() {
        let sessions = sessions(1);
        made(&sessions, 7);
        let early = sessions.begin(OpKind::Read, 7);
        drop(Renewal::begin(&sessions, &sessions.begin(OpKind::Renew, 7)));
        assert_eq!(cookie(&sessions, OpKind::Revisit, 7), None);
        assert!(sessions.changed(&early) && !sessions.begin(OpKind::Renew, 7).renewing);
        let renewal = Renewal::begin(&sessions, &sessions.begin(OpKind::Renew, 7));
        sessions.begin(OpKind::Create, 7);
        renewal.acknowledged();
        assert_eq!(cookie(&sessions, OpKind::Revisit, 7), None, "it was another life");
    }

    #[test]
    fn a_logout_everywhere_leaves_the_sessions_of_its_user_with_the_cookies_they_have() {
        let sessions = sessions(2);
        (0..4).for_each(|session| made(&sessions, session));
        sessions.begin(OpKind::LogoutEverywhere, 1);
        for (session, expected) in [(0, "sid=a"), (1, "sid=a"), (2, "sid=new")] {
            let read = sessions.begin(OpKind::Read, session);
            assert_eq!((read.left, sessions.user_of(session)), (session < 2, session / 2));
            answer(&sessions, &read, "sid=new");
            assert_eq!(cookie(&sessions, OpKind::Read, session).as_deref(), Some(expected));
        }
    }
}
