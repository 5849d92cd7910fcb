//! One session as this process knows it, as a state machine without locks or I/O: every transition takes a state and
//! returns the next. The table of states and events is in docs/storage.md.
//!
//! A copy descends from a *base*: a state of Redis, identified by version and [`Lineage`]. At the write-back, Redis's
//! copy is either still the base, or it changed meanwhile: this process wrote (its writes of unknown outcome are
//! remembered by their lineage), another process wrote, or Redis lost what it had acknowledged. `reconcile` tells these
//! apart.

use std::collections::BTreeMap;
use std::time::Duration;

use super::ids::Ids;
use super::pending::{PendingWrite, added};
use crate::clock::nanos;
use crate::data::SessionData;
use crate::error::StoreError;
use crate::lineage::Lineage;
use crate::operation::{Answer, Operation};
use crate::planted;
use crate::store::{Session, Version};

/// A state of Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Base {
    pub(super) version: Version,
    pub(super) lineage: Lineage,
    /// When this process learned that Redis has it.
    pub(super) heard: u64,
    /// The Redis process that had it: another one may have lost it.
    pub(super) boot: u64,
}

/// When a reply arrives, and from which Redis process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) now: u64,
    /// When the request was made.
    pub(super) asked: u64,
    /// The Redis process that served when the request was made.
    pub(super) boot: u64,
    /// Whether another process serves by now, which may lack it.
    pub(super) doubtful: bool,
}

#[derive(Clone)]
pub(super) struct Copy<D: SessionData> {
    pub(super) state: State<D>,
    pub(super) expires: u64,
    pub(super) used: u64,
    /// When the data last changed.
    pub(super) written: u64,
    /// The other ids that it has had or has.
    pub(super) ids: Ids,
}

#[derive(Clone)]
pub(super) enum State<D: SessionData> {
    /// Redis had exactly this when it last replied.
    Clean {
        data: D,
        base: Base,
        /// Appends that Redis acknowledged, by version, with a gap before them: the replies in between are still on
        /// their way (the tasks that wait for them run in any order), or those writes are another process's.
        ahead: BTreeMap<Version, (D::Item, Lineage)>,
    },
    /// Redis lacks something. `base: None`: Redis's state is unknown, or it had none.
    Dirty { data: D, version: Version, base: Option<Base>, pending: PendingWrite<D> },
    /// The session was destroyed. `pending: None`: in Redis too.
    Destroyed { version: Version, base: Option<Base>, pending: Option<PendingWrite<D>> },
}

impl<D: SessionData> Copy<D> {
    fn new(state: State<D>, now: u64, expires: u64) -> Self {
        Self { state, expires, used: now, written: now, ids: Ids::One }
    }

    /// What Redis has, to live until `expires`.
    pub(super) fn clean(data: D, base: Base, now: u64, expires: u64) -> Self {
        Self::new(State::Clean { data, base, ahead: BTreeMap::new() }, now, expires)
    }

    /// A session destroyed in Redis. `was`: what this process knew of it; `ended`: the session that Redis says it
    /// destroyed.
    pub(super) fn tombstone(version: Version, was: Option<Base>, ended: Lineage, at: Moment, expires: u64) -> Self {
        let known = was.map(|was| was.lineage);
        let known = known.filter(|known| *known != Lineage::default() && !known.is_foreign_to(ended));
        let base = Some(Base { version, lineage: known.unwrap_or(ended), heard: at.now, boot: at.boot });
        Self::new(State::Destroyed { version, base, pending: None }, at.now, expires)
    }

    /// A session created here, which Redis does not have yet.
    pub(super) fn made(data: D, version: Version, now: u64, ttl: Duration) -> Self {
        let pending = PendingWrite::default().change().overwrote(None).made(now);
        Self::new(State::Dirty { data, version, base: None, pending }, now, after(now, ttl))
    }

    /// A session to destroy in Redis, whatever Redis has.
    pub(super) fn doomed(version: Version, now: u64, ttl: Duration) -> Self {
        let pending = Some(PendingWrite::default().change().written());
        Self::new(State::Destroyed { version, base: None, pending }, now, after(now, ttl))
    }

    /// Redis may have carried out the write that made this copy.
    pub(super) fn doubted(mut self, line: Lineage) -> Self {
        let doubt = |pending: &mut PendingWrite<D>| *pending = std::mem::take(pending).sent(line, true);
        match &mut self.state {
            State::Dirty { pending, .. } => doubt(pending),
            State::Destroyed { pending: Some(pending), .. } => pending.maybe_deleted = true,
            State::Clean { .. } | State::Destroyed { .. } => {}
        }
        self
    }

    pub(super) fn data(&self) -> Option<&D> {
        match &self.state {
            State::Clean { data, .. } | State::Dirty { data, .. } => Some(data),
            State::Destroyed { .. } => None,
        }
    }

