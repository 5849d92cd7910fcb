//! What may have happened to one session: when it may have been recreated, when its content may have been replaced, and
//! whether it must have existed at a given moment. If something is missing, checkers look here for an excuse before
//! they report it.
//!
//! An operation takes effect at one moment between its start and its answer; an operation of unknown outcome at any
//! moment after its start, or never. A session must exist from an operation that certainly found or created it until
//! its lifetime, less the slack, has passed since the *start* of the last operation that certainly extended it.

use hashbrown::HashMap;

use super::expiry::Expiry;
use super::ops::Ops;
use crate::clock::Nanos;
use crate::history::{OpKind, OpRecord, Outcome, Token};

/// The end of a span that may last forever.
const NEVER: Nanos = Nanos::MAX;
/// A moment before everything.
const BEFORE_ALL: Nanos = Nanos::MIN;

/// Spans of time in which something may have happened. They answer: can it have happened after this moment, as seen
/// from that one?
#[derive(Debug, Default)]
pub(super) struct Spans {
    /// The start, and the latest end of this span and all earlier ones.
    spans: Vec<(Nanos, Nanos)>,
}

impl Spans {
    /// Adds a span. After the last one, [`Spans::seal`] must be called before the first query.
    pub fn push(&mut self, started: Nanos, latest: Nanos) {
        self.spans.push((started, latest));
    }

    /// Prepares for queries.
    pub fn seal(&mut self) {
        self.spans.sort_unstable();
        for at in 1..self.spans.len() {
            self.spans[at].1 = self.spans[at].1.max(self.spans[at - 1].1);
        }
    }

    /// The latest moment at which any of those that had started by `t` can have happened; before all time if none had.
    pub fn latest(&self, t: Nanos) -> Nanos {
        let begun = self.spans.partition_point(|span| span.0 <= t);
        self.spans[..begun].last().map_or(BEFORE_ALL, |span| span.1)
    }
}

/// Acknowledged operations by their end. They answer: of those over by a given moment, which started last?
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// The end, the latest start so far, and the operation that started then.
    ends: Vec<(Nanos, Nanos, u64)>,
}

impl Ended {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Adds an operation. After the last one, [`Ended::seal`] must be called before the first query.
    pub fn push(&mut self, op: &OpRecord) {
        self.ends.push((op.ended, op.started, op.index));
    }

    /// Prepares for queries.
    pub fn seal(&mut self) {
        self.ends.sort_unstable();
        for at in 1..self.ends.len() {
            let (_, started, index) = self.ends[at - 1];
            if started > self.ends[at].1 {
                (self.ends[at].1, self.ends[at].2) = (started, index);
            }
        }
    }

    /// The start and index of the operation that started last among those that had ended before `t`.
    pub fn last_before(&self, t: Nanos) -> Option<(Nanos, u64)> {
        let at = self.ends.partition_point(|end| end.0 < t);
        self.ends[..at].last().map(|&(_, started, index)| (started, index))
    }
}

/// When one session certainly ended, and when it may have started again.
#[derive(Debug, Default)]
pub(super) struct Destroyed {
    destroys: Ended,
    births: Spans,
}

impl Destroyed {
    /// Derives both from the session's operations.
    pub fn of(ops: Ops<'_>) -> Self {
        let mut destroyed = Self::default();
        for op in ops.iter().filter(|op| op.kind == OpKind::Destroy && op.outcome.acknowledged()) {
            destroyed.destroys.push(op);
        }
        if destroyed.ever() {
            let shown = first_shown(ops);
            for op in ops.iter().filter(|op| op.perhaps_creates()) {
                let until = shown.get(&op.token()).copied().unwrap_or(op.latest_effect());
                destroyed.births.push(op.started, until);
            }
            destroyed.destroys.seal();
            destroyed.births.seal();
        }
        destroyed
    }

    /// Whether it was ever certainly destroyed.
    pub fn ever(&self) -> bool {
        !self.destroys.is_empty()
    }

    /// The start and the index of the latest-starting destroy that was over before `op` began.
    pub fn before(&self, op: &OpRecord) -> Option<(Nanos, u64)> {
        self.destroys.last_before(op.started)
    }

