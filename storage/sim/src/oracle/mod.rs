//! Judges one run by the store's promises, the table in docs/storage.md. The content is the evidence: one call writes
//! each item, so a missing or present item shows what happened to that call.

mod excuses;
mod renames;

use std::collections::HashSet;
use std::fmt;

use firedrill_storage::Policy;

use crate::history::{Call, Outcome};
use crate::run::{DEADLINE, Run, Switched, reported};
use crate::schedule::{Action, Op, Schedule, Setting};

/// The ways to break a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// An acknowledged write is missing at the end, and no loss was reported.
    Lost,
    /// A read misses a write acknowledged to this process, and no loss was reported.
    Missed,
    /// A process says that there is no session although there is one.
    Denied,
    /// A read is refused although the process knows the session.
    Withheld,
    /// Something destroyed or replaced has come back.
    Resurrected,
    /// The content of a renamed session is under two ids.
    Twice,
    /// An id that was given up has a session again.
    StillThere,
    /// A call that failed "certainly without effect" had one.
    NotWithoutEffect,
    /// A session has an item that was never written to it, or has one twice.
    Crossed,
    /// A call took longer than its deadline.
    Late,
    /// A process's version decreased, or was used twice.
    VersionWentBack,
    /// A session outlives its lifetime.
    Outlived,
    /// The store does not recover after every fault is undone.
    Stuck,
    /// A session was refused or evicted although there was room.
    NoRoom,
    /// A user's task or the store's own panicked.
    Panicked,
}

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which promise.
    pub kind: Kind,
    /// The call that shows it, and the call that it contradicts.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.what)
    }
}

/// Every promise that a run breaks.
pub fn judge(schedule: &Schedule, run: &Run) -> Vec<Violation> {
    let judge = Judge { schedule, run, policy: schedule.setting.policy, families: schedule.families() };
    let mut found = Vec::new();
    judge.ends_in_time(&mut found);
    judge.recovers(&mut found);
    judge.has_room(&mut found);
    judge.last_contents(&mut found);
    judge.renames(&mut found);
    judge.reads(&mut found);
    judge.withheld(&mut found);
    judge.lifetimes(&mut found);
    judge.versions(&mut found);
    judge.migrations(&mut found);
    found
}

struct Judge<'a> {
    schedule: &'a Schedule,
    run: &'a Run,
    policy: Policy,
    /// For each session, the first of those that renames connect it with.
    families: Vec<usize>,
}