    pub(super) fn version(&self) -> Version {
        match &self.state {
            State::Clean { base, ahead, .. } => ahead.keys().last().copied().unwrap_or(base.version),
            State::Dirty { version, .. } | State::Destroyed { version, .. } => *version,
        }
    }

    pub(super) fn base(&self) -> Option<Base> {
        match &self.state {
            State::Clean { base, .. } => Some(*base),
            State::Dirty { base, .. } | State::Destroyed { base, .. } => *base,
        }
    }

    pub(super) fn pending(&self) -> Option<&PendingWrite<D>> {
        match &self.state {
            State::Clean { .. } => None,
            State::Dirty { pending, .. } => Some(pending),
            State::Destroyed { pending, .. } => pending.as_ref(),
        }
    }

    /// Whether Redis lacks something.
    pub(super) fn is_dirty(&self) -> bool {
        self.pending().is_some()
    }

    pub(super) fn is_live(&self, now: u64) -> bool {
        self.data().is_some() && (now < self.expires || planted::seam!(serves_expired))
    }

    /// Whether it can answer calls. An expired clean copy cannot: another process may have kept the session alive.
    pub(super) fn is_known(&self, now: u64) -> bool {
        self.is_dirty() || self.data().is_none() || now < self.expires || planted::seam!(serves_expired)
    }

    pub(super) fn belongs_to(&self, user: &str) -> bool {
        self.data().and_then(SessionData::user).is_some_and(|owner| owner == user)
    }

    /// Whether Redis lacks more than a longer lifetime.
    pub(super) fn is_written(&self) -> bool {
        self.pending().is_some_and(|pending| pending.content.is_some() || pending.renamed.is_some())
    }

    pub(super) fn slid(mut self, now: u64, expires: u64) -> Self {
        self.expires = expires;
        self.used = now;
        self
    }

    /// The same with every acknowledged append in its data, gaps or not, and with changes to write back: it waits for
    /// no more replies. The base stays below the gap, so that the write-back takes in what is missing here.
    pub(super) fn opened(&self) -> (Option<D>, Version, Option<Base>, PendingWrite<D>) {
        match &self.state {
            State::Clean { data, base, ahead } => {
                let (mut data, mut pending) = (data.clone(), PendingWrite::default());
                for (item, _) in ahead.values() {
                    added(&mut data, item.clone());
                    pending = pending.appended(item.clone());
                }
                (Some(data), self.version(), Some(*base), pending)
            }
            State::Dirty { data, version, base, pending } => (Some(data.clone()), *version, *base, pending.clone()),
            State::Destroyed { version, base, pending } => (None, *version, *base, pending.clone().unwrap_or_default()),
        }
    }

    pub(super) fn with(&self, state: State<D>) -> Self {
        Self { state, expires: self.expires, used: self.used, written: self.written, ids: self.ids.clone() }
    }

