//! Random histories of a sound store: every operation takes effect at one moment, sessions expire, operations fail or lose
//! their replies and may then take effect late.

use std::collections::HashMap;
use std::ops::Range;

use proptest::prelude::*;

use crate::check::testing::{Entry, Script};
use crate::history::{History, OpKind, SessionNo, Step, Tells, Token};

pub(super) const TTL: i64 = 1_000;
const SLACK: i64 = 20;
/// Two of the three sessions belong to one user.
const PER_USER: u32 = 2;

/// What a user tries, and what comes of it.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) kind: OpKind,
    pub(super) session: SessionNo,
    pub(super) process: u32,
    /// When it is sent and how long it takes, in milliseconds.
    pub(super) started: i64,
    pub(super) lasts: i64,
    /// When it takes effect, in percent of its duration.
    pub(super) point: i64,
    pub(super) fate: Fate,
    /// How many milliseconds too long or too short the session lives, within the slack.
    pub(super) drift: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Ok,
    Degraded,
    Failed,
    /// Did not change the content but extended the session's lifetime.
    FailedHalfway,
    Lost,
    /// The answer is lost; the operation takes effect this many milliseconds after its end.
    Late(i64),
}

#[derive(Debug, Clone, Default)]
struct Stored {
    tokens: Vec<Token>,
    count: u64,
    claimant: Option<Token>,
    version: u64,
    dies: i64,
    /// When it was last written.
    written: i64,
}

fn fates() -> impl Strategy<Value = Fate> {
    prop_oneof![
        10 => Just(Fate::Ok),
        2 => Just(Fate::Degraded),
        1 => Just(Fate::Failed),
        1 => Just(Fate::FailedHalfway),
        1 => Just(Fate::Lost),
        1 => (0..1_500i64).prop_map(Fate::Late),
    ]
}

pub(super) fn attempts(
    kinds: &'static [OpKind],
    count: Range<usize>,
    span: i64,
) -> impl Strategy<Value = Vec<Attempt>> {
    let who = (proptest::sample::select(kinds), 0..3u32, 0..3u32);
    let when = (0..span, 1..200i64, 0..=100i64);
    let one = (who, when, fates(), -SLACK / 2..=SLACK / 2).prop_map(
        |((kind, session, process), (started, lasts, point), fate, drift)| Attempt {
            kind,
            session,
            process,
            started,
            lasts,
            point,
            // A sound store says "degraded" of itself only while it is, and this one never is for long.
            fate: if kind == OpKind::Health { Fate::Ok } else { fate },
            drift,
        },
    );
    proptest::collection::vec(one, count)
}

/// Runs the attempts and records what the users observe, including the final reads.
pub(super) fn carried_out(attempts: &[Attempt], ttl: i64, sliding: bool) -> History {
    recorded(Script::new(), attempts, ttl, sliding)
}

/// The same where every session is a counter.
pub(super) fn counted(attempts: &[Attempt], ttl: i64, sliding: bool) -> History {
    recorded(Script::new().counter(), attempts, ttl, sliding)
}

fn recorded(script: Script, attempts: &[Attempt], ttl: i64, sliding: bool) -> History {
    let mut script = script.ttl(ttl, SLACK).sessions_per_user(PER_USER);
    if !sliding {
        script = script.not_sliding();
    }
    let mut order: Vec<(i64, &Attempt)> = attempts.iter().map(|a| (effective_at(a), a)).collect();
    order.sort_by_key(|(at, _)| *at);
    let mut store: HashMap<SessionNo, Stored> = HashMap::new();
    for (at, attempt) in order {
        carry_out(&mut script, &mut store, at, attempt, ttl, sliding);
    }
    let end = attempts.iter().map(|a| effective_at(a).max(a.started + a.lasts)).max().unwrap_or(0);
    for session in 0..3 {
        let last = Attempt {
            kind: OpKind::Read,
            session,
            process: session,
            started: end + 1,
            lasts: 2,
            point: 50,
            fate: Fate::Ok,
            drift: 0,
        };
        let line = carry_out(&mut script, &mut store, end + 2, &last, ttl, sliding);
        script.amend(line, |op| op.step = Step::Final);
    }
    script.build()
}

fn effective_at(attempt: &Attempt) -> i64 {
    match attempt.fate {
        Fate::Late(by) => attempt.started + attempt.lasts + by,
        _ => attempt.started + attempt.lasts * attempt.point / 100,
    }
}

/// Runs one attempt at the moment it takes effect. Returns the index of the recorded operation.
fn carry_out(
    script: &mut Script,
    store: &mut HashMap<SessionNo, Stored>,
    at: i64,
    attempt: &Attempt,
    ttl: i64,
    sliding: bool,
) -> u64 {
    store.retain(|_, stored| stored.dies > at);
    let dies = at + ttl + attempt.drift;
    let line = script
        .line(attempt.kind, attempt.session, attempt.process)
        .at(attempt.started..attempt.started + attempt.lasts);
    let token = line.index() + 1;
    let slot = store.get_mut(&attempt.session);
    match attempt.fate {
        Fate::Failed | Fate::Lost => {}
        Fate::FailedHalfway => {
            use OpKind::{Append, Award, Increment, Renew, Touch};
            if let (Some(stored), Append | Increment | Touch | Renew | Award) = (slot, attempt.kind) {
                stored.dies = dies;
            }
        }
        Fate::Ok | Fate::Degraded | Fate::Late(_) => {
            return take_effect(line, store, token, (at, dies), attempt, sliding);
        }
    }
    if attempt.fate == Fate::Lost { line.unknown() } else { line.failed() }
}