impl Judge<'_> {
    fn calls(&self, session: usize) -> impl Iterator<Item = &Call> {
        self.run.calls.iter().filter(move |call| call.session == session)
    }

    /// The calls to a session under any of its ids.
    fn kin(&self, session: usize) -> impl Iterator<Item = &Call> {
        self.run.calls.iter().filter(move |call| self.are_kin(call.session, session))
    }

    fn are_kin(&self, one: usize, other: usize) -> bool {
        let family = |session: usize| self.families.get(session).copied().unwrap_or(session);
        one == other || family(one) == family(other)
    }

    /// Whether a session has or had other ids.
    fn has_kin(&self, session: usize) -> bool {
        self.kin(session).any(|call| call.renames_to().is_some())
    }

    /// What a session has at the end, under any of its ids.
    fn union(&self, session: usize) -> Vec<u64> {
        let lasts = self.run.last.iter().enumerate().filter(|(other, _)| self.are_kin(*other, session));
        lasts.filter_map(|(_, last)| last.as_ref().ok()?.as_ref()).flat_map(|(_, items)| items.clone()).collect()
    }

    /// Whether the policy keeps what the fallback acknowledges.
    fn keeps(&self) -> bool {
        matches!(self.policy, Policy::Drain | Policy::DualWrite | Policy::FailFast | Policy::ReadOnly)
    }

    fn ends_in_time(&self, found: &mut Vec<Violation>) {
        let most = DEADLINE.as_millis() as u64 + 10;
        for call in &self.run.calls {
            // A logout everywhere is several calls.
            if call.op != Op::LogOut && call.end.is_some_and(|end| end - call.start > most + 2 * call.slow) {
                found.push(violation(Kind::Late, call));
            }
            if call.outcome == Outcome::Panicked {
                found.push(violation(Kind::Panicked, call));
            }
        }
    }

    fn recovers(&self, found: &mut Vec<Violation>) {
        if let Some(process) = self.run.stuck.first() {
            let what = format!("p{process} has not recovered");
            found.push(Violation { kind: Kind::Stuck, what });
        }
    }

    fn has_room(&self, found: &mut Vec<Violation>) {
        let filled: usize = self.run.filled.iter().map(|(sessions, _)| sessions).sum();
        let named = self.run.calls.iter().flat_map(|call| [Some(call.session), call.renames_to()]);
        let sessions = named.flatten().collect::<HashSet<_>>().len() + filled;
        for (process, stats) in self.run.stats.iter().enumerate() {
            let lacked = stats.refused + stats.evicted + stats.evicted_sessions;
            if sessions <= self.schedule.setting.capacity && lacked > 0 {
                let what = format!(
                    "p{process} had room for {}, held {sessions}, and lacked it {lacked} times",
                    self.schedule.setting.capacity
                );
                found.push(Violation { kind: Kind::NoRoom, what });
            }
        }
    }

    fn last_contents(&self, found: &mut Vec<Violation>) {
        let total: u64 = self.run.stats.iter().map(reported).sum();
        let mut missing = Vec::new();
        for (session, last) in self.run.last.iter().enumerate() {
            let items = match last {
                Ok(last) => last.as_ref().map(|(_, items)| items.as_slice()).unwrap_or_default(),
                Err(error) => {
                    let what = format!("s{session} cannot be read at the end: {error}");
                    found.push(Violation { kind: Kind::Lost, what });
                    continue;
                }
            };
            self.contents(session, items, found);
            let items = self.union(session);
            self.nothing_returns(session, &items, found);
            if self.schedule.setting.ttl < 1_000_000 {
                continue;
            }
            for call in self.calls(session) {
                let (Some(fallback), Some(item)) = (call.acked(), call.item) else { continue };
                if items.contains(&item) || (fallback && !self.keeps()) || self.excused(call) {
                    continue;
                }
                if !self.kin(session).any(|other| self.may_have_removed(call, other)) {
                    missing.push(call);
                }
            }
        }
        // Each report covers one missing write. If a merge panicked, one covers everything that the other copy had.
        let panicked = self.schedule.events.iter().any(|event| event.action == Action::Panic) && total > 0;
        if missing.len() as u64 > total && !panicked {
            missing.iter().take(1).for_each(|call| found.push(violation(Kind::Lost, call)));
        }
    }

    /// Checks that every item was written to this session, by a call that may have had an effect, and that it appears
    /// once.
    fn contents(&self, session: usize, items: &[u64], found: &mut Vec<Violation>) {
        for (at, item) in items.iter().enumerate() {
            let by = self.run.calls.iter().find(|call| call.item == Some(*item));
            if items[..at].contains(item) || by.is_none_or(|call| !self.are_kin(call.session, session)) {
                let what = format!("s{session} holds {items:?}: item {item} is not its own, or there twice");
                found.push(Violation { kind: Kind::Crossed, what });
            }
            if let Some(call) = by
                && matches!(call.outcome, Outcome::Refused(_))
            {
                found.push(violation(Kind::NotWithoutEffect, call));
            }
        }
    }

    /// The calls that ended a session: destroys that found it, and logouts everywhere. A session that gets another id during
    /// such a logout may stay.
    fn ends(&self, session: usize) -> impl Iterator<Item = &Call> {
        self.kin(session).filter(move |call| match call.op {
            // Of an id that was given up before, it says nothing.
            Op::Destroy => {
                let given_up = |other: &Call| other.renames_to().is_some() && other.can_write() && !call.before(other);
                let found = matches!(call.outcome, Outcome::Acked { found: true, .. });
                call.session == session && found && !self.calls(session).any(given_up)
            }
            // A process that does not have the newest key yet does not find the sessions that others index by it.
            Op::LogOut if self.run.rotated || self.could_not_find(call) => false,
            Op::LogOut => {
                let apart = |other: &Call| other.before(call) || call.before(other) || !other.can_write();
                self.kin(session).filter(|other| other.renames_to().is_some()).all(apart)
            }
            _ => false,
        })
    }

    /// A write that came before `destroy` and whose item is among `items` all the same.
    fn returned(&self, destroy: &Call, items: &[u64]) -> Option<&Call> {
        let back = self.kin(destroy.session).find(|call| {
            (destroy.op == Op::LogOut || call.session == destroy.session)
                && call.item.is_some_and(|item| items.contains(&item))
                && call.before(destroy)
                && (call.acked() == Some(false) || self.was_kept_until(call, destroy))
        })?;
        // Writes of others while this process was cut off may stand, and so may what they are merged with.
        let made_again = self.kin(destroy.session).any(|call| {
            call.is_whole()
                && call.can_write()
                && call.to.is_none_or(|to| to > destroy.from)
                && call.wrote.contains(&back.item.unwrap_or_default())
        });
        (!made_again).then_some(back)
    }

    /// Checks that nothing is there at the end that was written and then destroyed with an acknowledgement.
    fn nothing_returns(&self, session: usize, items: &[u64], found: &mut Vec<Violation>) {
        let policy_keeps = self.keeps() || self.policy == Policy::SilentCache;
        for destroy in self.ends(session) {
            let Outcome::Acked { fallback, .. } = destroy.outcome else { continue };
            if (fallback && !policy_keeps) || self.excused(destroy) || self.ends_another(destroy) {
                continue;
            }
            if let Some(call) = self.returned(destroy, items) {
                let what = format!("{call} | destroyed by {destroy} | s{session} holds {items:?}");
                found.push(Violation { kind: Kind::Resurrected, what });
                return;
            }
        }
    }

    /// Checks that each read has everything acknowledged to this process, and nothing that it knows to be gone.
    fn reads(&self, found: &mut Vec<Violation>) {
        if self.schedule.setting.ttl < 1_000_000 {
            return;
        }
        for read in &self.run.calls {
            let Outcome::Acked { fallback, items, .. } = &read.outcome else { continue };
            if read.op != Op::Get {
                continue;
            }
            let held = items.as_deref().unwrap_or_default();
            self.contents(read.session, held, found);
            let reported = self.run.stats.iter().map(reported).sum::<u64>() > 0;
            let owed_of = self.ids_behind(read, *fallback);
            let apart = |call: &Call| {
                call.session != read.session && self.calls(call.session).any(|rename| self.is_apart(call, rename))
            };
            let owed_calls = self.kin(read.session).filter(|call| owed_of.contains(&call.session) && !apart(call));
            for call in owed_calls {
                let (Some(by_fallback), Some(item)) = (call.acked(), call.item) else { continue };
                let mine = call.process == read.process;
                // Two processes cut off from each other may read stale data, but must never deny the session.
                let owed = call.before(read) && (mine || (!by_fallback && !fallback && !self.touched(call)));
                let keeps = self.keeps() || (!by_fallback && !fallback);
                // Under this policy, a session that memory lacks is "not found".
                let holds = self.policy != Policy::DualWrite
                    || !fallback
                    || (self.had_copy(call) && self.schedule.setting.capacity >= 8);
                let owed = owed && holds;
                if !owed || !keeps || held.contains(&item) || self.excused(call) || reported {
                    continue;
                }
                let removed = self.kin(read.session).any(|other| {
                    let began = other.from < read.to.unwrap_or(u64::MAX);
                    began && self.may_have_removed(call, other)
                });
                if !removed {
                    let what = format!("{read} | misses {call}");
                    let kind = if items.is_none() { Kind::Denied } else { Kind::Missed };
                    found.push(Violation { kind, what });
                }
            }
            self.nothing_destroyed(read, held, *fallback, found);
        }
    }

    /// Checks that while Redis is away, memory answers reads of each session of which this process must know the end:
    /// it made, read or destroyed it, and nothing else was under way since.
    fn withheld(&self, found: &mut Vec<Violation>) {
        let Setting { processes, ttl, .. } = self.schedule.setting;
        let answers = matches!(self.policy, Policy::Drain | Policy::DualWrite | Policy::ReadOnly);
        // Another process may have ended the session since.
        if !answers || processes > 1 || ttl < 1_000_000 || !self.run.switched.is_empty() || !self.has_all_room() {
            return;
        }
        for read in self.run.calls.iter().filter(|call| call.op == Op::Get) {
            let (Outcome::Refused(error) | Outcome::Unknown(error)) = &read.outcome else { continue };
            let in_time = read.end.is_some_and(|end| end - read.start < DEADLINE.as_millis() as u64);
            let evicted = self.run.evicted.iter().any(|(_, session)| *session == read.session);
            if !in_time || evicted || self.was_made_again(read.session) || error.contains("is being written back") {
                continue;
            }
            // Which of its ids a process knows depends on what it heard.
            if self.has_kin(read.session) {
                continue;
            }
            let shows = |call: &&Call| match &call.outcome {
                Outcome::Acked { found, items, .. } => {
                    call.is_whole() || items.is_some() || call.op == Op::Destroy && *found
                }
                _ => false,
            };
            // Of a destroy and a create at the same time nobody knows which came last.
            let continues = |known: &Call, other: &Call| {
                let ends = other.before(read) && matches!(other.op, Op::Append | Op::Update) && other.acked().is_some();
                other.from == known.from || other.before(known) || (known.before(other) && ends)
            };
            let known = self.calls(read.session).filter(shows).find(|known| {
                let mut writes = self.calls(read.session).filter(|call| call.can_write());
                known.before(read) && writes.all(|other| continues(known, other))
            });
            if let Some(known) = known {
                found.push(Violation { kind: Kind::Withheld, what: format!("{read} | known since {known}") });
                return;
            }
        }
    }

    /// Checks that a read shows nothing destroyed before it, as far as this process can know.
    fn nothing_destroyed(&self, read: &Call, held: &[u64], fallback: bool, found: &mut Vec<Violation>) {
        for destroy in self.ends(read.session) {
            let Outcome::Acked { fallback: by_fallback, .. } = destroy.outcome else { continue };
            let mine = destroy.process == read.process;
            // What Redis has lost, others read again until the process that destroyed it has told Redis.
            let lost = self.is_in_lost_tail(destroy);
            let told = mine || (!by_fallback && !lost && self.could_hear(destroy, read));
            let keeps = self.keeps() || self.policy == Policy::SilentCache || (!by_fallback && !fallback);
            if !destroy.before(read) || !told || !keeps || self.excused(destroy) || self.ends_another(destroy) {
                continue;
            }
            if let Some(call) = self.returned(destroy, held) {
                let what = format!("{read} | shows {call} | destroyed by {destroy}");
                found.push(Violation { kind: Kind::Resurrected, what });
            }
        }
    }

    fn lifetimes(&self, found: &mut Vec<Violation>) {
        let ttl = self.schedule.setting.ttl;
        for read in &self.run.calls {
            let Outcome::Acked { items: Some(_), .. } = &read.outcome else { continue };
            let extends = |call: &&Call| {
                let slides = self.schedule.setting.sliding || call.op != Op::Get;
                slides
                    && call.from < read.to.unwrap_or(u64::MAX)
                    && !matches!(call.op, Op::Destroy | Op::LogOut)
                    && !matches!(call.outcome, Outcome::Refused(_))
            };
            // A call without an answer may have taken effect at any time until now.
            let most = DEADLINE.as_millis() as u64;
            let last = self.kin(read.session).filter(extends).map(|call| match (call.acked(), call.end) {
                // A lifetime that is written back runs from its arrival in Redis.
                (Some(true), Some(end)) if end - call.start < most => end + most,
                (Some(_), Some(end)) if end - call.start < most => end,
                _ => read.start,
            });
            if last.max().is_none_or(|last| last + ttl + 20 < read.start) {
                found.push(violation(Kind::Outlived, read));
            }
        }
    }

    /// Checks that once memory and Redis agree, a switch to memory alone loses no session.
    fn migrations(&self, found: &mut Vec<Violation>) {
        let alone = |switched: &&Switched| switched.complete && switched.to == Policy::Memory;
        let Some(switched) = self.run.switched.iter().find(alone) else { return };
        let reads = self.run.calls.iter().filter(|call| call.op == Op::Get && call.process == switched.process);
        // What later switches keep, they do not promise to those before.
        let next = self.run.switched.iter().find(|next| next.process == switched.process && next.at > switched.at);
        let until = next.map_or(u64::MAX, |next| next.at);
        for read in reads.filter(|read| read.from > switched.at && read.to.is_some_and(|to| to < until)) {
            let Outcome::Acked { items: None, .. } = read.outcome else { continue };
            let made = self.calls(read.session).find(|call| {
                let mine = call.process == switched.process;
                mine && self.had_copy(call)
                    && call.item.is_some()
                    && call.acked() == Some(false)
                    && call.to.is_some_and(|to| to < switched.at)
            });
            let gone = made.is_some_and(|made| {
                self.has_kin(made.session)
                    || self.touched(made)
                    || self.calls(read.session).any(|other| self.may_have_removed(made, other))
            });
            if let Some(made) = made.filter(|_| !gone && self.schedule.setting.ttl > 1_000_000 && self.has_all_room()) {
                found.push(Violation {
                    kind: Kind::Denied,
                    what: format!("{read} | after a migration | misses {made}"),
                });
                return;
            }
        }
    }

    /// Checks that the versions that one process returns for one session grow, as long as it is the same session.
    fn versions(&self, found: &mut Vec<Violation>) {
        if !matches!(self.policy, Policy::Drain | Policy::ReadOnly)
            || !self.run.switched.is_empty()
            || self.schedule.setting.capacity < 8
        {
            return;
        }
        for call in &self.run.calls {
            let Outcome::Acked { version, .. } = call.outcome else { continue };
            // A create in the fallback trusts the caller that there is no session.
            // A put to a session that Redis has lost makes another one.
            let made_again = self.touched(call) && self.was_made_again(call.session);
            let elsewhere = call.renames_to().is_some();
            if version == 0 || call.op == Op::Create || elsewhere || made_again || self.excused(call) {
                continue;
            }
            let ended = |other: &Call| {
                (matches!(other.op, Op::Destroy | Op::LogOut) && other.can_write())
                    || (other.op == Op::Create && other.acked() == Some(true))
                    || self.run.evicted.iter().any(|(_, session)| *session == call.session)
            };
            if self.kin(call.session).any(ended) || self.schedule.setting.ttl < 1_000_000 {
                continue;
            }
            let same_id = self.calls(call.session).filter(|other| other.renames_to().is_none());
            let earlier = same_id.filter(|other| !self.excused(other)).find(|other| {
                let Outcome::Acked { version: theirs, .. } = other.outcome else { return false };
                let same = call.op == Op::Get || call.op == Op::Append;
                other.process == call.process
                    && other.before(call)
                    && (theirs > version || (!same && theirs == version))
            });
            if let Some(earlier) = earlier {
                let what = format!("{call} | after {earlier}");
                found.push(Violation { kind: Kind::VersionWentBack, what });
                return;
            }
        }
    }
}

fn violation(kind: Kind, call: &Call) -> Violation {
    Violation { kind, what: call.to_string() }
}
