//! Which id each session has by now: what the cookies of a service's users say. A request takes the id that its session
//! has when it begins, and may find that it was replaced meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use firedrill_storage::SessionId;
use hashbrown::HashMap;
use parking_lot::Mutex;

use crate::history::SessionNo;

/// The sessions that were renewed, shared by all callers.
#[derive(Default)]
pub(super) struct Renewals {
    /// Whether there was any renewal, so that a drill without them takes no lock.
    any: AtomicBool,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    sessions: HashMap<SessionNo, Renewed>,
    numbers: HashMap<SessionId, SessionNo>,
}

/// A session that was renewed, or is about to be.
#[derive(Clone)]
struct Renewed {
    current: SessionId,
    /// The id before that.
    former: Option<SessionId>,
    /// A renewal of unknown outcome may have given it this id.
    doubtful: Option<SessionId>,
    /// Renewals begun and ended so far, and how many are under way.
    changes: u64,
    under_way: u32,
}

/// What a request knows of its session's id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Taken {
    pub(super) id: SessionId,
    /// The id before that, if it is known that the session has left it.
    pub(super) former: Option<SessionId>,
    /// An id that the session may have instead: the next operation looks there first.
    pub(super) doubtful: Option<SessionId>,
    changes: u64,
}

impl Renewals {
    /// The id of a session that is `first` unless it was renewed.
    pub(super) fn take(&self, session: SessionNo, first: SessionId) -> Taken {
        let known =
            self.any.load(Ordering::SeqCst).then(|| self.known.lock().sessions.get(&session).cloned()).flatten();
        match known {
            Some(Renewed { current, former, doubtful, changes, .. }) => {
                Taken { id: current, former, doubtful, changes }
            }
            None => Taken { id: first, former: None, doubtful: None, changes: 0 },
        }
    }

    /// Whether the session may have got another id since it was taken.
    pub(super) fn changed(&self, session: SessionNo, taken: &Taken) -> bool {
        self.any.load(Ordering::SeqCst)
            && self
                .known
                .lock()
                .sessions
                .get(&session)
                .is_some_and(|renewed| renewed.changes != taken.changes || renewed.under_way > 0)
    }

    /// The number of the session that has or had this id by a renewal.
    pub(super) fn number(&self, id: &SessionId) -> Option<SessionNo> {
        if self.any.load(Ordering::SeqCst) { self.known.lock().numbers.get(id).copied() } else { None }
    }

    /// The session has the id that was doubtful, or it has not.
    pub(super) fn resolve(&self, session: SessionNo, doubtful: &SessionId, has_it: bool) {
        self.change(session, |renewed| {
            if renewed.doubtful.as_ref() == Some(doubtful) {
                renewed.doubtful = None;
                if has_it {
                    renewed.former = Some(std::mem::replace(&mut renewed.current, doubtful.clone()));
                }
            }
        });
    }

    /// A renewal begins. It is of unknown outcome until the guard is told otherwise.
    pub(super) fn begin(self: &Arc<Self>, session: SessionNo, taken: &Taken, to: &SessionId) -> Renewal {
        self.any.store(true, Ordering::SeqCst);
        let mut known = self.known.lock();
        known.numbers.insert(to.clone(), session);
        let renewed = known.sessions.entry(session).or_insert_with(|| Renewed {
            current: taken.id.clone(),
            former: None,
            doubtful: None,
            changes: 0,
            under_way: 0,
        });
        renewed.under_way += 1;
        Renewal { renewals: Arc::clone(self), session, to: to.clone(), settled: false }
    }

    fn change(&self, session: SessionNo, change: impl FnOnce(&mut Renewed)) {
        if let Some(renewed) = self.known.lock().sessions.get_mut(&session) {
            change(renewed);
            renewed.changes += 1;
        }
    }
}

/// A renewal under way.
pub(super) struct Renewal {
    renewals: Arc<Renewals>,
    session: SessionNo,
    to: SessionId,
    settled: bool,
}

impl Renewal {
    /// It has taken effect, or certainly has not.
    pub(super) fn settle(mut self, has_it: bool) {
        self.settled = true;
        let to = self.to.clone();
        self.renewals.change(self.session, |renewed| {
            if has_it {
                renewed.former = Some(std::mem::replace(&mut renewed.current, to));
                renewed.doubtful = None;
            }
        });
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        let (to, settled) = (self.to.clone(), self.settled);
        self.renewals.change(self.session, |renewed| {
            renewed.under_way -= 1;
            if !settled {
                renewed.doubtful = Some(to);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> SessionId {
        SessionId::new(text).unwrap()
    }

    #[test]
    fn a_request_sees_that_its_session_was_renewed_meanwhile() {
        let renewals = Arc::new(Renewals::default());
        let before = renewals.take(7, id("a"));
        assert!(!renewals.changed(7, &before));
        let renewal = renewals.begin(7, &before, &id("b"));
        assert!(renewals.changed(7, &before), "it may have happened");
        renewal.settle(true);
        assert!(renewals.changed(7, &before));
        let after = renewals.take(7, id("a"));
        assert_eq!((&after.id, &after.former), (&id("b"), &Some(id("a"))));
        assert!(!renewals.changed(7, &after) && !renewals.changed(8, &before));
        assert_eq!((renewals.number(&id("b")), renewals.number(&id("a"))), (Some(7), None));
    }

    #[test]
    fn a_renewal_that_was_left_is_in_doubt_until_somebody_looks() {
        for has_it in [false, true] {
            let renewals = Arc::new(Renewals::default());
            let taken = renewals.take(7, id("a"));
            drop(renewals.begin(7, &taken, &id("b")));
            let doubtful = renewals.take(7, id("a"));
            assert_eq!((&doubtful.id, &doubtful.doubtful, &doubtful.former), (&id("a"), &Some(id("b")), &None));
            renewals.resolve(7, &id("b"), has_it);
            let (now, former) = if has_it { (id("b"), Some(id("a"))) } else { (id("a"), None) };
            let taken = renewals.take(7, id("a"));
            assert_eq!((taken.id, taken.former, taken.doubtful), (now, former, None));
        }
    }

    #[test]
    fn a_renewal_without_effect_leaves_the_id() {
        let renewals = Arc::new(Renewals::default());
        let taken = renewals.take(7, id("a"));
        renewals.begin(7, &taken, &id("b")).settle(false);
        let taken = renewals.take(7, id("a"));
        assert_eq!((taken.id, taken.doubtful), (id("a"), None));
    }
}