    /// Whether the session may have been recreated since `since`, as seen from `op`.
    pub fn perhaps_reborn(&self, since: Nanos, op: &OpRecord) -> bool {
        self.births.latest(op.ended) >= since
    }

    /// The destroy after which the session cannot exist while `op` runs.
    pub fn certain_for(&self, op: &OpRecord) -> Option<u64> {
        self.before(op).filter(|(since, _)| !self.perhaps_reborn(*since, op)).map(|(_, destroy)| destroy)
    }
}

/// Whether a session existed while an operation was in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existence {
    /// Nothing proves that it had been created by then.
    Unproven,
    /// A destroy may have ended it.
    PerhapsDestroyed,
    /// Its lifetime may have ended.
    PerhapsExpired,
    /// It existed the whole time.
    Certain {
        /// The last operation that extended its life.
        extended_by: u64,
        /// The moment until which it had to live at least.
        until: Nanos,
    },
}

/// What may have happened to one session.
#[derive(Debug)]
pub(super) struct Lifetime {
    /// When a life certainly ends.
    expiry: Expiry,
    sliding: bool,
    /// When it may have ended and been recreated empty: nothing from before must be there afterwards.
    emptied: Spans,
    /// When it may have been recreated, including by a put: versions then restart.
    reborn: Spans,
    /// When it may have been destroyed.
    destroyed: Spans,
    /// The tokens of puts, and the latest moment at which each can have replaced the content.
    puts: HashMap<Token, Nanos>,
    proofs: Ended,
    extensions: Ended,
}

impl Lifetime {
    /// Derives it from the session's operations.
    pub fn of(ops: Ops<'_>, expiry: &Expiry, sliding: bool) -> Self {
        let mut lifetime = Self {
            expiry: expiry.clone(),
            sliding,
            emptied: Spans::default(),
            reborn: Spans::default(),
            destroyed: Spans::default(),
            puts: HashMap::new(),
            proofs: Ended::default(),
            extensions: Ended::default(),
        };
        lifetime.fill(ops);
        lifetime
    }

    fn fill(&mut self, ops: Ops<'_>) {
        for op in ops.iter().filter(|op| op.proves_session()) {
            self.proofs.push(op);
            if op.certainly_extends(self.sliding) {
                self.extensions.push(op);
            }
        }
        self.fill_births(ops);
        self.fill_destroys(ops);
        for spans in [&mut self.emptied, &mut self.reborn, &mut self.destroyed] {
            spans.seal();
        }
        for ended in [&mut self.proofs, &mut self.extensions] {
            ended.seal();
        }
    }

    /// A put replaces the content. A create or put starts a new session only if the old one may have expired.
    fn fill_births(&mut self, ops: Ops<'_>) {
        let births = ops.iter().filter(|op| op.perhaps_creates());
        let made_once = |op: &OpRecord| op.kind == OpKind::Create && op.outcome.acknowledged();
        if births.clone().count() < 2 && births.clone().all(made_once) {
            return; // the usual case: nothing replaces anything
        }
        let gaps: Vec<(Nanos, Nanos)> = gaps(ops, &self.expiry, self.sliding).collect();
        let shown = first_shown(ops);
        for op in births {
            let until = shown.get(&op.token()).copied().unwrap_or(op.latest_effect());
            if op.kind == OpKind::Put {
                self.puts.insert(op.token(), until);
            }
            let gap = gaps.get(gaps.partition_point(|gap| gap.1 <= op.started));
            if let Some(gap) = gap.filter(|gap| gap.0 < until) {
                let started = op.started.max(gap.0);
                self.reborn.push(started, until);
                if op.kind == OpKind::Create {
                    self.emptied.push(started, until);
                }
            }
        }
    }