fn take_effect(
    mut line: Entry<'_>,
    store: &mut HashMap<SessionNo, Stored>,
    token: Token,
    (at, dies): (i64, i64),
    attempt: &Attempt,
    sliding: bool,
) -> u64 {
    let exists = store.contains_key(&attempt.session);
    match (attempt.kind, exists) {
        (OpKind::Create, true) => {
            return if matches!(attempt.fate, Fate::Late(_)) { line.unknown() } else { line.failed() };
        }
        (OpKind::Create, false) => {
            store.insert(attempt.session, Stored { version: 1, dies, written: at, ..Stored::default() });
        }
        (OpKind::Put, _) => {
            let stored = store.entry(attempt.session).or_default();
            *stored =
                Stored { tokens: vec![token], version: stored.version + 1, dies, written: at, ..Stored::default() };
        }
        (OpKind::Destroy, _) => {
            store.remove(&attempt.session);
        }
        (OpKind::LogoutEverywhere, _) => {
            store.retain(|session, _| session / PER_USER != attempt.session / PER_USER);
        }
        (kind, found) if !found || kind.is_survey() => {}
        (kind, _) => {
            let stored = store.entry(attempt.session).or_default();
            if kind == OpKind::Append {
                stored.tokens.push(token);
                stored.version += 1;
                stored.written = at;
            }
            stored.count += u64::from(kind == OpKind::Increment);
            let claims = kind == OpKind::Award && stored.claimant.is_none();
            if claims {
                stored.claimant = Some(token);
                stored.version += 1;
                stored.written = at;
            }
            if kind == OpKind::Renew {
                stored.version += 1;
            }
            let extends = matches!(kind, OpKind::Append | OpKind::Increment | OpKind::Touch | OpKind::Renew);
            if claims || sliding || extends {
                stored.dies = dies;
            }
        }
    }
    if let Fate::Late(_) = attempt.fate {
        return line.unknown();
    }
    if attempt.kind == OpKind::List {
        line = line.sessions(&latest_of_user(store, attempt.session / PER_USER));
    } else if let Some(stored) = store.get(&attempt.session) {
        line = line.version(stored.version);
        if attempt.kind == OpKind::Read {
            let writers: Vec<u64> = stored.tokens.iter().map(|token| token - 1).collect();
            line = if line.is_of_counter() { line.number(stored.count) } else { line.shows(&writers) };
            line = line.owner(attempt.session);
        }
        if let (OpKind::Award, Some(claimant)) = (attempt.kind, stored.claimant) {
            line = line.shows(&[claimant - 1]);
        }
    }
    match (attempt.fate, attempt.kind) {
        (_, kind) if !exists && kind.effects().tells != Tells::Nothing => line.absent(),
        (Fate::Degraded, _) => line.degraded(),
        _ => line.ok(),
    }
}

/// The user's living sessions, the most recently written first.
fn latest_of_user(store: &HashMap<SessionNo, Stored>, user: u32) -> Vec<SessionNo> {
    let mut theirs: Vec<_> = store.iter().filter(|(session, _)| **session / PER_USER == user).collect();
    theirs.sort_by_key(|(_, stored)| std::cmp::Reverse(stored.written));
    theirs.into_iter().map(|(session, _)| *session).collect()
}

/// Sessions only grow, so nothing can excuse a missing token.
const GROWING: &[OpKind] = &[OpKind::Append, OpKind::Read, OpKind::Touch, OpKind::Award, OpKind::List];

/// What is done to counters.
pub(super) const COUNTING: &[OpKind] = &[
    OpKind::Create,
    OpKind::Increment,
    OpKind::Increment,
    OpKind::Read,
    OpKind::Touch,
    OpKind::Destroy,
    OpKind::LogoutEverywhere,
];

/// The kinds that decide whether an order explains a session.
pub(super) const ORDERED: &[OpKind] = &[OpKind::Create, OpKind::Append, OpKind::Put, OpKind::Read, OpKind::Destroy];

/// A history of three sessions that live forever and only grow.
pub(super) fn growing() -> impl Strategy<Value = History> {
    attempts(GROWING, 50..80, 4_000).prop_map(|mut attempts| {
        for session in 0..3 {
            attempts.push(Attempt {
                kind: OpKind::Create,
                session,
                process: 9,
                started: -100,
                lasts: 10,
                point: 50,
                fate: Fate::Ok,
                drift: 0,
            });
        }
        carried_out(&attempts, 1_000_000, true)
    })
}
