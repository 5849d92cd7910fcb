//! What a promise leaves open: what may have removed a write, and what a process cannot know.

use firedrill_storage::Policy;

use super::Judge;
use crate::history::{Call, Outcome};
use crate::schedule::{Action, Op};

impl Judge<'_> {
    /// Whether another call may have come after `call` and removed what it wrote.
    pub(super) fn may_have_removed(&self, call: &Call, other: &Call) -> bool {
        let removes = match other.op {
            Op::Destroy | Op::LogOut => true,
            Op::Put | Op::Create => !other.wrote.contains(&call.item.unwrap_or_default()),
            _ => false,
        };
        // A silent cache removes a session from Redis if it dropped a write to it.
        let removes = removes
            || (self.policy == Policy::SilentCache
                && other.acked() == Some(true)
                && other.op != Op::Get
                && other.op != Op::Touch);
        // What a fallback acknowledges takes effect at the write-back.
        let ends = !matches!(other.outcome, Outcome::Acked { fallback: false, .. });
        // A destroy that Redis acknowledged and lost is sent again.
        let ends = ends || (is_end(other) && self.is_in_lost_tail(other));
        // A session destroyed by another process stays destroyed, even if a fallback that did not know acknowledges a
        // write to it.
        let unheard = call.acked() == Some(true) && other.process != call.process;
        // A create or put after that makes another session.
        let made_after = matches!(call.op, Op::Create | Op::Put) && other.before(call);
        let ends = ends || (unheard && is_end(other) && !made_after);
        other.item != call.item && removes && other.can_write() && (ends || !other.before(call))
    }

    pub(super) fn is_in_lost_tail(&self, call: &Call) -> bool {
        self.run.tails.iter().any(|tail| call.to.is_none_or(|to| tail.at > to) && self.concerns(&tail.sessions, call))
    }

    fn concerns(&self, sessions: &[usize], call: &Call) -> bool {
        sessions.iter().any(|session| self.are_kin(*session, call.session))
    }

    /// Whether the caller's process had the session in memory: it wrote it whole or read it before.
    pub(super) fn had_copy(&self, call: &Call) -> bool {
        let shows = |other: &Call| other.is_whole() || matches!(other.outcome, Outcome::Acked { items: Some(_), .. });
        let mine = |other: &&Call| other.process == call.process && other.acked().is_some();
        let renamed = |other: &Call| other.renames_to() == Some(call.session) && other.before(call);
        call.is_whole()
            || self.calls(call.session).filter(mine).any(|other| shows(other) && other.before(call))
            || self.kin(call.session).filter(mine).any(renamed)
            // The session is read before it gets another id.
            || call.renames_to().is_some()
    }

    /// Whether Redis may have lost a call's write while no process still has it.
    pub(super) fn excused(&self, call: &Call) -> bool {
        let holds = self.schedule.setting.capacity >= 8
            && matches!(self.policy, Policy::Drain | Policy::DualWrite | Policy::ReadOnly);
        let after = |at: u64| call.to.is_none_or(|to| at > to) || at > call.from;
        let tail = self.run.tails.iter().any(|tail| after(tail.at) && self.concerns(&tail.sessions, call));
        let evicted = self.run.evicted.iter().any(|(at, session)| after(*at) && self.are_kin(*session, call.session));
        // docs/storage.md says what a migration may lose; `migrations` judges the rest.
        let switched = !self.run.switched.is_empty();
        // The ids of dropped writes take up room; without room the oldest are forgotten, which is reported.
        let forgotten =
            self.policy == Policy::SilentCache && self.run.stats.iter().any(|stats| stats.evicted_sessions > 0);
        // Of two sessions under one id a process remembers the last.
        let holds = holds && self.had_copy(call) && !self.was_made_again(call.session);
        let replaced = self.touched(call) && self.was_made_again(call.session);
        forgotten || (tail && !holds) || evicted || switched || replaced
    }

    /// Whether a process kept a create or put in memory when another ended the session in Redis. At once: a call that Redis
    /// was asked to carry out may take effect later.
    pub(super) fn was_kept_until(&self, call: &Call, destroy: &Call) -> bool {
        let kept = matches!(call.op, Op::Create | Op::Put) && call.acked() == Some(true);
        let at_once = call.end == Some(call.start) && call.slow == 0;
        let by_another = destroy.op == Op::Destroy && destroy.process != call.process && destroy.acked() == Some(false);
        kept && at_once && by_another && call.before(destroy) && !self.is_in_lost_tail(destroy)
    }

    /// Whether a create or put took the id of a session that had ended, or that Redis had dropped or lost.
    pub(super) fn was_made_again(&self, session: usize) -> bool {
        let acked = || self.calls(session).filter(|call| call.acked().is_some());
        let destroyed = self.kin(session).filter(|call| call.acked().is_some() && is_end(call)).map(|call| call.from);
        let evicted = self.run.evicted.iter().filter(|(_, of)| *of == session).map(|(at, _)| *at);
        let lost = self.run.tails.iter().filter(|tail| tail.sessions.contains(&session)).map(|tail| tail.at);
        let end = destroyed.chain(evicted).chain(lost).min();
        let first = acked().find(|call| matches!(call.op, Op::Create | Op::Put)).map(|call| call.from);
        acked().any(|call| match call.op {
            Op::Create => first.is_some_and(|first| call.from > first),
            Op::Put => end.is_some_and(|end| call.to.is_some_and(|to| to > end)),
            _ => false,
        })
    }

    /// Whether what is there after a destroy may be another session: a fallback acknowledged it without knowing that
    /// others had used the id again, or Redis lost it, and others wrote the session before this process told Redis again.
    pub(super) fn ends_another(&self, destroy: &Call) -> bool {
        let unknown = destroy.acked() == Some(true) && self.was_made_again(destroy.session);
        let written_on = |other: &Call| {
            other.process != destroy.process
                && other.from > destroy.from
                && other.can_write()
                && other.acked().is_some()
        };
        unknown || (self.is_in_lost_tail(destroy) && self.calls(destroy.session).any(written_on))
    }

    /// Whether a logout everywhere could not find the session: Redis had lost it, and only other processes held it.
    pub(super) fn could_not_find(&self, logout: &Call) -> bool {
        let shows = |call: &Call| {
            let read = matches!(call.outcome, Outcome::Acked { items: Some(_), .. });
            call.acked().is_some() && (call.is_whole() || read || call.renames_to().is_some())
        };
        let had = |mine: bool| {
            self.kin(logout.session)
                .any(|call| (call.process == logout.process) == mine && shows(call) && call.from < logout.from)
        };
        let ended = |at: u64| logout.to.is_none_or(|to| at < to);
        let lost = self.run.tails.iter().any(|tail| ended(tail.at) && self.concerns(&tail.sessions, logout));
        lost && had(false) && !had(true)
    }

    /// Whether a create or put made another session under an id that a fallback gave up: another process had ended the
    /// session before it, so that the rename does not stand.
    pub(super) fn is_apart(&self, made: &Call, rename: &Call) -> bool {
        let mut ids = vec![made.session];
        let gave = |call: &Call, to: usize| {
            call.process == rename.process && call.renames_to() == Some(to) && call.acked().is_some()
        };
        while let Some(earlier) = self.kin(made.session).find(|call| gave(call, ids[ids.len() - 1])) {
            if ids.contains(&earlier.session) {
                break;
            }
            ids.push(earlier.session);
        }
        let ends = |end: &Call| {
            let found = matches!(end.outcome, Outcome::Acked { fallback, found, .. } if fallback || found);
            let this = end.op == Op::LogOut || end.op == Op::Destroy && found && ids.contains(&end.session);
            // What a fallback ended is told to Redis before Redis answers the same process.
            let told = end.acked() == Some(false) || end.acked().is_some() && end.process == made.process;
            this && told && end.process != rename.process && end.before(made)
        };
        let renamed = rename.session == made.session && rename.renames_to().is_some() && rename.acked() == Some(true);
        let makes = matches!(made.op, Op::Create | Op::Put) && made.acked() == Some(false);
        renamed && makes && made.process != rename.process && self.kin(made.session).any(ends)
    }

    /// Whether the reader's process was connected long enough after another's destroy to have been notified.
    pub(super) fn could_hear(&self, destroy: &Call, read: &Call) -> bool {
        let Some(end) = destroy.end else { return false };
        let quiet = |at: u64| at + 40 < destroy.start || at > end + 60;
        let nothing_wrong = self.schedule.events.iter().all(|event| {
            matches!(event.action, Action::Call { .. } | Action::Panic | Action::Rotate { .. })
                || quiet(event.at + 20) && event.at + 20 > end
        });
        nothing_wrong && read.start > end + 60
    }

    pub(super) fn has_all_room(&self) -> bool {
        let sessions = self.run.last.len();
        sessions <= self.schedule.setting.capacity
            && self.run.stats.iter().all(|stats| stats.evicted == 0 && stats.refused == 0)
    }

    /// Whether Redis lost or evicted something of the session.
    pub(super) fn touched(&self, call: &Call) -> bool {
        self.run.tails.iter().any(|tail| self.concerns(&tail.sessions, call))
            || self.run.evicted.iter().any(|(_, session)| self.are_kin(*session, call.session))
    }
}

/// Whether a call ends sessions.
fn is_end(call: &Call) -> bool {
    matches!(call.op, Op::Destroy | Op::LogOut)
}