    /// Carries out an operation and returns the next state and the answer. `sent`: the operation was already sent to
    /// Redis as this write, with unknown outcome.
    pub(super) fn apply(
        &self,
        operation: &Operation<D>,
        ttl: Duration,
        now: u64,
        sliding: bool,
        sent: Option<Lineage>,
    ) -> (Self, Result<Answer<D>, StoreError>) {
        let live = self.is_live(now);
        let (data, version, base, pending) = self.opened();
        let whole = !matches!(operation, Operation::Append(_));
        let doubted = |pending: PendingWrite<D>| match sent {
            Some(line) => pending.sent(line, whole),
            None => pending,
        };
        // Remember a create that is refused here but that Redis may have carried out. A refused update needs none of
        // this: if Redis has it, it came before what was done here, and stands.
        let refused = |error: StoreError| match (sent, operation, data.clone()) {
            (Some(_), Operation::Create(_), Some(data)) => {
                let pending = doubted(pending.clone());
                (self.with(State::Dirty { data, version, base, pending }), Err(error))
            }
            _ => (self.clone(), Err(error)),
        };
        // A create or put where no session lives makes another session.
        let base = match live || !matches!(operation, Operation::Create(_) | Operation::Put(_)) {
            true => base,
            false => base.map(|base| Base { lineage: Lineage::default(), ..base }),
        };
        let dirty = |data: D, version, pending| State::Dirty { data, version, base, pending };
        match (operation, data.clone().filter(|_| live)) {
            (Operation::Create(_), Some(_)) => refused(StoreError::AlreadyExists),
            (Operation::Create(_) | Operation::Put(_), None) if self.ids.now().is_some() => {
                (self.clone(), Err(StoreError::Renamed))
            }
            (Operation::Create(new), None) | (Operation::Put(new), _) => {
                let pending = doubted(pending.change().overwrote(data).made(now));
                let mut next = self.with(dirty(new.clone(), version + 1, pending)).slid(now, after(now, ttl));
                next.written = now;
                if !live {
                    // Another session, which never had another id.
                    next.ids = Ids::One;
                }
                (next, Ok(Answer::at(version + 1)))
            }
            (Operation::Get | Operation::Peek, Some(held)) => {
                let answer = Answer::read(Some(Session { version, data: held.clone() }));
                let mut next = self.clone();
                let sliding = sliding && matches!(operation, Operation::Get);
                if sliding && !planted::seam!(never_slides_in_memory) || planted::seam!(slides_fixed_ttl) {
                    next = self.with(dirty(held, version, pending.change())).slid(now, after(now, ttl));
                }
                next.used = now;
                (next, Ok(answer))
            }
            (Operation::Get | Operation::Peek, None) => (self.clone(), Ok(Answer::absent())),
            (Operation::Update(..) | Operation::Append(_) | Operation::Rename(_), None) => {
                refused(StoreError::NotFound)
            }
            (Operation::Rename(to), Some(_)) => (self.left_for(to, ttl, now), Ok(Answer::at(version + 1))),
            (Operation::Update(expected, _), Some(_)) if *expected != version => {
                refused(StoreError::Conflict { current: version })
            }
            (Operation::Update(_, new), Some(_)) => {
                let pending = doubted(pending.change().overwrote(data));
                let mut next = self.with(dirty(new.clone(), version + 1, pending)).slid(now, after(now, ttl));
                next.written = now;
                (next, Ok(Answer::at(version + 1)))
            }
            (Operation::Append(item), Some(mut held)) => {
                let added = added(&mut held, item.clone());
                // In an encrypted session the server does not see all items, and may have counted one that is already
                // there.
                let counted = added || sent.is_some();
                let version = version + u64::from(counted);
                let pending = pending.change();
                let pending = if counted { pending.appended(item.clone()) } else { pending };
                let mut next = self.with(dirty(held, version, doubted(pending))).slid(now, after(now, ttl));
                next.written = if added { now } else { self.written };
                (next, Ok(Answer::at(version)))
            }
            (Operation::Touch, Some(_)) if planted::seam!(forgets_touch) => (self.clone(), Ok(Answer::touched(true))),
            (Operation::Touch, held) => match held {
                Some(held) => {
                    let next = self.with(dirty(held, version, pending.change()));
                    (next.slid(now, after(now, ttl)), Ok(Answer::touched(true)))
                }
                None => (self.clone(), Ok(Answer::touched(false))),
            },
            (Operation::Destroy, None) if sent.is_none() => (self.clone(), Ok(Answer::absent())),
            (Operation::Destroy, held) => {
                // No session lives here, but the destroy was sent, and Redis may have had one of another process.
                let version = version + 1;
                let mut pending = pending.change().overwrote(data);
                pending.maybe_deleted |= sent.is_some();
                let next = self.with(State::Destroyed { version, base, pending: Some(pending) });
                let answer = if held.is_some() { Answer::at(version) } else { Answer::absent() };
                (next.slid(now, after(now, ttl)), Ok(answer))
            }
        }
    }

    /// Redis may have lost what it acknowledged, or others may have written, so it has to be asked.
    pub(super) fn suspected(&self) -> Self {
        let (.., pending) = self.opened();
        self.with_pending(pending.change())
    }

    /// The same data, or none, with this to write back.
    pub(super) fn with_pending(&self, pending: PendingWrite<D>) -> Self {
        let (data, version, base, _) = self.opened();
        self.with(match data {
            Some(data) => State::Dirty { data, version, base, pending },
            None => State::Destroyed { version, base, pending: Some(pending) },
        })
    }

    /// A write was dropped here, so whatever Redis has is stale.
    pub(super) fn invalidated(&self, now: u64, ttl: Duration) -> Self {
        let (_, version, base, pending) = self.opened();
        let pending = Some(pending.change().written());
        self.with(State::Destroyed { version: version + 1, base, pending }).slid(now, after(now, ttl))
    }

    /// This store is about to destroy what Redis has under this id; the session that was made here since is still to be
    /// written back. `None`: no such session was made, or Redis may have it already.
    pub(super) fn after_another(&self) -> Option<Self> {
        let pending = self.pending().filter(|pending| pending.made.is_some())?;
        Some(self.with_pending(pending.clone().maybe_destroyed()))
    }

    /// Redis says that it lacks the session, so it must be written back whole.
    pub(super) fn missed(&self) -> Self {
        match self.opened() {
            (Some(data), version, base, pending) => {
                let pending = pending.change().written();
                self.with(State::Dirty { data, version, base, pending })
            }
            (None, ..) => self.clone(),
        }
    }
}

pub(super) fn after(now: u64, ttl: Duration) -> u64 {
    now.saturating_add(nanos(ttl))
}