    /// A destroy explains lost content if something can have recreated the session since and the destroy certainly
    /// happened. If the content comes back all the same, the resurrection checker judges that. Of a session that may have
    /// strayed, whatever is found may be another one that the target has begun.
    fn fill_destroys(&mut self, ops: Ops<'_>) {
        let destroys = ops.iter().filter(|op| op.perhaps_destroys());
        if destroys.clone().next().is_none() {
            return;
        }
        let births = ops.iter().filter(|op| op.perhaps_creates());
        let last = births.clone().map(OpRecord::latest_effect).max().unwrap_or(BEFORE_ALL);
        let last_create =
            births.filter(|op| op.kind == OpKind::Create).map(OpRecord::latest_effect).max().unwrap_or(BEFORE_ALL);
        for op in destroys {
            self.destroyed.push(op.started, op.latest_effect());
            if op.outcome.acknowledged() || last_create >= op.started || op.perhaps_strays() {
                self.emptied.push(op.started, op.latest_effect());
            }
            if op.outcome.acknowledged() || last >= op.started || op.perhaps_strays() {
                self.reborn.push(op.started, op.latest_effect());
            }
        }
    }

    /// Content from this moment or before may rightly be missing from `read`, which found `tokens`: the session may
    /// have been recreated since, or a put that shows in the read may have replaced it. (A put that does not show
    /// replaced nothing, or was itself replaced by one that does.)
    pub fn may_miss_until(&self, read: &OpRecord, tokens: &[Token]) -> Nanos {
        let mut until = self.emptied.latest(read.ended);
        if !self.puts.is_empty() {
            until = tokens.iter().filter_map(|token| self.puts.get(token)).copied().fold(until, Nanos::max);
        }
        until
    }

    /// The latest moment at which `put` can have replaced the content; `None` if it certainly did not.
    pub fn may_replace_until(&self, put: &OpRecord) -> Option<Nanos> {
        self.puts.get(&put.token()).copied()
    }

    /// Versions from this moment or before may rightly be higher than that of an operation answered at `t`.
    pub fn may_renumber_until(&self, t: Nanos) -> Nanos {
        self.reborn.latest(t)
    }

    /// The latest moment at which the session may have been destroyed.
    pub fn perhaps_destroyed_until(&self) -> Nanos {
        self.destroyed.latest(Nanos::MAX)
    }

    /// Whether the session existed from `started` to `ended`.
    pub fn existence(&self, started: Nanos, ended: Nanos) -> Existence {
        let Some((proof, _)) = self.proofs.last_before(started) else { return Existence::Unproven };
        if self.destroyed.latest(ended) >= proof {
            return Existence::PerhapsDestroyed;
        }
        let Some((extended, extended_by)) = self.extensions.last_before(started) else {
            return Existence::PerhapsExpired;
        };
        let until = self.expiry.earliest(extended);
        if until < ended { Existence::PerhapsExpired } else { Existence::Certain { extended_by, until } }
    }
}

/// The first moment at which the session with these operations may have expired; the end of time if it never existed.
pub(super) fn perhaps_expired_from(ops: Ops<'_>, expiry: &Expiry, sliding: bool) -> Nanos {
    gaps(ops, expiry, sliding).next().map_or(NEVER, |gap| gap.0)
}

/// The periods after the first proof of its life in which the session with these operations may have expired.
fn gaps(ops: Ops<'_>, expiry: &Expiry, sliding: bool) -> impl Iterator<Item = (Nanos, Nanos)> {
    let mut proofs = ops.iter().filter(|op| op.proves_session());
    // A session found but not extended: the operation of unknown outcome that created it may have let it live until
    // just then.
    let mut until = None;
    std::iter::from_fn(move || {
        for op in proofs.by_ref() {
            let first = until.is_none();
            let known = *until.get_or_insert(op.started);
            if op.certainly_extends(sliding) {
                until = Some(known.max(expiry.earliest(op.started)));
                if op.ended > known && !first {
                    return Some((known, op.ended));
                }
            }
        }
        until.take().map(|until| (until, NEVER))
    })
}

/// When the tokens of creates and puts of unknown outcome were first seen: those operations had taken effect by then.
pub(super) fn first_shown(ops: Ops<'_>) -> HashMap<Token, Nanos> {
    let unknown = ops.iter().filter(|op| op.perhaps_creates() && op.outcome == Outcome::Unknown);
    let mut shown: HashMap<Token, Nanos> = unknown.map(|op| (op.token(), NEVER)).collect();
    if !shown.is_empty() {
        for read in ops.iter().filter(|op| op.is_answered_read()) {
            for token in ops.tokens(read) {
                if let Some(at) = shown.get_mut(token) {
                    *at = read.ended.min(*at);
                }
            }
        }
    }
    shown
}
